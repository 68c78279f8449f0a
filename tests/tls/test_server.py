"""A renewed certificate is served at once, a broken one never, and nothing weak is agreed to."""

import contextlib
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from bridge.tls.client import client_context
from bridge.tls.server import CertificateUnusable, ServerContext
from tests.tls.authority import Authority
from tests.tls.handshake import SECRET, Always, Talker, handshake


class Served:
    """A server whose files are replaced as a renewal would replace them."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority(directory)
        self.certificate, self.key = directory / "served.pem", directory / "served-key.pem"
        self.renewal = self.authority.issue(["pop.example.org"])
        self.renew_certificate()
        self.renew_key()
        self.reports: list[str] = []
        self.context = ServerContext(self.certificate, self.key, lambda error: self.reports.append(str(error)))

    def renew_certificate(self) -> None:
        self.renewal[0].replace(self.certificate)

    def renew_key(self) -> None:
        self.renewal[1].replace(self.key)

    def fingerprint(self) -> str:
        outcome = handshake(self.context, client_context("pop.example.org", ca=self.authority.ca))
        assert outcome.fingerprint is not None
        return outcome.fingerprint


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path)


def test_a_renewed_pair_is_served_from_the_next_handshake_on(served: Served) -> None:
    old = served.fingerprint()
    served.renewal = served.authority.issue(["pop.example.org"])
    served.renew_key()
    served.renew_certificate()

    assert served.fingerprint() != old
    assert served.reports == []


def test_a_half_renewed_pair_keeps_the_old_one_and_is_reported_once(served: Served) -> None:
    old = served.fingerprint()
    served.renewal = served.authority.issue(["pop.example.org"])
    served.renew_certificate()

    assert (served.fingerprint(), served.fingerprint()) == (old, old)
    assert served.reports == [f"{served.key} is not the key of {served.certificate}"]

    served.renew_key()
    assert served.fingerprint() != old


def test_files_that_vanish_or_hold_garbage_keep_the_old_pair(served: Served) -> None:
    old = served.fingerprint()
    served.certificate.write_text("garbage")
    assert served.fingerprint() == old
    served.certificate.unlink()
    assert (served.fingerprint(), served.fingerprint()) == (old, old)

    assert served.reports == [
        f"{served.certificate} holds no PEM certificate",
        f"{served.certificate} cannot be read (No such file or directory)",
    ]


def test_the_whole_chain_is_sent(served: Served) -> None:
    with served.certificate.open("ab") as file:
        file.write(served.authority.ca.read_bytes())
    client = Recording(SSL.Context(SSL.TLS_CLIENT_METHOD))
    handshake(served.context, client)

    chain = client.connection.get_peer_cert_chain()
    assert chain is not None
    assert len(chain) == 2


@implementer(IOpenSSLClientConnectionCreator)
class Recording:
    def __init__(self, context: SSL.Context) -> None:
        self.connection = SSL.Connection(context, None)

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return self.connection


def client(*, newest: int = SSL.TLS1_3_VERSION, ciphers: bytes = b"ALL:@SECLEVEL=0") -> Recording:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(newest)
    context.set_cipher_list(ciphers)
    return Recording(context)


def test_tls_1_2_and_1_3_are_spoken(served: Served) -> None:
    for newest, name in ((SSL.TLS1_2_VERSION, "TLSv1.2"), (SSL.TLS1_3_VERSION, "TLSv1.3")):
        asking = client(newest=newest)
        assert handshake(served.context, asking).server_heard == SECRET
        assert asking.connection.get_protocol_version_name() == name


def test_older_versions_and_weak_suites_are_refused(served: Served) -> None:
    assert handshake(served.context, client(newest=SSL.TLS1_1_VERSION)).server_heard == b""
    for weak in (b"ECDHE+AES+SHA", b"ECDHE+AES+SHA256", b"RSA", b"DHE"):  # CBC, CBC, no forward secrecy, and no group
        offered = client(newest=SSL.TLS1_2_VERSION, ciphers=weak + b":-AESGCM:-CHACHA20:@SECLEVEL=0")
        assert handshake(served.context, offered).server_heard == b""
    assert handshake(served.context, client(newest=SSL.TLS1_2_VERSION, ciphers=b"ECDHE+AESGCM")).server_heard == SECRET


def test_no_session_outlives_its_connection_by_a_ticket(served: Served) -> None:
    protocol = TLSMemoryBIOFactory(served.context, False, Always(Talker(b""))).buildProtocol(None)
    server = served.context.serverConnectionForTLS(protocol)
    server.set_accept_state()
    context = ssl.create_default_context(cafile=served.authority.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = context.wrap_bio(incoming, outgoing, server_hostname="pop.example.org")

    for _ in range(3):
        for step in (asking.do_handshake, server.do_handshake):
            with contextlib.suppress(ssl.SSLWantReadError, SSL.WantReadError):
                step()
            if outgoing.pending:
                server.bio_write(outgoing.read())
            with contextlib.suppress(SSL.WantReadError):
                incoming.write(server.bio_read(1 << 16))

    assert asking.version() == "TLSv1.2"
    assert asking.session is not None
    assert not asking.session.has_ticket
    assert not asking.session.id


@pytest.mark.parametrize("which", ["certificate", "key"])
def test_files_that_cannot_serve_are_an_error_at_the_start(served: Served, which: str) -> None:
    broken: Path = getattr(served, which)
    for content, says in ((b"", "holds no PEM"), (None, "cannot be read")):
        broken.unlink()
        if content is not None:
            broken.write_bytes(content)
        with pytest.raises(CertificateUnusable, match=says):
            ServerContext(served.certificate, served.key, lambda error: None)


def test_an_encrypted_key_is_named_as_such(served: Served) -> None:
    key = load_pem_private_key(served.key.read_bytes(), None)
    served.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))

    with pytest.raises(CertificateUnusable, match="passphrase"):
        ServerContext(served.certificate, served.key, lambda error: None)
