"""A small POP3 server in memory that knows what a bridge asks, and that fails where a test says.

It is written from the RFCs, apart from the bridge's own reading of them. Its maildrop is a snapshot for each session,
as RFC 1939 has it, but another user may take a message away.
"""

import base64
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.protocol import Protocol

from bridge.config import Upstream
from tests.upstream.network import End
from tests.upstream.session import Session

POP3 = Upstream("pop3", "none", "pop.example.org", 110)
CAPABILITIES = ("USER", "TOP", "UIDL", "PIPELINING", "RESP-CODES", "SASL PLAIN XOAUTH2")


@define
class Drop:
    """What all sessions at this server share: messages by their UIDLs, which two may share, in the server's order.

    `edit` may change any answer. `cuts`: so many more RETRs break off in the middle. `deaf`: at these, and behind them,
    nothing is answered.
    """

    messages: list[tuple[str, bytes]] = field(factory=list)
    capabilities: tuple[str, ...] | None = CAPABILITIES
    greeting: str = "+OK ready"
    has_uidl: bool = True
    has_top: bool = True
    locks: bool = False
    password: bytes = b"wonder"
    sizes: dict[str, int] = field(factory=dict)
    cuts: int = 0
    deaf: tuple[str, ...] = ()
    edit: Callable[[str, bytes], bytes] = lambda _, answer: answer
    commands: list[str] = field(factory=list)
    open: "list[Pop3Server]" = field(factory=list)

    def answering(self) -> Protocol:
        return Pop3Server(self)

    def append(self, *messages: bytes) -> None:
        for octets in messages:
            self.messages.append((f"u{len(self.commands)}-{len(self.messages)}", octets))

    def remove(self, uidl: str) -> None:
        self.messages = [one for one in self.messages if one[0] != uidl]

    def verbs(self) -> list[str]:
        return [command.split()[0] for command in self.commands]


class Pop3Server(Protocol):
    """One session."""

    transport: End

    def __init__(self, drop: Drop) -> None:
        self._drop = drop
        self._heard = b""
        self._user = b""
        self._exchange = ""
        self._deaf = False
        self._snapshot: list[tuple[str, bytes]] = []
        self._marked: set[int] = set()

    def connectionMade(self) -> None:
        self.transport.write(self._drop.greeting.encode() + b"\r\n")

    def connectionLost(self, reason: Any = None) -> None:
        if self in self._drop.open:
            self._drop.open.remove(self)

    def dataReceived(self, data: bytes) -> None:
        self._heard += data
        if "PIPELINING" not in (self._drop.capabilities or ()):
            assert self._heard.count(b"\r\n") <= 1, f"pipelined: {self._heard!r}"
        while b"\r\n" in self._heard:
            line, _, self._heard = self._heard.partition(b"\r\n")
            text = line.decode("latin-1")
            if self._exchange:
                text = f"{self._exchange} {text}"
            self._drop.commands.append(text)
            self._deaf = self._deaf or text.split()[0] in self._drop.deaf
            if self._deaf:
                continue
            answer = self._drop.edit(text, self._answer(text, line))
            cuts = text.startswith("RETR") and self._drop.cuts > 0
            if cuts:
                self._drop.cuts -= 1
                answer = answer[: len(answer) // 2]
            self.transport.write(answer)
            if cuts or text == "QUIT":
                self.transport.loseConnection()

    def _answer(self, text: str, line: bytes) -> bytes:
        verb, *words = text.split()
        match verb, words:
            case "CAPA", []:
                capabilities = self._drop.capabilities
                return _lines([]) if capabilities == () else _lines(capabilities) if capabilities else b"-ERR what\r\n"
            case "USER", [_]:
                self._user = line[5:]
                return b"+OK\r\n"
            case "PASS", _:
                return self._log_in(line[5:] == self._drop.password)
            case "AUTH", [mechanism]:
                self._exchange = f"AUTH {mechanism}"
                return b"+ \r\n"
            case "AUTH", [mechanism, response]:
                self._exchange = ""
                return self._log_in(self._drop.password in base64.b64decode(response))
            case "UTF8", []:
                return b"+OK\r\n"
            case "STAT", []:
                return b"+OK %d %d\r\n" % (len(self._snapshot), 0)
            case "LIST", []:
                sizes = (self._drop.sizes.get(uidl, len(octets)) for uidl, octets in self._snapshot)
                return _lines(f"{number} {size}" for number, size in enumerate(sizes, 1))
            case "UIDL", []:
                rows = (f"{number} {uidl}" for number, (uidl, _) in enumerate(self._snapshot, 1))
                return _lines(rows) if self._drop.has_uidl else b"-ERR what\r\n"
            case "RETR", [number]:
                octets = self._message(number)
                return _text(octets) if octets is not None else b"-ERR no such message\r\n"
            case "TOP", [number, count]:
                octets = self._message(number)
                if octets is None or not self._drop.has_top:
                    return b"-ERR no such message\r\n"
                header, _, body = octets.partition(b"\r\n\r\n")
                return _text(header + b"\r\n\r\n" + b"".join(body.splitlines(keepends=True)[: int(count)]))
            case "DELE", [number]:
                self._marked.add(int(number))
                return b"+OK\r\n"
            case "NOOP", []:
                return b"+OK\r\n"
            case "QUIT", []:
                for marked in self._marked:
                    self._drop.remove(self._snapshot[marked - 1][0])
                return b"+OK bye\r\n"
            case _:
                raise AssertionError(f"nobody asks that: {text}")

    def _log_in(self, right: bool) -> bytes:
        if not right:
            return b"-ERR [AUTH] wrong\r\n"
        if self._drop.locks and self._drop.open:
            return b"-ERR [IN-USE] locked\r\n"
        self._drop.open.append(self)
        self._snapshot = list(self._drop.messages)
        return b"+OK\r\n"

    def _message(self, number: str) -> bytes | None:
        one = self._snapshot[int(number) - 1]
        return one[1] if one in self._drop.messages else None


def _lines(lines: Any) -> bytes:
    return _text("".join(f"{line}\r\n" for line in lines).encode("latin-1"))


def _text(octets: bytes) -> bytes:
    stuffed = b"".join(b"." + line if line.startswith(b".") else line for line in octets.splitlines(keepends=True))
    return b"+OK\r\n" + stuffed + b".\r\n"


def drop_of(*messages: bytes, **settings: Any) -> Drop:
    """A server whose maildrop holds these."""
    drop = Drop(**settings)
    drop.append(*messages)
    return drop


def session_at(drop: Drop, **settings: Any) -> Session:
    return Session(
        **{"answering": drop.answering, "upstream": POP3, "delete": "expunge", "uidl": "upstream", **settings}
    )
