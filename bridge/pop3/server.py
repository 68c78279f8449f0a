"""The server's half of a POP3 conversation: which command is legal now, whose turn it is, and what is announced.

It is pulled: `receive` only stores, and the caller asks for the next request when the previous one is answered. That
is the whole of pipelining: replies go out in the order of the commands, and what a command makes legal is legal for
the very next one. `LEGAL` is the rule about states; everything else that is refused here is in `_refusal`.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from enum import Enum
from itertools import islice

from attrs import frozen

from bridge.pop3.commands import (
    Apop,
    Auth,
    Capa,
    Command,
    Dele,
    Lang,
    Last,
    List,
    Malformed,
    Noop,
    Pass,
    Quit,
    Retr,
    Rset,
    Stat,
    Stls,
    Top,
    Uidl,
    User,
    Utf8,
    decode_initial,
    decode_response,
    parse,
    parse_plain,
    tolerances,
)
from bridge.pop3.lines import Lines
from bridge.pop3.replies import ResponseCode
from bridge.secret import Secret
from bridge.violation import ProtocolViolation


class State(Enum):
    """RFC 1939's states. UPDATE stands for everything after QUIT: nothing is taken any more."""

    AUTHORIZATION = "before login"
    TRANSACTION = "after login"
    UPDATE = "after QUIT"


_TRANSACTION = State.TRANSACTION  # by its own name: Python 3.11 takes 0.2 µs to find a member in its class

# UTF8 after login is tolerated (`utf8-after-login`): RFC 6856, section 2.1, allows it only before, some clients
# send it late, and since it changes nothing there is nothing to refuse.
LEGAL: Mapping[State, frozenset[type[Command]]] = {
    State.AUTHORIZATION: frozenset({Capa, Stls, User, Pass, Auth, Utf8, Lang, Apop, Quit}),
    State.TRANSACTION: frozenset(
        {Capa, Stat, List, Uidl, Retr, Top, Dele, Noop, Rset, Last, Utf8, Lang, Quit},
    ),
    State.UPDATE: frozenset(),
}

CLEAR_MECHANISMS = frozenset({"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"})
"""Mechanisms that show the password or token itself to whoever listens (S26)."""

LANGUAGES = (b"i-default English", b"en English")
"""What a bare LANG lists (RFC 6856, section 3); there is one language, under both of its names."""

LOOKED_AT_MOST = 1000
"""Commands that are kept as they were understood when somebody looked ahead; those behind them are understood twice."""

_LANGUAGE_TAGS = frozenset({"i-default", "en", "*"})
_LOGIN_VERBS = (b"USER", b"PASS", b"AUTH")


@frozen
class SaslResponse:
    """A client's answer to a challenge, decoded from base64."""

    octets: Secret


@frozen
class SaslCancelled:
    """The client sent `*` (RFC 5034, section 4): the exchange is over, the session goes on."""


@frozen
class Refused:
    """To be answered with -ERR and this text; `fatal`: and then the connection is closed.

    Where a SASL response was expected, the exchange is over with it.
    """

    text: str
    code: ResponseCode | None = None
    fatal: bool = False


Request = Command | SaslResponse | SaslCancelled | Refused


class Server:
    """One client's conversation.

    `stls`: the listener can do STLS. `secure`: TLS is on. `cleartext`: passwords may pass without TLS. `timestamp`: the
    greeting's, which offers APOP, where every login has it (S25).
    Limits in octets, line ends included; `bad_commands` is how many in a row end the session.
    """

    def __init__(
        self,
        *,
        mechanisms: tuple[str, ...],
        implementation: str,
        stls: bool,
        secure: bool,
        cleartext: bool,
        timestamp: bytes | None = None,
        line_limit: int = 255,
        login_line_limit: int = 65536,
        bad_commands: int = 20,
    ) -> None:
        self.state = State.AUTHORIZATION
        self.login: bytes | None = None
        self.secure = secure
        self.timestamp = timestamp
        self.tolerated: set[str] = set()
        """The names of the tolerances that this client needed; `commands`, `lines` and `LEGAL` explain them."""
        self._all_mechanisms = mechanisms
        self._implementation = implementation
        self._stls = stls
        self._cleartext = cleartext
        self._line_limit = line_limit
        self._login_line_limit = login_line_limit
        self._bad_commands = bad_commands
        self._bad_in_a_row = 0
        self._response_expected = False
        self._lines = Lines()
        self._looked_at: deque[Command] = deque()  # what the first of the lines say, plain commands all

    @property
    def buffered(self) -> int:
        """Octets received and not yet taken; above its limit the caller stops reading from the client."""
        return len(self._lines)

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """What may be used on this connection as it is now: CAPA's SASL line and the answer to a bare AUTH."""
        if self._login_allowed:
            return self._all_mechanisms
        return tuple(name for name in self._all_mechanisms if name not in CLEAR_MECHANISMS)

    @property
    def _login_allowed(self) -> bool:
        return self.secure or self._cleartext

    def receive(self, octets: bytes) -> None:
        """Stores only; what comes after QUIT is dropped."""
        if self.state is not State.UPDATE:
            self._lines.receive(octets)

    def next_request(self) -> Request | None:
        """The next thing to answer, or None: more octets are needed, or QUIT was said.

        To be asked only when the request before was answered. A line that is too long is a ProtocolViolation.
        """
        plain = self.state is _TRANSACTION and not self._response_expected
        line = self._lines.take(self._line_limit if plain else self._limit())
        if line is None:
            return None
        if self._lines.bare_line_feeds:
            self.tolerated.add("lf-line-end")
        if plain and (command := self._looked_at.popleft() if self._looked_at else parse_plain(line)):
            self._bad_in_a_row = 0
            return command
        if self._response_expected:
            self._response_expected = False
            return self._response(line)
        return self._request(line)

    def pipelined(self) -> Iterator[Command]:
        """What the client has said behind the command that is being answered, up to what is no command; untouched."""
        looked_at = self._looked_at
        yield from tuple(looked_at)
        for place, line in enumerate(islice(self._lines.waiting(), len(looked_at), None), len(looked_at)):
            plain = parse_plain(line)
            if plain is not None and place == len(looked_at) < LOOKED_AT_MOST:
                looked_at.append(plain)
            command = plain or parse(line)
            if isinstance(command, Malformed):
                return
            yield command

    def expect_response(self) -> None:
        """A challenge was sent: the next line is the answer to it."""
        self._response_expected = True

    def log_in_succeeded(self) -> None:
        self.state = State.TRANSACTION

    def log_in_failed(self) -> None:
        """As if nothing had been said yet; USER has to be said again."""
        self.login = None

    def start_tls(self) -> None:
        """To be called when +OK to STLS is on its way.

        Anything that already came behind STLS may be an attacker's, sent before the encryption (RFC 2595, section 4,
        and the injections known since CVE-2011-0411): a ProtocolViolation (S27).
        """
        if self._lines:
            raise ProtocolViolation("input behind STLS, before the handshake")
        self.secure = True
        self.login = None

    def capabilities(self) -> list[bytes]:
        """CAPA's lines as things stand (S24). What a client may do after login is in both lists: some ask only once."""
        before_login = self.state is State.AUTHORIZATION
        lines = [b"TOP", b"UIDL"]
        if before_login and self._login_allowed:
            lines.append(b"USER")
        if before_login and self.mechanisms:
            lines.append(b"SASL " + " ".join(self.mechanisms).encode("ascii"))
        if before_login and self._stls and not self.secure:
            lines.append(b"STLS")
        # UTF8's argument says that names and passwords may be UTF-8, and they may: they pass as they are. RFC 6856,
        # section 2, wants one line for both states, so the argument stays also where USER itself is not on offer.
        lines += [b"RESP-CODES", b"AUTH-RESP-CODE", b"PIPELINING", b"EXPIRE NEVER", b"UTF8 USER", b"LANG"]
        return [*lines, b"IMPLEMENTATION " + self._implementation.encode("ascii", "replace")]

    def _limit(self) -> int:
        if self._response_expected:
            return self._login_line_limit
        if self.state is State.AUTHORIZATION:
            verb = self._lines.head(self._line_limit).lstrip(b" \t")[:4].upper()
            if verb in _LOGIN_VERBS:
                return self._login_line_limit
        return self._line_limit

    def _response(self, line: bytes) -> Request:
        text = line.strip(b" \t")
        if text == b"*":
            return SaslCancelled()
        octets = decode_response(text)
        return self._malformed("the response is not base64") if octets is None else SaslResponse(octets)

    def _request(self, line: bytes) -> Request:
        command = parse(line)
        if isinstance(command, Malformed):
            return self._malformed(command.reason)
        self.tolerated.update(tolerances(line, command))
        return self._refusal(command) or self._accepted(command)

    def _malformed(self, text: str) -> Refused:
        self._bad_in_a_row += 1
        if self._bad_in_a_row >= self._bad_commands:
            return Refused("too many lines that are no commands", fatal=True)
        return Refused(text)

    def _refusal(self, command: Command) -> Refused | None:
        if type(command) not in LEGAL[self.state]:
            return Refused("log in first" if self.state is State.AUTHORIZATION else "only before the login")
        match command:
            case Stls() if self.secure:
                return Refused("TLS is on already")
            case Stls() if not self._stls:
                return Refused("STLS is not available here")
            case User() | Pass() if not self._login_allowed:
                return self._clear_text()
            case Pass() if self.login is None:
                return Refused("say USER first")
            case Auth(str(mechanism), initial):
                return self._mechanism_refusal(mechanism, initial)
            case Lang(str(tag)) if tag.lower() not in _LANGUAGE_TAGS:
                return Refused("only English is spoken here")
            case Apop() if self.timestamp is None:
                return Refused("APOP is not available here: use USER and PASS, or AUTH")
            case _:
                return None

    def _mechanism_refusal(self, mechanism: str, initial: Secret | None) -> Refused | None:
        if mechanism not in self._all_mechanisms:
            return Refused("this mechanism is not available: CAPA lists those that are")
        if mechanism not in self.mechanisms:
            return self._clear_text()
        if initial is not None and decode_initial(initial) is None:
            return self._malformed("the initial response is not base64")
        return None

    def _clear_text(self) -> Refused:
        remedy = (
            "say STLS first (STARTTLS in the program's settings)" if self._stls else "use the port for POP3 over TLS"
        )
        return Refused(f"no login without encryption: {remedy}", ResponseCode.SYS_PERM)

    def _accepted(self, command: Command) -> Command:
        self._bad_in_a_row = 0
        match command:
            case User(name):
                self.login = name
            case Quit():
                self.state = State.UPDATE
                self._lines.clear()
                self._looked_at.clear()
            case Utf8() if self.state is State.TRANSACTION:
                self.tolerated.add("utf8-after-login")
            case _:
                pass
        return command
