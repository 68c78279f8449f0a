"""What a message is recognised by after its mailbox was rebuilt: hashes of the header fields that nobody rewrites.

Servers add Received, Return-Path, Status or X- fields, fold lines anew and sort fields when mail is copied; they leave
these few fields and their words alone. Time is linear in the header's length, whatever the header holds.
"""

import re
from collections.abc import Iterator
from hashlib import blake2b

from bridge.maildrop.memory import Fingerprint

FIELDS = ("DATE", "FROM", "TO", "CC", "SUBJECT", "MESSAGE-ID")
"""What is asked for of a header, and all that counts in it."""

_NAMES = {name.lower().encode("ascii"): name for name in FIELDS}
_END = re.compile(rb"(?:\A|\n)\r*\n")


def fingerprint(header: bytes, stable_id: str = "") -> Fingerprint:
    """Of a whole header, or of what `BODY.PEEK[HEADER.FIELDS (…)]` gives; what follows its empty line does not count.

    `header` is b"" where none of the fields is there, for two such messages have nothing in common.
    """
    found: dict[str, list[bytes]] = {name: [] for name in FIELDS}
    for name, value in _fields(header):
        found[name].append(value)
    text = b"".join(b"%s:%s\n" % (name.encode("ascii"), value) for name, values in found.items() for value in values)
    message_id = next(iter(found["MESSAGE-ID"]), b"")
    return Fingerprint(_hash(message_id), _hash(text), stable_id)


def _fields(header: bytes) -> Iterator[tuple[str, bytes]]:
    """Those of FIELDS that are there, unfolded, each run of white space one blank."""
    end = _END.search(header)
    name: str | None = None
    lines: list[bytes] = []
    for line in header[: end.start() if end else None].split(b"\n"):
        if line[:1] in {b" ", b"\t"}:
            lines.append(line)
            continue
        if name is not None:
            yield name, _collapsed(lines)
        before, colon, after = line.partition(b":")
        # Blanks before the colon: RFC 5322, section 4.5.8.
        name = _NAMES.get(before.rstrip().lower()) if colon else None
        lines = [after]
    if name is not None:
        yield name, _collapsed(lines)


def _collapsed(lines: list[bytes]) -> bytes:
    return b" ".join(b"".join(lines).split())


def _hash(octets: bytes) -> bytes:
    return blake2b(octets, digest_size=16).digest() if octets else b""
