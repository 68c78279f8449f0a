"""What is not POP3 harms nothing, a fault of ours is told to the owner alone, and no password to anybody."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.events import BugMet, SessionClosed
from tests.downstream.stage import (
    BIG,
    HELLO,
    LOGIN,
    Stage,
    stalled,
)

# What is not POP3 (S27, fault 5).


def test_a_line_that_is_too_long_ends_the_session() -> None:
    for octets in (b"LIST " + b"1" * 300, b"X" * 70_000, b"PASS " + b"x" * 70_000):
        stage = Stage(HELLO)
        client = stage.connect()
        assert b"-ERR a line is longer than" in client.say(octets + b"\r\nNOOP\r\n")
        assert client.gone()
        assert stage.closed.how.startswith("protocol violation: a line is longer")
        stage.nothing_left()


def test_a_line_that_is_too_long_ends_it_after_the_replies_before() -> None:
    client = Stage(HELLO).logged_in()

    assert client.say(b"STAT\r\n" + b"x" * 255) == b"+OK 1 33\r\n-ERR a line is longer than 255 octets\r\n"


def test_twenty_unknown_commands_in_a_row_end_the_session() -> None:
    client = Stage(HELLO).logged_in()

    assert client.say(b"HELO\r\n" * 19 + b"NOOP\r\n" + b"HELO\r\n" * 19).count(b"-ERR unknown command\r\n") == 38
    assert not client.gone()
    assert client.say(b"GET / HTTP/1.1\r\n" * 2) == b"-ERR too many lines that are no commands\r\n"
    assert client.gone()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=300) | st.sampled_from([
    b"\r\n", b"USER ann\r\n", b"PASS right password\r\n", b"RETR 1\r\n", b"TOP 1 1\r\n", b"DELE 1\r\n", b"LIST\r\n",
    b"AUTH PLAIN\r\n", b"AUTH LOGIN\r\n", b"*\r\n", b"=\r\n", b"STLS\r\n", b"QUIT\r\n", b"RETR 99999999999\r\n",
    b"\xff\xf4\xff\xfd\x06", b"CAPA\r\n", b"RSET\r\n", b"UIDL 1\r\n",
]), max_size=30))  # fmt: skip
def test_no_octets_make_the_bridge_stumble(pieces: list[bytes]) -> None:
    stage = Stage(HELLO, tls=True)
    client = stage.connect()
    for piece in pieces:
        client.say(piece)  # nothing is raised
    stage.clock.advance(3)
    client.drop()
    for _ in range(5):
        stage.clock.advance(60)

    assert not stage.told(BugMet)
    assert b"Traceback" not in client.heard
    assert len(stage.told(SessionClosed)) == 1
    stage.nothing_left()


# Faults of our own.


@pytest.mark.parametrize("step", ["list", "stream", "inside", "top", "delete"])
def test_a_bug_of_ours_is_told_to_the_owner_and_in_neutral_words_to_the_client(step: str) -> None:
    stage = Stage(BIG[:3000])
    stage.upstream.faults[step] = KeyError("a column")
    client = stage.connect()

    heard = client.say(LOGIN + b"TOP 1 1\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n")

    (bug,) = stage.told(BugMet)
    assert "KeyError" in bug.traceback
    assert "memory_upstream.py" in bug.traceback
    assert bug.session == stage.closed.session
    assert "right password" not in bug.traceback
    assert heard.endswith(b"-ERR [SYS/TEMP] internal error; the operator finds it in the log\r\n") or step == "inside"
    assert b"KeyError" not in heard
    assert client.gone()
    assert stage.closed.how == "a bug of ours"
    stage.nothing_left()


def test_a_bug_inside_a_message_never_looks_like_its_end() -> None:
    stage = Stage(BIG[:5000])
    client = stage.logged_in()
    first = stage.upstream.hold("inside")
    client.say(b"RETR 1\r\n")
    second = stage.upstream.hold("inside")
    first.callback(None)
    second.errback(KeyError("a column"))
    client.settle()

    heard = client.heard
    assert heard.startswith(b"+OK 5000 octets\r\nSubject: big\r\n")
    assert client.gone()
    assert len(stage.told(BugMet)) == 1
    assert b"\r\n.\r\n" not in heard
    assert b"internal error" not in heard


def test_a_bug_in_a_long_list_ends_the_session_as_well() -> None:
    stage = Stage(*[HELLO] * 3)
    client = stage.logged_in()
    session = next(iter(stage.sessions.open))
    assert session._dialogue.visit is not None
    session._dialogue.visit.maildrop._uidls = None  # type: ignore[union-attr]

    assert client.say(b"UIDL\r\n") == b"-ERR [SYS/TEMP] internal error; the operator finds it in the log\r\n"
    assert client.gone()
    stage.nothing_left()


def test_a_bug_in_a_list_that_waited_for_the_client_does_too() -> None:
    stage = Stage(*[HELLO] * 20_000)
    client = stalled(stage.logged_in())
    client.say(b"UIDL\r\n")
    (session,) = stage.sessions.open
    session._pieces = iter(map(int, ["x"]))  # type: ignore[assignment]

    client.reads = True
    client.settle()

    assert client.gone()
    assert len(stage.told(BugMet)) == 1
    stage.nothing_left()
