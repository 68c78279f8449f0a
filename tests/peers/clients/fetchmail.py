"""fetchmail in the three shapes its users run it in: with a UIDL memory (`uidl`), without the option, and `fetchall`.

Mostly it sends `TOP n 99999999` instead of RETR; `fetchall`, and `keep` without `uidl`, make it use RETR. Without
`uidl` it asks LAST for what is new, and UIDL only where LAST is refused.
"""

from pathlib import Path
from typing import Literal

from attrs import frozen

from tests.peers.clients.seam import (
    ALL_TLS,
    USER_PASS,
    Auth,
    ClientFailedError,
    LoginRefusedError,
    Pop3Account,
    Tls,
    absent,
    contents,
    fresh,
    header_ended,
    run,
    words,
)

_GOT_MAIL, _NO_MAIL, _AUTHENTICATION_FAILED = 0, 1, 3

_TLS = {"none": "sslproto ''", "stls": "sslproto 'tls1.2+' sslcertck", "implicit": "ssl sslproto 'tls1.2+' sslcertck"}


@frozen
class Fetchmail:
    """fetchmail, one process a run, with a delivery agent that stores what it is given."""

    mode: Literal["uidl", "plain", "fetchall"] = "uidl"
    tls: frozenset[Tls] = ALL_TLS
    auths: frozenset[Auth] = USER_PASS

    @property
    def name(self) -> str:
        return f"fetchmail {self.mode}"

    @property
    def remembers(self) -> bool:
        return self.mode != "fetchall"

    def missing(self) -> str | None:
        return absent("fetchmail", "fetchmail")

    def comparable(self, message: bytes) -> bytes:
        """Everything up to lines of 8 KiB, which fetchmail breaks; and a header without its empty line is given one."""
        return header_ended(message)

    def fetch(self, account: Pop3Account, *, keep: bool, state: Path) -> list[bytes]:
        directory = fresh(state)
        control = state / "fetchmailrc"
        control.write_text(self._control(account, directory, keep=keep))
        control.chmod(0o600)
        files: list[str | Path] = ["--fetchmailrc", control, "--idfile", state / "ids", "--pidfile", state / "pid"]
        done = run(["fetchmail", "--nosyslog", "-v", *files], environment={"FETCHMAILHOME": str(state)})
        if done.returncode == _AUTHENTICATION_FAILED:
            raise LoginRefusedError(words(done))
        if done.returncode not in (_GOT_MAIL, _NO_MAIL):
            raise ClientFailedError(words(done))
        return contents(directory)

    def _control(self, account: Pop3Account, directory: Path, *, keep: bool) -> str:
        tls = _TLS[account.tls] + (f" sslcertfile '{account.ca}'" if account.ca else "")
        wanted = {"uidl": "", "plain": "", "fetchall": "fetchall"}[self.mode] + (" keep" if keep else " no keep")
        protocol = "apop" if account.auth == "apop" else "pop3"
        # What fetchmail would mend or leave out of its own: addresses, line ends, junk in headers, a Received on top.
        return (
            "set invisible\n"
            f"poll {account.host} protocol {protocol} port {account.port} bad-header accept"
            f' {"uidl" if self.mode == "uidl" else ""} user "{account.user}" password "{account.password}"'
            f" {tls} {wanted} no rewrite no stripcr"
            f""" mda "/bin/sh -c 'f=$(mktemp {directory}/XXXXXX) && cat >$f'" """
        )
