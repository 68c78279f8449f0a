"""Nothing is sent to an upstream that cannot show who it is, and the owner reads why."""

import datetime as dt
import hashlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOFactory

from bridge.tls.client import CertificateRejected, _system_context, client_context
from bridge.tls.selfsigned import self_signed
from bridge.tls.server import CertificateUnusable, ServerContext
from tests.tls.authority import Authority
from tests.tls.handshake import SECRET, Always, Outcome, Talker, handshake


def met(files: tuple[Path, Path], client: IOpenSSLClientConnectionCreator) -> Outcome:
    def never(error: CertificateUnusable) -> None:
        raise error

    return handshake(ServerContext(*files, never), client)


def refused(files: tuple[Path, Path], client: IOpenSSLClientConnectionCreator) -> str:
    outcome = met(files, client)
    assert outcome.server_heard == outcome.client_heard == b""
    assert isinstance(outcome.refused, CertificateRejected)
    return str(outcome.refused)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_a_name_and_a_chain_that_fit_are_trusted(authority: Authority) -> None:
    files = authority.issue(["imap.example.org", "127.0.0.1", "::1"])

    for name in ("imap.example.org", "IMAP.example.org", "127.0.0.1", "::1"):
        outcome = met(files, client_context(name, ca=authority.ca))
        assert (outcome.server_heard, outcome.client_heard, outcome.refused) == (SECRET, b"hello", None)


def test_another_name_or_address_is_refused(authority: Authority) -> None:
    files = authority.issue(["imap.example.org", "127.0.0.1"])

    for name in ("other.example.org", "example.org", "127.0.0.2", "::1"):
        assert (
            refused(files, client_context(name, ca=authority.ca)) == f"the certificate is for another name than {name}"
        )


def test_a_certificate_without_any_name_is_refused(authority: Authority) -> None:
    assert "another name" in refused(authority.issue([]), client_context("leaf", ca=authority.ca))


def test_an_unknown_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    files = authority.issue(["imap.example.org"])
    other = Authority(tmp_path, "another")

    assert "issuer is not trusted" in refused(files, client_context("imap.example.org", ca=other.ca))
    assert "issuer is not trusted" in refused(files, client_context("imap.example.org"))


def test_an_expired_certificate_is_refused(authority: Authority) -> None:
    files = authority.issue(["imap.example.org"], expired=True)

    assert refused(files, client_context("imap.example.org", ca=authority.ca)) == "the certificate has expired"


def test_a_self_signed_certificate_is_refused_unless_it_is_pinned(tmp_path: Path) -> None:
    made = self_signed(tmp_path, "imap.example.org", dt.datetime.now(dt.UTC))
    files, pin = (made.certificate, made.key), made.fingerprint.replace(":", "").lower()

    assert refused(files, client_context("imap.example.org")) == "the certificate is self-signed"
    assert met(files, client_context("any.name", pin=pin)).server_heard == SECRET
    assert f"its SHA-256 is {pin}" in refused(files, client_context("imap.example.org", pin="00" * 32))


def test_a_pin_may_be_that_of_the_public_key_which_survives_a_renewal(authority: Authority) -> None:
    files = authority.issue(["x"], expired=True)
    key = x509.load_pem_x509_certificate(files[0].read_bytes()).public_key()
    pin = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()

    assert met(files, client_context("imap.example.org", pin=pin)).server_heard == SECRET


def test_the_system_s_authorities_are_asked_where_none_is_named(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    _system_context.cache_clear()
    try:
        assert met(authority.issue(["imap.example.org"]), client_context("imap.example.org")).server_heard == SECRET
    finally:
        _system_context.cache_clear()


def test_all_connections_with_one_trust_share_a_context_until_the_authority_s_file_changes(
    authority: Authority, tmp_path: Path
) -> None:
    def context_of(host: str) -> object:
        protocol = TLSMemoryBIOFactory(_server(authority), False, Always(Talker(b""))).buildProtocol(None)
        return client_context(host, ca=authority.ca).clientConnectionForTLS(protocol).get_context()

    first = context_of("a.example")
    assert context_of("b.example") is first

    other = Authority(tmp_path, "another")
    authority.ca.write_bytes(other.ca.read_bytes())
    assert context_of("a.example") is not first


def _server(authority: Authority) -> ServerContext:
    return ServerContext(*authority.issue(["x"]), print)


def test_an_authority_that_holds_no_certificate_is_an_error_before_any_connection(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")

    with pytest.raises(ValueError, match="PEM"):
        client_context("h", ca=tmp_path / "ca.pem")
    with pytest.raises(OSError, match="No such file"):
        client_context("h", ca=tmp_path / "none.pem")
