"""What holds keys and secrets is its owner's alone, and the bridge's own where root has made it."""

import os
import stat
from pathlib import Path

import pytest

from bridge.credentials.private_file import make_private


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_nobody_else_may_read_it_whatever_the_umask_is(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        descriptor = make_private(tmp_path / "key")
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.fstat(descriptor).st_mode) == 0o600
    os.close(descriptor)


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("old")
    with pytest.raises(FileExistsError):
        make_private(tmp_path / "key")
    assert (tmp_path / "key").read_text() == "old"


def test_what_root_makes_belongs_to_who_owns_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _, user, group: given.append((user, group)))
    directory = tmp_path.stat()
    for user, expected in ((0, [(directory.st_uid, directory.st_gid)]), (1000, [])):
        given.clear()
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        os.close(make_private(tmp_path / f"key-{user}"))
        assert given == expected
