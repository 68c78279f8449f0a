"""curl as scripts use it: `-X UIDL` for the list, one connection for all the RETRs, `-X DELE` at the end.

Byte-faithful: what curl writes is what came between +OK and the dot, unstuffed.
"""

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from tests.peers.clients.seam import (
    ALL_TLS,
    Auth,
    ClientFailedError,
    LoginRefusedError,
    Pop3Account,
    Tls,
    absent,
    contents,
    fresh,
    run,
    words,
)

_LOGIN_DENIED = 67

_MECHANISM = {
    "any": "*",
    "plain": "PLAIN",
    "login": "LOGIN",
    "xoauth2": "XOAUTH2",
    "oauthbearer": "OAUTHBEARER",
    "apop": "+APOP",
}
"""curl 7.88 cannot be told to prefer USER and PASS to a SASL mechanism it knows."""


@frozen
class Curl:
    """curl; `initial_response` sends the SASL credentials on the AUTH line."""

    initial_response: bool = False
    name: str = "curl"
    tls: frozenset[Tls] = ALL_TLS
    auths: frozenset[Auth] = frozenset({"any", "plain", "login", "xoauth2", "oauthbearer"})
    remembers: bool = True

    def missing(self) -> str | None:
        return absent("curl", "curl")

    def comparable(self, message: bytes) -> bytes:
        """All of it; a message of no octets, like an empty list, comes out as one empty line."""
        return message or b"\r\n"

    def fetch(self, account: Pop3Account, *, keep: bool, state: Path) -> list[bytes]:
        memory = state / "uidls"
        known = set(memory.read_bytes().splitlines()) if memory.exists() else set()
        # curl shows an empty list as one empty line.
        uidls = dict(line.split(b" ") for line in self.ask(account, "UIDL").splitlines() if line)
        new = [int(number) for number, uidl in uidls.items() if uidl not in known]
        directory = fresh(state)
        if new:
            # -o names files by the glob's value; all of them go over one connection.
            self._curl(account, _numbers(new), "--output", directory / "#1.eml")
        if new and not keep:
            self._curl(account, _numbers(new), "--request", "DELE", "--head")
        memory.write_bytes(b"\n".join(sorted(uidls.values())))
        return contents(directory)

    def ask(self, account: Pop3Account, command: str) -> bytes:
        """A command such as `UIDL` or `TOP 2 3`: the lines of its answer."""
        return self._curl(account, "", "--request", command)

    def tell(self, account: Pop3Account, command: str) -> None:
        """A command such as `NOOP` or `DELE 2`, whose answer is one line; curl shows nothing of it."""
        self._curl(account, "", "--request", command, "--head")

    def get(self, account: Pop3Account, number: int | None = None) -> bytes:
        """What the URL alone stands for: LIST without a number, else RETR."""
        return self._curl(account, "" if number is None else str(number))

    def _curl(self, account: Pop3Account, path: str, *options: str | Path) -> bytes:
        scheme = "pop3s" if account.tls == "implicit" else "pop3"
        url = f"{scheme}://{account.host}:{account.port}/{path}"
        done = run(["curl", "--silent", "--show-error", "--max-time", "80", *self._login(account), *options, url])
        if done.returncode == _LOGIN_DENIED:
            raise LoginRefusedError(words(done))
        if done.returncode:
            raise ClientFailedError(words(done))
        return done.stdout

    def _login(self, account: Pop3Account) -> Sequence[str | Path]:
        options: list[str | Path] = ["--login-options", f"AUTH={_MECHANISM[account.auth]}"]
        if account.auth in ("xoauth2", "oauthbearer"):
            options += ["--user", f"{account.user}:", "--oauth2-bearer", account.password]
        else:
            options += ["--user", f"{account.user}:{account.password}"]
        if self.initial_response:
            options.append("--sasl-ir")
        if account.tls == "stls":
            options.append("--ssl-reqd")
        if account.ca is not None:
            options += ["--cacert", account.ca]
        return options


def _numbers(numbers: Sequence[int]) -> str:
    return "{" + ",".join(str(number) for number in numbers) + "}"
