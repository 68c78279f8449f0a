"""The old POP3 server, while it still runs: what it lists, under which UIDLs, and the headers that tell messages apart.

It reads and changes nothing: UIDL, LIST and TOP n 0, then QUIT without a DELE.
"""

from itertools import islice
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from attrs import frozen

from bridge.commands.old_message import OldMessage
from bridge.commands.terminal import CommandRefused, Terminal
from bridge.config import Timeouts, Upstream
from bridge.maildrop.errors import CredentialsRefused, Trouble, UpstreamUntrusted
from bridge.maildrop.fingerprint import fingerprint
from bridge.maildrop.memory import Fingerprint
from bridge.pop3.answers import read_rows, read_size
from bridge.pop3.commands import Command, List, Uidl
from bridge.sasl import Credentials
from bridge.secret import Secret
from bridge.tls import client_context
from bridge.upstream.connect import REMEDY, Reactor
from bridge.upstream.pop3_connection import Pop3Connection
from bridge.upstream.pop3_listing import headers_of
from bridge.upstream.pop3_opening import connect, log_in

PATIENCE = Timeouts(upstream_silence=60.0)
"""Some servers sort a large mailbox for so long before they answer."""

AT_ONCE = 50
"""Headers asked for between two words of progress."""

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


async def read_old_server(
    server: OldServer, login: str, password: Secret, reactor: Reactor, terminal: Terminal
) -> list[OldMessage]:
    """Everything it lists, in its order. Raises CommandRefused."""
    if any(octet < 0x20 for octet in login.encode() + password.reveal()):
        raise CommandRefused("neither the login nor the password may hold control characters")
    try:
        connection = await _connected(server, reactor)
        try:
            await log_in(connection, Credentials(login.encode(), password, "USER", bearer=False))
            messages = await _read(server, connection, terminal)
        except BaseException:
            connection.abandon()
            raise
    except CredentialsRefused as refused:
        raise CommandRefused(f"{server} refuses the login {login}: {_words(refused.detail)}") from None
    except UpstreamUntrusted as trouble:
        raise CommandRefused(str(trouble).replace(REMEDY, "--old-ca FILE names its authority")) from None
    except Trouble as trouble:
        said = f" ({_words(trouble.detail)})" if trouble.detail else ""
        raise CommandRefused(f"the old server cannot be read: {trouble}{said}") from None
    connection.close()
    return messages


async def _connected(server: OldServer, reactor: Reactor) -> Pop3Connection:
    def make() -> Pop3Connection:
        return Pop3Connection(reactor, silence=PATIENCE.upstream_silence, close_abort=PATIENCE.close_abort, trace=None)

    upstream = Upstream("pop3", server.security, server.host, server.port)
    return await connect(reactor, upstream, client_context(server.host, ca=server.ca, pin=None), PATIENCE, make)


async def _read(server: OldServer, connection: Pop3Connection, terminal: Terminal) -> list[OldMessage]:
    sizes = {number: read_size(octets) for number, octets in await _rows(server, connection, List())}
    uidls = await _rows(server, connection, Uidl())
    prints: dict[int, Fingerprint] = {}
    numbers = iter([number for number, _ in uidls])
    done = 0
    while some := list(islice(numbers, AT_ONCE)):
        headers = await headers_of(connection, {number: sizes.get(number) or 0 for number in some})
        prints.update((number, fingerprint(header)) for number, header in headers.items())
        done += len(some)
        terminal.progress("headers of the old server", done, len(uidls))
    if uidls and not prints:
        raise CommandRefused(
            "the old server gives no headers, so nothing can be recognised; --file takes a list instead"
        )
    return [
        OldMessage(uidl=uidl.decode("ascii", "replace"), size=sizes.get(number), fingerprint=prints.get(number))
        for number, uidl in uidls
    ]


async def _rows(server: OldServer, connection: Pop3Connection, command: Command) -> list[tuple[int, bytes]]:
    answer = await connection.ask(command)
    if not answer.status.ok:
        raise CommandRefused(f"{server} refuses: {_words(answer.status.text)}")
    return list(zip(*read_rows(answer.lines), strict=True))


def _words(text: str) -> str:
    """Foreign ones, for a terminal."""
    return "".join(c for c in text if c.isprintable())[:200] or "without a reason"
