"""A file for its owner alone, whole or not at all: after a power cut it is as it should be, or as it was before."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.credentials.private_file import make_private
from bridge.state.migrate import sync


def write_new(file: Path, octets: bytes) -> None:
    """Raises FileExistsError where there is one already, which is left as it is; other OSErrors as they come."""
    with _draft(file, octets) as draft:
        os.link(draft, file)  # unlike a rename, it takes nobody's place
    sync(file.parent)


def write_over(file: Path, octets: bytes) -> None:
    """In the place of what is there. Raises OSErrors as they come."""
    with _draft(file, octets) as draft:
        draft.replace(file)
    sync(file.parent)


@contextmanager
def _draft(file: Path, octets: bytes) -> Iterator[Path]:
    """Beside it, on the disk, and gone at the end."""
    draft = file.with_name(f".{secrets.token_hex(8)}.draft")
    descriptor = make_private(draft)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(octets)
            out.flush()
            os.fsync(descriptor)
        yield draft
    finally:
        draft.unlink(missing_ok=True)
