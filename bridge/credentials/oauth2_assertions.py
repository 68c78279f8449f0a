"""Signed statements instead of a client secret (RFC 7523): with a certificate's key, or as a Google service account."""

import hashlib
import json
from base64 import urlsafe_b64encode
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from bridge.secret import Secret

CERTIFICATE_LIFE = 300
"""Seconds; Microsoft advises five to ten minutes."""

SERVICE_LIFE = 3600
"""Seconds; Google takes an hour at most."""


class Unsignable(Exception):
    """The key or the certificate cannot be used; the text says which, and shows nothing of it."""


def client_assertion(
    client_id: str, audience: str, certificate: bytes, key: Secret, now: float, identity: str
) -> Secret:
    """`identity`: never the same twice."""
    claims = {"iss": client_id, "sub": client_id, "jti": identity}
    try:
        der = x509.load_pem_x509_certificate(certificate).public_bytes(Encoding.DER)
    except ValueError:
        raise Unsignable("the certificate of the OAuth2 client is no PEM file") from None
    thumbprint = urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
    return _signed(claims, audience, key.reveal(), now, CERTIFICATE_LIFE, "PS256", {"x5t#S256": thumbprint})


def service_assertion(account: Secret, login: str, audience: str, scopes: tuple[str, ...], now: float) -> Secret:
    """`account`: Google's JSON. The mail is that of `login`, for whom the domain lets the account speak."""
    try:
        fields: dict[str, Any] = json.loads(account.reveal())
        email, key, key_id = fields["client_email"], fields["private_key"], fields["private_key_id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unsignable("the service account is not the JSON that Google made for it") from None
    claims = {"iss": email, "sub": login, "scope": " ".join(scopes)}
    return _signed(claims, audience, str(key).encode(), now, SERVICE_LIFE, "RS256", {"kid": str(key_id)})


def _signed(
    claims: dict[str, str], audience: str, key: bytes, now: float, life: int, algorithm: str, headers: dict[str, str]
) -> Secret:
    begin = int(now)
    stated = {**claims, "aud": audience, "iat": begin, "nbf": begin, "exp": begin + life}
    try:
        return Secret(jwt.encode(stated, key, algorithm, headers=headers).encode())
    except (ValueError, TypeError, jwt.PyJWTError):
        raise Unsignable("the private key of the OAuth2 client is no unlocked RSA key in PEM") from None
