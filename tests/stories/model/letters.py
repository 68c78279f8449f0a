"""The mail of the model test: no two letters are alike, but sizes and dates often are, as in real mailboxes."""

from attrs import field, frozen

SIZES = (400, 700)
DATES = ("07-Mar-2024 10:01:00 +0000", "07-Mar-2024 10:02:00 +0000", "08-Mar-2024 10:01:00 +0000")


@frozen
class Letter:
    """`key` stands in its Message-ID (its Subject, where it has none) and in its text."""

    key: str
    octets: bytes = field(repr=False)
    date: str = field(repr=False)
    """INTERNALDATE."""


def letter(key: str, *, size: int, date: int, with_id: bool) -> Letter:
    """`size` and `date` choose among SIZES and DATES."""
    named = f"Subject: a letter\r\nMessage-ID: <{key}@model.example>" if with_id else f"Subject: letter {key}"
    header = f"From: somebody@model.example\r\nDate: Thu, 07 Mar 2024 10:00:00 +0000\r\n{named}\r\n\r\n"
    text = f"This is {key}.\r\n.A line with a dot.\r\n"
    length = SIZES[size]
    padding = "x" * (length - len(header) - len(text) - 2) + "\r\n"
    octets = (header + text + padding).encode()
    assert len(octets) == length
    return Letter(key, octets, DATES[date])
