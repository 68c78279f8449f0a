"""What every real IMAP server in the tests offers: an address, mailboxes for new users, and a second way to the mail.

The second way is Python's imaplib: what the bridge delivers is compared with what imaplib reads.
"""

import abc
import contextlib
import imaplib
import re
import secrets
import socket
from collections.abc import Iterator, Sequence
from typing import Protocol, cast

from attrs import frozen

from tests.peers.child import Child

# imaplib gives up on lines over a million octets; a listing of 100,000 UIDs is one line of 600 kB.
imaplib._MAXLINE = 100_000_000  # type: ignore[attr-defined]  # not public, and the only way to raise it

PASSWORD = "test"
_BATCH = 100  # messages to a command, or APPENDs under way before their answers are read


class Login(Protocol):
    """A server's address together with a user of it."""

    @property
    def name(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def tls_port(self) -> int | None: ...
    @property
    def user(self) -> str: ...
    @property
    def password(self) -> str: ...


class ImapServer(abc.ABC):
    """A running server; `user` and `password` are of a user who is always there."""

    name: str
    host = "127.0.0.1"
    port: int
    tls_port: int | None = None
    user = "user"
    password = PASSWORD
    pid: int

    @abc.abstractmethod
    def log(self) -> str:
        """What the server has written so far."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Ends all its processes; harmless when they have ended."""

    @abc.abstractmethod
    def new_mailbox(self, password: str = PASSWORD) -> "Mailbox":
        """An empty mailbox for one test; of a user nobody has used before where the server can have many."""

    def connect(self, user: str | None = None, password: str | None = None) -> imaplib.IMAP4:
        """A session of its own, logged in."""
        return log_in(Mailbox(self, user or self.user, self.password if password is None else password))

    def _started(self, child: Child) -> None:
        """Returns when it takes connections; ends it with its log printed when it does not."""
        try:
            child.until_accepting(self.host, self.port)
        except BaseException:
            print(self.log())
            self.stop()
            raise


@frozen
class Mailbox:
    """One user of a shared server, new for one test."""

    server: ImapServer
    user: str
    password: str = PASSWORD

    @property
    def name(self) -> str:
        return self.server.name

    @property
    def host(self) -> str:
        return self.server.host

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def tls_port(self) -> int | None:
        return self.server.tls_port

    def connect(self) -> imaplib.IMAP4:
        return self.server.connect(self.user, self.password)

    def seed(self, messages: Sequence[bytes], mailbox: str = "INBOX") -> list[tuple[int, int]]:
        return seed(self, messages, mailbox)

    def seed_at_once(self, messages: Sequence[bytes], mailbox: str = "INBOX") -> None:
        seed_at_once(self, messages, mailbox)

    def raw_bodies(self, mailbox: str = "INBOX") -> dict[int, bytes]:
        return raw_bodies(self, mailbox)

    def wipe(self, mailbox: str = "INBOX") -> None:
        wipe(self, mailbox)

    def uids(self, criterion: str = "ALL", mailbox: str = "INBOX") -> list[int]:
        with session(self, mailbox) as imap:
            return search(imap, criterion)

    def flags(self, mailbox: str = "INBOX") -> dict[int, set[str]]:
        """Each message's flags and keywords, without \\Recent."""
        with session(self, mailbox) as imap:
            _, answers = imap.uid("FETCH", "1:*", "(UID FLAGS)")
        lines = [line.decode() for line in answers if isinstance(line, bytes)]
        return {
            int(_found(r"UID (\d+)", line)): set(_found(r"FLAGS \(([^)]*)\)", line).split()) - {r"\Recent"}
            for line in lines
        }


def new_mailbox(server: ImapServer, password: str = PASSWORD) -> Mailbox:
    return server.new_mailbox(password)


class ManyUsersServer(ImapServer):
    """A server that takes new users while it runs."""

    @abc.abstractmethod
    def add_user(self, user: str, password: str = PASSWORD) -> None:
        """A further user with an empty INBOX."""

    def new_mailbox(self, password: str = PASSWORD) -> Mailbox:
        user = f"user{secrets.token_hex(6)}"
        self.add_user(user, password)
        return Mailbox(self, user, password)


class SingleUserServer(ImapServer):
    """A server with one user: each test gets his mailbox emptied, and the UIDs go on."""

    def new_mailbox(self, password: str = PASSWORD) -> Mailbox:
        if password != self.password:
            raise ValueError(f"the only user's password is {self.password}")
        mailbox = Mailbox(self, self.user)
        mailbox.wipe()
        return mailbox


def log_in(login: Login) -> imaplib.IMAP4:
    imap = imaplib.IMAP4(login.host, login.port, timeout=60)
    try:
        if login.password.isascii():
            imap.login(login.user, login.password)
        else:  # imaplib's LOGIN is ASCII
            imap.authenticate("PLAIN", lambda _: f"\0{login.user}\0{login.password}".encode())
    except imaplib.IMAP4.error:
        imap.shutdown()
        raise
    return imap


@contextlib.contextmanager
def session(login: Login, mailbox: str = "INBOX") -> Iterator[imaplib.IMAP4]:
    """A selected mailbox, logged out at the end."""
    imap = log_in(login)
    try:
        status, text = imap.select(mailbox)
        if status != "OK":
            raise imaplib.IMAP4.error(f"SELECT {mailbox}: {text!r}")
        yield imap
    finally:
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            imap.logout()


def search(imap: imaplib.IMAP4, criterion: str = "ALL") -> list[int]:
    _, answers = imap.uid("SEARCH", criterion)
    return sorted(int(word) for line in answers if line for word in line.split())


def raw_bodies(login: Login, mailbox: str = "INBOX") -> dict[int, bytes]:
    """Every message's BODY.PEEK[] by its UID."""
    bodies: dict[int, bytes] = {}
    with session(login, mailbox) as imap:
        uids = search(imap)
        # Many at once: where the server writes with Nagle on, each command waits 40 ms for our delayed ACK.
        for start in range(0, len(uids), _BATCH):
            _, answers = imap.uid("FETCH", ",".join(map(str, uids[start : start + _BATCH])), "(UID BODY.PEEK[])")
            bodies.update(_bodies(answers))
    if list(bodies) != uids:
        raise imaplib.IMAP4.error(f"asked for {uids}, got {list(bodies)}")
    return bodies


def _bodies(answers: Sequence[bytes | tuple[bytes, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Out of what imaplib makes of FETCH replies: (before the literal, literal) and what follows, or a line without."""
    rest = iter(answers)
    for answer in rest:
        if isinstance(answer, tuple):
            before, body = answer
            line = before + b" " + cast("bytes", next(rest))  # hoodiecrow writes the UID behind the literal
        else:
            line = answer
            quoted = re.search(rb'BODY\[\] (?:NIL|"((?:[^"\\]|\\.)*)")', line)
            if quoted is None:
                continue  # flags that somebody changed meanwhile
            body = re.sub(rb"\\(.)", rb"\1", quoted[1] or b"")
        yield int(_found(r"UID (\d+)", line.decode("latin-1"))), body


def wipe(login: Login, mailbox: str = "INBOX") -> None:
    """Empties the mailbox for good."""
    with session(login, mailbox) as imap:
        if search(imap):
            imap.uid("STORE", "1:*", "+FLAGS.SILENT", r"(\Deleted)")
            imap.expunge()


def seed(login: Login, messages: Sequence[bytes], mailbox: str = "INBOX") -> list[tuple[int, int]]:
    """Appends the messages in their order; which of them the server took, as (index, uid)."""
    with session(login, mailbox) as imap:
        before = search(imap)
        # pymap 0.36.7 waits for ever after a text that ends in "{12+}".
        if "LITERAL+" in imap.capabilities and login.name != "pymap":
            accepted = _append_pipelined(imap, messages, mailbox)
        else:
            accepted = [index for index, message in enumerate(messages) if _append(imap, message, mailbox)]
    with session(login, mailbox) as imap:
        uids = search(imap)
    added = uids[len(before) :]
    if uids[: len(before)] != before or len(added) != len(accepted):
        raise imaplib.IMAP4.error(f"{len(accepted)} messages accepted, {len(added)} found")
    return list(zip(accepted, added, strict=True))


def seed_at_once(login: Login, messages: Sequence[bytes], mailbox: str = "INBOX") -> None:
    """Appends the messages by one command, all or none: 100,000 take Dovecot's mdbox 1.3 s. Needs MULTIAPPEND."""
    with session(login, mailbox) as imap:
        tag = imap._new_tag()
        imap.send(b"%s APPEND %s" % (tag, mailbox.encode()))
        for start in range(0, len(messages), 1000):
            some = messages[start : start + 1000]
            imap.send(b"".join(b" {%d+}\r\n%s" % (len(message), message) for message in some))
        imap.send(b"\r\n")
        line = _tagged(imap, tag)
        if not line.startswith(tag + b" OK"):
            raise imaplib.IMAP4.error(line.decode("utf-8", "replace"))


def _append(imap: imaplib.IMAP4, message: bytes, mailbox: str) -> bool:
    """As imaplib's append, which would turn lone CR and LF into CRLF. A refusal may come before or after the text."""
    tag = imap._new_tag()  # imaplib has no public way to send a literal as it is
    imap.send(b"%s APPEND %s {%d}\r\n" % (tag, mailbox.encode(), len(message)))
    line = imap.readline()
    while line.startswith(b"* "):
        line = imap.readline()
    if line.startswith(b"+"):
        imap.send(message + b"\r\n")
        line = _tagged(imap, tag)
    return line.startswith(tag + b" OK")


def _append_pipelined(imap: imaplib.IMAP4, messages: Sequence[bytes], mailbox: str) -> list[int]:
    imap.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    accepted = []
    for start in range(0, len(messages), _BATCH):
        tags = []
        for message in messages[start : start + _BATCH]:
            tag = imap._new_tag()
            tags.append(tag)
            imap.send(b"%s APPEND %s {%d+}\r\n%s\r\n" % (tag, mailbox.encode(), len(message), message))
        for index, tag in enumerate(tags, start):
            if _tagged(imap, tag).startswith(tag + b" OK"):
                accepted.append(index)
    return accepted


def _tagged(imap: imaplib.IMAP4, tag: bytes) -> bytes:
    """The line that ends the command; what comes untagged before it is of no interest here."""
    while True:
        line = imap.readline()
        if not line:
            raise imaplib.IMAP4.abort("the server closed the connection")
        if line.startswith(tag + b" "):
            return line


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise AssertionError(f"{pattern} is not in {text}")
    return match[1]
