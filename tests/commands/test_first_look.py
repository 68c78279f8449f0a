# Twisted gives its test doubles no types.
# mypy: disallow-untyped-calls=False
"""After the consent each mailbox is opened once, and one that does not open says why at the terminal."""

from pathlib import Path
from typing import cast

from attrs import evolve

from bridge.commands.first_look import look, sources_of
from bridge.config import Config, OwnAccount, Reference, Timeouts, Upstream
from bridge.upstream.connect import Reactor
from tests.credentials.authority import Authority, refusal, tokens
from tests.credentials.house import SOURCE, House
from tests.upstream.mailserver import Store
from tests.upstream.network import Network

BY_PASSWORD = evolve(SOURCE, name="other", secret=Reference("env", "OTHER"))
CLEAR = Upstream("imap", "none", "imap.work.example", 143)
ANN = OwnAccount(user="ann", source=(SOURCE, BY_PASSWORD, evolve(SOURCE, name="junk", login="junk@work.example")))


def config(*accounts: OwnAccount) -> Config:
    return Config(base=Path("/"), listeners=(), accounts=accounts, timeouts=Timeouts())


def test_the_sources_of_a_grant_are_found() -> None:
    assert [source.label for source in sources_of(config(ANN), "work")] == ["ann/work", "ann/junk"]
    assert sources_of(config(ANN), "play") == []


def looked(authority: Authority, store: Store) -> tuple[bool, list[str]]:
    house, network = House(authority), Network(store.answering)
    said: list[str] = []
    account = OwnAccount(user="ann", source=(evolve(SOURCE, upstream=CLEAR),))
    looking = network.start(look(config(account), "work", house.grants, cast("Reactor", network), said.append))
    for _ in range(5):
        authority.http.flush()
        network.settle()
    return looking.result(), said


def test_one_that_does_not_open_says_why() -> None:
    """That one opens is a story of its own (tests/stories/test_oauth2.py)."""
    fine, said = looked(Authority([refusal("invalid_grant", "revoked")]), Store())
    assert (fine, len(said)) == (False, 1)
    assert said[0].startswith("ann/work: work: the provider wants consent")
    assert "(invalid_grant (revoked))" in said[0]

    fine, said = looked(Authority([tokens()]), Store())  # it takes passwords only
    assert (fine, said) == (False, ["ann/work: upstream takes no bearer tokens; use a password"])
