"""The embedded server gives the sample mail octet for octet, and ends with whoever started it."""

import imaplib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.demo.mail import sample_mail
from bridge.demo.process import PASSWORD, USER

pytest.importorskip("pymap", reason="the demo's IMAP server is not installed: pip install 'popbridge[demo]'")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def server() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    with subprocess.Popen(
        [sys.executable, "-m", "bridge.demo.server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as child:
        assert child.stdout is not None
        word, port = child.stdout.readline().split()
        assert word == b"ready"
        yield child, int(port)
        child.kill()


def test_the_sample_mail_is_in_the_inbox(server: tuple[subprocess.Popen[bytes], int]) -> None:
    client = imaplib.IMAP4("127.0.0.1", server[1], timeout=20)
    client.login(USER, PASSWORD)
    client.select()

    for number, message in enumerate(sample_mail(), 1):
        body = client.fetch(str(number), "(BODY.PEEK[])")[1][0]
        assert isinstance(body, tuple)
        assert body[1] == message.octets


def test_there_is_a_trash_and_a_wrong_password_is_refused(server: tuple[subprocess.Popen[bytes], int]) -> None:
    client = imaplib.IMAP4("127.0.0.1", server[1], timeout=20)
    with pytest.raises(imaplib.IMAP4.error):
        client.login(USER, "wrong")
    client.login(USER, PASSWORD)

    assert any(b"Trash" in line for line in client.list()[1] if isinstance(line, bytes))


def test_it_ends_when_its_input_ends_even_with_a_client_connected(server: tuple[subprocess.Popen[bytes], int]) -> None:
    child, port = server
    client = imaplib.IMAP4("127.0.0.1", port, timeout=20)
    client.login(USER, PASSWORD)
    assert child.stdin is not None
    child.stdin.close()

    assert child.wait(20) == 0


def test_ctrl_c_leaves_it_to_the_bridge_to_end_first(server: tuple[subprocess.Popen[bytes], int]) -> None:
    child, port = server
    child.send_signal(2)

    imaplib.IMAP4("127.0.0.1", port, timeout=20).login(USER, PASSWORD)
