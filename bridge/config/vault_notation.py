"""How a person writes where sealed secrets are, and where the key to them is. No file is opened here."""

import re
from pathlib import Path

from attrs import evolve

from bridge.config.notation import file_to_make
from bridge.config.problems import WrongValue
from bridge.config.values import KeySource, VaultSettings

_NAMES = {
    "credential": (re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,255}"), "credential:popbridge.key"),
    "env": (re.compile(r"[A-Za-z_][A-Za-z0-9_]*"), "env:POPBRIDGE_KEY"),
    "keyring": (re.compile(r"[A-Za-z0-9._@-]{1,255}"), "keyring:vault"),
}
"""What each kind of name looks like; of files, everything that is a path."""


def parse_vault_file(text: str, base: Path) -> Path:
    """A file that may be made when something is first put into it; a relative one starts at `base`."""
    if not text or not text.isprintable() or text.endswith("/"):
        raise WrongValue("it is not the name of a file", write="popbridge.vault")
    return file_to_make(text, base, inside=f"{text}/popbridge.vault")


def parse_key_source(text: str, base: Path) -> KeySource:
    """ "file:PATH", a relative one from `base` on; "credential:NAME" of systemd; "env:NAME"; "keyring:NAME"."""
    kind, colon, name = text.strip().partition(":")
    if colon and kind == "file":
        return KeySource("file", str(parse_vault_file(name, base)))
    match kind:
        case "credential" | "env" | "keyring" if colon:
            pattern, example = _NAMES[kind]
            if not pattern.fullmatch(name):
                raise WrongValue(f"what follows {kind}: is not a name there", write=example)
            return KeySource(kind, name)
        case _:
            # What stands there may be the key itself: it is not repeated.
            raise WrongValue("the key is not written here, but where it is found", write="file:popbridge.key")


def beside(directory: Path, vault: VaultSettings) -> VaultSettings:
    """With the places that nobody named where the state is kept."""
    key = vault.key
    if key.kind == "file":
        key = KeySource("file", str(directory / key.name))
    return evolve(vault, file=directory / vault.file, key=key)
