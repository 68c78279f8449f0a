"""What `popbridge setup` leaves behind: a configuration with comments for its owner, and the vault that belongs to it.

It comes into a directory that has nothing of a bridge yet, all of it or none.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from attrs import frozen

from bridge.accounts.address import Address
from bridge.accounts.candidate import Candidate
from bridge.commands.snippet import delete_of, line, name_of, url
from bridge.commands.terminal import CommandRefused
from bridge.config import Config, Endpoint
from bridge.config.notation import is_loopback
from bridge.credentials.making import Made
from bridge.credentials.vault_file import VaultFile
from bridge.credentials.vault_key import key_place
from bridge.credentials.whole_file import write_new
from bridge.secret import Secret

FILE = "popbridge.toml"
DEVICE = "mail-program"
_OTHERS = ("popbridge.vault", "popbridge.key", "popbridge.sqlite")
"""Where the defaults of the configuration put secrets and state."""

GrantKeys = Mapping[str, str | Sequence[str]]
"""An [[oauth2]] entry but for its name."""


@frozen(kw_only=True)
class NewBridge:
    """One account before one mailbox. `user`: what a mail program logs in as. `grant`: where the mailbox wants tokens;
    else the vault has its password.
    """

    user: str
    address: Address
    candidate: Candidate
    listen: Endpoint
    made: Made
    grant: GrantKeys | None = None
    ca: Path | None = None

    @property
    def name(self) -> str:
        """Of the source, of its secret and of its grant."""
        return name_of(self.address)

    @property
    def login(self) -> str:
        return self.candidate.login_of(self.address)

    def text(self) -> str:
        parts = [self._head(), self._listener(), self._grant(), self._account(), self._source()]
        return "\n\n".join("\n".join(part) for part in parts if part) + "\n"

    def _head(self) -> list[str]:
        return [
            f"# Popbridge's configuration, written by `popbridge setup {self.address}`.",
            "# It is yours now, and no command changes it. The README has the other keys that it may hold, and",
            f"# popbridge check --config {FILE}",
            "# says whether it is right.",
        ]

    def _listener(self) -> list[str]:
        lines = ["[[listener]]", line("pop3", str(self.listen))]
        if is_loopback(self.listen.host):
            return ["# Where mail programs connect to: this machine alone.", *lines]
        return [
            "# Where mail programs connect to; from other machines they have to use STLS (STARTTLS).",
            '# With a certificate that they trust: tls = { certificate = "chain.pem", key = "key.pem" }',
            *lines,
            line("tls", "self-signed"),
        ]

    def _grant(self) -> list[str]:
        if self.grant is None:
            return []
        return [
            "# Your consent to read the mail; what came of it is sealed in popbridge.vault. To give it again:",
            f"# popbridge authorise {self.name} --config {FILE}",
            "[[oauth2]]",
            line("name", self.name),
            *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in self.grant.items()),
        ]

    def _account(self) -> list[str]:
        return [
            "# What a mail program logs in with. For one more device:",
            f"# popbridge password --config {FILE} --user {self.user}",
            "# and its two lines go into an [[account.device]] of their own, with another name.",
            "[[account]]",
            line("user", self.user),
            line("delete", delete_of(self.candidate), "what a program's DELE does to the mail: see the README's table"),
            *([line("ca", str(self.ca.absolute()))] if self.ca is not None else []),
            "",
            "  [[account.device]]",
            "  " + line("name", DEVICE),
            *(f"  {one}" for one in self.made.lines),
        ]

    def _source(self) -> list[str]:
        kept = f"sealed in popbridge.vault; popbridge secret set {self.name} --config {FILE} replaces it"
        return [
            "  # Where the mail is.",
            "  [[account.source]]",
            "  " + line("name", self.name),
            "  " + line("upstream", url(self.candidate.upstream)),
            "  " + line("login", self.login),
            "  "
            + (
                line("secret", f"vault:{self.name}", kept)
                if self.grant is None
                else line("secret", f"oauth2:{self.name}")
            ),
        ]


def refuse_taken(directory: Path) -> None:
    """Raises CommandRefused where something of a bridge is, or nothing can be written."""
    for name in (FILE, *_OTHERS):
        if (directory / name).exists():
            raise CommandRefused(
                f"{directory} has a {name} already, which stays as it is; name an empty directory with --directory"
            )
    there = next(place for place in (directory, *directory.parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise CommandRefused(f"nothing can be written into {there}; name another directory with --directory")


def write(file: Path, text: str, config: Config, secrets: Mapping[str, Secret], now: float) -> None:
    """The configuration comes last: whoever finds it finds the rest too. Nothing else may run meanwhile, so that there
    is no moment in which somebody could give up half of it.
    """
    directory = file.parent
    refuse_taken(directory)
    made = [place for place in (directory, *directory.parents) if not place.exists()]
    vault = VaultFile(config.vault.file, key_place(config.vault.key))
    try:
        for place in reversed(made):
            place.mkdir(mode=0o700)
        for name, secret in secrets.items():
            vault.put(name, secret, now)
        write_new(file, text.encode())
    except BaseException as error:
        for one in (file, *(directory / name for name in _OTHERS)):
            one.unlink(missing_ok=True)
        for place in made:
            with suppress(OSError):
                place.rmdir()
        if isinstance(error, OSError):
            raise CommandRefused(f"{directory} cannot be written ({error.strerror})") from None
        raise
