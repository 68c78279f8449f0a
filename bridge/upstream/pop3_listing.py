"""What a POP3 server lists: complete, or an error (S6), with a name for every message.

The names are its UIDLs. Where it has none, a message is called by a hash of its header, and every session reads all
headers: then only messages with the same header cannot be told apart.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from attrs import define, field, frozen

from bridge.maildrop.errors import ListingIncomplete, UpstreamUnavailable, UpstreamUnsuitable
from bridge.maildrop.fingerprint import fingerprint
from bridge.maildrop.naming import distinct
from bridge.maildrop.source import Flow
from bridge.names import MessageNumber
from bridge.pop3.answers import read_count, read_rows, read_size
from bridge.pop3.commands import List, Stat, Top, Uidl
from bridge.upstream.pop3_connection import Answer, Pop3Connection
from bridge.upstream.together import together

LONGEST_HEADER = 256 * 1024
"""Octets of a header that are looked at; what follows counts for nothing."""


@frozen
class Roll:
    """Row by row, in the server's order; the names are distinct."""

    numbers: Sequence[int]
    sizes: list[int]
    names: list[str]


async def call_roll(connection: Pop3Connection) -> Roll:
    stat, listed, named = await together(connection.ask(Stat()), connection.ask(List()), connection.ask(Uidl()))
    for answer in (stat, listed):
        if not answer.status.ok:
            raise UpstreamUnavailable("upstream does not list its messages now", detail=answer.status.text)
    count = read_count(stat.status)
    numbers, octets = read_rows(listed.lines)
    sizes = [size for size in map(read_size, octets) if size is not None]
    if not len(set(numbers)) == len(sizes) == len(octets) == count:
        raise ListingIncomplete(f"upstream lists {len(sizes)} of {count} messages; try again later")
    return Roll(numbers, sizes, distinct(await _names(connection, named, numbers, sizes)))


async def _names(connection: Pop3Connection, named: Answer, numbers: Sequence[int], sizes: Sequence[int]) -> list[str]:
    if named.status.ok:
        which, uidls = read_rows(named.lines)
        return _all_of([uidl.decode("latin-1") for uidl in uidls], which, numbers)
    if "UIDL" in connection.client.capabilities or named.status.code:
        raise UpstreamUnavailable("upstream does not say its UIDLs now", detail=named.status.text)
    headers = await headers_of(connection, dict(zip(numbers, sizes, strict=True)))
    if numbers and not headers:
        raise UpstreamUnsuitable("upstream knows neither UIDL nor TOP: its messages have no lasting names")
    return _all_of([_name(header) for header in headers.values()], list(headers), numbers)


def _all_of(names: list[str], which: Sequence[int], numbers: Sequence[int]) -> list[str]:
    """In the order of the numbers."""
    if which == numbers:
        return names
    known = dict(zip(which, names, strict=True))
    if known.keys() != set(numbers):
        both = len(known.keys() & set(numbers))
        raise ListingIncomplete(f"upstream names {both} of {len(numbers)} messages; try again later")
    return [known[number] for number in numbers]


def _name(header: bytes) -> str:
    """By the fields that no server rewrites; where a message has none of them, by all that there is."""
    known = fingerprint(header)
    return (known.header or blake2b(header, digest_size=16).digest()).hex()


async def headers_of(connection: Pop3Connection, sizes: Mapping[int, int]) -> dict[int, bytes]:
    """Of these messages with their sizes; those that the server does not give are missing."""
    headers = {number: _Header() for number in sizes}
    asked = [connection.ask(Top(MessageNumber(number), 0), body=header) for number, header in headers.items()]
    answers = await together(*asked)
    given = [number for number, answer in zip(headers, answers, strict=True) if answer.status.ok]
    if any(sizes[number] and not headers[number].octets for number in given):
        # See `Pop3Source`: answers behind this one may be the mail's own.
        connection.abandon()
        raise UpstreamUnavailable("upstream ended an answer before it began")
    return {number: bytes(headers[number].octets) for number in given}


@define
class _Header:
    octets: bytearray = field(factory=bytearray)

    def begin(self, flow: Flow) -> None:
        """It is small, and as fast as it comes."""

    def write(self, octets: bytes) -> None:
        self.octets += octets[: LONGEST_HEADER - len(self.octets)]
