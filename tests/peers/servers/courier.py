"""Courier as the tests' upstream: no LITERAL+, MOVE, CONDSTORE or ESEARCH, and its own ideas about line ends.

Its POP3 server stands beside it, as an old server that people leave: UIDLs of its own, and the order of file names.
"""

import base64
import contextlib
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.peers.certificates import Certificate
from tests.peers.child import free_port
from tests.peers.need import need
from tests.peers.servers.imap_server import PASSWORD, ManyUsersServer
from tests.peers.servers.overlaid import start_overlaid, unpack_into

# couriertcpd hands its environment to imaplogin, which hands it to imapd: their settings are variables.
_START = """
mkdir -p /run/courier/authdaemon
set -a
. /etc/courier/authdaemonrc
/usr/lib/courier/courier-authlib/authdaemond &
. /etc/courier/imapd
. /etc/courier/imapd-ssl
IMAP_STARTTLS={starttls}
IMAP_EMPTYTRASH=
TLS_CERTFILE={own}/server-and-key.pem
TLS_DHPARAMS=
TLS_CACHEFILE=
tcpd="/usr/sbin/couriertcpd -address={host} -nodnslookup -noidentlookup -maxprocs=300 -maxperip=300"
(
    . /etc/courier/pop3d
    courier=/usr/lib/courier/courier
    exec $tcpd {pop3_port} $courier/courierpop3login $courier/courierpop3d Maildir
) &
login="/usr/lib/courier/courier/imaplogin /usr/bin/imapd Maildir"
if [ {tls_port} != 0 ]; then
    IMAP_TLS=1 $tcpd {tls_port} /usr/bin/couriertls -server -tcpd $login &
fi
exec $tcpd {port} $login
"""


class Courier(ManyUsersServer):
    """A running Courier; see `courier()`."""

    name = "courier"

    def __init__(self, own: Path, tls: Certificate | None = None) -> None:
        self.directory = own
        self._packages = unpack_into(own, "courier")
        if not (self._packages / "usr" / "lib" / "courier" / "courier" / "courierpop3d").exists():
            need("courier-pop", "sh tests/install/debian-server.sh courier")
        self._users: dict[str, str] = {}
        self.port = free_port()
        self.pop3_port = free_port()
        self.tls_port = free_port() if tls else None
        (own / "mail").mkdir()
        self._etc = own / "etc" / "courier"
        rc = self._etc / "authdaemonrc"
        rc.write_text(rc.read_text() + '\nauthmodulelist="authuserdb"\n')
        # couriertls gives up root's rights, which it has not, in favour of a user that installing would have made.
        for table, line in (("passwd", "courier:x:8:8::/:/bin/sh"), ("group", "courier:x:8:")):
            with (own / "etc" / table).open("a") as file:
                file.write(f"{line}\n")
        if tls:
            (own / "server-and-key.pem").write_bytes(tls.key.read_bytes() + tls.certificate.read_bytes())
        start = _START.format(
            own=own,
            host=self.host,
            port=self.port,
            pop3_port=self.pop3_port,
            tls_port=self.tls_port or 0,
            starttls="YES" if tls else "NO",
        )
        self.add_user(self.user)
        self._child = start_overlaid(self._packages, own, ["sh", "-c", start])
        self.pid = self._child.pid
        self._started(self._child)
        self._child.until_accepting(self.host, self.pop3_port)

    def add_user(self, user: str, password: str = PASSWORD) -> None:
        home = self.directory / "mail" / user
        for folder in ("cur", "new", "tmp", ".Trash/cur", ".Trash/new", ".Trash/tmp"):
            (home / "Maildir" / folder).mkdir(parents=True)
        (home / "Maildir" / ".Trash" / "maildirfolder").touch()
        self._users[user] = password
        accounts = (f"{name}\thome={self.directory}/mail/{name}|uid=8|gid=8\n" for name in self._users)
        secrets = (f"{name}\tsystempw={{SHA256}}{_sha256(word)}\n" for name, word in self._users.items())
        self._table("userdb.dat", [*accounts, ".\n"])
        self._table("userdbshadow.dat", [*secrets, ".\n"])

    def _table(self, name: str, lines: list[str]) -> None:
        """What makeuserdb does, without the path of the system's file; the new one takes the old one's place whole."""
        program = self._packages / "usr" / "lib" / "courier" / "courier-authlib" / "makedatprog"
        subprocess.run(
            [program, "-", self._etc / f"{name}.new", self._etc / name], input="".join(lines).encode(), check=True
        )
        (self._etc / name).chmod(0o600)

    def log(self) -> str:
        return self._child.text()

    def stop(self) -> None:
        self._child.kill()


@contextlib.contextmanager
def courier(tls: Certificate | None = None) -> Iterator[Courier]:
    """A Courier for the time of the block; tls gives STARTTLS and `tls_port`."""
    own = Path(tempfile.mkdtemp(prefix="courier-"))
    try:
        server = Courier(own, tls)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _sha256(word: str) -> str:
    return base64.b64encode(hashlib.sha256(word.encode()).digest()).decode()
