"""mpop: as soon as CAPA lists PIPELINING it has 99 commands in flight, so one reply too many or too few stops it.

Delivers to a Maildir with Unix line ends.
"""

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
    unix_lines,
    words,
)

_NO_PERMISSION = 77
_TLS = {
    "none": ["--tls=off"],
    "stls": ["--tls=on", "--tls-starttls=on"],
    "implicit": ["--tls=on", "--tls-starttls=off"],
}


@frozen
class Mpop:
    """mpop; `pipelining` off makes it wait for each reply."""

    pipelining: bool = True
    name: str = "mpop"
    tls: frozenset[Tls] = ALL_TLS
    auths: frozenset[Auth] = frozenset({"any", "user", "plain", "oauthbearer", "xoauth2"})
    remembers: bool = True

    def missing(self) -> str | None:
        return absent("mpop", "mpop")

    def comparable(self, message: bytes) -> bytes:
        """A Maildir has Unix line ends."""
        return unix_lines(message)

    def fetch(self, account: Pop3Account, *, keep: bool, state: Path) -> list[bytes]:
        maildir = fresh(state)
        for name in ("cur", "new", "tmp"):
            (maildir / name).mkdir()
        # By itself mpop takes only mechanisms that hide the password, unless TLS does.
        mechanism = account.auth if account.auth != "any" else ("user" if account.tls == "none" else "on")
        # The working directory changes with Maildir delivery, so every path is absolute.
        options = [
            f"--host={account.host}",
            f"--port={account.port}",
            f"--user={account.user}",
            f"--passwordeval=echo '{account.password}'",
            f"--uidls-file={state.absolute() / 'uidls'}",
            f"--delivery=maildir,{maildir.absolute()}",
            f"--auth={mechanism}",
            f"--keep={'on' if keep else 'off'}",
            "--received-header=off",
            *([] if self.pipelining else ["--pipelining=off"]),
            *_TLS[account.tls],
            *([f"--tls-trust-file={account.ca}"] if account.ca else []),
        ]
        done = run(["mpop", "--file=/dev/null", *options])
        if done.returncode == _NO_PERMISSION:
            raise LoginRefusedError(words(done))
        if done.returncode:
            raise ClientFailedError(words(done))
        return contents(maildir / "new")
