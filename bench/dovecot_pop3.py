"""Dovecot's POP3 server, twice: on its own storage, and in front of IMAP (`mail_location = imapc:`).

Both are set as fast as they can be while they still do what they should: processes are kept, and nothing is done that a
POP3 session does not need (no `\\Seen`, sizes as they are known). imapc has its index on disk. Its logins go through
`passdb imap`, the only one that lets Dovecot know whether the password is right; the price is a second connection to
the IMAP server for each login.
"""

import grp
import os
import pwd
import shutil
from pathlib import Path

from tests.peers.certificates import Certificates
from tests.peers.child import Child, free_port

_CONFIGURATION = """
protocols = pop3
listen = 127.0.0.1
base_dir = {directory}/run
state_dir = {directory}/run
instance_name = {directory}
log_path = {directory}/dovecot.log
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
default_vsz_limit = 4 G
default_client_limit = 5000
default_process_limit = 1000
first_valid_uid = 1
first_valid_gid = 1
shutdown_clients = yes
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
mail_max_userip_connections = 5000
mail_fsync = never

service anvil {{
  chroot =
}}
service pop3-login {{
  chroot =
  service_count = 0
  process_min_avail = 1
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = {tls_port}
  }}
}}
service pop3 {{
  service_count = 100
}}

mail_location = {location}
pop3_fast_size_lookups = yes
pop3_no_flag_updates = yes
"""

_NATIVE = """
passdb {{
  driver = passwd-file
  args = username_format=%u {server}/users/%u
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={server}/mail/%u
}}
"""

_IMAPC = """
passdb {{
  driver = imap
  args = host=127.0.0.1 port={upstream} {passdb_tls}
  default_fields = userdb_imapc_user=%u userdb_imapc_password=%w userdb_uid={uid} userdb_gid={gid} \
userdb_home={directory}/mail/%u
}}
userdb {{
  driver = prefetch
}}
imapc_host = 127.0.0.1
imapc_port = {upstream}
imapc_features = rfc822.size fetch-headers no-examine
mail_prefetch_count = 20
"""

_TLS = """
ssl = yes
ssl_cert = <{directory}/server.pem
ssl_key = <{directory}/server.key
ssl_min_protocol = TLSv1.2
"""
_IMAPC_TLS = """
ssl_client_ca_file = {directory}/authority.pem
imapc_ssl = imaps
"""


class DovecotPop3:
    """A running one. Its files are in the directory, whose path must be short: it holds sockets."""

    def __init__(self, directory: Path, tls: Certificates | None, location: str, how: str) -> None:
        """how: its passdb and userdb, and what else it needs, with the names of `_values` in braces."""
        program = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        assert program is not None  # the IMAP server behind it is one
        self._directory = directory
        self._owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.port = free_port()
        self.tls_port = free_port() if tls else None
        for folder in (directory, directory / "run", directory / "mail"):
            folder.mkdir(exist_ok=True)
            os.chown(folder, self._owner.pw_uid, self._owner.pw_gid)
        values = {
            "directory": directory,
            "user": self._owner.pw_name,
            "group": grp.getgrgid(self._owner.pw_gid).gr_name,
            "uid": self._owner.pw_uid,
            "gid": self._owner.pw_gid,
            "port": self.port,
            "tls_port": self.tls_port or 0,
            "location": location,
        }
        if tls:
            self._file("server.pem", tls.server.certificate.read_text())
            self._file("server.key", tls.server.key.read_text())
            self._file("authority.pem", tls.authority.read_text())
        text = (_CONFIGURATION + how + (_TLS if tls else "ssl = no\n")).format(**values)
        self._log = directory / "dovecot.log"
        self._child = Child(
            [program, "-F", "-c", self._file("dovecot.conf", text)],
            directory / "output",
            user=self._owner.pw_name if os.geteuid() == 0 else None,
        )
        self.pid = self._child.pid
        try:
            self._child.until_accepting("127.0.0.1", self.port)
        except BaseException:
            print(self.log())
            self.stop()
            raise

    def _file(self, name: str, content: str) -> Path:
        path = self._directory / name
        path.touch(mode=0o600)
        path.write_text(content)
        os.chown(path, self._owner.pw_uid, self._owner.pw_gid)
        return path

    def log(self) -> str:
        return self._child.text() + (self._log.read_text("utf-8", "replace") if self._log.exists() else "")

    def stop(self) -> None:
        self._child.stop()


def native(directory: Path, tls: Certificates | None, server: Path, format: str) -> DovecotPop3:  # noqa: A002 - its word
    """On the storage of the Dovecot whose directory is `server`."""
    return DovecotPop3(directory, tls, f"{format}:~/{format}", _NATIVE.replace("{server}", str(server)))


def imapc(directory: Path, tls: Certificates | None, upstream: int) -> DovecotPop3:
    """In front of the IMAP server at that port of this machine, with TLS if there are certificates."""
    passdb_tls = f"ssl=imaps ssl_ca_file={directory}/authority.pem" if tls else ""
    how = _IMAPC.replace("{upstream}", str(upstream)).replace("{passdb_tls}", passdb_tls)
    return DovecotPop3(directory, tls, "imapc:~/imapc", how + (_IMAPC_TLS if tls else ""))
