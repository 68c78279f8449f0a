"""What the stories of OAuth2 share: a Dovecot that asks an authorization server about tokens, and a bridge to it."""

import contextlib
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Literal

from attrs import define, field

from bridge.credentials.passwords import hashed
from bridge.secret import Secret
from tests.peers import person
from tests.peers.bridge import Bridge, bridge
from tests.peers.command import ROOT, popbridge
from tests.peers.need import need
from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.peers.servers.imap_server import Mailbox
from tests.peers.servers.oidc import NODE, AuthorizationServer, authorization_server
from tests.stories.gate import Gate, gate
from tests.stories.pop3 import Pop3

PASSWORD = "of the device alone"
LETTERS = [b"Subject: one\r\n\r\n1\r\n", b"Subject: two\r\n\r\n2\r\n"]
_HASHED = hashed(Secret(PASSWORD.encode()))

_CONFIG = """
trace = true
[[listener]]
pop3 = "127.0.0.1:{{port}}"
[[oauth2]]
name = "work"
client_id = "popbridge"
{endpoints}{command}
[[account]]
user = "ann"
password = "{hashed}"
  [[account.source]]
  name = "inbox"
  upstream = "{protocol}://127.0.0.1:{upstream}"
  login = "{login}"
  secret = "oauth2:work"
[pool]
connections_per_account = 1000
park = "off"
[timeouts]
refused_login_delay = "0.1s"
"""


@define
class Ground:
    """`imap` is the way to Dovecot, `introspection` Dovecot's to the authorization server, `tokens` the bridge's to it.

    No connection is parked.
    """

    folder: Path
    authority: AuthorizationServer
    server: Dovecot
    mailbox: Mailbox
    imap: Gate
    introspection: Gate
    tokens: Gate
    protocol: Literal["imap", "pop3"] = "imap"
    command: Sequence[str] = ()
    log: list[str] = field(factory=list)
    before: int = 0

    @property
    def config(self) -> str:
        return _CONFIG.format(
            endpoints=self.authority.endpoints(self.tokens.port),
            command=f"command = {list(self.command)}\n".replace("'", '"') if self.command else "",
            hashed=_HASHED,
            protocol=self.protocol,
            upstream=self.imap.port if self.protocol == "imap" else self.server.pop3_port,
            login=self.mailbox.user,
        )

    def popbridge(
        self, *arguments: str, typed: str = "", environment: Mapping[str, str] | None = None
    ) -> CompletedProcess[str]:
        file = self.folder / "popbridge.toml"
        file.write_text(self.config.replace("{port}", "0"))
        name, *rest = arguments
        done = popbridge(self.folder, name, *rest, "--config", file, typed=typed, environment=environment)
        self.log.append(done.stdout + done.stderr)
        return done

    def authorise(self, user: str | None = None, *, opens: str = "ann/inbox: opens, 2 messages") -> None:
        """As a person does it in a browser on this machine; `opens`: what is said of the mailbox then."""
        browser = f"{sys.executable} {person.__file__} {user or self.mailbox.user} %s"
        done = self.popbridge("authorise", "work", environment={"BROWSER": browser})
        assert "work: authorised" in done.stdout, done.stdout + done.stderr
        assert opens in done.stdout
        assert done.returncode == (0 if "opens" in opens else 1)
        self.before = len(self.authority.requests("refresh_token"))

    def refreshes(self) -> int:
        """Since the last consent."""
        return len(self.authority.requests("refresh_token")) - self.before

    @contextlib.contextmanager
    def bridge(self) -> Iterator[Bridge]:
        with bridge(self.folder, config=self.config) as running:
            try:
                yield running
            finally:
                self.log.append(running.log())

    def secrets(self) -> dict[str, str]:
        tokens = self.authority.tokens()
        assert tokens
        return {f"token {number}": token for number, token in enumerate(tokens, 1)}


def chromium(user: str, report: Path) -> dict[str, str]:
    """The environment in which a person sits at a real browser; what its last page shows goes into `report`."""
    program = shutil.which("chromium")
    modules = ROOT / "tests" / "install" / "npm" / "node_modules"
    if program is None:
        need("Chromium", "apt-get install chromium")
    if not (modules / "puppeteer-core").is_dir():
        need("puppeteer-core", "npm ci --prefix tests/install/npm")
    script = ROOT / "tests" / "peers" / "clients" / "scripts" / "consent.mjs"
    return {"BROWSER": f"{NODE} {script} {program} {user} {report} %s", "NODE_PATH": str(modules)}


@contextlib.contextmanager
def ground(
    folder: Path,
    *,
    lifetimes: Sequence[int] = (3600,),
    rotate: bool = True,
    mechanisms: str = "plain xoauth2 oauthbearer",
) -> Iterator[Ground]:
    """`lifetimes`: seconds of the access tokens; the command for the consent takes the first two.

    mechanisms: of Dovecot, which takes passwords only where "plain" is among them.
    """
    own = folder / "bridge"
    own.mkdir()
    with contextlib.ExitStack() as stack:
        authority = stack.enter_context(authorization_server(folder, lifetimes, rotate=rotate))
        introspection = stack.enter_context(gate(authority.port))
        tokens = stack.enter_context(gate(authority.port))
        oauth2 = authority.introspection(introspection.port)
        server = stack.enter_context(dovecot(oauth2=oauth2, mechanisms=mechanisms))
        imap = stack.enter_context(gate(server.port))
        mailbox = server.new_mailbox()
        server.drop_into_maildir(mailbox.user, LETTERS)
        try:
            yield Ground(own, authority, server, mailbox, imap, introspection, tokens)
        finally:
            print(authority.log())


def logged_in(running: Bridge) -> Pop3:
    session = Pop3(running.port)
    try:
        log_in(session)
    except BaseException:
        session.sock.close()
        raise
    return session


def log_in(session: Pop3) -> None:
    session.do("USER ann")
    session.do(f"PASS {PASSWORD}")
