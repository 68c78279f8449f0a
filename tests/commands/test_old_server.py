"""An old POP3 server is read as it is, with its faults, and nothing is changed on it."""

import socket
from pathlib import Path

import pytest

from bridge.commands.old_message import OldMessage
from bridge.commands.old_server import AT_ONCE, OldServer, parse_old_server, read_old_server
from bridge.commands.terminal import CommandRefused
from bridge.maildrop.fingerprint import fingerprint
from bridge.secret import Secret
from tests.commands.old_pop3_server import RecordingTerminal, Script, old_pop3_server
from tests.peers.certificates import Certificates
from tests.peers.servers.courier import Courier
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import Mailbox

ONE = b"Subject: one\r\n\r\nbody\r\n"
EIGHT_BIT = "From: M\u00fcller <m@example.org>\r\nSubject: gr\u00fc\u00dfe\r\n\r\nbody\r\n".encode()
TWO = b"Subject: two\r\nX-Long: " + b"x" * 5000 + b"\r\n\r\nbody\r\n"


def read(script: Script, *, headers: bool = True, password: str = "test") -> tuple[list[OldMessage], RecordingTerminal]:
    shown = RecordingTerminal()
    with old_pop3_server(script):
        server = parse_old_server(f"pop3://127.0.0.1:{script.port}")
        secret = Secret(password.encode())
        return read_old_server(server, "ann", secret, headers=headers, terminal=shown.terminal()), shown


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("pop3://old.example.org", OldServer("none", "old.example.org", 110)),
        ("pop3s://old.example.org", OldServer("tls", "old.example.org", 995)),
        ("pop3+starttls://[::1]:1110/", OldServer("starttls", "::1", 1110)),
    ],
)
def test_an_old_server_is_written_as_a_url(url: str, meant: OldServer) -> None:
    assert parse_old_server(url) == meant
    assert parse_old_server(url, Path("/ca")).ca == Path("/ca")


@pytest.mark.parametrize(
    "url",
    ["old.example.org", "imap://old.example.org", "pop3://", "pop3://x:0", "pop3://x:y", "pop3://x/INBOX", "pop3://[x"],
)
def test_what_is_no_old_server_is_refused_with_what_to_write(url: str) -> None:
    with pytest.raises(ValueError, match=r"pop3s?://"):
        parse_old_server(url)


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="--old-login") as refused:
        parse_old_server("pop3://ann:secret@old.example.org")
    assert "secret" not in str(refused.value)


def test_uidls_sizes_and_headers_are_read_and_nothing_is_deleted() -> None:
    script = Script([("a", ONE), ("b", TWO)])

    messages, shown = read(script)

    assert messages == [
        OldMessage(uidl="a", size=len(ONE), fingerprint=fingerprint(ONE)),
        OldMessage(uidl="b", size=len(TWO), fingerprint=fingerprint(TWO)),
    ]
    assert script.heard[-1] == "QUIT"
    assert not [line for line in script.heard if line.startswith(("DELE", "RETR"))]
    assert shown.shown == [("headers of the old server", 2, 2)]


@pytest.mark.parametrize("pipelining", [True, False])
def test_many_headers_are_asked_for_in_steps(pipelining: bool) -> None:
    script = Script([(f"u{n}", b"Subject: %d\r\n\r\n" % n) for n in range(AT_ONCE + 1)], pipelining=pipelining)

    messages, shown = read(script)

    assert [m.fingerprint for m in messages] == [fingerprint(octets) for _, octets in script.messages]
    assert shown.shown[-1][1:] == (AT_ONCE + 1, AT_ONCE + 1)
    assert len(shown.shown) == (2 if pipelining else AT_ONCE + 1)


def test_without_headers_no_header_is_asked_for() -> None:
    script = Script([("a", ONE)])

    messages, _ = read(script, headers=False)

    assert messages == [OldMessage(uidl="a", size=len(ONE))]
    assert not [line for line in script.heard if line.startswith("TOP")]


def test_a_message_whose_header_is_refused_is_listed_without() -> None:
    messages, _ = read(Script([("a", ONE), ("b", TWO)], says={"TOP 1 0": b"-ERR gone\r\n"}))

    assert [message.fingerprint for message in messages] == [None, fingerprint(TWO)]


def test_a_size_that_is_no_number_is_unknown() -> None:
    messages, _ = read(Script([("a", ONE)], says={"LIST": b"+OK\r\n1 big\r\nnonsense\r\n.\r\n"}))

    assert messages[0].size is None


def test_headers_with_8_bit_octets_are_asked_for_as_they_are() -> None:
    script = Script([("a", ONE)])
    read(script)
    assert script.heard[:3] == ["CAPA", "UTF8", "USER ann"]

    messages, _ = read(Script([("a", ONE)], says={"UTF8": b"-ERR not now\r\n"}))
    assert messages[0].fingerprint == fingerprint(ONE)


def test_a_server_without_capa_is_asked_one_by_one() -> None:
    messages, _ = read(Script([("a", ONE)], says={"CAPA": b"-ERR unknown\r\n"}))

    assert messages[0].fingerprint == fingerprint(ONE)


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ({"PASS test": b"-ERR wrong\x07 password\r\n"}, "refuses the login ann: wrong password"),
        ({"UIDL": b"-ERR\r\n"}, "refuses: without a reason"),
        ({"TOP 1 0": b"-ERR unknown command\r\n"}, r"gives no headers \(unknown command\).*--file"),
        ({"TOP 1 0": b""}, "does not speak POP3 to the end: -ERR EOF"),
        ({"TOP 1 0": b"+OK\r\n" + b"x" * (1 << 20) + b"\r\n.\r\n"}, "to the end: line too long"),
    ],
)
def test_what_goes_wrong_is_a_sentence(says: dict[str, bytes], told: str) -> None:
    with pytest.raises(CommandRefused, match=told):
        read(Script([("a", ONE)], says=says))


def test_a_password_with_a_line_end_is_not_sent() -> None:
    script = Script()
    with pytest.raises(CommandRefused, match="control characters"):
        read(script, password="x\r\nDELE 1")
    assert script.heard == []


def test_nobody_there_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(CommandRefused, match="refused"):
        read_old_server(
            OldServer("none", "127.0.0.1", port),
            "ann",
            Secret(b"x"),
            headers=False,
            terminal=RecordingTerminal().terminal(),
        )


@pytest.mark.story
def test_a_real_dovecot_and_a_real_courier_are_read(dovecot_server: Dovecot, courier_server: Courier) -> None:
    for server in (dovecot_server, courier_server):
        mailbox = server.new_mailbox()
        mailbox.seed([ONE, TWO, EIGHT_BIT])

        messages = read_old_server(
            OldServer("none", server.host, server.pop3_port),
            mailbox.user,
            Secret(mailbox.password.encode()),
            headers=True,
            terminal=RecordingTerminal().terminal(),
        )

        assert [(m.size, m.fingerprint) for m in messages] == [(len(m), fingerprint(m)) for m in (ONE, TWO, EIGHT_BIT)]
        assert len({message.uidl for message in messages}) == 3


@pytest.mark.story
def test_a_certificate_is_verified_and_its_authority_may_be_named(
    certificates: Certificates, dovecot_server: Dovecot, mailbox: Mailbox
) -> None:
    mailbox.seed([ONE])
    secret, shown = Secret(mailbox.password.encode()), RecordingTerminal().terminal()

    def ask(ca: Path | None) -> list[OldMessage]:
        there = OldServer("starttls", "localhost", dovecot_server.pop3_port, ca)
        return read_old_server(there, mailbox.user, secret, headers=True, terminal=shown)

    with pytest.raises(CommandRefused, match=r"is not trusted: .*--old-ca FILE"):
        ask(None)
    assert [message.size for message in ask(certificates.authority)] == [len(ONE)]
