"""`popbridge setup` as it is typed: what cannot be meant is answered in words, and nothing is asked then."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.cli import main
from tests.peers.child import free_port
from tests.peers.command import POPBRIDGE, ROOT, popbridge


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["ann"], "Invalid value for ADDRESS"),
        (["--pop3", "1110", "ann@gmx.de"], "write 127.0.0.1:1110"),
        (["--pop3", "127.0.0.1:0", "ann@gmx.de"], "need a port that stays"),
        (["--upstream", "imap.gmx.net", "ann@gmx.de"], "write imaps://imap.gmx.net"),
        (["--mechanism", "PLAIN", "ann@gmx.de"], "is not one of"),
        (["--paste", "--device", "ann@gmx.de"], "are two ways; take one"),
        (["--ca", "missing.pem", "ann@gmx.de"], "does not exist"),
        ([], "Missing argument 'ADDRESS'"),
    ],
)
def test_what_cannot_be_meant(arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(main, ["setup", *arguments])

    assert (result.exit_code, told in result.output) == (2, True), result.output


@pytest.mark.parametrize("flag", ["--oauth2", "--paste", "--device", "--no-client-secret"])
def test_whoever_speaks_of_consent_means_it(tmp_path: Path, flag: str) -> None:
    result = popbridge(tmp_path, "setup", flag, "ann@gmx.de")

    assert result.returncode == 1
    assert result.stderr.startswith("Nothing was written.\npopbridge: none of these servers is known to take OAuth2")
    assert list(tmp_path.iterdir()) == []


def test_a_script_that_said_nothing_is_not_taken_to_agree(tmp_path: Path) -> None:
    result = popbridge(tmp_path, "setup", "ann@web.de", environment={"POPBRIDGE_PASSWORD": "test"})

    assert (result.returncode, result.stderr) == (1, "Nothing was written.\ngiven up\n")


def test_the_application_s_keys_are_those_of_its_entry(tmp_path: Path) -> None:
    """Whatever is wrong in them is told by their names there, before anybody is asked."""
    arguments = ["--client-id", "two words", "--no-client-secret", "--tenant", "a b", "--redirect", "ftp://x.example"]
    result = popbridge(tmp_path, "setup", *arguments, "ann@outlook.com")

    assert result.returncode == 1
    for key in ("client_id", "tenant", "redirect"):
        assert f"oauth2.{key}" in result.stderr


class Screen:
    """A terminal, with a person before it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.text = ""

    def until(self, words: str, seconds: float = 30) -> str:
        deadline = time.monotonic() + seconds
        while words not in self.text:
            assert time.monotonic() < deadline, self.text
            try:
                self.text += os.read(self._descriptor, 4096).decode()
            except OSError:  # so Linux says that the program has gone
                break
        assert words in self.text, self.text
        return self.text

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())


@contextmanager
def at_a_terminal(folder: Path, *arguments: str) -> Iterator[Screen]:
    ours, theirs = os.openpty()
    program = [sys.executable, "-c", POPBRIDGE, "setup", *arguments]
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        yield Screen(ours)
        process.wait(30)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_a_password_is_typed_without_being_seen_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    port = free_port()
    upstream = ["--upstream", f"imap://127.0.0.1:{port}", "--pop3", f"127.0.0.1:{free_port()}"]
    with at_a_terminal(tmp_path, *upstream, "ann@example.org") as screen:
        screen.until("Password of ann@example.org at 127.0.0.1: ")
        screen.type("wonder-4711")
        screen.type("\x03")
        screen.until("Nothing was written.")
        screen.until("given up")
    assert "wonder" not in screen.text
    assert list(tmp_path.iterdir()) == []

    with at_a_terminal(tmp_path, *upstream, "ann@example.org") as screen:
        screen.until("Password of ann@example.org at 127.0.0.1: ")
        screen.type("wonder-4711\n")
        screen.until("mend it, and run the command again")
    assert "refused" in screen.text
    assert "wonder" not in screen.text
    assert list(tmp_path.iterdir()) == []
