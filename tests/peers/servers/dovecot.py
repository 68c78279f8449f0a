"""Dovecot as the tests' upstream: IMAP, and its own POP3 server as a reference, in a directory of its own.

Dovecot runs without root always: as the user of the tests, or as `nobody` when that is root, since it reads no mail
as root. Its directory stands in the system's temporary folder, because nobody may not enter pytest's and because the
path of a socket has at most 107 octets.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import pwd
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from tests.peers.certificates import Certificate
from tests.peers.child import Child, free_port
from tests.peers.need import need
from tests.peers.servers.imap_server import PASSWORD, ManyUsersServer

Format = Literal["maildir", "mdbox", "sdbox", "mbox"]
_TOKEN_KEY = b"the key that signs the tests' bearer tokens"

_CONFIGURATION = """
protocols = imap pop3
listen = {host}
base_dir = {directory}/run
state_dir = {directory}/run
instance_name = {directory}
log_path = {directory}/dovecot.log
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
default_vsz_limit = 2 G
default_client_limit = 5000
default_process_limit = 1000
first_valid_uid = 1
first_valid_gid = 1
shutdown_clients = yes

# The tests fail logins on purpose and by the dozen; a delay would only cost time.
auth_failure_delay = 0
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  service_count = 0
  process_min_avail = 1
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service pop3-login {{
  chroot =
  service_count = 0
  inet_listener pop3 {{
    port = {pop3_port}
  }}
  inet_listener pop3s {{
    port = {pop3s_port}
    ssl = {implicit}
  }}
}}
service imap {{
  service_count = 200
}}

disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
auth_username_chars =
auth_username_format = %u
mail_max_userip_connections = {connections}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {directory}/oauth2.conf
}}
# A failure waits for the next tick of half a second unless "nodelay" is set, and a passdb that fails takes its fields
# back: so one that lets everybody through, but only to the next one, sets it.
passdb {{
  driver = static
  mechanisms = plain login
  args = nopassword=y nodelay=y
  result_success = continue-fail
}}
passdb {{
  driver = passwd-file
  mechanisms = plain login
  args = username_format=%u {directory}/users/%u
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={directory}/mail/%u
}}

mail_location = {location}
mail_fsync = never
mdbox_rotate_size = 200 M
namespace inbox {{
  inbox = yes
  mailbox Trash {{
    auto = create
    special_use = \\Trash
  }}
  mailbox Archive {{
    auto = create
    special_use = \\Archive
  }}
}}
"""

_TLS = """
ssl = yes
ssl_cert = <{directory}/server.pem
ssl_key = <{directory}/server.key
ssl_min_protocol = TLSv1.2
"""

_OAUTH2 = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={directory}/keys/
username_attribute = sub
"""


class Dovecot(ManyUsersServer):
    """A running Dovecot; see `dovecot()`."""

    name = "dovecot"

    def __init__(
        self,
        directory: Path,
        *,
        capability: str | None = None,
        extra: str = "",
        tls: Certificate | None = None,
        format: Format = "maildir",  # noqa: A002 - the word Dovecot's users know it by
        layout: str = "",
        connections: int = 200,
        mechanisms: str = "plain login xoauth2 oauthbearer",
        oauth2: str = _OAUTH2,
        passwords_from: str | None = None,
    ) -> None:
        program = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            need("Dovecot", "apt-get install dovecot-imapd dovecot-pop3d")
        self.directory = directory
        self.format = format
        self._owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.port = free_port()
        self.pop3_port = free_port()
        self.pop3s_port = free_port() if tls else None
        self.tls_port = free_port() if tls else None
        self._oauth2 = oauth2
        self._passwords_from = passwords_from
        self._prepare(tls)
        self.add_user(self.user)
        text = _CONFIGURATION.format(
            host=self.host,
            directory=directory,
            user=self._owner.pw_name,
            group=_group(self._owner.pw_gid),
            port=self.port,
            tls_port=self.tls_port or 0,
            pop3_port=self.pop3_port,
            pop3s_port=self.pop3s_port or 0,
            implicit="yes" if tls else "no",
            mechanisms=mechanisms,
            connections=connections,
            location=f"{format}:~/{format}"
            + (":INBOX=~/inbox" if format == "mbox" else "")
            + (f":LAYOUT={layout}" if layout else ""),
        )
        text += _TLS.format(directory=directory) if tls else "ssl = no\n"
        if capability is not None:
            text += f"protocol imap {{\n  imap_capability = {capability}\n}}\n"
        configuration = self._file("dovecot.conf", (text + extra).encode())
        self._child = Child(
            [program, "-F", "-c", configuration],
            directory / "output",
            user=self._owner.pw_name if os.geteuid() == 0 else None,
        )
        self.pid = self._child.pid
        self._started(self._child)

    def _prepare(self, tls: Certificate | None) -> None:
        self._own(self.directory)
        for folder in ("run", "mail", "users", "keys", "keys/default", "keys/default/HS256"):
            (self.directory / folder).mkdir()
            self._own(self.directory / folder)
        self._file("oauth2.conf", self._oauth2.format(directory=self.directory).encode())
        self._file("keys/default/HS256/default", base64.b64encode(_TOKEN_KEY))
        if tls:
            self._file("server.pem", tls.certificate.read_bytes())
            self._file("server.key", tls.key.read_bytes())

    def _file(self, name: str, content: bytes) -> Path:
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        self._own(path)
        return path

    def _own(self, path: Path) -> None:
        os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    def add_user(self, user: str, password: str = PASSWORD) -> None:
        # A file for each: Dovecot looks at most once a second whether a file it has read is another one now.
        encoded = base64.b64encode(password.encode()).decode()
        only = f"allow_nets={self._passwords_from}" if self._passwords_from else ""
        self._file(f"users/{user}", f"{user}:{{PLAIN.b64}}{encoded}::::::{only}\n".encode())

    def token(self, user: str, seconds: int = 3600) -> str:
        """A bearer token that XOAUTH2 and OAUTHBEARER accept for the user; one with negative seconds has run out."""
        now = int(time.time())
        header = {"alg": "HS256", "typ": "JWT"}
        claims = {"sub": user, "iat": now - 10_000, "exp": now + seconds}
        text = b".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
        signature = hmac.new(_TOKEN_KEY, text, hashlib.sha256).digest()
        return (text + b"." + _base64url(signature)).decode()

    def drop_into_maildir(self, user: str, messages: Sequence[bytes], names: Sequence[str] | None = None) -> None:
        """Puts octets under the server that APPEND would mend or refuse; names like `1.a.host,S=7` may lie about sizes.

        They are listed in the order of their names; without names in that of the sequence.
        """
        if self.format != "maildir":
            raise ValueError(f"{self.format} is not Maildir")
        inbox = self.directory / "mail" / user / "maildir"
        new = inbox / "new"
        for folder in (inbox.parent, inbox, new, inbox / "cur", inbox / "tmp"):
            if not folder.is_dir():
                folder.mkdir(mode=0o700)
                self._own(folder)
        for index, message in enumerate(messages):
            name = names[index] if names else f"{1_700_000_000 + index}.M{index}P1.host"
            self._file(str((new / name).relative_to(self.directory)), message)

    def log(self) -> str:
        log = self.directory / "dovecot.log"
        return self._child.text() + (log.read_text("utf-8", "replace") if log.exists() else "")

    def stop(self) -> None:
        self._child.kill()


@contextlib.contextmanager
def dovecot(
    directory: Path | None = None,
    *,
    capability: str | None = None,
    extra: str = "",
    tls: Certificate | None = None,
    format: Format = "maildir",  # noqa: A002 - as in Dovecot
    layout: str = "",
    connections: int = 200,
    mechanisms: str = "plain login xoauth2 oauthbearer",
    oauth2: str = _OAUTH2,
    passwords_from: str | None = None,
) -> Iterator[Dovecot]:
    """A Dovecot for the time of the block.

    capability: all that CAPABILITY shows after login (the commands still work); extra: further configuration;
    tls: gives STARTTLS and `tls_port`; connections: how many one user may have from one address.
    layout: how mailboxes are named on the disk, "" is the format's own way; with "index" each has a folder with a name
    of its own, and one made anew under an old name shares nothing with the one before.
    oauth2: how bearer tokens are checked; without it those of `Dovecot.token` hold.
    passwords_from: the only address whose passwords are looked at; who comes from another needs a token.
    directory: where its log is copied at the end; it lives in a short-lived one of its own.
    """
    own = Path(tempfile.mkdtemp(prefix="dovecot-"))
    try:
        server = Dovecot(
            own,
            capability=capability,
            extra=extra,
            tls=tls,
            format=format,
            layout=layout,
            connections=connections,
            mechanisms=mechanisms,
            oauth2=oauth2,
            passwords_from=passwords_from,
        )
        try:
            yield server
        finally:
            server.stop()
            if directory is not None:
                (directory / "dovecot.log").write_text(server.log())
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _group(number: int) -> str:
    import grp  # noqa: PLC0415 - the only use

    return grp.getgrgid(number).gr_name


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
