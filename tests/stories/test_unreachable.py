"""An upstream that cannot be reached, trusted or used: what the user is told, and how soon (S23, S29, S31).

[AUTH] makes mail programs throw the password away and ask for it again; none of these may say it.
"""

import contextlib
import hashlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from time import monotonic

import pytest

from tests.peers.bridge import bridge
from tests.peers.certificates import Certificate, Certificates
from tests.peers.child import free_port
from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.peers.servers.imap_server import Mailbox
from tests.stories.pop3 import Pop3, opened

pytestmark = pytest.mark.story

CONFIG = """
[[listener]]
pop3 = "127.0.0.1:{port}"
[[passthrough]]
upstream = "%s"
%s
[timeouts]
connect = "2s"
greeting = "2s"
upstream_silence = "2s"
login_wait = "4s"
"""
SOON = 6.0


def refused(folder: Path, upstream: str, more: str = "") -> bytes:
    """The reply to a login, which has to come within the time-outs; USER alone is always taken."""
    with bridge(folder, config=CONFIG % (upstream, more)) as running, Pop3(running.port) as client:
        client.do("USER somebody")
        start = monotonic()
        line = client.ask("PASS secret")
        took = monotonic() - start
        print(f"{line.decode()} ({took:.2f} s)")
        assert took < SOON
        assert client.do("CAPA") and client.body(), "the session goes on"
    assert line.startswith((b"-ERR [SYS/TEMP] ", b"-ERR [SYS/PERM] ")), line
    assert len(line) <= 510
    return line


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


def test_an_unknown_host(tmp_path: Path) -> None:
    assert b"no-such-host.invalid" in refused(tmp_path, "imaps://no-such-host.invalid")


def test_a_refused_connection(tmp_path: Path) -> None:
    line = refused(tmp_path, f"imap://127.0.0.1:{free_port()}")
    assert line.startswith(b"-ERR [SYS/TEMP] 127.0.0.1 port ")
    assert b"refused" in line.lower()


@pytest.mark.parametrize("scheme", ["imap", "imaps", "imap+starttls"])
def test_a_port_that_stays_silent(scheme: str, tmp_path: Path) -> None:
    with port_that(None) as port:
        assert refused(tmp_path, f"{scheme}://127.0.0.1:{port}").startswith(b"-ERR [SYS/TEMP]")


@pytest.mark.parametrize(
    ("greeting", "code"),
    [
        (b"* BYE too many connections\r\n", b"[SYS/TEMP]"),
        (b"* PREAUTH welcome\r\n", b"[SYS/PERM]"),
        (b"220 smtp.example.org ESMTP\r\n", b"[SYS/TEMP]"),
        (b"* OK ready\r\n", b"[SYS/TEMP]"),
        (b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] no TLS, no password\r\n", b"[SYS/PERM]"),
        (b"* OK " + b"x" * 1_000_000, b"[SYS/TEMP]"),
    ],
    ids=["BYE", "PREAUTH", "SMTP", "silent then", "LOGINDISABLED", "endless line"],
)
def test_a_greeting_that_leads_nowhere(greeting: bytes, code: bytes, tmp_path: Path) -> None:
    with port_that(greeting) as port:
        assert refused(tmp_path, f"imap://127.0.0.1:{port}").startswith(b"-ERR " + code)


def test_a_server_that_hangs_up(tmp_path: Path) -> None:
    with port_that(b"* OK ready\r\n", hang_up=True) as port:
        assert refused(tmp_path, f"imap://127.0.0.1:{port}").startswith(b"-ERR [SYS/TEMP]")


# Certificates. A password goes nowhere unless the certificate was verified.


@pytest.fixture(scope="module", params=["expired", "wrong_name", "other_authority", "self_signed"])
def bad(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[tuple[str, Dovecot]]:
    certificate: Certificate = getattr(certificates, request.param)
    with dovecot(tls=certificate) as server:
        yield request.param, server


WORDS = {
    "expired": b"expired",
    "wrong_name": b"another name",
    "other_authority": b"not trusted",
    "self_signed": b"self-signed",
}


@pytest.mark.parametrize("scheme", ["imaps", "imap+starttls"])
def test_a_bad_certificate(scheme: str, bad: tuple[str, Dovecot], certificates: Certificates, tmp_path: Path) -> None:
    kind, server = bad
    port = server.tls_port if scheme == "imaps" else server.port
    line = refused(tmp_path, f"{scheme}://localhost:{port}", f'ca = "{certificates.authority}"')
    assert line.startswith(b"-ERR [SYS/PERM] ")
    assert WORDS[kind] in line
    assert "somebody" not in server.log(), "the password went nowhere"


def trusting(folder: Path, upstream: str, more: str, mailbox: Mailbox) -> None:
    with bridge(folder, config=CONFIG % (upstream, more)) as running, opened(running.port, mailbox) as client:
        assert client.count() == 0


def test_a_pinned_certificate_is_enough_whatever_else_is_wrong_with_it(
    bad: tuple[str, Dovecot], certificates: Certificates, tmp_path: Path
) -> None:
    kind, server = bad
    pem = getattr(certificates, kind).certificate.read_text()
    pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    trusting(tmp_path, f"imaps://localhost:{server.tls_port}", f'pin = "{pin}"', server.new_mailbox())


def test_another_certificate_than_the_pinned_one(dovecot_server: Dovecot, tmp_path: Path) -> None:
    """The text names the fingerprint it has seen, for the owner to compare."""
    line = refused(tmp_path, f"imaps://localhost:{dovecot_server.tls_port}", f'pin = "{"0" * 64}"')
    assert line.startswith(b"-ERR [SYS/PERM] ")
    assert b"pinned" in line


@pytest.mark.parametrize("scheme", ["imaps", "imap+starttls"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_an_authority_of_the_owner_s_own(
    scheme: str, host: str, mailbox: Mailbox, certificates: Certificates, dovecot_server: Dovecot, tmp_path: Path
) -> None:
    port = dovecot_server.tls_port if scheme == "imaps" else dovecot_server.port
    trusting(tmp_path, f"{scheme}://{host}:{port}", f'ca = "{certificates.authority}"', mailbox)


def test_no_starttls_where_it_is_asked_for(tmp_path: Path) -> None:
    with dovecot() as server:
        line = refused(tmp_path, f"imap+starttls://127.0.0.1:{server.port}")
        assert line.startswith(b"-ERR [SYS/PERM] ")
        assert b"STARTTLS" in line
        assert "somebody" not in server.log()


def test_tls_where_none_is_spoken(tmp_path: Path, dovecot_server: Dovecot) -> None:
    line = refused(tmp_path, f"imaps://127.0.0.1:{dovecot_server.port}")
    assert line.startswith(b"-ERR [SYS/PERM] ")
    assert b"imap+starttls://" in line
