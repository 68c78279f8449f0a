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
from OpenSSL.crypto import X509, PKey
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import AcceptableCiphers, CertificateOptions, TLSVersion
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

# Forward secrecy and authenticated encryption only (RFC 9325, section 4.2). Twisted's own list still holds RSA key
# exchange and CBC, which scanners report (ROBOT, LUCKY13); TLS 1.3's suites are always among OpenSSL's.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

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
        self._options = _load(certificate, key)

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802, N803  # the interface's names
        self.refresh()
        return self._options.serverConnectionForTLS(tlsProtocol)

    def refresh(self) -> None:
        """Two `stat` calls when nothing changed."""
        try:
            stamp = _stamp(self._certificate, self._key)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._options = _load(self._certificate, self._key)
        except CertificateUnusable as error:
            self._report(error)


def _stamp(*files: Path) -> _Stamp:
    try:
        return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in (file.stat() for file in files))
    except OSError as error:
        raise CertificateUnusable(f"{error.filename} cannot be read ({error.strerror})") from None


def _load(certificate: Path, key: Path) -> CertificateOptions:
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
    ciphers = AcceptableCiphers.fromOpenSSLCipherString(_CIPHERS)  # type: ignore[no-untyped-call]  # Twisted has no types there
    try:
        options = CertificateOptions(
            privateKey=PKey.from_cryptography_key(private),
            certificate=X509.from_cryptography(leaf),
            extraCertChain=[X509.from_cryptography(issuer) for issuer in chain],
            raiseMinimumTo=TLSVersion.TLSv1_2,
            acceptableCiphers=ciphers,
        )
        options.getContext()  # built now, so that a mismatch never waits for a client
    except (SSL.Error, TypeError, ValueError):
        raise CertificateUnusable(f"{key} is not the key of {certificate}") from None
    return options
