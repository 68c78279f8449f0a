"""The real servers keep the promises that the stories lean on."""

import contextlib
import imaplib
import os
import poplib
import select
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.peers.certificates import Certificates
from tests.peers.child import accepts, alive, family
from tests.peers.servers.courier import courier
from tests.peers.servers.cyrus import cyrus
from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.peers.servers.hoodiecrow import hoodiecrow
from tests.peers.servers.imap_server import ImapServer, Mailbox, ManyUsersServer, session
from tests.peers.servers.pymap import pymap

pytestmark = pytest.mark.story

ROOT = Path(__file__).parents[2]
MESSAGES = [b"Subject: %d\r\n\r\nHello %d\r\n" % (number, number) for number in range(20)]


def test_an_unknown_password_or_user_is_refused(every_server: ImapServer) -> None:
    mailbox = every_server.new_mailbox()
    with pytest.raises(imaplib.IMAP4.error):
        every_server.connect(mailbox.user, "wrong")
    if every_server.name != "courier":  # which takes five seconds to refuse anybody
        with pytest.raises(imaplib.IMAP4.error):
            every_server.connect("nobody-of-that-name", mailbox.password)
        with pytest.raises(imaplib.IMAP4.error):
            every_server.connect(mailbox.user, "")
    mailbox.connect().logout()


def test_what_is_appended_is_read_back_under_ascending_uids(every_server: ImapServer) -> None:
    mailbox = every_server.new_mailbox()
    accepted = mailbox.seed(MESSAGES)
    assert [index for index, _ in accepted] == list(range(len(MESSAGES)))
    uids = [uid for _, uid in accepted]
    assert uids == sorted(set(uids))
    assert mailbox.raw_bodies() == dict(zip(uids, MESSAGES, strict=True))
    assert set(mailbox.flags()) == set(uids)


def test_a_wiped_mailbox_is_empty_and_its_uids_are_not_used_again(every_server: ImapServer) -> None:
    mailbox = every_server.new_mailbox()
    ((_, first),) = mailbox.seed(MESSAGES[:1])
    mailbox.wipe()
    assert mailbox.uids() == []
    ((_, second),) = mailbox.seed(MESSAGES[:1])
    assert second > first


def test_two_users_of_one_server_do_not_see_each_other(any_server: ManyUsersServer) -> None:
    one, other = any_server.new_mailbox(), any_server.new_mailbox("another password")
    one.seed(MESSAGES)
    assert other.uids() == []


def test_both_kinds_of_tls_show_the_tests_certificate(any_server: ManyUsersServer, certificates: Certificates) -> None:
    context = ssl.create_default_context(cafile=certificates.authority)
    mailbox = any_server.new_mailbox()
    assert mailbox.tls_port is not None
    with imaplib.IMAP4_SSL(mailbox.host, mailbox.tls_port, ssl_context=context) as implicit:
        implicit.login(mailbox.user, mailbox.password)
    with imaplib.IMAP4(mailbox.host, mailbox.port) as explicit:
        explicit.starttls(context)
        explicit.login(mailbox.user, mailbox.password)


def test_deleting_has_somewhere_to_put_the_mail(any_mailbox: Mailbox) -> None:
    trash = {"courier": "INBOX.Trash"}.get(any_mailbox.name, "Trash")
    with session(any_mailbox, trash):
        pass


@pytest.mark.parametrize("name", ["dovecot", "cyrus", "courier", "pymap", "hoodiecrow"])
def test_a_stopped_server_leaves_no_process(name: str, tmp_path: Path) -> None:
    servers: dict[str, Callable[[], AbstractContextManager[ImapServer]]] = {
        "dovecot": dovecot,
        "cyrus": cyrus,
        "courier": courier,
        "pymap": lambda: pymap(tmp_path),
        "hoodiecrow": lambda: hoodiecrow(tmp_path),
    }
    with servers[name]() as server:
        server.connect().logout()
        processes = family(server.pid)
        assert processes
    assert not alive(processes)
    assert not accepts(server.host, server.port)


@pytest.mark.parametrize("name", ["dovecot", "cyrus", "courier"])
def test_a_killed_test_run_takes_its_server_along(name: str) -> None:
    """SIGKILL leaves no time to tidy up; the kernel does it."""
    script = (
        f"from tests.peers.servers.{name} import {name}\n"
        f"with {name}() as server:\n"
        "    server.connect().logout()\n"
        "    print(server.port, server.directory, flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as run:
        assert run.stdout is not None
        port, directory = run.stdout.readline().decode().split()
        processes = family(run.pid)
        assert len(processes) > 2
        run.kill()
        run.wait()
        _until_gone(processes)
    assert not accepts("127.0.0.1", int(port))
    shutil.rmtree(directory)


def _until_gone(processes: set[tuple[int, int]]) -> None:
    """The kernel's signal needs a moment to be acted on."""
    for pid, _ in processes:
        with contextlib.suppress(ProcessLookupError):
            process = os.pidfd_open(pid)
            ended, _, _ = select.select([process], [], [], 10)
            os.close(process)
            assert ended, f"process {pid} outlived the test run by ten seconds"
    assert not alive(processes)


def test_dovecot_takes_bearer_tokens_and_refuses_stale_ones(dovecot_server: Dovecot) -> None:
    mailbox = dovecot_server.new_mailbox()

    def log_in(token: str) -> None:
        response = f"user={mailbox.user}\1auth=Bearer {token}\1\1".encode()
        with imaplib.IMAP4(mailbox.host, mailbox.port) as imap:
            imap.authenticate("XOAUTH2", lambda challenge: b"" if challenge else response)

    log_in(dovecot_server.token(mailbox.user))
    for token in (dovecot_server.token(mailbox.user, seconds=-60), dovecot_server.token("another"), "nonsense"):
        with pytest.raises(imaplib.IMAP4.error):
            log_in(token)


def test_dovecot_serves_the_same_mail_by_its_own_pop3(dovecot_server: Dovecot) -> None:
    mailbox = dovecot_server.new_mailbox()
    mailbox.seed(MESSAGES)
    pop3 = poplib.POP3(dovecot_server.host, dovecot_server.pop3_port)
    pop3.user(mailbox.user)
    pop3.pass_(mailbox.password)
    assert b"\r\n".join([*pop3.retr(7)[1], b""]) == MESSAGES[6]
    pop3.quit()


def test_dovecot_can_be_given_what_append_would_mend(dovecot_server: Dovecot) -> None:
    mailbox = dovecot_server.new_mailbox()
    odd = [b"Subject: lf\n\nbody\n", b"Subject: cr\r\r\n\r\nno end"]
    dovecot_server.drop_into_maildir(mailbox.user, odd)
    assert list(mailbox.raw_bodies().values()) == [b"Subject: lf\r\n\r\nbody\r\n", b"Subject: cr\r\r\n\r\nno end"]


def test_dovecot_can_be_made_to_lack_extensions() -> None:
    with dovecot(capability="IMAP4rev1 IDLE") as server:
        mailbox = server.new_mailbox()
        mailbox.seed(MESSAGES)
        with mailbox.connect() as imap:
            assert imap.capability()[1][0] == b"IMAP4rev1 IDLE"
        assert len(mailbox.uids()) == len(MESSAGES)


def test_dovecot_takes_a_hundred_thousand_messages_in_seconds() -> None:
    with dovecot(format="mdbox") as server:
        mailbox = server.new_mailbox()
        mailbox.seed_at_once([b"Subject: %d\r\n\r\nHello\r\n" % number for number in range(100_000)])
        assert mailbox.uids() == list(range(1, 100_001))


@pytest.mark.parametrize("storage", ["mdbox", "sdbox", "mbox"])
def test_dovecot_keeps_mail_in_other_formats(storage: str) -> None:
    with dovecot(format=storage) as server:  # type: ignore[arg-type]  # pytest's parameters are plain strings
        mailbox = server.new_mailbox()
        uids = [uid for _, uid in mailbox.seed(MESSAGES)]
        assert list(mailbox.raw_bodies()) == uids


def test_dovecot_by_index_keeps_a_mailbox_made_anew_apart_from_the_one_before() -> None:
    """By name, in Dovecot 2.3, the STORE below is a SERVERBUG that unlinks the new mailbox's index under its users."""
    with dovecot(layout="index") as server:
        mailbox = server.new_mailbox()
        with mailbox.connect() as user, mailbox.connect() as late:
            user.create("Work")
            user.append("Work", "", "", MESSAGES[0])
            late.select("Work")
            user.delete("Work")
            user.create("Work")
            user.append("Work", "", "", MESSAGES[1])
            status, [text] = late.uid("STORE", "1", "+FLAGS", r"(\Deleted)")
            assert status == "NO"
            assert b"Mailbox was deleted under us" in text
            assert user.append("Work", "", "", MESSAGES[2])[0] == "OK"
        assert mailbox.flags("Work") == {1: set(), 2: set()}
        assert mailbox.raw_bodies("Work") == {1: MESSAGES[1], 2: MESSAGES[2]}
