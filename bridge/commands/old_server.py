"""The old POP3 server, while it still runs: what it lists, under which UIDLs, and the headers that tell messages apart.

It reads and changes nothing: UIDL, LIST and TOP n 0, then QUIT without a DELE. It blocks, so it belongs into a thread.
"""

import contextlib
import poplib
import ssl
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from attrs import frozen

from bridge.commands.old_message import OldMessage
from bridge.commands.terminal import CommandRefused, Terminal
from bridge.maildrop.fingerprint import fingerprint
from bridge.maildrop.memory import Fingerprint
from bridge.secret import Secret

SILENCE = 60.0
"""Seconds without an answer after which the old server counts as dead; some sort a large mailbox for as long."""

LONGEST_LINE = 1 << 20
"""Octets. poplib gives up on lines over 2048, and headers of real mail are longer."""

AT_ONCE = 50
"""TOP commands under way on a server that announces PIPELINING: they fit into every socket's buffer."""

_SECURITY: dict[str, tuple[Literal["none", "starttls", "tls"], int]] = {
    "pop3": ("none", 110),
    "pop3+starttls": ("starttls", 110),
    "pop3s": ("tls", 995),
}


@frozen
class OldServer:
    """Where it is. `ca`: a file with the authority of its certificate, where the machine does not know it."""

    security: Literal["none", "starttls", "tls"]
    host: str
    port: int
    ca: Path | None = None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_old_server(url: str, ca: Path | None = None) -> OldServer:
    """From "pop3s://old.example.org"; ValueError says what is wrong, and repeats no password found in it."""
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme not in _SECURITY:
        raise ValueError("an old server is written as pop3s://HOST, pop3+starttls://HOST or pop3://HOST")
    if "@" in rest:
        raise ValueError("the login does not belong into the address; --old-login names it, the password is asked for")
    security, usual_port = _SECURITY[scheme]
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0 or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"behind {scheme}:// stands a host, and a port where it is not {usual_port}, and nothing else")
    return OldServer(security, host, usual_port if port is None else port, ca)


def read_old_server(
    server: OldServer, login: str, password: Secret, *, headers: bool, terminal: Terminal
) -> list[OldMessage]:
    """Everything it lists, in its order; without `headers` UIDLs and sizes alone."""
    if any(octet < 0x20 for octet in login.encode() + password.reveal()):
        raise CommandRefused("neither the login nor the password may hold control characters")
    poplib._MAXLINE = LONGEST_LINE  # type: ignore[attr-defined]  # noqa: SLF001  the only way there is
    try:
        with contextlib.closing(_connected(server)) as connection:
            _ask_for_utf8(connection)
            _log_in(connection, server, login, password)
            sizes = dict(_numbered(connection.list()[1]))
            uidls = dict(_numbered(connection.uidl()[1]))
            prints = _fingerprints(connection, list(uidls), terminal) if headers else {}
            with contextlib.suppress(OSError, EOFError, poplib.error_proto):
                connection.quit()
    except poplib.error_proto as error:
        if _is_refusal(error):
            raise CommandRefused(f"{server} refuses: {_words(error)}") from None
        raise CommandRefused(f"{server} does not speak POP3 to the end: {error}") from None
    except ssl.SSLCertVerificationError as error:
        raise CommandRefused(
            f"the certificate of {server} is not trusted: {error.verify_message}; --old-ca FILE names its authority"
        ) from None
    except (OSError, EOFError) as error:
        raise CommandRefused(f"{server} cannot be read: {_reason(error)}") from None
    return [
        OldMessage(uidl=uidl, size=_size(sizes.get(number)), fingerprint=prints.get(number))
        for number, uidl in uidls.items()
    ]


def _connected(server: OldServer) -> poplib.POP3:
    if server.security == "none":
        return poplib.POP3(server.host, server.port, timeout=SILENCE)
    context = ssl.create_default_context(cafile=server.ca)
    if server.security == "tls":
        return poplib.POP3_SSL(server.host, server.port, timeout=SILENCE, context=context)
    connection = poplib.POP3(server.host, server.port, timeout=SILENCE)
    try:
        connection.stls(context)
    except BaseException:
        with contextlib.suppress(OSError):  # after a failed handshake there is no socket to shut down
            connection.close()
        raise
    return connection


def _log_in(connection: poplib.POP3, server: OldServer, login: str, password: Secret) -> None:
    try:
        connection.user(login)
        connection.pass_(password.reveal().decode())
    except poplib.error_proto as error:
        if not _is_refusal(error):
            raise
        raise CommandRefused(f"{server} refuses the login {login}: {_words(error)}") from None


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    """Some servers put more than one blank between number and value; a line that is neither is passed over."""
    for line in lines:
        number, *values = line.split()
        if number.isdigit() and values:
            yield int(number), values[0].decode("ascii", "replace")


def _fingerprints(connection: poplib.POP3, numbers: list[int], terminal: Terminal) -> dict[int, Fingerprint]:
    """By number; missing where the server does not give the header."""
    at_once = AT_ONCE if "PIPELINING" in _capabilities(connection) else 1
    prints: dict[int, Fingerprint] = {}
    refusal = ""
    for start in range(0, len(numbers), at_once):
        batch = numbers[start : start + at_once]
        for number in batch:
            connection._putcmd(f"TOP {number} 0")  # type: ignore[attr-defined]  # noqa: SLF001  top() waits for each
        for number in batch:
            try:
                lines = connection._getlongresp()[1]  # type: ignore[attr-defined]  # noqa: SLF001  the same
            except poplib.error_proto as error:
                if not _is_refusal(error):
                    raise  # what follows a line too long would be taken for an answer
                refusal = _words(error)
            else:
                prints[number] = fingerprint(b"\r\n".join([*lines, b""]))
        terminal.progress("headers of the old server", start + len(batch), len(numbers))
    if numbers and not prints:
        raise CommandRefused(
            f"the old server gives no headers ({refusal}), so nothing can be recognised; --file takes a list instead"
        )
    return prints


def _ask_for_utf8(connection: poplib.POP3) -> None:
    """RFC 6856. Without it Courier 5.0 shows a stand-in for every message that has 8-bit octets in its header."""
    if "UTF8" in _capabilities(connection):
        with contextlib.suppress(poplib.error_proto):
            connection.utf8()


def _capabilities(connection: poplib.POP3) -> Mapping[str, object]:
    try:
        return connection.capa()
    except poplib.error_proto:
        return {}


def _size(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 20 else None


def _is_refusal(error: poplib.error_proto) -> bool:
    """A reply that is not +OK, as octets; poplib's own complaints, such as "-ERR EOF", are text."""
    return isinstance(error.args[0], bytes)


def _words(refusal: poplib.error_proto) -> str:
    text = refusal.args[0].decode("utf-8", "replace")
    return "".join(c for c in text.removeprefix("-ERR").strip() if c.isprintable())[:200] or "without a reason"


def _reason(error: OSError | EOFError) -> str:
    if isinstance(error, TimeoutError):
        return f"it did not answer for {SILENCE:.0f} seconds"
    return getattr(error, "strerror", None) or str(error) or "it closed the connection"
