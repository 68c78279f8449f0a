"""The state file as `popbridge check` and the commands that only read find it: nothing is made or changed here."""

import contextlib
import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from attrs import frozen

from bridge.state.faults import unusable
from bridge.state.migrate import OURS, schemas


@frozen
class StateFile:
    """`trouble`: why the bridge could not start with it, "" when it can. `schema`: 0 where nothing is in it yet."""

    newest: int
    exists: bool = False
    schema: int = 0
    trouble: str = ""

    @property
    def is_older(self) -> bool:
        """The bridge upgrades it at its start."""
        return not self.trouble and 0 < self.schema < self.newest


def look_at_state(path: Path) -> StateFile:
    newest = max(schemas())
    folder = path.parent
    if not folder.is_dir():
        return StateFile(newest, trouble=f"{folder} is no directory; make it, or set state = to a file elsewhere")
    if not os.access(folder, os.W_OK | os.X_OK):
        return StateFile(newest, exists=path.exists(), trouble=f"no file can be written into {folder}")
    if not path.exists():
        return StateFile(newest)
    if not os.access(path, os.R_OK | os.W_OK):
        return StateFile(newest, exists=True, trouble=f"{path} cannot be read and written")
    try:
        application, schema, empty = _numbers(path)
    except (OSError, sqlite3.Error) as error:
        return StateFile(newest, exists=True, trouble=str(unusable(path, error)))
    trouble = ""
    if application != OURS and not (application == 0 and empty):
        trouble = f"{path} is the database of another program; set state = to another file"
    elif schema > newest:
        trouble = f"{path} was written by a newer popbridge (its schema is {schema}, this one knows {newest})"
    return StateFile(newest, exists=True, schema=schema, trouble=trouble)


def _numbers(path: Path) -> tuple[int, int, bool]:
    """Application, schema, and whether nothing is in it.

    Where nobody has the file open it is taken as immutable, since SQLite would make files beside it even to read it.
    """
    log = path.with_name(f"{path.name}-wal")
    how = "mode=ro" if log.exists() else "immutable=1"
    with contextlib.closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?{how}", uri=True)) as db:
        application = db.execute("PRAGMA application_id").fetchone()[0]
        schema = db.execute("PRAGMA user_version").fetchone()[0]
        return application, schema, db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
