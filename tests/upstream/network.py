# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
# ruff: noqa: N802, N803  # Twisted's names
"""A network in memory and a clock that only the test moves: what the bridge dials ends at the servers of the test.

Nothing here waits for real time. What one end writes arrives at the other in the network's next turn.
"""

import gc
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar, cast

from attrs import define
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.error import ConnectionRefusedError as NobodyListens
from twisted.internet.error import TimeoutError as TimedOut
from twisted.internet.interfaces import IHostnameResolver, IProtocolFactory, IResolutionReceiver, ITCPTransport
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols import tls
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

T = TypeVar("T")

TURNS = 200_000
"""More than any test needs; fewer than two ends that answer each other for ever."""


@implementer(ITCPTransport)
class End:
    """One end of a connection, as a transport for the protocol there."""

    disconnecting = False
    bufferSize = 64 * 1024  # noqa: N815  # Twisted's name

    def __init__(self, network: "Network", *, client: bool) -> None:
        self.protocol: Protocol
        self.other: End
        self.incoming = bytearray()
        self.paused = False
        self.most_held = 0
        self.lost: BaseException | None = None
        self._ending: BaseException | None = None
        self._left = False
        self._network = network
        self._client = client
        self._tls: tls.TLSMemoryBIOProtocol | None = None

    @property
    def is_secure(self) -> bool:
        return self._tls is not None

    def write(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.write(data)
        else:
            self.send(data)

    def send(self, data: bytes) -> None:
        if not self._left:
            self.other.incoming += data
            self.other.most_held = max(self.other.most_held, len(self.other.incoming))

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def startTLS(self, contextFactory: Any, normal: bool = True) -> None:
        factory = tls.TLSMemoryBIOFactory(contextFactory, self._client, None, self._network)  # type: ignore[arg-type]  # wants a factory it does not use
        above, self._tls = self.protocol, tls.TLSMemoryBIOProtocol(factory, self.protocol, False)
        self.protocol = self._tls
        self._tls.makeConnection(Below(self))
        above.transport = self

    def loseConnection(self, connDone: Any = None) -> None:
        if self._tls is not None:
            self._tls.loseConnection()
        else:
            self.leave(ConnectionDone(), ConnectionDone())

    def abortConnection(self) -> None:
        self.incoming.clear()
        self.other.incoming.clear()
        self.leave(ConnectionAborted(), ConnectionLost())

    def leave(self, here: BaseException, there: BaseException) -> None:
        if not self._left:
            self._left = True
            self._ending = here
            self.incoming.clear()
            if self.other._ending is None:
                self.other._ending = there

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.loseConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """What is written here never piles up."""

    def unregisterProducer(self) -> None:
        """See registerProducer."""

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.1", 143)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.2", 50000)

    def getTcpKeepAlive(self) -> bool:
        return False

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """No such thing in memory."""

    def getTcpNoDelay(self) -> bool:
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """No such thing in memory."""

    def loseWriteConnection(self) -> None:
        raise AssertionError("nobody here half-closes")

    def turn(self, piece: int) -> bool:
        """Deliver what has come; True when something happened."""
        if self.lost is not None:
            return False
        if self.incoming and not self.paused and not self._left:
            octets = bytes(self.incoming[:piece])
            del self.incoming[:piece]
            self.protocol.dataReceived(octets)
            return True
        if self._ending is not None and (self._left or not self.paused):
            self.lost, self._left = self._ending, True
            self.protocol.connectionLost(Failure(self.lost))
            return True
        return False


@define
class Below:
    """What TLS writes to: the end's octets as they are on the wire."""

    end: End

    def write(self, data: bytes) -> None:
        self.end.send(data)

    def loseConnection(self) -> None:
        self.end.leave(ConnectionDone(), ConnectionDone())

    def abortConnection(self) -> None:
        self.end.abortConnection()


class Silence:
    """A host that answers no SYN."""


class Refusal:
    """A host where nobody listens on this port."""


Answering = Callable[[], Protocol | Silence | Refusal]


class Network(MemoryReactorClock):
    """`answering` makes the server for each connection; `known` False is a name that nobody knows, None no answer."""

    def __init__(self, answering: Answering, *, piece: int = 1 << 20, known: bool | None = True) -> None:
        super().__init__()
        self.answering = answering
        self.piece = piece
        self.known = known
        self.ends: list[End] = []
        self.dialled: list[tuple[str, int]] = []
        self.nameResolver = cast("IHostnameResolver", self)

    def resolveHostName(
        self, receiver: IResolutionReceiver, hostName: str, portNumber: int = 0, *_: Any, **__: Any
    ) -> Any:
        receiver.resolutionBegan(None)  # type: ignore[arg-type]  # nobody cancels it
        self.dialled.append((hostName, portNumber))
        if self.known:
            receiver.addressResolved(IPv4Address("TCP", "192.0.2.1", portNumber))
        if self.known is not None:
            receiver.resolutionComplete()

    def connectTCP(
        self, host: str, port: int, factory: IProtocolFactory, timeout: float = 30, bindAddress: Any = None
    ) -> Any:
        connector = super().connectTCP(host, port, factory, timeout, bindAddress)
        server = self.answering()
        if isinstance(server, Protocol):
            self.callLater(0, self._connect, connector, factory, server)
        else:
            why, after = (NobodyListens(), 0.0) if isinstance(server, Refusal) else (TimedOut(), timeout)
            self.callLater(after, self._fail, connector, factory, why)
        return connector

    def _connect(self, connector: Any, factory: Any, server: Protocol) -> None:
        if connector.stoppedConnecting:
            return
        here, there = End(self, client=True), End(self, client=False)
        here.other, there.other = there, here
        self.ends += [here, there]
        here.protocol, there.protocol = factory.buildProtocol(None), server
        server.makeConnection(there)
        here.protocol.makeConnection(here)

    def _fail(self, connector: Any, factory: Any, why: Exception) -> None:
        if not connector.stoppedConnecting:
            factory.clientConnectionFailed(connector, Failure(why))

    @property
    def clients(self) -> list[End]:
        """The bridge's ends, in the order of dialling."""
        return self.ends[::2]

    @property
    def open(self) -> int:
        """Connections that the bridge still holds."""
        return sum(end.lost is None for end in self.clients)

    def settle(self) -> None:
        """Until nothing happens any more at this moment of time."""
        for _ in range(TURNS):
            moved = [end.turn(self.piece) for end in self.ends]
            due = [call for call in self.getDelayedCalls() if call.getTime() <= self.seconds()]
            self.advance(0)
            if not (any(moved) or due):
                return
        raise AssertionError("the two ends never come to rest")

    def wait(self, seconds: float) -> None:
        """Time passes, a second at a time, and everything happens that falls due."""
        self.settle()
        for _ in range(int(seconds)):
            self.advance(1)
            self.settle()
        self.advance(seconds - int(seconds))
        self.settle()

    def start(self, coming: "Coroutine[Any, Any, T]") -> "Running[T]":
        running = Running(Deferred.fromCoroutine(coming))
        self.settle()
        return running

    def run(self, coming: "Coroutine[Any, Any, T]") -> T:  # type: ignore[override]  # a reactor's run is of no use here
        """Its result, which must come without time passing."""
        return self.start(coming).result()


class Running(Generic[T]):
    """Something that was started; `result` when it should have come to its end."""

    def __init__(self, deferred: "Deferred[T]") -> None:
        self.deferred = deferred
        self._ended: list[T | Failure] = []
        deferred.addBoth(self._ended.append)

    @property
    def over(self) -> bool:
        return bool(self._ended)

    def result(self) -> T:
        """What it gave; what it raised is raised."""
        assert self._ended, "it is still waiting"
        ended = self._ended[0]
        if isinstance(ended, Failure):
            assert ended.value is not None
            raise ended.value.with_traceback(None)
        return ended

    def trouble(self) -> BaseException:
        """What it raised."""
        assert self._ended, "it is still waiting"
        ended = self._ended[0]
        assert isinstance(ended, Failure), f"nothing went wrong: {ended!r}"
        assert ended.value is not None
        return ended.value


class NetworkTestCase(SynchronousTestCase):
    """A test fails when an error was left to be logged; so nothing may be left to the garbage collector either."""

    def tearDown(self) -> None:
        gc.collect()
