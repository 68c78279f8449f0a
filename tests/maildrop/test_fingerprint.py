"""A message is recognised whatever servers do to its header on the way, and not taken for another one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.maildrop.fingerprint import FIELDS, fingerprint
from bridge.maildrop.memory import Fingerprint

WORD = st.binary(min_size=1, max_size=8).map(lambda octets: re.sub(rb"[\s]", b"w", octets))
VALUE = st.lists(WORD, max_size=5)
ADDED = st.sampled_from(["X-Spam", "Received", "Status", "Return-Path", "X-UID", "Content-Type", "Bcc", "X-From"])
BLANKS = st.sampled_from([b" ", b"\t", b"   ", b"\r\n ", b"\n\t ", b"\r\n \r\n  "])
GREETING = b"From: a@example.org\r\nSubject: hello there\r\nMessage-ID: <1@example.org>\r\n\r\n"


def written(draw: st.DrawFn, name: str, words: list[bytes]) -> bytes:
    """One field as some server might write it."""
    cased = draw(st.sampled_from([str.upper, str.lower, str.title]))(name).encode("ascii")
    folded = b"".join(draw(BLANKS) + word for word in words)
    return cased + draw(st.sampled_from([b":", b" :"])) + folded + draw(st.sampled_from([b"\r\n", b"\n", b" \r\n"]))


@st.composite
def same_message_twice(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A message's header in two servers' writing: other folding, line ends, case, order and fields added."""
    fields = draw(st.lists(st.tuples(st.sampled_from(FIELDS), VALUE), max_size=6))
    # Several fields of one name keep their order; fields of different names come as they like.
    by_name = {name: [words for other, words in fields if other == name] for name in FIELDS}

    def header() -> bytes:
        pieces = []
        for name in draw(st.permutations(FIELDS)):
            for words in by_name[name]:
                pieces.append(written(draw, name, words))
                pieces.extend(written(draw, more, draw(VALUE)) for more in draw(st.lists(ADDED, max_size=2)))
        return b"".join(pieces) + draw(st.sampled_from([b"", b"\r\n", b"\n", b"\r\nSubject: not the header\r\n"]))

    return header(), header()


@given(same_message_twice())
def test_what_servers_do_to_a_header_does_not_change_it(headers: tuple[bytes, bytes]) -> None:
    one, other = headers

    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize("field", FIELDS)
def test_each_field_counts(field: str) -> None:
    header = b"".join(b"%s: one\r\n" % name.encode() for name in FIELDS)
    changed = header.replace(b"%s: one" % field.encode(), b"%s: other" % field.encode())
    without = header.replace(b"%s: one\r\n" % field.encode(), b"")

    assert len({fingerprint(header).header, fingerprint(changed).header, fingerprint(without).header}) == 3


def test_a_word_does_not_move_from_one_field_to_the_next_unseen() -> None:
    one = fingerprint(b"From: a\r\nTo: b\r\nTo: c\r\n\r\n")

    assert one != fingerprint(b"From: a\r\nTo: b\r\nCc: c\r\n\r\n")
    assert one != fingerprint(b"From: a\r\nTo: b c\r\n\r\n")
    assert one != fingerprint(b"From: a\r\nTo: c\r\nTo: b\r\n\r\n")


def test_the_message_id_is_known_by_itself() -> None:
    """It may be all that a server's rewriting of addresses left alone."""
    one = fingerprint(b"Message-Id:\r\n <1@example.org>\r\nSubject: a\r\n\r\n")
    other = fingerprint(b"Subject: b\r\nMESSAGE-ID: <1@example.org> \r\n\r\n")

    assert one.message_id == other.message_id
    assert len(one.message_id) == len(one.header) == 16
    assert one.header != other.header


@pytest.mark.parametrize("header", [b"Subject: x\r\n\r\n", b"Message-ID:\r\nSubject: x\r\n\r\n"])
def test_without_a_message_id_there_is_none(header: bytes) -> None:
    assert fingerprint(header).message_id == b""


@pytest.mark.parametrize(
    "header", [b"", b"\r\n", b"\nSubject: body\n", b"\r\n\r\nSubject: body", b" Subject: x\n", b"X-A: b\n Cc: c\n\n"]
)
def test_without_any_of_the_fields_a_message_cannot_be_recognised(header: bytes) -> None:
    assert fingerprint(header, "M1") == Fingerprint(b"", b"", "M1")


def test_lines_that_are_no_fields_are_passed_over_with_what_is_folded_behind_them() -> None:
    """An mbox separator in front, rubbish between, and a header that just ends."""
    broken = b"From a@example.org Thu Jan  1 00:00:00 1970\n To: x\n" + GREETING[:-4].replace(
        b"Subj", b"rubbish\n y\nSubj"
    )

    assert fingerprint(broken) == fingerprint(GREETING)


def test_a_header_with_doubled_carriage_returns_ends_where_it_ends() -> None:
    assert fingerprint(GREETING.replace(b"\r\n", b"\r\r\n") + b"Subject: body") == fingerprint(GREETING)


@given(st.binary(max_size=200))
def test_any_octets_have_a_fingerprint(octets: bytes) -> None:
    assert len(fingerprint(octets).header) in {0, 16}


@pytest.mark.parametrize("rubbish", [b"\r", b" ", b":", b"\n ", b"\n\r", b"To:\n", b"a", b"\n\r "])
def test_a_huge_header_takes_linear_time(rubbish: bytes) -> None:
    """A quadratic look at 2 MB of it would outlast any patience."""
    assert fingerprint(b"Subject: x" + rubbish * (2_000_000 // len(rubbish)))
