"""The fronts, side by side on one IMAP server, hand out the same mail, and can be asked for what they cost."""

import itertools
from collections.abc import Iterator

import pytest

from bench import load
from bench.exercises import deletion, first_listing, listings, polls, single_polls, walk
from bench.mailboxes import SMALL, Mail
from bench.peers import KINDS, Kind, Link
from bench.stage import Stage, stage
from bench.wire import Account, WrongDataError

_COUNT = 30
_FEW = Mail("few", f"{_COUNT} × 4 KB", lambda: itertools.islice(SMALL.make(), _COUNT))
_LINKS = [Link(), Link(tls=True), Link(delay=5), Link(delay=5, tls=True)]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built() -> Iterator[Stage]:
    with stage(print) as made:
        yield made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("link", _LINKS, ids=str)
def test_every_front_hands_out_what_was_put_in(built: Stage, kind: Kind, link: Link) -> None:
    filled, front = built.filled(_FEW), built.front(kind, link)
    before = front.cpu()
    for commands, pieces, under_way in (
        (("RETR %d",), filled.expected.retr, 1),
        (("RETR %d",), filled.expected.retr, 5),
        (("TOP %d 0",), filled.expected.headers, 1),
        (("TOP %d 20",), filled.expected.tops, 5),
        (("LIST %d", "TOP %d 99999999"), filled.expected.retr, 1),
    ):
        assert built.loader.run(load.walk, front.door, filled.account, commands, pieces, under_way).count == _COUNT

    assert front.cpu() >= before
    assert front.memory() > 1_000_000


@pytest.mark.parametrize("kind", KINDS)
def test_no_front_is_fast_because_it_lets_everybody_in(built: Stage, kind: Kind) -> None:
    filled = built.filled(_FEW)
    with pytest.raises(WrongDataError, match="-ERR"):
        built.loader.run(load.list_all, built.front(kind, Link()).door, Account(filled.account.user, "wrong"), _COUNT)


@pytest.mark.parametrize("kind", KINDS)
def test_a_front_keeps_what_it_has_learned_when_it_is_restarted(built: Stage, kind: Kind) -> None:
    figures = listings(_FEW).take(built, kind, Link())

    assert {"first", "restarted", "warm"} <= figures.keys()


@pytest.mark.parametrize("kind", ["imapc", "popbridge"])
def test_what_goes_to_the_imap_server_is_counted(built: Stage, kind: Kind) -> None:
    assert first_listing(_FEW).take(built, kind, Link(delay=5))["turns"] >= 2


def test_a_way_to_the_imap_server_costs_what_it_is_long(built: Stage) -> None:
    exercise = single_polls(1, restarted=True)
    exercise.prepare(built, "popbridge", Link(delay=50))

    assert exercise.take(built, "popbridge", Link(delay=50))["p50"] > 3 * 50


def test_imapc_is_told_what_it_would_take_long_to_learn(built: Stage) -> None:
    exercise, link = walk(_FEW, ("RETR %d",), "retr"), Link(delay=50)
    way = built.relay(link)
    assert way is not None
    before = way.counts()
    exercise.prepare(built, "imapc", link)

    assert 0 < way.counts().since(before).turns < _COUNT


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_deleted_is_looked_up(built: Stage, kind: Kind) -> None:
    assert deletion(100).take(built, kind, Link())["ms"] > 0


def test_what_was_not_deleted_is_noticed(built: Stage) -> None:
    with pytest.raises(WrongDataError, match=f"{_COUNT} messages"):
        built.until_deleted(built.filled(_FEW).account.user, seconds=0)


@pytest.mark.parametrize("kind", KINDS)
def test_many_can_poll(built: Stage, kind: Kind) -> None:
    exercise = polls(3, 0.2)
    exercise.prepare(built, kind, Link())
    figures = exercise.take(built, kind, Link())

    assert figures["sessions/s"] > 0
    assert 0 < figures["p50"] <= figures["p99"]
    assert 0 < figures["busy"] < 1


def test_one_mailbox_can_have_many_names(built: Stage) -> None:
    front = built.front("popbridge", Link())
    for filled in built.aliases(_FEW, 3):
        assert built.loader.run(load.list_all, front.door, filled.account, filled.count).octets > 0
