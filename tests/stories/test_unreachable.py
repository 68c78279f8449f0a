"""An upstream that cannot be reached, trusted or used: what the user is told, and how soon (S23, S29, S31).

[AUTH] makes mail programs throw the password away and ask for it again; none of these may say it.
"""

import contextlib
import hashlib
import socket
import ssl
from collections.abc import Iterator
from threading import Thread
from time import monotonic

import pytest
from attrs import frozen

from tests.peers.bridge import Bridge, bridge
from tests.peers.certificates import Certificate, Certificates
from tests.peers.child import free_port
from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.peers.servers.imap_server import Mailbox
from tests.stories.pop3 import Pop3

pytestmark = pytest.mark.story

LISTENER = """
[[listener]]
pop3 = "127.0.0.1:{port}"
[timeouts]
connect = "1s"
greeting = "1s"
upstream_silence = "1s"
login_wait = "4s"
"""
PASSTHROUGH = """
[[passthrough]]
users = "*@%s"
login = "{local}"
upstream = "%s"
%s
"""
SOON = 5.0
GREETINGS = {
    "bye": b"* BYE too many connections\r\n",
    "preauth": b"* PREAUTH welcome\r\n",
    "smtp": b"220 smtp.example.org ESMTP\r\n",
    "silent-then": b"* OK ready\r\n",
    "logindisabled": b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] no TLS, no password\r\n",
    "endless": b"* OK " + b"x" * 3_000_000,
}
BAD = {
    "expired": "expired",
    "wrong_name": "another name",
    "other_authority": "not trusted",
    "self_signed": "self-signed",
}
SCHEMES = ["imaps", "imap+starttls"]


@frozen
class World:
    """One bridge; the domain of a login chooses the upstream."""

    bridge: Bridge
    good: Dovecot
    plain: Dovecot
    bad: dict[str, Dovecot]

    def refused(self, where: str, code: str = "SYS/TEMP") -> str:
        """The reply to a login, which has to come within the time-outs; the session goes on."""
        with Pop3(self.bridge.port) as client:
            client.do(f"USER somebody@{where}")
            start = monotonic()
            line = client.ask("PASS secret")
            took = monotonic() - start
            print(f"{line.decode()} ({took:.2f} s)")
            assert took < SOON
            client.do("CAPA")
        assert line.startswith(f"-ERR [{code}] ".encode()), line
        assert len(line) <= 510
        return line.decode()

    def accepted(self, where: str, mailbox: Mailbox) -> None:
        with Pop3(self.bridge.port) as client:
            client.do(f"USER {mailbox.user}@{where}")
            client.do(f"PASS {mailbox.password}")
            assert client.count() == 0


@contextlib.contextmanager
def port_that(says: bytes | None, *, hang_up: bool = False) -> Iterator[int]:
    """A listener that says this to everybody and nothing more; None accepts and stays silent."""
    with contextlib.ExitStack() as held:
        listener = held.enter_context(socket.create_server(("127.0.0.1", 0)))

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    held.callback(peer.close)
                    if says:
                        peer.sendall(says)
                    if hang_up:
                        peer.close()

        Thread(target=serve, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def world(
    dovecot_server: Dovecot, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    ca = f'ca = "{certificates.authority}"'
    with contextlib.ExitStack() as held:
        bad = {kind: held.enter_context(dovecot(tls=getattr(certificates, kind))) for kind in BAD}
        plain = held.enter_context(dovecot())
        silent = held.enter_context(port_that(None))
        closing = held.enter_context(port_that(b"* OK ready\r\n", hang_up=True))
        entries = [
            ("unknown", "imaps://no-such-host.invalid", ""),
            ("closed", f"imap://127.0.0.1:{free_port()}", ""),
            ("hangs-up", f"imap://127.0.0.1:{closing}", ""),
            ("no-starttls", f"imap+starttls://127.0.0.1:{plain.port}", ""),
            ("no-tls", f"imaps://127.0.0.1:{plain.port}", ""),
            ("other-pin", f"imaps://localhost:{dovecot_server.tls_port}", f'pin = "{"0" * 64}"'),
        ]
        entries += [(f"silent-{scheme}", f"{scheme}://127.0.0.1:{silent}", "") for scheme in ("imap", *SCHEMES)]
        for name, greeting in GREETINGS.items():
            entries.append((name, f"imap://127.0.0.1:{held.enter_context(port_that(greeting))}", ""))
        for kind, server in bad.items():
            entries.append((f"{kind}-imaps", f"imaps://localhost:{server.tls_port}", ca))
            entries.append((f"{kind}-imap+starttls", f"imap+starttls://localhost:{server.port}", ca))
            pin = f'pin = "{fingerprint(getattr(certificates, kind))}"'
            entries.append((f"{kind}-pinned", f"imaps://localhost:{server.tls_port}", pin))
        for host in ("localhost", "127.0.0.1"):
            entries.append((f"{host}-imaps", f"imaps://{host}:{dovecot_server.tls_port}", ca))
            entries.append((f"{host}-imap+starttls", f"imap+starttls://{host}:{dovecot_server.port}", ca))
        text = LISTENER + "".join(PASSTHROUGH % entry for entry in entries)
        running = held.enter_context(bridge(tmp_path_factory.mktemp("unreachable"), config=text, measured=True))
        yield World(running, dovecot_server, plain, bad)


def fingerprint(certificate: Certificate) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.certificate.read_text())).hexdigest()


def test_an_unknown_host(world: World) -> None:
    assert "no-such-host.invalid" in world.refused("unknown")


def test_a_refused_connection(world: World) -> None:
    assert "refused" in world.refused("closed").lower()


@pytest.mark.parametrize("scheme", ["imap", *SCHEMES])
def test_a_port_that_stays_silent(scheme: str, world: World) -> None:
    world.refused(f"silent-{scheme}")


@pytest.mark.parametrize("greeting", GREETINGS)
def test_a_greeting_that_leads_nowhere(greeting: str, world: World) -> None:
    before = world.bridge.memory().rss
    world.refused(greeting, "SYS/PERM" if greeting in {"preauth", "logindisabled"} else "SYS/TEMP")
    assert world.bridge.memory().rss - before < 4_000_000


def test_a_server_that_hangs_up(world: World) -> None:
    world.refused("hangs-up")


def test_no_starttls_where_it_is_asked_for(world: World) -> None:
    assert "STARTTLS" in world.refused("no-starttls", "SYS/PERM")
    assert "somebody" not in world.plain.log()


def test_tls_where_none_is_spoken(world: World) -> None:
    assert "imap+starttls://" in world.refused("no-tls", "SYS/PERM")


# Certificates. A password goes nowhere unless the certificate was verified.


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_certificate(scheme: str, kind: str, world: World) -> None:
    assert BAD[kind] in world.refused(f"{kind}-{scheme}", "SYS/PERM")
    assert "somebody" not in world.bad[kind].log()


@pytest.mark.parametrize("kind", BAD)
def test_a_pinned_certificate_is_enough_whatever_else_is_wrong_with_it(kind: str, world: World) -> None:
    world.accepted(f"{kind}-pinned", world.bad[kind].new_mailbox())


def test_another_certificate_than_the_pinned_one(world: World) -> None:
    """The text names the fingerprint it has seen, for the owner to compare."""
    assert "pinned" in world.refused("other-pin", "SYS/PERM")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_an_authority_of_the_owner_s_own(scheme: str, host: str, world: World) -> None:
    world.accepted(f"{host}-{scheme}", world.good.new_mailbox())
