"""Ten messages, an IMAP user of their mailbox, and a bridge that knows a login's policy by its domain."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from time import monotonic

from attrs import frozen

from tests.peers.bridge import Bridge, bridge
from tests.peers.servers.imap_server import ImapServer, Mailbox
from tests.stories.pop3 import Pop3

MESSAGES = [
    b"Subject: %d\r\nMessage-ID: <%d@deletion.example>\r\n\r\nHello %d\r\n" % (number, number, number)
    for number in range(1, 11)
]
DELETED = r"\Deleted"
HIDDEN = "$POP3Deleted"
MOVING = {"trash": "Trash", "archive": "Archive"}

LISTENER = '[[listener]]\npop3 = "127.0.0.1:{port}"\n'
PASSTHROUGH = """
[[passthrough]]
users = "*@%s"
login = "{{local}}"
upstream = "imap://127.0.0.1:%d"
delete = "%s"
%s
"""
VARIANTS = {
    "flag": ("flag", ""),
    "expunge": ("expunge", ""),
    "trash": ("trash", ""),
    "named-trash": ("trash", 'trash = "Trash"'),
    "courier-trash": ("trash", 'trash = "INBOX.Trash"'),
    "archive": ("archive", ""),
    "named-archive": ("archive", 'archive = "Archive"'),
    "courier-archive": ("archive", 'archive = "INBOX.Archive"'),
    "hide": ("hide", ""),
    "keep": ("keep", ""),
    "race": ("expunge", "expunge_without_uidplus = true"),
    "two-at-most": ("expunge", "max_deletions = 2"),
}
"""What the domain of a login stands for: one bridge serves all policies."""


@frozen
class Deleting:
    """A bridge in front of one server."""

    bridge: Bridge

    def session(self, variant: str, mailbox: Mailbox, receive_buffer: int | None = None) -> Pop3:
        client = Pop3(self.bridge.port, receive_buffer=receive_buffer)
        client.do(f"USER {mailbox.user}@{variant}")
        client.do(f"PASS {mailbox.password}")
        return client

    def until_left(self, mailbox: Mailbox) -> None:
        """Returns when the session's one line is in the log: nothing of it goes on."""
        deadline = monotonic() + 10
        while f'login="{mailbox.user}"' not in self.bridge.log():
            assert monotonic() < deadline, "the session does not end"
            Event().wait(0.02)


@contextlib.contextmanager
def deleting(folder: Path, server: ImapServer) -> Iterator[Deleting]:
    entries = (PASSTHROUGH % (name, server.port, delete, more) for name, (delete, more) in VARIANTS.items())
    with bridge(folder, config=(LISTENER + "".join(entries)).replace("{{local}}", "{local}")) as running:
        yield Deleting(running)


@frozen
class Mail:
    """Ten messages; `uids` by their POP3 number."""

    mailbox: Mailbox
    uids: dict[int, int]

    def flagged(self, flag: str = DELETED) -> set[int]:
        """The numbers of those that carry it."""
        flags = self.mailbox.flags()
        return {number for number, uid in self.uids.items() if flag in flags.get(uid, set())}

    def left(self) -> set[int]:
        present = set(self.mailbox.uids())
        return {number for number, uid in self.uids.items() if uid in present}

    def flag(self, number: int) -> None:
        """An IMAP user flags one, and does not expunge it yet."""
        imap = self.mailbox.connect()
        imap.select()
        imap.uid("STORE", str(self.uids[number]), "+FLAGS", f"({DELETED})")
        imap.logout()


def ten(server: ImapServer) -> Mail:
    mailbox = server.new_mailbox()
    return Mail(mailbox, {index + 1: uid for index, uid in mailbox.seed(MESSAGES)})


ALL = set(range(1, 11))


def in_folder(mail: Mail, name: str = "Trash") -> list[bytes]:
    """In the order of the messages."""
    return sorted(mail.mailbox.raw_bodies(name).values(), key=MESSAGES.index)
