"""What an owner types: the command answers in words and in its exit status."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.cli import main
from bridge.version import __version__
from tests.peers.certificates import Certificates
from tests.peers.child import Child, free_port
from tests.peers.command import POPBRIDGE, ROOT, popbridge
from tests.peers.servers.imap_server import Mailbox


def test_the_version_is_the_one_that_capa_shows() -> None:
    assert CliRunner().invoke(main, ["--version"]).output == f"popbridge {__version__}\n"


def test_a_bad_file_is_answered_with_line_and_remedy(tmp_path: Path) -> None:
    file = tmp_path / "popbridge.toml"
    file.write_text('[[listener]]\npop3 = "127.0.0.1:1110"\n\n[[passthrough]]\nupsteam = "imaps://imap.example.org"\n')

    result = CliRunner().invoke(main, ["check", "--config", str(file)])

    assert result.exit_code == 1
    assert "popbridge.toml, line 5" in result.output
    assert "upstream" in result.output


def test_check_says_that_an_upstream_does_not_answer(tmp_path: Path) -> None:
    nobody = f"imap://127.0.0.1:{free_port()}"

    result = popbridge(tmp_path, "check", "--pop3", "127.0.0.1:0", "--upstream", nobody)

    assert result.returncode == 1
    assert f"upstream {nobody}/INBOX" in result.stdout
    assert "refused" in result.stdout


@pytest.mark.story
def test_check_tells_what_an_upstream_can_do_and_what_dele_would_do_there(tmp_path: Path, mailbox: Mailbox) -> None:
    mailbox.seed([b"Subject: one\r\n\r\nbody\r\n"])
    upstream = f"imap://127.0.0.1:{mailbox.port}"
    arguments = ["check", "--pop3", "127.0.0.1:0", "--upstream", upstream, "--delete", "expunge"]

    before = popbridge(tmp_path, *arguments)
    opened = popbridge(tmp_path, *arguments, "--login", mailbox.user, typed=f"{mailbox.password}\n")
    refused = popbridge(tmp_path, *arguments, "--login", mailbox.user, typed="wrong\n")

    assert before.returncode == 0, before.stdout + before.stderr
    assert "answers; login by" in before.stdout
    assert ("takes no OAuth2 tokens" in before.stdout) != ("XOAUTH2" in before.stdout)
    assert opened.returncode == 0, opened.stdout + opened.stderr
    assert "1 messages, 22 octets" in opened.stdout
    assert 'delete = "expunge" (this account\'s): holds' in opened.stdout
    assert refused.returncode == 1
    assert "user name or password is wrong" in refused.stdout


@pytest.mark.story
def test_check_names_what_is_wrong_with_a_certificate(
    tmp_path: Path, mailbox: Mailbox, certificates: Certificates
) -> None:
    assert mailbox.tls_port is not None
    result = popbridge(
        tmp_path, "check", "--pop3", "127.0.0.1:0", "--upstream", f"imaps://127.0.0.1:{mailbox.tls_port}"
    )

    assert result.returncode == 1
    assert "is not trusted" in result.stdout
    assert "ca =" in result.stdout


def test_the_demo_prints_the_line_that_reads_the_first_message(tmp_path: Path) -> None:
    port = free_port()
    child = Child(
        [sys.executable, "-c", POPBRIDGE, "demo", "--pop3", f"127.0.0.1:{port}"],
        tmp_path / "demo.log",
        environment={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        folder=tmp_path,
    )
    try:
        child.until_accepting("127.0.0.1", port)
        taken = popbridge(tmp_path, "demo", "--pop3", f"127.0.0.1:{port}")
        line = next(line for line in child.text().splitlines() if "curl" in line and line.endswith("/1"))
        read = subprocess.run(["sh", "-c", line], capture_output=True, timeout=30, check=True)
    finally:
        status = child.stop()

    assert status == 0
    assert b"Subject: Welcome to Popbridge" in read.stdout
    assert taken.returncode == 1
    assert "Address already in use" in taken.stderr
    assert "Traceback" not in taken.stderr + child.text()
