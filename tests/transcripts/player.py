"""Plays a transcript against a POP3 server, over a real socket, on a mailbox that IMAP can look into.

Upstream lines, with messages numbered as they were before the first step:
    upstream: 3 has \\Deleted          upstream: 3 lacks \\Seen          upstream: 3 gets \\Flagged
    upstream: 3 is expunged            upstream: holds 5                 upstream: deliver        upstream: empty
"""

import base64
import re
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from random import randint

from attrs import define, field, frozen

from tests.peers.servers.imap_server import Mailbox, search, session
from tests.transcripts.connection import Connection
from tests.transcripts.known import KNOWN, LATER, sizes
from tests.transcripts.script import Step, Transcript

_NAME = re.compile(r"\{([a-z]\w*)\}")
_REPEATED = re.compile(r"\{(\d+)\*(.)\}")


@frozen
class Stage:
    """Where a transcript is played: a POP3 server and the IMAP mailbox behind it."""

    host: str
    port: int
    mailbox: Mailbox
    authority: Path | None = None
    token: str = ""


def play(transcript: Transcript, stage: Stage) -> None:
    """Every step in order. AssertionError at the first that does not hold, with the conversation up to there."""
    stage.mailbox.seed(KNOWN)
    actors = _Play(stage, stage.mailbox.uids())
    try:
        for step in transcript.steps:
            try:
                actors.act(step)
            except (AssertionError, OSError) as trouble:
                story = "\n".join(actors.said[-30:])
                raise AssertionError(f"{step.where}: {trouble}\n{transcript.promise}\n{story}") from trouble
    finally:
        actors.close()


@define
class _Play:
    stage: Stage
    uids: Sequence[int]
    said: list[str] = field(factory=list)
    kept: dict[str, str] = field(factory=dict)
    sessions: dict[str, Connection] = field(factory=dict)
    current: str = "one"
    source: str = field(factory=lambda: f"127.{randint(1, 254)}.{randint(0, 255)}.{randint(1, 254)}")
    """An address of its own, so that the wrong passwords of one transcript do not slow the next one down."""

    def act(self, step: Step) -> None:
        match step.verb:
            case "upstream":
                self._upstream(step.text)
            case "---":
                self._scene(step.text)
            case "C-tls":
                self._connection().start_tls(self.stage.authority)
            case "C":
                self._send(self._filled(step.text).encode() + b"\r\n")
            case "C-raw":
                self._send(_octets(self._filled(step.text)))
                self._connection().until_read()
            case "S-raw":
                self._hear(self._connection().exactly, _octets(self._filled(step.text)))
            case "S-closed":
                rest = self._connection().rest()
                assert rest == b"", f"the server is not silent: {rest[:200]!r}"
            case "S":
                self._expect(step.text, self._connection().line())
            case "S-perhaps":
                self._connection().skip(lambda line: self._fits(step.text, line))
            case "S-has":
                assert any(self._fits(step.text, line) for line in self._connection().list()), "nowhere in the list"
            case _:
                assert step.verb == "S-lacks", step.verb
                found = [line for line in self._connection().list() if self._fits(step.text, line)]
                assert not found, f"in the list: {found!r}"

    def close(self) -> None:
        for connection in self.sessions.values():
            connection.close()

    def _scene(self, text: str) -> None:
        self.said.append(f"--- {text}")
        match text.split():
            case ["drop"]:
                self._connection().close()
                del self.sessions[self.current]
            case ["session", name]:
                self.current = name
            case ["login"]:
                if self.current not in self.sessions:
                    self._expect("+OK …", self._connection().line())
                for line in ("USER {user}", "PASS {password}"):
                    self._send(self._filled(line).encode() + b"\r\n")
                    self._expect("+OK …", self._connection().line())
            case _:
                raise AssertionError(f"no such scene: {text}")

    def _connection(self) -> Connection:
        if self.current not in self.sessions:
            there, here = (self.stage.host, self.stage.port), (self.source, 0)
            self.sessions[self.current] = Connection(socket.create_connection(there, source_address=here))
        return self.sessions[self.current]

    def _send(self, octets: bytes) -> None:
        self.said.append(f"C: {octets[:300]!r}")
        self._connection().send(octets)

    def _hear(self, read: Callable[[int], bytes], wanted: bytes) -> None:
        got = read(len(wanted))
        assert got == wanted, f"{got!r} is not {wanted!r}"

    def _expect(self, pattern: str, line: bytes) -> None:
        self.said.append(f"S: {line[:300]!r}")
        assert self._fits(pattern, line), f"{line[:500]!r} does not fit {pattern!r}"

    def _fits(self, pattern: str, line: bytes) -> bool:
        match = re.fullmatch(_expression(self._filled(pattern)).encode(), line, re.DOTALL)
        if match:
            self.kept |= {name: value.decode() for name, value in match.groupdict().items() if value is not None}
        return match is not None

    def _filled(self, text: str) -> str:
        user, password = self.stage.mailbox.user, self.stage.mailbox.password
        names = {
            "user": user,
            "password": password,
            "plain": _base64(f"\0{user}\0{password}"),
            "wrong": _base64(f"\0{user}\0not the password"),
            "user64": _base64(user),
            "password64": _base64(password),
            "token": self.stage.token,
            "xoauth2": _base64(f"user={user}\1auth=Bearer {self.stage.token}\1\1"),
            **sizes(),
            **self.kept,
        }
        text = _NAME.sub(lambda match: names[match[1]], text)
        return _REPEATED.sub(lambda match: int(match[1]) * match[2], text)

    def _upstream(self, text: str) -> None:
        self.said.append(f"upstream: {text}")
        mailbox = self.stage.mailbox
        match text.split():
            case ["empty"]:
                mailbox.wipe()
            case ["deliver"]:
                mailbox.seed([LATER])
            case ["holds", count]:
                assert len(mailbox.uids()) == int(count), f"it holds {len(mailbox.uids())}"
            case [number, "is", "expunged"]:
                with session(mailbox) as imap:
                    imap.uid("STORE", self._uid(number), "+FLAGS.SILENT", r"(\Deleted)")
                    imap.uid("EXPUNGE", self._uid(number))
                    assert int(self._uid(number)) not in search(imap)
            case [number, "gets", flag]:
                with session(mailbox) as imap:
                    imap.uid("STORE", self._uid(number), "+FLAGS.SILENT", f"({flag})")
            case [number, ("has" | "lacks") as verb, flag]:
                flags = mailbox.flags()[int(self._uid(number))]
                assert (flag in flags) == (verb == "has"), f"message {number} has the flags {sorted(flags)}"
            case _:
                raise AssertionError(f"nobody does that upstream: {text}")

    def _uid(self, number: str) -> str:
        return str(self.uids[int(number) - 1])


def _expression(pattern: str) -> str:
    if len(pattern) > 1 and pattern[0] == pattern[-1] == "/":
        return pattern[1:-1]
    return re.escape(pattern).replace(r"\ …", "( .*)?").replace("…", ".*")


def _octets(text: str) -> bytes:
    """Python's escapes undone; characters beyond ASCII are UTF-8."""
    return re.sub(
        rb"\\(x[0-9a-f]{2}|[rn0t\\])",
        lambda match: bytes([int(match[1][1:], 16)]) if match[1][:1] == b"x" else _ESCAPED[match[1]],
        text.encode(),
    )


_ESCAPED = {b"r": b"\r", b"n": b"\n", b"0": b"\0", b"t": b"\t", b"\\": b"\\"}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
