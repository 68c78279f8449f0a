"""The twenty lines that many people wrote around Python's poplib: fetch what the UIDL file does not know.

Byte-faithful: the lines that poplib hands out, joined by CRLF, are the octets of the message.
"""

import contextlib
import json
import poplib
import ssl
from pathlib import Path

from attrs import frozen

from tests.peers.clients.seam import ALL_TLS, USER_PASS, Auth, ClientFailedError, LoginRefusedError, Pop3Account, Tls

_SECONDS = 60
_LONGEST_LINE = 1 << 20
"""poplib gives up on lines over 2048 octets; getmail and others raise its limit in just this way."""


@frozen
class PoplibScript:
    """Python's poplib."""

    name: str = "poplib"
    tls: frozenset[Tls] = ALL_TLS
    auths: frozenset[Auth] = USER_PASS
    remembers: bool = True

    def missing(self) -> str | None:
        return None

    def comparable(self, message: bytes) -> bytes:
        return message

    def fetch(self, account: Pop3Account, *, keep: bool, state: Path) -> list[bytes]:
        poplib._MAXLINE = _LONGEST_LINE  # type: ignore[attr-defined]  # private, and the only way there is
        memory = state / "uidls.json"
        known: set[str] = set(json.loads(memory.read_text())) if memory.exists() else set()
        try:
            connection = _connect(account)
            messages, listed = _transact(connection, account, known, keep=keep)
        except (OSError, EOFError, poplib.error_proto) as trouble:
            raise ClientFailedError(f"poplib: {trouble!r}") from trouble
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_text(json.dumps(sorted(listed)))
        return messages


def _connect(account: Pop3Account) -> poplib.POP3:
    context = ssl.create_default_context(cafile=account.ca)
    if account.tls == "implicit":
        return poplib.POP3_SSL(account.host, account.port, timeout=_SECONDS, context=context)
    connection = poplib.POP3(account.host, account.port, timeout=_SECONDS)
    if account.tls == "stls":
        connection.stls(context)
    return connection


def _transact(
    connection: poplib.POP3, account: Pop3Account, known: set[str], *, keep: bool
) -> tuple[list[bytes], set[str]]:
    with contextlib.closing(connection):
        try:
            if account.auth == "apop":
                connection.apop(account.user, account.password)
            else:
                connection.user(account.user)
                connection.pass_(account.password)
        except poplib.error_proto as refusal:
            raise LoginRefusedError(str(refusal)) from refusal
        count, _ = connection.stat()
        uidls = dict(line.split(b" ") for line in connection.uidl()[1])
        if count != len(uidls):
            raise ClientFailedError(f"STAT counts {count} messages, UIDL {len(uidls)}")
        messages = []
        for number, uidl in uidls.items():
            if uidl.decode() not in known:
                messages.append(b"".join(line + b"\r\n" for line in connection.retr(int(number))[1]))
                if not keep:
                    connection.dele(int(number))
        connection.quit()
    return messages, {uidl.decode() for uidl in uidls.values()}
