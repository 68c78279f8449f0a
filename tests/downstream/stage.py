"""Sessions in memory: clients on one side, a mailbox in memory on the other, and a clock that only the test moves."""

import contextlib
import datetime as dt
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from attrs import evolve
from OpenSSL import SSL
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress, IPullProducer
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent
from twisted.python.failure import Failure

from bridge.accounts.directory import Directory
from bridge.config import Limits, OwnAccount, PassThrough, Timeouts, Upstream
from bridge.config.offers import working
from bridge.credentials.decoys import Decoys
from bridge.credentials.passwords import Passwords
from bridge.credentials.vault import Vault
from bridge.downstream.listener import Listener, Sessions
from bridge.downstream.login import Logins
from bridge.downstream.protocol import House, Listening
from bridge.downstream.throttle import Throttle
from bridge.events import Event, SessionClosed
from bridge.postoffice.opening import PostOffice
from bridge.sasl import SERVER_MECHANISMS
from bridge.state.memory import MemoryStore
from bridge.telemetry.logs import LogReader
from bridge.tls.selfsigned import self_signed
from bridge.tls.server import ServerContext
from tests.downstream import memory_upstream

ELSEWHERE = Upstream("imap", "tls", "imap.example.org", 993)
LOGIN = b"USER ann\r\nPASS right password\r\n"
HELLO = b"Subject: hello\r\n\r\nfirst\r\nsecond\r\n"
THREE = (HELLO, b"Subject: two\r\n\r\n", b"Subject: three\r\n\r\nbody\r\n")
BIG = b"Subject: big\r\n\r\n" + (b"x" * 98 + b"\r\n") * 10_000


@cache
def server_context() -> ServerContext:
    with tempfile.TemporaryDirectory() as directory:
        made = self_signed(Path(directory), "localhost", dt.datetime.now(dt.UTC))
        context = ServerContext(made.certificate, made.key, lambda error: None)
        context.refresh = lambda: None  # type: ignore[method-assign]  # the files go with the directory
        return context


class FakeTcp:
    """The accepted TCP transport, as Twisted's: what is written waits until `take`; abort and close come later."""

    def __init__(self, clock: Clock, peer: IAddress) -> None:
        self.protocol: Any = None
        self.unsent = bytearray()
        self.reading = True
        self.connected = True
        self.disconnecting = False
        self.largest = 0
        self.room = 0
        self.sent = b""
        self.options: dict[str, bool] = {}
        self._clock = clock
        self._peer = peer
        self._input: list[bytes] = []
        self._producer: IPullProducer | None = None

    # Twisted's side.

    def write(self, data: bytes) -> None:
        if self.connected:
            self.unsent += data
            self.largest = max(self.largest, len(self.unsent))

    def writeSomeData(self, data: bytes) -> int:
        """What is written waits, but for what the kernel still has room for."""
        taken, self.room = min(self.room, len(data)), max(self.room - len(data), 0)
        self.sent += data[:taken]
        return taken

    def registerProducer(self, producer: IPullProducer, streaming: bool) -> None:
        assert not streaming
        assert self._producer is None
        self._producer = producer
        producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self._producer = None

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        if self.connected and not self.disconnecting:
            self.reading = True

    def loseConnection(self) -> None:
        if self.connected:
            self.reading = False
            self.disconnecting = True

    def abortConnection(self) -> None:
        self.unsent.clear()
        self._clock.callLater(0, self.lose, ConnectionAborted())

    def getHandle(self) -> Any:
        raise OSError("no socket")

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.options["no delay"] = enabled

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.options["keep alive"] = enabled

    def getPeer(self) -> IAddress:
        return self._peer

    def getHost(self) -> IAddress:
        return IPv4Address("TCP", "127.0.0.1", 110)

    # The network's side.

    def deliver(self, octets: bytes) -> None:
        if octets:
            self._input.append(octets)
        self.pump()

    def pump(self) -> None:
        while self.reading and self.connected and self._input:
            self.protocol.dataReceived(self._input.pop(0))

    def take(self, most: int | None = None) -> bytes:
        """What the kernel takes; as doWrite, it tells a pull producer when all of it is gone, or closes."""
        taken = bytes(self.unsent[:most])
        del self.unsent[: len(taken)]
        if self.connected and not self.unsent:
            if self._producer is not None:
                if taken:
                    self._producer.resumeProducing()
            elif self.disconnecting:
                self.lose(ConnectionDone())
        return taken

    def lose(self, reason: Exception) -> None:
        if self.connected:
            self.connected = self.reading = False
            self.unsent.clear()
            producer, self._producer = self._producer, None
            if producer is not None:
                producer.stopProducing()
            self.protocol.connectionLost(Failure(reason))  # type: ignore[no-untyped-call]  # Twisted has no types there


class Client:
    """A mail program. `reads`: it takes at once what is sent; otherwise only by `take`."""

    def __init__(self, tcp: FakeTcp, clock: Clock) -> None:
        self.tcp = tcp
        self.heard = b""
        self.reads = True
        self._clock = clock

    def gone(self) -> bool:
        """The bridge, or the client itself, has closed the connection."""
        return not self.tcp.connected

    def say(self, octets: bytes) -> bytes:
        """The answer, as far as it comes without time passing."""
        before = len(self.heard)
        self.send(octets)
        self.settle()
        return self.heard[before:]

    def send(self, octets: bytes) -> None:
        self.tcp.deliver(octets)

    def settle(self) -> bytes:
        before = len(self.heard)
        for _ in range(10_000):
            state = len(self.heard), len(self.tcp.unsent), self.tcp.connected
            self.turn()
            if state == (len(self.heard), len(self.tcp.unsent), self.tcp.connected) and not self._due_now():
                return self.heard[before:]
        raise AssertionError("it never comes to rest")

    def turn(self, most: int | None = None) -> None:
        """One turn of the reactor."""
        self._clock.advance(0)
        if self.reads:
            self.take(most)
        self.tcp.pump()

    def take(self, most: int | None = None) -> None:
        self.heard += self.tcp.take(most)

    def drop(self) -> None:
        self.tcp.lose(ConnectionLost())

    def _due_now(self) -> bool:
        return any(call.getTime() <= self._clock.seconds() for call in self._clock.getDelayedCalls())


class TlsClient(Client):
    """The same over TLS, from the first octet or, `shake` being called later, after STLS."""

    def __init__(self, tcp: FakeTcp, clock: Clock) -> None:
        super().__init__(tcp, clock)
        self._tls: SSL.Connection | None = None

    def hello(self, most: int) -> None:
        """So many octets of a handshake, and no more."""
        tls = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        tls.set_connect_state()
        with contextlib.suppress(SSL.WantReadError):
            tls.do_handshake()
        self.tcp.deliver(tls.bio_read(65536)[:most])

    def shake(self) -> None:
        self._tls = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        self._tls.set_connect_state()
        for _ in range(5):
            try:
                self._tls.do_handshake()
            except SSL.WantReadError:
                self._flush()
                self.settle()
        self._flush()
        self.settle()

    def send(self, octets: bytes) -> None:
        if self._tls is None:
            super().send(octets)
            return
        for start in range(0, len(octets), 16_000):
            self._tls.send(octets[start : start + 16_000])
            self._flush()

    def farewell(self, last: bytes = b"") -> None:
        """The last words and close_notify, in one segment."""
        assert self._tls is not None
        if last:
            self._tls.send(last)
        self._tls.shutdown()
        self._flush()

    def take(self, most: int | None = None) -> None:
        octets = self.tcp.take(most)
        if self._tls is None:
            self.heard += octets
            return
        if octets:
            self._tls.bio_write(octets)
        while True:
            try:
                self.heard += self._tls.recv(65536)
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:
                if not self._tls.get_shutdown() & SSL.SENT_SHUTDOWN:
                    self._tls.shutdown()
                break
        self._flush()

    def _flush(self) -> None:
        assert self._tls is not None
        while True:
            try:
                octets = self._tls.bio_read(65536)
            except SSL.WantReadError:
                return
            self.tcp.deliver(octets)


def stalled(client: Client) -> Client:
    """It takes nothing any more."""
    client.reads = False
    return client


class Stage:
    """A bridge without a network; with `accounts`, nobody but these is let in, and the work of it is counted."""

    def __init__(
        self,
        *messages: bytes,
        tls: bool = False,
        implicit: bool = False,
        cleartext: bool = False,
        trace: bool = False,
        nul: bytes | None = None,
        chunk: int = 1000,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        accounts: tuple[OwnAccount, ...] = (),
        vault: Vault | None = None,
        **account: Any,
    ) -> None:
        self.clock = Clock()
        self.events: list[Event] = []
        self.upstream = memory_upstream.Upstream(self.clock, messages, chunk=chunk)
        self.log: list[str] = []
        reader = LogReader(Logger("test", observer=self._logged), trace=True)  # type: ignore[arg-type]  # a method is one

        def emit(event: Event) -> None:
            self.events.append(event)
            reader(event)

        timeouts = timeouts or Timeouts()
        self.settings = PassThrough(upstream=ELSEWHERE, **account)
        self.store = MemoryStore()
        office = PostOffice(
            self.store, self.clock, emit, quit_wait=timeouts.quit_wait, deletion_wait=timeouts.deletion_wait
        )
        directory = Directory(() if accounts else (self.settings,), accounts)
        self.derivations = 0
        passwords = Passwords(self.clock, self._derived, Decoys(b"k" * 32, directory.own), vault) if accounts else None
        self.logins = Logins(
            directory,
            self.upstream.make,
            office,
            Throttle(self.clock),
            self.clock,
            login_wait=timeouts.login_wait,
            passwords=passwords,
            offers_apop=vault is not None,
        )
        house = House(self.clock, emit, self.logins, timeouts, limits or Limits(), "Popbridge-test", trace)
        self.sessions = Sessions(house)
        context = server_context() if tls or implicit else None
        mechanisms = working((), accounts) if accounts else SERVER_MECHANISMS
        self.listening = Listening(context, implicit, cleartext, mechanisms, nul)

    def _derived(self, job: Callable[[], bytes]) -> "Deferred[bytes]":
        self.derivations += 1
        return succeed(job())

    def _logged(self, record: dict[str, Any]) -> None:
        self.log.append(formatEvent(record))

    def accept(self, address: str = "127.0.0.1") -> FakeTcp:
        kind = IPv6Address if ":" in address else IPv4Address
        peer = kind("TCP", address, 40000)
        tcp = FakeTcp(self.clock, peer)
        protocol: Protocol = Listener(self.sessions, self.listening).buildProtocol(peer)
        tcp.protocol = protocol
        protocol.makeConnection(tcp)  # type: ignore[no-untyped-call]  # the same
        return tcp

    def connect(self, address: str = "127.0.0.1") -> Client:
        """Greeted; over TLS where that is how this listener is."""
        if self.listening.implicit:
            client = TlsClient(self.accept(address), self.clock)
            client.shake()
            return client
        plain = Client(self.accept(address), self.clock)
        plain.settle()
        return plain

    def logged_in(self) -> Client:
        client = self.connect()
        assert client.say(LOGIN).endswith(b"octets)\r\n"), client.heard
        client.heard = b""
        return client

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def closed(self) -> SessionClosed:
        """The one line of the one session."""
        (closed,) = self.told(SessionClosed)
        assert isinstance(closed, SessionClosed)
        return closed

    def nothing_left(self) -> None:
        """No session, no timer, no connection upstream; each session left one line."""
        assert not self.sessions.open
        assert not self.sessions._per_address
        assert not self.clock.getDelayedCalls(), self.clock.getDelayedCalls()
        assert all(len(source.ended) == 1 for source in self.upstream.sources), [s.ended for s in self.upstream.sources]
        sessions = [event.session for event in self.told(SessionClosed)]
        assert len(set(sessions)) == len(sessions)


def at_every_split(octets: bytes, run: Callable[[Sequence[bytes]], bytes]) -> set[bytes]:
    """What is heard, whole, octet by octet, and cut in two at every place."""
    ways: list[list[bytes]] = [[octets], [octets[i : i + 1] for i in range(len(octets))]]
    ways += [[octets[:i], octets[i:]] for i in range(1, len(octets))]
    return {run(way) for way in ways}


def timeouts(**changed: float) -> Timeouts:
    return evolve(Timeouts(), **changed)
