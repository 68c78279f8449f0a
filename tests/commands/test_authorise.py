"""`popbridge authorise` as it is typed: what is wrong is said in words, and a browser is opened only where one is."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.commands.authorise import open_browser
from tests.config.test_oauth2 import REST, entry


def run(*arguments: str | Path) -> tuple[int, str]:
    from bridge.cli import main  # noqa: PLC0415 - it installs a reactor

    result = CliRunner().invoke(main, ["authorise", *map(str, arguments)])
    return result.exit_code, result.output


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "popbridge.toml"
    file.write_text(entry() + REST)
    return file


def test_a_name_that_is_none_and_two_ways_at_once_are_refused(config: Path) -> None:
    code, said = run("play", "-c", config)
    assert (code, "the names are work" in said) == (1, True)
    code, said = run("work", "-c", config, "--paste", "--device")
    assert (code, "are two ways; take one" in said) == (2, True)


def test_a_file_that_is_wrong_is_answered_with_its_line(config: Path) -> None:
    config.write_text(entry(client_id="two words") + REST)
    code, said = run("work", "-c", config)
    assert (code, "line 4: oauth2.client_id" in said) == (1, True)


def test_a_machine_without_a_screen_opens_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)

    assert not open_browser("https://x.example")
    monkeypatch.setenv("BROWSER", "w3m")
    assert open_browser("https://y.example")
    assert opened == ["https://y.example"]
