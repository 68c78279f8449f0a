# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""One connection to a server that cuts, lies, floods and falls silent: always a Trouble, in time, within bounds."""

import tracemalloc
from array import array
from collections.abc import Mapping
from typing import Any

from attrs import Factory, define
from twisted.internet.protocol import Protocol

from bridge.imap.client import ListingRows
from bridge.imap.commands import (
    AskStatus,
    Authenticate,
    Command,
    FetchBodies,
    FetchBody,
    FetchFlags,
    FetchListing,
    Idle,
    Noop,
    Search,
    Select,
)
from bridge.imap.quirks import Quirk
from bridge.imap.responses import Fetched
from bridge.maildrop.errors import UpstreamUnavailable
from bridge.names import Uid
from bridge.upstream import imap_answers
from bridge.upstream.imap_batches import Headers
from bridge.upstream.imap_connection import READ_AT_ONCE, READ_AT_ONCE_OF_MANY, Answer, ImapConnection
from tests.upstream.network import End, Network, NetworkTestCase, Running
from tests.upstream.scripted import Scripted

SILENCE = 30.0


@define
class Body:
    """A message's receiver that keeps nothing but its size."""

    octets: int = 0
    begun: int = 0
    flow: ImapConnection | None = None
    pieces: list[bytes] = Factory(list)

    def begin(self, size: int, flow: ImapConnection) -> None:
        self.begun += 1
        self.flow = flow

    def write(self, octets: bytes) -> None:
        self.octets += len(octets)
        if self.octets < 10_000:
            self.pieces.append(octets)


class Line(NetworkTestCase):
    """A connection to a server of the test's; `say` puts octets on its way."""

    def dial(
        self, script: str | None = None, literals: Mapping[str, bytes] | None = None, *, piece: int = 1 << 20
    ) -> None:
        self.server: Protocol = Scripted(script, literals) if script is not None else Protocol()
        self.network = Network(lambda: self.server, piece=piece)
        self.quirks: list[Quirk] = []
        self.traced: list[str] = []
        self.rests: list[float] = []
        here, there = End(self.network, client=True), End(self.network, client=False)
        here.other, there.other = there, here
        self.network.ends += [here, there]
        self.here, self.there = here, there
        self.connection = ImapConnection(
            self.network,
            silence=SILENCE,
            close_abort=10,
            trace=lambda way, text: self.traced.append(f"{way} {text}"),
            on_quirk=self.quirks.append,
            on_rest=self.rests.append,
        )
        there.protocol, here.protocol = self.server, self.connection
        self.server.makeConnection(there)
        self.connection.makeConnection(here)
        self.greeting = Running(self.connection.greeted)
        self.network.settle()

    def ready(self) -> None:
        """Greeted, and nothing said yet by anybody; what the server says next is said by the test."""
        self.dial()
        self.say(b"* OK hello\r\n")

    def ask(self, command: Command, **how: Any) -> Running[Answer]:
        running = Running(self.connection.ask(command, **how))
        self.network.settle()
        return running

    def say(self, octets: bytes) -> None:
        self.there.write(octets)
        self.network.settle()

    def assertPlayed(self) -> None:  # noqa: N802  # as trial's own
        assert isinstance(self.server, Scripted)
        self.assertTrue(self.server.over, self.server.left)

    def assertEnded(self, running: Running[Any], words: str) -> None:  # noqa: N802  # as trial's own
        trouble = running.trouble()
        assert isinstance(trouble, UpstreamUnavailable)
        self.assertIn(words, f"{trouble} ({trouble.detail})")
        self.assertIsNotNone(self.connection.ended)
        self.network.settle()
        self.assertIsNotNone(self.here.lost)
        self.assertEqual([call for call in self.network.getDelayedCalls() if call.active()], [])


class AskingTest(Line):
    def test_each_answer_goes_to_the_command_it_belongs_to(self) -> None:
        self.dial("""
            S: * OK hello
            C: SELECT "INBOX"
            C: UID FETCH 1:* (UID FLAGS)
            C: UID SEARCH ALL
            S: * 2 EXISTS
            S: . OK [READ-WRITE] open
            S: * 1 FETCH (UID 7 FLAGS (\\Seen))
            S: * 2 FETCH (UID 9 FLAGS ())
            S: . OK fetched
            S: * SEARCH 7 9
            S: . NO not completely
        """)
        asked = [self.ask(command) for command in (Select("INBOX"), FetchFlags("1:*"), Search(("ALL",)))]
        selected, fetched, found = (running.result() for running in asked)
        self.assertEqual((selected.ok, len(selected.responses)), (True, 0))
        self.assertEqual([r.uid for r in fetched.responses if isinstance(r, Fetched)], [7, 9])
        self.assertEqual((found.ok, len(found.responses)), (False, 1))
        self.assertEqual(self.connection.mailbox.exists, 2)
        self.assertPlayed()

    def test_a_reply_to_a_later_command_that_comes_first_is_no_trouble(self) -> None:
        self.ready()
        first, second = self.ask(Noop()), self.ask(Noop())
        self.say(b"A2 OK two\r\n")
        self.assertFalse(first.over)
        self.assertEqual(second.result().status.text, "two")
        self.say(b"A1 OK one\r\n")
        self.assertEqual(first.result().status.text, "one")

    def test_the_trace_has_what_was_said_but_no_mail(self) -> None:
        self.ready()
        self.ask(FetchBody(Uid(7)), body=Body())
        self.say(b"* 1 FETCH (UID 7 BODY[] {17}\r\nthe text of a mail)\r\nA1 OK done\r\n".replace(b"{17}", b"{18}"))
        self.assertTrue(any(line.startswith("c A1 FetchBody") for line in self.traced))
        self.assertFalse(any("text of a mail" in line for line in self.traced))

    def test_it_is_reusable_only_while_nothing_is_under_way(self) -> None:
        self.ready()
        self.assertTrue(self.connection.reusable)
        asked = self.ask(Noop())
        self.assertFalse(self.connection.reusable)
        self.say(b"A1 OK\r\n")
        asked.result()
        self.assertTrue(self.connection.reusable)
        self.say(b"* 3 EX")
        self.assertFalse(self.connection.reusable)

    def test_idle_begins_and_ends(self) -> None:
        self.ready()
        idle = self.ask(Idle())
        self.say(b"+ idling\r\n* 3 EXISTS\r\n")
        self.connection.client.done()
        self.say(b"* OK still here\r\nA1 OK over\r\n")
        self.assertTrue(idle.result().ok)

    def test_what_the_server_says_of_the_mailbox_is_kept_per_selection(self) -> None:
        """A second mailbox without UIDVALIDITY does not inherit the first one's."""
        self.ready()
        self.ask(Select("INBOX"))
        self.say(
            b"* 5 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n* OK [UIDNEXT 12]\r\n"
            b"* OK [PERMANENTFLAGS (\\Deleted Own)]\r\n* 1 EXPUNGE\r\n* VANISHED 4:5\r\nA1 OK\r\n"
        )
        mailbox = self.connection.mailbox
        self.assertEqual((mailbox.exists, mailbox.uidvalidity, mailbox.uidnext), (2, 7, 12))
        self.assertEqual((mailbox.flags_kept, mailbox.changes), (frozenset({"\\deleted", "own"}), 2))
        self.ask(Select("Trash"))
        self.say(b"* 1 EXISTS\r\nA2 OK\r\n")
        self.assertEqual((self.connection.mailbox.exists, self.connection.mailbox.uidvalidity), (1, None))


class EndTest(Line):
    """Whatever ends the connection ends every command with the same Trouble, and leaves nothing behind."""

    def test_cut_in_the_middle_of_a_message(self) -> None:
        self.dial(
            """
            S: * OK hello
            C: UID FETCH 7 (UID BODY.PEEK[])
            S-raw: * 1 FETCH (UID 7 BODY[] {1000}\\r\\nhalf
            --- close
        """
        )
        body = Body()
        self.assertEnded(self.ask(FetchBody(Uid(7)), body=body), "closed the connection")
        self.assertEqual((body.begun, body.octets), (1, 4))

    def test_a_server_that_says_goodbye_is_quoted(self) -> None:
        self.ready()
        asked = self.ask(Noop())
        self.say(b"* BYE maintenance until six\r\n")
        self.there.loseConnection()
        self.network.settle()
        self.assertEnded(asked, "maintenance until six")

    def test_breaches_of_the_protocol(self) -> None:
        body = b"* 1 FETCH (UID 7 BODY[] {4}\r\nmail)\r\n"
        for octets in (
            b"A9 OK nobody asked\r\n",
            b"+ go on\r\n",
            b"* 1 FETCH (UID 7 FLAGS (\0))\r\n",
            b"HTTP/1.1 400 Bad Request\r\n",
            b"* PREAUTH again\r\n",
            b"* 1 FETCH (UID 7 BODY[] {9223372036854775808}\r\n",
            b'* LIST () "/" {99999999}\r\n',
            b"* 1 FETCH (BODY[] {4}\r\nmail UID 8)\r\n",
            b"x" * (2 << 20),
        ):
            self.ready()
            asked = self.ask(FetchBody(Uid(7)), body=Body())
            self.say(octets)
            self.assertEnded(asked, "broke the IMAP protocol")
        self.ready()
        asked = self.ask(FetchBody(Uid(7)), body=(taken := Body()))
        self.say(body + b"A1 OK\r\n")
        self.assertTrue(asked.result().ok)
        self.assertEqual(taken.octets, 4)

    def test_a_greeting_that_is_none(self) -> None:
        self.dial()
        self.say(b"220 smtp.example.org ESMTP\r\n")
        self.assertEnded(self.greeting, "broke the IMAP protocol")

    def test_a_challenge_to_a_command_that_has_none(self) -> None:
        self.ready()
        asked = self.ask(Authenticate("PLAIN"))
        self.say(b"+ \r\n")
        self.assertEnded(asked, "a SASL challenge where none is due")

    def test_nothing_is_heard_after_the_end(self) -> None:
        self.ready()
        asked = self.ask(FetchBody(Uid(7)), body=(body := Body()))
        self.say(b"A9 OK\r\n")
        self.connection.dataReceived(b"* 1 FETCH (UID 7 BODY[] {4}\r\nmail)\r\n")
        asked.trouble()
        self.assertEqual(body.begun, 0)

    def test_what_comes_behind_the_end_in_the_same_segment_is_not_heard(self) -> None:
        self.ready()
        self.connection.ask(Noop()).addBoth(lambda _: self.connection.abandon())
        late = Running(self.connection.ask(FetchBody(Uid(7)), body=(body := Body())))
        self.network.settle()
        self.say(b"A1 OK\r\n* 1 FETCH (UID 7 BODY[] {4}\r\nmail)\r\n")
        late.trouble()
        self.assertEqual(body.begun, 0)


class SilenceTest(Line):
    """S31: an answer that is silent for 30 s counts as dead, also inside a literal."""

    def test_a_literal_that_never_comes(self) -> None:
        self.ready()
        asked = self.ask(FetchBody(Uid(7)), body=Body())
        self.network.wait(20)
        self.say(b"* 1 FETCH (UID 7 BODY[] {1000}\r\n")
        self.network.wait(SILENCE - 1)
        self.assertFalse(asked.over)
        self.network.wait(1)
        self.assertEnded(asked, "did not answer for 30 seconds")

    def test_a_slow_message_is_no_silence(self) -> None:
        self.ready()
        asked = self.ask(FetchBody(Uid(7)), body=Body())
        self.say(b"* 1 FETCH (UID 7 BODY[] {10}\r\n")
        for _ in range(10):
            self.network.wait(SILENCE - 1)
            self.say(b"x")
        self.say(b")\r\nA1 OK\r\n")
        self.assertTrue(asked.result().ok)

    def test_a_long_listing_is_no_silence(self) -> None:
        self.ready()
        asked = self.ask(FetchListing("1:*"), rows=lambda _: None)
        for number in range(1, 10):
            self.network.wait(SILENCE - 1)
            self.say(b"* %d FETCH (UID %d RFC822.SIZE 5 FLAGS ())\r\n" % (number, number))
        self.say(b"A1 OK\r\n")
        self.assertTrue(asked.result().ok)

    def test_chatter_does_not_keep_a_dead_command_alive(self) -> None:
        self.ready()
        asked = self.ask(Search(("ALL",)))
        for _ in range(3):
            self.network.wait(SILENCE / 3 - 1)
            self.say(b"* OK still busy\r\n* 1 EXISTS\r\n* 1 FETCH (FLAGS ())\r\n* LIST () NIL x\r\n")
        self.network.wait(3)
        self.assertEnded(asked, "did not answer for 30 seconds")


class FloodTest(Line):
    """A server that talks for ever costs no memory."""

    def flood(self, chunk: bytes, times: int) -> int:
        """Octets of memory that hearing this takes at most."""
        self.connection.dataReceived(chunk)
        tracemalloc.start()
        try:
            for _ in range(times):
                self.connection.dataReceived(chunk)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def test_ten_million_unsolicited_responses(self) -> None:
        """Here 4,000 of each kind; what one leaves behind, ten million would leave."""
        self.ready()
        self.connection.trace = None
        asked = self.ask(Noop())
        chunk = (
            b"* OK chatter\r\n* 4 EXISTS\r\n* 4 RECENT\r\n* XYZ 1\r\n* 4 FETCH (FLAGS (\\Seen))\r\n* CAPABILITY A B\r\n"
            * 200
        )
        self.assertLess(self.flood(chunk, 20), 2 * len(chunk) + 300_000)
        self.assertFalse(asked.over)
        self.network.wait(SILENCE)
        self.assertEnded(asked, "did not answer for 30 seconds")

    def test_a_message_of_two_hundred_megabytes(self) -> None:
        self.ready()
        self.connection.trace = None
        asked = self.ask(FetchBody(Uid(7)), body=(body := Body()))
        self.say(b"* 1 FETCH (UID 7 BODY[] {%d}\r\n" % (201 << 20))
        self.assertLess(self.flood(b"x" * (1 << 20), 200), 1 << 20)
        self.assertEqual(body.octets, 201 << 20)
        self.say(b")\r\nA1 OK\r\n")
        self.assertTrue(asked.result().ok)

    def test_more_flags_than_any_mailbox_has_messages(self) -> None:
        self.patch(imap_answers, "KEPT_AT_MOST", 100)
        self.ready()
        asked = self.ask(FetchFlags("1:*"))
        self.say(b"".join(b"* %d FETCH (UID %d FLAGS ())\r\n" % (n, n) for n in range(1, 102)))
        self.assertEnded(asked, "broke the IMAP protocol")


class FlowTest(Line):
    """S28: the receiver sets the pace."""

    def test_a_paused_message_waits_upstream_and_its_clock_stands_still(self) -> None:
        self.ready()
        asked = self.ask(FetchBody(Uid(7)), body=(body := Body()))
        self.say(b"* 1 FETCH (UID 7 BODY[] {8}\r\nmail")
        self.connection.pause()
        self.connection.pause()
        self.say(b"mail)\r\nA1 OK\r\n")
        self.network.wait(SILENCE * 5)
        self.assertEqual(body.octets, 4)
        self.assertFalse(asked.over)
        self.connection.resume()
        self.connection.resume()
        self.network.settle()
        self.assertEqual(body.octets, 8)
        self.assertTrue(asked.result().ok)

    def test_more_is_taken_from_the_socket_at_once_while_many_messages_come(self) -> None:
        """And not longer: a message whose reader stalls leaves one such piece in memory."""
        self.ready()
        asked = self.ask(FetchBodies(frozenset({7})), bodies=Headers(frozenset({7})))
        self.assertEqual(self.here.bufferSize, READ_AT_ONCE_OF_MANY)
        self.say(b"* 1 FETCH (UID 7 BODY[] {4}\r\nmail)\r\nA1 OK\r\n")
        self.assertTrue(asked.result().ok)
        self.assertEqual(self.here.bufferSize, READ_AT_ONCE)

    def test_a_message_that_ends_while_it_is_paused_holds_up_nobody(self) -> None:
        """After a pause one read still arrives, and it may hold the rest of the message."""
        self.ready()

        class Slow(Body):
            def write(self, octets: bytes) -> None:
                super().write(octets)
                assert self.flow is not None
                self.flow.pause()

        asked = self.ask(FetchBody(Uid(7)), body=Slow())
        self.say(b"* 1 FETCH (UID 7 BODY[] {4}\r\nmail)\r\nA1 OK\r\n")
        self.assertTrue(asked.result().ok)
        following = self.ask(Noop())
        self.say(b"A2 OK\r\n")
        self.assertTrue(following.result().ok)


class BodyTest(Line):
    def test_a_message_that_nobody_asked_for_is_read_over(self) -> None:
        self.ready()
        noop = self.ask(Noop())
        self.say(b"* 1 FETCH (UID 7 BODY[] {4}\r\nmail)\r\nA1 OK\r\n")
        self.assertTrue(noop.result().ok)
        asked = self.ask(FetchBody(Uid(7)), body=(body := Body()))
        self.say(b"* 1 FETCH (UID 8 BODY[] {4}\r\nmore)\r\n* 2 FETCH (UID 7 BODY[] {4}\r\nmail)\r\nA2 OK\r\n")
        self.assertTrue(asked.result().ok)
        self.assertEqual(body.pieces, [b"mail"])

    def test_a_message_is_passed_on_once_however_often_it_comes(self) -> None:
        self.ready()
        asked = self.ask(FetchBody(Uid(7)), body=(body := Body()))
        self.say(b"* 1 FETCH (UID 7 BODY[] {4}\r\nmail)\r\n" * 3 + b"A1 OK\r\n")
        asked.result()
        self.assertEqual((body.begun, body.pieces), (1, [b"mail"]))

    def test_a_part_that_begins_elsewhere_is_not_taken_for_the_one_asked_for(self) -> None:
        for label in (b"BODY[]", b"BODY[]<0>", b"BODY[]<90>"):
            self.ready()
            asked = self.ask(FetchBody(Uid(7), start=100, count=50), body=(body := Body()))
            self.say(b"* 1 FETCH (UID 7 %s {4}\r\nmail)\r\nA1 OK\r\n" % label)
            asked.result()
            self.assertEqual(body.begun, 0)

    def test_the_uid_behind_the_message(self) -> None:
        self.ready()
        asked = self.ask(FetchBody(Uid(7)), body=(body := Body()))
        self.say(b"* 1 FETCH (BODY[] {4}\r\nmail UID 7)\r\nA1 OK\r\n")
        asked.result()
        self.assertEqual(body.pieces, [b"mail"])
        self.assertIn(Quirk.UID_LAST, self.quirks)

    def test_no_message_in_its_place(self) -> None:
        self.ready()
        asked = self.ask(FetchBody(Uid(7)), body=(body := Body()))
        self.say(b"* 1 FETCH (UID 7 BODY[] NIL)\r\nA1 OK\r\n")
        self.assertTrue(asked.result().ok)
        self.assertEqual(body.begun, 0)

    def test_every_cut_of_the_octets_gives_the_same(self) -> None:
        for piece in range(1, 60):
            rows: list[int] = []

            def add(more: ListingRows, rows: list[int] = rows) -> None:
                rows.extend(more.uids)

            self.dial(
                """
                S: * OK hello
                C: UID FETCH 1:* (UID RFC822.SIZE FLAGS INTERNALDATE)
                C: UID FETCH 7 (UID BODY.PEEK[])
                S: * 1 FETCH (UID 7 RFC822.SIZE 9 FLAGS (\\Seen) INTERNALDATE "17-Jul-2024 02:44:25 -0700")
                S: * 2 FETCH (UID 9 RFC822.SIZE 9 FLAGS (\\Seen) INTERNALDATE "17-Jul-2024 02:44:25 -0700")
                S: . OK listed
                S: * 1 FETCH (UID 7 BODY[] {mail})
                S: . OK fetched
            """,
                {"mail": b"a: b\r\n\r\nc\r\n"},
                piece=piece,
            )
            listed = self.ask(FetchListing("1:*"), rows=add)
            fetched = self.ask(FetchBody(Uid(7)), body=(body := Body()))
            listed.result()
            fetched.result()
            self.assertEqual((array("I", rows), b"".join(body.pieces)), (array("I", [7, 9]), b"a: b\r\n\r\nc\r\n"))
            self.assertPlayed()

    def test_data_that_a_command_did_not_ask_for_is_not_kept_for_it(self) -> None:
        self.ready()
        asked = self.ask(AskStatus("INBOX", ("MESSAGES",)))
        self.say(b"* SEARCH 1 2 3\r\n* STATUS INBOX (MESSAGES 3)\r\n* 1 FETCH (UID 1 FLAGS ())\r\nA1 OK\r\n")
        self.assertEqual(len(asked.result().responses), 1)

    def test_rows_that_nobody_asked_for_are_passed_over(self) -> None:
        self.ready()
        asked = self.ask(FetchListing("1:*"))
        self.say(b"* 1 FETCH (UID 1 RFC822.SIZE 4 FLAGS ())\r\nA1 OK\r\n")
        self.assertTrue(asked.result().ok)


class ClosingTest(Line):
    def test_in_good_order(self) -> None:
        self.dial("""
            S: * OK hello
            C: LOGOUT
            S: * BYE until next time
            S: . OK gone
        """)
        self.connection.close()
        self.network.settle()
        self.assertIsNotNone(self.here.lost)
        self.assertEqual(self.network.getDelayedCalls(), [])
        self.assertPlayed()


class InWordsTest(Line):
    """Exchange Online tells the reason once, to the first command, and hangs up."""

    THROTTLED = b"Request is throttled. Suggested Backoff Time: 89117 milliseconds\r\n"

    def test_the_reason_is_that_of_everything_that_gets_no_answer(self) -> None:
        for told in (b"A1 BAD " + self.THROTTLED + b"* BYE Connection closed. 14\r\n", b"* BYE " + self.THROTTLED):
            self.ready()
            self.ask(Noop())
            unanswered = self.ask(Noop())
            self.say(told)
            self.there.loseConnection()
            self.network.settle()
            self.assertEnded(unanswered, "asked less for a while (Request is throttled")
            self.assertEqual((self.quirks, self.rests), ([Quirk.THROTTLED_IN_WORDS], [89.117]))

    def test_it_is_the_reason_of_nothing_that_comes_after_an_answer(self) -> None:
        self.ready()
        self.ask(Noop())
        self.say(b"A1 NO " + self.THROTTLED)
        self.ask(Noop())
        self.say(b"A2 OK done\r\n")
        unanswered = self.ask(Noop())
        self.there.loseConnection()
        self.network.settle()
        self.assertEnded(unanswered, "upstream closed the connection")

    def test_a_connection_that_is_lost_is_lost_for_now_whatever_was_said(self) -> None:
        self.ready()
        unanswered = self.ask(Noop())
        self.say(b"* BYE Web login required.\r\n")
        self.there.loseConnection()
        self.network.settle()
        self.assertEnded(unanswered, "upstream closed the connection (Web login required.)")

    def test_words_in_an_ok_are_no_reason(self) -> None:
        self.ready()
        self.ask(Noop())
        self.say(b"A1 OK " + self.THROTTLED)
        self.assertEqual((self.quirks, self.rests), ([], []))
