"""Faults that were found in another IMAP client, each of which must not be found here."""

import tracemalloc
from array import array

import pytest

from bridge.imap.client import (
    BodyAbsent,
    BodyBegan,
    BodyEnded,
    BodyOctets,
    Client,
    ClientState,
    Completed,
    Limits,
    Responded,
    Tag,
)
from bridge.imap.commands import (
    Authenticate,
    FetchBody,
    FetchListing,
    Idle,
    ListMailboxes,
    Login,
    Logout,
    Noop,
    Search,
    Select,
    Starttls,
)
from bridge.imap.responses import Code, Exists, Expunged, Flags, Listed, Searched, Status, StatusKind
from bridge.names import Uid
from bridge.secret import Secret
from bridge.violation import ProtocolViolation
from tests.imap.conversations import connected, hear, hear_in_pieces, logged_in, say

MEGABYTE = 1 << 20


def peak_of(client: Client, octets: bytes, times: int) -> int:
    """Octets of memory that hearing this so many times takes at most."""
    for _ in client.receive(octets):
        pass
    tracemalloc.start()
    for _ in range(times):
        for _event in client.receive(octets):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_message_of_any_size_is_passed_on_without_being_held() -> None:
    client = logged_in()
    block = b"x" * 65536
    hear(client, b"* 1 FETCH (UID 7 BODY[] {%d}\r\n" % (65536 * 3201))
    assert peak_of(client, block, 3200) < MEGABYTE // 4
    assert hear(client, b")\r\n")


def test_each_row_is_told_before_the_tagged_ok() -> None:
    client = logged_in()
    say(client, FetchListing("1:*"))
    assert len(hear(client, b"* 1 FETCH (UID 7 RFC822.SIZE 1)\r\n")) == 1


def test_commands_do_not_wait_for_each_other() -> None:
    client = logged_in()
    assert say(client, Noop(), FetchBody(Uid(1)), Noop()).count(b"\r\n") == 3


def test_a_search_answer_of_100000_uids_on_one_line() -> None:
    client = logged_in()
    say(client, Search(("ALL",)))
    uids = array("I", range(1_000_000, 1_100_000))
    line = b"* SEARCH " + b" ".join(b"%d" % uid for uid in uids) + b"\r\n"
    assert len(line) > 16384 * 40
    events = [event for at in range(0, len(line), 4096) for event in client.receive(line[at : at + 4096])]
    assert events == [Responded(Searched(uids), Search(("ALL",)))]


def test_keywords_in_any_case() -> None:
    client = logged_in()
    say(client, Select("INBOX"))
    events = hear(
        client, b"* 3 exists\r\n* ok [uidvalidity 9] x\r\n* 1 fetch (uid 7 body[] {1}\r\nx)\r\nA2 ok done\r\n"
    )
    assert events == [
        Responded(Exists(3), Select("INBOX")),
        Responded(Status(StatusKind.OK, Code("UIDVALIDITY", 9), "x"), Select("INBOX")),
        BodyBegan(Uid(7), "", None, 1),
        BodyOctets(b"x"),
        BodyEnded(Uid(7)),
        Completed(Tag("A2"), Select("INBOX"), Status(StatusKind.OK, None, "done")),
    ]


def test_a_literal_at_the_end_of_a_line_swallows_neither_the_line_end_nor_the_next_line() -> None:
    client = logged_in()
    assert hear(client, b'* LIST () "/" {3}\r\nfoo\r\n* LIST () "/" {3}\r\nbar\r\n* 1 EXISTS\r\n') == [
        Responded(Listed(frozenset(), "/", "foo"), None),
        Responded(Listed(frozenset(), "/", "bar"), None),
        Responded(Exists(1), None),
    ]


@pytest.mark.parametrize(
    "text", ["an open [bracket", "an open (list", 'an open "quote', "[", "]", ")", "ends in {12}", "~{3}"]
)
def test_text_for_people_is_never_data(text: str) -> None:
    client = logged_in()
    say(client, Noop())
    octets = f"* OK {text}\r\n* NO {text}\r\nA2 OK {text}\r\n".encode()
    assert hear(client, octets) == [
        Responded(Status(StatusKind.OK, None, text), Noop()),
        Responded(Status(StatusKind.NO, None, text), Noop()),
        Completed(Tag("A2"), Noop(), Status(StatusKind.OK, None, text)),
    ]


def test_a_flag_with_a_bracket_or_quote_in_it() -> None:
    assert hear(logged_in(), b'* FLAGS (a]b c"d [e)\r\n') == [Responded(Flags(frozenset({"a]b", 'c"d', "[e"})), None)]


def test_nil_for_a_body_that_was_expunged_in_between() -> None:
    client = logged_in()
    assert hear(client, b"* 1 FETCH (UID 7 BODY[] NIL)\r\n") == [BodyAbsent(Uid(7), "")]


def test_expunge_during_a_fetch_is_told() -> None:
    client = logged_in()
    say(client, FetchListing("1:*"))
    assert hear(client, b"* 1 FETCH (UID 7 RFC822.SIZE 1)\r\n* 1 EXPUNGE\r\n")[1] == Responded(
        Expunged(1), FetchListing("1:*")
    )


def test_codes_are_kept() -> None:
    (event,) = hear(logged_in(), b"* OK [HIGHESTMODSEQ 715194045007]\r\n")
    assert event == Responded(Status(StatusKind.OK, Code("HIGHESTMODSEQ", 715194045007), ""), None)


BYE = Responded(Status(StatusKind.BYE, None, "for now"), None)


def test_a_bye_is_told_anywhere() -> None:
    pending = (Noop(), Logout(), FetchBody(Uid(7)), FetchListing("1:*"), Idle())
    for command in pending:
        client = logged_in()
        say(client, command)
        (event,) = hear(client, b"* BYE for now\r\n")
        assert event == Responded(Status(StatusKind.BYE, None, "for now"), command)
        assert say(client, Noop()) == (b"" if command == Idle() else b"A3 NOOP\r\n")
        client.end_of_stream()
        assert client.state is ClientState.ENDED
    assert hear(connected(), b"* BYE for now\r\n") == [BYE]
    assert hear(logged_in(), b"* BYE for now\r\n") == [BYE]


def test_a_bye_inside_a_body_is_mail() -> None:
    client = logged_in()
    assert hear(client, b"* 1 FETCH (BODY[] {9}\r\n* BYE x\r\n)\r\n")[1] == BodyOctets(b"* BYE x\r\n")


@pytest.mark.parametrize("octets", [b"x\r\nA2 DELETE INBOX", b"x\nA2 LOGOUT", b"x\rx", b"x\0"])
def test_a_password_cannot_say_a_command(octets: bytes) -> None:
    for client in (connected(), connected("IMAP4rev1 LITERAL+")):
        for login in (Login(octets, Secret(b"x")), Login(b"x", Secret(octets))):
            with pytest.raises(ValueError, match="CR, LF or NUL"):
                client.send(login)
        assert client.octets_to_send() == b""


def test_8_bit_in_a_login_is_a_literal() -> None:
    client = connected()
    assert say(client, Login(b"alice", Secret("pässwörd".encode()))) == b'A1 LOGIN "alice" {10}\r\n'
    hear(client, b"+ go ahead\r\n")
    assert client.octets_to_send() == "pässwörd\r\n".encode()


def test_a_long_token_is_not_folded() -> None:
    token = b"user=a\x01auth=Bearer " + b"t" * 4000 + b"\x01\x01"
    client = connected()
    say(client, Authenticate("XOAUTH2", Secret(token)))
    hear(client, b"+ \r\n")
    sent = client.octets_to_send()
    assert sent.endswith(b"\r\n")
    assert len(sent) > 5000
    assert b"\n" not in sent[:-2]
    client = connected("IMAP4rev1 SASL-IR")
    assert say(client, Authenticate("XOAUTH2", Secret(token))).count(b"\n") == 1


def test_logindisabled_is_known_before_a_password_is_sent() -> None:
    assert "LOGINDISABLED" in connected("IMAP4rev1 LOGINDISABLED").capabilities


@pytest.mark.parametrize(
    "behind", [b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", b"A2 OK\r\n", b"* OK", b"\r", b"\0", b"\x16\x03\x01"]
)
def test_octets_behind_starttls_are_never_believed(behind: bytes) -> None:
    client = connected("IMAP4rev1 STARTTLS")
    say(client, Starttls(), Noop())
    with pytest.raises(ProtocolViolation, match="STARTTLS"):
        hear(client, b"A1 OK begin\r\n" + behind)
    assert client.state is ClientState.ENDED
    assert client.octets_to_send() == b""


def test_preauth_is_told_so_that_a_stripped_starttls_is_noticed() -> None:
    client = Client()
    hear(client, b"* PREAUTH welcome\r\n")
    assert client.state is ClientState.AUTHENTICATED
    with pytest.raises(ProtocolViolation):
        hear(client, b"* PREAUTH again\r\n")


def test_names_and_sections_are_text_and_bodies_are_octets() -> None:
    began, octets, *_ = hear(logged_in(), b"* 1 FETCH (BODY[header] {1}\r\n\xff)\r\n")
    assert began == BodyBegan(None, "HEADER", None, 1)
    assert octets == BodyOctets(b"\xff")


# Hostile servers


@pytest.mark.parametrize(
    "octets",
    [
        b"* 1 FETCH (BODY[] {9223372036854775808}\r\n",
        b"* 1 FETCH (BODY[] {-5}\r\n",
        b"* 4294967296 EXISTS\r\n",
        b"* -1 EXISTS\r\n",
        b"* 0 FETCH (UID 1)\r\n",
        b"* 1 FETCH (UID 99999999999999999999)\r\n",
        b"* 1 FETCH (ENVELOPE " + b"(" * 10_000 + b")" * 10_000 + b")\r\n",
        b"* OK a\0b\r\n",
        b"A9 OK nobody asked\r\n",
        b"A2 BYE\r\n",
        b"A2 PREAUTH\r\n",
        b"A2\r\n",
        b"+ go ahead\r\n",
        b"\r\n",
        b"*\r\n",
        b"junk\r\n",
        b"* ESEARCH ALL 1:4294967295\r\n",
        b"* LIST () NIL {262145}\r\n",
        b"* 1 FETCH (UID 7 BODY[] {1}\r\nxUID 7)\r\n",
    ],
)
def test_a_hostile_line_is_a_violation_and_ends_the_conversation(octets: bytes) -> None:
    client = logged_in()
    say(client, Noop())
    with pytest.raises(ProtocolViolation) as violation:
        hear(client, octets)
    assert len(str(violation.value)) < 200
    assert client.state is ClientState.ENDED
    assert hear(client, b"A2 OK x\r\n") == []
    assert client.octets_to_send() == b""


def test_a_challenge_that_is_not_base64_is_a_violation() -> None:
    client = connected()
    say(client, Authenticate("LOGIN"))
    with pytest.raises(ProtocolViolation, match="base64"):
        hear(client, b"+ ????\r\n")


def test_ten_million_unsolicited_responses_cost_no_memory() -> None:
    client = logged_in()
    say(client, ListMailboxes())
    octets = b"* 5 EXISTS\r\n* 4 FETCH (FLAGS (\\Seen))\r\n* OK still here\r\n* X-NEW thing\r\n" * 100
    assert peak_of(client, octets, 50) < MEGABYTE // 4


def test_100_mb_without_a_line_end_are_refused_after_the_first() -> None:
    client = logged_in()
    block = b"* OK " + b"x" * 65536
    with pytest.raises(ProtocolViolation, match="longer"):
        hear_in_pieces(client, [block] * 1600)
    assert client.state is ClientState.ENDED


def test_the_text_between_many_bodies_of_one_response_is_bounded() -> None:
    client = logged_in(limits=Limits(line=1000))
    octets = b"* 1 FETCH (UID 1" + b" BODY[] {0}\r\n" * 100
    with pytest.raises(ProtocolViolation, match="longer"):
        hear(client, octets)


def test_a_hundred_thousand_little_bodies_in_one_response_take_no_quadratic_time() -> None:
    client = logged_in()
    say(client, FetchBody(Uid(1)))
    events = hear(client, b"* 1 FETCH (UID 1" + b" BODY[] {1}\r\nx" * 50_000 + b")\r\n")
    assert len(events) == 150_000


def test_flags_that_differ_in_each_row_are_not_all_remembered() -> None:
    client = logged_in()
    say(client, FetchListing("1:*"))
    hear(client, b"* 1 FETCH (UID 1 RFC822.SIZE 1 FLAGS ())\r\n")
    tracemalloc.start()
    for number in range(6000):
        hear(client, b"* 1 FETCH (UID 1 RFC822.SIZE 1 FLAGS (%s%d))\r\n" % (b"x" * 390, number))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MEGABYTE
