"""`popbridge status` says of each grant whether somebody has to do something, and what."""

from attrs import evolve

from bridge.commands.consents import consents
from bridge.config import OAuth2Grant
from bridge.credentials.oauth2_record import Record, record_name, remember
from bridge.secret import Secret
from tests.contracts.fake_vault import FakeVault
from tests.credentials.authority import GRANT, Authority

done = Authority().done
CONSENTED = Record(client_id="popbridge", refresh=Secret(b"refresh-1"), since=100.0)
WITHDRAWN = evolve(CONSENTED, refused="invalid_grant (revoked)", refused_at=3600.0)
CLIENT = evolve(GRANT, grant="client")


def said(grant: OAuth2Grant, record: Record | None) -> str:
    vault, lines = FakeVault(), list[str]()
    if record is not None:
        done(remember(vault, "work", record))
    done(consents((grant,), lambda _: (), vault, lines.append, 100.0 + 2 * 86400))
    [line] = lines
    assert "refresh-1" not in line
    return line


def test_a_consent_that_holds_needs_nothing() -> None:
    assert said(GRANT, CONSENTED) == "oauth2 work: authorised; the refresh token is there for 2 days"
    assert said(CLIENT, None) == "oauth2 work: of its own right"


def test_one_that_is_missing_or_withdrawn_says_what_to_run() -> None:
    assert said(GRANT, None) == "oauth2 work: nobody has given consent yet; popbridge authorise work"
    assert said(GRANT, WITHDRAWN) == (
        "oauth2 work: the provider wants consent again for 1 day (invalid_grant (revoked)); popbridge authorise work"
    )
    another = evolve(GRANT, client_id="other")
    assert said(another, CONSENTED) == ("oauth2 work: consent was given to another client_id; popbridge authorise work")
    assert "the provider refuses it" in said(CLIENT, Record(refused="invalid_grant", refused_at=5.0))


def test_of_a_service_account_each_login_stands_by_itself() -> None:
    grant, vault, lines = evolve(GRANT, grant="service"), FakeVault(), list[str]()
    done(remember(vault, record_name(grant, "bob"), Record(refused="invalid_grant", refused_at=5.0)))
    done(consents((grant,), lambda name: ("ann", "bob") if name == "work" else (), vault, lines.append, 65.0))

    assert lines == [
        "oauth2 work (ann): of its own right",
        "oauth2 work (bob): the provider refuses it for 1 minute (invalid_grant); popbridge authorise work",
    ]
