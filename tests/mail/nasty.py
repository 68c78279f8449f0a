"""300 messages, each with one thing that has broken a mail program: the same ones for the same seed.

They are what an IMAP server might hold or be given, line ends and all; a server may mend or refuse some of them.
"""

import base64
import random
from collections.abc import Callable

from attrs import frozen

COUNT = 300
BORDERS = (4096, 8192, 16384, 65536)
"""Sizes of buffers, where a CR, LF or dot falls into the next read."""
_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 "


@frozen
class NastyMail:
    name: str
    octets: bytes


def nasty_mail(seed: int = 1) -> list[NastyMail]:
    """Exactly 300 messages with different names, the fixed shapes first, then random mixtures of their parts."""
    rng = random.Random(seed)
    mails = [NastyMail(name, octets) for name, octets in _shapes(rng).items()]
    mixtures = [NastyMail(f"mixture-{number}", _mixture(rng, number)) for number in range(COUNT - len(mails))]
    return mails + mixtures


def _shapes(rng: random.Random) -> dict[str, bytes]:
    return {
        **_dots(),
        **_line_ends(),
        **_octets(),
        **_long_lines(rng),
        **_headers(),
        **_looks_like_protocol(),
        **_at_borders(),
        **_mime(rng),
    }


def _message(name: str, body: bytes, header: bytes = b"") -> bytes:
    start = b"From: a@example.org\r\nSubject: %s\r\nMessage-ID: <%s@nasty.example>\r\n"
    return start % (name.encode(), name.encode()) + header + b"\r\n" + body


def _bodies(bodies: dict[str, bytes]) -> dict[str, bytes]:
    return {name: _message(name, body) for name, body in bodies.items()}


def _dots() -> dict[str, bytes]:
    return {
        "dot-is-first-octet": b".Subject: the dot is the first octet of all\r\n\r\nbody\r\n",
        "dot-alone": b".",
        "dot-and-crlf-alone": b".\r\n",
        "two-dots-alone": b"..\r\n",
    } | _bodies(
        {
            "dot-lone": b"before\r\n.\r\nafter\r\n",
            "dots-two": b"before\r\n..\r\nafter\r\n",
            "dots-many": b"\r\n".join(b"." * count for count in range(1, 40)) + b"\r\n",
            "dot-is-first-of-body": b".\r\nafter\r\n",
            "dot-is-whole-body": b".\r\n",
            "dot-is-whole-body-without-end": b".",
            "dot-last-line-without-end": b"before\r\n.",
            "dot-last-line": b"before\r\n.\r\n",
            "dot-after-bare-lf": b"before\n.\nafter\n",
            "dot-after-bare-lf-then-crlf": b"before\n.\r\nafter\r\n",
            "dot-after-crlf-then-lf": b"before\r\n.\nafter\r\n",
            "dot-after-bare-cr": b"before\r.\rafter\r\n",
            "dot-after-crcrlf": b"before\r\r\n.\r\r\nafter\r\n",
            "dot-then-blank": b"before\r\n. \r\nafter\r\n",
            "dot-then-nul": b"before\r\n.\0\r\nafter\r\n",
            "dot-then-reply": b"before\r\n.\r\n+OK 1 octets\r\nforged\r\n.\r\nafter\r\n",
            "dot-then-reply-by-lf": b"before\n.\n-ERR forged\n+OK forged\n.\nafter\n",
            "dot-words": b".profile\r\n.\tx\r\n.\xc3\xa4\r\n",
        }
    )


def _line_ends() -> dict[str, bytes]:
    return {
        "lf-everywhere": b"Subject: lf\nFrom: a@example.org\n\nbody\n.dot\n\nend\n",
        "lf-in-header-only": b"Subject: lf in the header\nFrom: a@example.org\n\r\nbody\r\n",
        "cr-everywhere": b"Subject: cr\rFrom: a@example.org\r\rbody\r",
        "crcrlf-everywhere": b"Subject: crcrlf\r\r\nFrom: a@example.org\r\r\n\r\r\nbody\r\r\n",
        "empty-line-alone": b"\r\n",
        "two-empty-lines-alone": b"\r\n\r\n",
        "lf-alone": b"\n",
        "cr-alone": b"\r",
        "octet-alone": b"x",
    } | _bodies(
        {
            "no-final-line-end": b"line\r\nlast line without end",
            "final-cr": b"line\r\nlast line with cr\r",
            "final-lf": b"line\r\nlast line with lf\n",
            "final-crcr": b"line\r\nlast\r\r",
            "final-lfcr": b"line\r\nlast\n\r",
            "final-crcrlf": b"line\r\nlast\r\r\n",
            "many-final-lines": b"line" + b"\r\n" * 50,
            "lone-cr": b"one\rtwo\rthree\r\nfour\r\n",
            "lone-lf": b"one\ntwo\nthree\r\nfour\r\n",
            "cr-run": b"one\r\r\r\r\r\ntwo\r\n",
            "lf-run": b"one\n\n\n\n\r\ntwo\r\n",
            "lfcr": b"one\n\rtwo\n\rthree\n\r",
            "only-cr": b"\r",
            "only-lf": b"\n",
            "only-crlf": b"\r\n",
            "vertical-tab-and-form-feed": b"one\x0btwo\x0cthree\x85four\x1cfive\r\n",
            "unicode-line-separators": "one\u2028two\u2029three\u0085four\r\n".encode(),
        }
    )


def _octets() -> dict[str, bytes]:
    every = bytes(range(256))
    return _bodies(
        {
            "nul": b"before\0after\r\n",
            "nul-first": b"\0\r\n",
            "nul-only": b"\0" * 100 + b"\r\n",
            "nul-lines": b"\0\r\n" * 20,
            "every-octet": every + b"\r\n",
            "every-octet-but-nul": every[1:] + b"\r\n",
            "every-octet-but-nul-cr-lf": bytes(octet for octet in every if octet not in b"\0\r\n") + b"\r\n",
            "high-octets": bytes(range(128, 256)) * 4 + b"\r\n",
            "utf-8": "Grüße, 日本語, \U0001f4ec\r\n".encode(),
            "utf-8-cut": "Grüße".encode()[:3] + b"\r\n",
            "utf-16": "\ufeffmail\r\n".encode("utf-16"),
            "latin-1": "Grüße\r\n".encode("latin-1"),
            "bom": b"\xef\xbb\xbfbody\r\n",
            "telnet-iac": b"\xff\xfb\x01\xff\xff\r\n",
            "escape-sequences": b"\x1b[2J\x1b]0;title\x07\r\n",
            "delete-and-backspace": b"a\x7fb\x08c\r\n",
            "ctrl-z": b"before\x1aafter\r\n",
        }
    )


def _long_lines(rng: random.Random) -> dict[str, bytes]:
    lengths = (
        76,
        78,
        254,
        255,
        510,
        512,
        997,
        998,
        999,
        1000,
        1022,
        1024,
        2045,
        2046,
        2047,
        2048,
        4095,
        65_535,
        65_536,
    )
    bodies = {f"line-of-{length}": _words(rng, length) + b"\r\n" for length in lengths}
    bodies["line-of-200000"] = _words(rng, 200_000) + b"\r\n"
    bodies["line-of-70000-without-end"] = _words(rng, 70_000)
    bodies["line-of-70000-dots"] = b"." * 70_000 + b"\r\n"
    bodies["lines-10000-empty"] = b"\r\n" * 10_000
    bodies["lines-10000-of-a-dot"] = b".\r\n" * 10_000
    bodies["lines-10000-of-lf"] = b"\n" * 10_000
    return _bodies(bodies)


def _headers() -> dict[str, bytes]:
    plain = b"From: a@example.org\r\nSubject: header\r\n"
    return {
        "header-only": plain,
        "header-only-without-end": plain.removesuffix(b"\r\n"),
        "header-only-lf": plain.replace(b"\r\n", b"\n"),
        "header-and-empty-line": plain + b"\r\n",
        "header-one-word": b"Subject",
        "header-one-line": b"Subject: x\r\n",
        "header-empty-subject": b"Subject:\r\n\r\nbody\r\n",
        "header-none": b"\r\nall of this is body\r\n.\r\n",
        "header-8-bit": b"From: J\xf6rg <a@example.org>\r\nSubject: Gr\xfc\xdfe\r\n\r\nbody\r\n",
        "header-utf-8": "From: Jörg <a@example.org>\r\nSubject: Grüße 日本\r\n\r\nbody\r\n".encode(),
        "header-eai": "From: 用户@例子.测试\r\nTo: jörg@müller.example\r\nSubject: ✉\r\n\r\nbody\r\n".encode(),
        "header-nul": b"From: a@example.org\r\nSubject: a\0b\r\n\r\nbody\r\n",
        "header-bare-cr": b"From: a@example.org\r\nSubject: a\rX-Forged: yes\r\n\r\nbody\r\n",
        "header-bare-lf": b"From: a@example.org\r\nSubject: a\nX-Other: yes\r\n\r\nbody\r\n",
        "header-line-of-100000": plain + b"X-Long: " + b"x" * 100_000 + b"\r\n\r\nbody\r\n",
        "header-fields-3000": plain
        + b"Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\r\n" * 3000
        + b"\r\nbody\r\n",
        "header-folded-500": plain + b"X-Folded: a" + b"\r\n b" * 500 + b"\r\n\r\nbody\r\n",
        "header-folded-blank": plain + b"X-Folded: a\r\n \r\n\t\r\n b\r\n\r\nbody\r\n",
        "header-blank-line-of-spaces": plain + b"   \r\nX-After: x\r\n\r\nbody\r\n",
        "header-junk-line": plain + b"this line has no colon\r\nTo: b@example.org\r\n\r\nbody\r\n",
        "header-starts-with-blank": b" folded from nothing\r\n" + plain + b"\r\nbody\r\n",
        "header-dot-lines": plain + b".X-Dot: x\r\n.\r\n..: y\r\n\r\nbody\r\n",
        "header-lone-dot": plain + b".\r\nTo: b@example.org\r\n\r\nbody\r\n",
        "header-from-line": b"From a@example.org Thu Jan  1 00:00:00 2026\r\n" + plain + b"\r\nbody\r\n",
        "header-quoted-from-line": b">From a@example.org Thu Jan  1 00:00:00 2026\r\n" + plain + b"\r\nbody\r\n",
        "header-no-message-id": plain + b"\r\nbody\r\n",
        "header-message-id-twice": plain + b"Message-ID: <1@a>\r\nMessage-ID: <2@a>\r\n\r\nbody\r\n",
        "header-date-absurd": plain + b"Date: Fri, 31 Feb 9999 99:99:99 +9999\r\n\r\nbody\r\n",
        "header-colons": plain + b":\r\n: x\r\n::\r\n\r\nbody\r\n",
    }


def _looks_like_protocol() -> dict[str, bytes]:
    return _bodies(
        {
            "like-literal": b"{12}\r\nSubject: {5}\r\n{12+}\r\n~{12}\r\n",
            "like-literal-at-end": b"text {1000000}\r\n",
            "like-literal-last": b"{9223372036854775807}",
            "like-fetch": b"* 1 FETCH (UID 1 BODY[] {5}\r\nhello)\r\n",
            "like-fetch-end": b")\r\n* 2 FETCH (UID 999 RFC822.SIZE 1)\r\n",
            "like-tagged": b"A1 OK FETCH completed\r\na002 NO\r\n1 BAD\r\n0001 OK done\r\n",
            "like-bye": b"* BYE logging out\r\n* OK [UIDVALIDITY 1]\r\n* 0 EXISTS\r\n* 1 EXPUNGE\r\n",
            "like-continuation": b"+ go on\r\n+ \r\n+\r\n",
            "like-pop3-ok": b"+OK 120 octets\r\n.\r\n+OK\r\n",
            "like-pop3-err": b"-ERR no such message\r\n.\r\n",
            "like-pop3-commands": b"QUIT\r\nDELE 1\r\nRSET\r\n.\r\nQUIT\r\n",
            "like-quoted": b'"\\"\\\\" NIL () (((((((((( "unbalanced\r\n',
            "like-smtp": b"\r\n.\r\nMAIL FROM:<a@example.org>\r\nDATA\r\n.\r\nQUIT\r\n",
            "like-mbox": b"From a@example.org Thu Jan  1 00:00:00 2026\r\n>From b\r\n>>From c\r\nFrom \r\n",
            "like-tls-hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
        }
    )


def _at_borders() -> dict[str, bytes]:
    """The line end and the dot after it, moved by single octets over each border of the whole message."""
    shapes = {}
    for border in BORDERS:
        for shift in range(-3, 3):
            for kind, mark in (("crlf", b"\r\n.\r\n"), ("lf", b"\n.\n")):
                name = f"border-{border}{shift:+}-{kind}"
                head = _message(name, b"")
                filler = b"x" * (border + shift - len(head))
                shapes[name] = head + filler + mark + b"after\r\n"
        name = f"border-{border}-ends-there"
        head = _message(name, b"")
        shapes[name] = head + b"x" * (border - len(head) - 2) + b"\r\n"
        name = f"border-{border}-ends-there-without-line-end"
        head = _message(name, b"")
        shapes[name] = head + b"x" * (border - len(head))
    return shapes


def _mime(rng: random.Random) -> dict[str, bytes]:
    nested = b"innermost\r\n"
    for depth in range(60):
        boundary = b"b%d" % depth
        nested = b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n%s--%s--\r\n" % (
            boundary,
            boundary,
            nested,
            boundary,
        )
    megabyte = base64.encodebytes(rng.randbytes(760_000)).replace(b"\n", b"\r\n")
    attachment = b"MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
    inside = b"Content-Type: message/rfc822\r\n"
    parts = b"Content-Type: multipart/mixed; boundary=b\r\n"
    return {
        "mime-nested-60": b"MIME-Version: 1.0\r\n" + nested,
        "mime-base64-1-megabyte": _message("mime-base64-1-megabyte", megabyte, attachment),
        "mime-message-in-message": _message("mime-message-in-message", _message("inside", b".\r\n"), inside),
        "mime-not-closed": _message("mime-not-closed", b"--b\r\n\r\npart\r\n", parts),
        "mime-boundary-is-dot": _message(
            "mime-boundary-is-dot", b"--.\r\n\r\n.\r\n--.--\r\n", parts.replace(b"=b", b'="."')
        ),
        "mime-binary": _message("mime-binary", rng.randbytes(20_000), b"Content-Transfer-Encoding: binary\r\n"),
        "mime-3000-parts": _message("mime-3000-parts", b"--b\r\n\r\n\r\n" * 3000 + b"--b--\r\n", parts),
    }


_PIECES: tuple[Callable[[random.Random], bytes], ...] = (
    lambda rng: _words(rng, rng.randrange(1, 80)),
    lambda rng: _words(rng, rng.choice((998, 999, 2046, 2047, 4096))),
    lambda rng: b"." * rng.randrange(1, 4),
    lambda rng: bytes(rng.choices(range(128, 256), k=rng.randrange(1, 30))),
    lambda rng: rng.choice((b"\0", b"\r", b"\t", b" ", b"")),
    lambda rng: rng.choice((b"+OK", b"-ERR", b"* BYE", b"{3}", b"{12+}", b"A1 OK done", b"QUIT", b")")),
)
_ENDS = (b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n.\r\n", b"\n.\n")


def _mixture(rng: random.Random, number: int) -> bytes:
    lines = (rng.choice(_PIECES)(rng) + rng.choice(_ENDS) for _ in range(rng.randrange(1, 200)))
    body = b"".join(lines) + (b"" if rng.random() < 0.5 else rng.choice(_PIECES)(rng))
    return _message(f"mixture-{number}", body)


def _words(rng: random.Random, length: int) -> bytes:
    return b"w" + bytes(rng.choices(_LETTERS, k=length - 1)) if length else b""
