"""A certificate authority made for one test run, with server certificates good and bad in each way that matters."""

import datetime as dt
import ipaddress
from pathlib import Path

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_DAY = dt.timedelta(days=1)


@frozen
class Certificate:
    """PEM files; `certificate` holds the server's own alone."""

    certificate: Path
    key: Path


@frozen
class Certificates:
    authority: Path
    """The PEM file a client is told to trust."""
    server: Certificate
    """For localhost, 127.0.0.1 and ::1."""
    wrong_name: Certificate
    """For mail.example.org only."""
    expired: Certificate
    self_signed: Certificate
    other_authority: Certificate
    """Right in everything but its issuer, whom nobody trusts."""


@frozen
class _Issuer:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def make_certificates(directory: Path) -> Certificates:
    """All of them, as files in the directory."""
    ours, other = _authority("Popbridge test authority"), _authority("Another authority")
    authority = directory / "authority.pem"
    authority.write_bytes(ours.certificate.public_bytes(serialization.Encoding.PEM))
    return Certificates(
        authority=authority,
        server=_issue(directory / "server", ours),
        wrong_name=_issue(directory / "wrong-name", ours, names=("mail.example.org",)),
        expired=_issue(directory / "expired", ours, from_day=-30, to_day=-1),
        self_signed=_issue(directory / "self-signed", None),
        other_authority=_issue(directory / "other-authority", other),
    )


def _authority(name: str) -> _Issuer:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(subject, subject, key.public_key(), -2, 365)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _Issuer(certificate, key)


def _issue(
    stem: Path,
    issuer: _Issuer | None,
    names: tuple[str, ...] = LOOPBACK,
    from_day: int = -1,
    to_day: int = 90,
) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(names[0])
    signer = issuer.key if issuer else key
    builder = (
        _builder(subject, issuer.certificate.subject if issuer else subject, key.public_key(), from_day, to_day)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    made = Certificate(stem.with_suffix(".pem"), stem.with_suffix(".key"))
    made.certificate.write_bytes(builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    made.key.touch(mode=0o600)
    made.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, from_day: int, to_day: int
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now + from_day * _DAY,
        not_valid_after=now + to_day * _DAY,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
