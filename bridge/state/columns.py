"""Columns of numbers as compressed octets and back: the same numbers, or an error; never fewer of them.

Little-endian whatever the machine, so that a file may move. zlib's checksum finds a damaged octet.
"""

import sys
import zlib
from array import array
from collections.abc import Iterable

from bridge.maildrop.listing import Listing
from bridge.names import UidValidity
from bridge.state.faults import damaged

_FAST = 1
"""zlib's level: more costs a login more than the disk gains."""

U64 = 2**64


def pack(columns: "Iterable[array[int] | bytearray]") -> bytes:
    return zlib.compress(b"".join(_octets(column) for column in columns), _FAST)


def pack_listing(listing: Listing) -> bytes:
    """Names, where there are any, follow the columns, each ended by LF, which none holds."""
    columns = (listing.uids, listing.sizes, listing.dates, listing.hidden)
    names = bytearray("".join(f"{name}\n" for name in listing.names), "utf-8")
    return pack((*columns, names))


def unpack_listing(packed: bytes, messages: int, uidvalidity: int) -> Listing:
    """The rows alone; what the server said of the whole mailbox stands elsewhere."""
    sizes_at, dates_at, hidden_at, names_at = messages * 4, messages * 12, messages * 20, messages * 21
    octets = _unpacked(packed, names_at, named=True)
    names = bytes(octets[names_at:]).decode("utf-8", "replace").split("\n")[:-1]
    if len(octets) > names_at and len(names) != messages:
        raise damaged(f"{len(names)} names where {messages} belong")
    return Listing(
        UidValidity(uidvalidity),
        uids=_column("I", octets[:sizes_at]),
        sizes=_column("Q", octets[sizes_at:dates_at]),
        dates=_column("q", octets[dates_at:hidden_at]),
        hidden=bytearray(octets[hidden_at:names_at]),
        names=names,
    )


def unpack_uids(packed: bytes, messages: int) -> "array[int]":
    return _column("I", _unpacked(packed, messages * 4))


def signed(number: int) -> int:
    """SQLite has 64 bits with a sign; a server may say any unsigned number of 64 bits."""
    return number - U64 if number >= U64 // 2 else number


def unsigned(number: int) -> int:
    return number % U64


def _unpacked(packed: bytes, length: int, *, named: bool = False) -> memoryview:
    try:
        octets = zlib.decompress(packed)
    except zlib.error as error:
        raise damaged(str(error)) from error
    if len(octets) != length and not (named and len(octets) > length):
        raise damaged(f"{len(octets)} octets where {length} belong")
    return memoryview(octets)


def _octets(column: "array[int] | bytearray") -> bytes:
    if sys.byteorder == "big" and isinstance(column, array):
        column = column[:]
        column.byteswap()
    return bytes(column)


def _column(kind: str, octets: memoryview) -> "array[int]":
    column = array(kind, bytes(octets))
    if sys.byteorder == "big":
        column.byteswap()
    return column
