"""A real TLS handshake in memory between a server's and a client's context."""

from attrs import define
from OpenSSL.crypto import X509
from twisted.internet.interfaces import (
    IAddress,
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    ISSLTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test.iosim import connectedServerAndClient

SECRET = b"only for a verified server"


class Talker(Protocol):
    """Says its word at once, as a client that does not wait for the handshake would."""

    def __init__(self, word: bytes) -> None:
        self.word = word
        self.heard = b""
        self.lost: BaseException | None = None

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self.word)

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason.value


class Always(Factory):
    def __init__(self, talker: Talker) -> None:
        self.talker = talker

    def buildProtocol(self, addr: IAddress | None) -> Talker:
        return self.talker


@define
class Outcome:
    """What each side heard; `refused` is the client's reason for ending; `fingerprint` is what the server showed."""

    server_heard: bytes
    client_heard: bytes
    refused: BaseException | None
    fingerprint: str | None


def handshake(server: IOpenSSLServerConnectionCreator, client: IOpenSSLClientConnectionCreator) -> Outcome:
    talkers = Talker(b"hello"), Talker(SECRET)
    factories = [Always(talker) for talker in talkers]
    clock = Clock()  # small TLS writes are joined until the reactor's next turn
    _, _, pump = connectedServerAndClient(
        lambda: TLSMemoryBIOFactory(server, False, factories[0], clock).buildProtocol(None),
        lambda: TLSMemoryBIOFactory(client, True, factories[1], clock).buildProtocol(None),
    )
    for _ in range(3):
        pump.flush()  # type: ignore[no-untyped-call]  # Twisted has no types there
        clock.advance(0)
    fingerprint = None
    if talkers[1].lost is None:
        shown = ISSLTransport(talkers[1].transport).getPeerCertificate()
        assert isinstance(shown, X509)
        fingerprint = shown.digest("sha256").decode()
    return Outcome(talkers[0].heard, talkers[1].heard, talkers[1].lost, fingerprint)
