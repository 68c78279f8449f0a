"""UIDLs are legal, distinct and written as the old servers wrote them."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.maildrop.uidl import LONGEST, NAMED, NEED_STORE, parse_format
from bridge.names import UidValidity

UINT32 = st.integers(1, 2**32 - 1)
OURS = set(string.ascii_letters + string.digits + ".-_")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("bridge", "5f5e1001-0000002a"),
        ("dovecot", "0000002a5f5e1001"),
        ("dovecot-old", "1600000001.42"),
        ("cyrus", "1600000001.42"),
        ("uw", "5f5e10010000002a"),
        ("courier", "UID42-1600000001"),
        ("james", "1600000001-42"),
    ],
)
def test_each_format_is_written_as_that_server_wrote_it(name: str, written: str) -> None:
    assert parse_format(name).uidl(UidValidity(1600000001), 42) == written


@given(UINT32, UINT32, st.sampled_from(sorted(NAMED)))
def test_a_uidl_is_short_and_legal(uidvalidity: int, uid: int, name: str) -> None:
    uidl = parse_format(name).uidl(UidValidity(uidvalidity), uid)

    assert 1 <= len(uidl) <= 40
    assert set(uidl) <= OURS


TEMPLATES = [
    *sorted(NAMED),
    "{uidvalidity:08x}{uid}",
    "{uid}_{uidvalidity}.",
    "x{uid:010d}{uidvalidity}",
    "%{uid}%s{uidvalidity}",
]


@given(st.tuples(UINT32, UINT32), st.tuples(UINT32, UINT32), st.sampled_from(TEMPLATES))
def test_two_messages_never_share_a_uidl(one: tuple[int, int], other: tuple[int, int], name: str) -> None:
    form = parse_format(name)
    same = form.uidl(UidValidity(one[0]), one[1]) == form.uidl(UidValidity(other[0]), other[1])

    assert same == (one == other)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dovcot", "there are bridge"),
        ("{uid}", "{uidvalidity} and {uid}, each once"),
        ("{uid}{uid}{uidvalidity}", "each once"),
        ("{uidvalidity}{uid}", "run together"),
        ("{uidvalidity}a{uid:x}", "run together"),
        ("{uidvalidity}-{uid:>9}", "not a number's format"),
        ("{uidvalidity} {uid}", "without blanks"),
        ("{uidvalidity}-{uid", "cannot be read"),
        ("{uidvalidity!r}-{uid}", "each once"),
        ("{uidvalidity.real}-{uid}", "each once"),
        ("{0}-{uid}", "each once"),
        ("é{uidvalidity}-{uid}", "without blanks"),
        ("x" * 60 + "{uidvalidity}-{uid}", f"{LONGEST} are allowed"),
        *((name, "needs a durable store") for name in NEED_STORE),
    ],
)
def test_a_bad_format_says_what_to_write_instead(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="UIDL") as caught:
        parse_format(text)
    assert said in str(caught.value)
