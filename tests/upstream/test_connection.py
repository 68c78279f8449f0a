# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""Whichever protocol upstream speaks: nobody waits for ever, a reader sets the pace, and one end is everybody's."""

from collections.abc import Callable
from typing import Any

import pytest
from attrs import frozen
from twisted.internet.defer import CancelledError
from twisted.internet.protocol import Protocol

from bridge.imap import commands as imap
from bridge.imap.quirks import ignore
from bridge.maildrop.errors import UpstreamUnavailable
from bridge.pop3 import commands as pop3
from bridge.upstream.connection import Trace
from bridge.upstream.imap_connection import ImapConnection
from bridge.upstream.pop3_connection import Pop3Connection
from tests.upstream.network import End, Network, Running

SILENCE, CLOSE_ABORT = 30, 10


def by_imap(network: Network, trace: Trace) -> ImapConnection:
    return ImapConnection(network, silence=SILENCE, close_abort=CLOSE_ABORT, trace=trace, on_quirk=ignore)


def by_pop3(network: Network, trace: Trace) -> Pop3Connection:
    return Pop3Connection(network, silence=SILENCE, close_abort=CLOSE_ABORT, trace=trace)


@frozen
class Speech:
    """What is said in one of the protocols."""

    make: Callable[[Network, Trace], Any]
    greeting: bytes
    nothing: Any
    done: bytes
    goodbye: bytes
    quit: bytes
    left: bytes
    nonsense: bytes


SPEECHES = {
    "IMAP": Speech(
        by_imap,
        b"* OK hello\r\n",
        imap.Noop(),
        b"A1 OK done\r\n",
        b"* BYE until six\r\n",
        b"A1 LOGOUT\r\n",
        b"* BYE\r\nA1 OK gone\r\n",
        b"A9 OK and hunter2\r\n",
    ),
    "POP3": Speech(
        by_pop3,
        b"+OK hello\r\n",
        pop3.Noop(),
        b"+OK done\r\n",
        b"-ERR until six\r\n",
        b"QUIT\r\n",
        b"+OK gone\r\n",
        b"hunter2?\r\n",
    ),
}


class Server(Protocol):
    def __init__(self) -> None:
        self.heard = b""

    def dataReceived(self, data: bytes) -> None:
        self.heard += data


class Line:
    def __init__(self, speech: Speech) -> None:
        self.speech = speech
        self.traced: list[str] = []
        self.server = Server()
        self.network = Network(lambda: self.server)
        self.here, self.there = End(self.network, client=True), End(self.network, client=False)
        self.here.other, self.there.other = self.there, self.here
        self.network.ends += [self.here, self.there]
        self.connection = speech.make(self.network, lambda _, text: self.traced.append(text))
        self.there.protocol, self.here.protocol = self.server, self.connection
        self.server.makeConnection(self.there)
        self.connection.makeConnection(self.here)
        self.greeting = Running(self.connection.greeted)

    def say(self, octets: bytes) -> None:
        self.there.write(octets)
        self.network.settle()

    def ask(self) -> Running[Any]:
        running = Running(self.connection.ask(self.speech.nothing))
        self.network.settle()
        return running

    def hang_up(self) -> None:
        self.there.loseConnection()
        self.network.settle()

    def gone(self) -> bool:
        return self.here.lost is not None

    def assert_ended(self, running: Running[Any], words: str) -> None:
        """With the trouble that everything else gets from now on, and nothing left behind."""
        trouble = running.trouble()
        assert isinstance(trouble, UpstreamUnavailable)
        assert words in f"{trouble} ({trouble.detail})"
        assert self.connection.ended is trouble is self.ask().trouble()
        assert self.gone()
        assert self.network.getDelayedCalls() == []


@pytest.fixture(params=SPEECHES)
def dialled(request: pytest.FixtureRequest) -> Line:
    return Line(SPEECHES[request.param])


@pytest.fixture
def line(dialled: Line) -> Line:
    """Greeted."""
    dialled.say(dialled.speech.greeting)
    return dialled


def test_a_greeting_that_does_not_come(dialled: Line) -> None:
    dialled.network.wait(SILENCE)

    dialled.assert_ended(dialled.greeting, "did not answer for 30 seconds")


def test_an_end_before_the_greeting(dialled: Line) -> None:
    dialled.hang_up()

    dialled.assert_ended(dialled.greeting, "closed the connection")


def test_an_answer_that_does_not_come(line: Line) -> None:
    waiting = line.ask()
    line.network.wait(SILENCE - 1)
    assert not waiting.over
    line.network.wait(1)

    line.assert_ended(waiting, "did not answer for 30 seconds")


def test_nothing_is_timed_where_nothing_is_awaited(line: Line) -> None:
    asked = line.ask()
    line.say(line.speech.done)
    asked.result()
    line.network.wait(3600)

    assert line.connection.reusable
    assert line.network.getDelayedCalls() == []


def test_while_its_reader_holds_it_up_nothing_comes_and_nothing_is_timed(line: Line) -> None:
    waiting = line.ask()
    line.network.wait(20)
    for _ in range(2):
        line.connection.pause()
    line.say(line.speech.done)
    line.network.wait(SILENCE * 5)
    assert not waiting.over
    for _ in range(2):
        line.connection.resume()
    line.network.settle()

    waiting.result()


def test_the_clock_starts_afresh_when_it_goes_on(line: Line) -> None:
    waiting = line.ask()
    line.network.wait(20)
    line.connection.pause()
    line.connection.resume()
    line.network.wait(SILENCE - 1)
    assert not waiting.over
    line.network.wait(1)

    line.assert_ended(waiting, "did not answer for 30 seconds")


def test_holding_up_what_has_ended_is_harmless(line: Line) -> None:
    line.connection.abandon()
    line.connection.pause()
    line.connection.resume()

    assert not line.here.paused


def test_the_end_is_that_of_every_command_in_flight(line: Line) -> None:
    asked = [line.ask() for _ in range(5)]
    line.hang_up()

    for running in asked:
        line.assert_ended(running, "closed the connection")


def test_goodbye_is_what_the_owner_reads(line: Line) -> None:
    line.say(line.speech.goodbye)
    line.hang_up()

    assert line.connection.ended.detail == "until six"


def test_a_breach_of_the_protocol_is_quoted_but_not_while_a_secret_may_be_in_it(line: Line) -> None:
    line.say(line.speech.nonsense)
    assert "broke the" in str(line.connection.ended)
    assert line.connection.ended.detail
    other = Line(line.speech)
    other.connection.hide(("hunter2",))
    other.say(line.speech.nonsense)

    assert "broke the" in str(other.connection.ended)
    assert not other.connection.ended.detail


def test_what_is_hidden_is_in_no_trace(dialled: Line) -> None:
    dialled.connection.hide(("hello",))
    dialled.say(dialled.speech.greeting)

    assert len(dialled.traced) == 1
    assert "…" in dialled.traced[0]
    assert "hello" not in dialled.traced[0]


def test_nothing_is_heard_after_the_end(line: Line) -> None:
    line.connection.abandon()
    heard = len(line.traced)
    line.connection.dataReceived(line.speech.done)

    assert len(line.traced) == heard


def test_who_waits_no_longer_gives_it_up_and_hears_of_no_trouble(line: Line) -> None:
    behind, given_up = line.ask(), line.connection.ask(line.speech.nothing)
    running = Running(given_up)
    given_up.cancel()
    line.network.settle()

    assert isinstance(running.trouble(), CancelledError)
    assert isinstance(behind.trouble(), CancelledError)
    assert line.gone()


def test_giving_it_up_again_is_harmless_also_when_it_is_gone(line: Line) -> None:
    line.connection.abandon()
    line.connection.abandon()
    line.network.settle()
    assert line.gone()
    line.connection.transport = None  # nothing may be asked of it any more
    line.connection.abandon()


def test_closing_says_so_and_waits_for_the_answer(line: Line) -> None:
    line.connection.close()
    line.network.wait(CLOSE_ABORT - 1)
    assert line.server.heard == line.speech.quit
    assert not line.gone()
    line.say(line.speech.left)

    assert line.gone()
    assert line.network.getDelayedCalls() == []


def test_closing_does_not_wait_for_ever(line: Line) -> None:
    line.connection.close()
    line.network.wait(CLOSE_ABORT)

    assert line.gone()
    assert line.network.getDelayedCalls() == []


def test_nor_for_a_server_that_hangs_up_instead_of_answering(line: Line) -> None:
    line.connection.close()
    line.hang_up()

    assert line.gone()
    assert line.network.getDelayedCalls() == []
    line.connection.close()
    assert line.network.getDelayedCalls() == []


def test_closing_in_the_middle_of_something_is_abrupt(line: Line) -> None:
    waiting = line.ask()
    line.connection.close()
    line.network.settle()

    line.assert_ended(waiting, "given up")
