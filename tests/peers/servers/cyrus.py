"""Cyrus as the tests' upstream: CONDSTORE, QRESYNC, OBJECTID, and strict about the mail that it takes."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.peers.certificates import Certificate
from tests.peers.child import free_port
from tests.peers.servers.imap_server import PASSWORD, ManyUsersServer
from tests.peers.servers.overlaid import start_overlaid, unpack_into

_IMAPD_CONF = """
configdirectory: {own}/config
defaultpartition: default
partition-default: {own}/mail
temp_path: {own}/tmp
cyrus_user: mail
servername: localhost
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {own}/sasldb
sasl_mech_list: PLAIN LOGIN
allowplaintext: yes
failedloginpause: 0
unixhierarchysep: yes
altnamespace: yes
autocreate_quota: 0
autocreate_inbox_folders: Trash | Archive
xlist-trash: Trash
xlist-archive: Archive
"""

_TLS = """
tls_server_cert: {own}/server.pem
tls_server_key: {own}/server.key
"""

_CYRUS_CONF = """
START {{
  recover cmd="ctl_cyrusdb -r"
}}
SERVICES {{
  imap cmd="imapd" listen="{host}:{port}" prefork=1
  {imaps}
}}
EVENTS {{
}}
"""


class Cyrus(ManyUsersServer):
    """A running Cyrus; see `cyrus()`."""

    name = "cyrus"

    def __init__(self, own: Path, tls: Certificate | None = None) -> None:
        self.directory = own
        self._packages = unpack_into(own, "cyrus")
        self.port = free_port()
        self.tls_port = free_port() if tls else None
        for folder in ("mail", "tmp", "config", "config/socket"):
            (own / folder).mkdir()
        configuration = _IMAPD_CONF
        imaps = ""
        if tls:
            configuration += _TLS
            shutil.copy(tls.certificate, own / "server.pem")
            shutil.copy(tls.key, own / "server.key")
            imaps = f'imaps cmd="imapd -s" listen="{self.host}:{self.tls_port}" prefork=0'
        (own / "etc" / "imapd.conf").write_text(configuration.format(own=own))
        (own / "etc" / "cyrus.conf").write_text(_CYRUS_CONF.format(host=self.host, port=self.port, imaps=imaps))
        self.add_user(self.user)
        self._child = start_overlaid(self._packages, own, ["/usr/lib/cyrus/bin/master", "-D", "-p", "/run/master.pid"])
        self.pid = self._child.pid
        self._started(self._child)

    def add_user(self, user: str, password: str = PASSWORD) -> None:
        usr = self._packages / "usr"
        libraries = usr / "lib" / f"{os.uname().machine}-linux-gnu"
        subprocess.run(
            [usr / "sbin" / "saslpasswd2", "-p", "-c", "-f", self.directory / "sasldb", "-u", "localhost", user],
            input=password.encode() + b"\n",
            env={**os.environ, "LD_LIBRARY_PATH": str(libraries), "SASL_PATH": str(libraries / "sasl2")},
            check=True,
        )

    def log(self) -> str:
        return self._child.text()

    def stop(self) -> None:
        self._child.kill()


@contextlib.contextmanager
def cyrus(tls: Certificate | None = None) -> Iterator[Cyrus]:
    """A Cyrus for the time of the block; tls gives STARTTLS and `tls_port`."""
    own = Path(tempfile.mkdtemp(prefix="cyrus-"))
    try:
        server = Cyrus(own, tls)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(own, ignore_errors=True)
