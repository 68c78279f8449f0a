"""A command ends with an exit status and a sentence, and asks for what it must."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.commands.running import STEP, asked, at_the_terminal, password
from tests.peers.command import ROOT

_COMMAND = """
import click
from bridge.commands.running import at_the_terminal, run
from bridge.commands.terminal import CommandRefused
from bridge.maildrop.errors import UpstreamUnavailable

async def work(clock):
    click.echo("result")
    {what}

run(work)
"""


def ran(folder: Path, what: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND.format(what=what)],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("what", "status", "told"),
    [
        ("return True", 0, ""),
        ("return False", 1, ""),
        ('raise CommandRefused("no such thing")', 1, "popbridge: no such thing\n"),
        (
            'raise UpstreamUnavailable("upstream hung up", detail="BYE")',
            1,
            "popbridge: upstream hung up (BYE)\n",
        ),
        ('return at_the_terminal(yes=False).agrees("Sure?")', 1, "given up\n"),
        ('return at_the_terminal(yes=True).agrees("Sure?")', 0, ""),
    ],
)
def test_what_became_of_it_is_in_the_exit_status_and_a_sentence(
    tmp_path: Path, what: str, status: int, told: str
) -> None:
    code, out, err = ran(tmp_path, what)

    assert (code, err) == (status, told)
    assert out.startswith("result\n")


def test_a_bug_is_not_hidden(tmp_path: Path) -> None:
    code, _, err = ran(tmp_path, "return 1 / 0")

    assert code == 1
    assert "ZeroDivisionError" in err


def test_a_script_gives_the_password_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POPBRIDGE_PASSWORD", "gr\u00fc\u00dfe")

    assert password("POPBRIDGE_PASSWORD", "Password").reveal() == "gr\u00fc\u00dfe".encode()


def test_anybody_else_is_asked_and_sees_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POPBRIDGE_PASSWORD", raising=False)
    with CliRunner().isolation(input="secret\n") as (out, err, _):
        given = password("POPBRIDGE_PASSWORD", "Password of ann")

    assert given.reveal() == b"secret"
    assert b"Password of ann" in err.getvalue()
    assert b"secret" not in out.getvalue() + err.getvalue()


def test_nothing_is_an_answer_where_it_may_be_one_and_a_line_is_asked_for_in_the_open() -> None:
    with CliRunner().isolation(input="\nmy-id\n") as (out, _, _):
        assert password("POPBRIDGE_NONE", "Client secret", optional=True).reveal() == b""
        assert asked("Client id") == "my-id"
    assert b"Client id: my-id" in out.getvalue()


def test_progress_is_told_in_large_steps_and_apart_from_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    told = at_the_terminal(yes=False).progress
    for done in range(50, 2 * STEP + 1, 50):
        told("headers", done, 2 * STEP + 10)
    told("headers", 2 * STEP + 10, 2 * STEP + 10)
    told("few", 5, 5)

    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "headers: 1,000 of 2,010",
        "headers: 2,000 of 2,010",
        "headers: 2,010 of 2,010",
    ]


def test_an_answer_is_the_owners_and_ctrl_c_the_reactors_again() -> None:
    before = signal.getsignal(signal.SIGINT)
    with CliRunner().isolation(input="y\nn\n"):
        agrees = at_the_terminal(yes=False).agrees
        assert [agrees("Write?"), agrees("Write?")] == [True, False]
    assert signal.getsignal(signal.SIGINT) is before
