"""`popbridge check --login`: an owner sees what each policy would come to in this mailbox, and nothing is changed."""

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock

from bridge.check_mailbox import check_mailbox
from bridge.config import Config, PassThrough, Upstream
from bridge.secret import Secret
from tests.peers.command import popbridge
from tests.peers.servers.courier import Courier
from tests.peers.servers.cyrus import Cyrus
from tests.peers.servers.imap_server import Mailbox, session

_UPSTREAM = Upstream("imap", "none", "127.0.0.1", 1)


def looked_at(folder: Path, mailbox: Mailbox, settings: str = "") -> tuple[int, list[str]]:
    """Exit status and the lines about the login."""
    (folder / "popbridge.toml").write_text(
        f"""
        [[listener]]
        pop3 = "127.0.0.1:0"
        [[passthrough]]
        upstream = "imap://127.0.0.1:{mailbox.port}"
        {settings}
        """
    )
    password = {"POPBRIDGE_PASSWORD": mailbox.password}
    result = popbridge(folder, "check", "--config", "popbridge.toml", "--login", mailbox.user, environment=password)
    lines = result.stdout.splitlines()
    about = [line for line in lines if line.startswith(("login ", "  ")) and "OAuth2" not in line]
    return result.returncode, [line.removeprefix(f"login imap://127.0.0.1:{mailbox.port}/INBOX ") for line in about]


@pytest.mark.story
def test_every_policy_is_named_with_what_it_comes_to(tmp_path: Path, mailbox: Mailbox) -> None:
    mailbox.seed([b"Subject: one\r\n\r\nbody\r\n", b"Subject: two\r\n\r\nbody\r\n"])
    with session(mailbox) as imap:
        imap.uid("STORE", "2", "+FLAGS", r"(\Deleted)")
    before = mailbox.flags()

    status, lines = looked_at(
        tmp_path, mailbox, 'purge = "30d"\nafter = "12h"\nseen = "retrieved"\nsearch = "SUBJECT two"'
    )

    assert (status, lines) == (
        0,
        [
            f"{mailbox.user}: 1 messages, 22 octets",
            "  its view shows 0 of them to a program that comes for the first time",
            '  delete = "flag" (this account\'s): holds',
            '  delete = "expunge": holds',
            '  delete = "trash": holds, to Trash',
            '  delete = "archive": holds, to Archive',
            '  delete = "hide": holds',
            '  delete = "keep": holds',
            "  after = 43200 seconds: holds; until then only this login does not see the message",
            "  purge = 30 days: holds",
            '  seen = "retrieved": holds',
        ],
    )
    assert mailbox.flags() == before
    assert not (tmp_path / "popbridge.sqlite").exists()


@pytest.mark.story
def test_without_move_and_marks_it_is_said_what_is_missing(tmp_path: Path, courier_server: Courier) -> None:
    mailbox = courier_server.new_mailbox()

    status, lines = looked_at(tmp_path, mailbox, 'delete = "archive"')

    assert status == 1
    assert (
        '  delete = "archive" (this account\'s): delete = "archive", but no mailbox is marked \\Archive'
        in "\n".join(lines)
    )
    assert '  delete = "flag": holds' in lines


@pytest.mark.story
def test_uidls_made_of_ids_are_tried(tmp_path: Path, cyrus_server: Cyrus, mailbox: Mailbox) -> None:
    on_cyrus = cyrus_server.new_mailbox()
    on_cyrus.seed([b"From: ann@example.org\r\nDate: Sat, 1 Jan 2000 00:00:00 +0000\r\nSubject: one\r\n\r\nbody\r\n"])

    good, lines = looked_at(tmp_path, on_cyrus, 'uidl = "emailid"')
    bad, others = looked_at(tmp_path, mailbox, 'uidl = "emailid"')

    assert (good, bad) == (0, 1)
    assert lines[-1].startswith('  uidl = "emailid": holds, such as ')
    assert 'uidl = "emailid": upstream gives messages no lasting ids' in others[-1]


@pytest.mark.parametrize(
    ("login", "told"), [(b"an*n", "this login is not taken: a * in the login"), (b"ben", "no [[passthrough]] entry")]
)
def test_a_login_that_would_never_go_upstream_is_told_without_asking(login: bytes, told: str) -> None:
    said: list[str] = []
    reactor: Any = MemoryReactorClock()  # type: ignore[no-untyped-call]  # Twisted has no types there
    config = Config(base=Path("/"), listeners=(), passthrough=(PassThrough(upstream=_UPSTREAM, users="a*"),))
    results: list[bool] = []

    work = Deferred.fromCoroutine(check_mailbox(config, reactor, said.append, login, Secret(b"x")))
    work.addCallback(results.append)

    assert results == [False]
    assert told in said[0]
