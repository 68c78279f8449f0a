"""Whom the bridge trusts upstream: name and chain are verified, or the pinned certificate is met, or nothing is sent.

This is S29. A context is shared by all connections with the same trust.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from weakref import ref

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import SSL
from OpenSSL.crypto import X509
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, IPAddress_ID, ServiceID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, CertificateOptions, TLSVersion, platformTrust, trustRootFromCertificates
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from bridge.tls.connection import Connection

_Judge = Callable[[X509, int, int, bool], str | None]
"""(certificate, OpenSSL's error, depth, OpenSSL's verdict) to why it is refused, or None."""

# X509_V_ERR_* of OpenSSL's x509_vfy.h; Twisted hands on no more than "certificate verify failed".
_CHAIN_ERRORS = {
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is self-signed",
    19: "the chain ends in an authority that is not trusted here",
    20: "the certificate's issuer is not trusted here, or an intermediate certificate is missing",
    21: "the certificate's issuer is not trusted here, or an intermediate certificate is missing",
    26: "the certificate is not made for servers",
}


class CertificateRejected(Exception):
    """Upstream's certificate is not trusted; why is in `connectionLost`'s reason. The text holds nothing secret."""


def client_context(hostname: str, *, ca: Path | None = None, pin: str | None = None) -> IOpenSSLClientConnectionCreator:
    """Serves `wrapClientTLS` and `startTLS`. `ca` takes the place of the system's authorities.

    `pin`, a SHA-256 in lower-case hex of the certificate or of its public key, takes the place of name, chain and
    dates: it alone names the one server that is meant. Raises OSError or ValueError for an unusable `ca`.
    """
    if pin is not None:
        return _Client(_unverified_context(), hostname, _pin_judge(pin))
    context = _system_context() if ca is None else _own_context(ca, ca.stat().st_mtime_ns)
    return _Client(context, hostname, _name_judge(hostname))


@lru_cache
def _system_context() -> SSL.Context:
    roots = platformTrust()  # type: ignore[no-untyped-call]  # Twisted has no types there
    return CertificateOptions(trustRoot=roots, raiseMinimumTo=TLSVersion.TLSv1_2).getContext()


@lru_cache
def _own_context(ca: Path, _changed: int) -> SSL.Context:
    pem = x509.load_pem_x509_certificates(ca.read_bytes())
    own = [Certificate(X509.from_cryptography(root)) for root in pem]  # type: ignore[no-untyped-call]  # as above
    roots = trustRootFromCertificates(own)  # type: ignore[no-untyped-call]  # as above
    return CertificateOptions(trustRoot=roots, raiseMinimumTo=TLSVersion.TLSv1_2).getContext()


@lru_cache
def _unverified_context() -> SSL.Context:
    return CertificateOptions(raiseMinimumTo=TLSVersion.TLSv1_2).getContext()


@implementer(IOpenSSLClientConnectionCreator)
class _Client:
    """Twisted's own creator makes a context per host and hides OpenSSL's reason; this one does neither."""

    def __init__(self, context: SSL.Context, hostname: str, judge: _Judge) -> None:
        self._context = context
        self._judge = judge
        self._server_name = None if _is_address(hostname) else hostname.encode("ascii")  # RFC 6066, section 3

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        connection = Connection(self._context, None)
        protocol = ref(tlsProtocol)  # the protocol holds the connection, which holds the callback
        if self._server_name is not None:
            connection.set_tlsext_host_name(self._server_name)

        def verify(_: SSL.Connection, certificate: X509, error: int, depth: int, verdict: int) -> bool:
            try:
                refused = self._judge(certificate, error, depth, bool(verdict))
            except Exception as unexpected:  # noqa: BLE001  # OpenSSL's C code would swallow it, and an unread certificate is refused
                refused = f"the certificate cannot be read ({unexpected.__class__.__name__})"
            if refused is not None and (failing := protocol()) is not None:
                reason = Failure(CertificateRejected(refused))  # type: ignore[no-untyped-call]  # as above
                failing.failVerification(reason)  # type: ignore[no-untyped-call]  # as above
            return refused is None

        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
        return connection


def _is_address(hostname: str) -> bool:
    try:
        ip_address(hostname)
    except ValueError:
        return False
    return True


def _name_judge(hostname: str) -> _Judge:
    wanted: ServiceID = IPAddress_ID(hostname) if _is_address(hostname) else DNS_ID(hostname)

    def judge(certificate: X509, error: int, depth: int, verdict: bool) -> str | None:
        if not verdict:
            return _CHAIN_ERRORS.get(error, f"the certificate's chain does not verify (OpenSSL's error {error})")
        if depth > 0:
            return None
        try:
            verify_service_identity(extract_patterns(certificate), [wanted], [])
        except (VerificationError, CertificateError):
            return f"the certificate is for another name than {hostname}"
        return None

    return judge


def _pin_judge(pin: str) -> _Judge:
    def judge(certificate: X509, error: int, depth: int, verdict: bool) -> str | None:  # noqa: ARG001  # the pin alone decides
        if depth > 0:
            return None
        leaf = certificate.to_cryptography()
        public = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        shown = hashlib.sha256(leaf.public_bytes(Encoding.DER)).hexdigest()
        if pin in (shown, hashlib.sha256(public).hexdigest()):
            return None
        return f"the certificate is not the pinned one; its SHA-256 is {shown}"

    return judge
