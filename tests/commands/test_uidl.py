"""`popbridge uidl …`: what an owner types is understood, or a sentence says what to type.

What the commands then do is told in `test_uidl_import` and the like, and for real in `tests/stories/test_import`.
"""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.cli import main
from tests.commands.old_pop3_server import Script, old_pop3_server
from tests.peers.child import free_port
from tests.peers.command import POPBRIDGE, ROOT, popbridge

NOBODY = f"imap://127.0.0.1:{free_port()}"
FLAGS = ("--upstream", NOBODY, "--state", "sqlite:state.sqlite")
PASSWORDS = {"POPBRIDGE_PASSWORD": "test", "POPBRIDGE_OLD_PASSWORD": "test"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("import", *FLAGS, "ann"), "--from names the old server, or --file a list"),
        (("import", *FLAGS, "ann", "--from", "pop3://x", "--file", "y"), "exclude each other"),
        (("import", *FLAGS, "ann", "--from", "imap://x"), "an old server is written as pop3s://HOST"),
        (("diff", *FLAGS, "a*n"), "this login is not taken"),
        (("show", "ann"), "--upstream"),
        (("accept", "--config", "none.toml", "ann"), "none.toml cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_answered_before_anything_is_asked(
    arguments: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["uidl", *arguments])

    assert result.exit_code in {1, 2}
    assert told in result.output
    assert "Password" not in result.output


@pytest.mark.parametrize("command", ["show", "accept", "diff"])
def test_a_command_that_reads_says_that_nothing_is_remembered(tmp_path: Path, command: str) -> None:
    result = popbridge(tmp_path, "uidl", command, *FLAGS, "ann", environment=PASSWORDS)

    assert result.returncode == 1
    assert result.stderr.startswith("popbridge: there is no state file ")
    assert not (tmp_path / "state.sqlite").exists()


def test_both_passwords_are_asked_for_by_name(tmp_path: Path) -> None:
    with old_pop3_server(Script([("a", b"Subject: one\r\n\r\n")])) as old:
        url = f"pop3://127.0.0.1:{old.port}"
        result = popbridge(tmp_path, "uidl", "import", *FLAGS, "ann", "--from", url, typed="first\nsecond\n")

    assert f"Password of ann at 127.0.0.1:{old.port}" in result.stderr
    assert f"Password of ann at {NOBODY}/INBOX" in result.stderr
    assert "PASS first" in old.heard
    assert "goes to 127.0.0.1" in result.stderr
    assert "without encryption" in result.stderr


def test_an_upstream_that_does_not_answer_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("a 1\n")
    result = popbridge(tmp_path, "uidl", "import", *FLAGS, "ann", "--file", "list", environment=PASSWORDS)

    assert result.returncode == 1
    assert "refused" in result.stderr


HEARS_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
"""A script's job in the background has SIGINT ignored, and hands that down to whatever it starts."""


def test_ctrl_c_ends_the_reading_of_a_large_mailbox(tmp_path: Path) -> None:
    """It has many headers before it still."""
    script = Script([(f"u{n}", b"Subject: %d\r\n\r\n" % n) for n in range(100_000)], pipelining=False)
    with old_pop3_server(script) as old:
        arguments = ("uidl", "import", *FLAGS, "ann", "--from", f"pop3://127.0.0.1:{old.port}")
        child = subprocess.Popen(
            [sys.executable, "-c", f"{HEARS_CTRL_C}; {POPBRIDGE}", *arguments],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT), **PASSWORDS},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert child.stderr is not None
        while not child.stderr.readline().startswith("headers of the old server: 1,000 of 100,000"):
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=20)

    assert child.returncode == 1
    assert len(script.heard) < 50_000


def test_status_needs_no_upstream(tmp_path: Path) -> None:
    result = popbridge(tmp_path, "status", "--state", "sqlite:state.sqlite")

    assert result.returncode == 1
    assert result.stderr.startswith("popbridge: there is no state file ")
