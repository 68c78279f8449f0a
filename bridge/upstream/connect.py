"""From an upstream's address to a connection that has greeted us, its TLS verified (S29, S31).

No credential is in here: whatever goes wrong, nothing secret was sent.
"""

from collections.abc import Callable
from typing import TypeVar, cast

from OpenSSL.SSL import Error as TlsError
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.error import TimeoutError as AttemptTimedOut
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol

from bridge.config import Timeouts, Upstream
from bridge.imap.commands import Capability, Starttls
from bridge.imap.responses import Status, StatusKind
from bridge.maildrop.errors import Trouble, UpstreamUnavailable, UpstreamUntrusted
from bridge.tls import CertificateRejected
from bridge.upstream.imap_connection import ImapConnection

P = TypeVar("P", bound=Protocol)
S = TypeVar("S")


REMEDY = "name its authority with ca =, or pin it with pin ="
"""For a certificate that is not trusted, in a configuration file."""


class _Quiet(Factory):
    """Twisted would log two lines for each connection."""

    noisy = False


class Reactor(IReactorTCP, IReactorTime, IReactorPluggableNameResolver):
    """What connecting needs of the reactor."""


async def connect(
    reactor: Reactor,
    upstream: Upstream,
    tls: IOpenSSLClientConnectionCreator,
    timeouts: Timeouts,
    make: Callable[[], ImapConnection],
) -> ImapConnection:
    """A connection in the not-authenticated state with capabilities known, or a Trouble."""
    connection = await dial(reactor, upstream, tls, timeouts, make)
    try:
        _welcomed(await greeting(reactor, connection.greeted, upstream, timeouts), upstream)
        if upstream.security == "starttls":
            await _start_tls(connection, upstream, tls)
        elif not connection.client.capabilities_known:
            await connection.ask(Capability())
    except Trouble as trouble:
        connection.abandon()
        raise explained(trouble, upstream) from trouble
    except CancelledError:
        connection.abandon()
        raise
    return connection


async def dial(
    reactor: Reactor,
    upstream: Upstream,
    tls: IOpenSSLClientConnectionCreator,
    timeouts: Timeouts,
    make: Callable[[], P],
) -> P:
    """Connected, with TLS where it begins with that; nothing was said yet."""
    endpoint: IStreamClientEndpoint = HostnameEndpoint(reactor, upstream.host, upstream.port, timeout=timeouts.connect)
    if upstream.security == "tls":
        endpoint = wrapClientTLS(tls, endpoint)
    waiting = endpoint.connect(_Quiet.forProtocol(make))
    waiting.addTimeout(timeouts.connect, reactor, onTimeoutCancel=_too_late)
    try:
        return cast("P", await waiting)
    except ConnectingCancelledError as error:
        raise CancelledError from error  # Twisted's own word for it would pass for a bug
    except DNSLookupError as error:
        raise UpstreamUnavailable(f"the host name {upstream.host} is unknown; check it, or the name server") from error
    except (ConnectError, TimedOut) as error:
        raise UpstreamUnavailable(f"{place(upstream)} does not answer: {_said(error)}") from error


async def greeting(clock: IReactorTime, greeted: "Deferred[S]", upstream: Upstream, timeouts: Timeouts) -> S:
    """What it said, in time."""
    greeted.addTimeout(timeouts.greeting, clock)
    try:
        return await greeted
    except TimedOut as error:
        raise UpstreamUnavailable(f"{place(upstream)} did not greet within {timeouts.greeting:g} seconds") from error


def _welcomed(status: Status, upstream: Upstream) -> None:
    match status.kind:
        case StatusKind.OK:
            return
        case StatusKind.BYE:
            raise UpstreamUnavailable(f"{place(upstream)} turned the connection away", detail=status.text)
        case _:
            # PREAUTH: whoever connects is somebody already. No password would be checked, and without TLS
            # anyone on the way could have said it (S29).
            raise UpstreamUntrusted(f"{place(upstream)} lets everybody in without a password (PREAUTH); not used")


async def _start_tls(connection: ImapConnection, upstream: Upstream, tls: IOpenSSLClientConnectionCreator) -> None:
    if not connection.client.capabilities_known:
        await connection.ask(Capability())
    if "STARTTLS" not in connection.client.capabilities:
        raise UpstreamUntrusted(f"{place(upstream)} offers no STARTTLS; use imaps:// if it has a TLS port")
    answer = await connection.ask(Starttls())
    if not answer.ok:
        raise UpstreamUntrusted(f"{place(upstream)} refused STARTTLS", detail=answer.status.text)
    connection.start_tls(tls)
    # What was learned in clear is forgotten; the answer also proves that the certificate was verified.
    await connection.ask(Capability())


def explained(trouble: Trouble, upstream: Upstream) -> Trouble:
    """Where TLS ended the connection, say so and what to do: it is no passing trouble."""
    cause = trouble.__cause__
    if isinstance(cause, CertificateRejected):
        return UpstreamUntrusted(f"{place(upstream)} is not trusted: {cause}; {REMEDY}")
    if not isinstance(cause, TlsError):
        return trouble
    reasons = "; ".join(str(entry[2]) for entry in (cause.args[0] if cause.args else ())) or "no reason given"
    if "wrong version number" in reasons or "packet length too long" in reasons:
        return UpstreamUntrusted(f"{place(upstream)} does not speak TLS there; try {upstream.protocol}+starttls://")
    return UpstreamUnavailable(f"TLS with {place(upstream)} failed: {reasons}")


def _too_late(_: object, seconds: float) -> None:
    """Whatever the endpoint makes of being cancelled, such as "no such host": it was our clock."""
    raise TimedOut(seconds, "no answer")


def place(upstream: Upstream) -> str:
    return f"{upstream.host} port {upstream.port}"


def _said(error: Exception) -> str:
    if isinstance(error, TimedOut | AttemptTimedOut):
        return "no answer in time"
    return str(error).rstrip(".")
