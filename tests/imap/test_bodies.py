"""Many bodies at once: what is whole is taken as it is, and everything else is left for the slow way, untouched."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.imap.bodies import Kind, whole_bodies
from bridge.imap.client import BodiesCame, BodyBegan, BodyEnded, BodyOctets, Client, Completed, Event, Tag
from bridge.imap.commands import FetchBodies, FetchHeaders
from bridge.imap.responses import Status, StatusKind
from bridge.names import Uid
from tests.imap.conversations import hear, hear_in_pieces, logged_in, say

WANTED = frozenset({7, 9, 11})
HELLO = b"* 1 FETCH (UID 7 BODY[] {7}\r\nhello\r\n)\r\n"
EMPTY = b"* 2 FETCH (UID 9 BODY[] {0}\r\n)\r\n"
SEVEN = (Uid(7), b"hello\r\n")


def taken(octets: bytes, *, begin: int = 0, parts: bool = False) -> tuple[list[tuple[Uid, bytes]], int]:
    return whole_bodies(octets, begin, WANTED, Kind.BEGINNING if parts else Kind.WHOLE)


def test_those_that_are_here_are_taken_up_to_where_the_next_thing_stands() -> None:
    octets = b"* 9 EXISTS\r\n" + HELLO + EMPTY + b"A2 OK\r\n"
    assert taken(octets, begin=12) == ([SEVEN, (Uid(9), b"")], len(octets) - 7)
    assert taken(octets) == ([], 0)
    assert taken(b"") == ([], 0)


def test_octets_that_look_like_an_answer_are_octets() -> None:
    inner = HELLO + b")\r\nA2 OK done\r\n"
    octets = b"* 1 FETCH (UID 9 BODY[] {%d}\r\n%b)\r\n" % (len(inner), inner)
    assert taken(octets) == ([(Uid(9), inner)], len(octets))


def test_what_is_not_whole_is_left_wherever_it_ends() -> None:
    for end in range(len(HELLO)):
        assert taken(HELLO[:end]) == ([], 0)
        assert taken(EMPTY + HELLO[:end]) == ([(Uid(9), b"")], len(EMPTY))


@pytest.mark.parametrize(
    "other",
    [
        b"* 2 FETCH (BODY[] {1}\r\nx UID 9)\r\n",  # hoodiecrow
        b"* 2 FETCH (UID 9 BODY[] {1}\r\nx FLAGS (\\Seen))\r\n",
        b"* 2 FETCH (UID 9 FLAGS () BODY[] {1}\r\nx)\r\n",
        b'* 2 FETCH (UID 9 BODY[] "x")\r\n',  # Cyrus, beyond a message's end
        b"* 2 FETCH (UID 9 BODY[] NIL)\r\n",
        b"* 2 FETCH (UID 9 BODY[TEXT] {1}\r\nx)\r\n",
        b"* 2 FETCH (UID 9 BODY[]<5> {1}\r\nx)\r\n",
        b"* 2 FETCH (UID 9 BODY[]<0.5> {1}\r\nx)\r\n",  # hoodiecrow
        b"* 2 FETCH (UID 9 BODY[]<0> {1}\r\nx)\r\n",  # a part where whole messages were asked for
        b"* 2 FETCH (UID 8 BODY[] {1}\r\nx)\r\n",  # nobody's
        b"* 0 FETCH (UID 9 BODY[] {1}\r\nx)\r\n",
        b"* 2 FETCH (UID 0 BODY[] {1}\r\nx)\r\n",
        b"* 2 FETCH (UID 9 BODY[] {-1}\r\nx)\r\n",
        b"* 2 FETCH (UID 9 BODY[] {99999999999}\r\nx)\r\n",
        b"* 2 FETCH (UID 9 BODY[] {1}\nx)\r\n",
        b"* 2 FETCH (UID 9 BODY[] {1}\r\nx)\n",
    ],
)
def test_what_is_spelled_in_another_way_is_left(other: bytes) -> None:
    assert taken(HELLO + other + HELLO) == ([SEVEN], len(HELLO))


def test_header_fields_are_taken_where_they_were_asked_for_and_nowhere_else() -> None:
    """Whatever order and quotation marks the server names them in."""
    fields = HELLO.replace(b"[]", b'[HEADER.FIELDS (DATE "FROM" MESSAGE-ID)]')
    other = b"* 5 FETCH (UID 99 BODY[HEADER.FIELDS (DATE)] {2}\r\n\r\n)\r\n"
    found, end = whole_bodies(fields + other + HELLO, 0, None, Kind.HEADER_FIELDS)
    assert (found, end) == ([SEVEN, (Uid(99), b"\r\n")], len(fields + other))
    assert taken(fields) == taken(fields, parts=True) == ([], 0)
    for strange in (
        b"[HEADER]",
        b"[HEADER.FIELDS (DATE)]<0>",
        b"[HEADER.FIELDS.NOT (DATE)]",
        b"[1.HEADER.FIELDS (DATE)]",
    ):
        assert whole_bodies(HELLO.replace(b"[]", strange), 0, None, Kind.HEADER_FIELDS) == ([], 0)


def test_names_may_be_in_lower_case() -> None:
    assert taken(HELLO.replace(b"FETCH", b"Fetch").replace(b"UID", b"uid").replace(b"BODY", b"body"))[0] == [SEVEN]


def test_beginnings_are_taken_where_beginnings_were_asked_for_and_nowhere_else() -> None:
    """A beginning that passed for the message would be cut without anybody knowing."""
    part = HELLO.replace(b"[]", b"[]<0>")
    assert taken(part + HELLO, parts=True) == ([SEVEN], len(part))
    assert taken(HELLO + part) == ([SEVEN], len(HELLO))
    assert taken(part) == taken(HELLO, parts=True) == ([], 0)


def test_a_size_beyond_all_that_is_here_costs_nothing() -> None:
    assert taken(b"* 1 FETCH (UID 7 BODY[] {9999999999}\r\n" + HELLO * 10) == ([], 0)


# As the client of the protocol hears it.

REAL = {
    # Recorded; Cyrus 3.6.1 and hoodiecrow say the same but for the last line.
    "Dovecot 2.3.19": b"* 1 FETCH (UID 7 BODY[] {21}\r\nSubject: a\r\n\r\nhello\r\n)\r\n"
    b"* 2 FETCH (UID 9 BODY[] {11}\r\nS: b\r\n\r\n.\r\n)\r\nA2 OK Fetch completed (0.001 + 0.000 secs).\r\n",
    "Courier 1.0.16": b"* 1 FETCH (UID 7 BODY[] {21}\r\nSubject: a\r\n\r\nhello\r\n)\r\n"
    b"* 2 FETCH (UID 9 BODY[] {11}\r\nS: b\r\n\r\n.\r\n)\r\nA2 OK FETCH completed.\r\n",
    "UID behind": b"* 1 FETCH (BODY[] {21}\r\nSubject: a\r\n\r\nhello\r\n UID 7)\r\n"
    b"* 2 FETCH (BODY[] {11}\r\nS: b\r\n\r\n.\r\n UID 9)\r\nA2 OK done\r\n",
    "flags among them": b"* 1 FETCH (UID 7 BODY[] {21}\r\nSubject: a\r\n\r\nhello\r\n FLAGS (\\Seen))\r\n* 3 EXISTS\r\n"
    b"* 5 FETCH (FLAGS ())\r\n* 2 FETCH (UID 9 BODY[] {11}\r\nS: b\r\n\r\n.\r\n)\r\n* 4 EXPUNGE\r\nA2 OK done\r\n",
}
BOTH = {7: b"Subject: a\r\n\r\nhello\r\n", 9: b"S: b\r\n\r\n.\r\n"}
PARTS = (
    b"* 1 FETCH (UID 7 BODY[]<0> {10}\r\nSubject: a)\r\n* 2 FETCH (UID 9 BODY[]<0> {10}\r\nS: b\r\n\r\n.\r)\r\n"
    b"A2 OK Fetch completed.\r\n"
)
COUNTED = PARTS.replace(b"<0>", b"<0.10>")  # hoodiecrow


def asked(command: FetchBodies) -> Client:
    client = logged_in()
    client.send(command)
    client.octets_to_send()
    return client


def by_uid(events: list[Event]) -> dict[int, bytes]:
    """What each message is, whichever way it came; bodies that are nobody's do not count."""
    bodies: dict[int, bytes] = {}
    octets: bytes | None = None
    for event in events:
        match event:
            case BodiesCame(came):
                assert not set(bodies) & {uid for uid, _ in came}
                bodies.update(came)
            case BodyBegan(tag=tag):
                octets = b"" if tag is not None else None
            case BodyOctets(more) if octets is not None:
                octets += more
            case BodyEnded(uid) if octets is not None:
                assert uid is not None
                assert uid not in bodies
                bodies[uid] = octets
            case _:
                pass
    assert isinstance(events[-1], Completed)
    return bodies


@pytest.mark.parametrize("server", REAL)
def test_every_cut_of_the_network_gives_the_same_octets(server: str) -> None:
    said = REAL[server]
    for at in range(len(said)):
        client = asked(FetchBodies(WANTED))
        assert by_uid(hear_in_pieces(client, [said[:at], said[at:]])) == BOTH
        assert client.quiet
    assert by_uid(hear_in_pieces(asked(FetchBodies(WANTED)), [said[at : at + 1] for at in range(len(said))])) == BOTH


@pytest.mark.parametrize("said", [PARTS, COUNTED])
def test_every_cut_of_beginnings_gives_the_same_octets(said: bytes) -> None:
    for at in range(len(said)):
        events = hear_in_pieces(asked(FetchBodies(WANTED, 10)), [said[:at], said[at:]])
        assert by_uid(events) == {7: b"Subject: a", 9: b"S: b\r\n\r\n.\r"}


@given(
    st.lists(st.binary(max_size=40) | st.sampled_from([HELLO, b")\r\n", b"A2 OK\r\n", b".\r\n"]), max_size=8),
    st.sampled_from([b"UID %d BODY[] {%d}\r\n%b", b"BODY[] {%d}\r\n%b UID %d", b"uid %d Body[] {%d}\r\n%b"]),
    st.lists(st.integers(0, 2000)),
)
def test_any_messages_in_any_pieces_are_the_same_by_uid(
    messages: list[bytes], spelling: bytes, cuts: list[int]
) -> None:
    said = b""
    for uid, octets in enumerate(messages, 1):
        numbers = (len(octets), octets, uid) if spelling.startswith(b"BODY") else (uid, len(octets), octets)
        said += b"* %d FETCH (" % uid + spelling % numbers + b")\r\n"
    said += b"A2 OK done\r\n"
    ends = [0, *sorted(min(cut, len(said)) for cut in cuts), len(said)]
    client = asked(FetchBodies(frozenset(range(1, 10))))
    events = hear_in_pieces(client, [said[a:b] for a, b in pairwise(ends)])
    assert by_uid(events) == dict(enumerate(messages, 1))


def test_what_comes_whole_is_one_happening() -> None:
    events = hear_in_pieces(asked(FetchBodies(WANTED)), [REAL["Dovecot 2.3.19"]])
    assert [type(event) for event in events] == [BodiesCame, Completed]


def test_a_body_that_begins_behind_whole_ones_comes_piece_by_piece_and_whole_ones_follow() -> None:
    client = asked(FetchBodies(WANTED))
    more = b"* 3 FETCH (UID 11 BODY[] {1}\r\nx)\r\n"
    events = hear_in_pieces(client, [HELLO + b"* 2 FETCH (UID 9 BODY[] {9}\r\n123", b"456789)\r\n" + more])
    assert events == [
        BodiesCame([SEVEN], Tag("A2")),
        BodyBegan(Uid(9), "", None, 9),
        BodyOctets(b"123"),
        BodyOctets(b"456789"),
        BodyEnded(Uid(9)),
        BodiesCame([(Uid(11), b"x")], Tag("A2")),
    ]


def test_bodies_that_nobody_asks_for_any_more_are_read_over() -> None:
    client = asked(FetchBodies(WANTED))
    hear_in_pieces(client, [b"A2 OK done\r\n"])
    assert hear_in_pieces(client, [HELLO]) == [
        BodyBegan(Uid(7), "", None, 7),
        BodyOctets(b"hello\r\n"),
        BodyEnded(Uid(7)),
    ]
    assert client.quiet


def test_header_fields_of_many_messages_come_at_once_too() -> None:
    client = logged_in()
    say(client, FetchHeaders("7,9", ("DATE", "FROM")))
    fields = HELLO.replace(b"[]", b"[HEADER.FIELDS (DATE FROM)]")
    assert hear(client, fields + b"A2 OK done\r\n") == [
        BodiesCame([SEVEN], Tag("A2")),
        Completed(Tag("A2"), FetchHeaders("7,9", ("DATE", "FROM")), Status(StatusKind.OK, None, "done")),
    ]
