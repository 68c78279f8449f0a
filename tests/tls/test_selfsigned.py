"""The bridge's own certificate is kept for its life, its key read by nobody else, and fit for the clients in use."""

import datetime as dt
import stat
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from bridge.tls.client import client_context
from bridge.tls.selfsigned import self_signed
from bridge.tls.server import ServerContext
from tests.tls.handshake import SECRET, handshake

NOW = dt.datetime.now(dt.UTC)


def test_a_fresh_one_serves_and_is_the_one_whose_fingerprint_was_printed(tmp_path: Path) -> None:
    made = self_signed(tmp_path, "mail.example.org", NOW)
    server = ServerContext(made.certificate, made.key, lambda error: None)

    outcome = handshake(server, client_context("any", pin=made.fingerprint.replace(":", "").lower()))

    assert outcome.server_heard == SECRET
    assert outcome.fingerprint == made.fingerprint


def test_it_names_this_machine(tmp_path: Path) -> None:
    made = self_signed(tmp_path, "mail.example.org", NOW)
    server = ServerContext(made.certificate, made.key, lambda error: None)

    for name in ("localhost", "127.0.0.1", "::1", "mail.example.org"):  # a client that was told to trust it
        assert handshake(server, client_context(name, ca=made.certificate)).server_heard == SECRET


def test_an_odd_host_name_is_left_out(tmp_path: Path) -> None:
    for index, hostname in enumerate(("", "bücher", "a b", "localhost", "a_b")):
        directory = tmp_path / str(index)
        directory.mkdir()
        made = self_signed(directory, hostname, NOW)
        certificate = x509.load_pem_x509_certificate(made.certificate.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["localhost"]


def test_it_is_kept_until_it_expires(tmp_path: Path) -> None:
    first = self_signed(tmp_path, "h", NOW)

    assert self_signed(tmp_path, "h", NOW + dt.timedelta(days=396)) == first
    assert self_signed(tmp_path, "h", NOW + dt.timedelta(days=398)).fingerprint != first.fingerprint


def test_a_broken_or_mixed_pair_is_made_anew(tmp_path: Path) -> None:
    first = self_signed(tmp_path, "h", NOW)
    first.key.write_text("garbage")
    second = self_signed(tmp_path, "h", NOW)
    assert second.fingerprint != first.fingerprint

    other = tmp_path / "other"
    other.mkdir()
    second.key.write_bytes(self_signed(other, "h", NOW).key.read_bytes())
    assert self_signed(tmp_path, "h", NOW).fingerprint != second.fingerprint


def test_the_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    made = self_signed(tmp_path, "h", NOW)

    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "popbridge-selfsigned-key.pem",
        "popbridge-selfsigned.pem",
    ]


def test_it_is_a_server_s_certificate_that_lives_397_days(tmp_path: Path) -> None:
    certificate = x509.load_pem_x509_certificate(self_signed(tmp_path, "h", NOW).certificate.read_bytes())

    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == dt.timedelta(days=397)
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
