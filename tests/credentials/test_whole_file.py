"""A file is written whole or not at all, for its owner alone, and never in the place of another."""

import os
import stat
from pathlib import Path

import pytest

from bridge.credentials.whole_file import write_new


def test_it_is_there_for_its_owner_alone_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_new(tmp_path / "new", b"octets")

    assert (tmp_path / "new").read_bytes() == b"octets"
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["new"]


def test_one_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "old", b"new")

    assert (tmp_path / "old").read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["old"]


def test_a_disk_that_is_full_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_new(tmp_path / "new", b"octets")
    assert not list(tmp_path.iterdir())
