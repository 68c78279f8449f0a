"""getmail, whose state file knows every UIDL it has seen; it forgets those that a listing does not show.

It asks UIDL and LIST twice and never CAPA. It always adds a Return-Path field and delivers Unix line ends. It works in
a directory of the system's temporary folder, because nobody, who it runs as for root, may not enter the tests' own.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from attrs import frozen

from tests.peers.clients.seam import (
    USER_PASS,
    Auth,
    ClientFailedError,
    LoginRefusedError,
    Pop3Account,
    Tls,
    contents,
    header_ended,
    run,
    words,
)

_CONTROL = """
[retriever]
type = {type}
server = {account.host}
port = {account.port}
username = {account.user}
password = {account.password}
timeout = 60
use_apop = {apop}
{trust}
[destination]
type = Maildir
path = {maildir}/

[options]
read_all = false
delete = {delete}
delivered_to = false
received = false
"""

_LOGIN_REFUSED = b"operation error (POP error (b'-ERR [AUTH]"
"""getmail has no words of its own for a wrong password: it shows the server's."""


@frozen
class Getmail:
    """getmail6 of PyPI."""

    name: str = "getmail6"
    tls: frozenset[Tls] = frozenset({"none", "implicit"})
    auths: frozenset[Auth] = USER_PASS
    remembers: bool = True

    def missing(self) -> str | None:
        if _program() is None:
            return "no getmail here: pip install getmail6"
        if os.geteuid() == 0 and shutil.which("setpriv") is None:
            return "getmail does not deliver as root, and there is no setpriv here: apt-get install util-linux"
        return None

    def comparable(self, message: bytes) -> bytes:
        """Unix line ends, a header ended by an empty line, and without the field that getmail puts on top."""
        return header_ended(message.replace(b"\r\n", b"\n").removeprefix(b"Return-Path: <unknown>\n"), b"\n")

    def fetch(self, account: Pop3Account, *, keep: bool, state: Path) -> list[bytes]:
        state.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="getmail-") as name:
            desk = Path(name)
            shutil.copytree(state, desk, dirs_exist_ok=True)
            self._prepare(desk, account, keep=keep)
            _own(desk)
            done = run([*_not_as_root(), _program() or "getmail", "--getmaildir", desk, "--rcfile", "getmailrc"])
            for memory in desk.glob("oldmail-*"):
                shutil.copy(memory, state)
            got = contents(desk / "mail" / "new")
        if _LOGIN_REFUSED in done.stdout + done.stderr:
            raise LoginRefusedError(words(done))
        if done.returncode or b"error" in done.stderr:
            raise ClientFailedError(words(done))
        return got

    def _prepare(self, desk: Path, account: Pop3Account, *, keep: bool) -> None:
        for name in ("cur", "new", "tmp"):
            (desk / "mail" / name).mkdir(parents=True)
        if account.ca:
            shutil.copy(account.ca, desk / "ca.pem")
        control = _CONTROL.format(
            type="SimplePOP3SSLRetriever" if account.tls == "implicit" else "SimplePOP3Retriever",
            account=account,
            trust=f"ca_certs = {desk / 'ca.pem'}" if account.ca else "",
            apop=account.auth == "apop",
            maildir=desk / "mail",
            delete=not keep,
        )
        (desk / "getmailrc").write_text(control)


def _program() -> str | None:
    """getmail of the environment that runs the tests, else of the machine."""
    return shutil.which("getmail", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


def _not_as_root() -> list[str]:
    """getmail refuses to deliver as root; nobody may, and may read the tests' Python wherever it is."""
    if os.geteuid() != 0:
        return []
    capability = "+dac_read_search"
    return [
        *("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"),
        *("--inh-caps", capability, "--ambient-caps", capability, "--"),
    ]


def _own(desk: Path) -> None:
    if os.geteuid() == 0:
        for path in (desk, *desk.rglob("*")):
            shutil.chown(path, "nobody", "nogroup")
