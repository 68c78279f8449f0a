"""node-pop3, which takes an answer for ended only where a received chunk ends with CRLF.CRLF.

Byte-faithful after the script has undone the dot-stuffing, which the library leaves to its user. It has no STLS.
"""

from pathlib import Path

from attrs import frozen

from tests.peers.clients import script
from tests.peers.clients.seam import USER_PASS, Auth, Pop3Account, Tls

_PACKAGES = Path(__file__).parents[2] / "install" / "npm"


@frozen
class NodePop3:
    """node-pop3 of the npm registry."""

    name: str = "node-pop3"
    tls: frozenset[Tls] = frozenset({"none", "implicit"})
    auths: frozenset[Auth] = USER_PASS
    remembers: bool = True

    def missing(self) -> str | None:
        if not (_PACKAGES / "node_modules" / "node-pop3").is_dir():
            return f"node-pop3 is not installed: npm ci --prefix {_PACKAGES}"
        return script.lacks("node", "-e", "1", install="apt-get install nodejs")

    def comparable(self, message: bytes) -> bytes:
        """All of it; a message of no octets cannot be told from an empty line."""
        return message or b"\r\n"

    def fetch(self, account: Pop3Account, *, keep: bool, state: Path) -> list[bytes]:
        return script.fetch(
            "node", "fetch.mjs", account, keep=keep, state=state, environment={"POP3_MODULES": str(_PACKAGES)}
        )
