"""UIDLs are legal, distinct and written as the old servers wrote them."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.maildrop.errors import UpstreamUnsuitable
from bridge.maildrop.exceptions import exceptions
from bridge.maildrop.uidl import LONGEST, NAMED, STABLE, hashed, parse_format, tag_of
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
        ("cyrus-uid", "42"),
        ("uw", "5f5e10010000002a"),
        ("courier", "UID42-1600000001"),
        ("courier-old", "UID42"),
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


@given(UINT32, UINT32, st.sampled_from(sorted(NAMED)), st.text(min_size=1))
def test_those_of_further_sources_are_short_and_legal_too(uidvalidity: int, uid: int, name: str, source: str) -> None:
    uidl = parse_format(name).tagged(tag_of(source)).uidl(UidValidity(uidvalidity), uid)

    assert len(uidl) <= 40
    assert set(uidl) <= OURS


NAMES = st.one_of(st.text(max_size=9), st.text("ab1-_.", max_size=9))


@given(st.tuples(UINT32, UINT32, NAMES), st.tuples(UINT32, UINT32, NAMES))
def test_two_sources_never_make_the_same_uidl(one: tuple[int, int, str], other: tuple[int, int, str]) -> None:
    first, second = (
        parse_format("bridge").tagged(tag_of(name)).uidl(UidValidity(uidvalidity), uid)
        for uidvalidity, uid, name in (one, other)
    )

    assert (first == second) is (one == other)


def test_what_uidls_of_a_further_source_begin_with_can_be_read_where_its_name_is_short() -> None:
    form = parse_format("bridge").tagged(tag_of("work"))

    assert form.uidl(UidValidity(7), 42) == "work.00000007-0000002a"
    assert form.origin("work.00000007-0000002a") == (7, 42)
    assert form.origin("00000007-0000002a") is None
    assert re.fullmatch(
        r"_[0-9a-f]{6}\.00000007-0000002a", parse_format("bridge").tagged(tag_of("at work")).uidl(UidValidity(7), 42)
    )
    assert parse_format("bridge").tagged(tag_of("")) == parse_format("bridge")


@pytest.mark.parametrize(
    ("name", "its_id", "uidl"),
    [
        ("upstream", "UID7-42!", "work.UID7-42!"),
        ("upstream", "x" * 65, "work." + "x" * 65),
        ("upstream", "x" * 66, f"work.{hashed('x' * 66)}"),
        ("emailid", "M" * 35, "work." + "M" * 35),
        ("emailid", "M" * 36, f"work.{hashed('M' * 36)}"),
        ("gmail", "255", "work.GmailIdff"),
    ],
)
def test_ids_of_a_further_source_have_its_tag_before_them(name: str, its_id: str, uidl: str) -> None:
    form = parse_format(name).tagged("work")

    assert form.stable
    assert form.needs_store is parse_format(name).needs_store
    assert form.stable_uidl(its_id) == uidl
    assert form.uidl(UidValidity(7), 42) == "work.00000007-0000002a"
    assert parse_format(form.template) == form


def test_a_template_too_long_for_a_tag_is_refused() -> None:
    with pytest.raises(ValueError, match="70 are allowed"):
        parse_format("x" * 46 + "{uidvalidity:08x}-{uid:08x}").tagged("sources")


BY_UID_ALONE = ["cyrus-uid", "courier-old", "{uid:08x}%", "{{uidvalidity}}{uid}"]
TEMPLATES = [
    *sorted(set(NAMED) - set(BY_UID_ALONE)),
    "{uidvalidity:08x}{uid}",
    "{uid}_{uidvalidity}.",
    "x{uid:010d}{uidvalidity}",
    "%{uid}%s{uidvalidity}",
    "{uid}a{uidvalidity:08x}",
    "{uid:012X}{uidvalidity:05}",
    *STABLE,
]


@given(st.tuples(UINT32, UINT32), st.tuples(UINT32, UINT32), st.sampled_from(TEMPLATES))
def test_two_messages_never_share_a_uidl(one: tuple[int, int], other: tuple[int, int], name: str) -> None:
    form = parse_format(name)
    same = form.uidl(UidValidity(one[0]), one[1]) == form.uidl(UidValidity(other[0]), other[1])

    assert same == (one == other)


@pytest.mark.parametrize("name", [*NAMED, *STABLE, *TEMPLATES, *BY_UID_ALONE])
def test_a_format_tells_what_it_rests_on(name: str) -> None:
    """Without UIDVALIDITY, or from ids, a UIDL is only safe where it is remembered, unless upstream remembers it."""
    form = parse_format(name)

    assert form.has_uidvalidity == (name not in BY_UID_ALONE)
    assert form.stable == (name in STABLE)
    assert form.needs_store == (name in BY_UID_ALONE or name in {"gmail", "emailid"})
    assert parse_format(form.template).template == form.template


@given(UINT32, UINT32, st.sampled_from([*TEMPLATES, *BY_UID_ALONE]), st.sampled_from(["", "0", " ", "-2", "_", "%"]))
def test_a_computed_uidl_tells_its_origin_and_no_other_text_does(v: int, uid: int, name: str, more: str) -> None:
    form = parse_format(name)
    uidl = form.uidl(UidValidity(v), uid)

    assert form.origin(uidl) == (v if form.has_uidvalidity else 0, uid)
    for changed in (uidl + more, more + uidl, uidl[:-1], uidl[1:], uidl.swapcase(), uidl.replace("0", more)):
        read = form.origin(changed)
        assert read is None or form.uidl(UidValidity(read[0]), read[1]) == changed


@pytest.mark.parametrize(
    ("name", "stable_id", "written"),
    [
        ("gmail", "1278455344230334865", "GmailId11bdfc5cae0c8191"),
        ("gmail", "255", "GmailIdff"),
        ("emailid", "M6d99ac3275bb4e", "M6d99ac3275bb4e"),
        ("emailid", "x" * 40, "x" * 40),
        ("emailid", "x" * 41, hashed("x" * 41)),
        ("emailid", "a/b", hashed("a/b")),
        ("emailid", "\u00e9\udcff", hashed("\u00e9\udcff")),
        ("emailid", "", hashed("")),
        ("emailid", "a\n", hashed("a\n")),
    ],
)
def test_the_servers_own_id_makes_a_uidl(name: str, stable_id: str, written: str) -> None:
    """Gmail's own POP3 writes X-GM-MSGID in hex; an id that makes no good UIDL is hashed."""
    uidl = parse_format(name).stable_uidl(stable_id)

    assert uidl == written
    assert len(uidl) <= 40
    assert set(uidl) <= OURS


def test_the_uidls_of_a_pop3_upstream_are_as_they_are_where_a_program_can_store_them() -> None:
    """S3: 1 to 70 characters from 0x21 to 0x7E (RFC 1939, section 7)."""
    form = parse_format("upstream")
    for good in ("a", "UID17-1293", "whqtswO00WBw418f9t5JxYwZ", "!~/\\", "x" * 70):
        assert form.stable_uidl(good) == good
    for bad in ("x" * 71, "a b", "", "\xe4", "a\x7f", "a\n"):
        assert form.stable_uidl(bad) == hashed(bad)
    assert not form.needs_store


@pytest.mark.parametrize("wrong", ["", "M6d99", "-1", "9" * 21, "\u0661"])
def test_gmails_format_is_for_gmail(wrong: str) -> None:
    with pytest.raises(UpstreamUnsuitable, match="gmail"):
        parse_format("gmail").stable_uidl(wrong)


@given(st.dictionaries(st.integers(1, 40), st.text("ab", min_size=1)), st.lists(st.integers(1, 40)))
def test_stored_uidls_stand_over_computed_ones_in_any_order(stored: dict[int, str], uids: list[int]) -> None:
    uidls = parse_format("courier").over(UidValidity(7), exceptions(stored))
    said = [stored.get(uid, f"UID{uid}-7") for uid in uids]

    assert list(uidls.uidls(iter(uids))) == said
    assert [uidls.uidl(uid) for uid in uids] == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dovcot", "there are bridge"),
        ("{uidvalidity}", "{uid} and mostly {uidvalidity}, each once"),
        ("{uid}{uid}", "each once"),
        ("{uid}{uid}{uidvalidity}", "each once"),
        ("{uidvalidity}{uid}", "run together"),
        ("{uidvalidity}a{uid:x}", "run together"),
        ("{uidvalidity}-{uid:>9}", "not a number's format"),
        ("{uidvalidity} {uid}", "without blanks"),
        ("{uidvalidity}-{uid", "cannot be read"),
        ("{uidvalidity!r}-{uid!r}", "each once"),
        ("{uidvalidity.real}-{uid}", "each once"),
        ("{0}-{uid}", "each once"),
        ("é{uidvalidity}-{uid}", "without blanks"),
        ("x" * 60 + "{uidvalidity}-{uid}", f"{LONGEST} are allowed"),
    ],
)
def test_a_bad_format_says_what_to_write_instead(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="UIDL") as caught:
        parse_format(text)
    assert said in str(caught.value)
