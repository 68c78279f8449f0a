"""Each command is written as its RFC says, and none can be made to say more."""

from typing import get_args

import pytest

from bridge.imap import commands
from bridge.imap.commands import (
    AskNamespace,
    AskRights,
    AskStatus,
    Authenticate,
    Capability,
    Command,
    Copy,
    Enable,
    Examine,
    Expunge,
    ExpungeAll,
    FetchBodies,
    FetchBody,
    FetchFlags,
    FetchHeaders,
    FetchIds,
    FetchListing,
    FetchStates,
    Identify,
    Idle,
    ListMailboxes,
    Login,
    Logout,
    Move,
    Noop,
    Search,
    Select,
    Starttls,
    Store,
    Tag,
    Unselect,
    encode,
)
from bridge.imap.writing import Context
from bridge.names import Uid
from bridge.secret import Secret

PLAIN = Context()
FULL = Context(frozenset({"SASL-IR", "LITERAL+", "SPECIAL-USE", "LIST-EXTENDED"}))

WRITTEN: list[tuple[Command, bytes]] = [
    (Capability(), b"CAPABILITY"),
    (Noop(), b"NOOP"),
    (Logout(), b"LOGOUT"),
    (Starttls(), b"STARTTLS"),
    (Unselect(), b"UNSELECT"),
    (AskNamespace(), b"NAMESPACE"),
    (Idle(), b"IDLE"),
    (Login(b"alice", Secret(b'a "b\\')), b'LOGIN "alice" "a \\"b\\\\"'),
    (Authenticate("PLAIN"), b"AUTHENTICATE PLAIN"),
    (Authenticate("PLAIN", Secret(b"\0a\0b")), b"AUTHENTICATE PLAIN"),
    (Identify((("name", "popbridge"), ("version", "1"))), b'ID ("name" "popbridge" "version" "1")'),
    (Identify(()), b"ID NIL"),
    (Enable(("UTF8=ACCEPT", "CONDSTORE")), b"ENABLE UTF8=ACCEPT CONDSTORE"),
    (Select("INBOX"), b'SELECT "INBOX"'),
    (Select("INBOX", condstore=True), b'SELECT "INBOX" (CONDSTORE)'),
    (Select("INBOX", condstore=True, since=(7, 2**62)), b'SELECT "INBOX" (QRESYNC (7 4611686018427387904))'),
    (Examine("Entwürfe"), b'EXAMINE "Entw&APw-rfe"'),
    (ListMailboxes(), b'LIST "" "*"'),
    (ListMailboxes("a%"), b'LIST "" "a%"'),
    (ListMailboxes(special_use=True), b'LIST "" "*"'),
    (AskStatus("INBOX", ("MESSAGES", "UIDNEXT")), b'STATUS "INBOX" (MESSAGES UIDNEXT)'),
    (AskRights("a b"), b'MYRIGHTS "a b"'),
    (FetchListing("1:*"), b"UID FETCH 1:* (UID RFC822.SIZE FLAGS INTERNALDATE)"),
    (FetchFlags("1,5:7"), b"UID FETCH 1,5:7 (UID FLAGS)"),
    (FetchStates("1,5:7"), b"UID FETCH 1,5:7 (UID RFC822.SIZE INTERNALDATE FLAGS)"),
    (FetchStates("1", modseq=True), b"UID FETCH 1 (UID RFC822.SIZE INTERNALDATE FLAGS MODSEQ)"),
    (FetchIds("1:3", "EMAILID"), b"UID FETCH 1:3 (UID EMAILID)"),
    (
        FetchHeaders("1:3", ("DATE", "MESSAGE-ID")),
        b"UID FETCH 1:3 (UID BODY.PEEK[HEADER.FIELDS (DATE MESSAGE-ID)])",
    ),
    (
        FetchHeaders("1:3", ("DATE",), ("X-GM-MSGID",)),
        b"UID FETCH 1:3 (UID X-GM-MSGID BODY.PEEK[HEADER.FIELDS (DATE)])",
    ),
    (FetchBodies(frozenset({3, 4, 9})), b"UID FETCH 3:4,9 (UID BODY.PEEK[])"),
    (FetchBodies(frozenset({3}), 16384), b"UID FETCH 3 (UID BODY.PEEK[]<0.16384>)"),
    (FetchBody(Uid(7)), b"UID FETCH 7 (UID BODY.PEEK[])"),
    (FetchBody(Uid(7), "HEADER"), b"UID FETCH 7 (UID BODY.PEEK[HEADER])"),
    (FetchBody(Uid(7), "TEXT", 10, 20), b"UID FETCH 7 (UID BODY.PEEK[TEXT]<10.20>)"),
    (FetchBody(Uid(7), start=10), b"UID FETCH 7 (UID BODY.PEEK[]<10.4294967295>)"),
    (FetchBody(Uid(7), count=20), b"UID FETCH 7 (UID BODY.PEEK[]<0.20>)"),
    (
        FetchBody(Uid(7), "HEADER.FIELDS (MESSAGE-ID)"),
        b"UID FETCH 7 (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])",
    ),
    (Store("4:6", ("\\Deleted", "$POP3Deleted")), b"UID STORE 4:6 +FLAGS.SILENT (\\Deleted $POP3Deleted)"),
    (Store("4", ("\\Seen",), add=False, silent=False), b"UID STORE 4 -FLAGS (\\Seen)"),
    (Expunge("3:5"), b"UID EXPUNGE 3:5"),
    (ExpungeAll(), b"EXPUNGE"),
    (Move("3", "Trash"), b'UID MOVE 3 "Trash"'),
    (Copy("3", "Trash"), b'UID COPY 3 "Trash"'),
    (Search(("DELETED",)), b"UID SEARCH DELETED"),
    (
        Search(("OR (KEYWORD $POP3Deleted) DELETED", "UID", "5:*"), returning=True),
        b"UID SEARCH RETURN (ALL) OR (KEYWORD $POP3Deleted) DELETED UID 5:*",
    ),
    (Search(("HEADER", "Message-ID", b'<a"b@c>')), b'UID SEARCH HEADER Message-ID "<a\\"b@c>"'),
]


@pytest.mark.parametrize(("command", "words"), WRITTEN)
def test_known_answers(command: Command, words: bytes) -> None:
    assert encode(command, Tag("A7"), PLAIN) == (b"A7 " + words + b"\r\n",)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (Authenticate("PLAIN", Secret(b"\0a\0b")), b"AUTHENTICATE PLAIN AGEAYg=="),
        (Authenticate("EXTERNAL", Secret(b"")), b"AUTHENTICATE EXTERNAL ="),
        (Authenticate("PLAIN"), b"AUTHENTICATE PLAIN"),
        (Login(b"\xe4", Secret(b"\xfc")), b"LOGIN {1+}\r\n\xe4 {1+}\r\n\xfc"),
        (ListMailboxes(special_use=True), b'LIST (SPECIAL-USE) "" "*" RETURN (SPECIAL-USE)'),
        (ListMailboxes(), b'LIST "" "*"'),
        (Search(("SUBJECT", "ä".encode())), b"UID SEARCH CHARSET UTF-8 SUBJECT {2+}\r\n\xc3\xa4"),
    ],
)
def test_what_the_server_offers_is_used(command: Command, words: bytes) -> None:
    assert encode(command, Tag("A7"), FULL) == (b"A7 " + words + b"\r\n",)


def test_special_use_needs_extended_list_or_revision_2() -> None:
    asking = ListMailboxes(special_use=True)
    assert b"SPECIAL" not in encode(asking, Tag("A1"), Context(frozenset({"SPECIAL-USE"})))[0]
    assert b"SPECIAL" in encode(asking, Tag("A1"), Context(frozenset({"IMAP4REV2"})))[0]


def test_a_charset_is_not_named_once_utf8_is_enabled() -> None:
    assert b"CHARSET" not in encode(Search((b"\xc3\xa4",)), Tag("A1"), Context(utf8=True))[0]


def test_an_8_bit_login_waits_twice() -> None:
    assert encode(Login(b"\xe4", Secret(b"\xfc")), Tag("A1"), PLAIN) == (
        b"A1 LOGIN {1}\r\n",
        b"\xe4 {1}\r\n",
        b"\xfc\r\n",
    )


@pytest.mark.parametrize(
    "command",
    [
        Login(b"a\r\nA2 DELETE INBOX", Secret(b"x")),
        Login(b"a", Secret(b"x\nA2 LOGOUT")),
        Login(b"a", Secret(b"x\0")),
        Select("a\rb"),
        Examine("a\nb"),
        Move("1", "a\0b"),
        Copy("1", "a\r\nb"),
        AskRights("\n"),
        AskStatus("x", ("MESSAGES)",)),
        ListMailboxes("a\r\n"),
        FetchListing("1:* (BODY[])"),
        FetchListing(""),
        FetchFlags("1\r\n"),
        FetchStates("1 x"),
        FetchIds("1", "EMAILID) x"),
        FetchIds("1\r\n", "EMAILID"),
        FetchHeaders("1", ("DATE)] x",)),
        FetchHeaders("1", ("DATE",), ("A B",)),
        FetchHeaders("1\n", ("DATE",)),
        FetchBody(Uid(1), "]\r\nA2 LOGOUT"),
        FetchBody(Uid(1), "TEXT] BODY[HEADER"),
        Store("1", ("\\Seen) x",)),
        Store("1", ("a b",)),
        Expunge("x"),
        Enable(("a b",)),
        Authenticate("PLAIN\r\nX"),
        Identify((("a", "b\r\nc"),)),
        Search(("DELETED\r\nA2 LOGOUT",)),
        Search(('SUBJECT "x"',)),
        Search(("SUBJECT {5}",)),
        Search((b"a\nb",)),
    ],
)
def test_nothing_can_be_smuggled_in(command: Command) -> None:
    for context in (PLAIN, FULL):
        with pytest.raises(ValueError, match=r"CR, LF or NUL|as it is"):
            encode(command, Tag("A1"), context)


def test_a_password_is_never_shown() -> None:
    for command in (Login(b"alice", Secret(b"hunter2")), Authenticate("PLAIN", Secret(b"hunter2"))):
        assert "hunter2" not in repr(command)
        assert "hunter2" not in str(command)


def test_everybody_s_marks_are_expunged_under_one_name_only() -> None:
    assert not hasattr(commands, "Close")
    said = {type(command): encode(command, Tag("A1"), PLAIN)[0].split()[1] for command, _ in WRITTEN}
    assert [kind for kind, word in said.items() if word in {b"EXPUNGE", b"CLOSE"}] == [ExpungeAll]


def test_every_command_has_a_known_answer() -> None:
    assert {type(command) for command, _ in WRITTEN} == set(get_args(Command))
