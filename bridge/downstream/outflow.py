"""What was written to a client and has not left the process yet: back-pressure, and knowing when it ran empty.

It lies on the TCP transport, below TLS where there is TLS, so that what it counts is what the socket took (S16).
"""

from collections.abc import Iterable
from fcntl import ioctl
from socket import socket
from sys import byteorder
from termios import TIOCOUTQ
from typing import Protocol as Shape

from OpenSSL.SSL import Connection
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IPullProducer, IPushProducer, ITransport
from zope.interface import implementer

HIGH = 64 * 1024
"""Octets under way at which a producer is paused; it goes on when all of them are gone."""


class Layer(Shape):
    """What the conversation goes over: the outflow, or TLS upon it."""

    def write(self, data: bytes) -> None: ...

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None: ...

    def unregisterProducer(self) -> None: ...

    def loseConnection(self) -> None: ...

    def getHandle(self) -> Connection: ...


class Accepted(Shape):
    """The TCP transport as it is accepted."""

    protocol: object

    @property
    def connected(self) -> int: ...

    def write(self, data: bytes) -> None: ...

    def writeSomeData(self, data: bytes) -> int | Exception: ...

    def registerProducer(self, producer: IPullProducer, streaming: bool) -> None: ...

    def unregisterProducer(self) -> None: ...

    def pauseProducing(self) -> None: ...

    def resumeProducing(self) -> None: ...

    def loseConnection(self) -> None: ...

    def abortConnection(self) -> None: ...

    def getHandle(self) -> socket: ...

    def setTcpNoDelay(self, enabled: bool) -> None: ...

    def setTcpKeepAlive(self, enabled: bool) -> None: ...

    def getPeer(self) -> IAddress: ...

    def getHost(self) -> IAddress: ...


def unacknowledged(tcp: Accepted) -> int | None:
    """Octets in the kernel's send queue (tcp(7), SIOCOUTQ); None where it does not say."""
    try:
        return int.from_bytes(ioctl(tcp.getHandle(), TIOCOUTQ, bytes(4)), byteorder)
    except OSError:  # not Linux, not TCP, or closed
        return None


@implementer(ITransport)
class Outflow:
    """A transport above the TCP transport, for a protocol or for the TLS layer."""

    disconnecting = False

    def __init__(self, tcp: Accepted) -> None:
        self.outstanding = 0
        self._emptied = 0
        self._tcp = tcp
        self._ending = False
        self._empty: Deferred[None] | None = None
        self._producer: IPushProducer | None = None
        self._paused = False
        tcp.registerProducer(_Drain(self), streaming=False)

    def write(self, data: bytes) -> None:
        if not (self.disconnecting or self.outstanding):
            data = self._at_once(data)
        if self.disconnecting or not data:
            return
        self.outstanding += len(data)
        self._tcp.write(data)
        if self.outstanding > HIGH and self._producer is not None and not self._paused:
            self._paused = True
            self._producer.pauseProducing()

    def _at_once(self, data: bytes) -> bytes:
        """Where nothing waits before it, the socket is asked to take it now: the rest, for which the transport waits.

        Twisted writes in its next turn only; without that turn a short reply costs half as much.
        """
        taken = self._tcp.writeSomeData(data) if self._tcp.connected else 0
        if not isinstance(taken, int) or not taken:  # an error is for the transport to find, and to tell
            return data
        self._emptied += 1
        return data[taken:]

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        assert streaming, "only push producers write here"
        self._producer = producer
        self._paused = self.outstanding > HIGH
        if self._paused:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        self._producer = None
        self._paused = False

    def loseConnection(self) -> None:
        self._end()
        self._tcp.loseConnection()

    def abortConnection(self) -> None:
        self._end()
        self._tcp.abortConnection()

    def pauseProducing(self) -> None:
        """Stop reading from the client."""
        self._tcp.pauseProducing()

    def resumeProducing(self) -> None:
        self._tcp.resumeProducing()

    def getPeer(self) -> IAddress:
        return self._tcp.getPeer()

    def getHost(self) -> IAddress:
        return self._tcp.getHost()

    def drained(self) -> "Deferred[None]":
        """Fires when all that was written has left the process; never when the connection is ending before that."""
        drained: Deferred[None] = Deferred()
        if self.outstanding and not self._ending:
            self._empty = drained
        elif not self._ending:
            drained.callback(None)
        return drained

    def expect_end(self) -> None:
        """The connection is to end, though TLS may still be saying good-bye: from now on it is never called drained."""
        self._ending = True
        self._empty = None

    def mark(self) -> object:
        """Another one than at the last time if the client took anything since.

        Twisted tells only when its whole buffer is empty, for which a slow client may need longer than it may stall. So
        the kernel is asked how much of its own the client has not acknowledged: that becomes less only by its doing and
        more only where it made room. The same figure twice with progress between is possible, but not look after look.
        """
        return self._emptied, unacknowledged(self._tcp)

    def emptied(self) -> None:
        """The TCP transport's buffer ran empty."""
        self.outstanding = 0
        self._emptied += 1
        if self._paused and self._producer is not None:
            self._paused = False
            self._producer.resumeProducing()
        empty, self._empty = self._empty, None
        if empty is not None:
            empty.callback(None)

    def _end(self) -> None:
        if not self.disconnecting:
            self.disconnecting = True
            self.expect_end()
            self._tcp.unregisterProducer()


@implementer(IPullProducer)
class _Drain:
    """A pull producer is asked for more each time the buffer is empty; that is all this one wants to know."""

    def __init__(self, outflow: Outflow) -> None:
        self._outflow = outflow

    def resumeProducing(self) -> None:
        self._outflow.emptied()

    def stopProducing(self) -> None:
        """The connection is gone; the protocol hears of it by itself."""
