"""TLS to mail programs: STLS and pop3s, with the owner's certificate or one of the bridge's own (S26, S27, S29)."""

import contextlib
import hashlib
import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers.bridge import Bridge, bridge
from tests.peers.certificates import Certificates, make_certificates
from tests.peers.need import need
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import Mailbox
from tests.stories.pop3 import Pop3

pytestmark = pytest.mark.story

MESSAGE = b"Subject: hello\r\n\r\n" + b"hello, hello\r\n" * 20_000
SELF_SIGNED = """
[[listener]]
pop3 = "127.0.0.1:{port}"
pop3s = "127.0.0.1:{tls_port}"
tls = "self-signed"
[[passthrough]]
upstream = "imap://127.0.0.1:%d"
"""


@pytest.fixture(scope="module")
def secure(
    dovecot_server: Dovecot, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bridge]:
    with bridge(tmp_path_factory.mktemp("tls"), upstream=dovecot_server, tls=certificates.server) as running:
        yield running


def connected(running: Bridge, how: str, context: ssl.SSLContext) -> Pop3:
    assert running.tls_port is not None
    if how == "pop3s":
        return Pop3(running.tls_port, tls=context)
    client = Pop3(running.port)
    client.start_tls(context)
    return client


def trusting(pem: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(pem))


@pytest.mark.parametrize("how", ["pop3s", "STLS"])
def test_mail_goes_through_tls_octet_for_octet(
    how: str, secure: Bridge, certificates: Certificates, mailbox: Mailbox
) -> None:
    mailbox.seed([MESSAGE, MESSAGE])
    with connected(secure, how, trusting(certificates.authority)) as client:
        client.log_in(mailbox)
        assert list(client.retr_all([1, 2])) == [MESSAGE, MESSAGE]
        client.do("DELE 2")
        assert client.quit().startswith(b"+OK")
    assert len(mailbox.uids("UNDELETED")) == 1


@pytest.mark.parametrize("how", ["pop3s", "STLS"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_in_use(how: str, version: ssl.TLSVersion, secure: Bridge, certificates: Certificates) -> None:
    context = trusting(certificates.authority)
    context.minimum_version = context.maximum_version = version
    with connected(secure, how, context) as client:
        assert client.do("CAPA")
        assert b"STLS" not in client.body(), "not twice (RFC 2595, section 4)"
        assert client.ask("STLS").startswith(b"-ERR")


def test_a_certificate_of_its_own_serves_both_ports_and_is_kept(
    dovecot_server: Dovecot, mailbox: Mailbox, tmp_path: Path
) -> None:
    """Made once, kept beside the state, its fingerprint printed: a program that trusts it goes on trusting it."""
    shown = set()
    for _ in range(2):
        with bridge(tmp_path, config=SELF_SIGNED % dovecot_server.port) as running:
            assert running.tls_port is not None
            with socket.create_connection((running.host, running.tls_port)) as plain:
                context = ssl.create_default_context()
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                with context.wrap_socket(plain) as tls:
                    der = tls.getpeercert(binary_form=True)
            assert der is not None
            shown.add(der)
            pem = tmp_path / "trusted.pem"
            pem.write_text(ssl.DER_cert_to_PEM_cert(der))
            for how in ("pop3s", "STLS"):
                known = trusting(pem)
                known.check_hostname = False  # it is made for this machine's name
                with connected(running, how, known) as client:
                    client.log_in(mailbox).quit()
            fingerprint = hashlib.sha256(der).hexdigest()
            assert fingerprint in running.log().lower().replace(":", "")
    assert len(shown) == 1


def test_a_renewed_certificate_is_used_from_the_next_handshake_on(
    dovecot_server: Dovecot, certificates: Certificates, tmp_path: Path
) -> None:
    """Without a restart; sessions that are open go on. A broken file never replaces a good certificate."""
    files = certificates.server
    own = type(files)(tmp_path / "chain.pem", tmp_path / "key.pem")
    shutil.copy(files.certificate, own.certificate)
    shutil.copy(files.key, own.key)
    renewed = make_certificates(_folder(tmp_path / "renewed"))
    with bridge(tmp_path, upstream=dovecot_server, tls=own) as running:
        before = connected(running, "pop3s", trusting(certificates.authority))
        for source in (renewed.server.certificate, renewed.server.key):
            replaced = tmp_path / "replaced"
            shutil.copy(source, replaced)
            replaced.rename(own.certificate if source == renewed.server.certificate else own.key)
        for how in ("pop3s", "STLS"):
            connected(running, how, trusting(renewed.authority)).quit()
            with pytest.raises(ssl.SSLCertVerificationError):
                connected(running, how, trusting(certificates.authority))
        own.certificate.write_text("not a certificate")
        connected(running, "pop3s", trusting(renewed.authority)).quit()
        assert before.quit().startswith(b"+OK")
        before.sock.close()
        assert "stays in use" in running.log()


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize("injected", [b"USER injected\r\n", b"QUIT\r\n", b"x", b"\r\n"])
def test_whatever_comes_with_stls_in_one_segment_ends_the_connection(injected: bytes, secure: Bridge) -> None:
    """Someone on the way may have added it in clear (S27; fault 22)."""
    with Pop3(secure.port) as client:
        client.send(b"STLS\r\n" + injected)
        said = client.rest()
    assert not said.startswith(b"+OK"), said
    assert said.count(b"\r\n") <= 1


def test_no_stls_without_a_certificate(dovecot_server: Dovecot, tmp_path: Path) -> None:
    with bridge(tmp_path, upstream=dovecot_server) as running, Pop3(running.port) as client:
        client.do("CAPA")
        assert b"STLS" not in client.body().split(b"\r\n")
        assert client.ask("STLS").startswith(b"-ERR")


def test_a_handshake_that_never_ends_is_given_up(dovecot_server: Dovecot, tmp_path: Path) -> None:
    config = SELF_SIGNED % dovecot_server.port + '\n[timeouts]\nclient_handshake = "1s"\n'
    with bridge(tmp_path, config=config) as running:
        assert running.tls_port is not None
        with socket.create_connection((running.host, running.tls_port), timeout=10) as silent:
            silent.sendall(b"\x16\x03\x01")
            with contextlib.suppress(ConnectionResetError):
                assert silent.recv(1) == b""
        with Pop3(running.port) as client:
            client.do("STLS")
            assert client.ended()


# Scanners.

_SSLYZE = Path(__file__).resolve().parents[2] / ".cache" / "sslyze" / "bin" / "sslyze"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["pop3s", "STLS"])
def test_sslyze_finds_nothing(how: str, secure: Bridge, tmp_path: Path) -> None:
    """Nothing but TLS 1.2 and 1.3 with forward secrecy, and none of the known attacks works."""
    if not _SSLYZE.exists():
        need("sslyze", "sh tests/install/peers.sh")
    report = tmp_path / "report.json"
    port, more = (secure.tls_port, []) if how == "pop3s" else (secure.port, ["--starttls", "pop3"])
    scans = [
        *("--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3", "--heartbleed", "--openssl_ccs"),
        *("--robot", "--compression", "--reneg", "--mozilla_config", "disable"),
    ]
    done = subprocess.run(
        [str(_SSLYZE), "--json_out", str(report), *more, *scans, f"127.0.0.1:{port}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert report.exists(), done.stdout + done.stderr
    _assert_clean(json.loads(report.read_text())["server_scan_results"][0])


def _assert_clean(scan: dict[str, Any]) -> None:
    assert scan["connectivity_status"] == "COMPLETED", scan
    results = {name: part["result"] for name, part in scan["scan_result"].items() if part["status"] == "COMPLETED"}
    for version in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"):
        assert not results[f"{version}_cipher_suites"]["accepted_cipher_suites"]
    for version in ("tls_1_2", "tls_1_3"):
        suites = {
            suite["cipher_suite"]["name"] for suite in results[f"{version}_cipher_suites"]["accepted_cipher_suites"]
        }
        print(version, sorted(suites))
        assert suites
        assert not [name for name in suites if "CBC" in name or "_RSA_WITH" in name.replace("ECDHE_RSA_WITH", "")]
    assert not results["heartbleed"]["is_vulnerable_to_heartbleed"]
    assert not results["openssl_ccs_injection"]["is_vulnerable_to_ccs_injection"]
    assert not results["tls_compression"]["supports_compression"]
    assert not results["session_renegotiation"]["is_vulnerable_to_client_renegotiation_dos"]
    assert "NOT_VULNERABLE" in results["robot"]["robot_result"]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["pop3s", "STLS"])
def test_testssl_finds_nothing_above_low(how: str, secure: Bridge, certificates: Certificates, tmp_path: Path) -> None:
    program = shutil.which("testssl") or shutil.which("testssl.sh")
    if program is None:
        need("testssl.sh", "apt-get install testssl.sh")
    report = tmp_path / "testssl.json"
    port, more = (secure.tls_port, []) if how == "pop3s" else (secure.port, ["--starttls", "pop3"])
    scans = ["--protocols", "--server-defaults", "--vulnerable", "--server-preference", "--fs"]
    subprocess.run(
        [
            *(program, "--quiet", "--warnings", "off", "--color", "0", "--ip", "127.0.0.1", "--nodns", "min"),
            *("--add-ca", str(certificates.authority), "--jsonfile", str(report)),
            *scans,
            *more,
            f"localhost:{port}",
        ],
        capture_output=True,
        check=False,
        timeout=300,
        env={**os.environ, "TERM": "dumb"},
    )
    findings = json.loads(report.read_text())
    # WARN is about the scanner's own means, such as an OpenSSL without GOST; FATAL says that it could not scan.
    bad = [f for f in findings if f["severity"] in {"MEDIUM", "HIGH", "CRITICAL", "FATAL"}]
    print(f"{how}: {len(findings)} findings, above LOW: {[(f['id'], f['severity'], f['finding']) for f in bad]}")
    assert len(findings) > 40
    # A private authority answers no OCSP, which testssl counts for what nobody in private can have.
    assert not [f for f in bad if f["id"] != "cert_revocation"]


def test_an_abrupt_end_inside_the_handshake_or_a_message_harms_nobody(
    secure: Bridge, certificates: Certificates, mailbox: Mailbox
) -> None:
    mailbox.seed([MESSAGE])
    for octets in (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.0\r\n\r\n", os.urandom(500)):
        assert secure.tls_port is not None
        with socket.create_connection((secure.host, secure.tls_port)) as rude:
            rude.sendall(octets)
    with connected(secure, "pop3s", trusting(certificates.authority)) as client:
        client.log_in(mailbox)
        client.send(b"RETR 1\r\n")
        client.line()
        client.reset()
    with connected(secure, "pop3s", trusting(certificates.authority)) as client:
        assert client.log_in(mailbox).retr(1) == MESSAGE
