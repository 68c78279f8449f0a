"""A mail program gets what the mailbox holds, octet for octet, on every server (S11, S13; faults 4, 6, 19)."""

import re

import pytest
from attrs import frozen

from tests.mail.corpus import corpus
from tests.mail.nasty import nasty_mail
from tests.peers.bridge import Bridge
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import ImapServer, Mailbox
from tests.stories.conftest import BridgeTo
from tests.stories.pop3 import Gone, Pop3, Refused, opened

pytestmark = pytest.mark.story

NOT_DOVECOT = ["cyrus", "courier", "hoodiecrow", "pymap"]
COUNTS = (0, 5, 20, 99_999_999)


def mended(octets: bytes) -> bytes:
    """S11 by other means than the bridge's: a bare LF becomes CRLF, a missing final CRLF is added; else nothing."""
    out = re.sub(rb"(?<!\r)\n", b"\r\n", octets)
    return out if not out or out.endswith(b"\r\n") else out + b"\r\n"


def top_of(message: bytes, count: int) -> set[bytes]:
    """What TOP may give of a message as RETR gives it: header, empty line, so many lines of the body.

    Where the header has no end TOP may add the empty line (S13).
    """
    lines = message.split(b"\r\n")
    assert lines.pop() == b"" or not message
    if b"" not in lines:
        return {message, message + b"\r\n"}
    header = lines.index(b"") + 1
    return {b"".join(line + b"\r\n" for line in lines[: header + count])}


@frozen
class Served:
    messages: int
    octets: int


def bearable(name: str, messages: list[bytes]) -> list[bytes]:
    """hoodiecrow counts characters where it should count octets: imaplib, too, waits for ever for the rest."""
    return [m for m in messages if m.isascii() and mended(m) == m] if name == "hoodiecrow" else messages


def assert_served(bridge: Bridge, mailbox: Mailbox, counts: tuple[int, ...] = COUNTS) -> Served:
    """Every message of the mailbox comes as IMAP has it, and TOP and LIST agree with that."""
    raw = mailbox.raw_bodies()
    expected = [mended(raw[uid]) for uid in sorted(raw)]
    with opened(bridge.port, mailbox) as client:
        sizes = client.sizes()
        assert list(sizes) == list(range(1, len(expected) + 1))
        for number, got in enumerate(client.retr_all(sizes), 1):
            original = raw[sorted(raw)[number - 1]]
            assert got == expected[number - 1], f"message {number}: {_first_difference(got, expected[number - 1])}"
            if mended(original) == original:
                assert sizes[number] == len(original), f"LIST of message {number}"
        tops = [(number, count) for number in sizes for count in counts]
        for (number, count), got in zip(tops, client.bodies([f"TOP {n} {c}" for n, c in tops]), strict=True):
            assert got in top_of(expected[number - 1], count), f"TOP {number} {count}"
        assert client.quit().startswith(b"+OK")
    return Served(len(expected), sum(map(len, expected)))


def _first_difference(got: bytes, wanted: bytes) -> str:
    at = next((i for i, (a, b) in enumerate(zip(got, wanted, strict=False)) if a != b), min(len(got), len(wanted)))
    return f"at {at} of {len(wanted)}: {got[at - 20 : at + 20]!r} instead of {wanted[at - 20 : at + 20]!r}"


def test_300_nasty_messages_come_through_as_they_are(dovecot_server: Dovecot, bridge_to: BridgeTo) -> None:
    mailbox = dovecot_server.new_mailbox()
    taken = mailbox.seed([mail.octets for mail in nasty_mail()])
    served = assert_served(bridge_to(dovecot_server), mailbox)
    assert served.messages == len(taken) >= 290
    print(f"{served.messages} of 300 nasty messages, {served.octets} octets")


def test_300_nasty_messages_that_no_imap_server_has_mended(dovecot_server: Dovecot, bridge_to: BridgeTo) -> None:
    """Put into the Maildir as files: bare LF, NUL, no final line end, nothing at all."""
    mailbox = dovecot_server.new_mailbox()
    dovecot_server.drop_into_maildir(mailbox.user, [mail.octets for mail in nasty_mail()])
    assert assert_served(bridge_to(dovecot_server), mailbox).messages == 300


# Dovecot gives every line end as CRLF; pymap keeps what it was given, so it alone shows the mending.
@pytest.mark.parametrize("name", ["pymap", *(pytest.param(name, marks=pytest.mark.slow) for name in NOT_DOVECOT[:-1])])
def test_300_nasty_messages_on_other_servers(name: str, request: pytest.FixtureRequest, bridge_to: BridgeTo) -> None:
    server: ImapServer = request.getfixturevalue(f"{name}_server")
    mailbox = server.new_mailbox()
    taken = mailbox.seed(bearable(name, [mail.octets for mail in nasty_mail()]))
    served = assert_served(bridge_to(server), mailbox, counts=(0, 99_999_999) if name == "courier" else COUNTS)
    assert served.messages == len(taken) >= 100  # Cyrus refuses NUL and bare LF
    print(f"{name}: {served.messages} of 300 nasty messages, {served.octets} octets")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dovecot", "cyrus", "courier", "pymap"])  # hoodiecrow hangs on real mail
def test_real_mail_comes_through_as_it_is(name: str, request: pytest.FixtureRequest, bridge_to: BridgeTo) -> None:
    # All of it on Dovecot. Courier holds each answer back for the 40 ms of a delayed ACK, Cyrus each APPEND.
    step = {"dovecot": 1, "pymap": 5}.get(name, 12)
    messages = bearable(name, [mail.octets for mail in corpus()][::step])
    server: ImapServer = request.getfixturevalue(f"{name}_server")
    mailbox = server.new_mailbox()
    taken = mailbox.seed(messages)
    served = assert_served(bridge_to(server), mailbox, counts=(0, 20))
    assert served.messages == len(taken) >= 0.7 * len(messages)
    print(f"{name}: {served.messages} of {len(messages)} real messages, {served.octets} octets")


TEXT = b"Subject: sizes\r\n\r\n" + b"".join(b"line %d\r\n" % n for n in range(20_000))


@pytest.mark.parametrize("shown", [17, 1000, 100_000, len(TEXT) - 1])
def test_a_message_that_upstream_cuts_is_never_taken_for_whole(
    shown: int, dovecot_server: Dovecot, bridge_to: BridgeTo
) -> None:
    """Dovecot believes the size in a Maildir's file name, and hangs up when the file is longer than that.

    Then the client hears -ERR, or sees the connection end without a terminator: never a short message that ends well.
    """
    mailbox = dovecot_server.new_mailbox()
    sound = b"Subject: sound\r\n\r\nhello\r\n"
    names = [f"1700000000.M1P1.host,S={shown},W={shown}", "1700000001.M2P1.host"]
    dovecot_server.drop_into_maildir(mailbox.user, [TEXT, sound], names)
    with opened(bridge_to(dovecot_server).port, mailbox) as client:
        _assert_whole_or_refused(client)
    with opened(bridge_to(dovecot_server).port, mailbox) as client:
        assert client.retr(2) == sound


def _assert_whole_or_refused(client: Pop3) -> None:
    try:
        got = client.retr(1)
    except Refused as refused:
        assert str(refused).startswith("-ERR [SYS/TEMP]")
    except Gone as gone:
        assert not gone.octets.endswith(b"\r\n.\r\n")
        assert TEXT.startswith(gone.octets)
    else:
        assert got == TEXT


def test_the_octets_are_the_same_whether_pipelined_or_asked_for_one_by_one(
    dovecot_server: Dovecot, bridge_to: BridgeTo
) -> None:
    mailbox = dovecot_server.new_mailbox()
    mailbox.seed([mail.octets for mail in nasty_mail()[:60]])
    with opened(bridge_to(dovecot_server).port, mailbox) as client:
        sizes = client.sizes()
        one_by_one = [client.retr(number) for number in sizes]
        assert list(client.retr_all(sizes, at_once=1000)) == one_by_one
        assert all(body == again for body, again in zip(one_by_one, map(client.retr, sizes), strict=True))


def test_reading_leaves_no_trace_in_the_mailbox(dovecot_server: Dovecot, bridge_to: BridgeTo) -> None:
    """No \\Seen, by RETR or by TOP (S12; fault 18)."""
    mailbox = dovecot_server.new_mailbox()
    mailbox.seed([b"Subject: %d\r\n\r\nHello\r\n" % n for n in range(5)])
    before = mailbox.flags()
    with opened(bridge_to(dovecot_server).port, mailbox) as client:
        for number in range(1, 6):
            client.retr(number)
            client.top(number, 0)
            client.top(number, 99_999_999)
        client.quit()
    after = mailbox.flags()
    assert {uid: flags - {"\\Recent"} for uid, flags in after.items()} == {
        uid: flags - {"\\Recent"} for uid, flags in before.items()
    }
