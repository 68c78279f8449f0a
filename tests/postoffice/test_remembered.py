"""A source that is out of reach: nothing of it can be read, and what is deleted is deleted where it was listed."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bridge.maildrop import advance
from bridge.maildrop.errors import MailboxReplaced, RetrievalRefused, UpstreamUnavailable
from bridge.maildrop.memory import Memory
from bridge.maildrop.retention import Policy
from bridge.maildrop.source import Deletion
from bridge.maildrop.uidl import parse_format
from bridge.names import Uid, UidValidity
from bridge.postoffice.remembered import Remembered
from tests.contracts.fake_source import FakeMessage, FakeSource
from tests.postoffice.kit import result
from tests.upstream.session import Taken


@pytest.fixture
def source() -> FakeSource:
    return FakeSource({1: FakeMessage(b"one"), 2: FakeMessage(b"two")})


@pytest.fixture
def memory(source: FakeSource) -> Memory:
    return advance.first("p", result(FakeSource(source.messages).list()), parse_format("bridge"))[0]


@pytest.fixture
def away(source: FakeSource, memory: Memory) -> Remembered:
    return Remembered(source, memory, "p", "alice/work")


def test_what_was_listed_is_listed_and_cannot_be_read(away: Remembered, memory: Memory) -> None:
    assert result(away.list()) is memory.listing
    for read in (away.stream, away.top):
        with pytest.raises(RetrievalRefused, match="alice/work cannot be reached now"):
            result(read(Uid(1), Taken(), 3))
    away.ahead.ask({Uid(1): 3})
    away.ahead.forget([Uid(1)])
    assert (away.ahead.room(), away.ahead.awaits(Uid(1)), away.ahead.take(Uid(1))) == (0, False, None)


ASK: list[Callable[[Remembered], Coroutine[Any, Any, Any]]] = [
    Remembered.enter,
    lambda away: away.search("ALL"),
    lambda away: away.stable_ids([1]),
    lambda away: away.fingerprints([1]),
    lambda away: away.mark_seen([1]),
    lambda away: away.delete([1], Policy.EXPUNGE),
    lambda away: away.purge([1]),
]


@pytest.mark.parametrize("ask", ASK)
def test_nothing_is_asked_of_it(away: Remembered, ask: Callable[[Remembered], Coroutine[Any, Any, Any]]) -> None:
    with pytest.raises(UpstreamUnavailable, match="alice/work"):
        result(ask(away))
    assert away.refusal(Policy.TRASH) == ""
    assert not away.unbroken


def test_when_it_is_back_it_is_listed_before_anything_is_deleted_there(
    away: Remembered, source: FakeSource, memory: Memory
) -> None:
    source.fails = UpstreamUnavailable("down")
    with pytest.raises(UpstreamUnavailable, match="down"):
        result(away.look([1]))
    source.fails = None
    assert list(result(away.look([1, 9]))) == [1]
    assert away.unbroken
    source.refuses = Deletion(0, why_not="no Trash there")
    assert away.refusal(Policy.TRASH) == "no Trash there"
    source.refuses = None
    assert result(away.delete([1], Policy.FLAG)).done == 1
    assert result(away.purge([1])).done == 1
    assert list(source.messages) == [2]
    source.broken = True
    assert list(result(away.look([2]))) == [2]
    away.close()
    away.abandon()
    assert source.closed
    assert source.abandoned


def test_in_another_mailbox_nothing_is_deleted(away: Remembered, source: FakeSource) -> None:
    source.uidvalidity = UidValidity(8)
    with pytest.raises(MailboxReplaced):
        result(away.look([1]))
    with pytest.raises(UpstreamUnavailable):
        result(away.delete([1], Policy.FLAG))
