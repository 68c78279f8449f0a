"""The whole bridge from one Config: the only place that knows every part and hands each what it needs."""

import datetime as dt
import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IOpenSSLServerConnectionCreator, IReactorFromThreads

from bridge.accounts.account import Account, OwnLogin
from bridge.accounts.directory import Directory
from bridge.config import Certificate, Config, Endpoint, Listener, OAuth2Grant
from bridge.config.offers import offered
from bridge.credentials import hook
from bridge.credentials.decoys import Decoys, DecoysUnusable, kept_key
from bridge.credentials.hook import run_command
from bridge.credentials.oauth2 import grants_of
from bridge.credentials.passwords import Passwords, apop_name, without_apop
from bridge.credentials.proof import proof_of
from bridge.credentials.vault_file import FileVault, VaultFile
from bridge.credentials.vault_key import key_place
from bridge.credentials.workers import Workers
from bridge.downstream import listener
from bridge.downstream.listener import Sessions
from bridge.downstream.login import Logins
from bridge.downstream.protocol import House, Listening
from bridge.downstream.throttle import Throttle
from bridge.events import (
    ApopWithheld,
    CertificateKept,
    CertificateMade,
    CommandFailed,
    Emit,
    ListenerOpened,
    QuirkMet,
    WireTraced,
)
from bridge.imap.quirks import Quirk
from bridge.maildrop.errors import Trouble
from bridge.maildrop.readahead import Budget
from bridge.maildrop.source import Source
from bridge.names import SessionId
from bridge.postoffice.opening import PostOffice
from bridge.sasl import Credentials
from bridge.state.faults import StateUnusable
from bridge.state.held import HeldStore
from bridge.state.memory import MemoryStore
from bridge.state.sqlite import SqliteStore
from bridge.state.store import Store
from bridge.tls import CertificateUnusable, ServerContext, self_signed
from bridge.upstream import connect
from bridge.upstream.open import Opener
from bridge.upstream.pool import ConnectionPool
from bridge.version import __version__

BACKLOG = 512
"""Connections the kernel holds while we are busy; Twisted's 50 costs bursts of pollers their SYNs."""

IMPLEMENTATION = f"Popbridge-{__version__}"
"""CAPA's word for us (RFC 2449, section 6.9)."""


class Reactor(connect.Reactor, hook.Reactor, IReactorFromThreads):
    """What the bridge needs of Twisted's."""


class Cannot(SystemExit):
    """The bridge cannot start; the text says why."""


class Bridge(Service):
    """Listens from `privilegedStartService` on, so that low ports are bound before privileges are dropped."""

    def __init__(self, config: Config, reactor: Reactor, emit: Emit) -> None:
        self._config = config
        self._reactor = reactor
        self._emit = emit
        self._pool = ConnectionPool(reactor, config.pool)
        budget = Budget(config.limits.read_ahead, config.limits.read_ahead_total)
        self._vault = FileVault.at(config.vault, reactor.seconds)
        self._workers = Workers(reactor)
        self._grants = grants_of(config, reactor, self._vault, emit, self._run_command)
        self._opener = Opener(reactor, config.timeouts, self._pool, budget)
        self._store: Store | None = None
        self._office: PostOffice | None = None
        self.sessions: Sessions | None = None
        self.ports: list[IListeningPort] = []
        self._doors: list[listener.Listener] = []

    def privilegedStartService(self) -> None:
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        _raise_file_limit()
        offers = [offer for settings in self._config.listeners for offer in self._offers(settings)]
        try:
            for endpoint, listening in offers:
                self.ports.append(self._listen(endpoint, listening))
        except Cannot:
            self._stop_listening()
            raise
        for port, (_, listening) in zip(self.ports, offers, strict=True):
            at = cast("IPv4Address | IPv6Address", port.getHost())
            self._emit(ListenerOpened(str(Endpoint(at.host, at.port)), listening.implicit))

    def startService(self) -> None:
        """The state is opened here, with the privileges that stay, and nobody is let in before."""
        super().startService()  # type: ignore[no-untyped-call]
        timeouts = self._config.timeouts
        self._store = HeldStore(self._opened_state(), self._config.pool.memory * 1_000_000)
        self._office = PostOffice(
            self._store,
            self._reactor,
            self._emit,
            quit_wait=timeouts.quit_wait,
            deletion_wait=timeouts.deletion_wait,
        )
        directory = Directory(self._config.passthrough, self._config.accounts)
        logins = Logins(
            directory,
            self._source,
            self._office,
            Throttle(self._reactor),
            self._reactor,
            login_wait=timeouts.login_wait,
            passwords=self._passwords(directory.own) if directory.own else None,
            offers_apop=bool(directory.own and not self._config.passthrough) and self._offers_apop(directory.own),
        )
        house = House(
            self._reactor, self._emit, logins, timeouts, self._config.limits, IMPLEMENTATION, self._config.trace
        )
        self.sessions = Sessions(house)
        for door in self._doors:
            door.let_into(self.sessions)

    def stopService(self) -> "Deferred[Any]":
        """No new session; those that are open are told; a QUIT that has begun is waited for, the journal keeps more."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        stopping = self._stop_listening()
        if self.sessions is not None:
            stopping.append(self.sessions.shut("the server stopped"))
        await DeferredList(stopping)
        if self._office is not None:
            self._office.stop()
        await self._pool.stop()
        await self._grants.stop()
        self._workers.stop()
        if self._store is not None:
            await self._store.close()

    def _passwords(self, own: tuple[OwnLogin, ...]) -> Passwords:
        state = self._config.state
        try:
            key = kept_key(state.parent if state is not None else self._config.base)
        except DecoysUnusable as error:
            self._stop_listening()
            raise Cannot(str(error)) from None
        return Passwords(self._reactor, self._workers, Decoys(key, own), self._vault)

    def _offers_apop(self, own: tuple[OwnLogin, ...]) -> bool:
        """Asked before the first client comes: what the greeting offers has to hold for everybody (S25)."""
        vault = VaultFile(self._config.vault.file, key_place(self._config.vault.key))
        try:
            lacking = without_apop(own, vault.dates())
            if not lacking:  # a vault whose key is lost has passwords that are worth nothing
                vault.get(apop_name(own[0].passwords[0].hash))
        except Trouble as trouble:
            self._emit(ApopWithheld(str(trouble)))
            return False
        if 0 < len(lacking) < sum(len(one.passwords) for one in own):
            self._emit(ApopWithheld(f"the vault has no password of {', '.join(lacking[:10])}"))
        return not lacking

    def _opened_state(self) -> Store:
        if self._config.state is None:
            return MemoryStore()
        try:
            return SqliteStore.open(self._config.state, self._reactor)
        except StateUnusable as error:
            self._stop_listening()
            raise Cannot(str(error)) from None

    def _stop_listening(self) -> "list[Deferred[Any]]":
        stopping = [maybeDeferred(port.stopListening) for port in self.ports]
        self.ports.clear()
        return stopping

    def _source(self, account: Account, given: Credentials | None, session: SessionId) -> Source:
        def trace(direction: str, line: str) -> None:
            self._emit(WireTraced(session, direction, line))

        def on_quirk(quirk: Quirk) -> None:
            self._emit(QuirkMet(session, quirk.name))

        proof = proof_of(account, given, self._vault, self._grants)
        return self._opener.source(account, proof, trace=trace if self._config.trace else None, on_quirk=on_quirk)

    def _run_command(self, grant: OAuth2Grant) -> None:
        def failed(reason: str) -> None:
            self._emit(CommandFailed(grant.name, reason))

        if grant.command:
            run_command(self._reactor, grant.command, grant.name, failed)

    def _offers(self, settings: Listener) -> Iterator[tuple[Endpoint, Listening]]:
        tls = self._tls(settings)
        nul = b"\x80" if settings.nul == "replace" else None
        for endpoint, implicit in ((settings.pop3, False), (settings.pop3s, True)):
            if endpoint is not None:
                # A certificate that nobody asked for is for pop3s alone: programs that see STLS use it, and refuse one
                # they do not know.
                offered = tls if implicit or settings.tls is not None else None
                yield endpoint, Listening(offered, implicit, settings.cleartext, self._mechanisms(settings), nul)

    def _mechanisms(self, settings: Listener) -> tuple[str, ...]:
        return offered(settings, self._config.passthrough, self._config.accounts)

    def _tls(self, settings: Listener) -> IOpenSSLServerConnectionCreator | None:
        if settings.tls is None and settings.pop3s is None:
            return None
        try:
            certificate, key = self._pair(settings)
            return ServerContext(certificate, key, lambda error: self._emit(CertificateKept(str(error))))
        except (CertificateUnusable, OSError) as error:
            raise Cannot(f"no TLS: {error}") from error

    def _pair(self, settings: Listener) -> tuple[Path, Path]:
        if isinstance(settings.tls, Certificate):
            return settings.tls.certificate, settings.tls.key
        made = self_signed(self._config.base, socket.gethostname(), dt.datetime.now(dt.UTC))
        self._emit(CertificateMade(str(made.certificate), made.fingerprint))
        return made.certificate, made.key

    def _listen(self, endpoint: Endpoint, listening: Listening) -> IListeningPort:
        factory: Any = listener.Listener(None, listening)  # Twisted types listenTCP for ServerFactory only
        try:
            # An empty host means both families: one IPv6 socket takes IPv4 too, unless the machine has no IPv6.
            port = self._reactor.listenTCP(endpoint.port, factory, BACKLOG, endpoint.host or "::")
        except CannotListenError as error:
            if not endpoint.host:
                return self._listen(Endpoint("0.0.0.0", endpoint.port), listening)  # noqa: S104  what the owner asked for
            why = getattr(error.socketError, "strerror", None) or error.socketError
            raise Cannot(f"cannot listen on {endpoint}: {why}") from error
        self._doors.append(factory)
        return port


def _raise_file_limit() -> None:
    """Two descriptors a session; the soft limit of 1,024 that most systems set is meant for select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
