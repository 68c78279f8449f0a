"""Each certificate is good, or bad in exactly the way its name says."""

import socket
import ssl
import threading

import pytest

from tests.peers.certificates import LOOPBACK, Certificate, Certificates


def complaint(server: Certificate, certificates: Certificates, name: str = "localhost") -> str:
    """What OpenSSL says in a handshake with a server of that name; nothing when all is well."""
    here, there = socket.socketpair()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(server.certificate, server.key)

    def serve() -> None:
        try:
            server_context.wrap_socket(there, server_side=True).close()
        except (ssl.SSLError, OSError):
            there.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        context = ssl.create_default_context(cafile=certificates.authority)
        context.wrap_socket(here, server_hostname=name).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    finally:
        here.close()
        thread.join()
    return ""


@pytest.mark.parametrize("name", LOOPBACK)
def test_the_good_one_is_good_for_every_name_of_loopback(certificates: Certificates, name: str) -> None:
    assert complaint(certificates.server, certificates, name) == ""


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("wrong_name", "Hostname mismatch"),
        ("expired", "certificate has expired"),
        ("self_signed", "self-signed certificate"),
        ("other_authority", "unable to get local issuer certificate"),
    ],
)
def test_the_bad_ones_are_refused_for_their_own_reason(certificates: Certificates, which: str, words: str) -> None:
    assert words in complaint(getattr(certificates, which), certificates)


def test_the_wrong_name_is_right_for_its_own(certificates: Certificates) -> None:
    assert complaint(certificates.wrong_name, certificates, "mail.example.org") == ""
