"""What every mail program must get from a POP3 server, told once for all of them.

The same promises are asked of Dovecot's POP3 server, which proves the drivers, and of the bridge, which is the point.
The truth is always what IMAP shows of the same mailbox.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from attrs import frozen

from tests.peers.clients.seam import Auth, Client, LoginRefusedError, Pop3Account, Tls
from tests.peers.need import need
from tests.peers.servers.imap_server import Mailbox


@frozen
class Maildrop:
    """A POP3 server's address, and the IMAP mailbox behind it."""

    mailbox: Mailbox
    port: int
    tls_port: int
    authority: Path
    host: str = "localhost"
    login: str | None = None
    """What the POP3 user types, where that is not the mailbox's own user name."""

    def account(self, tls: Tls = "none", auth: Auth = "any", password: str | None = None) -> Pop3Account:
        return Pop3Account(
            host=self.host,
            port=self.tls_port if tls == "implicit" else self.port,
            user=self.login or self.mailbox.user,
            password=self.mailbox.password if password is None else password,
            tls=tls,
            ca=None if tls == "none" else self.authority,
            auth=auth,
        )


def require(client: Client) -> None:
    """Ends the test here, as a skip or on CI as a failure, if the program is not installed."""
    if (why := client.missing()) is not None:
        need(client.name, why)


def gets_every_message(
    client: Client,
    drop: Maildrop,
    state: Path,
    *,
    tls: Tls = "none",
    auth: Auth = "any",
    password: str | None = None,
    mail: Sequence[bytes] = (),
) -> None:
    """Everything in the mailbox arrives, unchanged, and nobody who looks by IMAP sees a trace of it."""
    require(client)
    drop.mailbox.seed(mail or SAMPLE)
    flags = drop.mailbox.flags()
    got = client.fetch(drop.account(tls, auth, password), keep=True, state=state)
    same(client, got, drop.mailbox.raw_bodies().values())
    assert drop.mailbox.flags() == flags


def gets_what_is_there(client: Client, drop: Maildrop, state: Path, truth: Sequence[bytes]) -> None:
    """As above, of a mailbox that was filled before and is left as it is."""
    require(client)
    same(client, client.fetch(drop.account(), keep=True, state=state), truth)


def gets_only_what_is_new(client: Client, drop: Maildrop, state: Path) -> None:
    """With mail left on the server the second run fetches nothing, and after one delivery the third fetches that."""
    require(client)
    drop.mailbox.seed(SAMPLE)
    account = drop.account()
    assert len(client.fetch(account, keep=True, state=state)) == len(SAMPLE)
    assert client.fetch(account, keep=True, state=state) == []
    drop.mailbox.seed([NEWCOMER])
    same(client, client.fetch(account, keep=True, state=state), [NEWCOMER])
    assert client.fetch(account, keep=True, state=state) == []


def gets_and_deletes(client: Client, drop: Maildrop, state: Path, *, tls: Tls = "none") -> None:
    """Fetch and delete leaves an empty maildrop, and what is delivered afterwards is the only mail in it."""
    require(client)
    drop.mailbox.seed(SAMPLE)
    got = client.fetch(drop.account(tls), keep=False, state=state / "first")
    same(client, got, [as_sent(message) for message in SAMPLE])
    # Another computer with no memory of its own: what it does not see is not there.
    assert client.fetch(drop.account(tls), keep=True, state=state / "second") == []
    drop.mailbox.seed([NEWCOMER])
    same(client, client.fetch(drop.account(tls), keep=True, state=state / "third"), [NEWCOMER])


def says_that_the_password_is_wrong(client: Client, drop: Maildrop, state: Path) -> None:
    """A wrong password is reported as one, and the right one works at once afterwards."""
    require(client)
    drop.mailbox.seed([NEWCOMER])
    is_refused(client, drop.account(password="wrong"), state)
    same(client, client.fetch(drop.account(), keep=True, state=state), [NEWCOMER])


def is_refused(client: Client, account: Pop3Account, state: Path) -> None:
    """The program tells its user that the login is wrong: it neither hangs nor speaks of something else."""
    with pytest.raises(LoginRefusedError):
        client.fetch(account, keep=True, state=state)


def same(client: Client, got: Iterable[bytes], mailbox: Iterable[bytes]) -> None:
    """The messages stored are those of the mailbox, each once, in so far as the program stores faithfully."""
    wanted = Counter(client.comparable(as_sent(message)) for message in mailbox)
    stored = Counter(client.comparable(message) for message in got)
    lost, strange = _some(wanted - stored), _some(stored - wanted)
    assert not lost, f"{client.name} lost {lost}; stored, but not in the mailbox: {strange}"
    assert not strange, f"{client.name} stored what is not in the mailbox: {strange}"


def _some(messages: Counter[bytes]) -> list[tuple[int, bytes]]:
    """A few of them with their lengths, cut to what a reader of a failure can take in."""
    return [(len(message), message[:300] + b" ... " + message[-60:]) for message in list(messages)[:3]]


def as_sent(message: bytes) -> bytes:
    """The octets that RETR sends for a message (S11): LF alone becomes CRLF, and a last line gets its end."""
    repaired = re.sub(rb"(?<!\r)\n", b"\r\n", message)
    return repaired if not repaired or repaired.endswith(b"\r\n") else repaired + b"\r\n"


def _mail(subject: str, body: bytes) -> bytes:
    return b"From: Ann <ann@example.org>\r\nTo: ben@example.org\r\nSubject: %s\r\n\r\n%s" % (subject.encode(), body)


NEWCOMER = _mail("news", b"this came later\r\n")

SAMPLE: Sequence[bytes] = (
    _mail("plain", b"Hello Ben.\r\n"),
    _mail("dots", b".\r\n..\r\n...\r\n.hidden\r\n. \r\nbetween\r\n.\r\n"),
    _mail("a dot at the end", b"text\r\n."),
    _mail("no final line end", b"the last line is open"),
    _mail("no text", b""),
    b"From: ann@example.org\r\nSubject: nothing but a header\r\n",
    _mail("empty lines", b"\r\n\r\n\r\nfour of them\r\n\r\n\r\n\r\n"),
    _mail("gr\u00fc\u00dfe", "M\u00fcller \u20ac\r\n".encode() + bytes(range(128, 256)) + b"\r\n"),
    _mail("long lines", b"x" * 998 + b"\r\n" + b"y" * 3000 + b"\r\nshort\r\n"),
    _mail("300 kB", b"".join(b"line %d of six thousand that fill a larger message\r\n" % n for n in range(6000))),
    _mail("from", b"From here on it looks like an mbox.\r\n\r\nFrom ann Sat Jan  1 00:00:00 2000\r\n>From\r\n"),
    _mail("a header folded\r\n\tover two lines", b"-- \r\ntrailing blanks   \r\n\ttab\t\r\n"),
)
"""A dozen messages, each with something that a POP3 server or client has been seen to get wrong."""
