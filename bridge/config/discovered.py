"""`upstream = "auto"` in an [[account.source]]: the server that its owner was shown and pinned (`popbridge try --pin`).

Pins stand in a file of the bridge's own beside the configuration. Reading it asks nobody: where an account's mail is
never changes by itself (S29).
"""

import json
import os
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from attrs import astuple, frozen

from bridge.config.contradictions import Finding, KeyPath
from bridge.config.problems import WrongValue

FILE = "discovered.toml"
AUTO = "auto"
LARGEST = 1024 * 1024

_NOWHERE = "imaps://unpinned.invalid"
"""Stands in while the rest is read, so that everything wrong is told at once."""

_HEAD = """\
# Written by `popbridge try --pin`: what upstream = "auto" means in an [[account.source]] whose login is this address.
"""


class PinsUnreadable(Exception):
    """The file is not what was written there; the text names it, and the remedy."""


@frozen
class Pin:
    """`address` is what stands as `login` in the source; `login` is what its server wants."""

    address: str
    upstream: str
    login: str
    found: str = ""
    """Who said so, for the owner."""


def read_pins(base: Path) -> dict[str, Pin]:
    """By address; {} where nothing was pinned. Raises PinsUnreadable."""
    path = base / FILE
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST).decode()
        entries = [_pin(entry) for entry in tomllib.loads(text).get("server", [])]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:  # a decoding error is a ValueError
        why = getattr(error, "strerror", None) or "it is not what popbridge try --pin writes"
        raise PinsUnreadable(f"{path} cannot be read ({why}); move it away and pin again") from None
    return {one.address: one for one in entries}


def _pin(entry: dict[str, Any]) -> Pin:
    """Raises TypeError for what is none."""
    pin = Pin(**entry)
    if not all(isinstance(value, str) for value in astuple(pin)):
        raise TypeError
    return pin


def write_pin(base: Path, pin: Pin) -> Path:
    """In the place of an earlier one of the same address; all or nothing. Raises OSError and PinsUnreadable."""
    pins = {**read_pins(base), pin.address: pin}
    entries = [_entry(pins[address]) for address in sorted(pins)]
    path = base / FILE
    with NamedTemporaryFile("w", dir=base, prefix=f".{FILE}.", delete=False, encoding="utf-8") as file:
        temporary = Path(file.name)
        try:
            file.write(_HEAD + "".join(entries))
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(0o644)  # like the configuration, for the user that the bridge runs as; no secret is in it
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return path


def _entry(pin: Pin) -> str:
    lines = {"address": pin.address, "upstream": pin.upstream, "login": pin.login, "found": pin.found}
    return "\n[[server]]\n" + "".join(
        f"{key} = {json.dumps(text, ensure_ascii=False)}\n" for key, text in lines.items()
    )


def with_pins(tables: dict[str, Any], base: Path) -> tuple[dict[str, Any], list[Finding]]:
    """The tables with what was pinned in the place of every source's "auto", and what is missing."""
    if not list(_waiting(tables)):
        return tables, []
    tables = deepcopy(tables)
    findings: list[Finding] = []
    pins: dict[str, Pin] = {}
    unreadable = None
    try:
        pins = read_pins(base)
    except PinsUnreadable as error:
        unreadable = WrongValue(str(error), remedy="or write the upstream's URL here")
    for path, source in _waiting(tables):
        login = source.get("login")
        pin = pins.get(_as_pinned(login)) if isinstance(login, str) else None
        if pin is None:
            findings.append((path, unreadable or _unpinned(login)))
            source["upstream"] = _NOWHERE
        else:
            source.update(upstream=pin.upstream, login=pin.login)
    return tables, findings


def _as_pinned(address: str) -> str:
    """`popbridge try` writes a domain as DNS has it, however it was typed."""
    local, at, domain = address.rpartition("@")
    try:
        return f"{local}{at}{domain.encode('idna').decode('ascii').lower().removesuffix('.')}"
    except UnicodeError:
        return address


def _waiting(tables: dict[str, Any]) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """Whatever is no table is told by who reads them."""
    for at, account in enumerate(_listed(tables, "account")):
        for place, source in enumerate(_listed(account, "source")):
            if isinstance(source, dict) and source.get("upstream") == AUTO:
                yield ("account", at, "source", place, "upstream"), source


def _listed(table: Any, key: str) -> list[Any]:
    found = table.get(key) if isinstance(table, dict) else None
    return found if isinstance(found, list) else []


def _unpinned(login: object) -> WrongValue:
    if not isinstance(login, str) or "@" not in login:
        return WrongValue('with "auto" the login is the mail address', remedy='write login = "you@example.org"')
    remedy = f"run popbridge try --pin popbridge.toml {login} (with this file's name), or write the URL here"
    return WrongValue("nobody has looked for this account's server yet", remedy=remedy)
