"""What a POP3 server has said, read: status lines with their response codes, lists of numbers, capabilities.

What a server says is foreign: numbers are bounded before they are made, and a row that is none is left out; whoever
needs a whole list counts its rows.
"""

import re
from collections.abc import Mapping, Sequence

from attrs import frozen

from bridge.violation import ProtocolViolation, excerpt

_STATUS = re.compile(rb"(\+OK|-ERR)(?:[ \t]+(.*))?", re.IGNORECASE | re.DOTALL)
# RFC 2449, section 8: a code stands in brackets at the beginning of the text.
_CODE = re.compile(r"\[([^\]\s]{1,40})\][ \t]*")
# Some servers put more than one blank between number and value, or something behind it.
_ROW = re.compile(rb"^[ \t]*([0-9]{1,9})[ \t]+([^ \t\r\n]+)", re.MULTILINE)
_COUNT = re.compile(r"([0-9]{1,9})(?![0-9])")


@frozen
class Status:
    """`code`: the response code in upper case, such as "SYS/TEMP"; "" where there is none. `text` without it."""

    ok: bool
    code: str = ""
    text: str = ""


def read_status(line: bytes) -> Status:
    status = _STATUS.fullmatch(line)
    if status is None:
        raise ProtocolViolation(f"neither +OK nor -ERR: {excerpt(line)}")
    text = (status[2] or b"").decode("utf-8", "replace").strip()
    code = _CODE.match(text)
    return Status(status[1][:1] == b"+", code[1].upper() if code else "", text[code.end() :] if code else text)


def read_count(status: Status) -> int | None:
    """STAT's number of messages."""
    count = _COUNT.match(status.text)
    return int(count[1]) if count else None


def read_rows(octets: bytes) -> tuple[Sequence[int], list[bytes]]:
    """The numbers and the first word behind each, of LIST or UIDL."""
    values = octets.split()[1::2]
    if b"".join([b"%d %b\r\n" % row for row in enumerate(values, 1)]) == octets:
        return range(1, len(values) + 1), values  # as nearly every server says it: 100,000 rows in half the time
    rows = _ROW.findall(octets)
    return [int(number) for number, _ in rows], [value for _, value in rows]


def read_size(octets: bytes) -> int | None:
    """Octets, from LIST; None where that is no number, or one that no message has."""
    return int(octets) if octets.isdigit() and len(octets) < 19 else None


def read_capabilities(octets: bytes) -> Mapping[str, tuple[str, ...]]:
    """Names with their parameters, upper case (RFC 2449, section 3)."""
    lines = (line.upper().split() for line in octets.decode("ascii", "replace").splitlines())
    return {words[0]: tuple(words[1:]) for words in lines if words}
