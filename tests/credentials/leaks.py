"""Searches files and logs for secrets that should be in none of them, in every dress that a secret is likely to wear.

    assert_nothing_leaked({"device password": "wonder-4711"}, files=tmp_path, texts=[bridge.log()])

A secret is looked for as it is, backwards, in hex, percent-encoded, as UTF-16, quoted, and in base64 of both alphabets
at every place inside of something longer: SASL's initial responses are base64 of name and password together. Long ones
are looked for by their halves too, since a file may keep them in pages.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote_from_bytes

SHORTEST = 8
"""Octets: what is shorter occurs by chance."""

_HALVED_FROM = 32


def assert_nothing_leaked(
    secrets: Mapping[str, str | bytes], *, files: Path | None = None, texts: Iterable[str | bytes] = ()
) -> None:
    """`secrets` by what they are called in the failure, which repeats none. All files below `files` are read."""
    leaks = sorted(set(find_leaks(secrets, files=files, texts=texts)))
    assert not leaks, "\n".join(leaks)


def find_leaks(
    secrets: Mapping[str, str | bytes], *, files: Path | None = None, texts: Iterable[str | bytes] = ()
) -> Iterator[str]:
    places = {f"text {number}": _octets(text) for number, text in enumerate(texts, 1)}
    if files is not None:
        found = {str(file.relative_to(files)): file.read_bytes() for file in files.rglob("*") if file.is_file()}
        assert found, f"there is no file below {files} to be searched"
        places |= found
    for what, secret in secrets.items():
        for dress, octets in dresses(_octets(secret)):
            yield from (f"{what} {dress} is in {place}" for place, text in places.items() if octets in text)


def dresses(secret: bytes) -> Iterator[tuple[str, bytes]]:
    if len(secret) < SHORTEST:
        raise ValueError(f"a secret to be looked for has {SHORTEST} octets at least")
    yield from _dresses(secret)
    if len(secret) >= _HALVED_FROM:
        middle = len(secret) // 2
        for half in (secret[:middle], secret[middle:]):
            yield from ((f"{dress}, half of it,", octets) for dress, octets in _dresses(half))


def _dresses(secret: bytes) -> Iterator[tuple[str, bytes]]:
    yield "as it is", secret
    yield "backwards", secret[::-1]
    yield "in hex", secret.hex().encode()
    yield "in hex", secret.hex().upper().encode()
    yield "percent-encoded", quote_from_bytes(secret, safe="").encode()
    yield "quoted", secret.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    yield "in JSON", json.dumps(secret.decode("latin-1"))[1:-1].encode()
    yield "in a repr", repr(secret)[2:-1].encode()
    yield "as UTF-16", secret.decode("latin-1").encode("utf-16-le")
    for before in range(3):
        inside = _base64_inside(secret, before)
        yield "in base64", inside
        yield "in base64url", inside.translate(bytes.maketrans(b"+/", b"-_"))


def _base64_inside(secret: bytes, before: int) -> bytes:
    """The characters that stand for the secret alone, whatever stands beside it: `before` octets, modulo three."""
    whole = base64.b64encode(bytes(before) + secret + bytes(3))
    first = (before * 8 + 5) // 6
    last = (before + len(secret)) * 8 // 6
    return whole[first:last]


def _octets(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
