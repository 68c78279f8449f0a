"""From a POP3 server's address to a session that is logged in: greeting, TLS, capabilities, credentials (S23, S29).

STLS is asked for without asking first whether it is there, and nothing that was said in clear is believed. A token
goes in two steps, since Exchange Online hangs up where it comes in AUTH's own line.
"""

import re
from collections.abc import Callable

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

from bridge import sasl
from bridge.config import Timeouts, Upstream
from bridge.imap.wordings import known
from bridge.maildrop.errors import (
    CredentialsRefused,
    MaildropInUse,
    Trouble,
    UpstreamUnavailable,
    UpstreamUnsuitable,
    UpstreamUntrusted,
)
from bridge.pop3.answers import Status
from bridge.pop3.commands import Auth, Capa, Pass, Stls, User, Utf8
from bridge.sasl import Credentials
from bridge.secret import Secret
from bridge.upstream.authenticate import forms
from bridge.upstream.connect import Reactor, dial, explained, greeting, place
from bridge.upstream.in_words import trouble
from bridge.upstream.pop3_connection import Answer, Pop3Connection

_BUSY = re.compile(
    r"\b(?:lock|locked|in use|busy|wait|later|again in|temporar\w*|unavailable|too (?:many|often))\b", re.IGNORECASE
)
"""How servers without response codes say that it is not the password; fetchmail goes by much the same words."""


async def connect(
    reactor: Reactor,
    upstream: Upstream,
    tls: IOpenSSLClientConnectionCreator,
    timeouts: Timeouts,
    make: Callable[[], Pop3Connection],
) -> Pop3Connection:
    """A connection that is not logged in, with capabilities known, or a Trouble."""
    connection = await dial(reactor, upstream, tls, timeouts, make)
    try:
        status = await greeting(reactor, connection.greeted, upstream, timeouts)
        if not status.ok:
            raise UpstreamUnavailable(f"{place(upstream)} turned the connection away", detail=status.text)
        if upstream.security == "starttls":
            answer = await connection.ask(Stls())
            if not answer.status.ok:
                raise UpstreamUntrusted(
                    f"{place(upstream)} offers no STLS; use pop3s:// if it has a TLS port", detail=answer.status.text
                )
            connection.start_tls(tls)
        await connection.ask(Capa())  # where TLS has just begun, this proves that the certificate was verified
    except Trouble as trouble:
        connection.abandon()
        raise explained(trouble, upstream) from trouble
    except CancelledError:
        connection.abandon()
        raise
    return connection


async def log_in(connection: Pop3Connection, credentials: Credentials) -> None:
    """May raise any Trouble."""
    connection.hide(forms(credentials))
    if "UTF8" in connection.client.capabilities:
        # RFC 6856. Without it Courier 5.0 shows a stand-in for every message with 8-bit octets in its header.
        await connection.ask(Utf8())
    answer = await _offer(connection, credentials)
    if not answer.status.ok:
        raise _refusal(answer.status)
    connection.hide(())


async def _offer(connection: Pop3Connection, credentials: Credentials) -> Answer:
    mechanism = _mechanism(connection, credentials)
    if mechanism is None:
        answer = await connection.ask(User(credentials.login))
        return await connection.ask(Pass(credentials.secret)) if answer.status.ok else answer
    steps = iter(sasl.client_steps(mechanism, credentials))
    # After its token a challenge is the server's error report (RFC 7628, section 3.2.3): answer it, be refused.
    last = Secret(sasl.failure_answer(mechanism)) if credentials.bearer else None
    return await connection.ask(Auth(mechanism), challenged=lambda _: connection.client.respond(next(steps, last)))


def _mechanism(connection: Pop3Connection, credentials: Credentials) -> str | None:
    """The SASL mechanism to use, None for USER and PASS."""
    has = connection.client.capabilities
    offered = has.get("SASL", ())
    if credentials.bearer:
        for mechanism in (credentials.mechanism, "OAUTHBEARER", "XOAUTH2"):
            if mechanism in offered:
                return mechanism
        raise UpstreamUnsuitable("upstream takes no bearer tokens; use a password")
    if "USER" in has:
        return None
    return next((mechanism for mechanism in ("PLAIN", "LOGIN") if mechanism in offered), None)


def _refusal(status: Status) -> Trouble:
    """RFC 2449, section 8, and RFC 3206; by the words where they are known to say more, or where there is no code."""
    if (wording := known(status.text)) is not None:
        return trouble(wording, status.text)
    match status.code:
        case "IN-USE":
            return MaildropInUse(
                "another session has this mailbox open; try again when it has ended", detail=status.text
            )
        case "SYS/TEMP" | "LOGIN-DELAY":
            return UpstreamUnavailable("upstream lets nobody in now; try again later", detail=status.text)
        case "SYS/PERM":
            return UpstreamUnsuitable(
                "upstream refuses this account for another reason than its password", detail=status.text
            )
        case "AUTH":
            pass
        case _ if _BUSY.search(status.text):
            return UpstreamUnavailable("upstream lets nobody in now; try again later", detail=status.text)
        case _:
            pass
    return CredentialsRefused("user name or password is wrong", detail=status.text)
