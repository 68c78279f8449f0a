"""QUIT tells the truth when upstream refuses, forgets, or is gone: "n of m messages not deleted" (S17; fault 10)."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from tests.peers.bridge import bridge
from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.stories.deletions import ALL, HIDDEN, MESSAGES, MOVING, Deleting, Mail, deleting, in_folder, ten
from tests.stories.pop3 import Refused, opened

pytestmark = pytest.mark.story

POLICIES = ["flag", "expunge", "trash", "archive", "hide"]
ACL = "mail_plugins = acl\nplugin {\n  acl = vfile\n}\nprotocol imap {\n  mail_plugins = acl imap_acl\n}\n"
EVERYTHING = "lrwstipekxa"


@pytest.fixture(scope="module")
def acl_server() -> Iterator[Dovecot]:
    """Each mailbox has a file that says what its owner may do there."""
    with dovecot(extra=ACL) as server:
        yield server


@pytest.fixture(scope="module")
def running(acl_server: Dovecot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deleting]:
    with deleting(tmp_path_factory.mktemp("refused"), acl_server) as started:
        yield started


def allow(server: Dovecot, mail: Mail, rights: str, folder: str = ".") -> None:
    server._file(f"mail/{mail.mailbox.user}/maildir/{folder}/dovecot-acl", f"owner {rights}\n".encode())


def done_by(policy: str, mail: Mail) -> set[int]:
    match policy:
        case "flag":
            return mail.flagged()
        case "hide":
            return mail.flagged(HIDDEN)
        case _:
            return ALL - mail.left()


def assert_true(line: bytes, asked: int, done: int) -> None:
    """+OK if and only if all of it is done; else how much is not."""
    if done == asked:
        assert line.startswith(b"+OK"), line
    else:
        assert line.startswith((b"-ERR [SYS/PERM] ", b"-ERR [SYS/TEMP] ")), line
        # "Not confirmed" where upstream was lost meanwhile, and nobody can know.
        said = [
            b"%d of %d %b" % (asked - done, asked, what) for what in (b"messages not deleted", b"deletions not conf")
        ]
        assert any(words in line for words in said), line


# l, r: see and read; s: \\Seen; w: other flags; t: \\Deleted; e: expunge (RFC 4314). With these it works:
SUFFICIENT = {
    ("flag", "lrwst"),
    ("flag", "lrt"),
    ("trash", "lrwse"),
    ("archive", "lrwse"),
    ("hide", "lrw"),
    ("hide", "lrwst"),
    ("hide", "lrwse"),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("rights", ["lr", "lrs", "lrw", "lrt", "lrwst", "lrwse"])
def test_where_the_owner_lacks_the_right(policy: str, rights: str, acl_server: Dovecot, running: Deleting) -> None:
    mail = ten(acl_server)
    allow(acl_server, mail, rights)
    if (policy, rights) in {("hide", "lrs"), ("hide", "lrt")}:  # it can be written to, and keeps no keywords
        with pytest.raises(Refused, match=r"-ERR \[SYS/PERM\] .*keeps no keywords"):
            running.session(policy, mail.mailbox)
        return
    with running.session(policy, mail.mailbox) as client:
        assert client.count() == 10, "reading is allowed"
        assert len(list(client.retr_all(range(1, 11)))) == 10
        for number in (2, 4, 6):
            client.do(f"DELE {number}")
        line = client.quit()
    allow(acl_server, mail, EVERYTHING)
    done = done_by(policy, mail)
    print(f"{policy} with {rights}: {line!r}")
    assert done == ({2, 4, 6} if (policy, rights) in SUFFICIENT else set())
    assert_true(line, 3, len(done))


@pytest.mark.parametrize("policy", MOVING)
def test_where_the_other_mailbox_takes_nothing(policy: str, acl_server: Dovecot, running: Deleting) -> None:
    mail = ten(acl_server)
    assert in_folder(mail, MOVING[policy]) == []
    allow(acl_server, mail, "lr", f".{MOVING[policy]}")
    with running.session(policy, mail.mailbox) as client:
        client.do("DELE 2")
        assert_true(client.quit(), 1, 0)
    assert (mail.left(), mail.flagged()) == (ALL, set())


@pytest.mark.parametrize("policy", POLICIES)
def test_where_the_disk_is_read_only(policy: str, acl_server: Dovecot, running: Deleting) -> None:
    """Dovecot says OK to all of it and takes it back a moment later; some day the disk can be written again."""
    mail = ten(acl_server)
    inbox = acl_server.directory / "mail" / mail.mailbox.user / "maildir"
    folders = [inbox, inbox / "cur", inbox / "new", inbox / "tmp"]
    with running.session(policy, mail.mailbox) as client:
        for number in (2, 4, 6):
            client.do(f"DELE {number}")
        try:
            for folder in folders:
                folder.chmod(0o500)
            line = client.quit()
            print(f"{policy} on a read-only disk: {line!r}")
        finally:
            for folder in folders:
                folder.chmod(0o700)
    if policy == "hide":
        # Every session sees the keyword until the disk can be written again, and then it is gone (Dovecot 2.3.19 with
        # Maildir): nobody can know that at QUIT. The messages are back in the next listing.
        assert (mail.left(), mail.flagged()) == (ALL, set())
        return
    if b"will be deleted" in line:  # written down, and done as soon as it can be
        deadline = monotonic() + 30
        while done_by(policy, mail) != {2, 4, 6}:
            assert monotonic() < deadline, "the promise does not come true"
            Event().wait(0.1)
    else:
        assert_true(line, 3, len(done_by(policy, mail)))
    if policy in MOVING:
        there = set(in_folder(mail, MOVING[policy]))
        assert there >= {MESSAGES[number - 1] for number in ALL - mail.left()}, "nothing is lost"


IN_MEMORY = """
state = "memory:"
[[listener]]
pop3 = "127.0.0.1:{port}"
[[passthrough]]
upstream = "imap://127.0.0.1:%d"
"""


def test_when_upstream_is_gone_and_nothing_can_be_written_down(tmp_path: Path) -> None:
    """Without a journal that lasts, +OK would be a promise that nobody keeps (S17)."""
    with dovecot() as server, bridge(tmp_path, config=IN_MEMORY % server.port) as started:
        mail = ten(server)
        with opened(started.port, mail.mailbox) as client:
            client.do("DELE 1")
            client.do("DELE 2")
            server.stop()
            line = client.quit()
            assert line.startswith(b"-ERR [SYS/TEMP]")
            assert_true(line, 2, 0)
