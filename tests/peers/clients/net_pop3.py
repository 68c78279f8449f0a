"""Perl's Net::POP3, which asks no CAPA before USER and PASS, and STAT right after them.

Its lines end as Unix lines do.
"""

import re
from pathlib import Path

from attrs import frozen

from tests.peers.clients import script
from tests.peers.clients.seam import ALL_TLS, Auth, Pop3Account, Tls

_LINE_END = re.compile(rb"\r*\n")


@frozen
class NetPop3:
    """Perl's Net::POP3."""

    name: str = "Net::POP3"
    tls: frozenset[Tls] = ALL_TLS
    auths: frozenset[Auth] = frozenset({"any", "user", "plain"})
    remembers: bool = True

    def missing(self) -> str | None:
        return script.lacks(
            "perl",
            "-MNet::POP3",
            "-MIO::Socket::SSL",
            "-MAuthen::SASL",
            "-e1",
            install="apt-get install perl libio-socket-ssl-perl libauthen-sasl-perl",
        )

    def comparable(self, message: bytes) -> bytes:
        """Unix line ends; any CRs before the LF belong to it."""
        return _LINE_END.sub(b"\n", message)

    def fetch(self, account: Pop3Account, *, keep: bool, state: Path) -> list[bytes]:
        return script.fetch("perl", "fetch.pl", account, keep=keep, state=state)
