# Twisted gives its test doubles no types.
# mypy: disallow-untyped-calls=False
"""A new refresh token is on the disk before its access token is used, and after a refusal nobody asks again."""

import pytest
from attrs import define, evolve, field
from twisted.internet.defer import Deferred, fail

from bridge.config import OAuth2Grant, Reference
from bridge.credentials.oauth2_answers import Tokens
from bridge.credentials.oauth2_client import Client, NoTokens, Refused
from bridge.credentials.oauth2_record import Record, recall, remember
from bridge.credentials.oauth2_renewal import ConsentNeeded, Renewal
from bridge.maildrop.errors import StateUnavailable
from bridge.secret import Secret
from tests.contracts.fake_vault import FakeVault
from tests.credentials.authority import GRANT, Authority, refusal, tokens

CONSENTED = Record(client_id="popbridge", refresh=Secret(b"r1"), since=1.0)


class SlowVault(FakeVault):
    """A put waits, or fails, as the test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.puts: list[Deferred[None]] = []
        self.slow = False
        self.broken = False

    def put(self, name: str, secret: Secret) -> "Deferred[None]":
        if self.broken:
            return fail(StateUnavailable("the disk is full"))
        if not self.slow:
            return super().put(name, secret)
        written: Deferred[None] = Deferred()
        written.addCallback(lambda _: FakeVault.put(self, name, secret))
        self.puts.append(written)
        return written


@define
class Ground:
    authority: Authority = field(factory=Authority)
    vault: SlowVault = field(factory=SlowVault)
    told: list[tuple[str, str]] = field(factory=list)
    grant: OAuth2Grant = GRANT
    renewal: Renewal = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.renewal = Renewal(
            self.authority.client(self.grant, CLIENT="hush"),
            self.vault,
            self.authority.clock,
            "ann@work.example",
            lambda grant, reason: self.told.append((grant.name, reason)),
        )

    def consented(self, record: Record = CONSENTED) -> "Ground":
        self.authority.done(remember(self.vault, "work", record))
        return self

    def renewed(self) -> bytes:
        return self.authority.done(self.renewal()).access.reveal()

    def record(self) -> Record:
        return self.authority.done(recall(self.vault, "work"))


def test_a_refresh_token_that_stays_is_not_written_again() -> None:
    ground = Ground(Authority([tokens("a1"), tokens("a2", refresh_token="r1")])).consented()
    ground.vault.broken = True

    assert [ground.renewed(), ground.renewed()] == [b"a1", b"a2"]
    assert [form["refresh_token"] for form in ground.authority.asked] == ["r1", "r1"]


def test_the_access_token_is_given_to_nobody_before_the_new_refresh_token_is_stored() -> None:
    ground = Ground(Authority([tokens("a1", refresh_token="r2")])).consented()
    ground.vault.slow = True
    outcome = ground.authority.started(ground.renewal())

    assert not outcome.over
    [written] = ground.vault.puts
    written.callback(None)
    assert outcome.result.access == Secret(b"a1")
    assert ground.record() == evolve(CONSENTED, refresh=Secret(b"r2"), since=0.0)


def test_one_that_could_not_be_stored_is_stored_before_anything_is_asked_again() -> None:
    ground = Ground(Authority([tokens("a1", refresh_token="r2"), tokens("a2")])).consented()
    ground.vault.broken = True

    for _ in range(3):
        with pytest.raises(StateUnavailable, match="disk is full"):
            ground.renewed()
    assert len(ground.authority.asked) == 1
    ground.vault.broken = False
    assert ground.renewed() == b"a2"
    assert ground.authority.asked[1]["refresh_token"] == "r2"
    assert ground.record().refresh == Secret(b"r2")


def test_a_consent_that_was_given_meanwhile_is_not_overwritten() -> None:
    """By what came of the one before: while its answer was on the way, or while the disk was full."""
    ground = Ground().consented()
    outcome = ground.authority.started(ground.renewal())
    ground.consented(evolve(CONSENTED, refresh=Secret(b"r9")))
    ground.authority.answer(tokens("a1", refresh_token="r2"))
    ground.authority.http.flush()
    assert outcome.result.access == Secret(b"a1")
    assert ground.record().refresh == Secret(b"r9")

    ground = Ground(Authority([tokens("a1", refresh_token="r2"), tokens("a9")])).consented()
    ground.vault.broken = True
    with pytest.raises(StateUnavailable):
        ground.renewed()
    ground.vault.broken = False
    ground.consented(evolve(CONSENTED, refresh=Secret(b"r9")))
    assert ground.renewed() == b"a9"
    assert ground.authority.asked[1]["refresh_token"] == "r9"


@pytest.mark.parametrize("code", ["invalid_grant", "interaction_required"])
def test_after_a_withdrawn_consent_nobody_is_asked_until_it_was_given_again(code: str) -> None:
    ground = Ground(Authority([refusal(code, "revoked")])).consented()
    ground.authority.clock.advance(50)

    for _ in range(5):
        with pytest.raises(ConsentNeeded, match=rf"{code} \(revoked\)"):
            ground.renewed()
    assert len(ground.authority.asked) == 1
    assert ground.told == [("work", f"{code} (revoked)")]
    assert ground.record() == evolve(CONSENTED, refused=f"{code} (revoked)", refused_at=50.0)

    # Nor by a bridge that was started again.
    again = Ground(vault=ground.vault)
    with pytest.raises(ConsentNeeded):
        again.renewed()
    assert again.told == []

    ground.consented(evolve(CONSENTED, refresh=Secret(b"r9")))
    ground.authority.answers = [tokens("a9")]
    assert ground.renewed() == b"a9"


@pytest.mark.parametrize("code", ["invalid_client", "invalid_scope", "temporarily_unavailable", "server_error"])
def test_any_other_refusal_leaves_the_consent_alone(code: str) -> None:
    ground = Ground(Authority([refusal(code), tokens("a1")])).consented()

    with pytest.raises(NoTokens):
        ground.renewed()
    assert (ground.told, ground.record()) == ([], CONSENTED)
    assert ground.renewed() == b"a1"


def test_a_token_that_another_process_has_replaced_meanwhile_is_no_withdrawn_consent() -> None:
    ground = Ground().consented()
    outcome = ground.authority.started(ground.renewal())
    ground.consented(evolve(CONSENTED, refresh=Secret(b"r2")))
    ground.authority.answers = [tokens("a2")]
    ground.authority.answer(refusal("invalid_grant", "used already"))
    ground.authority.http.flush()

    assert outcome.result.access == Secret(b"a2")
    assert [form["refresh_token"] for form in ground.authority.asked] == ["r1", "r2"]
    assert ground.told == []


def test_without_a_consent_of_this_client_nobody_is_asked() -> None:
    for record, why in (
        (Record(), "nobody has given consent"),
        (evolve(CONSENTED, client_id="x"), "another client_id"),
    ):
        ground = Ground().consented(record)
        with pytest.raises(ConsentNeeded, match=why):
            ground.renewed()
        assert ground.authority.asked == []


def test_an_application_of_its_own_right_needs_no_consent_but_may_lose_its_right() -> None:
    grant = evolve(GRANT, grant="client", client_secret=Reference("env", "CLIENT"))
    ground = Ground(Authority([tokens("a1"), refusal("invalid_grant")]), grant=grant)

    assert ground.renewed() == b"a1"
    for _ in range(2):
        with pytest.raises(ConsentNeeded):
            ground.renewed()
    assert len(ground.authority.asked) == 2


def test_the_vault_s_trouble_is_told_as_it_is_and_nobody_is_asked() -> None:
    ground = Ground().consented()
    ground.vault.get = lambda name: fail(StateUnavailable("no disk"))  # type: ignore[method-assign]
    with pytest.raises(StateUnavailable, match="no disk"):
        ground.renewed()
    assert ground.authority.asked == []


def test_a_login_that_a_service_account_may_not_speak_for_stops_none_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def as_service(_: Client, login: str) -> Tokens:
        if login == "bbo@work.example":
            raise Refused("invalid_grant", "Invalid email or User ID")
        return Tokens(Secret(b"of " + login.encode()), 3600.0)

    monkeypatch.setattr(Client, "as_service", as_service)
    ground = Ground(grant=evolve(GRANT, grant="service", service_account=Reference("env", "JSON")))
    client = ground.authority.client(ground.grant)
    mistyped = Renewal(client, ground.vault, ground.authority.clock, "bbo@work.example", lambda *_: None)

    with pytest.raises(ConsentNeeded, match="Invalid email"):
        ground.authority.done(mistyped())
    assert ground.renewed() == b"of ann@work.example"
    with pytest.raises(ConsentNeeded):
        ground.authority.done(mistyped())
