"""The directory of further [[account]] entries, a file each, as `popbridge account add` writes them.

They are read behind the main file's, in the order of their names, and a mistake in one is told with that file's name.
"""

from pathlib import Path

from bridge.config.problems import WrongValue

SUFFIX = ".toml"


def account_files(directory: Path) -> list[Path]:
    """WrongValue: it cannot be read. A directory that is not there is not an empty one: its accounts would be gone."""
    try:
        files = sorted(directory.iterdir())
    except OSError as error:
        raise WrongValue(
            f"the directory {directory} cannot be read ({error.strerror})",
            remedy=f"make it with mkdir -m 700 {directory}, or leave accounts out",
        ) from None
    return [file for file in files if file.suffix == SUFFIX and not file.name.startswith(".")]
