"""What the server says becomes values, as the RFCs' own examples show."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.imap.lexer import Cursor
from bridge.imap.parser import Reading, read_response
from bridge.imap.quirks import Quirk, ignore
from bridge.imap.responses import (
    Capabilities,
    Enabled,
    Exists,
    Expunged,
    Flags,
    Identified,
    Listed,
    MailboxStatus,
    Namespace,
    Namespaces,
    Recent,
    Response,
    Rights,
    Searched,
    Unknown,
    Vanished,
)
from bridge.violation import ProtocolViolation

READING = Reading(uids=1000)

EXAMPLES: list[tuple[bytes, Response]] = [
    (b"CAPABILITY IMAP4rev1 STARTTLS auth=Plain", Capabilities(frozenset({"IMAP4REV1", "STARTTLS", "AUTH=PLAIN"}))),
    (b"ENABLED CONDSTORE x-good", Enabled(frozenset({"CONDSTORE", "X-GOOD"}))),
    (b"ENABLED", Enabled(frozenset())),
    (b"23 EXISTS", Exists(23)),
    (b"0 exists", Exists(0)),
    (b"5 RECENT", Recent(5)),
    (b"44 EXPUNGE", Expunged(44)),
    (b"FLAGS (\\Answered \\Seen)", Flags(frozenset({"\\Answered", "\\Seen"}))),
    (b"FLAGS ()", Flags(frozenset())),
    (b"SEARCH 2 3 6", Searched(array("I", [2, 3, 6]))),
    (b"SEARCH", Searched(array("I"))),
    (b"search ", Searched(array("I"))),
    (b"SEARCH 2 5 (MODSEQ 917162500)", Searched(array("I", [2, 5]), 917162500)),
    (b'ESEARCH (TAG "A282") UID MIN 2 COUNT 3 ALL 2,10:11', Searched(array("I", [2, 10, 11]))),
    (b'ESEARCH (TAG "A283") ALL 2,10 MODSEQ 12 X-NEW (a b)', Searched(array("I", [2, 10]), 12)),
    (b'ESEARCH (TAG "A284") UID', Searched(array("I"))),
    (b"VANISHED (EARLIER) 41,43:116,118", Vanished([(41, 41), (43, 116), (118, 118)], earlier=True)),
    (b"VANISHED 405,407", Vanished([(405, 405), (407, 407)], earlier=False)),
    (b'LIST (\\Noselect) "/" ~/Mail/foo', Listed(frozenset({"\\Noselect"}), "/", "~/Mail/foo")),
    (b"LIST () NIL inbox", Listed(frozenset(), None, "INBOX")),
    (b'LIST (\\marked \\TRASH) "\\\\" "a \\"b\\""', Listed(frozenset({"\\Marked", "\\Trash"}), "\\", 'a "b"')),
    (
        b'LIST (\\HasChildren) "." Entw&APw-rfe ("CHILDINFO" ("SUBSCRIBED"))',
        Listed(frozenset({"\\HasChildren"}), ".", "Entwürfe"),
    ),
    (b"NAMESPACE NIL NIL NIL", Namespaces((), (), ())),
    (
        b'NAMESPACE (("" "/")("#mh/" NIL "X-PARAM" ("a" "b"))) (("~" "/")) NIL',
        Namespaces((Namespace("", "/"), Namespace("#mh/", None)), (Namespace("~", "/"),), ()),
    ),
    (b'ID ("name" "Cyrus" "VERSION" "1.5" "os" NIL)', Identified({"name": "Cyrus", "version": "1.5"})),
    (b"ID NIL", Identified({})),
    (b"ID ()", Identified({})),
    (
        b"STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)",
        MailboxStatus("blurdybloop", {"MESSAGES": 231, "UIDNEXT": 44292}),
    ),
    (b'STATUS "x" (mailboxid (M1) SIZE 9223372036854775807)', MailboxStatus("x", {"SIZE": 2**63 - 1})),
    (b"STATUS INBOX ()", MailboxStatus("INBOX", {})),
    (b"MYRIGHTS INBOX lrswipcda", Rights("INBOX", "lrswipcda")),
    (b'XLIST (\\Inbox) "/" "Inbox"', Unknown("XLIST")),
    (b"7 NEWTHING a", Unknown("NEWTHING")),
]


def read(octets: bytes, *literals: bytes, reading: Reading = READING, met: list[Quirk] | None = None) -> Response:
    return read_response(Cursor(octets.split(b"|"), literals, met=ignore if met is None else met.append), reading)


@pytest.mark.parametrize(("octets", "expected"), EXAMPLES)
def test_known_answers(octets: bytes, expected: Response) -> None:
    assert read(octets) == expected


def test_a_mailbox_name_may_be_a_literal() -> None:
    assert read(b'LIST () "/" |', b"a \xff") == Listed(frozenset(), "/", "a ÿ")
    assert read(b"STATUS | (MESSAGES 1)", b"x y") == MailboxStatus("x y", {"MESSAGES": 1})


def test_mailbox_names_are_utf8_once_that_is_enabled() -> None:
    octets = 'LIST () "/" "Entwürfe & mehr"'.encode()
    assert read(octets, reading=Reading(utf8=True)) == Listed(frozenset(), "/", "Entwürfe & mehr")


@pytest.mark.parametrize(
    "octets",
    [
        b"-1 EXISTS",
        b"4294967296 EXISTS",
        b"99999999999999999999999999 RECENT",
        b"0 EXPUNGE",
        b"5 EXPUNGE now",
        b"SEARCH 1 x",
        b"SEARCH 0",
        b"SEARCH -1",
        b"SEARCH 4294967296",
        b"SEARCH 1 (MODSEQ x)",
        b"ESEARCH ALL 1:4294967295",
        b"ESEARCH ALL 1:*",
        b"ESEARCH ALL",
        b"VANISHED",
        b"VANISHED (EARLIER) x",
        b"LIST",
        b"LIST () x",
        b'LIST (\\a "/" x',
        b'LIST () "/" x y z',
        b"FLAGS",
        b"FLAGS (a",
        b"NAMESPACE NIL NIL",
        b"NAMESPACE (x) NIL NIL",
        b'ID ("name")',
        b"STATUS x (MESSAGES -1)",
        b"STATUS x (MESSAGES)",
        b"CAPABILITY (x)",
        b"(x)",
        b"",
    ],
)
def test_what_the_grammar_does_not_know_is_a_violation(octets: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        read(octets)


def test_a_search_result_beyond_the_bound_is_refused() -> None:
    with pytest.raises(ProtocolViolation, match="more than"):
        read(b"SEARCH" + b" 1" * 1001)


def test_an_unknown_name_is_cut_before_it_is_shown() -> None:
    met: list[Quirk] = []
    assert read(b"X" * 100_000, met=met) == Unknown("X" * 200)
    assert met == [Quirk.UNKNOWN_RESPONSE]


@given(st.sampled_from([example for example, _ in EXAMPLES]), st.binary(max_size=20), st.integers(0, 60), st.booleans())
def test_nothing_but_a_violation_comes_of_a_garbled_response(octets: bytes, junk: bytes, at: int, cut: bool) -> None:
    garbled = octets[:at] + junk + (b"" if cut else octets[at:])
    try:
        read(garbled.replace(b"|", b""))
    except ProtocolViolation:
        return
