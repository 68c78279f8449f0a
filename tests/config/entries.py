"""Entries with nothing in them but what each must have, as tables and as lines of a file, for tests to spoil."""

from typing import Any

HASH = "$scrypt$ln=15,r=8,p=1$" + "A" * 22 + "$" + "A" * 43
ACCOUNT: dict[str, Any] = {"user": "ann", "password": HASH}
SOURCE: dict[str, Any] = {
    "name": "work",
    "upstream": "imaps://imap.example.org",
    "login": "ann@work.example",
    "secret": "env:WORK",
}
PASSTHROUGH: dict[str, Any] = {"upstream": "imaps://imap.example.org"}
LISTENER = '[[listener]]\npop3 = "127.0.0.1:1110"\n'


def source_text(**keys: str) -> str:
    """The heading, the usual keys with other values where such are given, and other keys behind them."""
    lines = [f'{key} = "{value}"' for key, value in {**SOURCE, **keys}.items()]
    return "\n".join(["[[account.source]]", *lines, ""])


def account_text(more: str = "", *, user: str = "ann", password: str = HASH, **source: str) -> str:
    """With one source; `more`: lines between."""
    return f'[[account]]\nuser = "{user}"\npassword = "{password}"\n{more}{source_text(**source)}'
