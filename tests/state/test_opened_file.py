"""A state file that was removed or replaced is told from the one that is open, in a sentence for its owner."""

import re
from pathlib import Path

import pytest

from bridge.maildrop.errors import StateUnavailable
from bridge.state.opened_file import OpenedFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    for name in ("state", "state-wal"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path / "state"


def refused(opened: OpenedFile) -> str:
    with pytest.raises(StateUnavailable) as raised:
        opened.check()
    return str(raised.value)


def test_what_is_written_to_changes_nothing(path: Path) -> None:
    opened = OpenedFile.at(path)
    path.write_bytes(b"y" * 10_000)
    path.touch()
    opened.check()


def test_a_removed_file_may_be_put_back(path: Path) -> None:
    opened = OpenedFile.at(path)
    away = path.rename(path.with_name("away"))
    why = "was removed or replaced while the bridge runs; put it back or restart the bridge"
    assert refused(opened) == f"the state file {path} {why}"
    path.write_bytes(b"x")
    assert refused(opened) == f"the state file {path} {why}"
    away.rename(path)
    opened.check()


def test_a_lost_log_is_as_bad(path: Path) -> None:
    opened = OpenedFile.at(path)
    path.with_name("state-wal").unlink()
    assert refused(opened).startswith(f"{path}-wal, the log of the state file, was removed or replaced")


def test_a_file_that_cannot_be_looked_at_is_not_trusted(path: Path) -> None:
    opened = OpenedFile(path / "below", {path / "below": (1, 1)})
    assert re.fullmatch(r"the state file .*/below cannot be found: Not a directory", refused(opened))
