# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""One connection to a POP3 server: what of its answers goes to whom, and what is not so over IMAP."""

from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import ClientFactory

from bridge.maildrop.errors import UpstreamUnavailable
from bridge.names import MessageNumber
from bridge.pop3.commands import Capa, List, Noop, Quit, Retr
from bridge.upstream import pop3_connection
from bridge.upstream.pop3_connection import Answer, Pop3Connection
from tests.upstream.network import Network, NetworkTestCase, Running
from tests.upstream.scripted import Scripted
from tests.upstream.session import Taken

ONE = MessageNumber(1)


class Quiet(ClientFactory):
    noisy = False


class ConnectionTest(NetworkTestCase):
    def connect(self, script: str) -> Pop3Connection:
        self.trace: list[str] = []
        self.server = Scripted(script)
        self.network = Network(lambda: self.server)
        connection = Pop3Connection(
            cast("IReactorTime", self.network),
            silence=30,
            close_abort=10,
            trace=lambda way, text: self.trace.append(f"{way}: {text}"),
        )

        self.network.connectTCP("pop.example.org", 110, Quiet.forProtocol(lambda: connection))
        self.network.settle()
        return connection

    def asked(self, answer: "Deferred[Answer]") -> Running[Answer]:
        running = Running(answer)
        self.network.settle()
        return running

    def test_a_message_that_is_held_up_by_its_reader_is_no_silence(self) -> None:
        connection = self.connect("S: +OK\nC-raw: RETR 1\nS: +OK\nS: text\n--- turn\nS: .")
        taken = Taken()
        body = type("Body", (), {"begin": lambda _, flow: taken.begin(flow), "write": lambda _, o: taken.write(o)})()
        reading = Running(connection.ask(Retr(ONE), body=body))
        connection.pause()
        self.network.wait(100)
        self.assertFalse(reading.over)
        connection.resume()
        self.network.settle()
        self.assertTrue(reading.result().status.ok)
        self.assertEqual(taken.octets, b"text\r\n")

    def test_what_it_says_unasked_is_its_goodbye(self) -> None:
        connection = self.connect("S: +OK\nS: -ERR Disconnected for inactivity.\n--- close")
        assert connection.ended is not None
        self.assertEqual(connection.ended.detail, "Disconnected for inactivity.")
        self.assertTrue(connection.lost.called)

    def test_quit_ends_it_and_all_behind_it(self) -> None:
        connection = self.connect("S: +OK\nC-raw: QUIT\nS: +OK bye")
        quitting, behind = connection.ask(Quit()), connection.ask(Noop())
        self.assertTrue(self.asked(quitting).result().status.ok)
        self.assertIsInstance(self.asked(behind).trouble(), UpstreamUnavailable)
        self.assertEqual(self.network.open, 0)

    def test_a_list_without_end_is_given_up(self) -> None:
        self.patch(pop3_connection, "LIST_AT_MOST", 100)
        connection = self.connect("S: +OK\nC-raw: LIST\nS: +OK\n" + "S: 1 100\n" * 20)
        trouble = self.asked(connection.ask(List())).trouble()
        self.assertIsInstance(trouble, UpstreamUnavailable)
        self.assertEqual(self.network.open, 0)

    def test_the_trace_shows_the_conversation_without_mail(self) -> None:
        connection = self.connect("S: +OK ready\nC-raw: CAPA\nS-raw: +OK\\r\\nTOP\\r\\n.\\r\\n")
        self.asked(connection.ask(Capa())).result()
        self.assertEqual(self.trace[1], "c: Capa()")
        self.assertIn("Greeted", self.trace[0])
        self.assertNotIn("TOP", "".join(self.trace))
        connection.abandon()
        connection.abandon()
