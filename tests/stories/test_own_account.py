"""A login of the bridge's own: its password opens a mailbox whose own password no mail program ever sees."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.bridge import Bridge, bridge
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import Mailbox
from tests.stories.pop3 import Pop3, Refused
from tests.stories.scanner import scanner

pytestmark = pytest.mark.story

LETTERS = [b"Subject: one\r\n\r\n1\r\n", b"Subject: two\r\n\r\n2\r\n"]


class Ground:
    def __init__(self, folder: Path, mailbox: Mailbox) -> None:
        self.secret = folder / "work.password"
        self.secret.write_text(f"{mailbox.password}\n")
        self.config = scanner(mailbox, b"of the scanner", secret="file:work.password")


@pytest.fixture
def ground(dovecot_server: Dovecot, tmp_path: Path) -> Ground:
    mailbox = dovecot_server.new_mailbox("of upstream alone")
    mailbox.seed(LETTERS)
    return Ground(tmp_path, mailbox)


@pytest.fixture
def running(ground: Ground, tmp_path: Path) -> Iterator[Bridge]:
    with bridge(tmp_path, config=ground.config) as running:
        yield running


def log_in(session: Pop3, user: str, password: str) -> None:
    session.do(f"USER {user}")
    session.do(f"PASS {password}")


def test_its_own_password_opens_the_mailbox_and_upstream_s_does_not(ground: Ground, running: Bridge) -> None:
    with Pop3(running.port) as session:
        log_in(session, "scanner", "of the scanner")
        assert [session.retr(number) for number in (1, 2)] == LETTERS
        session.do("DELE 1")
        session.quit()
    with Pop3(running.port) as session:
        log_in(session, "scanner", "of the scanner")
        assert session.count() == 1
    for user, password in (("scanner", "of upstream alone"), ("scanner", "guess"), ("nobody", "of the scanner")):
        with Pop3(running.port) as session, pytest.raises(Refused, match=r"\[AUTH\]"):
            log_in(session, user, password)
    assert "of upstream alone" not in running.log()


def test_where_the_owner_s_secret_is_wrong_the_client_is_not_blamed(ground: Ground, running: Bridge) -> None:
    ground.secret.write_text("wrong")

    with Pop3(running.port) as session, pytest.raises(Refused, match=r"\[SYS/PERM\] scanner/work: .*work\.password"):
        log_in(session, "scanner", "of the scanner")
