"""Perl's Net::POP3, which asks no CAPA before USER and PASS, and STAT right after them.

Its lines end as Unix lines do.
"""

from pathlib import Path

from attrs import frozen

from tests.peers.clients import script
from tests.peers.clients.seam import ALL_TLS, Auth, Pop3Account, Tls, unix_lines


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
        """The lines that it hands out end as Unix lines do."""
        return unix_lines(message)

    def fetch(self, account: Pop3Account, *, keep: bool, state: Path) -> list[bytes]:
        return script.fetch("perl", "fetch.pl", account, keep=keep, state=state)
