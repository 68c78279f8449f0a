"""What each POP3 command does, and what it answers. It reads downwards; bytes and sockets are elsewhere.

An answer is octets, pieces of a long list, or a coroutine where upstream is asked. The session writes them in
order and asks for nothing more until the answer before is complete.
"""

from collections.abc import Coroutine, Iterator
from secrets import token_urlsafe
from typing import Any, Protocol, assert_never

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from bridge import sasl
from bridge.credentials.passwords import Evidence
from bridge.downstream.delivery import Line
from bridge.downstream.login import Logins
from bridge.downstream.refusals import refused, refused_login
from bridge.downstream.retrieval import Cut, Doings, Retrieval
from bridge.events import DeletionRefused as DeletionRefusedEvent
from bridge.events import Emit, LoginRefused, LoginSucceeded
from bridge.maildrop.errors import (
    CredentialsRefused,
    DeletionRefused,
    LoginsSlowed,
    Trouble,
)
from bridge.names import MessageNumber, SessionId
from bridge.passwords import scram
from bridge.passwords.apop import Digest
from bridge.passwords.scram import Claim, ScramError
from bridge.pop3 import commands
from bridge.pop3.commands import decode_initial
from bridge.pop3.replies import ResponseCode, blocks, continuation, err, multiline, ok
from bridge.pop3.server import LANGUAGES, Refused, Request, SaslCancelled, SaslResponse, Server, State
from bridge.postoffice.gathering import Gathering
from bridge.postoffice.visit import Visit
from bridge.sasl import Challenge, Credentials, SaslError
from bridge.secret import Secret


@frozen
class StartTls:
    """This reply, then the handshake."""

    reply: bytes


InParts = Iterator[bytes] | StartTls | Coroutine[Any, Any, "bytes | Cut"]
Answer = bytes | InParts


@frozen
class Rules:
    """What the owner decided about sessions."""

    nul: bytes | None
    refused_logins: int
    refused_delay: float


class Connection(Line, Protocol):
    """What the dialogue needs of the session it serves."""

    address: str

    def drained(self) -> "Deferred[None]":
        """Fires when everything written so far has left the process; never when the client is gone first."""


class Dialogue:
    """One client's session from greeting to QUIT."""

    def __init__(
        self,
        session: SessionId,
        server: Server,
        connection: Connection,
        logins: Logins,
        clock: IReactorTime,
        emit: Emit,
        rules: Rules,
    ) -> None:
        self.over = False
        """Set when the connection is to be closed behind the present answer, or is gone."""
        self.committed = False
        """Set when QUIT's deletions have begun: from then on they are carried through (S16)."""
        self.visit: Visit | Gathering | None = None
        self.did = Doings()
        self._session = session
        self._server = server
        self._connection = connection
        self._logins = logins
        self._clock = clock
        self._emit = emit
        self._rules = rules
        self._retrieval: Retrieval | None = None  # from the login on
        self._exchange: sasl.ServerExchange | scram.Exchange | None = None
        self._after_challenge = b""
        self._own_name = ""
        self._let_in: LoginSucceeded | None = None  # behind the client's answer to the last challenge
        self._refusals = 0

    @property
    def login(self) -> str | None:
        """Who logged in, as it is said upstream or, of an account of the bridge's own, here; None before."""
        if self.visit is None:
            return None
        return self._own_name or self.visit.user

    def answer(self, request: Request) -> Answer:
        try:
            if self._retrieval is not None:
                # By class, which takes less time than a pattern: thousands of these come at once.
                if isinstance(request, commands.Retr):
                    return self._retrieval.retrieve(request.number)
                if isinstance(request, commands.Top):
                    return self._retrieval.top(request.number, request.lines)
                if isinstance(request, commands.Dele):
                    return self._mark(request.number)
            return self._answer(request)
        except Trouble as trouble:
            return refused(trouble)

    def _answer(self, request: Request) -> Answer:
        match request:
            case Refused(text, code, fatal):
                self._exchange = None
                self._after_challenge = b""
                self._withdraw()
                self.over = fatal
                return err(text, code)
            case commands.Capa():
                return multiline("what this server can do", self._server.capabilities())
            case commands.Utf8():
                return ok("UTF-8 it is")
            case commands.Lang(None):
                return multiline("languages", LANGUAGES)
            case commands.Lang(_):
                return ok("en English it is")
            case commands.Quit():
                return self._quit()
            case _ if self._server.state is State.AUTHORIZATION:
                return self._before_login(request)
            case _:
                return self._after_login(request)

    # Before the login.

    def _before_login(self, request: Request) -> Answer:
        match request:
            case commands.Stls():
                return StartTls(ok("begin the TLS handshake"))
            case commands.User():
                return ok("send PASS")
            case commands.Pass(password):
                assert self._server.login is not None, "the table lets PASS through behind USER only"
                return self._checked(Credentials(self._server.login, password, "USER", bearer=False))
            case commands.Auth(None):
                return multiline("mechanisms", [name.encode("ascii") for name in self._server.mechanisms])
            case commands.Auth(str(mechanism), initial):
                self._exchange = self._started(mechanism)
                return self._step(decode_initial(initial) if initial is not None else None)
            case commands.Apop(name, digest):
                assert self._server.timestamp is not None, "the table lets APOP through where it was offered only"
                return self._log_in(Digest(name, self._server.timestamp, digest))
            case SaslResponse() if self._let_in is not None:
                return self._enter(self._let_in)
            case SaslResponse() if self._after_challenge:
                return self._take_after_challenge()
            case SaslCancelled() if self._after_challenge:
                return self._take_after_challenge()
            case SaslResponse(octets):
                return self._step(octets)
            case SaslCancelled():
                self._exchange = None
                self._withdraw()
                return err("authentication cancelled")
            case _:
                return err("log in first")

    def _started(self, mechanism: str) -> sasl.ServerExchange | scram.Exchange:
        if mechanism == scram.MECHANISM:
            return scram.Exchange(token_urlsafe(24).encode("ascii"), self._logins.scram_keys)
        return sasl.start(mechanism)

    def _step(self, response: Secret | None) -> Answer:
        assert self._exchange is not None
        try:
            outcome = self._exchange.step(response.reveal() if response is not None else None)
        except (SaslError, ScramError) as error:
            self._exchange = None
            return self._refuse_at_once(str(error))
        match outcome:
            case Challenge(octets) | bytes(octets):
                self._server.expect_response()
                return continuation(octets)
            case Credentials():
                self._exchange = None
                return self._checked(outcome)
            case Claim():
                self._exchange = None
                return self._log_in(outcome)
            case _:
                assert_never(outcome)

    def _checked(self, credentials: Credentials) -> Answer:
        """Nothing that could break upstream's protocol goes there (S27)."""
        try:
            sasl.check_credential(credentials.login, credentials.secret.reveal())
        except SaslError as error:
            return self._refuse_at_once(str(error))
        return self._log_in(credentials)

    def _refuse_at_once(self, text: str) -> bytes:
        self._count_refusal()
        return err(text, ResponseCode.AUTH)

    async def _log_in(self, evidence: Evidence) -> "bytes | Cut":
        try:
            opened = await self._logins.log_in(self._connection.address, evidence, self._session)
        except Trouble as trouble:
            reply = self._login_refused(evidence, trouble)
            if isinstance(trouble, CredentialsRefused | LoginsSlowed):
                await deferLater(self._clock, self._rules.refused_delay)  # so that guessing takes its time (S23)
            return reply
        self.visit, drop = opened.visit, opened.visit.maildrop
        name = f"{_shown(evidence)} ({opened.device})" if opened.device else _shown(evidence)
        self._own_name = name if opened.device is not None else ""
        succeeded = LoginSucceeded(self._session, name, evidence.mechanism, drop.count, drop.octets)
        if not opened.farewell:
            return self._enter(succeeded)
        self._let_in = succeeded
        self._server.expect_response()
        return continuation(opened.farewell)

    def _enter(self, succeeded: LoginSucceeded) -> bytes:
        assert self.visit is not None
        self._let_in = None
        self._retrieval = Retrieval(
            self._session, self, self._connection, self._server, self.visit, self._emit, self._rules.nul
        )
        self._server.log_in_succeeded()
        self._emit(succeeded)
        return ok(f"logged in, {_messages(succeeded.messages)} ({succeeded.octets} octets)")

    def _withdraw(self) -> None:
        """The client did not answer the last challenge as one that wants in: it may not trust us."""
        if self._let_in is not None and self.visit is not None:
            self.visit.leave()
            self.visit = self._let_in = None
            self._server.log_in_failed()

    def _login_refused(self, evidence: Evidence, trouble: Trouble) -> bytes:
        reason = f"{trouble} ({trouble.detail})" if trouble.detail else str(trouble)
        self._emit(LoginRefused(self._session, _shown(evidence), evidence.mechanism, reason, trouble.temporary))
        self._server.log_in_failed()
        reply = refused_login(trouble)
        if isinstance(trouble, CredentialsRefused | LoginsSlowed):
            self._count_refusal()
        if isinstance(trouble, CredentialsRefused):
            challenge = sasl.failure_challenge(evidence.mechanism)
            if challenge is not None and not self.over:
                self._after_challenge = reply
                self._server.expect_response()
                return continuation(challenge)
        return reply

    def _take_after_challenge(self) -> bytes:
        reply, self._after_challenge = self._after_challenge, b""
        return reply

    def _count_refusal(self) -> None:
        self._server.log_in_failed()
        self._refusals += 1
        self.over = self._refusals >= self._rules.refused_logins

    # After the login.

    def _after_login(self, request: Request) -> Answer:
        assert self.visit is not None
        drop = self.visit.maildrop
        match request:
            case commands.Noop():
                return ok("still here")
            case commands.Stat():
                return b"+OK %d %d\r\n" % (drop.count, drop.octets)
            case commands.List(None):
                rows = map("%d %d".__mod__, drop.sizes())
                return blocks(f"{_messages(drop.count)} ({drop.octets} octets)", rows)
            case commands.List(int(number)):
                return b"+OK %d %d\r\n" % (number, drop.size(number))
            case commands.Uidl(None):
                return blocks(_messages(drop.count), map("%d %s".__mod__, drop.uidls()))
            case commands.Uidl(int(number)):
                return ok(f"{number} {drop.uidl(number)}")
            case commands.Rset():
                drop.reset()
                return ok(f"{_messages(drop.count)} ({drop.octets} octets)")
            case commands.Last():
                # RFC 1460 has LAST look beyond this session; nobody remembers that here, and a 0 would make
                # fetchmail fetch everything again. Refused, it takes UIDL.
                return ok(str(drop.last)) if drop.last else err("nothing read in this session yet; use UIDL")
            case _:
                return err("only before the login")

    def _mark(self, number: MessageNumber) -> bytes:
        assert self.visit is not None
        self.visit.maildrop.mark(number)
        self.did.marked += 1
        return b"+OK message %d deleted\r\n" % number

    # QUIT.

    def _quit(self) -> Answer:
        self.over = True
        if self.visit is None:
            return ok("goodbye")
        marks = self.visit.maildrop.marked()
        if not self.visit.has_work(marks):
            return ok("goodbye")
        return self._carry_out(self.visit, marks)

    async def _carry_out(self, visit: Visit | Gathering, marks: list[int]) -> "bytes | Cut":
        if visit.maildrop.refused_marks:
            return self._not_deleted(
                DeletionRefused(len(marks), len(marks), "more were marked than allowed", temporary=False)
            )
        await self._connection.drained()
        self.committed = True
        outcome = await visit.quit(marks)
        self.did.deleted = outcome.done
        if outcome.refused:
            return self._not_deleted(
                DeletionRefused(
                    outcome.refused,
                    outcome.asked,
                    outcome.why_not,
                    temporary=outcome.temporary,
                    detail=outcome.detail,
                    confirmed=outcome.certain,
                )
            )
        if outcome.promised:
            return ok(f"{_messages(outcome.promised)} will be deleted, goodbye")
        return ok(f"{_messages(outcome.done)} deleted, goodbye" if marks else "goodbye")

    def _not_deleted(self, trouble: DeletionRefused) -> bytes:
        self._emit(DeletionRefusedEvent(self._session, self.login or "", trouble.refused, _reason(trouble)))
        return refused(trouble)


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"


def _shown(evidence: Evidence) -> str:
    return evidence.login.decode("utf-8", "replace")


def _reason(trouble: Trouble) -> str:
    return f"{trouble} ({trouble.detail})" if trouble.detail else str(trouble)
