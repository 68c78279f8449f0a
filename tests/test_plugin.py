"""`twistd popbridge` is found and starts from a file or from flags; what it cannot take it says, and starts nothing."""

import gc
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.python.usage import UsageError

from bridge.config import ConfigError, Endpoint
from bridge.plugin import Options, makeService, read_config
from bridge.service import Bridge
from bridge.version import __version__

ROOT = Path(__file__).resolve().parents[1]
UPSTREAM = ("--upstream", "imaps://imap.example.org")


def options(*arguments: str) -> Options:
    parsed = Options()
    parsed.parseOptions(list(arguments))  # type: ignore[no-untyped-call]  # Twisted has no types there
    return parsed


def maker() -> Any:
    (found,) = [plugin for plugin in getPlugins(IServiceMaker) if plugin.tapname == "popbridge"]
    return found


def test_twistd_finds_it_by_its_name() -> None:
    assert maker().options is Options
    assert maker().makeService is makeService


def test_flags_alone_are_enough() -> None:
    service = makeService(options("--pop3", "127.0.0.1:1110", *UPSTREAM))

    assert isinstance(service, Bridge)
    assert service._config.listeners[0].pop3 == Endpoint("127.0.0.1", 1110)
    assert str(service._config.passthrough[0].upstream) == "imaps://imap.example.org:993/INBOX"
    assert not service.ports


def test_what_is_there_when_it_runs_is_no_garbage_to_look_for(monkeypatch: pytest.MonkeyPatch) -> None:
    hooks: list[object] = []
    monkeypatch.setattr("bridge.plugin.reactor.callWhenRunning", hooks.append)
    makeService(options("--pop3", "127.0.0.1:1110", *UPSTREAM))

    assert hooks == [gc.freeze]


def test_addresses_may_be_given_again_and_again() -> None:
    config = read_config(options("--pop3", "127.0.0.1:1", "--pop3", "[::1]:2", "--pop3s", ":995", *UPSTREAM))

    assert [str(listener.pop3 or listener.pop3s) for listener in config.listeners] == ["127.0.0.1:1", "[::1]:2", ":995"]


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "popbridge.toml"
    file.write_text('[[listener]]\npop3 = "127.0.0.1:1"\n[[passthrough]]\nupstream = "imaps://imap.example.org"\n')

    service = makeService(options("--config", str(file), "--trace"))

    assert service._config.base == tmp_path
    assert service._config.trace


def test_the_trace_is_off_unless_file_or_flag_say_so() -> None:
    assert not makeService(options("--pop3", "127.0.0.1:1", *UPSTREAM))._config.trace
    assert makeService(options("--pop3", "127.0.0.1:1", *UPSTREAM, "--trace"))._config.trace


def test_a_mistake_in_the_file_is_told_with_line_key_and_remedy_and_nothing_starts(tmp_path: Path) -> None:
    file = tmp_path / "popbridge.toml"
    file.write_text('[[listener]]\npop3 = "nowhere"\n[[passthrough]]\nupstream = "imaps://imap.example.org"\n')

    with pytest.raises(SystemExit) as told:
        makeService(options("--config", str(file)))

    text = str(told.value)
    assert text.startswith("popbridge.toml, line 2: listener.pop3: ")
    assert "; write pop3 = " in text


def test_a_mistake_in_a_flag_is_told_with_the_flag_and_a_remedy() -> None:
    with pytest.raises(SystemExit, match=r"^--upstream: .*; give --upstream imaps://imap\.example\.org$"):
        makeService(options("--pop3", "127.0.0.1:1"))
    with pytest.raises(ConfigError, match=r"^--pop3: .*; give --pop3 127\.0\.0\.1:1110$"):
        read_config(options(*UPSTREAM))


def test_a_file_and_flags_exclude_each_other() -> None:
    with pytest.raises(UsageError, match=r"--config and --pop3, --upstream exclude each other"):
        makeService(options("--config", "x.toml", "--pop3", "127.0.0.1:1", *UPSTREAM))


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options("--version")

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"popbridge {__version__}\n"


def twistd(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    run = "from twisted.scripts.twistd import run; run()"
    command = [sys.executable, "-c", run, "--nodaemon", "--pidfile=", "popbridge", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_port_in_use_is_told_in_one_line_and_the_process_ends(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = twistd(tmp_path, "--pop3", f"127.0.0.1:{port}", *UPSTREAM)

    assert ended.returncode != 0
    said = (ended.stdout + ended.stderr).strip().splitlines()[-1]  # twistd -n logs to its standard output
    assert said.endswith(f"cannot listen on 127.0.0.1:{port}: Address already in use")
    assert "Traceback" not in ended.stdout + ended.stderr


def test_a_wrong_file_is_told_by_twistd_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "popbridge.toml").write_text("listen = 1\n")
    ended = twistd(tmp_path, "--config", "popbridge.toml")

    assert ended.returncode != 0
    assert "popbridge.toml, line 1: listen: " in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


@pytest.mark.slow
def test_the_wheel_brings_bridge_and_plugin_and_no_package_twisted(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, timeout=300, capture_output=True)
    (wheel,) = tmp_path.glob("popbridge-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    code = {str(path.relative_to(ROOT)) for path in (ROOT / "bridge").rglob("*.py")}
    assert code <= names
    assert [name for name in names if name.startswith("twisted/")] == ["twisted/plugins/popbridge_plugin.py"]
    assert not [name for name in names if name.startswith("tests/")]
