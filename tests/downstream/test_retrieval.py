"""RETR and TOP answer the same octets, and leave the same behind, whether the message was read ahead or not."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.downstream.outflow import HIGH
from bridge.downstream.protocol import OCTETS_AT_ONCE
from bridge.events import BugMet, MessageLooping
from tests.downstream.stage import LOGIN, THREE, Client, Stage, stalled

NASTY = (
    b"Subject: plain\r\n\r\nfirst\r\nsecond\r\nthird\r\nfourth\r\n",
    b"",
    b".\r\n..\r\n.x\r\n\r\n.\r\n.y\r\n",
    b"S: lf\n\na\n.\nb\n",
    b"S: nul\r\n\r\na\0b\r\n\0",
    b"S: no end\r\n\r\nbody",
    b"S: no body\r\n",
    b"S: lone cr\r\n\r\na\rb\r\r\n\r",
    b"S: long\r\n\r\n" + b"x" * 300 + b"\r\n" + (b".y" * 30 + b"\r\n") * 40,
    b"\r\n",
)
MUCH = 1 << 20
TINY = 150
"""Octets of room in which only the smallest of them fit."""

ONE_WORD = st.sampled_from([b"STAT", b"NOOP", b"LAST", b"RSET", b"LIST", b"UIDL", b"CAPA"])
NUMBERS = st.integers(1, len(NASTY)).map(lambda n: b"%d" % n)
OF_A_MESSAGE = st.tuples(st.sampled_from([b"RETR", b"RETR", b"DELE", b"LIST", b"UIDL"]), NUMBERS).map(b" ".join)
TOPS = st.tuples(st.just(b"TOP"), NUMBERS, st.sampled_from([b"0", b"1", b"3", b"99999999"])).map(b" ".join)


@st.composite
def walks(draw: st.DrawFn) -> list[bytes]:
    """As mail programs go: one after the other, up or down, with something between."""
    verb, end = draw(st.sampled_from([(b"RETR", b""), (b"TOP", b" 0"), (b"TOP", b" 99999999"), (b"TOP", b" 1")]))
    between = draw(st.sampled_from([b"", b"DELE", b"LIST", b"NOOP"]))
    numbers = range(draw(st.integers(1, 5)), draw(st.integers(6, len(NASTY))) + 1)
    commands = []
    for number in numbers if draw(st.booleans()) else reversed(numbers):
        commands.append(b"%b %d%b" % (verb, number, end))
        if between:
            commands.append(between if between == b"NOOP" else b"%b %d" % (between, number))
    return commands


BURSTS = st.lists(walks() | st.lists(OF_A_MESSAGE | TOPS | ONE_WORD, max_size=12), max_size=4)


class Session:
    """One session on a mailbox of such messages, and what it left behind."""

    def __init__(
        self,
        bursts: Sequence[Sequence[bytes]],
        room: int,
        *,
        pipelined: bool,
        top_counts: bool = False,
        nul: bytes | None = None,
    ) -> None:
        self.stage = Stage(*NASTY, nul=nul, chunk=100, seen="retrieved", top_counts=top_counts)
        self.stage.upstream.room = room
        client = self.stage.logged_in()
        self.replies = []
        for burst in [*bursts, [b"QUIT"]]:
            together = [b"\r\n".join(burst)] if pipelined else burst
            self.replies.append(b"".join(client.say(said + b"\r\n") for said in together if said))
        closed = self.stage.closed
        assert client.gone()
        assert not self.stage.told(BugMet)
        self.counted = (closed.retrieved, closed.topped, closed.octets, closed.marked, closed.deleted, closed.how)
        self.seen = self.stage.upstream.seen
        self.left = sorted(self.stage.upstream.messages)
        self.looping = [(one.uidl, one.times) for one in self.stage.told(MessageLooping)]
        self.held = self.stage.upstream.sources[0].ahead
        self.learned = self.stage.connect().say(LOGIN + b"LIST\r\nQUIT\r\n")

    def streamed(self) -> int:
        """How often upstream was asked for one message."""
        return self.stage.upstream.asked.count("stream") + self.stage.upstream.asked.count("top")


@settings(deadline=None)
@given(BURSTS, st.booleans(), st.booleans(), st.sampled_from([None, b"\x80"]))
def test_no_client_can_tell_whether_anything_was_read_ahead(
    bursts: list[list[bytes]], pipelined: bool, top_counts: bool, nul: bytes | None
) -> None:
    """Nor the log, the sizes that are learned, the marks, or upstream."""
    plain, much, tiny = (
        Session(bursts, room, pipelined=pipelined, top_counts=top_counts, nul=nul) for room in (0, MUCH, TINY)
    )
    for other in (much, tiny):
        assert other.replies == plain.replies
        assert other.counted == plain.counted
        assert (other.seen, other.left, other.looping) == (plain.seen, plain.left, plain.looping)
        assert other.learned == plain.learned


ALL = range(1, len(NASTY) + 1)


@pytest.mark.parametrize("pipelined", [False, True])
@pytest.mark.parametrize("numbers", [ALL, ALL[::-1]])
@pytest.mark.parametrize("command", [b"RETR %d", b"TOP %d 0", b"TOP %d 99999999"])
def test_a_walk_is_read_ahead(command: bytes, numbers: Sequence[int], pipelined: bool) -> None:
    """Otherwise the test above compares nothing."""
    walk = [command % number for number in numbers]
    plain, ahead = (Session([walk], room, pipelined=pipelined) for room in (0, MUCH))
    assert ahead.replies == plain.replies
    assert plain.streamed() == len(NASTY)
    # The first two show the walk, or what is pipelined does; a message without octets is never held, and TOP 2 0 reads
    # it whole, which is another way.
    assert ahead.streamed() <= 5
    assert len(ahead.held.asked) >= 1


def test_a_message_that_was_read_ahead_and_over_and_over_is_told_like_any_other() -> None:
    walk = [b"RETR 1", b"RETR 2"] * 12
    plain, ahead = (Session([walk], room, pipelined=False) for room in (0, MUCH))
    assert ahead.looping == plain.looping
    assert len(ahead.looping) == 2


def test_messages_that_were_read_ahead_go_out_in_few_writes() -> None:
    stage = Stage(*[b"S: x\r\n\r\nhello\r\n"] * 100)
    stage.upstream.room = MUCH
    client = stage.logged_in()
    writes = []
    write = client.tcp.write

    def counted(data: bytes) -> None:
        writes.append(len(data))
        write(data)

    client.tcp.write = counted  # type: ignore[method-assign]  # to look on
    assert client.say(b"".join(b"RETR %d\r\n" % number for number in range(1, 101))).count(b"\r\n.\r\n") == 100
    assert len(writes) < 5


@pytest.mark.parametrize("size", [1000, 10_000, 100_000])
def test_a_client_that_takes_nothing_is_owed_no_more_than_it_was_given(size: int) -> None:
    """What is read ahead stays within its room, and what is written within one buffer and one message."""
    room, count = 300_000, 1_500_000 // size
    stage = Stage(*[b"S: x\r\n\r\n" + b"y" * size + b"\r\n"] * count)
    stage.upstream.room = room
    client = stage.logged_in()
    stalled(client).say(b"".join(b"RETR %d\r\n" % number for number in range(1, count + 1)))
    source = stage.upstream.sources[0]
    assert client.tcp.largest <= HIGH + OCTETS_AT_ONCE + size + 100
    assert sum(len(one.octets) for one in source.ahead._held.values()) <= room
    assert sum(map(len, source.ahead.asked)) < count
    client.reads = True
    client.settle()
    assert client.heard.count(b"\r\n.\r\n") == count


def test_pipelined_commands_of_all_kinds_are_answered_in_their_order() -> None:
    stage = Stage(*THREE)
    stage.upstream.room = MUCH
    client = stage.logged_in()
    said = (
        b"RETR 1\r\nDELE 1\r\nTOP 2 0\r\nRETR 1\r\nLIST 2\r\nNOOP\r\nRETR 3\r\nDELE 2\r\nTOP 2 0\r\nQUIT\r\nRETR 3\r\n"
    )
    assert client.say(said) == (
        b"+OK 33 octets\r\nSubject: hello\r\n\r\nfirst\r\nsecond\r\n.\r\n+OK message 1 deleted\r\n"
        b"+OK top of the message\r\nSubject: two\r\n\r\n.\r\n-ERR message 1 is deleted\r\n"
        b"+OK 2 16\r\n+OK still here\r\n"
        b"+OK 24 octets\r\nSubject: three\r\n\r\nbody\r\n.\r\n+OK message 2 deleted\r\n-ERR message 2 is deleted\r\n"
        b"+OK 2 messages deleted, goodbye\r\n"
    )
    assert sorted(stage.upstream.messages) == [13]


def pipelined(*commands: bytes) -> list[tuple[int, ...]]:
    """What was asked for ahead, window by window, by number, when these came in one piece."""
    stage = Stage(*[b"S: x\r\n\r\nhello\r\n"] * 30)
    stage.upstream.room = MUCH
    client = stage.logged_in()
    client.say(b"".join(command + b"\r\n" for command in commands))
    return [tuple(uid - 10 for uid in window) for window in stage.upstream.sources[0].ahead.asked]


def test_what_is_said_behind_a_message_is_asked_for_with_it() -> None:
    assert pipelined(b"RETR 9", b"RETR 3", b"DELE 9", b"LIST 4", b"RETR 20")[0] == (3, 20)
    assert pipelined(b"TOP 9 0", b"TOP 3 5", b"NOOP", b"TOP 20 0")[0] == (3, 20)
    assert pipelined(b"TOP 9 99999999", b"RETR 3", b"TOP 20 99999999")[0] == (3, 20)


def test_but_only_up_to_where_it_reads_in_another_way_or_ends_or_makes_no_sense() -> None:
    assert pipelined(b"RETR 9", b"RETR 3", b"TOP 5 0", b"RETR 20")[0] == (3,)
    assert pipelined(b"TOP 9 0", b"TOP 3 0", b"RETR 5", b"TOP 20 0")[0] == (3,)
    assert pipelined(b"TOP 9 0", b"TOP 3 0", b"TOP 5 99999999")[0] == (3,)
    assert pipelined(b"RETR 9", b"RETR 3", b"QUIT", b"RETR 20")[0] == (3,)
    assert pipelined(b"RETR 9", b"RETR 3", b"RETR x", b"RETR 20")[0] == (3,)


def test_a_client_that_goes_while_messages_are_held_leaves_nothing() -> None:
    stage = Stage(*[b"S: x\r\n\r\nhello\r\n"] * 30)
    stage.upstream.room = MUCH
    client: Client = stage.logged_in()
    client.say(b"RETR 1\r\nRETR 2\r\n")
    client.drop()
    client.settle()
    stage.nothing_left()
