"""What a server says is read as it was meant, and what is no number is never taken for one."""

import contextlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.pop3.answers import Status, read_capabilities, read_count, read_rows, read_size, read_status
from bridge.violation import ProtocolViolation


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"+OK", Status(True)),
        (b"+OK ", Status(True)),
        (b"+OK 2 320", Status(True, text="2 320")),
        (b"+ok Ready.", Status(True, text="Ready.")),
        (b"-ERR [AUTH] Authentication failed.", Status(False, "AUTH", "Authentication failed.")),
        (b"-ERR [sys/temp]later", Status(False, "SYS/TEMP", "later")),
        (b"-ERR [IN-USE]", Status(False, "IN-USE")),
        (b"-ERR [not a code] text", Status(False, text="[not a code] text")),
        (b"-ERR gr\xc3\xbc\xdfe", Status(False, text="grü�e")),
    ],
)
def test_a_status_line(line: bytes, status: Status) -> None:
    assert read_status(line) == status


@pytest.mark.parametrize("line", [b"", b"+", b"+OKAY", b"OK", b"* OK IMAP4 ready", b"220 smtp", b" +OK", b"+ERR"])
def test_anything_else_is_no_pop3(line: bytes) -> None:
    with pytest.raises(ProtocolViolation, match="neither"):
        read_status(line)


def test_how_many_messages_there_are() -> None:
    counts = {text: read_count(Status(True, text=text)) for text in ("3 120", "0 0", "7", "x", "", "-1 3", "9" * 10)}
    assert counts == {"3 120": 3, "0 0": 0, "7": 7, "x": None, "": None, "-1 3": None, "9" * 10: None}


def test_rows_of_a_list_with_what_some_servers_make_of_them() -> None:
    octets = b"1 120\r\n2  whqtswO00WBw418f9t5JxYwZ\r\n 3 a b\r\nx y\r\n4\r\n5 \r\n12345678901 a\r\n6 \xe4\r\n"
    assert read_rows(octets) == ([1, 2, 3, 6], [b"120", b"whqtswO00WBw418f9t5JxYwZ", b"a", b"\xe4"])
    assert [list(column) for column in read_rows(b"")] == [[], []]


@given(st.lists(st.lists(st.sampled_from([b"1", b"2", b"3", b"a", b"", b"\x0b"]), max_size=4), max_size=4))
def test_rows_as_nearly_every_server_writes_them_are_read_as_all_others(lines: list[list[bytes]]) -> None:
    octets = b"".join(b" ".join(line) + b"\r\n" for line in lines)
    numbers, values = read_rows(octets)
    whole = [line for line in (line.strip(b" ").split(b" ", 1) for line in octets.split(b"\r\n")) if len(line) == 2]
    expected = [(int(number), value.split()[0]) for number, value in whole if number.isdigit() and value.split()]
    assume(b"\x0b" not in octets)
    assert list(zip(numbers, values, strict=True)) == expected


def test_sizes() -> None:
    assert [read_size(octets) for octets in (b"0", b"5000000000", b"9" * 19, b"-1", b"x")] == [0, 5 * 10**9] + [
        None
    ] * 3


def test_capabilities_in_any_case() -> None:
    octets = b"TOP\r\nsasl plain XOAUTH2\r\n\r\nEXPIRE 0\r\n\xff\r\n"
    assert read_capabilities(octets) == {"TOP": (), "SASL": ("PLAIN", "XOAUTH2"), "EXPIRE": ("0",), "�": ()}


@given(st.binary())
def test_nothing_else_comes_out_of_any_octets(octets: bytes) -> None:
    with contextlib.suppress(ProtocolViolation):
        read_count(read_status(octets))
    for value in read_rows(octets)[1]:
        read_size(value)
    read_capabilities(octets)
