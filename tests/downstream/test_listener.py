"""How many may be connected, in all and from one address; who is one too many is told so."""

import pytest
from twisted.internet.address import IPv6Address
from twisted.internet.defer import Deferred

from bridge.config import Limits
from bridge.downstream.listener import Listener
from bridge.downstream.protocol import Session
from tests.downstream.stage import HELLO, LOGIN, Client, Stage

TOO_MANY = b"-ERR [SYS/TEMP] too many connections; try again later\r\n"


def met(stage: Stage, address: str) -> Client:
    client = Client(stage.accept(address), stage.clock)
    client.settle()
    return client


def test_an_address_may_have_so_many_connections_and_no_more() -> None:
    stage = Stage(HELLO, limits=Limits(connections_per_address=2))
    clients = [met(stage, "192.0.2.1") for _ in range(3)]

    assert [client.gone() for client in clients] == [False, False, True]
    assert clients[2].heard == TOO_MANY
    assert met(stage, "192.0.2.2").heard == b"+OK Popbridge ready\r\n"
    clients[0].drop()
    assert met(stage, "192.0.2.1").heard == b"+OK Popbridge ready\r\n"
    assert met(stage, "192.0.2.1").gone()


def test_an_address_is_one_whichever_socket_it_comes_through() -> None:
    stage = Stage(HELLO, limits=Limits(connections_per_address=1))
    met(stage, "192.0.2.1")

    assert met(stage, "::ffff:192.0.2.1").gone()


def test_all_together_may_have_so_many() -> None:
    stage = Stage(HELLO, limits=Limits(connections=2))
    clients = [met(stage, f"192.0.2.{number}") for number in range(3)]

    assert [client.gone() for client in clients] == [False, False, True]
    clients[1].drop()
    assert not met(stage, "192.0.2.9").gone()


def test_one_too_many_for_tls_is_closed_without_words_in_clear() -> None:
    stage = Stage(HELLO, implicit=True, limits=Limits(connections=0))
    client = met(stage, "192.0.2.1")

    assert client.gone()
    assert client.heard == b""


@pytest.mark.parametrize("step", ["list", "stream", "delete"])
def test_a_connection_counts_until_all_it_began_has_ended(step: str) -> None:
    """Not a moment longer, however it ends: nobody loses a place to what is gone."""
    stage = Stage(HELLO, limits=Limits(connections=1))
    for _ in range(3):
        client = stage.connect()
        gate = stage.upstream.hold(step)
        client.say(LOGIN + b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
        client.drop()
        assert len(stage.sessions.open) == (step == "delete")
        if step == "delete":
            gate.callback(None)
            stage.upstream.messages[11] = HELLO
        assert not stage.sessions.open
        assert not stage.sessions._per_address
    stage.nothing_left()


def test_a_listener_makes_sessions() -> None:
    stage = Stage(HELLO)
    listener = Listener(stage.sessions, stage.listening)

    assert isinstance(listener.buildProtocol(IPv6Address("TCP", "2001:db8::1", 1)), Session)
    assert not listener.noisy


def test_stopping_waits_for_every_session_and_for_none_where_there_is_none() -> None:
    def ended(shut: "Deferred[None]") -> list[None]:
        done: list[None] = []
        shut.addCallback(done.append)
        return done

    assert ended(Stage().sessions.shut("stopped")) == [None]
    stage = Stage(HELLO)
    clients = [stage.connect() for _ in range(3)]
    done = ended(stage.sessions.shut("stopped"))
    for client in clients:
        assert done == []
        client.settle()

    assert done == [None]
    stage.nothing_left()
