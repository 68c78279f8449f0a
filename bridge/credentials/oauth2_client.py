"""One application at one authorization server: each way to ask it for tokens, and what it may answer instead."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote_plus
from uuid import uuid4

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThread

from bridge.config import OAuth2Grant, Reference
from bridge.config.presets import AuthorizationServer, authorization_server
from bridge.credentials.oauth2_answers import (
    DeviceCodes,
    ErrorAnswer,
    Garbled,
    Tokens,
    read_device_codes,
    read_tokens,
    shown,
)
from bridge.credentials.oauth2_assertions import Unsignable, client_assertion, service_assertion
from bridge.credentials.oauth2_http import Answer, NoAnswer, Posting
from bridge.secret import Secret

T = TypeVar("T")
Form = dict[str, str | Secret]
Resolve = Callable[[Reference], Awaitable[Secret]]
"""From where a secret is found to the secret; may raise a Trouble."""

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_LARGEST_CERTIFICATE = 64 * 1024


class NoTokens(Exception):
    """None came, which may pass: the text says why. `retry_after`: seconds that the server asked for."""

    def __init__(self, text: str, *, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Refused(NoTokens):
    """The server understood and refuses; `code` is its word for it."""

    def __init__(self, code: str, description: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"{code} ({description})" if description else code, retry_after=retry_after)
        self.code = code


@frozen
class Client:
    grant: OAuth2Grant
    server: AuthorizationServer
    posting: Posting
    resolve: Resolve
    clock: IReactorTime

    @classmethod
    def of(cls, grant: OAuth2Grant, posting: Posting, resolve: Resolve, clock: IReactorTime) -> "Client":
        return cls(grant, authorization_server(grant), posting, resolve, clock)

    async def refreshed(self, refresh: Secret) -> Tokens:
        """RFC 6749, section 6. Each of these raises NoTokens, and what `resolve` raises."""
        return await self._tokens({"grant_type": "refresh_token", "refresh_token": refresh})

    async def exchanged(self, code: Secret, redirect: str, verifier: Secret) -> Tokens:
        """RFC 6749, section 4.1.3, with RFC 7636."""
        form: Form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect}
        return await self._tokens({**form, "code_verifier": verifier})

    async def own(self) -> Tokens:
        """RFC 6749, section 4.4: in nobody's name."""
        return await self._tokens({"grant_type": "client_credentials", "scope": " ".join(self.server.own_scopes)})

    async def as_service(self, login: str) -> Tokens:
        """RFC 7523, section 2.1."""
        assert self.grant.service_account is not None
        account = await self.resolve(self.grant.service_account)
        now, server = self.clock.seconds(), self.server
        assertion = await _signing(lambda: service_assertion(account, login, server.token, server.own_scopes, now))
        return await self._tokens({"grant_type": JWT_BEARER, "assertion": assertion})

    async def device_codes(self) -> DeviceCodes:
        """RFC 8628, section 3.1."""
        address = self.server.device or ""
        form: Form = {"client_id": self.grant.client_id or "", "scope": " ".join(self.server.scopes)}
        answer, sent = await self._posted(address, {**form, **await self._proof()})
        return _understood(answer, sent, read_device_codes, address)

    async def polled(self, codes: DeviceCodes) -> Tokens:
        """RFC 8628, section 3.4."""
        return await self._tokens({"grant_type": DEVICE_CODE, "device_code": codes.device})

    async def _tokens(self, form: Form) -> Tokens:
        answer, sent = await self._posted(self.server.token, {**form, **await self._proof()})
        return _understood(answer, sent, read_tokens, self.server.token)

    async def _proof(self) -> Form:
        """Who asks (RFC 6749, section 2.3); a public client only says its name."""
        grant = self.grant
        if grant.client_id is None:
            return {}
        proof: Form = {"client_id": grant.client_id}
        if grant.client_secret is not None:
            return {**proof, "client_secret": await self.resolve(grant.client_secret)}
        if grant.certificate is None or grant.private_key is None:
            return proof
        key = await self.resolve(grant.private_key)
        client_id, file, audience, now = grant.client_id, grant.certificate, self.server.token, self.clock.seconds()
        assertion = await _signing(lambda: client_assertion(client_id, audience, _read(file), key, now, str(uuid4())))
        return {**proof, "client_assertion_type": _ASSERTION_TYPE, "client_assertion": assertion}

    async def _posted(self, address: str, form: Form) -> tuple[Answer, Form]:
        try:
            return await self.posting.post(address, form), form
        except NoAnswer as error:
            raise NoTokens(str(error)) from None


def _understood(
    answer: Answer, sent: Mapping[str, str | Secret], read: Callable[[bytes], T | ErrorAnswer], address: str
) -> T:
    host = address.partition("://")[2].partition("/")[0]
    try:
        said = read(answer.octets)
    except Garbled as error:
        raise NoTokens(f"{host} answered {answer.status}, but {error}", retry_after=answer.retry_after) from None
    if isinstance(said, ErrorAnswer):
        raise Refused(said.code, _without(sent, said.description), retry_after=answer.retry_after)
    if not 200 <= answer.status < 300:
        raise NoTokens(f"{host} answered {answer.status}", retry_after=answer.retry_after)
    return said


def _without(sent: Mapping[str, str | Secret], text: str) -> str:
    """Servers quote what they refuse, or what was sent. It is cut short after that: of a secret no half is left."""
    for value in sent.values():
        if isinstance(value, Secret):
            plain = value.reveal().decode("utf-8", "replace")
            text = text.replace(plain, "…").replace(quote_plus(plain), "…")
    return shown(text)


async def _signing(sign: Callable[[], Secret]) -> Secret:
    try:
        return await deferToThread(sign)
    except Unsignable as error:
        raise NoTokens(str(error)) from None


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_LARGEST_CERTIFICATE)
    except OSError as error:
        raise NoTokens(f"{file} cannot be read ({error.strerror})") from None
