"""The mailbox that every transcript is played on: five messages, small enough to be written out in a transcript."""

from collections.abc import Sequence

from tests.peers.clients.promises import as_sent

KNOWN: Sequence[bytes] = (
    b"From: ann@example.org\r\nSubject: one\r\n\r\nfirst line\r\nsecond line\r\nthird line\r\n",
    b"From: ann@example.org\r\nSubject: two, dots\r\n\r\n.\r\n..\r\n.end\r\n",
    b"From: ann@example.org\r\nSubject: three\r\n\r\nno line end",
    b"From: ann@example.org\r\nSubject: four, nothing but a header\r\n",
    "From: ann@example.org\r\nSubject: five\r\n\r\nGrüße\r\n\r\n  blanks  \r\n".encode(),
)

LATER = b"From: ann@example.org\r\nSubject: later\r\n\r\ncame during the session\r\n"
"""What `upstream: deliver` delivers."""


def sizes() -> dict[str, str]:
    """{size1}… as IMAP's RFC822.SIZE has them, {sent1}… as RETR sends them, {count} and {total} of the sizes."""
    names = {f"size{number}": str(len(message)) for number, message in enumerate(KNOWN, 1)}
    names |= {f"sent{number}": str(len(as_sent(message))) for number, message in enumerate(KNOWN, 1)}
    return names | {"count": str(len(KNOWN)), "total": str(sum(map(len, KNOWN)))}
