"""Commands go out in order, many at a time, and wait only where the protocol makes them wait."""

import pytest

from bridge.imap.commands import Authenticate, Command, FetchBodies, FetchListing, Idle, Login, Noop, Starttls, Tag
from bridge.imap.turns import Continuation, Turns
from bridge.imap.writing import Context
from bridge.secret import Secret
from bridge.violation import ProtocolViolation

PLAIN = Context()
EIGHT_BIT = Login(b"\xe4", Secret(b"\xfc"))


def test_commands_are_pipelined() -> None:
    turns = Turns()
    assert [turns.add(Noop()), turns.add(Noop())] == ["A1", "A2"]
    assert turns.drain(PLAIN) == b"A1 NOOP\r\nA2 NOOP\r\n"
    assert turns.drain(PLAIN) == b""
    assert turns.complete(Tag("A2")) == Noop()
    assert not turns.quiet
    assert turns.complete(Tag("A1")) == Noop()
    assert turns.quiet


def test_a_waiting_literal_holds_back_what_follows() -> None:
    turns = Turns()
    turns.add(EIGHT_BIT)
    turns.add(Noop())
    assert turns.drain(PLAIN) == b"A1 LOGIN {1}\r\n"
    assert turns.go_on() is Continuation.GO_AHEAD
    assert turns.drain(PLAIN) == b"\xe4 {1}\r\n"
    turns.go_on()
    assert turns.drain(PLAIN) == b"\xfc\r\nA2 NOOP\r\n"


def test_a_refused_literal_is_given_up() -> None:
    turns = Turns()
    turns.add(EIGHT_BIT)
    turns.add(Noop())
    turns.drain(PLAIN)
    turns.complete(Tag("A1"))
    assert turns.drain(PLAIN) == b"A2 NOOP\r\n"
    with pytest.raises(ProtocolViolation):
        turns.go_on()


def test_what_must_not_be_sent_is_refused_when_it_is_asked_for() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="CR, LF or NUL"):
        turns.add(Login(b"a\n", Secret(b"")))
    assert turns.quiet


def test_authenticate_with_the_first_message_inline() -> None:
    turns = Turns()
    turns.add(Authenticate("PLAIN", Secret(b"\0a\0b")))
    turns.add(Noop())
    assert turns.drain(Context(frozenset({"SASL-IR"}))) == b"A1 AUTHENTICATE PLAIN AGEAYg==\r\n"
    assert turns.go_on() is Continuation.CHALLENGE
    turns.respond(Secret(b""))
    assert turns.drain(PLAIN) == b"\r\n"
    turns.complete(Tag("A1"))
    assert turns.drain(PLAIN) == b"A2 NOOP\r\n"


@pytest.mark.parametrize(("initial", "line"), [(b"\0a\0b", b"AGEAYg==\r\n"), (b"", b"\r\n")])
def test_authenticate_with_the_first_message_at_the_server_s_word(initial: bytes, line: bytes) -> None:
    turns = Turns()
    turns.add(Authenticate("PLAIN", Secret(initial)))
    assert turns.drain(PLAIN) == b"A1 AUTHENTICATE PLAIN\r\n"
    assert turns.go_on() is Continuation.GO_AHEAD
    assert turns.drain(PLAIN) == line
    assert turns.go_on() is Continuation.CHALLENGE
    turns.respond(None)
    assert turns.drain(PLAIN) == b"*\r\n"


def test_a_second_challenge_before_the_first_is_answered_is_a_violation() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="no challenge"):
        turns.respond(None)
    turns.add(Authenticate("LOGIN"))
    turns.drain(PLAIN)
    turns.go_on()
    with pytest.raises(ProtocolViolation):
        turns.go_on()


def test_idle_begins_and_is_ended_once() -> None:
    turns = Turns()
    turns.add(Idle())
    turns.add(Noop())
    assert turns.drain(PLAIN) == b"A1 IDLE\r\n"
    assert turns.go_on() is Continuation.IDLING
    with pytest.raises(ProtocolViolation):
        turns.go_on()
    turns.done()
    turns.done()
    assert turns.drain(PLAIN) == b"DONE\r\nA2 NOOP\r\n"
    with pytest.raises(ProtocolViolation):
        turns.go_on()
    turns.complete(Tag("A1"))


@pytest.mark.parametrize("sent", [True, False])
def test_done_before_idle_has_begun_is_said_when_it_begins(sent: bool) -> None:
    turns = Turns()
    turns.add(Idle())
    if sent:
        turns.drain(PLAIN)
    turns.done()
    assert turns.drain(PLAIN) == (b"" if sent else b"A1 IDLE\r\n")
    assert turns.go_on() is Continuation.IDLING
    assert turns.drain(PLAIN) == b"DONE\r\n"
    turns.complete(Tag("A1"))
    turns.add(Idle())
    turns.drain(PLAIN)
    turns.go_on()
    assert turns.drain(PLAIN) == b""


def test_done_without_idle_is_nothing() -> None:
    turns = Turns()
    turns.done()
    turns.add(Idle())
    turns.drain(PLAIN)
    turns.go_on()
    assert turns.drain(PLAIN) == b""


def test_starttls_holds_back_what_follows_and_expects_no_continuation() -> None:
    turns = Turns()
    turns.add(Starttls())
    turns.add(Noop())
    assert turns.drain(PLAIN) == b"A1 STARTTLS\r\n"
    with pytest.raises(ProtocolViolation):
        turns.go_on()


def test_nothing_is_completed_that_was_not_sent() -> None:
    turns = Turns()
    turns.add(Noop())
    with pytest.raises(ProtocolViolation, match="nobody asked"):
        turns.complete(Tag("A1"))


def test_the_oldest_and_listings_in_flight_are_known() -> None:
    turns = Turns()

    def known() -> tuple[Command | None, bool]:
        return turns.in_flight.oldest, turns.listing

    turns.add(Noop())
    turns.add(FetchListing("1:*"))
    assert known() == (None, False)
    turns.drain(PLAIN)
    assert known() == (Noop(), True)
    turns.complete(Tag("A1"))
    turns.complete(Tag("A2"))
    assert known() == (None, False)


def test_it_is_known_while_many_bodies_are_awaited() -> None:
    turns = Turns()
    turns.add(FetchBodies(frozenset({1, 2})))
    turns.add(FetchBodies(frozenset({3})))
    turns.add(Noop())
    assert not turns.bodies, "not sent yet"
    turns.drain(PLAIN)
    for tag, awaited in (("A3", True), ("A1", True), ("A2", False)):
        turns.complete(Tag(tag))
        assert turns.bodies is awaited
