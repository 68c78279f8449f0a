"""An old POP3 server is read as it is, with its faults, and nothing is changed on it."""

from collections.abc import Coroutine
from pathlib import Path
from typing import Any, cast

import pytest
from attrs import evolve
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from bridge.commands.old_message import OldMessage
from bridge.commands.old_server import AT_ONCE, OldServer, parse_old_server, read_old_server
from bridge.commands.terminal import CommandRefused
from bridge.maildrop.fingerprint import fingerprint
from bridge.secret import Secret
from bridge.upstream.connect import Reactor
from tests.commands.old_pop3_server import RecordingTerminal
from tests.peers.certificates import Certificates
from tests.peers.servers.courier import Courier
from tests.peers.servers.dovecot import Dovecot
from tests.upstream.network import Network, Refusal
from tests.upstream.pop3_server import CAPABILITIES, Drop

ONE = b"Subject: one\r\n\r\nbody\r\n"
EIGHT_BIT = "From: M\u00fcller <m@example.org>\r\nSubject: gr\u00fc\u00dfe\r\n\r\nbody\r\n".encode()
TWO = b"Subject: two\r\nX-Long: " + b"x" * 5000 + b"\r\n\r\nbody\r\n"


def reading(shown: RecordingTerminal, reactor: object, password: str) -> Coroutine[Any, Any, list[OldMessage]]:
    server = parse_old_server("pop3://old.example.org")
    return read_old_server(server, "ann", Secret(password.encode()), cast("Reactor", reactor), shown.terminal())


def read(drop: Drop, *, password: str = "wonder") -> tuple[list[OldMessage], RecordingTerminal]:
    shown, network = RecordingTerminal(), Network(drop.answering)
    try:
        return network.run(reading(shown, network, password)), shown
    finally:
        network.settle()
        assert (network.open, network.getDelayedCalls()) == (0, [])


def saying(**answers: bytes) -> Drop:
    """A server with one message, and other answers to these commands than it would give."""
    words = {verb.replace("_", " "): said for verb, said in answers.items()}
    return Drop([("a", ONE)], edit=words.get)


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
    drop = Drop([("a", ONE), ("b", TWO)])

    messages, shown = read(drop)

    assert messages == [
        OldMessage(uidl="a", size=len(ONE), fingerprint=fingerprint(ONE)),
        OldMessage(uidl="b", size=len(TWO), fingerprint=fingerprint(TWO)),
    ]
    assert drop.commands[-1] == "QUIT"
    assert not {"DELE", "RETR"} & set(drop.verbs())
    assert shown.shown == [("headers of the old server", 2, 2)]


@pytest.mark.parametrize("pipelining", [True, False])
def test_many_headers_are_asked_for_in_steps(pipelining: bool) -> None:
    drop = Drop([(f"u{n}", b"Subject: %d\r\n\r\n" % n) for n in range(AT_ONCE + 1)])
    if not pipelining:
        drop.capabilities = tuple(name for name in CAPABILITIES if name != "PIPELINING")

    messages, shown = read(drop)

    assert [m.fingerprint for m in messages] == [fingerprint(octets) for _, octets in drop.messages]
    assert [step[1:] for step in shown.shown] == [(AT_ONCE, AT_ONCE + 1), (AT_ONCE + 1, AT_ONCE + 1)]


def test_a_message_whose_header_is_refused_is_listed_without() -> None:
    drop = Drop([("a", ONE), ("b", TWO)])
    drop.edit = lambda text, answer: b"-ERR gone\r\n" if text == "TOP 1 0" else answer
    messages, _ = read(drop)

    assert [message.fingerprint for message in messages] == [None, fingerprint(TWO)]


def test_a_size_that_is_no_number_is_unknown() -> None:
    messages, _ = read(saying(LIST=b"+OK\r\n1 big\r\nnonsense\r\n.\r\n"))

    assert messages[0].size is None


def test_headers_with_8_bit_octets_are_asked_for_as_they_are() -> None:
    drop = Drop([("a", ONE)], capabilities=("UTF8 USER",))
    read(drop)
    assert drop.commands[:3] == ["CAPA", "UTF8", "USER ann"]

    refusing = saying(UTF8=b"-ERR not now\r\n")
    refusing.capabilities = ("UTF8",)
    assert read(refusing)[0][0].fingerprint == fingerprint(ONE)


def test_a_server_without_capa_is_asked_one_by_one() -> None:
    assert read(Drop([("a", ONE)], capabilities=None))[0][0].fingerprint == fingerprint(ONE)


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ({"PASS_wonder": b"-ERR wrong\x07 password\r\n"}, "refuses the login ann: wrong password"),
        ({"PASS_wonder": b"-ERR [SYS/TEMP] busy\r\n"}, r"lets nobody in now; try again later \(busy\)"),
        ({"UIDL": b"-ERR\r\n"}, "refuses: without a reason"),
        ({"TOP_1_0": b"-ERR unknown command\r\n"}, r"gives no headers.*--file"),
        ({"TOP_1_0": b"nonsense\r\n"}, "broke the POP3 protocol"),
        ({"TOP_1_0": b"+OK\r\n.\r\n"}, "ended an answer before it began"),
    ],
)
def test_what_goes_wrong_is_a_sentence(says: dict[str, bytes], told: str) -> None:
    with pytest.raises(CommandRefused, match=told):
        read(saying(**says))


def test_a_password_with_a_line_end_is_not_sent() -> None:
    drop = Drop()
    with pytest.raises(CommandRefused, match="control characters"):
        read(drop, password="x\r\nDELE 1")
    assert drop.commands == []


def test_nobody_there_is_a_sentence() -> None:
    network = Network(Refusal)
    running = network.start(reading(RecordingTerminal(), network, "x"))
    network.wait(1)
    with pytest.raises(CommandRefused, match="refused"):
        running.result()


@pytest.mark.story
class OnRealServersTest(TestCase):
    timeout = 60

    @pytest.fixture(autouse=True)
    def _take(self, dovecot_server: Dovecot, courier_server: Courier, certificates: Certificates) -> None:
        # The reactor of the test run; imported where a reactor is really needed.
        from twisted.internet import reactor  # noqa: PLC0415, TID251  # a real server needs a real one

        self.reactor = cast("Reactor", reactor)  # a module to mypy
        self.dovecot, self.courier, self.certificates = dovecot_server, courier_server, certificates

    async def ask(self, server: OldServer, user: str) -> list[OldMessage]:
        found = await read_old_server(server, user, Secret(b"test"), self.reactor, RecordingTerminal().terminal())
        await deferLater(self.reactor, 0.2)  # until QUIT is answered
        return found

    async def test_a_real_dovecot_and_a_real_courier_are_read(self) -> None:
        for server in (self.dovecot, self.courier):
            mailbox = server.new_mailbox()
            mailbox.seed([ONE, TWO, EIGHT_BIT])

            messages = await self.ask(OldServer("none", server.host, server.pop3_port), mailbox.user)

            expected = [(len(octets), fingerprint(octets)) for octets in (ONE, TWO, EIGHT_BIT)]
            assert [(message.size, message.fingerprint) for message in messages] == expected
            assert len({message.uidl for message in messages}) == 3

    async def test_a_certificate_is_verified_and_its_authority_may_be_named(self) -> None:
        mailbox = self.dovecot.new_mailbox()
        mailbox.seed([ONE])
        there = OldServer("starttls", "localhost", self.dovecot.pop3_port)

        with pytest.raises(CommandRefused, match=r"is not trusted: .*--old-ca FILE"):
            await self.ask(there, mailbox.user)
        found = await self.ask(evolve(there, ca=self.certificates.authority), mailbox.user)
        assert [message.size for message in found] == [len(ONE)]
