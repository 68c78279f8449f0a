"""An IMAP user of the mailbox, and an IMAP onlooker: what POP3 sessions share it with."""

import contextlib
import imaplib
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from threading import Event

from attrs import define, field

from tests.peers.servers.imap_server import Login, log_in, search
from tests.stories.model.letters import Letter
from tests.stories.model.truth import Seen

WORK = "Work"
ELSEWHERE = "Elsewhere"
TRASH = "Trash"
_TRIES = 60
_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")
_UID = re.compile(rb"UID (\d+)")


class Missing(Exception):
    """There is no such mailbox."""


@define
class Onlooker:
    """A connection that changes nothing. Each text is fetched once."""

    imap: imaplib.IMAP4
    work: str = WORK
    """The mailbox that POP3 shows."""
    _texts: dict[tuple[str, int, int], bytes] = field(factory=dict, repr=False)

    def read(self, mailbox: str | None = None) -> dict[int, Seen]:
        """Every message by its UID."""
        mailbox = mailbox or self.work
        status, text = self.imap.select(mailbox, readonly=True)
        if status != "OK":
            raise Missing(f"{mailbox}: {text!r}")
        validity = int(_only(self.imap.response("UIDVALIDITY")[1]))
        flags = dict(self._flags())
        missing = [uid for uid in flags if (mailbox, validity, uid) not in self._texts]
        if missing:
            for uid, octets in self._fetch(missing):
                self._texts[mailbox, validity, uid] = octets
        return {uid: Seen(self._texts[mailbox, validity, uid], flags[uid]) for uid in sorted(flags)}

    def _flags(self) -> Iterator[tuple[int, frozenset[str]]]:
        _, answers = self.imap.uid("FETCH", "1:*", "(UID FLAGS)")
        for line in answers:
            if isinstance(line, bytes) and (uid := _UID.search(line)) and (flags := _FLAGS.search(line)):
                yield int(uid[1]), frozenset(flags[1].decode().split()) - {r"\Recent"}

    def _fetch(self, uids: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        _, answers = self.imap.uid("FETCH", ",".join(map(str, uids)), "(UID BODY.PEEK[])")
        for answer in answers:
            if isinstance(answer, tuple) and (uid := _UID.search(answer[0])):
                yield int(uid[1]), answer[1]

    def rest(self) -> None:
        """Holds no mailbox open, so that it can be deleted."""
        if self.imap.state == "SELECTED":
            self.imap.unselect()


@define
class ImapUser:
    """A connection that does what the model's IMAP user does."""

    imap: imaplib.IMAP4
    work: str = WORK

    def put(self, letters: Iterable[tuple[Letter, Iterable[str]]]) -> None:
        """Appends them with their dates and these flags, each in one write."""
        for letter, flags in letters:
            head = f'{self.work} ({" ".join(sorted(flags))}) "{letter.date}" {{{len(letter.octets)}+}}\r\n'
            line = self._append(head.encode() + letter.octets)
            assert line.startswith(b"OK"), line

    def _append(self, octets: bytes) -> bytes:
        """The answer without its tag. imaplib's append writes thrice and waits for as many delayed ACKs."""
        tag = self.imap._new_tag()
        self.imap.send(tag + b" APPEND " + octets + b"\r\n")
        while not (line := self.imap.readline()).startswith(tag + b" "):
            assert line, "the server closed the connection"
        return line.removeprefix(tag + b" ")

    def copy(self, uid: int, start: str, end: str) -> None:
        self._do(start, "COPY", str(uid), end)

    def move(self, uid: int, start: str, end: str) -> None:
        self._do(start, "MOVE", str(uid), end)

    def store(self, uid: int, flag: str, *, on: bool) -> None:
        self._do(self.work, "STORE", str(uid), "+FLAGS" if on else "-FLAGS", f"({flag})")

    def expunge(self, uid: int) -> None:
        """Deletes this one for good."""
        self.store(uid, r"\Deleted", on=True)
        self._do(self.work, "EXPUNGE", str(uid))

    def expunge_all(self) -> None:
        """Deletes for good whatever carries the flag, whoever gave it."""
        self.imap.select(self.work)
        _ok(self.imap.expunge())

    def uids(self, mailbox: str) -> list[int]:
        self.imap.select(mailbox)
        return search(self.imap)

    def create(self, mailbox: str) -> None:
        _ok(self.imap.create(mailbox))

    def delete(self, mailbox: str) -> None:
        if self.imap.state == "SELECTED":
            self.imap.unselect()
        for _ in range(_TRIES):
            status, text = self.imap.delete(mailbox)
            if status == "OK":
                return
            # Cyrus keeps what is deleted under another name that holds the second, once a second.
            assert b"already exists" in text[0], text
            Event().wait(0.05)
        raise AssertionError(f"{mailbox} cannot be deleted")

    def uidvalidity(self) -> int:
        _, [line] = self.imap.status(self.work, "(UIDVALIDITY)")
        found = re.search(rb"UIDVALIDITY (\d+)", line)
        assert found is not None, line
        return int(found[1])

    def _do(self, mailbox: str, *words: str) -> None:
        status, text = self.imap.select(mailbox)
        assert status == "OK", text
        _ok(self.imap.uid(*words))


def connected(login: Login, stack: contextlib.ExitStack) -> imaplib.IMAP4:
    """A connection that ends with the stack."""
    imap = log_in(login)
    imap.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def end() -> None:
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            imap.logout()

    stack.callback(end)
    return imap


def texts(work: Mapping[int, Seen]) -> list[bytes]:
    return [seen.octets for seen in work.values()]


def _ok(answer: tuple[str, object]) -> None:
    status, text = answer
    assert status == "OK", text


def _only(answer: list[bytes | None]) -> bytes:
    assert answer[-1] is not None
    return answer[-1]
