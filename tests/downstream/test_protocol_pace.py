"""A client is served at its own pace and waited for so long and no longer; nobody's slowness takes memory."""

import tracemalloc

import pytest

from bridge.downstream.outflow import HIGH
from bridge.downstream.protocol import READ_AHEAD
from bridge.maildrop.errors import MessageGone, UpstreamUnavailable
from tests.downstream.stage import (
    BIG,
    HELLO,
    LOGIN,
    FakeTcp,
    Stage,
    stalled,
)

STALLED = 2 * HIGH + 64_000


# Pace.


def test_a_million_commands_of_a_client_that_reads_nothing_take_no_memory() -> None:
    stage = Stage(*[HELLO] * 100)
    client = stalled(stage.logged_in())
    segment = b"UIDL\r\n" * 10_000
    tracemalloc.start()
    for _ in range(100):
        client.tcp.deliver(segment)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert not client.tcp.reading
    assert client.tcp.largest < STALLED
    assert peak < 2_000_000  # what the network still holds is the network's
    client.drop()
    stage.nothing_left()


def test_it_goes_on_where_it_stopped_when_the_client_reads_again() -> None:
    stage = Stage(*[HELLO] * 100)
    client = stalled(stage.logged_in())
    client.say(b"UIDL\r\n" * 10_000)
    client.say(b"STAT\r\n" * 3)
    assert not client.tcp.reading

    client.reads = True
    client.settle()

    assert client.heard.count(b"+OK 100 messages\r\n") == 10_000
    assert client.heard.count(b"+OK 100 3300\r\n") == 3
    assert client.tcp.reading


def test_many_small_replies_are_bounded_too() -> None:
    stage = Stage(HELLO)
    client = stalled(stage.logged_in())

    for _ in range(20):
        client.tcp.deliver(b"CAPA\r\n" * 10_000)

    assert client.tcp.largest < HIGH + 512 * 1000
    assert not client.tcp.reading


def test_what_a_client_says_while_upstream_is_slow_is_not_heaped_up() -> None:
    stage = Stage(HELLO)
    client = stage.connect()
    gate = stage.upstream.hold("list")
    client.say(LOGIN)
    for _ in range(10):
        client.say(b"NOOP\r\n" * 2000)

    assert not client.tcp.reading
    (session,) = stage.sessions.open
    assert session._server.buffered < READ_AHEAD + 2 * 12_000
    gate.callback(None)
    client.settle()

    assert client.heard.count(b"+OK still here\r\n") == 20_000
    assert client.tcp.reading


def test_a_client_that_stops_reading_inside_a_message_pauses_it_and_goes_on() -> None:
    stage = Stage(BIG, chunk=50_000)
    client = stalled(stage.logged_in())

    client.say(b"RETR 1\r\nNOOP\r\n")
    (flow,) = stage.upstream.sources[0].flows
    assert flow.told == ["pause"]
    assert client.tcp.largest < STALLED

    client.reads = True
    assert client.settle() == b"+OK %d octets\r\n" % len(BIG) + BIG + b".\r\n+OK still here\r\n"
    assert client.tcp.largest < STALLED
    assert not flow.paused


@pytest.mark.parametrize("end", [None, UpstreamUnavailable("upstream hung up"), MessageGone("gone"), KeyError("a bug")])
def test_a_flow_that_is_paused_when_its_message_ends_is_let_go_however_it_ends(end: Exception | None) -> None:
    """The next message comes through the same connection, which would otherwise hang, and only with some timing."""
    stage = Stage(BIG[: 2 * HIGH], chunk=2 * HIGH - 10)
    client = stalled(stage.logged_in())
    gate = stage.upstream.hold("inside")
    client.say(b"RETR 1\r\n")
    (flow,) = stage.upstream.sources[0].flows
    (session,) = stage.sessions.open
    session._pace.pauseProducing()  # what the transport says when its buffer is full
    assert flow.told == ["pause"]

    if end is not None:
        gate.errback(end)
    else:
        flow.paused = False  # its last octets were under way already
        gate.callback(None)

    assert flow.told[0] == "pause"
    assert flow.told[-1] == "resume"
    client.drop()
    stage.nothing_left()


# The client's time (S28, S31).


def test_ten_minutes_of_silence_end_a_session_and_every_command_begins_them_anew() -> None:
    stage = Stage(HELLO)
    client = stage.logged_in()
    for _ in range(5):
        stage.clock.advance(599)
        assert client.say(b"NOOP\r\n") == b"+OK still here\r\n"
    stage.clock.advance(601)

    assert client.settle() == b"-ERR [SYS/TEMP] nothing was said for too long\r\n"
    assert client.gone()
    assert stage.closed.how == "nothing was said for too long"
    stage.nothing_left()


def test_before_the_login_it_is_a_minute() -> None:
    stage = Stage(HELLO)
    client = stage.connect()
    stage.clock.advance(59)
    assert client.say(b"CAPA\r\n")
    stage.clock.advance(59)
    assert not client.gone()
    stage.clock.advance(2)
    client.settle()

    assert client.gone()
    stage.nothing_left()


def test_octets_that_make_no_command_do_not_begin_the_time_anew() -> None:
    """Somebody who sends an octet a minute holds no connection for the 65,536 minutes of a long line."""
    stage = Stage(HELLO)
    client = stage.connect()
    for _ in range(4):
        client.say(b"P")
        stage.clock.advance(20)
    client.settle()

    assert client.gone()


def test_the_client_s_clock_stands_still_while_upstream_is_slow() -> None:
    stage = Stage(HELLO)
    client = stage.logged_in()
    gate = stage.upstream.hold("stream")
    client.say(b"RETR 1\r\n")
    stage.clock.advance(3000)
    assert not client.gone()
    gate.callback(None)

    assert client.settle().endswith(b".\r\n")
    stage.clock.advance(599)
    assert not client.gone()


def test_a_client_that_takes_no_octet_for_ten_minutes_is_ended() -> None:
    stage = Stage(BIG, chunk=50_000)
    client = stalled(stage.logged_in())
    client.say(b"RETR 1\r\n")
    stage.clock.advance(599)
    assert not client.gone()
    client.take()  # it lives
    stage.clock.advance(599)
    assert not client.gone()
    stage.clock.pump([2, 0])

    assert client.gone()
    assert stage.closed.how == "the client takes nothing any more"
    assert stage.upstream.sources[0].ended == ["abandoned"]
    stage.nothing_left()


def test_a_client_that_reads_slowly_but_steadily_gets_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsent(tcp: FakeTcp) -> int:
        return len(tcp.unsent)

    monkeypatch.setattr("bridge.downstream.outflow.unacknowledged", unsent)
    stage = Stage(BIG, chunk=50_000)
    client = stalled(stage.logged_in())
    client.say(b"RETR 1\r\n")
    (flow,) = stage.upstream.sources[0].flows
    while flow.paused and not client.gone():
        stage.clock.pump([60] * 8)
        client.take(20_000)
    client.reads = True
    client.settle()

    assert client.heard.endswith(b"\r\n.\r\n")
    assert stage.clock.seconds() > 20 * 600


def test_a_client_that_does_not_hang_up_is_aborted_after_ten_seconds() -> None:
    for implicit in (False, True):
        stage = Stage(HELLO, implicit=implicit)
        client = stalled(stage.logged_in())
        client.say(b"QUIT\r\n")
        stage.clock.advance(9)
        assert not client.gone()
        stage.clock.pump([2, 0])
        assert client.gone()
        assert stage.closed.how == "QUIT"
        stage.nothing_left()


def test_one_client_with_much_to_ask_lets_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.downstream.protocol.TURN", -1.0)  # every command takes too long
    stage = Stage(HELLO)
    client = stage.logged_in()
    client.send(b"NOOP\r\n" * 3 + b"STAT\r\nNO")
    assert stage.clock.seconds() in [call.getTime() for call in stage.clock.getDelayedCalls()], "others come first"

    client.send(b"OP\r\nQUIT\r\n")
    client.settle()

    assert client.heard.count(b"+OK still here") == 4
    assert client.heard.endswith(b"+OK goodbye\r\n")
    stage.nothing_left()


def test_a_client_that_goes_while_others_have_their_turn_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.downstream.protocol.TURN", -1.0)
    stage = Stage(HELLO)
    client = stage.logged_in()
    client.send(b"NOOP\r\n" * 3)
    client.drop()

    stage.nothing_left()
