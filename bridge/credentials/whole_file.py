"""A new file for its owner alone, whole or not at all: after a power cut it is there as it should be, or not there."""

import os
import secrets
from pathlib import Path

from bridge.credentials.private_file import make_private


def write_new(file: Path, octets: bytes) -> None:
    """Raises FileExistsError where there is one already, which is left as it is; other OSErrors as they come."""
    draft = file.with_name(f".{secrets.token_hex(8)}.draft")
    descriptor = make_private(draft)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(octets)
            out.flush()
            os.fsync(descriptor)
        os.link(draft, file)  # unlike a rename, it takes nobody's place
    finally:
        draft.unlink()
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
