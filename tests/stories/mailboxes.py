"""What happens to a mailbox behind a bridge's back: it is copied, deleted and filled again, numbered anew, moved.

All of it over IMAP, as imapsync and other IMAP users do it, or with `doveadm`, as Dovecot's administrators do.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence

from attrs import frozen

from tests.peers.need import need
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import Login, Mailbox, log_in, search, session

_AT_ONCE = 100
_DATE = re.compile(rb'INTERNALDATE "([^"]+)"')
_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")
_UID = re.compile(rb"UID (\d+)")


@frozen
class Kept:
    """One message with everything that a copying program takes along."""

    uid: int
    octets: bytes
    date: str
    flags: str


def kept(login: Login, mailbox: str = "INBOX") -> list[Kept]:
    """Every message, in the order of the UIDs."""
    messages = []
    with session(login, mailbox) as imap:
        uids = search(imap)
        for start in range(0, len(uids), _AT_ONCE):
            some = ",".join(map(str, uids[start : start + _AT_ONCE]))
            _, answers = imap.uid("FETCH", some, "(UID FLAGS INTERNALDATE BODY.PEEK[])")
            for index, answer in enumerate(answers):
                if isinstance(answer, tuple):
                    rest = answers[index + 1]
                    messages.append(_kept(answer[0] + (rest if isinstance(rest, bytes) else b""), answer[1]))
    assert [message.uid for message in messages] == uids
    return messages


def _kept(line: bytes, octets: bytes) -> Kept:
    uid, date, flags = (_first(pattern, line) for pattern in (_UID, _DATE, _FLAGS))
    return Kept(int(uid), octets, date.strip(), " ".join(flag for flag in flags.split() if flag != r"\Recent"))


def _first(pattern: re.Pattern[bytes], line: bytes) -> str:
    found = pattern.search(line)
    assert found is not None, f"{pattern} is not in {line!r}"
    return found[1].decode()


def put(login: Login, messages: Iterable[Kept], mailbox: str = "INBOX") -> None:
    """Appends them in this order, with their flags and dates, as imapsync does."""
    waiting = list(messages)
    imap = log_in(login)
    assert "LITERAL+" in imap.capabilities
    for start in range(0, len(waiting), _AT_ONCE):
        tags = []
        for message in waiting[start : start + _AT_ONCE]:
            tags.append(tag := imap._new_tag())
            how = f'{mailbox} ({message.flags}) "{message.date}"'.encode()
            imap.send(b"%s APPEND %s {%d+}\r\n%s\r\n" % (tag, how, len(message.octets), message.octets))
        for tag in tags:
            while not (line := imap.readline()).startswith(tag + b" "):
                assert line, "the server closed the connection"
            assert line.startswith(tag + b" OK"), line
    imap.logout()


def create(login: Login, mailbox: str) -> None:
    _done(login, "CREATE", mailbox)


def rebuild(login: Login, mailbox: str, messages: Iterable[Kept]) -> None:
    """The mailbox is deleted, made anew under its old name, and filled with these."""
    _done(login, "DELETE", mailbox)
    create(login, mailbox)
    put(login, messages, mailbox)


def flag(login: Login, uids: Iterable[int], mailbox: str = "INBOX", *, deleted: bool = True) -> None:
    """An IMAP user sets \\Deleted on these messages, or takes it away; he does not expunge."""
    store(login, uids, r"\Deleted", mailbox, on=deleted)


def store(login: Login, uids: Iterable[int], word: str, mailbox: str = "INBOX", *, on: bool = True) -> None:
    """An IMAP user sets a flag or keyword, or takes it away."""
    with session(login, mailbox) as imap:
        status, _ = imap.uid("STORE", ",".join(map(str, uids)), "+FLAGS" if on else "-FLAGS", f"({word})")
        assert status == "OK"


def expunge(login: Login, uids: Iterable[int], mailbox: str = "INBOX") -> None:
    """An IMAP user deletes exactly these for good."""
    some = ",".join(map(str, uids))
    with session(login, mailbox) as imap:
        imap.uid("STORE", some, "+FLAGS.SILENT", r"(\Deleted)")
        status, _ = imap.uid("EXPUNGE", some)
        assert status == "OK"


def uidvalidity(login: Login, mailbox: str = "INBOX") -> int:
    return _status(login, "UIDVALIDITY", mailbox)


def uidnext(login: Login, mailbox: str = "INBOX") -> int:
    return _status(login, "UIDNEXT", mailbox)


def _status(login: Login, what: str, mailbox: str) -> int:
    imap = log_in(login)
    _, [line] = imap.status(mailbox, f"({what})")
    imap.logout()
    assert isinstance(line, bytes)
    return int(_first(re.compile(rb"%s (\d+)" % what.encode()), line))


def _done(login: Login, command: str, mailbox: str) -> None:
    imap = log_in(login)
    status, text = imap.xatom(command, mailbox)
    assert status == "OK", text
    imap.logout()


def doveadm(server: Dovecot, user: str, *words: str) -> None:
    """Runs an administrator's command on this user's mail."""
    program = shutil.which("doveadm") or need("doveadm", "apt-get install dovecot-core")
    home = server.directory / "mail" / user
    done = subprocess.run(
        [program, "-c", server.directory / "dovecot.conf", *words],
        env={**os.environ, "USER": user, "HOME": str(home)},  # without -u these two say whose mail it is
        user=home.stat().st_uid if os.geteuid() == 0 else None,
        group=home.stat().st_gid if os.geteuid() == 0 else None,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"doveadm {words}: {done.stderr.decode()}"


def number_as(server: Dovecot, user: str, validity: int, mailbox: str = "INBOX", *, next_uid: int = 0) -> None:
    """Gives the mailbox this UIDVALIDITY, and to its next message at least that UID."""
    login = Mailbox(server, user)
    before = _status(login, "MESSAGES", mailbox)
    more = ["--min-next-uid", str(next_uid)] if next_uid else []
    doveadm(server, user, "mailbox", "update", "--uid-validity", str(validity), *more, mailbox)
    # Dovecot 2.3.19 has then forgotten all messages but one, until it is told to look into its Maildir again; and it
    # has to be told twice.
    for _ in range(2):
        doveadm(server, user, "force-resync", mailbox)
        with session(login, mailbox) as imap:
            after = len(search(imap))
    assert after == before


def forget_uids(server: Dovecot, user: str, mailbox: str = "INBOX") -> None:
    """A restored backup of the Maildir without Dovecot's own files: the same mail in the same files, under new UIDs."""
    home = server.directory / "mail" / user / "maildir"
    folder = home if mailbox == "INBOX" else home / f".{mailbox}"
    (folder / "dovecot-uidlist").unlink()
    for file in [*folder.glob("dovecot.index*"), *home.glob("dovecot.list.index*")]:
        file.unlink()


def numbered(messages: Sequence[bytes], year: int = 2024) -> list[Kept]:
    """Messages for `put`, a minute of that year after the other."""
    return [
        Kept(0, octets, f"{1 + n // 1440:02d}-Mar-{year} {n // 60 % 24:02d}:{n % 60:02d}:07 +0000", "")
        for n, octets in enumerate(messages)
    ]
