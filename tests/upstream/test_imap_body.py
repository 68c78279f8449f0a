"""A message that was cut goes on only as itself, and nothing passes for a message that is none."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bridge.imap.quirks import SUBSTITUTES
from bridge.upstream.imap_body import OVERLAP, Here, Part, Rest, Unmasked, Whole, is_substitute
from tests.contracts.fake_source import FakeFlow
from tests.upstream.provider import LETTER
from tests.upstream.session import Taken

MESSAGE = bytes(range(256)) * 4 + b"the end\r\n"
FLOW = FakeFlow()


def begun(octets: bytes, *, announced: int | None = None, size: int = 1) -> tuple[Whole, Taken]:
    """A message of which so much has come."""
    taken = Taken()
    whole = Whole(taken, size)
    whole.begin(len(MESSAGE) if announced is None else announced, FLOW)
    if octets:
        whole.write(octets)
    return whole, taken


def in_pieces(octets: bytes, cuts: list[int]) -> list[bytes]:
    ends = [0, *sorted(min(cut, len(octets)) for cut in cuts), len(octets)]
    return [octets[a:b] for a, b in pairwise(ends)]


def test_nobody_need_be_paused_for_octets_that_are_here() -> None:
    here = Here()
    here.pause()
    here.resume()


def test_a_whole_message_passes_as_it_is() -> None:
    whole, taken = begun(MESSAGE)
    assert (taken.octets, taken.begun, taken.flow, whole.got) == (MESSAGE, 1, FLOW, len(MESSAGE))


def test_nothing_is_no_message_unless_nothing_is_listed() -> None:
    whole, taken = begun(b"x", announced=0)
    assert (whole.begun, taken.begun, taken.octets) == (False, 0, b"")
    whole, taken = begun(b"", announced=0, size=0)
    assert (whole.begun, taken.begun) == (True, 1)


@given(st.lists(st.integers(0, len(MESSAGE))))
def test_the_last_octets_are_remembered_whatever_the_pieces(cuts: list[int]) -> None:
    whole, _ = begun(b"")
    so_far = b""
    for piece in in_pieces(MESSAGE, cuts):
        whole.write(piece)
        so_far += piece
        assert whole.tail == so_far[-OVERLAP:]


@given(st.integers(0, len(MESSAGE)), st.lists(st.integers(0, len(MESSAGE))), st.lists(st.integers(0, len(MESSAGE))))
def test_cut_anywhere_and_going_on_in_any_pieces_it_is_the_message(
    cut: int, before: list[int], after: list[int]
) -> None:
    whole, taken = begun(b"")
    for piece in in_pieces(MESSAGE[:cut], before):
        whole.write(piece)
    rest = Rest.of(whole)
    # One octet past its end is asked for: a message that is longer now is another one.
    answer = MESSAGE[rest.start :][: rest.count]
    assert rest.start == max(0, cut - OVERLAP)
    assert rest.count == len(answer) + 1
    rest.begin(len(answer), FLOW)
    for piece in in_pieces(answer, after):
        rest.write(piece)
    assert rest.complete
    assert rest.going_on is (cut < len(MESSAGE))
    assert (taken.octets, taken.begun) == (MESSAGE, 2)


@given(st.integers(1, len(MESSAGE)), st.integers(0, OVERLAP - 1), st.lists(st.integers(0, len(MESSAGE))))
def test_one_other_octet_before_the_cut_is_another_message(cut: int, which: int, after: list[int]) -> None:
    whole, taken = begun(MESSAGE[:cut])
    rest = Rest.of(whole)
    answer = bytearray(MESSAGE[rest.start :])
    answer[which % len(whole.tail)] ^= 1
    rest.begin(len(answer), FLOW)
    for piece in in_pieces(bytes(answer), after):
        rest.write(piece)
    assert not rest.complete
    assert taken.octets == MESSAGE[:cut]


def test_another_length_is_another_message() -> None:
    for more in (-1, 1):
        whole, taken = begun(MESSAGE[:500])
        rest = Rest.of(whole)
        answer = (MESSAGE + b"x")[rest.start : len(MESSAGE) + more]
        rest.begin(len(answer), FLOW)
        rest.write(answer)
        assert not (rest.complete or rest.going_on)
        assert (taken.octets, taken.begun) == (MESSAGE[:500], 1)


def test_no_answer_at_all_is_no_rest() -> None:
    whole, _ = begun(MESSAGE[:500])
    rest = Rest.of(whole)
    assert not (rest.complete or rest.going_on)


def test_a_rest_that_is_cut_itself_is_not_complete_and_the_next_goes_on_behind_it() -> None:
    whole, taken = begun(MESSAGE[:300])
    first = Rest.of(whole)
    first.begin(first.count - 1, FLOW)
    first.write(MESSAGE[first.start : 700])
    assert (first.complete, first.going_on) == (False, True)
    second = Rest.of(whole)
    assert second.start == 700 - OVERLAP
    second.begin(second.count - 1, FLOW)
    second.write(MESSAGE[second.start :])
    assert second.complete
    assert taken.octets == MESSAGE


def test_it_goes_on_only_where_it_brings_something_new() -> None:
    """A server that breaks off at the same octet each time would be asked for ever."""
    for got in (0, 500):
        whole, _ = begun(MESSAGE[:got])
        rest = Rest.of(whole)
        rest.begin(rest.count - 1, FLOW)
        rest.write(MESSAGE[rest.start : got])
        assert not rest.going_on
        rest.write(MESSAGE[got : got + 1])
        assert rest.going_on


def test_an_end_that_got_lost_only_behind_the_last_octet_is_complete() -> None:
    for octets in (MESSAGE, b""):
        whole, taken = begun(octets, announced=len(octets), size=len(octets))
        rest = Rest.of(whole)
        rest.begin(rest.count - 1, FLOW)
        rest.write(octets[rest.start :])
        assert rest.complete
        assert taken.octets == octets


def test_a_part_begins_the_message_once() -> None:
    taken = Taken()
    part = Part(taken, begun=False, may_be_empty=False)
    part.begin(3, FLOW)
    part.write(b"abc")
    following = Part(taken, begun=True, may_be_empty=True)
    following.begin(0, FLOW)
    assert (part.came, part.octets, following.came, following.octets) == (True, 3, True, 0)
    assert (taken.octets, taken.begun) == (b"abc", 1)


def test_an_empty_first_part_of_what_is_not_empty_is_none() -> None:
    taken = Taken()
    part = Part(taken, begun=False, may_be_empty=False)
    part.begin(0, FLOW)
    assert (part.came, taken.begun) == (False, 0)


def unmasked(octets: bytes, size: int, cuts: list[int]) -> tuple[Unmasked, Taken]:
    taken = Taken()
    body = Unmasked(Whole(taken, size), size)
    body.begin(len(octets), FLOW)
    for piece in in_pieces(octets, cuts):
        body.write(piece)
    return body, taken


@given(st.lists(st.integers(0, len(LETTER))))
def test_a_letter_in_the_place_of_a_message_is_not_passed_on(cuts: list[int]) -> None:
    body, taken = unmasked(LETTER, 312, cuts)
    assert (body.substituted, taken.begun, taken.octets) == (True, 0, b"")


@given(st.integers(0, len(LETTER) - 1), st.lists(st.integers(0, len(LETTER))))
def test_a_message_of_that_length_is_passed_on_octet_for_octet(at: int, cuts: list[int]) -> None:
    octets = bytearray(LETTER)
    octets[at] ^= 1
    body, taken = unmasked(bytes(octets), 312, cuts)
    assert (body.substituted, taken.begun, taken.octets, taken.flow) == (False, 1, bytes(octets), FLOW)


def test_a_message_of_that_text_is_one_where_it_was_listed_so() -> None:
    body, taken = unmasked(LETTER, len(LETTER), [])
    assert (body.substituted, taken.octets) == (False, LETTER)
    assert not is_substitute(LETTER, len(LETTER))
    assert is_substitute(LETTER, 312)
    assert not is_substitute(LETTER[:-1], 312)
    assert list(SUBSTITUTES) == [len(LETTER)]
