"""oidc-provider, an authorization server of npm: code with PKCE, device code, rotating refresh tokens, introspection.

A refresh token that is shown a second time costs its whole grant, as RFC 9700 advises.
"""

import base64
import contextlib
import json
import os
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.peers.child import Child, free_port
from tests.peers.need import need

_MODULES = Path(__file__).resolve().parents[2] / "install" / "npm" / "node_modules"
_SCRIPT = Path(__file__).with_name("oidc.mjs")
NODE = _MODULES / "node" / "bin" / "node"
"""It asks for a newer one than Debian 12 has."""


class AuthorizationServer:
    """A running one; see `authorization_server()`. Whoever logs in there may have any password."""

    host = "127.0.0.1"
    secret = "the secret of the tests' own clients at the authorization server"

    def __init__(
        self, directory: Path, lifetimes: Sequence[int], *, rotate: bool, key: rsa.RSAPublicKey | None, port: int | None
    ) -> None:
        if not ((_MODULES / "oidc-provider").is_dir() and NODE.exists()):
            need("oidc-provider", "npm ci --prefix tests/install/npm")
        self.port = port or free_port()
        self.issuer = f"http://{self.host}:{self.port}"
        settings = {
            "issuer": self.issuer,
            "port": self.port,
            "secret": self.secret,
            "lifetimes": list(lifetimes),
            "rotate": rotate,
            "keys": [_jwk(key)] if key is not None else [],
        }
        self._child = Child(
            [NODE, _SCRIPT, json.dumps(settings)],
            directory / "oidc.log",
            environment={**os.environ, "NODE_PATH": str(_MODULES)},
        )
        try:
            self._child.until_accepting(self.host, self.port)
        except BaseException:
            print(self.log())
            self.stop()
            raise

    def endpoints(self, through: int | None = None) -> str:
        """As they stand in an [[oauth2]] entry; `through`: tokens are asked for by way of a relay on that port."""
        token = f"http://{self.host}:{through or self.port}/token"
        return (
            f'authorize = "{self.issuer}/auth"\ntoken = "{token}"\ndevice = "{self.issuer}/device/auth"\n'
            'scopes = ["mail", "offline_access"]\n'
        )

    def introspection(self, through: int | None = None) -> str:
        """Dovecot's configuration for it; `through`: by way of a relay on that port."""
        password = urllib.parse.quote(self.secret)
        return (
            f"introspection_url = http://dovecot:{password}@{self.host}:{through or self.port}/token/introspection\n"
            "introspection_mode = post\nusername_attribute = sub\nactive_attribute = active\nactive_value = true\n"
        )

    def requests(self, grant: str | None = None) -> list[dict[str, Any]]:
        """What came of each token request so far, of one grant type or of all."""
        return [line for line in self._told() if "ok" in line and grant in (None, line["grant"])]

    def tokens(self, kind: str | None = None) -> list[str]:
        """Whatever it has given away: access_token, refresh_token, client_credentials, authorization_code."""
        return [line["token"] for line in self._told() if "token" in line and kind in (None, line["kind"])]

    def revoke(self) -> None:
        """RFC 7009, by the newest refresh token: with it goes its grant, and every access token of that."""
        [*_, token] = self.tokens("refresh_token")
        form = urllib.parse.urlencode({"token": token, "client_id": "popbridge"}).encode()
        with urllib.request.urlopen(f"{self.issuer}/token/revocation", form, timeout=30) as answer:
            answer.read()

    def _told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]

    def log(self) -> str:
        return self._child.text()

    def stop(self) -> None:
        self._child.kill()


@contextlib.contextmanager
def authorization_server(
    directory: Path,
    lifetimes: Sequence[int] = (3600,),
    *,
    rotate: bool = True,
    key: rsa.RSAPublicKey | None = None,
    port: int | None = None,
) -> Iterator[AuthorizationServer]:
    """One for the time of the block; it remembers nothing of one before, and its log goes into the directory.

    lifetimes: seconds of the first access token, the second and so on; the last holds for all others; rotate: each use
    of a refresh token brings a new one; key: by which the client "certified" signs.
    """
    server = AuthorizationServer(directory, lifetimes, rotate=rotate, key=key, port=port)
    try:
        yield server
    finally:
        server.stop()


def _jwk(key: rsa.RSAPublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    return {"kty": "RSA", "n": _base64url(numbers.n), "e": _base64url(numbers.e), "use": "sig"}


def _base64url(number: int) -> str:
    octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
