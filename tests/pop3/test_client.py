"""A conversation with a POP3 server: commands leave when they may, and each answer is its command's."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.names import MessageNumber
from bridge.pop3.answers import Status
from bridge.pop3.client import Answered, Began, Came, Challenged, Client, Ended, Event, Greeted, Told
from bridge.pop3.commands import (
    Auth,
    Capa,
    Command,
    Dele,
    List,
    Pass,
    Quit,
    Retr,
    Stat,
    Stls,
    Top,
    Uidl,
    User,
)
from bridge.secret import Secret
from bridge.violation import ProtocolViolation

ONE, TWO = MessageNumber(1), MessageNumber(2)
PIPELINING = b"+OK\r\nPIPELINING\r\nSASL PLAIN XOAUTH2\r\n.\r\n"


def hear(client: Client, octets: bytes) -> list[Event]:
    return list(client.receive(octets))


def greeted(capabilities: bytes | None = None) -> Client:
    client = Client()
    hear(client, b"+OK ready\r\n")
    if capabilities is not None:
        client.send(Capa())
        client.octets_to_send()
        hear(client, capabilities)
    return client


def asking(client: Client, *commands: Command) -> bytes:
    for command in commands:
        client.send(command)
    return client.octets_to_send()


def test_nothing_is_said_before_the_greeting() -> None:
    client = Client()
    assert asking(client, Capa()) == b""
    assert not client.quiet
    assert hear(client, b"+OK POP3 <1.2@x>\r\n") == [Greeted(Status(True, text="POP3 <1.2@x>"))]
    assert client.octets_to_send() == b"CAPA\r\n"


def test_one_after_the_other_where_pipelining_is_not_offered() -> None:
    client = greeted()
    assert asking(client, Stat(), Dele(ONE), Quit()) == b"STAT\r\n"
    assert hear(client, b"+OK 1 5\r\n") == [Answered(Stat(), Status(True, text="1 5"))]
    assert client.octets_to_send() == b"DELE 1\r\n"
    assert hear(client, b"-ERR no\r\n") == [Answered(Dele(ONE), Status(False, text="no"))]
    assert client.octets_to_send() == b"QUIT\r\n"
    assert hear(client, b"+OK\r\n") == [Answered(Quit(), Status(True))]
    assert client.quiet


def test_all_at_once_where_it_is_and_no_more_than_agreed() -> None:
    client = Client(at_once=3)
    hear(client, b"+OK\r\n")
    asking(client, Capa())
    hear(client, PIPELINING)
    assert asking(client, Stat(), List(), Uidl(), Retr(ONE)) == b"STAT\r\nLIST\r\nUIDL\r\n"
    events = hear(client, b"+OK 1 5\r\n+OK\r\n1 5\r\n.\r\n+OK\r\n1 abc\r\n.\r\n")
    assert events == [
        Answered(Stat(), Status(True, text="1 5")),
        Began(List(), Status(True)),
        Came(b"1 5\r\n"),
        Ended(List()),
        Began(Uidl(), Status(True)),
        Came(b"1 abc\r\n"),
        Ended(Uidl()),
    ]
    assert client.octets_to_send() == b"RETR 1\r\n"


def test_a_login_is_never_pipelined() -> None:
    client = greeted(PIPELINING)
    assert asking(client, User(b"ann"), Pass(Secret(b"a b")), Stat()) == b"USER ann\r\n"
    hear(client, b"+OK\r\n")
    assert client.octets_to_send() == b"PASS a b\r\n"
    hear(client, b"+OK\r\n")
    assert client.octets_to_send() == b"STAT\r\n"


def test_a_message_piece_by_piece_without_its_stuffing() -> None:
    client = greeted()
    asking(client, Retr(ONE))
    events = []
    for piece in (b"+OK 9 octets\r\n..a\r", b"\nb\r\n", b".\r", b"\n"):
        events += hear(client, piece)
    assert events[0] == Began(Retr(ONE), Status(True, text="9 octets"))
    assert b"".join(event.octets for event in events if isinstance(event, Came)) == b".a\r\nb\r\n"
    assert events[-1] == Ended(Retr(ONE))
    assert client.quiet


def test_a_message_refused_has_no_lines() -> None:
    client = greeted()
    asking(client, Top(ONE, 0))
    assert hear(client, b"-ERR [SYS/TEMP] not now\r\n") == [Answered(Top(ONE, 0), Status(False, "SYS/TEMP", "not now"))]


def test_list_and_uidl_of_one_message_are_one_line() -> None:
    client = greeted()
    asking(client, List(TWO))
    assert hear(client, b"+OK 2 5\r\n") == [Answered(List(TWO), Status(True, text="2 5"))]


def test_capabilities() -> None:
    assert greeted(PIPELINING).capabilities == {"PIPELINING": (), "SASL": ("PLAIN", "XOAUTH2")}
    old = greeted(b"-ERR unknown command\r\n")
    assert (old.capabilities, old.capabilities_known) == ({}, True)
    assert not greeted().capabilities_known


def test_they_are_bounded() -> None:
    client = Client(capabilities=100)
    hear(client, b"+OK\r\n")
    asking(client, Capa())
    with pytest.raises(ProtocolViolation, match="100 octets"):
        hear(client, b"+OK\r\n" + b"X\r\n" * 50)


def test_what_was_said_in_clear_is_forgotten_behind_stls() -> None:
    """S29."""
    client = greeted(PIPELINING)
    asking(client, Stls())
    hear(client, b"-ERR not now\r\n")
    assert client.capabilities
    asking(client, Stls())
    hear(client, b"+OK\r\n")
    assert (client.capabilities, client.capabilities_known) == ({}, False)


def test_octets_behind_the_answer_to_stls_end_the_conversation() -> None:
    client = greeted()
    asking(client, Stls())
    with pytest.raises(ProtocolViolation, match="before the handshake"):
        hear(client, b"+OK\r\n+OK injected\r\n")


def test_a_token_goes_in_two_steps() -> None:
    """Exchange Online refuses, and hangs up, where the token comes in AUTH's own line."""
    client = greeted(PIPELINING)
    assert asking(client, Auth("XOAUTH2")) == b"AUTH XOAUTH2\r\n"
    assert hear(client, b"+ \r\n") == [Challenged(b"")]
    client.respond(Secret(b"user=ann"))
    assert client.octets_to_send() == b"dXNlcj1hbm4=\r\n"
    assert hear(client, b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n") == [Challenged(b'{"status":"400"}')]
    client.respond(Secret(b""))
    assert client.octets_to_send() == b"\r\n"
    assert hear(client, b"-ERR [AUTH] no\r\n") == [Answered(Auth("XOAUTH2"), Status(False, "AUTH", "no"))]


def test_challenges_as_some_servers_write_them() -> None:
    client = greeted()
    asking(client, Auth("LOGIN"))
    assert hear(client, b"+\r\n") == [Challenged(b"")]
    assert hear(client, b"+ Username:\r\n") == [Challenged(b"")]
    client.respond(None)
    assert client.octets_to_send() == b"*\r\n"


@pytest.mark.parametrize("line", [b"+ \r\n", b"hello\r\n", b"\r\n", b"x" * 8192])
def test_what_is_no_pop3_ends_the_conversation(line: bytes) -> None:
    for client in (Client(), greeted()):
        asking(client, Stat())
        with pytest.raises(ProtocolViolation):
            hear(client, line)


def test_a_server_that_says_goodbye_unasked() -> None:
    client = greeted()
    assert hear(client, b"-ERR Disconnected for inactivity.\r\n") == [
        Told(Status(False, text="Disconnected for inactivity."))
    ]
    with pytest.raises(ProtocolViolation, match="nobody asked"):
        hear(client, b"-ERR\r\n" * 10)
    with pytest.raises(ProtocolViolation, match="nobody asked"):
        hear(greeted(), b"+OK\r\n")


def test_a_line_is_not_sent_that_is_two() -> None:
    with pytest.raises(ValueError, match="one line"):
        greeted().send(User(b"ann\r\nDELE 1"))


CONVERSATION: list[Command] = [Stat(), Uidl(), Retr(ONE), Retr(TWO), Top(ONE, 3), Dele(ONE), Quit()]
SAID = (
    b"+OK 2 9\n+OK\r\n1 ..a\r\n2 b\r\n.\r\n-ERR gone\r\n"
    b"+OK\r\n..\r\n...\r\n\r\n.x\r\n.\r\n+OK\r\n.\r\n+ok\r\n+OK bye\r\n"
)


def in_flight() -> Client:
    client = greeted(PIPELINING)
    asking(client, *CONVERSATION)
    return client


def joined(events: Iterable[Event]) -> list[Event]:
    """Octets that came one after the other as one."""
    found: list[Event] = []
    for event in events:
        if isinstance(event, Came) and found and isinstance(found[-1], Came):
            found[-1] = Came(found[-1].octets + event.octets)
        else:
            found.append(event)
    return found


WHOLE = joined(hear(in_flight(), SAID))


def test_the_sample_says_a_lot() -> None:
    assert [type(event) for event in WHOLE] == [
        *(Answered, Began, Came, Ended, Answered, Began, Came, Ended, Began, Ended, Answered, Answered)
    ]
    assert WHOLE[6] == Came(b".\r\n..\r\n\r\n.x\r\n")


@given(st.lists(st.integers(0, len(SAID)), max_size=20))
def test_however_it_is_cut_the_same_happens(cuts: list[int]) -> None:
    client, events = in_flight(), list[Event]()
    places = sorted({0, *cuts, len(SAID)})
    for start, end in pairwise(places):
        events += hear(client, SAID[start:end])
    assert joined(events) == WHOLE
    assert client.quiet


def test_octet_by_octet() -> None:
    client = in_flight()
    assert joined(event for at in range(len(SAID)) for event in hear(client, SAID[at : at + 1])) == WHOLE


PIECES = st.sampled_from(
    [b"+OK", b"-ERR", b"+ ", b"\r\n", b"\n", b".\r\n", b"..", b" [AUTH] ", b"1 2", b"\xff", b"x" * 3000, b"PIPELINING"]
)
ANY: list[Command] = [Auth("PLAIN"), Capa(), *CONVERSATION[:-1], Stls(), List()]


@given(st.lists(PIECES, max_size=60), st.permutations(ANY), st.booleans())
def test_nothing_but_a_violation_comes_out_of_any_octets(
    pieces: list[bytes], commands: list[Command], pipelined: bool
) -> None:
    client = greeted(PIPELINING if pipelined else None)
    asking(client, *commands)
    try:
        for piece in pieces:
            hear(client, piece)
            client.octets_to_send()
    except ProtocolViolation:
        pass
