"""One password, however it was typed: SASLprep (RFC 4013), which SCRAM and PLAIN ask for before a password is compared.

An "é" is one character on one keyboard and two on another; without this a password with one fits on one of them only.
"""

import stringprep
from unicodedata import ucd_3_2_0

LONGEST = 1024
"""Octets of a password, and characters of whatever is prepared: three octets may stand for eighteen characters."""

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def prepare(text: str) -> str:
    """RFC 4013; ValueError where it forbids the text.

    Characters that Unicode 3.2 did not know pass as they are: a client may send them ("queries", RFC 3454, section 7),
    and what is stored here was typed by the same people.
    """
    _check_length(text)
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in text if not stringprep.in_table_b1(char)
    )
    normal = ucd_3_2_0.normalize("NFKC", mapped)
    _check_length(normal)
    if any(prohibited(char) for char in normal for prohibited in _PROHIBITED):
        raise ValueError("it holds a character that no password may have, such as a control character")
    _check_directions(normal)
    return normal


def prepared(octets: bytes) -> bytes:
    """The same for what a client sent, whatever it is: what cannot be prepared is compared octet by octet.

    So is what is longer than any password: a stranger's 64 KiB would take half a second of Python.
    """
    if len(octets) > LONGEST:
        return octets
    try:
        return prepare(octets.decode("utf-8")).encode("utf-8")
    except ValueError:  # UnicodeDecodeError is one
        return octets


def _check_length(text: str) -> None:
    if len(text) > LONGEST:
        raise ValueError(f"it has more than {LONGEST} characters")


def _check_directions(text: str) -> None:
    """RFC 3454, section 6."""
    if not any(map(stringprep.in_table_d1, text)):
        return
    ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    if not ends or any(map(stringprep.in_table_d2, text)):
        raise ValueError("it mixes writing from the right with writing from the left")
