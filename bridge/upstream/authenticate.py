"""Logging in upstream with what the client gave us, and telling a wrong password from a server in trouble (S23)."""

from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress

from bridge import sasl
from bridge.imap.client import Client
from bridge.imap.commands import Authenticate, Capability, Login
from bridge.imap.responses import Status, StatusKind
from bridge.imap.wordings import known
from bridge.maildrop.errors import CredentialsRefused, Trouble, UpstreamUnavailable, UpstreamUnsuitable
from bridge.sasl import Credentials
from bridge.secret import Secret
from bridge.upstream.imap_connection import Answer, ImapConnection
from bridge.upstream.in_words import trouble

PASSING = frozenset({"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "THROTTLED", "OVERQUOTA"})
"""RFC 9051, section 7.1, and Gmail's THROTTLED: a NO with one of these says nothing about the password."""

LASTING = frozenset({"PRIVACYREQUIRED", "CONTACTADMIN"})
"""A NO with one of these needs a person, and no other password will help."""


async def log_in(connection: ImapConnection, credentials: Credentials) -> None:
    """Authenticate; afterwards the capabilities of the logged-in state are known. May raise any Trouble."""
    connection.hide(forms(credentials))
    answer = await _offer(connection, credentials)
    if not answer.ok:
        raise _refusal(answer.status)
    if not connection.client.capabilities_known:
        await connection.ask(Capability())  # Courier does not volunteer them
    connection.hide(())


async def _offer(connection: ImapConnection, credentials: Credentials) -> Answer:
    mechanism = _mechanism(connection.client, credentials)
    if mechanism is None:
        return await connection.ask(Login(credentials.login, credentials.secret))
    if mechanism == "LOGIN":
        steps = iter(sasl.client_steps("LOGIN", credentials))
        return await connection.ask(
            Authenticate("LOGIN", None), challenged=lambda _: connection.client.respond(next(steps, None))
        )
    initial = sasl.initial_response(mechanism, credentials)
    return await connection.ask(Authenticate(mechanism, initial), challenged=_give_in(connection, mechanism))


def _give_in(connection: ImapConnection, mechanism: str) -> Callable[[bytes], None]:
    """A challenge after a token is the server's error report (RFC 7628, section 3.2.3): answer it, be refused."""
    return lambda _: connection.client.respond(Secret(sasl.failure_answer(mechanism)))


def _mechanism(client: Client, credentials: Credentials) -> str | None:
    """The SASL mechanism to use, None for the LOGIN command."""
    offered = {name.removeprefix("AUTH=") for name in client.capabilities if name.startswith("AUTH=")}
    if credentials.bearer:
        for mechanism in (credentials.mechanism, "OAUTHBEARER", "XOAUTH2"):
            if mechanism in offered:
                return mechanism
        raise UpstreamUnsuitable("upstream takes no bearer tokens; use a password")
    if "PLAIN" in offered and "SASL-IR" in client.capabilities:
        return "PLAIN"
    if "LOGINDISABLED" not in client.capabilities:
        return None
    for mechanism in ("PLAIN", "LOGIN"):
        if mechanism in offered:
            return mechanism
    raise UpstreamUnsuitable("upstream takes no password here (LOGINDISABLED); use imaps:// or imap+starttls://")


def _refusal(status: Status) -> Trouble:
    code = status.code.name if status.code is not None else ""
    if (wording := known(status.text)) is not None:
        return trouble(wording, status.text)
    if status.kind is StatusKind.BAD:
        return UpstreamUnavailable("upstream did not understand the login", detail=status.text)
    if code in PASSING:
        return UpstreamUnavailable("upstream cannot log anybody in now", detail=status.text)
    if code in LASTING:
        return UpstreamUnsuitable(
            "upstream refuses this account for another reason than its password", detail=status.text
        )
    return CredentialsRefused("user name or password is wrong", detail=status.text)


def forms(credentials: Credentials) -> tuple[str, ...]:
    """How the secret may look in a line of ours that the server quotes: plain, quoted, base64; the longest first."""
    secret = credentials.secret.reveal()
    forms = {secret, secret.replace(b"\\", b"\\\\").replace(b'"', b'\\"'), b64encode(secret)}
    for mechanism in ("PLAIN", "XOAUTH2", "OAUTHBEARER"):
        with suppress(sasl.SaslError):
            forms.add(b64encode(sasl.initial_response(mechanism, credentials).reveal()))
    written = {form.decode(charset, "replace") for form in forms for charset in ("utf-8", "latin-1", "ascii")}
    return tuple(sorted(written, key=len, reverse=True))
