"""Plays a transcript of a provider's server, as it was seen, with a POP3 session in front of it.

    A message that upstream does not give now is refused for now.      the promise, in a user's words
    # MailKit #358                                                      where it was seen
    settings: delete = "trash"                                          of the account, as Python's arguments
    mail: one = 300                                                     {one} is a letter of about 300 octets

    C: PASS            the client logs in; RETR n, TOP n, DELE n and QUIT, in the numbers of its listing
    C: PASS again      it does so over the connection that there is
    c: LOGIN "alice" "wonder"     what upstream must then be asked, without tag; … is anything
    s: . OK            what it says; "." stands for the tag of the oldest command without an answer
    s: * 1 FETCH (UID 7 BODY[] {one})    with a literal
    --- close          it hangs up (see `scripted`); --- connection: what follows is said over another one
    S: +OK {one}       what the client hears: the octets, a count of messages, or a refusal; … is anything
    --- wait 90        seconds pass
    met: THROTTLED_IN_WORDS    a tolerance that has been told of by now

Each C: must bring about all of the c: and s: lines behind it, and no more.
"""

import ast
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from attrs import Factory, define

from bridge.downstream.refusals import refused, refused_login
from bridge.maildrop.errors import DeletionRefused, Trouble
from bridge.maildrop.listing import Listing
from bridge.maildrop.source import Source
from bridge.names import Uid
from tests.upstream.scripted import Scripted
from tests.upstream.session import Session, Taken, mail

T = TypeVar("T")

LETTER = (
    b"From: System Administrator <root@localhost>\r\nSubject: message unavailable\r\n\r\n"
    b"This message is no longer available on the server.\r\n"
)
"""Courier's, for a message that is gone."""

_UPSTREAM = {"c": "C", "s": "S", "s-raw": "S-raw"}


@define
class Provider:
    """`play` raises AssertionError with the line at which the transcript does not hold."""

    path: Path
    promise: str = ""
    _steps: list[tuple[int, str, str]] = Factory(list)
    _scripts: list[list[str]] = Factory(lambda: [[]])
    _literals: dict[str, bytes] = Factory(lambda: {"empty": b"", "letter": LETTER})
    _settings: dict[str, Any] = Factory(dict)
    _servers: list[Scripted] = Factory(list)

    @classmethod
    def read(cls, path: Path) -> "Provider":
        first, *lines = path.read_text("utf-8").splitlines()
        provider = cls(path, first)
        for number, line in enumerate(lines, 2):
            if line and not line.startswith("#"):
                provider._take(number, line)
        return provider

    def _take(self, number: int, line: str) -> None:
        verb, _, text = line.partition(":" if not line.startswith("---") else " ")
        text = text.removeprefix(" ")
        if verb == "mail":
            name, _, size = text.partition(" = ")
            self._literals[name] = mail(name, int(size))
        elif verb == "settings":
            call = ast.parse(f"dict({text})", mode="eval").body
            assert isinstance(call, ast.Call)
            self._settings = {str(key.arg): ast.literal_eval(key.value) for key in call.keywords}
        elif line == "--- connection":
            self._scripts.append([])
        elif verb in _UPSTREAM:
            self._steps.append((number, "upstream", ""))
            self._scripts[-1].append(f"{_UPSTREAM[verb]}: {text}")
        elif verb == "---" and not text.startswith("wait "):
            self._steps.append((number, "upstream", ""))
            self._scripts[-1].append(line)
        else:
            self._steps.append((number, verb, text))

    def play(self) -> None:
        waiting = iter([Scripted("\n".join(script), self._literals) for script in self._scripts])
        self._servers = []

        def answering() -> Scripted:
            self._servers.append(next(waiting, Scripted("")))  # one too many: what it is asked there fails the check
            return self._servers[-1]

        session = Session(answering=answering, **self._settings)
        client = _Client(session, session.source, self._literals)
        heard = ""
        for at, (number, verb, text) in enumerate(self._steps):
            match verb:
                case "C":
                    heard = client.ask(text).rstrip("\r\n")
                    self._check(number, self._due_before(at), heard)
                case "S":
                    expected = re.escape(text).replace("…", ".*")
                    assert re.fullmatch(expected, heard), f"{self.path.name}:{number}: heard {heard!r}"
                case "---":
                    session.network.wait(float(text.removeprefix("wait ")))
                case "met":
                    told = {quirk.name for quirk in session.quirks}
                    assert text in told, f"{self.path.name}:{number}: met {sorted(told)}"
                case "upstream":
                    pass
                case _:
                    raise AssertionError(f"{self.path.name}:{number}: {verb!r} is no verb of a transcript")
        assert next(waiting, None) is None, f"{self.path.name}: a connection was never asked for"

    def _due_before(self, at: int) -> int:
        """How many lines of upstream's have been played when what stands at `at` is done."""
        end = next((n for n in range(at + 1, len(self._steps)) if self._steps[n][1] == "C"), len(self._steps))
        return sum(verb == "upstream" for _, verb, _ in self._steps[:end])

    def _check(self, number: int, due: int, heard: str) -> None:
        opened = self._scripts[: len(self._servers)]
        played = sum(len(script) for script in opened) - sum(len(server._steps) for server in self._servers)
        trouble = "; ".join(server.left for server in self._servers if server.wrong or server._heard)
        trouble += " a connection too many" if len(self._servers) > len(self._scripts) else ""
        assert not trouble, f"{self.path.name}:{number}: {trouble}"
        assert played == due, f"{self.path.name}:{number}: {due - played} lines too few were played; heard {heard!r}"


@define
class _Client:
    """A POP3 session as far as it asks something of upstream."""

    session: Session
    source: Source
    literals: dict[str, bytes]
    listing: Listing | None = None
    marked: list[int] = Factory(list)

    def ask(self, line: str) -> str:
        """What a client is told, with the name of a letter in the place of its octets."""
        verb, _, number = line.partition(" ")
        match verb:
            case "PASS":
                return self._log_in(over_the_same=bool(number))
            case "RETR":
                return self._read(number, self.source.stream, Taken())
            case "TOP":
                return self._read(number, self.source.top, Taken(1 << 20))
            case "DELE":
                self.marked.append(self._row(number)[0])
                return "+OK"
            case "QUIT":
                return self._quit()
        raise AssertionError(f"nobody asks {line!r}")

    def _log_in(self, *, over_the_same: bool) -> str:
        if self.listing is not None and not over_the_same:
            self.source.close()
            self.session.network.settle()
            self.source = self.session.another()
        outcome = self._outcome(self.source.list(self.listing))
        if isinstance(outcome, Trouble):
            return refused_login(outcome).decode()
        assert isinstance(outcome, Listing)
        self.listing = outcome
        return f"+OK {len(outcome)} messages of {sum(outcome.sizes)} octets"

    def _read(self, number: str, ask: Callable[[Uid, Taken, int], Coroutine[Any, Any, None]], taken: Taken) -> str:
        uid, size = self._row(number)
        outcome = self._outcome(ask(uid, taken, size))
        if isinstance(outcome, Trouble):
            assert not taken.octets, "it was not refused before its first octet"
            return refused(outcome).decode()
        names = [name for name, octets in self.literals.items() if octets == taken.octets]
        return f"+OK {{{names[0]}}}" if names else f"+OK {taken.octets!r}"

    def _quit(self) -> str:
        uids, self.marked = self.marked, []
        outcome = self._outcome(self.source.delete(uids, self.session.policy))
        assert not isinstance(outcome, Trouble), outcome
        left = outcome.left
        if not left:
            return "+OK"
        trouble = DeletionRefused(
            len(left), len(uids), outcome.why_not, temporary=outcome.temporary, detail=outcome.detail
        )
        return refused(trouble).decode()

    def _outcome(self, coming: Coroutine[Any, Any, T]) -> T | Trouble:
        """What upstream does not answer in its time is a trouble too."""
        running = self.session.network.start(coming)
        if not running.over:
            self.session.network.wait(40)
        try:
            return running.result()
        except Trouble as trouble:
            return trouble

    def _row(self, number: str) -> tuple[Uid, int]:
        assert self.listing is not None
        row = int(number) - 1
        return Uid(self.listing.uids[row]), self.listing.sizes[row]
