"""Ruby's net/pop, which reads STAT, LIST and UIDL before the first RETR. It has no STLS.

Byte-faithful.
"""

from pathlib import Path

from attrs import frozen

from tests.peers.clients import script
from tests.peers.clients.seam import USER_PASS, Auth, Pop3Account, Tls


@frozen
class NetPop:
    """Ruby's net/pop."""

    name: str = "Ruby net-pop"
    tls: frozenset[Tls] = frozenset({"none", "implicit"})
    auths: frozenset[Auth] = USER_PASS
    remembers: bool = True

    def missing(self) -> str | None:
        return script.lacks("ruby", "-rnet/pop", "-ropenssl", "-e1", install="apt-get install ruby")

    def comparable(self, message: bytes) -> bytes:
        return message

    def fetch(self, account: Pop3Account, *, keep: bool, state: Path) -> list[bytes]:
        return script.fetch("ruby", "fetch.rb", account, keep=keep, state=state)
