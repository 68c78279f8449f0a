"""A file is written whole or not at all, for its owner alone, and in the place of another only where that is meant."""

import os
import stat
from pathlib import Path

import pytest

from bridge.credentials.whole_file import write_new, write_over


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


def test_in_the_place_of_another_it_is_the_new_one_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"old")
    (tmp_path / "one").chmod(0o644)
    write_over(tmp_path / "one", b"new")

    assert (tmp_path / "one").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["one"]


def test_a_disk_that_is_full_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "old").write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_new(tmp_path / "new", b"octets")
    with pytest.raises(OSError, match="No space"):
        write_over(tmp_path / "old", b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("old", b"old")]
