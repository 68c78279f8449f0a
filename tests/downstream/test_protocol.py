"""A session on its line: order, deletion at its end, and what becomes of it when client or service goes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.config import Limits
from bridge.events import QuirkMet, SessionClosed
from bridge.maildrop.errors import UpstreamUnavailable
from tests.downstream.stage import BIG, HELLO, LOGIN, FakeTcp, Stage, TlsClient, at_every_split, stalled, timeouts

# Order (fault 22).

BURST = LOGIN + b"STAT\r\nUIDL\r\nRETR 1\r\nTOP 2 0\r\nDELE 1\r\nNOPE\r\nLIST\r\nQUIT\r\n"


def test_a_pipelined_burst_with_quit_is_answered_alike_however_its_octets_arrive() -> None:
    def run(pieces: object) -> bytes:
        stage = Stage(HELLO, b"Subject: 2\r\n\r\n.\r\n")
        client = stage.connect()
        for piece in pieces:  # type: ignore[attr-defined]
            client.say(piece)
        assert client.gone()
        assert list(stage.upstream.messages) == [12]
        stage.nothing_left()
        return client.heard

    (heard,) = at_every_split(BURST, run)

    assert heard == (
        b"+OK Popbridge ready\r\n+OK send PASS\r\n+OK logged in, 2 messages (50 octets)\r\n+OK 2 50\r\n"
        b"+OK 2 messages\r\n1 00000007-0000000b\r\n2 00000007-0000000c\r\n.\r\n"
        b"+OK 33 octets\r\n" + HELLO + b".\r\n"
        b"+OK top of the message\r\nSubject: 2\r\n\r\n.\r\n"
        b"+OK message 1 deleted\r\n-ERR unknown command\r\n"
        b"+OK 1 message (17 octets)\r\n2 17\r\n.\r\n"
        b"+OK 1 message deleted, goodbye\r\n"
    )


def test_the_same_over_tls() -> None:
    plain, tls = Stage(HELLO), Stage(HELLO, implicit=True)

    heard = [stage.connect().say(BURST) for stage in (plain, tls)]

    assert heard[0] == heard[1]
    assert not tls.upstream.messages
    tls.nothing_left()


def test_commands_behind_pass_wait_for_the_login() -> None:
    """Row of Twisted's own POP3 server: commands pipelined behind PASS are rejected."""
    stage = Stage(HELLO)
    client = stage.connect()
    gate = stage.upstream.hold("list")

    assert client.say(LOGIN + b"STAT\r\n") == b"+OK send PASS\r\n"
    assert stage.upstream.asked == ["list"]  # and a second PASS would not run beside the first
    gate.callback(None)

    assert client.settle() == b"+OK logged in, 1 message (33 octets)\r\n+OK 1 33\r\n"


def test_short_replies_that_are_ready_together_go_out_in_one_write() -> None:
    stage = Stage(HELLO)
    client = stalled(stage.logged_in())

    client.say(b"NOOP\r\nSTAT\r\nNOOP\r\n")

    assert bytes(client.tcp.unsent) == b"+OK still here\r\n+OK 1 33\r\n+OK still here\r\n"


def test_nothing_said_behind_quit_is_answered() -> None:
    stage = Stage(HELLO)
    client = stage.logged_in()

    assert client.say(b"QUIT\r\nSTAT\r\nDELE 1\r\n") == b"+OK goodbye\r\n"
    assert list(stage.upstream.messages) == [11]


# Deletion at QUIT, and the buffer (S16).


@pytest.mark.parametrize("implicit", [False, True])
def test_quit_deletes_only_when_all_earlier_replies_have_left(implicit: bool) -> None:
    stage = Stage(HELLO, BIG[:50_000], implicit=implicit)
    client = stalled(stage.logged_in())

    client.say(b"RETR 2\r\nDELE 1\r\nQUIT\r\n")
    while len(client.tcp.unsent) > 1:
        assert "delete" not in stage.upstream.asked
        client.take(min(9_000, len(client.tcp.unsent) - 1))
        client.settle()
    assert "delete" not in stage.upstream.asked, "an octet is still here"
    client.take(1)
    client.settle()

    assert stage.upstream.asked[-1] == "delete"
    client.reads = True
    assert client.settle().endswith(b"+OK 1 message deleted, goodbye\r\n")
    stage.nothing_left()


@pytest.mark.parametrize("implicit", [False, True])
def test_a_client_that_is_lost_before_its_last_reply_left_deletes_nothing(implicit: bool) -> None:
    stage = Stage(HELLO, implicit=implicit)
    client = stalled(stage.logged_in())

    client.say(b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
    client.drop()
    stage.clock.advance(700)

    assert list(stage.upstream.messages) == [11]
    assert "delete" not in stage.upstream.asked
    assert stage.closed.how == "the client closed the connection"
    assert (stage.closed.marked, stage.closed.deleted) == (1, 0)
    stage.nothing_left()


def test_a_client_that_ends_tls_with_a_message_still_due_deletes_nothing() -> None:
    stage = Stage(HELLO, implicit=True)
    client = stage.logged_in()
    assert isinstance(client, TlsClient)
    gate = stage.upstream.hold("stream")
    client.say(b"RETR 1\r\nDELE 1\r\nQUIT\r\n")

    client.farewell()  # RETR has not been answered, and now cannot be
    gate.callback(None)
    client.settle()

    assert list(stage.upstream.messages) == [11]
    stage.nothing_left()


def test_a_deletion_once_begun_is_carried_through_though_the_client_is_gone() -> None:
    stage = Stage(HELLO)
    client = stage.logged_in()
    gate = stage.upstream.hold("delete")
    client.say(b"DELE 1\r\nQUIT\r\n")

    client.drop()
    assert not stage.told(SessionClosed)
    assert stage.upstream.sources[0].ended == []
    gate.callback(None)

    assert not stage.upstream.messages
    assert stage.closed.deleted == 1
    assert stage.upstream.sources[0].ended == ["closed"]
    stage.nothing_left()


def test_a_drop_without_quit_deletes_nothing() -> None:
    """Fault 14."""
    stage = Stage(HELLO)
    client = stage.logged_in()
    client.say(b"DELE 1\r\n")
    client.drop()

    assert list(stage.upstream.messages) == [11]
    stage.nothing_left()


def test_quit_in_a_client_that_takes_nothing_any_more_ends_after_ten_minutes_and_deletes_nothing() -> None:
    stage = Stage(HELLO)
    client = stalled(stage.logged_in())

    client.say(b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
    stage.clock.pump([599, 2, 1])

    assert client.gone()
    assert list(stage.upstream.messages) == [11]
    assert stage.closed.how == "the client takes nothing any more"
    stage.nothing_left()


# A client that goes frees everything at once (fault 23).


@pytest.mark.parametrize("step", ["list", "stream", "inside", "top"])
def test_a_client_that_goes_stops_what_serves_it_alone(step: str) -> None:
    stage = Stage(HELLO, BIG)
    client = stage.connect()
    gate = stage.upstream.hold(step)
    client.say(LOGIN + b"RETR 2\r\nTOP 2 1\r\n")
    assert stage.upstream.asked[-1] == step

    client.drop()

    assert gate.called  # cancelled: nobody waits for it any more
    assert stage.upstream.sources[0].ended == ["abandoned"]
    assert len(stage.told(SessionClosed)) == 1
    stage.nothing_left()


def test_a_login_that_ends_after_its_client_opens_no_mailbox() -> None:
    """Row of Twisted's own POP3 server: the mailbox is installed all the same, and its lock leaks."""
    stage = Stage(HELLO)
    client = stage.connect()
    gate = stage.upstream.hold("list")
    client.say(LOGIN)
    client.drop()

    assert gate.called
    assert stage.closed.login is None
    stage.nothing_left()


# The rest.


def test_keep_alive_and_no_delay_are_set() -> None:
    assert Stage().accept().options == {"no delay": True, "keep alive": True}


def test_tolerances_that_a_client_needed_are_told_by_name() -> None:
    stage = Stage(HELLO)
    client = stage.logged_in()
    client.say(b"retr 001\nUTF8\nQUIT\n")

    assert [event.quirk for event in stage.told(QuirkMet)] == ["leading-zeros", "lf-line-end", "utf8-after-login"]


def test_the_trace_shows_the_conversation_without_credentials_and_without_mail() -> None:
    stage = Stage(HELLO, trace=True)
    client = stage.connect()
    client.say(LOGIN + b"RETR 1\r\nLIST\r\nQUIT\r\n")

    text = "\n".join(stage.log)
    assert "C: User(name=b'ann')" in text
    assert "S: +OK 1 message" in text
    assert "right password" not in text
    assert "hello" not in text


PASSWORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=8).map(str.encode)


@settings(max_examples=60, deadline=None)
@given(PASSWORDS, st.booleans(), st.sampled_from(["PASS", "PLAIN", "LOGIN", "twice", "late"]))
def test_no_event_and_no_log_line_ever_holds_a_password(password: bytes, right: bool, how: str) -> None:
    """S30, fault 20: also under trace, refused or not, and where the client says it in the wrong place."""
    from base64 import b64encode  # noqa: PLC0415  only here

    password = b"\xc2\xa7pw" + password
    stage = Stage(HELLO, trace=True)
    stage.upstream.password = password if right else b"another"
    client = stage.connect()
    match how:
        case "PASS":
            said = b"USER ann\r\nPASS " + password + b"\r\n"
        case "PLAIN":
            said = b"AUTH PLAIN " + b64encode(b"\0ann\0" + password) + b"\r\n"
        case "LOGIN":
            said = b"AUTH LOGIN\r\n" + b64encode(b"ann") + b"\r\n" + b64encode(password) + b"\r\n"
        case "twice":
            said = (b"USER ann\r\nPASS " + password + b"\r\n") * 2
        case _:
            said = b"PASS " + password + b"\r\n" + LOGIN + b"PASS " + password + b"\r\n"
    client.say(said + b"STAT\r\nQUIT\r\n")
    stage.clock.advance(5)
    client.settle()
    client.drop()

    told = repr(stage.events) + "\n".join(stage.log)
    for form in (password.decode(), repr(password)[2:-1], b64encode(password).decode()[:-4]):
        assert form not in told


def test_a_session_is_told_when_the_service_stops() -> None:
    stage = Stage(HELLO)
    client = stage.logged_in()
    ended = stage.sessions.shut("the server stopped")
    assert client.settle() == b"-ERR [SYS/TEMP] the server is shutting down; try again later\r\n"

    assert client.gone()
    assert ended.called
    assert stage.closed.how == "the server stopped"
    stage.nothing_left()


def test_a_deletion_under_way_is_carried_through_and_answered_when_the_service_stops() -> None:
    stage = Stage(HELLO)
    client = stage.logged_in()
    gate = stage.upstream.hold("delete")
    client.say(b"DELE 1\r\nQUIT\r\n")
    ended: list[None] = []
    stage.sessions.shut("the server stopped").addCallback(ended.append)
    client.settle()
    assert not ended
    gate.callback(None)

    assert client.settle() == b"+OK 1 message deleted, goodbye\r\n"
    assert ended == [None]
    assert not stage.upstream.messages
    assert stage.closed.how == "QUIT"
    stage.nothing_left()


def test_a_quit_not_yet_begun_deletes_nothing_when_the_service_stops() -> None:
    stage = Stage(HELLO)
    client = stalled(stage.logged_in())
    client.say(b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
    stage.sessions.shut("the server stopped")
    client.reads = True
    client.settle()

    assert client.gone()
    assert list(stage.upstream.messages) == [11]
    assert stage.closed.how == "the server stopped"
    stage.nothing_left()


def test_a_message_under_way_is_cut_without_a_terminator_when_the_service_stops() -> None:
    stage = Stage(BIG[:5000])
    client = stage.logged_in()
    gate = stage.upstream.hold("inside")
    client.say(b"RETR 1\r\n")
    stage.sessions.shut("the server stopped")
    gate.callback(None)
    client.settle()

    assert client.gone()
    assert not client.heard.endswith(b".\r\n")
    assert b"-ERR" not in client.heard
    stage.nothing_left()


def test_upstream_lost_while_the_service_stops_changes_nothing() -> None:
    stage = Stage(BIG[:5000])
    client = stalled(stage.logged_in())
    first = stage.upstream.hold("inside")
    client.say(b"RETR 1\r\n")
    second = stage.upstream.hold("inside")
    first.callback(None)
    stage.sessions.shut("the server stopped")
    second.errback(UpstreamUnavailable("upstream hung up"))
    client.drop()

    assert len(stage.told(SessionClosed)) == 1
    stage.nothing_left()


def test_a_client_that_was_not_read_from_is_told_too_and_ends() -> None:
    for implicit in (False, True):
        stage = Stage(HELLO, implicit=implicit)
        client = stage.logged_in()
        stage.upstream.hold("stream")
        client.say(b"RETR 1\r\n" + b"NOOP\r\n" * 10_000)
        assert not client.tcp.reading
        stage.sessions.shut("the server stopped")
        client.settle()

        assert client.gone()
        stage.nothing_left()


def test_what_a_client_says_behind_the_end_is_not_heard() -> None:
    stage = Stage(HELLO, implicit=True)
    client = stalled(stage.logged_in())
    client.say(b"QUIT\r\n")
    client.say(b"NOOP\r\n")  # TLS still reads: it waits for the client's farewell
    client.reads = True

    assert client.settle() == b"+OK goodbye\r\n"
    stage.nothing_left()


def test_what_comes_behind_the_end_is_not_kept_either() -> None:
    stage = Stage(HELLO, implicit=True)
    client = stalled(stage.logged_in())
    (session,) = stage.sessions.open
    stage.clock.advance(601)
    for _ in range(10):
        client.say(b"x" * 16_000)

    assert session._server.buffered == 0


def test_a_login_under_way_ends_when_the_service_stops() -> None:
    stage = Stage(HELLO)
    client = stage.connect()
    stage.upstream.hold("list")
    client.say(LOGIN)
    stage.sessions.shut("the server stopped")
    client.settle()

    assert client.gone()
    stage.nothing_left()


def test_time_outs_are_the_owner_s() -> None:
    stage = Stage(HELLO, timeouts=timeouts(login_idle=5), limits=Limits(line=40))
    client = stage.connect()
    stage.clock.advance(6)
    client.settle()

    assert client.gone()
    assert isinstance(client.tcp, FakeTcp)
