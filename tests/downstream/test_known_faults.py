"""What was found wrong in Twisted's own POP3 server, each as a promise of this one.

The findings were made by running twisted.mail.pop3 of Twisted 26.10.0; each test is named for one of them.
"""

from base64 import b64encode

import pytest

from bridge.events import BugMet
from tests.downstream.stage import HELLO, LOGIN, Stage

CHUNK = 16 * 1024
"""Twisted reads a message in pieces of this size, and forgets between them where in a line it is."""


@pytest.mark.parametrize("border", [CHUNK - 2, CHUNK - 1, CHUNK, CHUNK + 1])
@pytest.mark.parametrize("line", [b".\r\n", b"..\r\n", b".dot\r\n"])
def test_a_line_with_a_dot_is_stuffed_wherever_a_piece_begins(border: int, line: bytes) -> None:
    message = b"x" * (border - 2) + b"\r\n" + line + b"end\r\n"
    stage = Stage(message, chunk=CHUNK)

    assert stage.logged_in().say(b"RETR 1\r\n").endswith(b"\r\n." + line + b"end\r\n.\r\n")


def test_a_message_that_begins_with_a_dot_is_stuffed() -> None:
    assert Stage(b".x\r\n").logged_in().say(b"RETR 1\r\n") == b"+OK 4 octets\r\n..x\r\n.\r\n"


@pytest.mark.parametrize("chunk", [1, 2, 3, CHUNK])
def test_crlf_stays_crlf_and_only_a_bare_lf_is_repaired(chunk: int) -> None:
    client = Stage(b"a\r\nb\nc\r\r\nd\r\n", chunk=chunk).logged_in()

    assert client.say(b"RETR 1\r\n") == b"+OK 12 octets\r\na\r\nb\r\nc\r\r\nd\r\n.\r\n"


@pytest.mark.parametrize("border", range(CHUNK - 5, CHUNK + 2))
def test_top_finds_the_end_of_a_header_that_lies_on_the_border_of_two_pieces(border: int) -> None:
    header = b"X: " + b"x" * (border - 3) + b"\r\n\r\n"
    client = Stage(header + b"one\r\ntwo\r\n" * CHUNK, chunk=CHUNK).logged_in()

    assert client.say(b"TOP 1 1\r\n") == b"+OK top of the message\r\n" + header + b"one\r\n.\r\n"


def test_top_goes_on_behind_a_piece_without_a_line_s_end() -> None:
    message = b"S: x\r\n\r\n" + b"x" * (3 * CHUNK) + b"\r\ntwo\r\nthree\r\n" + b"rest\r\n" * CHUNK
    client = Stage(message, chunk=CHUNK).logged_in()

    assert client.say(b"TOP 1 2\r\n") == b"+OK top of the message\r\n" + message.partition(b"three")[0] + b".\r\n"


def test_deleted_messages_leave_stat_list_and_uidl() -> None:
    client = Stage(HELLO, HELLO).logged_in()

    assert client.say(b"DELE 1\r\nSTAT\r\nLIST\r\nUIDL\r\n") == (
        b"+OK message 1 deleted\r\n+OK 1 33\r\n+OK 1 message (33 octets)\r\n2 33\r\n.\r\n"
        b"+OK 1 message\r\n2 00000007-0000000c\r\n.\r\n"
    )


def test_a_message_of_size_0_is_not_a_deleted_one() -> None:
    client = Stage(b"", HELLO).logged_in()

    assert client.say(b"LIST 1\r\nUIDL 1\r\nRETR 1\r\n") == (
        b"+OK 1 0\r\n+OK 1 00000007-0000000b\r\n+OK 0 octets\r\n.\r\n"
    )


def test_quit_is_answered_when_upstream_has_deleted_and_not_before() -> None:
    stage = Stage(HELLO)
    client = stage.logged_in()
    gate = stage.upstream.hold("delete")

    assert client.say(b"DELE 1\r\nQUIT\r\n") == b"+OK message 1 deleted\r\n"
    gate.callback(None)
    assert client.settle() == b"+OK 1 message deleted, goodbye\r\n"


@pytest.mark.parametrize("number", [b"0", b"-1", b"3", b"99999999999999999999"])
def test_dele_of_a_number_out_of_range_deletes_nothing_and_raises_nothing(number: bytes) -> None:
    stage = Stage(HELLO, HELLO)
    client = stage.logged_in()

    assert client.say(b"DELE " + number + b"\r\n").startswith(b"-ERR ")
    assert client.say(b"QUIT\r\n") == b"+OK goodbye\r\n"
    assert list(stage.upstream.messages) == [11, 12]
    assert not stage.told(BugMet)


def test_a_wrong_count_of_arguments_costs_no_connection() -> None:
    stage = Stage(HELLO)
    client = stage.connect()

    assert client.say(b"USER\r\nPASS\r\nAUTH PLAIN xyz\r\nAUTH a b c\r\n").count(b"-ERR ") == 4
    assert client.say(LOGIN).endswith(b"octets)\r\n")
    assert client.say(b"STAT 1\r\nRETR\r\nRETR 1 2\r\nTOP 1\r\n").count(b"-ERR ") == 4
    assert client.say(b"STAT\r\n") == b"+OK 1 33\r\n"


def test_a_name_with_blanks_is_a_name() -> None:
    stage = Stage(HELLO)
    stage.connect().say(b"USER ann of green gables\r\nPASS right password\r\n")

    assert [credentials.login for credentials in stage.upstream.credentials] == [b"ann of green gables"]


def test_apop_is_neither_offered_nor_pretended() -> None:
    client = Stage(HELLO).connect()

    assert b"<" not in client.heard
    assert client.say(b"APOP ann " + b"0" * 32 + b"\r\n").startswith(b"-ERR APOP is not available")


def test_commands_behind_pass_wait_and_are_answered() -> None:
    stage = Stage(HELLO)
    client = stage.connect()
    gate = stage.upstream.hold("list")
    client.say(LOGIN + b"STAT\r\nUSER ben\r\nPASS b\r\nQUIT\r\n")
    gate.callback(None)

    assert client.settle() == (
        b"+OK logged in, 1 message (33 octets)\r\n+OK 1 33\r\n"
        b"-ERR only before the login\r\n-ERR only before the login\r\n+OK goodbye\r\n"
    )
    assert len(stage.upstream.sources) == 1


def test_a_login_that_completes_after_a_disconnect_keeps_nothing_open() -> None:
    stage = Stage(HELLO)
    client = stage.connect()
    gate = stage.upstream.hold("list")
    client.say(LOGIN)
    client.drop()
    gate.callback(None)

    assert stage.upstream.sources[0].ended == ["abandoned"]
    stage.nothing_left()


def test_capa_uses_the_words_of_the_rfcs() -> None:
    lines = Stage(tls=True).connect().say(b"CAPA\r\n").split(b"\r\n")

    for word in (b"PIPELINING", b"STLS", b"RESP-CODES", b"AUTH-RESP-CODE", b"LANG", b"UIDL", b"TOP", b"USER"):
        assert word in lines
    assert {line.split()[0] for line in lines[1:-2]} >= {b"UTF8", b"IMPLEMENTATION", b"SASL", b"EXPIRE"}
    assert not {b"PIPELINE", b"CELERITY", b"AUSPEX", b"POTENCE"} & set(lines)


def test_sasl_has_initial_responses_plain_and_a_way_out() -> None:
    plain = b64encode(b"\0ann of green gables\0a password with blanks")
    for said in (b"AUTH PLAIN " + plain + b"\r\n", b"AUTH PLAIN\r\n" + plain + b"\r\n"):
        stage = Stage(HELLO)
        stage.upstream.password = b"a password with blanks"
        client = stage.connect()
        assert client.say(b"AUTH PLAIN\r\n*\r\n") == b"+ \r\n-ERR authentication cancelled\r\n"
        assert client.say(said).endswith(b"+OK logged in, 1 message (33 octets)\r\n")


def test_lines_that_end_in_lf_alone_are_lines() -> None:
    assert Stage(HELLO).logged_in().say(b"STAT\nNOOP\n") == b"+OK 1 33\r\n+OK still here\r\n"


def test_an_overlong_line_is_told_before_the_connection_closes() -> None:
    client = Stage(HELLO).logged_in()

    assert client.say(b"NOOP" + b" " * 300 + b"\r\n") == b"-ERR a line is longer than 255 octets\r\n"
    assert client.gone()


def test_five_minutes_of_silence_are_no_reason_to_hang_up() -> None:
    stage = Stage(HELLO)
    client = stage.logged_in()
    stage.clock.advance(599)

    assert client.say(b"NOOP\r\n") == b"+OK still here\r\n"


def test_a_client_that_stalls_inside_a_message_does_not_stay_for_ever() -> None:
    stage = Stage(b"x" * 500_000, chunk=50_000)
    client = stage.logged_in()
    client.reads = False
    client.say(b"RETR 1\r\n")
    stage.clock.pump([601, 0])

    assert client.gone()
    stage.nothing_left()


def test_an_empty_mailbox_is_logged_in() -> None:
    stage = Stage()
    client = stage.connect()

    assert client.say(LOGIN).endswith(b"+OK logged in, 0 messages (0 octets)\r\n")
    assert client.say(b"STAT\r\nLIST\r\n") == b"+OK 0 0\r\n+OK 0 messages (0 octets)\r\n.\r\n"
