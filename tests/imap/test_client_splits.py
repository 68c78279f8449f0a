"""However the network cuts what the server sends, the same happens."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bridge.imap.client import Client, Event
from bridge.imap.commands import (
    Authenticate,
    Command,
    FetchBody,
    FetchListing,
    Idle,
    ListMailboxes,
    Noop,
    Search,
    Select,
)
from bridge.names import Uid
from bridge.violation import ProtocolViolation
from tests.imap.conversations import hear_in_pieces, joined, logged_in

ASKED: list[Command] = [
    Select("INBOX"),
    FetchListing("1:*"),
    FetchBody(Uid(7)),
    Search(("DELETED",)),
    ListMailboxes(),
    Noop(),
    Idle(),
]
ROW = b'* %d FETCH (UID %d RFC822.SIZE %d FLAGS (\\Seen) INTERNALDATE "21-Nov-2026 22:10:40 +0000")\r\n'
ANSWERED = (
    b"* 5 exists\r\n* OK [UIDVALIDITY 7] text {12}\r\nA2 ok [READ-WRITE] in\n"
    + b"".join(ROW % (n, n + 6, n * 1000) for n in range(1, 4))
    + b"* 9 EXISTS\r\n* 4 FETCH (FLAGS (\\Deleted))\r\n* 5 FETCH (RFC822.SIZE 77 X (a (b)) UID 99)\r\n"
    + b"".join(ROW % (n, n + 6, n * 1000) for n in range(6, 8))
    + b"A3 OK listed\r\n* 1 FETCH (UID 7 BODY[] {"
    + str(len(ROW) + 2).encode()
    + b"}\r\n"
    + ROW
    + b"\r\n FLAGS (\\Seen))\r\n* 2 FETCH (BODY[1] {0}\r\n BODY[2] NIL UID 8)\r\nA4 NO gone {3}\r\n"
    b'* SEARCH 1 2 3 \r\nA5 OK\r\n* LIST () "/" {4}\r\na\r\nb\r\n* XLIST x\r\nA6 OK\r\nA7 OK\r\n+ idling\r\n* BYE\r\n'
)


def in_flight() -> Client:
    client = logged_in()
    for command in ASKED:
        client.send(command)
    client.octets_to_send()
    return client


def whole() -> list[Event]:
    return joined(hear_in_pieces(in_flight(), [ANSWERED]))


EXPECTED = whole()


def test_the_sample_says_a_lot() -> None:
    assert len({type(event) for event in EXPECTED}) == 8
    assert len(EXPECTED) == 24


def test_every_single_cut() -> None:
    for at in range(len(ANSWERED)):
        assert joined(hear_in_pieces(in_flight(), [ANSWERED[:at], ANSWERED[at:]])) == EXPECTED, at


def test_octet_by_octet() -> None:
    pieces = [ANSWERED[at : at + 1] for at in range(len(ANSWERED))]
    assert joined(hear_in_pieces(in_flight(), pieces)) == EXPECTED


@given(st.lists(st.integers(0, len(ANSWERED))))
def test_any_cuts(cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(ANSWERED)]
    pieces = [ANSWERED[a:b] for a, b in pairwise(ends)]
    assert joined(hear_in_pieces(in_flight(), pieces)) == EXPECTED


LINES = (
    b"* |1 FETCH (|UID 7 |BODY[] |{3}\r\n|abc|)|\r\n|A2 OK |A3 NO|+ |OK |[X |FLAGS ()|RFC822.SIZE 5| |LIST () NIL |BYE"
)
DATA = b'"|SEARCH 1|STATUS x (|{0}\r\n|~|ESEARCH ALL |1:3|VANISHED |NAMESPACE |NIL|ID (|{99999999999999999999}\r\n|-1'
WORDS = st.sampled_from([*LINES.split(b"|"), *DATA.split(b"|"), ROW])


def violation_or_events(client: Client, pieces: list[bytes]) -> list[Event | str]:
    events: list[Event] = []
    try:
        for piece in pieces:
            for event in client.receive(piece):
                events.append(event)  # noqa: PERF402  # what came before a violation counts
    except ProtocolViolation as violation:
        return [*joined(events), str(violation)]
    return [*joined(events)]


@given(st.lists(WORDS | st.binary(max_size=8), max_size=30), st.integers(0, 200), st.booleans())
def test_nothing_but_a_violation_comes_of_random_octets_and_a_cut_changes_nothing(
    words: list[bytes], at: int, listing: bool
) -> None:
    octets = b"".join(words)
    outcomes = []
    for pieces in ([octets], [octets[:at], octets[at:]]):
        client = in_flight() if listing else Client()
        outcomes.append(violation_or_events(client, pieces))
    assert outcomes[0] == outcomes[1]


@given(st.lists(st.binary(max_size=12), max_size=5))
def test_random_challenges(challenges: list[bytes]) -> None:
    client = logged_in()
    client.send(Authenticate("X"))
    client.octets_to_send()
    violation_or_events(client, [b"+ " + challenge + b"\r\n" for challenge in challenges])
