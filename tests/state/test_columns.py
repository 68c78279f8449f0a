"""Columns come back as they were, or with an error: a damaged one is never a shorter listing."""

import sys
import zlib
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.maildrop.errors import StateUnavailable
from bridge.maildrop.listing import Listing
from bridge.names import UidValidity
from bridge.state.columns import pack, pack_listing, signed, unpack_listing, unpack_uids, unsigned

ROWS = st.lists(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.integers(-(2**63), 2**63 - 1), st.booleans())
)


def made(rows: list[tuple[int, int, int, bool]]) -> Listing:
    listing = Listing(UidValidity(7))
    listing.add([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows], bytes(r[3] for r in rows))
    return listing


@given(ROWS)
def test_a_listing_comes_back_as_it_was(rows: list[tuple[int, int, int, bool]]) -> None:
    listing = made(rows)
    assert unpack_listing(pack_listing(listing), len(listing), 7) == listing
    assert unpack_uids(pack([listing.uids]), len(listing)) == listing.uids


@given(st.lists(st.text(st.characters(max_codepoint=255, exclude_characters="\n"), min_size=1)))
def test_so_do_the_names_of_a_server_without_uids(names: list[str]) -> None:
    listing = made([(uid, 1, 1, False) for uid in range(1, len(names) + 1)])
    listing.names = names
    assert unpack_listing(pack_listing(listing), len(listing), 7) == listing
    if len(names) > 1:
        listing.names = names[1:]
        with pytest.raises(StateUnavailable, match="names"):
            unpack_listing(pack_listing(listing), len(listing), 7)


@given(st.data())
@settings(max_examples=50)
def test_a_damaged_octet_is_found(data: st.DataObject) -> None:
    packed = bytearray(pack_listing(made([(uid, 100 * uid, uid, uid % 3 == 0) for uid in range(1, 400)])))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    # zlib's header has bits that mean nothing for the octets; then they are what they were.
    try:
        found = unpack_listing(bytes(packed), 399, 7)
    except StateUnavailable:
        return
    assert found == made([(uid, 100 * uid, uid, uid % 3 == 0) for uid in range(1, 400)])


def test_so_is_a_cut_and_a_column_of_another_length() -> None:
    packed = pack_listing(made([(1, 1, 1, False), (2, 2, 2, True)]))
    shorter = pack_listing(made([(1, 1, 1, False)]))
    for octets in (packed[:-1], packed[:10], b"", b"\0" * 20, shorter, zlib.compress(b"")):
        with pytest.raises(StateUnavailable, match="damaged"):
            unpack_listing(octets, 2, 7)
    with pytest.raises(StateUnavailable, match="damaged"):
        unpack_uids(pack([array("I", [1, 2, 3])]), 2)


def test_the_file_may_move_to_a_machine_of_the_other_order(monkeypatch: pytest.MonkeyPatch) -> None:
    column = array("I", [1, 2**31])
    here = zlib.decompress(pack([column]))
    monkeypatch.setattr(sys, "byteorder", "big" if sys.byteorder == "little" else "little")
    assert zlib.decompress(pack([column])) != here
    assert unpack_uids(pack([column]), 2) == column
    assert list(column) == [1, 2**31]


@given(st.integers(0, 2**64 - 1))
def test_any_unsigned_number_fits(number: int) -> None:
    assert -(2**63) <= signed(number) < 2**63
    assert unsigned(signed(number)) == number
    assert number >= 2**63 or signed(number) == number
