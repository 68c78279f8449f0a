# Twisted gives its test doubles no types.
# mypy: disallow-untyped-calls=False
"""A source proves itself by a token, shared by all of one grant; what is wrong with it is the owner's affair."""

import pytest
from attrs import evolve

from bridge.config import Reference
from bridge.credentials.oauth2 import STOPPING
from bridge.events import ConsentWanted, TokenDelayed
from bridge.maildrop.errors import CredentialsRefused, UpstreamUnavailable, UpstreamUnsuitable
from bridge.sasl import Credentials
from bridge.secret import Secret
from tests.credentials.authority import GRANT, Authority, refusal, tokens
from tests.credentials.house import House, account


def test_sources_of_one_grant_share_its_token() -> None:
    house = House(Authority([tokens("a1")]))

    inbox, junk = house.credentials(account(name="inbox")), house.credentials(account(name="junk"))

    assert inbox == junk == Credentials(b"ann@work.example", Secret(b"a1"), "XOAUTH2", bearer=True)
    assert len(house.authority.asked) == 1


def test_a_service_account_has_a_token_for_each_login() -> None:
    grant = evolve(GRANT, grant="client", mechanism="OAUTHBEARER")
    house = House(Authority([tokens("a1"), tokens("a2")]), grant)
    assert house.credentials(account()).mechanism == "OAUTHBEARER"
    assert house.credentials(account("bob@work.example")).secret == Secret(b"a1")

    house = House(grant=evolve(GRANT, grant="service", service_account=Reference("env", "JSON")))
    ann, bob = (house.grants.proof("work", account(login)) for login in ("ann@work.example", "bob@work.example"))
    assert ann.keeper is not bob.keeper
    assert house.grants.proof("work", account()).keeper is ann.keeper


def test_a_connection_is_handed_on_between_sessions_of_one_source_only() -> None:
    house = House()
    inbox, junk = (house.grants.proof("work", account(name=name)) for name in ("inbox", "junk"))
    assert inbox.parks
    assert inbox.identity == house.grants.proof("work", account(name="inbox")).identity
    assert inbox.identity != junk.identity


def test_a_refused_token_is_replaced_once_and_then_it_is_the_owner_s_affair() -> None:
    house = House(Authority([tokens("a1"), tokens("a2")]))
    proof = house.grants.proof("work", account())
    first = house.authority.done(proof.credentials())
    house.authority.clock.advance(100)

    assert proof.renew(first)
    second = house.authority.done(proof.credentials())
    assert second.secret == Secret(b"a2")
    assert not proof.renew(second)
    trouble = proof.refused(CredentialsRefused("wrong", detail="NO denied"))
    assert isinstance(trouble, UpstreamUnsuitable)
    assert trouble.detail == "NO denied"
    assert "ann/inbox: imap.work.example refuses a fresh access token" in str(trouble)


def test_a_withdrawn_consent_is_told_once_to_the_log_and_to_the_owner_s_command() -> None:
    house = House(Authority([refusal("invalid_grant", "revoked")]))

    for _ in range(3):
        with pytest.raises(UpstreamUnsuitable, match="popbridge authorise work"):
            house.credentials(account())
    assert house.told == [ConsentWanted("work", "invalid_grant (revoked)")]
    assert house.wanted == ["work"]


def test_a_server_in_trouble_is_told_and_is_nobody_s_fault() -> None:
    house = House(Authority([refusal("server_error")]))

    for _ in range(3):
        with pytest.raises(UpstreamUnavailable):
            house.credentials(account())
    assert house.told == [TokenDelayed("work", "server_error", 1.0)]


def test_an_answer_that_is_under_way_when_the_bridge_stops_is_waited_for_but_not_for_long() -> None:
    house = House()
    house.authority.started(house.grants.proof("work", account()).credentials())
    stopped = house.authority.started(house.grants.stop())
    house.authority.clock.advance(STOPPING - 1)
    before = stopped.over
    house.authority.clock.advance(1)
    assert (before, stopped.over) == (False, True)

    house = House()
    house.authority.started(house.grants.proof("work", account()).credentials())
    stopped = house.authority.started(house.grants.stop())
    house.authority.answer(tokens("a1", refresh_token="r2"))
    house.authority.http.flush()
    assert stopped.over
    kept = house.authority.done(house.vault.get("oauth2/work"))
    assert kept is not None
    assert b"r2" in kept.reveal()
