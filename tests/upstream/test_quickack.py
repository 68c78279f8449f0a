# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""What upstream sent is acknowledged at once, after every read, also over TLS: looked up in the kernel."""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from threading import Thread
from typing import Any, cast
from unittest import mock

import pytest
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from bridge.config import Timeouts, Upstream
from bridge.imap.commands import Noop
from bridge.imap.quirks import ignore
from bridge.tls import client_context
from bridge.upstream import connection, quickack
from bridge.upstream.connect import Reactor, connect
from bridge.upstream.imap_connection import ImapConnection
from bridge.upstream.quickack import acknowledge
from tests.peers.certificates import Certificates

ROUNDS = 6
"""Of question and answer; Linux takes a connection for a conversation, and acknowledges late, from the second on."""


@contextlib.contextmanager
def answering(tls: ssl.SSLContext | None, *, starttls: bool) -> Iterator[int]:
    """A server on this machine that says OK to everything, on one connection."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            here, _ = door.accept()
            if tls is not None and not starttls:
                here = tls.wrap_socket(here, server_side=True)
            here.sendall(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n")
            while line := here.recv(1000):
                here.sendall(line.split()[0] + b" OK [CAPABILITY IMAP4rev1] done\r\n")
                if tls is not None and line.endswith(b"STARTTLS\r\n"):
                    here = tls.wrap_socket(here, server_side=True)
            here.close()

    with socket.create_server(("127.0.0.1", 0)) as door:
        serving = Thread(target=serve, daemon=True)
        serving.start()
        yield door.getsockname()[1]
        serving.join(10)
        assert not serving.is_alive()


@pytest.mark.skipif(quickack.OPTION is None, reason="only Linux has the option")
class OnARealSocket(TestCase):
    timeout = 30

    @pytest.fixture(autouse=True)
    def _take(self, certificates: Certificates) -> None:
        # The reactor of the test run; imported where a reactor is really needed.
        from twisted.internet import reactor  # noqa: PLC0415, TID251  # a real socket needs a real one

        self.reactor = cast("Reactor", reactor)  # a module to mypy
        self.certificates = certificates
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificates.server.certificate, certificates.server.key)

    async def after_each_read(self, security: str) -> list[int]:
        """The option of the TCP socket when the answer has been read, round after round."""
        context = client_context("localhost", ca=self.certificates.authority)
        with answering(None if security == "none" else self.tls, starttls=security == "starttls") as port:
            upstream = Upstream("imap", cast("Any", security), "localhost", port)
            connection = await connect(self.reactor, upstream, context, Timeouts(), self.made)
            tcp = cast("Any", connection.transport).socket
            assert isinstance(tcp, socket.socket)
            found = []
            for _ in range(ROUNDS):
                await connection.ask(Noop())
                assert quickack.OPTION is not None
                found.append(tcp.getsockopt(socket.IPPROTO_TCP, quickack.OPTION))
            connection.abandon()
            await deferLater(self.reactor, 0)
            acknowledge(connection.transport)  # closed meanwhile: nothing happens
        return found

    def made(self) -> ImapConnection:
        return ImapConnection(self.reactor, silence=10, close_abort=1, trace=None, on_quirk=ignore)

    async def test_with_and_without_tls(self) -> None:
        for security in ("none", "tls", "starttls"):
            self.assertEqual(await self.after_each_read(security), [1] * ROUNDS, security)

    async def test_linux_would_not_do_it_by_itself(self) -> None:
        with mock.patch.object(connection, "acknowledge"):
            for security in ("none", "tls", "starttls"):
                self.assertEqual((await self.after_each_read(security))[-1], 0, security)


def test_what_is_no_socket_is_let_be() -> None:
    acknowledge(object())


def test_a_socket_that_was_closed_is_let_be() -> None:
    class Transport:
        socket = socket.socket()

    Transport.socket.close()
    acknowledge(Transport())


def test_other_systems_have_no_such_option(monkeypatch: pytest.MonkeyPatch) -> None:
    class Transport:
        socket = mock.Mock(spec=socket.socket)

    monkeypatch.setattr(quickack, "OPTION", None)
    acknowledge(Transport())
    Transport.socket.setsockopt.assert_not_called()
