"""A list of UIDLs in a file, where the old server does not run any more.

One message a line: `<uidl> <imap-uid>` or `<uidl> <message-id>`. Dovecot's own `dovecot-uidlist` (Maildir, version 3)
is read too. A line that says neither is an error with its number, for a list read in part is worse than none.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from bridge.commands.old_message import OldMessage
from bridge.commands.terminal import CommandRefused
from bridge.maildrop.fingerprint import fingerprint

_DOVECOT_HEADER = re.compile(r"3(?: [A-Z]\S*)* V(\d{1,10})(?: [A-Z]\S*)*")
"""`3 V<uidvalidity> N<next uid> G<guid>`, then lines `<uid> [P<pop3 uidl>] [W<octets>] … :<file name>`."""

_HIGHEST_UID = 2**32 - 1


def read_uidl_file(path: Path) -> list[OldMessage]:
    try:
        lines = path.read_bytes().decode("utf-8", "replace").splitlines()
    except OSError as error:
        raise CommandRefused(f"{path} cannot be read: {error.strerror}") from None
    numbered = [(n, line.strip()) for n, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    if numbered and (dovecot := _DOVECOT_HEADER.fullmatch(numbered[0][1])):
        messages = list(_dovecot(numbered[1:], int(dovecot[1])))
        if not messages:
            raise CommandRefused(
                f"{path} holds no saved UIDLs; Dovecot computed them, so set uidl = to its format instead of importing"
            )
        return messages
    return [_message(path, n, line) for n, line in numbered]


def _dovecot(lines: list[tuple[int, str]], uidvalidity: int) -> Iterator[OldMessage]:
    """Messages without a saved UIDL (P) have a computed one, which `uidl = "dovecot"` gives."""
    for _, line in lines:
        fields, _, _ = line.partition(" :")
        uid, *extensions = fields.split()
        saved = [extension[1:] for extension in extensions if extension.startswith("P")]
        if saved and saved[0] and _is_uid(uid):
            yield OldMessage(uidl=saved[0], uid=int(uid), uidvalidity=uidvalidity)


def _message(path: Path, number: int, line: str) -> OldMessage:
    uidl, _, what = line.partition(" ")
    what = what.strip()
    if _is_uid(what):
        return OldMessage(uidl=uidl, uid=int(what))
    if what.startswith("<") and what.endswith(">") and len(what) > 2:
        by_id = fingerprint(f"Message-ID: {what}\n".encode())
        # All that is known is the Message-ID; a hash of a header with nothing else in it would fit no message.
        return OldMessage(uidl=uidl, fingerprint=type(by_id)(by_id.message_id, b""))
    raise CommandRefused(f"{path}, line {number}: it is neither <uidl> <imap-uid> nor <uidl> <message-id>")


def _is_uid(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 10 and 1 <= int(text) <= _HIGHEST_UID
