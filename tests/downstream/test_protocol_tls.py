"""TLS from the first octet or after STLS: the same session, and nothing said before it is believed."""

import pytest

from bridge.downstream.outflow import HIGH
from bridge.events import SessionOpened
from tests.downstream.stage import HELLO, LOGIN, THREE, Client, Stage, TlsClient, stalled

# TLS (S27, S31).


def test_a_tls_client_has_fifteen_seconds_for_its_handshake() -> None:
    stage = Stage(HELLO, implicit=True)
    client = Client(stage.accept(), stage.clock)
    stage.clock.advance(14)
    assert not client.gone()
    stage.clock.pump([2, 0])

    assert client.gone()
    assert stage.closed.how == "no TLS handshake in time"
    stage.nothing_left()


def test_so_has_one_that_said_stls() -> None:
    stage = Stage(HELLO, tls=True)
    client = stage.connect()
    client.say(b"STLS\r\n")
    stage.clock.pump([16, 0])

    assert client.gone()
    stage.nothing_left()


def test_what_is_not_tls_ends_a_tls_connection() -> None:
    stage = Stage(HELLO, implicit=True)
    tcp = stage.accept()
    tcp.deliver(b"USER ann\r\nPASS right password\r\n")
    client = Client(tcp, stage.clock)
    client.settle()

    assert client.gone()
    assert b"+OK" not in client.heard
    stage.nothing_left()


def upgraded(stage: Stage, first: bytes = b"") -> TlsClient:
    client = TlsClient(stage.accept("192.0.2.7"), stage.clock)
    client.settle()
    assert client.say(first + b"STLS\r\n").endswith(b"+OK begin the TLS handshake\r\n")
    client.shake()
    return client


def test_after_stls_the_same_session_goes_on_encrypted() -> None:
    stage = Stage(HELLO, tls=True)
    client = upgraded(stage)

    assert b"STLS" not in client.say(b"CAPA\r\n")
    assert client.say(LOGIN + b"RETR 1\r\nDELE 1\r\nQUIT\r\n").endswith(b"+OK 1 message deleted, goodbye\r\n")
    assert stage.closed.tls is not None
    assert stage.closed.tls.startswith("TLSv1.3 ")
    assert len(stage.told(SessionOpened)) == 1
    stage.nothing_left()


def test_a_quit_with_the_good_bye_of_tls_right_behind_it_is_carried_out() -> None:
    stage = Stage(*THREE, tls=True)
    client = upgraded(stage)
    client.say(LOGIN + b"DELE 1\r\n")
    client.farewell(b"QUIT\r\n")
    client.settle()

    assert client.heard.endswith(b"+OK 1 message deleted, goodbye\r\n")
    assert len(stage.upstream.messages) == 2
    stage.nothing_left()


def test_input_behind_stls_ends_the_connection_and_is_never_believed() -> None:
    """Also when the command behind it came with STLS in one segment (fault 22)."""
    stage = Stage(HELLO, tls=True)
    client = stage.connect("192.0.2.7")

    assert client.say(b"STLS\r\nCAPA\r\n") == b"-ERR input behind STLS, before the handshake\r\n"
    assert client.gone()
    assert stage.closed.how == "protocol violation: input behind STLS, before the handshake"
    assert stage.closed.tls is None
    stage.nothing_left()


def test_half_a_command_behind_stls_is_input_too() -> None:
    stage = Stage(HELLO, tls=True)
    client = stage.connect()

    assert client.say(b"STLS\r\n\0").startswith(b"-ERR")
    assert client.gone()


def test_a_client_that_says_much_before_stls_is_not_stuck_behind_it() -> None:
    stage = Stage(HELLO, tls=True)
    client = TlsClient(stage.accept(), stage.clock)
    client.reads = False
    client.say(b"CAPA\r\n" * 900 + b"STLS\r\n")
    assert len(client.tcp.unsent) > HIGH
    client.reads = True
    client.settle()
    client.shake()

    assert client.say(b"CAPA\r\n").endswith(b".\r\n")
    assert client.say(LOGIN).endswith(b"octets)\r\n")


@pytest.mark.parametrize("implicit", [False, True])
def test_a_quit_that_has_begun_nothing_begins_nothing_when_the_bridge_closes(implicit: bool) -> None:
    """Over TLS the connection lives until the client has said good-bye, and what it was sent is still read (S16)."""
    stage = Stage(*THREE, implicit=implicit)
    client = stalled(stage.logged_in())
    client.say(b"DELE 1\r\nQUIT\r\n")
    stage.sessions.shut("the server stopped")
    client.reads = True
    client.settle()

    assert client.gone()
    assert "delete" not in stage.upstream.asked
    assert len(stage.upstream.messages) == 3
    assert stage.closed.how == "the server stopped"
    stage.nothing_left()
