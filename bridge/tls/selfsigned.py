"""A certificate of the bridge's own making, for owners who have none: kept, so that clients who trust it can go on.

Nothing here asks for the time or the machine's name: they come as arguments.
"""

import datetime as dt
import os
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFE = dt.timedelta(days=397)  # the longest that Apple's clients take from a server
_CLOCKS_DIFFER = dt.timedelta(hours=1)


@frozen
class SelfSignedFiles:
    """`fingerprint` is the certificate's SHA-256 as clients show it: upper-case hex, colons between octets."""

    certificate: Path
    key: Path
    fingerprint: str


def self_signed(directory: Path, hostname: str, now: dt.datetime) -> SelfSignedFiles:
    """The pair kept in this directory; made anew when there is none, or it is broken or expired. `now` knows its zone.

    Raises OSError if the directory cannot be written.
    """
    certificate = directory / "popbridge-selfsigned.pem"
    key = directory / "popbridge-selfsigned-key.pem"
    kept = _kept(certificate, key, now)
    if kept is None:
        kept, private = _make(hostname, now)
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _replace(key, pem, 0o600)
        _replace(certificate, kept.public_bytes(Encoding.PEM), 0o644)
    return SelfSignedFiles(certificate, key, kept.fingerprint(hashes.SHA256()).hex(":").upper())


def _kept(certificate: Path, key: Path, now: dt.datetime) -> x509.Certificate | None:
    try:
        kept = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = load_pem_private_key(key.read_bytes(), None)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    same_pair = private.public_key().public_bytes(*form) == kept.public_key().public_bytes(*form)
    return kept if same_pair and kept.not_valid_before_utc <= now < kept.not_valid_after_utc else None


def _make(hostname: str, now: dt.datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "popbridge self-signed")])
    begin = now - _CLOCKS_DIFFER
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + _LIFE)
        .add_extension(x509.SubjectAlternativeName(_names(hostname)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )
    return builder.sign(private, hashes.SHA256()), private


def _names(hostname: str) -> list[x509.GeneralName]:
    dns = ["localhost"]
    if hostname.isascii() and hostname.replace("-", "").replace(".", "").isalnum() and hostname not in dns:
        dns.append(hostname)
    addresses = [x509.IPAddress(IPv4Address("127.0.0.1")), x509.IPAddress(IPv6Address("::1"))]
    return [*map(x509.DNSName, dns), *addresses]


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and never readable for longer than its mode says: the mode stands before the content."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    draft.replace(path)
