"""The file of one account in the directory that `accounts =` names: written whole, read back, and removed.

But for a new user's first file (`setup_file`) it is the only configuration that the program writes; what the owner has
written himself is never touched.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from attrs import frozen

from bridge.commands.terminal import CommandRefused
from bridge.config import Config, ConfigError, load
from bridge.config.accounts_directory import SUFFIX
from bridge.credentials.making import Made
from bridge.credentials.whole_file import write_new

MARK = "# Written by `popbridge account add`."
HEAD = f"""\
{MARK} You may change it; `popbridge account remove` deletes the file.
# For one more device: popbridge password --config FILE --user NAME
"""


@frozen
class NewAccount:
    """`devices`: each with its password, "" for the account's own. `source`: its keys and their values."""

    user: str
    devices: Mapping[str, Made]
    source: Mapping[str, str]

    def text(self) -> str:
        lines = [HEAD + "[[account]]", _line("user", self.user)]
        if "" in self.devices:
            lines += self.devices[""].lines
        for name, made in self.devices.items():
            if name:
                lines += ["  [[account.device]]", "  " + _line("name", name), *(f"  {line}" for line in made.lines)]
        lines += ["  [[account.source]]", *("  " + _line(key, value) for key, value in self.source.items())]
        return "\n".join(lines) + "\n"


def directory_of(settings: Config) -> Path:
    if settings.accounts_directory is None:
        raise CommandRefused('the configuration names no directory for accounts; write accounts = "accounts.d" into it')
    return settings.accounts_directory


def file_of(directory: Path, user: str) -> Path:
    name = quote(user, safe="@+ ")
    shown = f"%2E{name[1:]}" if name.startswith(".") else name  # a hidden file would not be read
    return directory / f"{shown}{SUFFIX}"


def write(config: Path, directory: Path, account: NewAccount) -> Path:
    """Together with the rest it has to be a valid configuration; what is not is not left there."""
    file = file_of(directory, account.user)
    try:
        write_new(file, account.text().encode())
    except FileExistsError:
        remedy = f"popbridge account remove {account.user} removes it" if _is_ours(file) else "write into that file"
        raise CommandRefused(f"there is {file} already; {remedy}") from None
    except OSError as error:
        raise CommandRefused(f"{file} cannot be written ({error.strerror})") from None
    try:
        load(config)
    except ConfigError as error:
        file.unlink()
        raise CommandRefused(f"nothing was added: {error}") from None
    return file


def remove(directory: Path, user: str, known: Sequence[str]) -> Path:
    """`known`: the users of the whole configuration."""
    file = file_of(directory, user)
    try:
        ours = _is_ours(file)
        if ours:
            file.unlink()
    except OSError as error:
        raise CommandRefused(f"{file} cannot be removed ({error.strerror})") from None
    if not ours:
        if user in known:
            raise CommandRefused(
                f"{user} stands in a file of your own, which the program leaves alone; take its [[account]] out there"
            )
        raise CommandRefused(f"there is no account {user}")
    return file


def _is_ours(file: Path) -> bool:
    """An owner may call his own file as he likes, and have many accounts in it."""
    try:
        with file.open("rb") as opened:
            return opened.read(len(MARK)) == MARK.encode()
    except FileNotFoundError:
        return False


def _line(key: str, value: str) -> str:
    """A TOML basic string is JSON's, but for DEL, which no name here has."""
    return f"{key} = {json.dumps(value, ensure_ascii=False)}"
