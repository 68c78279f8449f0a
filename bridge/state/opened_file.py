"""Whether the state file on the disk is still the one that is open.

A file that is removed or replaced stays open: what is written then succeeds, and is gone with the process. The log
beside it holds what was promised last, so the same goes for it.
"""

from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from bridge.maildrop.errors import StateUnavailable


@frozen
class OpenedFile:
    """`identities`: device and inode of the file and of its log, as they were opened."""

    path: Path
    identities: Mapping[Path, tuple[int, int]]

    @classmethod
    def at(cls, path: Path) -> "OpenedFile":
        """Just opened, and read from: SQLite has made its log. Raises OSError."""
        return cls(path, {file: _identity(file) for file in (path, path.with_name(f"{path.name}-wal"))})

    def check(self) -> None:
        """Raises StateUnavailable before anything is promised that no restart would find again."""
        for file, identity in self.identities.items():
            try:
                found = _identity(file)
            except FileNotFoundError:
                found = None
            except OSError as error:
                raise StateUnavailable(f"the state file {self.path} cannot be found: {error.strerror}") from error
            if found != identity:
                what = f"the state file {self.path}" if file == self.path else f"{file}, the log of the state file,"
                raise StateUnavailable(
                    f"{what} was removed or replaced while the bridge runs; put it back or restart the bridge"
                )


def _identity(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_dev, found.st_ino
