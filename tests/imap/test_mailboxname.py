"""Mailbox names survive the way to the server and back, in every script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.imap.mailboxname import decode, decode_tolerantly, encode
from bridge.imap.quirks import Quirk
from bridge.violation import ProtocolViolation

# RFC 3501, section 5.1.3, and names of real providers.
KNOWN = [
    ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
    ("Entwürfe", b"Entw&APw-rfe"),
    ("[Gmail]/Все", b"[Gmail]/&BBIEQQQ1-"),
    ("Q&A", b"Q&-A"),
    ("&&", b"&-&-"),
    ("", b""),
    ("😀", b"&2D3eAA-"),
    ("a\tb", b"a&AAk-b"),
]


@pytest.mark.parametrize(("name", "octets"), KNOWN)
def test_known_names_are_written_and_read(name: str, octets: bytes) -> None:
    assert encode(name) == octets
    assert decode(octets) == name


@given(st.text())
def test_every_name_comes_back(name: str) -> None:
    assert decode(encode(name)) == name
    assert decode(encode(name, utf8=True), utf8=True) == name


@given(st.text())
def test_modified_utf7_is_printable_ascii(name: str) -> None:
    assert all(0x20 <= octet <= 0x7E for octet in encode(name))


@pytest.mark.parametrize(
    "octets",
    [
        b"&",  # a shift without an end
        b"&AOQ",
        b"&*-",  # not base64
        b"&AGE-",  # a letter that must not be shifted
        b"&AOQ-&APY-",  # two shifts where one belongs
        b"&2D0-",  # half of a surrogate pair
        b"&AOR-",  # bits left over that are not nought
        b"\xc3\xa4",
        b"a\x01",
    ],
)
def test_an_improper_name_is_refused_strictly_and_read_tolerantly(octets: bytes) -> None:
    met: list[Quirk] = []
    with pytest.raises(ProtocolViolation):
        decode(octets)
    assert isinstance(decode_tolerantly(octets, met=met.append), str)
    assert met == [Quirk.RAW_MAILBOX_NAME]


def test_raw_utf8_and_latin1_stay_readable() -> None:
    assert decode_tolerantly("Entwürfe".encode()) == "Entwürfe"
    assert decode_tolerantly("Entwürfe".encode("latin-1")) == "Entwürfe"
    with pytest.raises(ProtocolViolation):
        decode(b"\xff", utf8=True)


@given(st.binary(), st.booleans())
def test_nothing_but_a_violation_comes_of_random_octets(octets: bytes, utf8: bool) -> None:
    assert isinstance(decode_tolerantly(octets, utf8=utf8), str)
    try:
        name = decode(octets, utf8=utf8)
    except ProtocolViolation:
        return
    assert encode(name, utf8=utf8) == octets
