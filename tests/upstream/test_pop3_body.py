"""A message from a POP3 server goes into the sink once, whatever has to be read again."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.upstream.imap_body import Here
from bridge.upstream.pop3_body import Again, Beginning, Whole
from tests.upstream.session import Taken

FLOW = Here()


def test_it_begins_with_its_first_octet() -> None:
    taken = Taken()
    whole = Whole(taken)
    whole.begin(FLOW)
    assert (taken.begun, whole.begun) == (0, False)
    whole.write(b"ab")
    whole.write(b"c")
    whole.start()
    assert (taken.begun, taken.octets, whole.got) == (1, b"abc", 3)


def test_one_without_an_octet_begins_when_it_is_known_to_be_empty() -> None:
    taken = Taken()
    whole = Whole(taken)
    whole.start()
    assert taken.begun == 0, "nothing came at all"
    whole.begin(FLOW)
    whole.start()
    assert (taken.begun, taken.octets) == (1, b"")


@given(st.binary(min_size=1, max_size=60), st.data())
def test_it_goes_on_where_it_was_cut_if_it_is_the_same(octets: bytes, data: st.DataObject) -> None:
    """S15."""
    taken = Taken()
    whole = Whole(taken)
    whole.begin(FLOW)
    cut = data.draw(st.integers(1, len(octets)))
    whole.write(octets[:cut])
    again = Again.of(whole)
    again.begin(FLOW)
    step = data.draw(st.integers(1, len(octets)))
    for start in range(0, len(octets), step):
        again.write(octets[start : start + step])
    assert again.going_on
    assert (taken.octets, taken.begun) == (octets, 2)


@given(st.binary(min_size=2, max_size=60), st.data())
def test_and_not_an_octet_more_is_sent_if_it_is_another(octets: bytes, data: st.DataObject) -> None:
    taken = Taken()
    whole = Whole(taken)
    whole.begin(FLOW)
    cut = data.draw(st.integers(1, len(octets) - 1))
    whole.write(octets[:cut])
    changed = bytearray(octets)
    changed[data.draw(st.integers(0, cut - 1))] ^= 1
    again = Again.of(whole)
    again.begin(FLOW)
    again.write(bytes(changed))
    assert not again.going_on
    assert (taken.octets, taken.begun) == (octets[:cut], 1)


def test_one_that_is_shorter_now_does_not_go_on() -> None:
    whole = Whole(Taken())
    whole.begin(FLOW)
    whole.write(b"abcdef")
    again = Again.of(whole)
    again.begin(FLOW)
    again.write(b"abc")
    assert not again.going_on


@given(st.lists(st.sampled_from([b"a", b"\r\n", b"\n", b"\r\n\r\n"]), max_size=20), st.integers(1, 9))
def test_a_beginning_counts_the_lines_of_its_text(pieces: list[bytes], step: int) -> None:
    octets = b"".join(pieces)
    beginning = Beginning(Taken(), 0)
    beginning.begin(FLOW)
    for start in range(0, len(octets), step):
        beginning.write(octets[start : start + step])
    _header, end, text = (b"\n" + octets).partition(b"\n\r\n")
    assert beginning.lines == (text.count(b"\n") if end else 0)
    assert (beginning.octets, beginning.begun) == (len(octets), bool(octets))


def test_of_a_longer_one_only_what_is_new_is_passed_on_and_nothing_beyond_what_is_wanted() -> None:
    taken = Taken(enough=6)
    first = Beginning(taken, 0)
    first.begin(FLOW)
    first.write(b"abc")
    second = Beginning(taken, first.octets)
    second.begin(FLOW)
    for piece in (b"ab", b"cd", b"ef", b"gh"):
        second.write(piece)
    second.start()
    assert (taken.octets, taken.begun) == (b"abcdef", 1)
