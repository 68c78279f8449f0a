"""All that has come is given at once; how it ended is told behind it, and as often as it is asked."""

import contextlib

import pytest
from OpenSSL import SSL

from bridge.tls.connection import Connection

AT_MOST = 32 * 1024  # Twisted's


def flow(source: SSL.Connection, sink: SSL.Connection) -> None:
    with contextlib.suppress(SSL.WantReadError):
        while True:
            sink.bio_write(source.bio_read(65536))


@pytest.fixture
def pair() -> tuple[SSL.Connection, Connection]:
    """A server and the client under test, their handshake over."""
    serving = SSL.Context(SSL.TLS_SERVER_METHOD)
    # Without a certificate, which nothing here looks at; TLS 1.3 has no such suites.
    serving.set_max_proto_version(SSL.TLS1_2_VERSION)
    serving.set_cipher_list(b"AECDH-AES128-SHA:@SECLEVEL=0")
    asking = SSL.Context(SSL.TLS_CLIENT_METHOD)
    asking.set_cipher_list(b"AECDH-AES128-SHA:@SECLEVEL=0")
    server, client = SSL.Connection(serving, None), Connection(asking, None)
    server.set_accept_state()
    client.set_connect_state()
    for _ in range(3):
        for one, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                one.do_handshake()
            flow(one, other)
    return server, client


def test_many_records_are_one_piece(pair: tuple[SSL.Connection, Connection]) -> None:
    server, client = pair
    pieces = [bytes([n]) * 4096 for n in range(20)]
    for piece in pieces:
        server.send(piece)
    flow(server, client)

    assert client.recv(AT_MOST) == b"".join(pieces)
    with pytest.raises(SSL.WantReadError):
        client.recv(AT_MOST)


def test_half_a_record_waits_for_its_other_half(pair: tuple[SSL.Connection, Connection]) -> None:
    server, client = pair
    server.send(b"one")
    server.send(b"two")
    octets = server.bio_read(65536)
    client.bio_write(octets[:-1])
    assert client.recv(AT_MOST) == b"one"
    with pytest.raises(SSL.WantReadError):
        client.recv(AT_MOST)
    client.bio_write(octets[-1:])
    assert client.recv(AT_MOST) == b"two"


def test_a_good_bye_is_told_behind_what_was_said(pair: tuple[SSL.Connection, Connection]) -> None:
    """A program that says QUIT and closes has its QUIT heard, and can still be answered."""
    server, client = pair
    server.send(b"QUIT\r\n")
    server.shutdown()
    flow(server, client)

    assert client.recv(AT_MOST) == b"QUIT\r\n"
    client.send(b"+OK\r\n")
    for _ in range(2):
        with pytest.raises(SSL.ZeroReturnError):
            client.recv(AT_MOST)


def test_a_record_that_was_tampered_with_is_told_behind_the_good_ones(pair: tuple[SSL.Connection, Connection]) -> None:
    server, client = pair
    server.send(b"good")
    server.send(b"bad")
    octets = bytearray(server.bio_read(65536))
    octets[-1] ^= 1
    client.bio_write(bytes(octets))

    assert client.recv(AT_MOST) == b"good"
    for _ in range(2):
        with pytest.raises(SSL.Error) as raised:
            client.recv(AT_MOST)
        assert type(raised.value) is SSL.Error
