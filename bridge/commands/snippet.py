"""The lines of a configuration that make a server found by `popbridge try` an account's, to be pasted."""

import json
import re
from pathlib import Path

from bridge.accounts.address import Address
from bridge.accounts.candidate import Candidate
from bridge.config import Upstream
from bridge.config.discovered import AUTO
from bridge.config.notation import parse_upstream
from bridge.config.values import Delete


def url(upstream: Upstream) -> str:
    """As a person writes it: the usual port and INBOX are understood."""
    short = f"{upstream.scheme}://{f'[{upstream.host}]' if ':' in upstream.host else upstream.host}"
    with_port = f"{short}:{upstream.port}"
    return next((text for text in (short, with_port) if parse_upstream(text) == upstream), str(upstream))


def name_of(address: Address) -> str:
    """A word for the source, from its domain."""
    return re.sub(r"[^a-z0-9-]", "", address.domain.partition(".")[0])[:40] or "mail"


def needs_token(candidate: Candidate) -> bool:
    """No password opens it."""
    return candidate.ways == ("oauth2",)


def delete_of(candidate: Candidate) -> Delete:
    """What DELE means there where the owner has not said."""
    if candidate.upstream.protocol == "pop3":
        return "expunge"
    return (candidate.provider.delete if candidate.provider is not None else None) or "flag"


def passthrough(candidate: Candidate, address: Address, ca: Path | None = None) -> str:
    """The address is the login, here and there."""
    lines = [
        "[[passthrough]]",
        line("users", str(address), f'or "*@{address.domain}" for everybody there'),
        line("upstream", url(candidate.upstream)),
    ]
    if candidate.login != "{user}":
        lines.append(line("login", candidate.login))
    return "\n".join([*lines, *_settings(candidate, ca)])


def account(candidate: Candidate, address: Address, ca: Path | None = None, *, pinned: bool = False) -> str:
    """A login of the bridge's own before the one mailbox. `pinned`: its server stands elsewhere."""
    name = name_of(address)
    token = needs_token(candidate)
    lines = [
        "[[account]]",
        line("user", address.local),
        line("password", "$scrypt$…", "in its place what `popbridge password` prints"),
        *_settings(candidate, ca),
        "",
        "  [[account.source]]",
        "  " + line("name", name),
        "  " + line("upstream", AUTO if pinned else url(candidate.upstream)),
        "  " + line("login", str(address) if pinned else candidate.login_of(address)),
        "  " + line("secret", f"oauth2:{name}", f"popbridge authorise {name} asks for your consent")
        if token
        else "  " + line("secret", f"vault:{name}", f"popbridge secret set {name} asks for the password"),
    ]
    return "\n".join([*(_grant(candidate, name) if token else ()), *lines])


def _grant(candidate: Candidate, name: str) -> list[str]:
    preset = candidate.provider.oauth2 if candidate.provider is not None else None
    lines = ["[[oauth2]]", line("name", name)]
    if preset is not None:
        lines.append(line("provider", preset))
    else:
        lines.append("# authorize, token and scopes: as the provider's help says")
    return [*lines, line("client_id", "…", "of the application that you registered at the provider"), ""]


def _settings(candidate: Candidate, ca: Path | None) -> list[str]:
    lines = []
    if (delete := delete_of(candidate)) == "trash":
        lines.append(line("delete", delete))
    if ca is not None:
        lines.append(line("ca", str(ca.absolute())))
    return lines


def line(key: str, text: str, comment: str = "") -> str:
    """A string of TOML is one of JSON, but for DEL, which is in none of these."""
    return f"{key} = {json.dumps(text, ensure_ascii=False)}" + (f"  # {comment}" if comment else "")
