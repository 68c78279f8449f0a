"""Answers find the command that asked, also on a server that keeps the tagged replies for the end."""

from array import array

from bridge.imap.attribution import InFlight
from bridge.imap.client import BodyAbsent, BodyBegan, Completed, Responded, Tag
from bridge.imap.commands import (
    Command,
    FetchBodies,
    FetchBody,
    FetchFlags,
    FetchHeaders,
    FetchIds,
    FetchListing,
    FetchStates,
    Noop,
    Search,
    Select,
    Store,
)
from bridge.imap.responses import Exists, Fetched, Searched, Status, StatusKind, Vanished
from bridge.names import Uid
from tests.imap.conversations import hear, logged_in, say


def in_flight(*commands: Command) -> InFlight:
    return InFlight({Tag(f"A{number}"): command for number, command in enumerate(commands, 1)})


def test_dovecot_gives_all_data_first_and_then_the_tagged_replies() -> None:
    """As recorded with Dovecot 2.3.19, commands sent in one write."""
    client = logged_in()
    say(client, Search(("DELETED",)), Search(("ALL",)), FetchFlags("10"), FetchBody(Uid(11)), FetchBody(Uid(12)))
    events = hear(
        client,
        b"* SEARCH 3\r\n* SEARCH 1 2 3\r\n* 6 FETCH (UID 10 FLAGS (\\Seen))\r\n"
        b"* 7 FETCH (UID 11 BODY[] {1}\r\nx)\r\n* 8 FETCH (UID 12 BODY[] NIL)\r\n"
        b"A2 OK Search completed.\r\nA3 OK Search completed.\r\nA4 OK Fetch completed.\r\n"
        b"A5 OK Fetch completed.\r\nA6 OK Fetch completed.\r\n",
    )
    told = [(type(event), event.tag) for event in events if isinstance(event, Responded | BodyBegan | BodyAbsent)]
    assert told == [
        (Responded, "A2"),
        (Responded, "A3"),
        (Responded, "A4"),
        (BodyBegan, "A5"),
        (BodyAbsent, "A6"),
    ]
    assert [event.tag for event in events if isinstance(event, Completed)] == ["A2", "A3", "A4", "A5", "A6"]


def test_each_search_gets_one_answer() -> None:
    asked = in_flight(Noop(), Search(("ALL",)), Search(("DELETED",)))
    found = Searched(array("I"))
    assert [asked.asker(found), asked.asker(found), asked.asker(found)] == ["A2", "A3", "A1"]
    asked.complete(Tag("A2"))
    assert asked.asker(found) == "A1"


def test_data_that_nobody_asks_for_goes_to_the_oldest() -> None:
    asked = in_flight(Noop(), FetchListing("1:*"))
    assert asked.asker(Exists(3)) == "A1"
    assert asked.asker(Status(StatusKind.OK, None, "x")) == "A1"
    assert in_flight().asker(Exists(3)) is None
    assert (in_flight().oldest, asked.oldest) == (None, Noop())


def test_flags_go_to_what_asks_for_flags_as_often_as_they_come() -> None:
    asked = in_flight(Noop(), FetchFlags("1:2"), Store("1", ("\\Seen",), silent=False))
    assert [asked.asker(Fetched(1, 1)), asked.asker(Fetched(2, 2))] == ["A2", "A2"]


def test_a_body_goes_to_the_command_of_its_uid_section_and_origin() -> None:
    asked = in_flight(
        FetchBody(Uid(7)),
        FetchBody(Uid(8), "header"),
        FetchBody(Uid(8), start=0, count=5),
        FetchBody(Uid(8), start=5, count=5),
        FetchBody(Uid(7)),
    )
    assert asked.body_asker(Uid(8), "", 5) == "A4"
    assert asked.body_asker(Uid(8), "", 0) == "A3"
    assert asked.body_asker(Uid(8), "HEADER", None) == "A2"
    assert asked.body_asker(Uid(9), "", None) is None
    assert asked.body_asker(None, "TEXT", None) is None
    assert [asked.body_asker(None, "", None), asked.body_asker(Uid(7), "", None)] == ["A1", "A5"]
    assert asked.body_asker(Uid(7), "", None) is None
    assert asked.complete(Tag("A1")) == FetchBody(Uid(7))
    assert asked.complete(Tag("A1")) is None


def test_header_fields_of_many_go_to_the_command_that_asked_for_them_however_they_are_labelled() -> None:
    asked = in_flight(FetchBody(Uid(7), "HEADER.FIELDS (MESSAGE-ID)"), FetchHeaders("1:9", ("DATE", "FROM")))
    for section in ("HEADER.FIELDS (DATE FROM)", 'HEADER.FIELDS ("FROM" "DATE")', "HEADER.FIELDS (DATE FROM)"):
        assert asked.body_asker(Uid(7), section, None) == "A2"
    assert asked.body_asker(Uid(7), "HEADER.FIELDS (MESSAGE-ID)", None) == "A1"
    for section in ("", "HEADER", "HEADER.FIELDS.NOT (DATE FROM)", "1.HEADER.FIELDS (DATE)"):
        assert asked.body_asker(Uid(8), section, None) is None


def test_what_vanished_since_answers_select() -> None:
    asked = in_flight(Noop(), Select("INBOX"), FetchListing("1:*"))
    assert asked.asker(Vanished([(1, 2)], earlier=True)) == "A2"


def test_rows_go_to_whoever_asks_for_rows() -> None:
    for command in (FetchStates("1"), FetchIds("1", "EMAILID"), FetchHeaders("1", ("DATE",))):
        assert in_flight(Noop(), command).asker(Fetched(1, 1)) == "A2"


SEVEN_TO_NINE = FetchBodies(frozenset({7, 8, 9}))


def test_each_of_many_bodies_goes_to_the_command_that_asked_for_many_as_often_as_they_come() -> None:
    asked = in_flight(Noop(), SEVEN_TO_NINE, FetchBodies(frozenset({9, 10})))
    assert [asked.body_asker(Uid(uid), "", None) for uid in (7, 9, 8, 9, 10)] == ["A2", "A2", "A2", "A2", "A3"]
    assert asked.body_asker(Uid(11), "", None) is None
    assert asked.body_asker(Uid(7), "HEADER", None) is None
    assert asked.of_bodies() == ("A2", SEVEN_TO_NINE)
    asked.complete(Tag("A2"))
    assert asked.of_bodies() == ("A3", FetchBodies(frozenset({9, 10})))
    assert asked.body_asker(Uid(7), "", None) is None
    assert in_flight(Noop()).of_bodies() is None


def test_beginnings_go_to_who_asked_for_beginnings_and_whole_messages_to_who_asked_for_those() -> None:
    wholes, parts = FetchBodies(frozenset({7})), FetchBodies(frozenset({7}), 16384)
    asked = in_flight(wholes, parts)
    assert asked.body_asker(Uid(7), "", 0) == "A2"
    assert asked.body_asker(Uid(7), "", None) == "A1"
    assert in_flight(wholes).body_asker(Uid(7), "", 0) is None
    assert in_flight(parts).body_asker(Uid(7), "", None) is None


def test_a_beginning_is_never_taken_for_the_whole_message_that_was_asked_for_behind_it() -> None:
    """TOP 1 0, TOP 2 0, RETR 3: the top of 3 is on its way already, and would pass for the message."""
    asked = in_flight(FetchBodies(frozenset({7, 8}), 16384), FetchBody(Uid(7)))
    assert asked.body_asker(Uid(7), "", 0) == "A1"
    assert asked.body_asker(Uid(7), "", None) == "A2"
    client = logged_in()
    say(client, FetchBodies(frozenset({7, 8}), 4), FetchBody(Uid(7)))
    head = hear(client, b"* 1 FETCH (UID 7 BODY[]<0> {4}\r\nSu")
    assert [event.tag for event in head if isinstance(event, BodyBegan)] == ["A2"]


def test_a_message_that_is_asked_for_alone_as_well_goes_to_who_asks_for_it_alone() -> None:
    """Dovecot 2.3.19 keeps the tagged reply of the first until it has done the second: the body comes twice before."""
    body = b"* 1 FETCH (UID 7 BODY[] {1}\r\nx)\r\n"
    told = body + body.replace(b"UID 7", b"UID 8") + body + b"A2 OK done\r\nA3 OK done\r\n"
    for cut in range(len(told)):
        client = logged_in()
        say(client, FetchBodies(frozenset({7, 8})), FetchBody(Uid(7)))
        events = hear(client, told[:cut]) + hear(client, told[cut:])
        begun = [event.tag for event in events if isinstance(event, BodyBegan) and event.uid == 7]
        assert begun[:1] == ["A3"]
        assert begun.count(Tag("A3")) == 1


def test_a_server_that_knows_no_parts_answers_one_that_was_asked_for_with_the_whole() -> None:
    assert in_flight(FetchBody(Uid(7), start=0, count=5)).body_asker(Uid(7), "", None) == "A1"


def test_where_the_uid_comes_behind_the_body_bodies_come_in_the_order_of_the_commands() -> None:
    """hoodiecrow: when it is known whose body it was, its octets have gone somewhere."""
    asked = in_flight(SEVEN_TO_NINE, FetchBody(Uid(20)))
    assert [asked.body_asker(None, "", None) for _ in range(3)] == ["A1"] * 3
    asked.complete(Tag("A1"))
    assert [asked.body_asker(None, "", None) for _ in range(2)] == ["A2", None]
    asked = in_flight(FetchBody(Uid(20)), SEVEN_TO_NINE)
    assert [asked.body_asker(None, "", None) for _ in range(2)] == ["A1", "A2"]
