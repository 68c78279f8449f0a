"""Makes a file that nobody but its owner may read, from its first octet on.

What root makes belongs to the directory's owner: an owner types commands as root that a bridge without rights, in a
state directory that systemd gave it, has to read the outcome of.
"""

import os
from pathlib import Path


def make_private(path: Path) -> int:
    """Its descriptor, for writing. Raises FileExistsError and other OSErrors."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    if os.geteuid() == 0:
        directory = path.parent.stat()
        os.fchown(descriptor, directory.st_uid, directory.st_gid)
    return descriptor
