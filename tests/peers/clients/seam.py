"""What a story may ask of any mail program: fetch this account's mail, and show what you stored.

A program that hangs is a failure with its name, never a test that waits for ever.
"""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import which
from tempfile import mkdtemp
from typing import Literal, Protocol

from attrs import frozen

Tls = Literal["none", "stls", "implicit"]
Auth = Literal["any", "user", "plain", "login", "xoauth2", "oauthbearer", "scram-sha-256", "apop"]
"""How the program logs in: "any" lets it choose, as most users do; "user" is USER and PASS; the bearer mechanisms
take the password as the token; the last two work with accounts of the bridge's own only."""


@frozen
class Pop3Account:
    """What a user types into the account settings."""

    host: str
    port: int
    user: str
    password: str
    tls: Tls = "none"
    ca: Path | None = None
    auth: Auth = "any"


class LoginRefusedError(Exception):
    """The program told its user that name or password are wrong."""


class ClientFailedError(Exception):
    """The program gave up for any other reason, hung, or died; its own words are the text."""


class Client(Protocol):
    """One mail program."""

    @property
    def name(self) -> str:
        """What a user calls it."""
        ...

    @property
    def tls(self) -> frozenset[Tls]: ...

    @property
    def auths(self) -> frozenset[Auth]: ...

    @property
    def remembers(self) -> bool:
        """Whether it leaves mail on the server and knows the next time what it has already."""
        ...

    def missing(self) -> str | None:
        """Why it cannot run here and the line that installs it; None if it can."""
        ...

    def fetch(self, account: Pop3Account, *, keep: bool, state: Path) -> list[bytes]:
        """Get what is new and return it as the program stored it, in no particular order.

        `keep` leaves the mail on the server; else everything fetched is deleted there. `state` is the directory
        that carries the program's memory of UIDLs from run to run. Raises LoginRefusedError or ClientFailedError.
        """
        ...

    def comparable(self, message: bytes) -> bytes:
        """The part of a message that this program stores faithfully: of the original and of the stored one alike."""
        ...


_LINE_END = re.compile(rb"\r*\n")

ALL_TLS: frozenset[Tls] = frozenset({"none", "stls", "implicit"})
USER_PASS: frozenset[Auth] = frozenset({"any", "user"})


def absent(program: str, package: str) -> str | None:
    """`Client.missing` for a program that one Debian package brings."""
    return None if which(program) else f"no {program} here: apt-get install {package}"


def fresh(state: Path, prefix: str = "run") -> Path:
    """A new empty directory below `state`: what one run of a program stores."""
    state.mkdir(parents=True, exist_ok=True)
    return Path(mkdtemp(prefix=prefix, dir=state))


def contents(directory: Path) -> list[bytes]:
    """Every file of a directory, in the order of their names."""
    return [path.read_bytes() for path in sorted(directory.iterdir()) if path.is_file()]


def header_ended(message: bytes, line_end: bytes = b"\r\n") -> bytes:
    """A header without the empty line after it is given one, as programs that take messages apart do."""
    return message if line_end * 2 in line_end + message else message + line_end


def unix_lines(message: bytes) -> bytes:
    """Lines that end with LF alone, as mail programs on Unix store them. CRs before a CRLF count as part of it."""
    return _LINE_END.sub(b"\n", message)


def run(
    argv: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    seconds: float = 90,
) -> "subprocess.CompletedProcess[bytes]":
    """Run a program to its end; one that takes longer than `seconds` hangs, which is a failure."""
    try:
        return subprocess.run(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})},
            cwd=cwd,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as trouble:
        said = (trouble.stdout or b"")[-1000:] + (trouble.stderr or b"")[-1000:]
        raise ClientFailedError(f"{argv[0]} hung for {seconds:g} s, having said {said!r}") from None


def words(done: "subprocess.CompletedProcess[bytes]") -> str:
    """What a program said at its end, for the text of a failure."""
    said = (done.stdout[-2000:] + b"\n" + done.stderr[-2000:]).decode("utf-8", "replace").strip()
    return f"{done.args[0]} ended with {done.returncode}: {said}"
