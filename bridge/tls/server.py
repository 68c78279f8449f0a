"""What mail programs meet when they ask for TLS: the owner's certificate, the newest one that is whole.

A renewed certificate is used from the next handshake on; one that cannot be used never replaces one that can.
"""

from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from bridge.tls.connection import Connection

# Forward secrecy and authenticated encryption only (RFC 9325, section 4.2). Twisted's own list still holds RSA key
# exchange and CBC, which scanners report (ROBOT, LUCKY13); TLS 1.3's suites are always among OpenSSL's.
_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"

_Stamp = tuple[tuple[int, int, int], ...]


class CertificateUnusable(Exception):
    """Chain and key cannot serve; the text names the file."""


@implementer(IOpenSSLServerConnectionCreator)
class ServerContext:
    """Serves `wrapServerTLS`, `listenSSL` and `startTLS`. Raises CertificateUnusable if the first load fails.

    Later failures are told to `report`, once for each state of the files.
    """

    def __init__(self, certificate: Path, key: Path, report: Callable[[CertificateUnusable], None]) -> None:
        self._certificate = certificate
        self._key = key
        self._report = report
        self._stamp = _stamp(certificate, key)  # before the load: a change in between is seen at the next handshake
        self._context = _load(certificate, key)

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: ARG002  # the interface's
        self.refresh()
        return Connection(self._context, None)

    def refresh(self) -> None:
        """Two `stat` calls when nothing changed."""
        stamp = _stamp(self._certificate, self._key)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._context = _load(self._certificate, self._key)
        except CertificateUnusable as error:
            self._report(error)


def _stamp(*files: Path) -> _Stamp:
    """Changes when a file changes, comes or goes."""
    return tuple(map(_mark, files))


def _mark(file: Path) -> tuple[int, int, int]:
    try:
        stat = file.stat()
    except OSError:  # the load says why
        return 0, 0, 0
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _load(certificate: Path, key: Path) -> SSL.Context:
    try:
        leaf, *chain = x509.load_pem_x509_certificates(certificate.read_bytes())
    except OSError as error:
        raise CertificateUnusable(f"{certificate} cannot be read ({error.strerror})") from None
    except ValueError:
        raise CertificateUnusable(f"{certificate} holds no PEM certificate") from None
    try:
        private = load_pem_private_key(key.read_bytes(), None)
    except OSError as error:
        raise CertificateUnusable(f"{key} cannot be read ({error.strerror})") from None
    except TypeError:  # cryptography asks for the password so
        raise CertificateUnusable(f"{key} is encrypted; store it without a passphrase, mode 0600") from None
    except ValueError:
        raise CertificateUnusable(f"{key} holds no PEM private key") from None
    if not isinstance(private, RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey):
        raise CertificateUnusable(f"{key} is of a kind that mail programs do not know; make an ECDSA or RSA key")
    context = _strict_context()
    try:
        context.use_certificate(leaf)
        for issuer in chain:
            context.add_extra_chain_cert(issuer)
        context.use_privatekey(private)  # compares it with the certificate
    except SSL.Error:
        raise CertificateUnusable(f"{key} is not the key of {certificate}") from None
    context.set_cipher_list(_CIPHERS)  # last: it makes a first connection, after which pyOpenSSL takes no more settings
    return context


def _strict_context() -> SSL.Context:
    """As Twisted's CertificateOptions would make it, from cryptography's certificates, which that does not take."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(
        SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_TICKET
    )
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # OpenSSL: around 34 KB less for each idle connection
    return context
