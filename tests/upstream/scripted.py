"""An IMAP server that plays a conversation: what it says, and what must be asked of it, line by line.

S: text         said with CRLF; a "." in the place of the tag is the tag of the oldest command without an answer
C: text         the next command, without its tag; "…" stands for anything
C-raw: text     a whole line of the client's, such as the answer to a challenge
S-raw: text     said as it stands, with Python's escapes undone
S: * 1 FETCH (UID 7 BODY[] {name})     a literal from the octets given under that name
--- close | reset | tls | turn         hang up in good order; break off; begin TLS; what follows comes by itself
"""

import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from twisted.internet.protocol import Protocol

from tests.upstream.network import End

_STEP = re.compile(r"(S-raw|C-raw|S|C|---):? ?(.*)")
_LITERAL = re.compile(r"\{([a-z_]+)\}")


class Scripted(Protocol):
    transport: End

    def __init__(self, script: str, literals: Mapping[str, bytes] | None = None, *, tls: Any = None) -> None:
        self.said: list[str] = []
        self.wrong: list[str] = []
        self._steps = deque(_steps(script))
        self._literals = literals or {}
        self._tls = tls
        self._tags: deque[str] = deque()
        self._heard = b""
        self._out = bytearray()

    @property
    def over(self) -> bool:
        """Every step was played, and none of it was wrong."""
        return not (self._steps or self.wrong or self._heard)

    @property
    def left(self) -> str:
        """For the message of an assertion."""
        return f"wrong: {self.wrong}; not heard: {list(self._steps)[:3]}; unexpected: {self._heard[:200]!r}"

    def connectionMade(self) -> None:
        self._play()

    def dataReceived(self, data: bytes) -> None:
        self._heard += data
        self._play()

    def _play(self) -> None:
        while self._steps and not self.wrong:
            verb, text = self._steps[0]
            if verb in {"C", "C-raw"}:
                self._flush()
                line, end, rest = self._heard.partition(b"\r\n")
                if not end:
                    return
                self._heard = rest
                self._hear(line.decode("latin-1"), text, tagged=verb == "C")
            elif verb == "---":
                self._flush()
                self._act(text)
            else:
                self._out += self._octets(text) if verb == "S-raw" else self._line(text)
            self._steps.popleft()
        self._flush()

    def _flush(self) -> None:
        if self._out:
            self.transport.write(bytes(self._out))
            self._out.clear()

    def _hear(self, line: str, pattern: str, *, tagged: bool) -> None:
        self.said.append(line)
        if tagged:
            tag, _, line = line.partition(" ")
            self._tags.append(tag)
        if re.fullmatch(re.escape(pattern).replace("…", ".*"), line, re.DOTALL) is None:
            self.wrong.append(f"{line!r} where {pattern!r} was due")

    def _act(self, text: str) -> None:
        match text:
            case "close":
                self.transport.loseConnection()
            case "reset":
                self.transport.abortConnection()
            case "tls":
                self.transport.startTLS(self._tls)
            case "turn":
                pass
            case _:
                raise AssertionError(f"nobody can do that: {text}")

    def _line(self, text: str) -> bytes:
        if text.startswith(". "):
            text = self._tags.popleft() + text[1:]
        octets = b""
        at = 0
        for found in _LITERAL.finditer(text):
            literal = self._literals[found[1]]
            octets += text[at : found.start()].encode() + b"{%d}\r\n" % len(literal) + literal
            at = found.end()
        return octets + text[at:].encode() + b"\r\n"

    def _octets(self, text: str) -> bytes:
        if text.startswith(". "):
            text = self._tags.popleft() + text[1:]
        return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


def _steps(script: str) -> list[tuple[str, str]]:
    steps = []
    for line in filter(str.strip, script.splitlines()):
        found = _STEP.fullmatch(line.lstrip())
        assert found is not None, f"no step: {line!r}"
        steps.append((found[1], found[2]))
    return steps
