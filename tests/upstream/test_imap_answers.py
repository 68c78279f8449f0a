"""What is kept of a server's answers is what was asked for, and never more than memory bears."""

from array import array

import pytest

from bridge.imap.commands import (
    Command,
    FetchFlags,
    FetchHeaders,
    FetchIds,
    FetchStates,
    Identify,
    ListMailboxes,
    Noop,
    Search,
    Select,
)
from bridge.imap.listing import DELETED, HIDDEN, FetchedRows
from bridge.imap.responses import (
    Fetched,
    Flags,
    Identified,
    Listed,
    Response,
    Searched,
    Status,
    StatusKind,
    Vanished,
)
from bridge.upstream import imap_answers
from bridge.upstream.imap_answers import Answer, Kept
from bridge.violation import ProtocolViolation


def test_only_what_was_asked_for_is_kept() -> None:
    found, row, gone = Searched(array("I", [1])), Fetched(1, 7), Vanished([(1, 2)], earlier=True)
    kept = Kept()

    assert kept.keep(Search(("ALL",)), found)
    assert not kept.keep(Search(("ALL",)), row)
    assert not kept.keep(Noop(), row)
    assert kept.data == [found]
    for command in (FetchFlags("1"), FetchStates("1"), FetchIds("1", "EMAILID"), FetchHeaders("1", ("DATE",))):
        assert Kept().keep(command, row)
        assert not Kept().keep(command, found)
    assert Kept().keep(Select("INBOX"), gone)
    assert not Kept().keep(Select("INBOX"), Flags(frozenset()))


HUGE: list[tuple[Command, Response]] = [
    (Search(("ALL",)), Searched(array("I", range(2500)))),
    (Select("INBOX"), Vanished([(1, 2)] * 80, earlier=True)),
    (FetchFlags("1"), Fetched(1, 7, frozenset({"x" * 11_000}))),
    (FetchIds("1", "EMAILID"), Fetched(1, 7, emailid="x" * 11_000)),
    (Identify(()), Identified({"name": "x" * 11_000})),
    (ListMailboxes(), Listed(frozenset(), "/", "x" * 11_000)),
]


@pytest.mark.parametrize(("command", "response"), HUGE)
def test_an_answer_of_any_kind_has_its_bound(
    command: Command, response: Response, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_answers, "KEPT_AT_MOST", 10_000)
    with pytest.raises(ProtocolViolation, match="octets of answers"):
        Kept().keep(command, response)


def test_many_small_ones_have_the_same_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_answers, "KEPT_AT_MOST", 10_000)
    kept = Kept()
    with pytest.raises(ProtocolViolation, match="octets of answers"):
        for _ in range(100):
            kept.keep(FetchFlags("1"), Fetched(1, 7))
    assert len(kept.data) == 50


def test_rows_that_come_together_weigh_what_they_weigh_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    alone, together = Kept(), Kept()
    flags = [frozenset({DELETED}), frozenset[str](), frozenset({DELETED, HIDDEN})]
    rows = FetchedRows([1, 2, 3], {"uid": [7, 8, 9], "flags": flags})

    assert together.keep(FetchFlags("1"), rows)
    for row in rows:
        alone.keep(FetchFlags("1"), row)

    assert together.data == alone.data == [Fetched(n, n + 6, flags[n - 1]) for n in (1, 2, 3)]
    assert together.octets == alone.octets
    assert not Kept().keep(Noop(), rows)
    monkeypatch.setattr(imap_answers, "KEPT_AT_MOST", together.octets)
    with pytest.raises(ProtocolViolation, match="octets of answers"):
        together.keep(FetchFlags("1"), rows)


def test_an_answer_is_good_when_the_server_says_ok() -> None:
    assert Answer(Status(StatusKind.OK, None, ""), []).ok
    assert not Answer(Status(StatusKind.NO, None, ""), []).ok
