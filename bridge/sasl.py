"""The ways to prove who one is: PLAIN, LOGIN, XOAUTH2 and OAUTHBEARER, as a server hears them and a client says them.

Octets in, octets out; base64 and framing belong to the protocols. The rule: nothing that could end a line or a field
upstream (CR, LF, NUL) leaves this file inside a name, a password or a token (S27).
"""

import re
from typing import Protocol

from attrs import frozen

from bridge.secret import Secret

SERVER_MECHANISMS = ("PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER")
"""In the order in which they are announced; many programs take the first one they know."""

_SEPARATOR = b"\x01"
_SCHEME = b"bearer "
# RFC 6750, section 2.1, is narrower; the point here is that nothing invisible passes.
_TOKEN = re.compile(rb"[\x21-\x7e]+")
_ESCAPES = {b"2C": b",", b"3D": b"="}


class SaslError(Exception):
    """This login is refused; the text says why, to the client, and holds nothing of what it sent."""


@frozen
class Challenge:
    """To be sent to the client, whose answer is the next step. Often empty."""

    octets: bytes


@frozen
class Credentials:
    """`bearer`: the secret is an access token rather than a password."""

    login: bytes
    secret: Secret
    mechanism: str
    bearer: bool


class ServerExchange(Protocol):
    def step(self, response: bytes | None) -> Challenge | Credentials:
        """The client's next response; None at the beginning, when it sent none. SaslError: refused."""


def start(mechanism: str) -> ServerExchange:
    match mechanism.upper():
        case "PLAIN":
            return _Plain()
        case "LOGIN":
            return _Login()
        case "XOAUTH2":
            return _XOAuth2()
        case "OAUTHBEARER":
            return _OAuthBearer()
        case _:
            raise SaslError("this mechanism is not available")


def check_credential(login: bytes, secret: bytes) -> None:
    """SaslError unless both can be passed on: neither is empty, no line's end and no NUL is hidden inside."""
    for octets, what in ((login, "user name"), (secret, "password or token")):
        if not octets:
            raise SaslError(f"the {what} is empty")
        if any(forbidden in octets for forbidden in (b"\r", b"\n", b"\0")):
            raise SaslError(f"the {what} holds a control character")


class _Plain:
    """RFC 4616: authzid NUL authcid NUL password."""

    def step(self, response: bytes | None) -> Challenge | Credentials:
        if response is None:
            return Challenge(b"")
        fields = response.split(b"\0")
        if len(fields) != 3:
            raise SaslError("a PLAIN response has three fields")
        authzid, authcid, password = fields
        if authzid not in (b"", authcid):
            raise SaslError("to log in for somebody else is not possible here")
        return _verified(authcid, password, "PLAIN")


class _Login:
    """draft-murchison-sasl-login: two prompts, whose words some clients compare (Outlook among them)."""

    def __init__(self) -> None:
        self._login: bytes | None = None

    def step(self, response: bytes | None) -> Challenge | Credentials:
        if response is None:
            return Challenge(b"Username:")
        if self._login is None:
            self._login = response
            return Challenge(b"Password:")
        return _verified(self._login, response, "LOGIN")


class _XOAuth2:
    """Google's mechanism, also Microsoft's: `user=` name ^A `auth=Bearer ` token ^A ^A."""

    def step(self, response: bytes | None) -> Challenge | Credentials:
        if response is None:
            return Challenge(b"")
        pairs = _pairs(response, "XOAUTH2")
        return _verified_token(pairs.get(b"user", b""), pairs, "XOAUTH2")


class _OAuthBearer:
    """RFC 7628: a GS2 header with the user's name, then pairs as in XOAUTH2 (`host` and `port` are not needed here)."""

    def step(self, response: bytes | None) -> Challenge | Credentials:
        if response is None:
            return Challenge(b"")
        header, separator, pairs = response.partition(_SEPARATOR)
        login = _gs2_authzid(header)
        if not separator:
            raise SaslError("an OAUTHBEARER response has pairs behind its header")
        if not login:
            raise SaslError("OAUTHBEARER needs the user name in its header (a=)")
        return _verified_token(login, _pairs(pairs, "OAUTHBEARER"), "OAUTHBEARER")


def _verified(login: bytes, password: bytes, mechanism: str) -> Credentials:
    check_credential(login, password)
    return Credentials(login, Secret(password), mechanism, bearer=False)


def _verified_token(login: bytes, pairs: dict[bytes, bytes], mechanism: str) -> Credentials:
    authorization = pairs.get(b"auth", b"")
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        raise SaslError(f"{mechanism} needs a bearer token (auth=Bearer …)")
    token = authorization[len(_SCHEME) :].strip(b" ")
    check_credential(login, token)
    if not _TOKEN.fullmatch(token):
        raise SaslError("the token holds something that no token has")
    return Credentials(login, Secret(token), mechanism, bearer=True)


def _pairs(octets: bytes, mechanism: str) -> dict[bytes, bytes]:
    """Key=value pairs, each ended by ^A, the last by two; a key comes once."""
    if not octets.endswith(_SEPARATOR * 2):
        raise SaslError(f"the {mechanism} response does not end as it should")
    pairs: dict[bytes, bytes] = {}
    for pair in octets[:-2].split(_SEPARATOR):
        key, equals, value = pair.partition(b"=")
        if not equals or key in pairs:
            raise SaslError(f"the {mechanism} response is not made of key=value pairs")
        pairs[key] = value
    return pairs


def _gs2_authzid(header: bytes) -> bytes:
    """The name in a GS2 header (RFC 5801, section 4): `n,a=name,`; empty where there is none."""
    fields = header.split(b",")
    if len(fields) != 3 or fields[2] or (fields[1] and not fields[1].startswith(b"a=")):
        raise SaslError("the GS2 header is broken")
    if fields[0] not in (b"n", b"y"):
        raise SaslError("channel binding is not available here")
    head, *escaped = fields[1].removeprefix(b"a=").split(b"=")
    if any(piece[:2] not in _ESCAPES for piece in escaped):
        raise SaslError("the user name in the GS2 header is not encoded as it should be")
    return head + b"".join(_ESCAPES[piece[:2]] + piece[2:] for piece in escaped)


def failure_challenge(mechanism: str) -> bytes | None:
    """What to send when a token was refused, before the client's empty answer and the -ERR. None: just the -ERR."""
    match mechanism:
        case "XOAUTH2":
            return b'{"status":"401","schemes":"bearer","scope":""}'
        case "OAUTHBEARER":  # RFC 7628, section 3.2.2
            return b'{"status":"invalid_token"}'
        case _:
            return None


def failure_answer(mechanism: str) -> bytes:
    """What a client answers to such a challenge: ^A (RFC 7628, section 3.2.3), for XOAUTH2 nothing."""
    return _SEPARATOR if mechanism == "OAUTHBEARER" else b""


def initial_response(
    mechanism: str, credentials: Credentials, *, host: str | None = None, port: int | None = None
) -> Secret:
    """The whole proof in one response: PLAIN, XOAUTH2, or OAUTHBEARER, which may name `host` and `port` too."""
    login, secret = credentials.login, credentials.secret.reveal()
    check_credential(login, secret)
    match mechanism:
        case "PLAIN":
            return Secret(b"\0" + login + b"\0" + secret)
        case "XOAUTH2":
            _without_separator(login, secret)
            return Secret(b"user=%s\x01auth=Bearer %s\x01\x01" % (login, secret))
        case "OAUTHBEARER":
            _without_separator(login, secret)
            authzid = login.replace(b"=", b"=3D").replace(b",", b"=2C")
            where = f"host={host}\x01".encode("ascii") if host is not None else b""
            where += f"port={port}\x01".encode("ascii") if port is not None else b""
            return Secret(b"n,a=%s,\x01%sauth=Bearer %s\x01\x01" % (authzid, where, secret))
        case _:
            raise SaslError(f"{mechanism} has no initial response")


def client_steps(
    mechanism: str, credentials: Credentials, *, host: str | None = None, port: int | None = None
) -> tuple[Secret, ...]:
    """The answers to the server's challenges, in their order: two for LOGIN, one for the others."""
    if mechanism != "LOGIN":
        return (initial_response(mechanism, credentials, host=host, port=port),)
    check_credential(credentials.login, credentials.secret.reveal())
    return (Secret(credentials.login), credentials.secret)


def _without_separator(login: bytes, secret: bytes) -> None:
    if _SEPARATOR in login or _SEPARATOR in secret:
        raise SaslError("the user name or token holds a control character")
