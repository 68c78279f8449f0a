"""The mail that is measured: made from a seed, so that every run and every machine has the same.

Text lines begin with a dot about as often as in real mail (every tenth small message has one), attachments are base64.
"""

import base64
import math
import random
import zlib
from collections.abc import Callable, Iterator, Sequence

from attrs import frozen

_SEED = 1939
_LINE = 76
_BLOCK = 1 << 20
_DOTTED = 500  # one line in so many begins with a dot
_WORDS = (
    b"the mail of old stays where it is and every program that asked for it once will ask again in its own words "
    b"about sizes numbers dates or nothing at all while somebody else reads the same message on another machine"
).split()


@frozen
class Piece:
    """What a reply must hold between its status line and its terminator, as it is on the wire."""

    octets: int
    crc: int


@frozen
class Mail:
    """The content of one mailbox."""

    name: str
    title: str
    make: Callable[[], Iterator[bytes]]
    """Its messages in their order; with CRLF throughout and at the end."""


@frozen
class Expected:
    """The right answers to RETR, TOP n 0 and TOP n 20, message by message."""

    retr: tuple[Piece, ...]
    headers: tuple[Piece, ...]
    tops: tuple[Piece, ...]


TOP_LINES = 20


def expected(messages: Sequence[bytes]) -> Expected:
    return Expected(
        retr=tuple(_piece(message) for message in messages),
        headers=tuple(_piece(top(message, 0)) for message in messages),
        tops=tuple(_piece(top(message, TOP_LINES)) for message in messages),
    )


def top(message: bytes, lines: int) -> bytes:
    """The header, the empty line, and so many lines of the text."""
    end = message.index(b"\r\n\r\n") + 4
    for _ in range(lines):
        if end == len(message):
            break
        end = message.index(b"\r\n", end) + 2
    return message[:end]


def _piece(octets: bytes) -> Piece:
    on_the_wire = (b"\r\n" + octets).replace(b"\r\n.", b"\r\n..")[2:]
    return Piece(len(on_the_wire), zlib.crc32(on_the_wire))


def _uniform(count: int, octets: int) -> Callable[[], Iterator[bytes]]:
    def make() -> Iterator[bytes]:
        chance = random.Random(_SEED)
        text = _text(chance)
        for number in range(count):
            yield _plain(chance, text, number, octets)

    return make


def _mixed(count: int, median: int, mean: int) -> Callable[[], Iterator[bytes]]:
    """Sizes are log-normal, as those of real mail roughly are; the larger ones have an attachment."""

    def make() -> Iterator[bytes]:
        chance = random.Random(_SEED)
        text, encoded = _text(chance), _encoded(chance)
        sigma = math.sqrt(2 * math.log(mean / median))
        for number in range(count):
            octets = round(chance.lognormvariate(math.log(median), sigma))
            if octets < 12_000:
                yield _plain(chance, text, number, max(octets, 800))
            else:
                yield _attached(chance, text, encoded, number, octets)

    return make


def _huge(count: int, octets: int) -> Callable[[], Iterator[bytes]]:
    def make() -> Iterator[bytes]:
        chance = random.Random(_SEED)
        text, encoded = _text(chance), _encoded(chance)
        for number in range(count):
            yield _attached(chance, text, encoded, number, octets)

    return make


def _walked() -> Iterator[bytes]:
    yield from _uniform(2, 4096)()
    yield from _huge(4, 25_000_000)()


def _text(chance: random.Random) -> bytes:
    lines = []
    octets = 0
    while octets < _BLOCK:
        line = b"." if chance.randrange(_DOTTED) == 0 else b""
        length = chance.randrange(20, _LINE)
        while len(line) < length:
            line += chance.choice(_WORDS) + b" "
        lines.append(line[:-1] + b"\r\n")
        octets += len(lines[-1])
    return b"".join(lines)


def _encoded(chance: random.Random) -> bytes:
    raw = base64.b64encode(chance.randbytes(_BLOCK // 4 * 3))
    return b"".join(raw[start : start + _LINE] + b"\r\n" for start in range(0, len(raw), _LINE))


def _slice(chance: random.Random, block: bytes, octets: int) -> bytes:
    """Whole lines of the block, about so many octets, again from its start where it ends."""
    start = block.index(b"\n", chance.randrange(len(block) - 2 * _LINE)) + 1
    octets = max(octets, 2 * _LINE)
    if start + octets > len(block):
        block = block[start:] + block * (octets // len(block) + 1)
        start = 0
    return block[start : block.rindex(b"\n", start, start + octets) + 1]


def _header(chance: random.Random, number: int, kind: bytes) -> bytes:
    key = b"%016x" % chance.getrandbits(64)
    return (
        b"Return-Path: <ann@example.org>\r\n"
        b"Received: from mx.example.org (mx.example.org [192.0.2.25])\r\n"
        b"\tby imap.example.org (Postfix) with ESMTPS id %b\r\n"
        b"\tfor <bob@example.org>; Mon, 3 Mar 2025 10:%02d:%02d +0000\r\n"
        b"From: Ann Example <ann@example.org>\r\n"
        b"To: Bob Example <bob@example.org>\r\n"
        b"Subject: message %d of many\r\n"
        b"Date: Mon, 3 Mar 2025 10:%02d:%02d +0000\r\n"
        b"Message-ID: <%b@example.org>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: %b\r\n"
        b"\r\n"
    ) % (key, number // 60 % 60, number % 60, number, number // 60 % 60, number % 60, key, kind)


def _plain(chance: random.Random, text: bytes, number: int, octets: int) -> bytes:
    header = _header(chance, number, b"text/plain; charset=us-ascii")
    return header + _slice(chance, text, octets - len(header))


def _attached(chance: random.Random, text: bytes, encoded: bytes, number: int, octets: int) -> bytes:
    edge = b"=_%016x" % chance.getrandbits(64)
    words = _slice(chance, text, 2000)
    return b"".join(
        [
            _header(chance, number, b'multipart/mixed; boundary="%b"' % edge),
            b"--%b\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n%b\r\n" % (edge, words),
            b"--%b\r\nContent-Type: application/octet-stream\r\n" % edge,
            b"Content-Transfer-Encoding: base64\r\n\r\n",
            _slice(chance, encoded, octets - 3000),
            b"--%b--\r\n" % edge,
        ]
    )


EMPTY = Mail("empty", "none", lambda: iter(()))
SMALL = Mail("small", "1,000 × 4 KB", _uniform(1000, 4096))
MIXED = Mail("mixed", "10,000 mixed, 9 KB in the middle, 27 KB on average", _mixed(10_000, 9000, 27_000))
BIG = Mail("big", "100,000 × 3 KB", _uniform(100_000, 3000))
HUGE = Mail("huge", "20 × 25 MB", _huge(20, 25_000_000))
POLLED = Mail("poll", "100 × 2 KB", _uniform(100, 2048))
WALKED = Mail("walked", "2 × 4 KB, then 4 × 25 MB", _walked)
