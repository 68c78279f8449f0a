"""Entries with nothing in them but what each must have, for tests that add to them or spoil them."""

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
