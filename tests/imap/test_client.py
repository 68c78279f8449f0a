"""A conversation with an IMAP server, from the greeting to its end."""

from array import array

import pytest

from bridge.imap.client import (
    BodyAbsent,
    BodyBegan,
    BodyEnded,
    BodyOctets,
    Challenged,
    Client,
    ClientState,
    Completed,
    Event,
    Greeted,
    Idling,
    ListingRows,
    Responded,
    RowsCame,
    Tag,
)
from bridge.imap.commands import (
    Authenticate,
    Capability,
    Enable,
    Examine,
    FetchBody,
    FetchFlags,
    FetchListing,
    Idle,
    ListMailboxes,
    Login,
    Logout,
    Noop,
    Search,
    Select,
    Starttls,
    Store,
    Unselect,
)
from bridge.imap.quirks import Quirk
from bridge.imap.responses import (
    Capabilities,
    Code,
    Enabled,
    Exists,
    Expunged,
    Fetched,
    Listed,
    Searched,
    Status,
    StatusKind,
)
from bridge.names import Uid
from bridge.secret import Secret
from bridge.violation import ProtocolViolation
from tests.imap.conversations import connected, hear, is_quiet, logged_in, say

OK = Status(StatusKind.OK, None, "done")


def rows(
    number: int, uid: int, size: int, date: int = -1, deleted: bytes = b"\0", hidden: bytes = b"\0"
) -> ListingRows:
    return ListingRows(array("I", [number]), array("I", [uid]), array("Q", [size]), array("q", [date]), deleted, hidden)


# Greeting, capabilities, login


def test_the_greeting_opens_the_conversation() -> None:
    client = Client()
    assert (client.state, client.capabilities_known) == (ClientState.GREETING, False)
    code = Code("CAPABILITY", frozenset({"IMAP4REV1", "SASL-IR"}))
    assert hear(client, b"* OK [CAPABILITY IMAP4rev1 sasl-ir] hello\r\n") == [
        Greeted(Status(StatusKind.OK, code, "hello"))
    ]
    assert client.state is ClientState.NOT_AUTHENTICATED
    assert (client.capabilities, client.capabilities_known) == (frozenset({"IMAP4REV1", "SASL-IR"}), True)


def test_preauth_is_told_and_leaves_the_decision_to_the_driver() -> None:
    client = Client()
    assert hear(client, b"* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n")
    assert client.state is ClientState.AUTHENTICATED
    assert client.capabilities_known


def test_a_greeting_may_be_a_bye() -> None:
    client = Client()
    assert hear(client, b"* BYE too busy\r\n") == [Greeted(Status(StatusKind.BYE, None, "too busy"))]
    client.end_of_stream()
    assert client.state is ClientState.ENDED


@pytest.mark.parametrize(
    "greeting",
    [
        b"* NO\r\n",
        b"* BAD x\r\n",
        b"220 smtp\r\n",
        b"+OK pop3\r\n",
        b"\r\n",
        b"* 1 EXISTS\r\n",
        b"A1 OK\r\n",
        b"* 1 FETCH (BODY[] {5}\r\n",
    ],
)
def test_any_other_greeting_is_a_violation(greeting: bytes) -> None:
    client = Client()
    with pytest.raises(ProtocolViolation):
        hear(client, greeting)
    assert client.state is ClientState.ENDED


def test_login_and_its_new_capabilities() -> None:
    client = connected("IMAP4rev1 LOGINDISABLED")
    login = Login(b"alice", Secret(b"wonder"))
    assert say(client, login) == b'A1 LOGIN "alice" "wonder"\r\n'
    code = Code("CAPABILITY", frozenset({"IMAP4REV1", "IDLE"}))
    assert hear(client, b"A1 OK [CAPABILITY IMAP4rev1 IDLE] in\r\n") == [
        Completed(Tag("A1"), login, Status(StatusKind.OK, code, "in"))
    ]
    assert (client.state, client.capabilities) == (ClientState.AUTHENTICATED, frozenset({"IMAP4REV1", "IDLE"}))


def test_capabilities_of_before_are_forgotten_at_login() -> None:
    client = connected("IMAP4rev1 OLD")
    say(client, Login(b"a", Secret(b"b")))
    hear(client, b"A1 OK in\r\n")
    assert (client.capabilities, client.capabilities_known) == (frozenset(), False)


@pytest.mark.parametrize("said", [b"* CAPABILITY IMAP4rev1 NEW\r\n", b"* OK [CAPABILITY IMAP4rev1 NEW] x\r\n"])
def test_capabilities_told_while_the_login_is_in_flight_are_the_new_ones(said: bytes) -> None:
    client = connected("IMAP4rev1 OLD")
    say(client, Login(b"a", Secret(b"b")))
    hear(client, said + b"A1 OK in\r\n")
    assert client.capabilities == {"IMAP4REV1", "NEW"}


def test_capabilities_asked_for_before_a_pipelined_login_are_the_old_ones() -> None:
    client = connected()
    say(client, Capability(), Login(b"a", Secret(b"b")))
    hear(client, b"* CAPABILITY IMAP4rev1 OLD\r\nA1 OK\r\nA2 OK in\r\n")
    assert not client.capabilities_known


def test_a_refused_login_changes_nothing() -> None:
    client = connected("IMAP4rev1 OLD")
    say(client, Login(b"a", Secret(b"b")))
    hear(client, b"A1 NO [AUTHENTICATIONFAILED] no\r\n")
    assert (client.state, client.capabilities) == (ClientState.NOT_AUTHENTICATED, frozenset({"IMAP4REV1", "OLD"}))


def test_capabilities_told_at_a_refused_login_are_old_at_the_next() -> None:
    client = connected()
    say(client, Login(b"a", Secret(b"b")), Login(b"a", Secret(b"c")))
    hear(client, b"* CAPABILITY IMAP4rev1 OLD\r\nA1 NO\r\nA2 OK in\r\n")
    assert not client.capabilities_known


@pytest.mark.parametrize("told", ["in the reply", "before the reply", "later"])
def test_logindisabled_after_login_is_a_quirk_of_cyrus(told: str) -> None:
    met: list[Quirk] = []
    client = connected(on_quirk=met.append)
    say(client, Login(b"a", Secret(b"b")))
    announced = b"IMAP4rev1 LOGINDISABLED"
    match told:
        case "in the reply":
            hear(client, b"A1 OK [CAPABILITY %s] in\r\n" % announced)
        case "before the reply":
            hear(client, b"* CAPABILITY %s\r\nA1 OK in\r\n" % announced)
        case _:
            hear(client, b"A1 OK in\r\n* CAPABILITY %s\r\n" % announced)
    assert client.capabilities == {"IMAP4REV1"}
    assert met == [Quirk.LOGINDISABLED_AFTER_LOGIN]


def test_sasl_with_challenges() -> None:
    client = connected()
    assert say(client, Authenticate("LOGIN"), Noop()) == b"A1 AUTHENTICATE LOGIN\r\n"
    assert hear(client, b"+ VXNlcm5hbWU6\r\n") == [Challenged(b"Username:")]
    client.respond(Secret(b"alice"))
    assert client.octets_to_send() == b"YWxpY2U=\r\n"
    assert hear(client, b"+ \r\n") == [Challenged(b"")]
    client.respond(None)
    assert client.octets_to_send() == b"*\r\n"
    hear(client, b"A1 BAD cancelled\r\n")
    assert client.state is ClientState.NOT_AUTHENTICATED
    assert client.octets_to_send() == b"A2 NOOP\r\n"


def test_the_first_sasl_message_goes_inline_or_at_the_server_s_word() -> None:
    client = connected("IMAP4rev1 SASL-IR")
    assert say(client, Authenticate("PLAIN", Secret(b"\0a\0b"))) == b"A1 AUTHENTICATE PLAIN AGEAYg==\r\n"
    hear(client, b"A1 OK in\r\n")
    assert client.state is ClientState.AUTHENTICATED
    client = connected()
    assert say(client, Authenticate("PLAIN", Secret(b"\0a\0b"))) == b"A1 AUTHENTICATE PLAIN\r\n"
    assert hear(client, b"+\r\n") == []
    assert client.octets_to_send() == b"AGEAYg==\r\n"


def test_starttls_forgets_what_was_said_in_clear() -> None:
    client = connected("IMAP4rev1 STARTTLS")
    assert say(client, Starttls(), Capability()) == b"A1 STARTTLS\r\n"
    events = hear(client, b"A1 OK [CAPABILITY IMAP4rev1 FORGED] go\r\n")
    assert isinstance(events[0], Completed)
    assert (client.capabilities, client.capabilities_known) == (frozenset(), False)
    assert client.octets_to_send() == b"A2 CAPABILITY\r\n"


def test_a_refused_starttls_goes_on_in_clear_if_the_driver_will() -> None:
    client = connected("IMAP4rev1 STARTTLS")
    say(client, Starttls())
    assert len(hear(client, b"A1 NO not now\r\n* OK still here\r\n")) == 2
    assert client.capabilities_known


# Mailboxes


def test_states_follow_select_and_unselect() -> None:
    client = logged_in()
    for command, reply, state in (
        (Select("INBOX"), b"OK", ClientState.SELECTED),
        (Select("x"), b"NO", ClientState.AUTHENTICATED),
        (Examine("INBOX"), b"OK", ClientState.SELECTED),
        (Unselect(), b"BAD", ClientState.SELECTED),
        (Unselect(), b"OK", ClientState.AUTHENTICATED),
        (Noop(), b"OK", ClientState.AUTHENTICATED),
    ):
        tag = client.send(command)
        client.octets_to_send()
        hear(client, tag.encode() + b" " + reply + b" x\r\n")
        assert client.state is state, command


def test_untagged_data_is_told_with_the_oldest_command() -> None:
    client = logged_in()
    say(client, Select("INBOX"), Noop())
    assert hear(
        client, b"* 3 EXISTS\r\n* OK [UIDVALIDITY 5] ok\r\nA2 OK done\r\n* 1 EXPUNGE\r\nA3 OK done\r\n* 2 EXISTS\r\n"
    ) == [
        Responded(Exists(3), Select("INBOX")),
        Responded(Status(StatusKind.OK, Code("UIDVALIDITY", 5), "ok"), Select("INBOX")),
        Completed(Tag("A2"), Select("INBOX"), OK),
        Responded(Expunged(1), Noop()),
        Completed(Tag("A3"), Noop(), OK),
        Responded(Exists(2), None),
    ]


def test_enabled_utf8_changes_how_mailbox_names_are_written_and_read() -> None:
    client = logged_in("IMAP4rev1 LITERAL+ UTF8=ACCEPT")
    say(client, Enable(("UTF8=ACCEPT",)))
    assert hear(client, b"* ENABLED utf8=accept\r\nA2 OK done\r\n")[0] == Responded(
        Enabled(frozenset({"UTF8=ACCEPT"})), Enable(("UTF8=ACCEPT",))
    )
    assert client.enabled == {"UTF8=ACCEPT"}
    assert say(client, Select("Entwürfe")) == b"A3 SELECT {9+}\r\nEntw\xc3\xbcrfe\r\n"
    assert hear(client, '* LIST () "/" "Ä & B"\r\n'.encode()) == [
        Responded(Listed(frozenset(), "/", "Ä & B"), Select("Entwürfe"))
    ]


def test_a_server_of_revision_2_alone_speaks_utf8() -> None:
    assert b"Entw\xc3\xbcrfe" in say(logged_in("IMAP4rev2"), Select("Entwürfe"))
    assert b"&APw-" in say(logged_in("IMAP4rev1 IMAP4rev2"), Select("Entwürfe"))


def test_capabilities_may_be_asked_for() -> None:
    client = connected()
    say(client, Capability())
    assert hear(client, b"* CAPABILITY IMAP4rev1 A\r\n") == [
        Responded(Capabilities(frozenset({"IMAP4REV1", "A"})), Capability())
    ]
    assert client.capabilities == {"IMAP4REV1", "A"}


def test_a_search_that_found_nothing() -> None:
    client = logged_in()
    say(client, Search(("DELETED",)))
    assert hear(client, b"* SEARCH\r\nA2 OK done\r\n")[0] == Responded(Searched(array("I")), Search(("DELETED",)))


# Listings


def test_rows_of_a_listing_become_columns_and_other_lines_keep_their_place() -> None:
    client = logged_in()
    listing = FetchListing("1:*")
    say(client, listing)
    events = hear(
        client,
        b'* 1 FETCH (UID 11 RFC822.SIZE 100 FLAGS () INTERNALDATE "01-Jan-1970 00:00:01 +0000")\r\n'
        b'* 2 FETCH (UID 12 RFC822.SIZE 200 FLAGS (\\Deleted) INTERNALDATE "01-Jan-1970 00:00:02 +0000")\r\n'
        b'* 3 FETCH (UID 13 RFC822.SIZE 300 FLAGS ($POP3Deleted) INTERNALDATE "01-Jan-1970 00:00:03 +0000")\r\n'
        b"* 9 EXISTS\r\n"
        b"* 2 FETCH (UID 12 FLAGS (\\Seen))\r\n"
        b"* 5 FETCH (FLAGS (\\Deleted) RFC822.SIZE 500 UID 15)\r\n"
        b'* 6 FETCH (UID 16 RFC822.SIZE 600 FLAGS () INTERNALDATE "31-Feb-1970 00:00:01 +0000")\r\n'
        b"A2 OK done\r\n",
    )
    assert events == [
        rows(1, 11, 100, 1),
        ListingRows(
            array("I", [2, 3]), array("I", [12, 13]), array("Q", [200, 300]), array("q", [2, 3]), b"\1\0", b"\0\1"
        ),
        Responded(Exists(9), listing),
        Responded(Fetched(2, 12, frozenset({"\\Seen"})), listing),
        rows(5, 15, 500, -1, b"\1"),
        rows(6, 16, 600, -1),
        Completed(Tag("A2"), listing, OK),
    ]


def test_a_hundred_changed_flags_before_a_listing_are_read_at_once_and_the_rows_behind_them_are_all_there() -> None:
    client = logged_in()
    say(client, Select("INBOX", since=(7, 5)))
    say(client, listing := FetchListing("1:*"))
    news = b"* 1 FETCH (UID 11 FLAGS (\\Seen) MODSEQ (6))\r\n"
    row = b"* 1 FETCH (UID 11 RFC822.SIZE 100)\r\n"
    told = Responded(Fetched(1, 11, frozenset({"\\Seen"}), modseq=6), listing, Tag("A3"))
    heard = hear(client, news * 100 + b"A2 OK done\r\n" + row + news + row + b"A3 OK done\r\n")
    assert [event for event in heard if not isinstance(event, Completed)] == [
        told,
        rows(1, 11, 100),
        told,
        rows(1, 11, 100),
    ]


def test_changed_flags_out_of_bounds_are_a_violation_all_the_same() -> None:
    client = logged_in()
    say(client, FetchListing("1:*"))
    news = b"* 1 FETCH (UID %d FLAGS ())\r\n"
    with pytest.raises(ProtocolViolation):
        hear(client, news % 1 + news % 2 + news % 2**32 + news % 3)


def test_changed_flags_are_told_whoever_asked_for_flags_before_he_listed() -> None:
    client = logged_in()
    say(client, FetchListing("1:*"))
    news = b"* 1 FETCH (UID 11 FLAGS ())\r\n"
    hear(client, news + news + b"A2 OK done\r\n")
    say(client, FetchFlags("1:*"))
    say(client, FetchListing("1:*"))
    assert len(hear(client, news * 3)) == 3


def test_a_row_out_of_bounds_is_a_violation_at_its_place() -> None:
    client = logged_in()
    say(client, FetchListing("1:*"))
    row = b"* 1 FETCH (UID %d RFC822.SIZE 100)\r\n"
    events: list[Event] = []
    with pytest.raises(ProtocolViolation):
        events.extend(client.receive(row % 1 + row % 2))
        for event in client.receive(row % 3 + row % 2**32 + row % 4):
            events.append(event)  # noqa: PERF402  # what came before the violation must be kept
    assert events == [rows(1, 1, 100), rows(1, 2, 100), rows(1, 3, 100)]


def test_data_of_a_message_without_a_listing_in_flight_is_told_as_such() -> None:
    client = logged_in()
    say(client, FetchFlags("1:*"))
    assert hear(client, b"* 1 FETCH (UID 1 RFC822.SIZE 100)\r\n") == [
        Responded(Fetched(1, 1, size=100), FetchFlags("1:*"))
    ]


def test_the_same_after_a_listing() -> None:
    client = logged_in()
    say(client, FetchListing("1:*"))
    row = b"* 1 FETCH (UID 1 RFC822.SIZE 100)\r\n"
    assert [type(event) for event in hear(client, row * 3 + b"A2 OK\r\n" + row)] == [
        ListingRows,
        ListingRows,
        Completed,
        RowsCame,
    ]


def test_a_bad_date_slows_down_only_what_came_with_it() -> None:
    client = logged_in()
    say(client, FetchListing("1:*"))
    row = b'* 1 FETCH (UID 1 RFC822.SIZE 100 INTERNALDATE "01-Jan-1970 00:00:05 +0000")\r\n'
    hear(client, row)
    assert [len(event.uids) for event in hear(client, row * 2) if isinstance(event, ListingRows)] == [2]
    bad = row.replace(b"01-Jan", b"32-Jan")
    assert hear(client, row + bad + row) == [rows(1, 1, 100, 5), rows(1, 1, 100, -1), rows(1, 1, 100, 5)]
    assert [len(event.uids) for event in hear(client, row * 2) if isinstance(event, ListingRows)] == [2]


# Bodies


def test_a_body_comes_piece_by_piece() -> None:
    client = logged_in()
    say(client, FetchBody(Uid(7)))
    assert hear(client, b"* 1 FETCH (UID 7 BODY[] {10}\r\n012") == [
        BodyBegan(Uid(7), "", None, 10),
        BodyOctets(b"012"),
    ]
    assert not client.quiet
    assert hear(client, b"345") == [BodyOctets(b"345")]
    assert hear(client, b"6789)\r\nA2 OK done\r\n") == [
        BodyOctets(b"6789"),
        BodyEnded(Uid(7)),
        Completed(Tag("A2"), FetchBody(Uid(7)), OK),
    ]
    assert client.quiet


def test_pieces_of_a_body_are_not_copied_together() -> None:
    client = logged_in()
    say(client, FetchBody(Uid(7)))
    hear(client, b"* 1 FETCH (UID 7 BODY[] {131072}\r\n")
    piece = b"x" * 65536
    (event,) = hear(client, piece)
    assert isinstance(event, BodyOctets)
    assert event.octets is piece


def test_an_empty_body_begins_and_ends() -> None:
    client = logged_in()
    assert hear(client, b"* 1 FETCH (UID 7 BODY[] {0}\r\n)\r\n") == [BodyBegan(Uid(7), "", None, 0), BodyEnded(Uid(7))]
    assert hear(client, b'* 1 FETCH (UID 7 BODY[TEXT]<5> "")\r\n') == [
        BodyBegan(Uid(7), "TEXT", 5, 0),
        BodyEnded(Uid(7)),
    ]


def test_a_quoted_body_is_told_like_any_other() -> None:
    client = logged_in()
    assert hear(client, b'* 1 FETCH (BODY[HEADER] "a\\"b" UID 7)\r\n') == [
        BodyBegan(Uid(7), "HEADER", None, 3),
        BodyOctets(b'a"b'),
        BodyEnded(Uid(7)),
    ]


def test_the_uid_may_come_last() -> None:
    client = logged_in()
    assert hear(client, b"* 1 FETCH (BODY[] {1}\r\nx UID 7)\r\n") == [
        BodyBegan(None, "", None, 1),
        BodyOctets(b"x"),
        BodyEnded(Uid(7)),
    ]


def test_several_bodies_and_flags_in_one_response() -> None:
    client = logged_in()
    assert hear(client, b"* 1 FETCH (BODY[1] {1}\r\nx BODY[2] {1}\r\ny UID 7 FLAGS (\\Seen) BODY[3] NIL)\r\n") == [
        BodyBegan(None, "1", None, 1),
        BodyOctets(b"x"),
        BodyEnded(None),
        BodyBegan(None, "2", None, 1),
        BodyOctets(b"y"),
        BodyEnded(Uid(7)),
        BodyAbsent(Uid(7), "3"),
        Responded(Fetched(1, 7, frozenset({"\\Seen"})), None),
    ]


def test_other_events_of_the_line_keep_their_place_between_bodies() -> None:
    client = logged_in()
    say(client, FetchBody(Uid(7)), FetchBody(Uid(8)))
    events = hear(
        client,
        b"* 1 FETCH (UID 7 BODY[] {3}\r\nabc)\r\nA2 OK done\r\n"
        b"* 2 EXPUNGE\r\n* 2 FETCH (UID 8 BODY[] NIL)\r\nA3 NO gone\r\n",
    )
    assert [type(event) for event in events] == [
        BodyBegan,
        BodyOctets,
        BodyEnded,
        Completed,
        Responded,
        BodyAbsent,
        Completed,
    ]


# Turns and ends


def test_idle() -> None:
    client = logged_in()
    assert say(client, Idle(), Noop()) == b"A2 IDLE\r\n"
    assert hear(client, b"+ idling\r\n* 4 EXISTS\r\n") == [Idling(), Responded(Exists(4), Idle())]
    client.done()
    assert client.octets_to_send() == b"DONE\r\nA3 NOOP\r\n", "in one write"
    assert hear(client, b"A2 OK done\r\n") == [Completed(Tag("A2"), Idle(), OK)]


def test_an_idle_that_has_begun_and_nothing_else_is_no_work() -> None:
    client, idling = logged_in(), []
    say(client, Idle())
    for octets in (b"", b"+ idling\r\n", b"* 4 EX", b"ISTS\r\n"):
        hear(client, octets)
        idling.append(client.idling)
    assert idling == [False, True, False, True], "not before the server says so, and not with a partial line"
    client.send(Noop())
    assert not client.idling


def test_more_may_be_asked_while_the_answers_are_read() -> None:
    client = logged_in()
    say(client, Noop())
    for event in client.receive(b"* 1 EXISTS\r\nA2 OK done\r\n"):
        if isinstance(event, Completed):
            client.send(Logout())
    assert client.octets_to_send() == b"A3 LOGOUT\r\n"


def test_reading_may_pause_between_two_events() -> None:
    client = logged_in()
    events = client.receive(b"* 1 EXISTS\r\n* 2 EXISTS\r\n")
    assert next(events) == Responded(Exists(1), None)
    assert not is_quiet(client)
    assert hear(client, b"* 3 EXISTS\r\n") == [Responded(Exists(2), None), Responded(Exists(3), None)]
    assert is_quiet(client)


def test_replies_may_come_in_another_order() -> None:
    client = logged_in()
    say(client, Store("1", ("\\Deleted",)), Noop())
    assert [event.tag for event in hear(client, b"A3 OK x\r\nA2 OK x\r\n") if isinstance(event, Completed)] == [
        "A3",
        "A2",
    ]


def test_quiet_means_that_nothing_is_open() -> None:
    client = logged_in()
    assert is_quiet(client)
    client.send(Noop())
    assert not is_quiet(client)
    client.octets_to_send()
    assert not is_quiet(client)
    hear(client, b"A2 OK x\r\n* OK")
    assert not is_quiet(client)
    hear(client, b"\r\n")
    assert is_quiet(client)


def test_after_the_end_nothing_goes_out_and_nothing_comes_in() -> None:
    client = logged_in()
    client.end_of_stream()
    assert client.state is ClientState.ENDED
    assert say(client, Noop()) == b""
    assert hear(client, b"* 1 EXISTS\r\n") == []


def test_a_quirk_is_told_once() -> None:
    met: list[Quirk] = []
    client = logged_in(on_quirk=met.append)
    hear(client, b"* OK a\n* OK b\n* SEARCH 1 \r\n* SEARCH 2 \r\n")
    assert met == [Quirk.BARE_LF, Quirk.TRAILING_BLANK]


def test_mailboxes_are_listed() -> None:
    client = logged_in()
    say(client, ListMailboxes())
    events = hear(client, b'* LIST (\\trash) "/" {5}\r\na b c\r\n* LIST () "/" x\r\nA2 OK done\r\n')
    assert events[:2] == [
        Responded(Listed(frozenset({"\\Trash"}), "/", "a b c"), ListMailboxes()),
        Responded(Listed(frozenset(), "/", "x"), ListMailboxes()),
    ]


def test_only_what_was_asked_for_counts_as_enabled() -> None:
    """A server that names a million capabilities of its own makes us keep none of them."""
    client = Client()
    list(client.receive(b"* PREAUTH [CAPABILITY IMAP4rev1 ENABLE] hello\r\n"))
    client.send(Enable(("UTF8=ACCEPT",)))
    client.octets_to_send()
    list(client.receive(b"* ENABLED X1 X2 UTF8=ACCEPT X3\r\n"))

    assert client.enabled == {"UTF8=ACCEPT"}
