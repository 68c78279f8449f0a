"""What is signed instead of a client secret says the right things, and can be checked by whoever has the public key."""

import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bridge.credentials.oauth2_assertions import Unsignable, client_assertion, service_assertion
from bridge.secret import Secret
from tests.peers.certificates import Certificates

AUDIENCE = "https://login.example.org/token"
NOW = 1_800_000_000.7


@frozen
class Pair:
    key: Secret
    public: Any


@pytest.fixture(scope="module")
def pair() -> Pair:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Pair(Secret(pem), key.public_key())


def read(assertion: Secret, public: Any, algorithm: str) -> dict[str, Any]:
    unchecked = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    return dict(jwt.decode(assertion.reveal(), public, [algorithm], audience=AUDIENCE, options=unchecked))  # type: ignore[arg-type]


def test_a_certificate_s_key_signs_for_the_client(pair: Pair, certificates: Certificates) -> None:
    pem = certificates.server.certificate.read_bytes()

    assertion = client_assertion("popbridge", AUDIENCE, pem, pair.key, NOW, "once")

    claims = read(assertion, pair.public, "PS256")
    assert (claims["iss"], claims["sub"], claims["jti"]) == ("popbridge", "popbridge", "once")
    assert (claims["iat"], claims["exp"]) == (1_800_000_000, 1_800_000_300)
    thumbprint = x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256())
    header = jwt.get_unverified_header(assertion.reveal())
    assert jwt.utils.base64url_decode(header["x5t#S256"]) == thumbprint


def test_a_service_account_speaks_for_somebody_of_its_domain(pair: Pair) -> None:
    account = {"client_email": "s@x.example", "private_key": pair.key.reveal().decode(), "private_key_id": "k1"}

    assertion = service_assertion(
        Secret(json.dumps(account).encode()), "ann@x.example", AUDIENCE, ("mail", "more"), NOW
    )

    claims = read(assertion, pair.public, "RS256")
    assert (claims["iss"], claims["sub"], claims["scope"]) == ("s@x.example", "ann@x.example", "mail more")
    assert claims["exp"] - claims["iat"] == 3600
    assert jwt.get_unverified_header(assertion.reveal())["kid"] == "k1"


@pytest.mark.parametrize("account", [b"", b"[]", b"{}", b'{"client_email": 1}', b"[" * 60_000])
def test_what_is_no_service_account_is_said_without_showing_it(account: bytes) -> None:
    with pytest.raises(Unsignable, match="not the JSON that Google made"):
        service_assertion(Secret(account), "ann", AUDIENCE, (), NOW)


def test_a_key_or_certificate_that_is_none_is_said(pair: Pair, certificates: Certificates, tmp_path: Path) -> None:
    pem = certificates.server.certificate.read_bytes()
    elliptic = Secret(certificates.server.key.read_bytes())
    for key in (Secret(b"no key"), elliptic):
        with pytest.raises(Unsignable, match="no unlocked RSA key"):
            client_assertion("popbridge", AUDIENCE, pem, key, NOW, "once")
    with pytest.raises(Unsignable, match="no PEM file"):
        client_assertion("popbridge", AUDIENCE, b"no certificate", pair.key, NOW, "once")
