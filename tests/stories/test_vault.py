"""A password in the vault: changed under a running bridge, lost to no wrong login, and nowhere to be read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.credentials.leaks import assert_nothing_leaked
from tests.peers.bridge import Bridge, bridge
from tests.peers.command import popbridge
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import Mailbox
from tests.stories.pop3 import Pop3, Refused
from tests.stories.scanner import scanner

pytestmark = pytest.mark.story

UPSTREAM, DEVICE, WRONG = "of-upstream-alone/4711", "of-the-scanner~0815", "a-wrong-guess?1234"
LETTER = b"Subject: one\r\n\r\n1\r\n"


@pytest.fixture
def mailbox(dovecot_server: Dovecot) -> Mailbox:
    mailbox = dovecot_server.new_mailbox(UPSTREAM)
    mailbox.seed([LETTER])
    return mailbox


@pytest.fixture
def running(mailbox: Mailbox, tmp_path: Path) -> Iterator[Bridge]:
    config = "trace = true\n" + scanner(mailbox, DEVICE.encode(), secret="vault:work") + '[pool]\npark = "off"\n'
    with bridge(tmp_path, config=config) as running:
        yield running


def secret(folder: Path, *arguments: str, typed: str = "") -> str:
    command, *rest = arguments
    result = popbridge(folder, "secret", command, "--config", "popbridge.toml", *rest, typed=typed)
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr


def read(running: Bridge, password: str = DEVICE) -> bytes:
    with Pop3(running.port) as session:
        session.do("USER scanner")
        session.do(f"PASS {password}")
        return session.retr(1)


def test_what_the_owner_puts_there_counts_from_the_next_login_on(running: Bridge, tmp_path: Path) -> None:
    with pytest.raises(
        Refused, match=r"\[SYS/PERM\] scanner/work: the vault has no secret work; .* popbridge secret set work"
    ):
        read(running)
    said = [secret(tmp_path, "set", "work", typed=WRONG)]
    with pytest.raises(Refused, match=r"\[SYS/PERM\] scanner/work: .* refuses the password in vault:work"):
        read(running)
    said.append(secret(tmp_path, "set", "work", typed=f"{UPSTREAM}\n"))
    assert read(running) == LETTER
    for guess in range(3):
        with pytest.raises(Refused, match=r"\[AUTH\]|\[SYS/TEMP\]"):
            read(running, f"{WRONG}{guess}")
    said += [secret(tmp_path, "rekey"), secret(tmp_path, "list")]
    assert read(running) == LETTER

    running.kill()
    secrets = {"upstream's password": UPSTREAM, "the device's password": DEVICE, "a wrong one": WRONG}
    assert (tmp_path / "popbridge.sqlite").exists()
    assert (tmp_path / "bridge.log").read_text().count("Pass(") >= 6, "the trace tells of them"
    assert_nothing_leaked(secrets, files=tmp_path, texts=said)


def test_a_lost_key_is_called_one_and_put_back_it_opens_everything(running: Bridge, tmp_path: Path) -> None:
    secret(tmp_path, "set", "work", typed=UPSTREAM)
    assert read(running) == LETTER
    key = tmp_path / "popbridge.key"
    key.rename(tmp_path / "elsewhere")
    with pytest.raises(
        Refused, match=r"\[SYS/PERM\] scanner/work: the key of the vault .* is missing; put back a copy"
    ):
        read(running)
    (tmp_path / "elsewhere").rename(key)
    assert read(running) == LETTER
