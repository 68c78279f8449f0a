# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""What was asked for ahead is the message or nothing, is given once, and its octets are counted until they are gone."""

import tracemalloc
from collections.abc import Callable

from twisted.internet.defer import CancelledError

from bridge.maildrop.errors import MailboxReplaced, MessageGone
from bridge.maildrop.source import Held
from bridge.names import Uid
from bridge.upstream.imap_ahead import SPARE
from tests.upstream.mailserver import DOVECOT, QRESYNC, Fault
from tests.upstream.network import NetworkTestCase
from tests.upstream.provider import LETTER
from tests.upstream.session import Session, Taken, mail, with_many, with_messages

ROOM = 1 << 20
FOUR = tuple(mail(f"m{number}") for number in range(1, 5))
COST = len(FOUR[0])
NEWS = {b"* 4 EXPUNGE\r\n": DOVECOT, b"* VANISHED 4\r\n": QRESYNC}
"""By the server's capabilities."""


def held(octets: bytes) -> Held:
    return Held(octets, whole=True)


class Ahead(NetworkTestCase):
    """A session with four messages that are much alike."""

    def opened(self, *messages: bytes, ahead: int = ROOM, piece: int = 1 << 20, **store: object) -> Session:
        session = Session(with_messages(*(messages or FOUR), **store), ahead=ahead, piece=piece)
        session.list()
        return session

    def withheld(self, session: Session) -> list[bytes]:
        """Answers with bodies in them, which the server keeps until the test gives them."""
        kept: list[bytes] = []

        def edit(text: str, answer: bytes) -> bytes:
            if "BODY.PEEK[]" not in text:
                return answer
            kept.append(answer)
            return b""

        session.store.edit = edit
        return kept

    def give(self, session: Session, octets: bytes) -> None:
        session.network.ends[-1].write(octets)
        session.network.settle()

    def take(self, session: Session, uid: int) -> Held | None:
        return session.source.ahead.take(Uid(uid))

    def asked(self, session: Session) -> list[str]:
        """For which messages upstream was asked."""
        return [text.split()[2] for text in session.store.commands if "BODY.PEEK[]" in text]

    def assertAllAccountedFor(self, session: Session, left: int = 0) -> None:  # noqa: N802  # as trial's own
        """When the client has read on, so that what it read last is through."""
        self.take(session, 10**6)
        self.assertEqual(session.budget.used, left)


class WindowTest(Ahead):
    def test_what_was_asked_for_is_here_octet_for_octet_and_given_once(self) -> None:
        for piece in (1 << 20, 50, 1):
            session = self.opened(piece=piece)
            session.ask_ahead(1, 2, 4)
            self.assertEqual(self.asked(session), ["1:2,4"])
            for uid, octets in ((1, FOUR[0]), (4, FOUR[3]), (2, FOUR[1])):
                self.assertTrue(session.source.ahead.awaits(Uid(uid)))
                self.assertEqual(self.take(session, uid), held(octets))
                self.assertFalse(session.source.ahead.awaits(Uid(uid)))
                self.assertIsNone(self.take(session, uid))
            self.assertIsNone(self.take(session, 3))
            self.assertAllAccountedFor(session)

    def test_the_next_window_is_asked_for_when_all_of_this_one_is_here_though_the_server_has_not_said_so(self) -> None:
        """Dovecot keeps the tagged reply until it has answered what was asked behind."""
        session = self.opened()
        kept = self.withheld(session)
        session.ask_ahead(1, 2)
        end = kept[0].rindex(b"\r\n", 0, -2) + 2
        self.give(session, kept[0][: end - 10])
        self.assertEqual(session.source.ahead.room(), 0)
        self.give(session, kept[0][end - 10 : end])
        self.assertGreater(session.source.ahead.room(), 0)
        session.ask_ahead(3, 4)
        self.give(session, kept[0][end:])
        self.assertTrue(session.source.ahead.awaits(Uid(3)), "the end of the first window is not the second's")
        self.give(session, kept[1])
        self.assertEqual([self.take(session, uid) for uid in (1, 2, 3, 4)], list(map(held, FOUR)))
        self.assertAllAccountedFor(session)

    def test_what_was_forgotten_is_on_its_way_all_the_same(self) -> None:
        session = self.opened()
        kept = self.withheld(session)
        session.ask_ahead(1, 2, 3)
        session.source.ahead.forget([Uid(1), Uid(2), Uid(3)])
        self.assertEqual(session.source.ahead.room(), 0)
        session.ask_ahead(4)
        self.assertEqual(self.asked(session), ["1:3"])
        end = kept[0].rindex(b"\r\n", 0, -2) + 2
        self.give(session, kept[0][:end])
        session.ask_ahead(4)
        self.assertEqual(self.asked(session), ["1:3", "4"])
        self.give(session, kept[0][end:] + kept[1])
        self.assertEqual(self.take(session, 4), held(FOUR[3]))
        self.assertAllAccountedFor(session)

    def test_one_window_is_on_its_way_and_no_other(self) -> None:
        session = self.opened()
        kept = self.withheld(session)
        session.ask_ahead(1, 2)
        self.assertEqual(session.source.ahead.room(), 0)
        session.ask_ahead(3)
        self.assertFalse(session.source.ahead.awaits(Uid(3)))
        self.assertEqual(self.asked(session), ["1:2"])
        self.give(session, kept[0])
        self.assertEqual(session.source.ahead.room(), ROOM - 2 * COST)
        session.ask_ahead(3)
        self.assertTrue(session.source.ahead.awaits(Uid(3)))

    def test_octets_are_counted_from_the_question_on(self) -> None:
        session = self.opened()
        kept = self.withheld(session)
        session.ask_ahead(1, 2)
        self.assertAllAccountedFor(session, 2 * COST)
        head = kept[0].index(b")\r\n") + 3
        self.give(session, kept[0][: head + 20])
        self.assertAllAccountedFor(session, 2 * COST)
        self.take(session, 1)
        self.assertAllAccountedFor(session, COST)
        self.give(session, kept[0][head + 20 :])
        self.take(session, 2)
        self.assertAllAccountedFor(session)

    def test_what_is_read_counts_until_the_client_reads_on(self) -> None:
        """A slow client has not taken it: two hundred of them would hold a message each that nobody counts."""
        session = self.opened(ahead=30 * COST)
        session.ask_ahead(1, 2)
        self.take(session, 1)
        self.assertEqual(session.budget.used, 2 * COST)
        self.assertEqual(session.source.ahead.room(), 29 * COST, "it may hold as much as ever besides")
        self.take(session, 2)
        self.assertEqual(session.budget.used, COST)
        self.take(session, 4)
        self.assertEqual(session.budget.used, 0)

    def test_a_session_alone_gets_no_more_than_its_share(self) -> None:
        session = self.opened(ahead=1000)
        self.assertEqual(session.source.ahead.room(), 1000)
        session.budget.used = 3000
        self.assertEqual(session.source.ahead.room(), 250)
        self.assertEqual(Session(with_many(1)).source.ahead.room(), 0, "none where none was given")

    def test_nothing_asked_for_is_no_question(self) -> None:
        session = self.opened()
        session.source.ahead.ask({})
        self.assertEqual(self.asked(session), [])
        self.assertEqual(session.source.ahead.room(), ROOM)

    def test_no_connection_is_made_for_a_guess(self) -> None:
        session = Session(with_many(4), ahead=ROOM)
        session.ask_ahead(1)
        self.assertEqual(session.network.clients, [])
        session.list()
        session.network.ends[1].loseConnection()
        session.network.settle()
        session.ask_ahead(1)
        self.assertEqual(len(session.network.clients), 1)
        self.assertFalse(session.source.ahead.awaits(Uid(1)))
        self.assertAllAccountedFor(session)

    def test_no_command_is_longer_than_servers_take(self) -> None:
        """What is over is not asked for."""
        session = Session(with_many(3000), ahead=ROOM)
        session.list()
        session.ask_ahead(*range(1, 3000, 2))
        (asked,) = self.asked(session)
        self.assertLess(len(asked), 4100)
        self.assertTrue(session.source.ahead.awaits(Uid(1)))
        self.assertFalse(session.source.ahead.awaits(Uid(2999)))
        self.assertEqual(session.stream(2999), mail("m2999"))
        for uid in range(1, 3000, 2):
            self.take(session, uid)
        self.assertAllAccountedFor(session)


class ArrivalTest(Ahead):
    """A message that is on its way when it is read."""

    def test_it_comes_once_and_is_not_asked_for_again(self) -> None:
        for ask in ("streaming", "topping"):
            session = self.opened()
            kept = self.withheld(session)
            session.ask_ahead(1, 2)
            taken = Taken()
            running = getattr(session, ask)(2, taken)
            self.assertFalse(running.over)
            head = kept[0].index(b")\r\n") + 3
            self.give(session, kept[0][:head])
            self.assertFalse(running.over)
            self.give(session, kept[0][head:])
            running.result()
            self.assertEqual((taken.octets, taken.begun), (FOUR[1], 1))
            self.assertEqual(self.asked(session), ["1:2"])
            self.take(session, 1)
            self.assertAllAccountedFor(session)

    def test_what_is_here_is_not_asked_for_again_either(self) -> None:
        session = self.opened()
        session.ask_ahead(1, 2)
        self.assertEqual((session.stream(1), session.top(2, 10)), FOUR[:2])
        self.assertEqual(self.asked(session), ["1:2"])

    def test_one_that_does_not_come_is_asked_for_alone(self) -> None:
        """Refused, no answer to it, or a server with a limit (RFC 9738); and the connection is still a good one."""
        for window in ("NO [UNAVAILABLE] later", "BAD what", "OK but nothing", "OK [MESSAGELIMIT 1 2] some"):
            session = self.opened()
            kept = self.withheld(session)
            session.ask_ahead(1, 2)
            taken = Taken()
            running = session.streaming(2, taken)
            tag = kept[0].splitlines()[-1].split()[0]
            session.store.edit = lambda _, answer: answer
            self.give(session, tag + f" {window}\r\n".encode())
            running.result()
            self.assertEqual((taken.octets, taken.begun), (FOUR[1], 1))
            self.assertEqual(len(session.network.clients), 1)
            self.assertFalse(session.source.ahead.awaits(Uid(1)))
            self.assertAllAccountedFor(session)

    def test_a_server_with_a_limit_gives_some_and_the_others_are_asked_for_alone(self) -> None:
        session = self.opened(most=2)
        session.ask_ahead(1, 2, 3, 4)
        self.assertEqual([session.stream(uid) for uid in (1, 2, 3, 4)], list(FOUR))
        self.assertEqual(self.asked(session), ["1:4", "1", "2"])
        self.assertAllAccountedFor(session)

    def test_one_that_is_gone_is_gone(self) -> None:
        session = self.opened()
        del session.store.inbox.messages[2]
        session.source.ahead.ask({Uid(1): COST, Uid(2): COST, Uid(3): COST})
        taken = Taken()
        self.assertIsInstance(session.streaming(2, taken, COST).trouble(), MessageGone)
        self.assertEqual(taken.begun, 0)

    def test_a_connection_that_ends_inside_the_window_costs_nothing_but_a_new_one(self) -> None:
        for fault in (Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.CUT_INSIDE, Fault.CLOSE_INSIDE, Fault.BYE):
            session = self.opened()
            session.store.faults = {session.store.exchanges: fault}
            session.source.ahead.ask(dict.fromkeys(map(Uid, (1, 2, 3, 4)), COST))
            self.assertEqual([session.stream(uid) for uid in (1, 2, 3, 4)], list(FOUR), fault)
            self.assertEqual(len(session.network.clients), 2)
            self.assertAllAccountedFor(session)

    def test_a_server_that_falls_silent_inside_the_window_does_too(self) -> None:
        for fault in (Fault.STALL_BEFORE, Fault.STALL_INSIDE):
            session = self.opened()
            session.store.faults = {session.store.exchanges: fault}
            session.ask_ahead(1, 2, 3, 4)
            taken = Taken()
            running = session.streaming(4, taken)
            session.network.wait(31)
            running.result()
            self.assertEqual((taken.octets, len(session.network.clients)), (FOUR[3], 2))


class OnlyTheMessageTest(Ahead):
    """Never a part for the whole, never nothing for something, never more than there is room for."""

    def test_an_empty_body_is_not_believed(self) -> None:
        """That is how some servers say that they cannot read it."""
        session = self.opened()
        session.store.edit = lambda text, answer: (
            answer.replace(b"{%d}\r\n%b" % (COST, FOUR[1]), b"{0}\r\n") if "1:2" in text else answer
        )
        session.ask_ahead(1, 2)
        self.assertFalse(session.source.ahead.awaits(Uid(2)))
        self.assertEqual(session.stream(2), FOUR[1])
        self.assertEqual(session.stream(1), FOUR[0])
        self.assertAllAccountedFor(session)

    def test_a_letter_in_the_place_of_a_message_is_not_either(self) -> None:
        session = self.opened()
        session.store.edit = lambda text, answer: (
            answer.replace(b"{%d}\r\n%b" % (COST, FOUR[1]), b"{%d}\r\n%b" % (len(LETTER), LETTER))
            if "1:2" in text
            else answer
        )
        session.ask_ahead(1, 2)
        self.assertFalse(session.source.ahead.awaits(Uid(2)))
        self.assertEqual(session.stream(2), FOUR[1])

    def test_nil_is_not_either(self) -> None:
        session = self.opened()
        session.store.edit = lambda text, answer: (
            answer.replace(b"{%d}\r\n%b" % (COST, FOUR[1]), b"NIL") if "1:2" in text else answer
        )
        session.ask_ahead(1, 2)
        self.assertEqual(session.stream(2), FOUR[1])

    def test_a_message_without_octets_is_read_when_it_is_due(self) -> None:
        session = self.opened(b"", FOUR[1])
        session.ask_ahead(1, 2)
        self.assertEqual((session.stream(1), session.stream(2)), (b"", FOUR[1]))
        self.assertAllAccountedFor(session)

    def test_a_little_more_than_was_listed_is_held_and_much_more_is_not(self) -> None:
        """Many servers list sizes that are not true; none shall be able to fill the memory."""
        for piece in (1 << 20, 5000):
            for more, here in ((SPARE, True), (SPARE + 1, False)):
                octets = FOUR[0] + b"x" * more
                session = self.opened(octets, FOUR[1], piece=piece)
                session.source.ahead.ask({Uid(1): COST, Uid(2): COST})
                session.network.settle()
                self.assertEqual(session.source.ahead.awaits(Uid(1)), here)
                self.assertAllAccountedFor(session, COST + (len(octets) if here else 0))
                self.assertEqual(session.stream(1, COST) == octets, True)
                self.assertEqual(session.stream(2), FOUR[1])
                self.assertAllAccountedFor(session)

    def test_one_that_is_far_too_large_fills_no_memory_on_its_way(self) -> None:
        session = self.opened()
        kept = self.withheld(session)
        session.ask_ahead(1, 2)
        piece = b"x" * 100_000
        tracemalloc.start()
        try:
            self.give(session, b"* 1 FETCH (UID 1 BODY[] {10000000}\r\n")
            for _ in range(100):
                self.give(session, piece)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.give(session, b")\r\n" + kept[0][kept[0].index(b")\r\n") + 3 :])
        self.assertLess(peak, 1_000_000)
        self.assertEqual([self.take(session, uid) for uid in (1, 2)], [None, held(FOUR[1])])
        self.assertAllAccountedFor(session)

    def test_messages_that_nobody_asked_for_are_not_held(self) -> None:
        session = self.opened()
        session.store.edit = lambda text, answer: answer.replace(b"(UID 2", b"(UID 3") if "1:2" in text else answer
        session.ask_ahead(1, 2)
        self.assertIsNone(self.take(session, 3))
        self.assertEqual(session.stream(2), FOUR[1])
        self.assertAllAccountedFor(session, COST)

    def test_a_uid_behind_the_body_is_its_uid(self) -> None:
        session = self.opened()
        session.store.edit = lambda text, answer: (
            answer.replace(b"(UID 1 ", b"(")
            .replace(b"(UID 2 ", b"(")
            .replace(FOUR[0] + b")", FOUR[0] + b" UID 1)")
            .replace(FOUR[1] + b")", FOUR[1] + b" UID 2)")
            if "1:2" in text
            else answer
        )
        session.ask_ahead(1, 2)
        self.assertEqual([self.take(session, uid) for uid in (2, 1)], [held(FOUR[1]), held(FOUR[0])])

    def test_a_beginning_is_whole_only_where_the_message_ends_in_it(self) -> None:
        short, exact, long = b"x" * 99, b"y" * 100, b"z" * 5000
        session = self.opened(short, exact, long)
        session.ask_ahead(1, 2, 3, part=100)
        self.assertEqual(
            [self.take(session, uid) for uid in (1, 2, 3)],
            [Held(short, whole=True), Held(exact, whole=False), Held(long[:100], whole=False)],
        )

    def test_a_beginning_shorter_than_what_is_listed_is_not_taken_for_the_whole(self) -> None:
        session = self.opened(FOUR[0])
        session.source.ahead.ask({Uid(1): COST + 1}, 5000)
        session.network.settle()
        self.assertEqual(self.take(session, 1), Held(FOUR[0], whole=False))

    def test_a_top_goes_on_behind_the_beginning_that_is_here(self) -> None:
        long = mail("long", 50_000)
        session = self.opened(*[long] * 4)
        session.ask_ahead(1, 2, 3, 4, part=100)
        taken = Taken(10_000)
        session.topping(1, taken).result()
        self.assertEqual((taken.octets, taken.begun), (long[: 100 + 16384], 1))
        self.assertIn("UID FETCH 1 (UID BODY.PEEK[]<100.16384>)", session.store.commands)
        self.assertEqual(session.top(2, 100), long[:100])
        self.assertEqual(session.top(3, 10**9), long)
        self.assertEqual(session.stream(4), long, "RETR behind a TOP: the beginning is no message")
        self.assertAllAccountedFor(session)

    def test_a_message_read_while_its_beginning_is_on_its_way_is_whole(self) -> None:
        """TOP 1 0, TOP 2 0, RETR 3: in whatever pieces it comes."""
        long = mail("long", 5000)
        for piece in (40, 500, 1 << 20):
            session = self.opened(*[long] * 4, piece=piece)
            session.source.ahead.ask(dict.fromkeys(map(Uid, (1, 2, 3, 4)), 1000), 1000)
            session.source.ahead.forget([Uid(1), Uid(2), Uid(3), Uid(4)])
            self.assertEqual(session.stream(3), long, piece)
            self.assertAllAccountedFor(session)


class ToldTest(Ahead):
    """S14: what is held is served until the bridge was told that messages went."""

    def test_what_is_held_is_given_up_when_upstream_tells_that_messages_went(self) -> None:
        for news, capabilities in NEWS.items():
            session = self.opened(capabilities=capabilities)
            session.ask_ahead(1, 2)
            session.store.inbox.messages[2].octets = b"somebody else's"
            self.give(session, news)
            self.assertFalse(session.source.ahead.awaits(Uid(1)), news)
            self.assertIsNone(self.take(session, 2))
            self.assertAllAccountedFor(session)
            self.assertEqual(session.source.ahead.room(), ROOM)

    def test_what_comes_in_the_window_behind_such_news_is_as_true_as_ever(self) -> None:
        for news, capabilities in NEWS.items():
            session = self.opened(capabilities=capabilities)
            kept = self.withheld(session)
            session.ask_ahead(1, 2, 3)
            first = kept[0].index(b")\r\n") + 3
            self.give(session, kept[0][:first] + news + kept[0][first:])
            self.assertEqual([self.take(session, uid) for uid in (1, 2, 3)], [None, held(FOUR[1]), held(FOUR[2])])
            self.assertAllAccountedFor(session)

    def test_new_mail_and_new_flags_disturb_nothing(self) -> None:
        session = self.opened()
        session.ask_ahead(1, 2)
        self.give(session, b"* 5 EXISTS\r\n* 0 RECENT\r\n* 1 FETCH (FLAGS (\\Seen))\r\n")
        self.assertEqual(self.take(session, 1), held(FOUR[0]))

    def test_on_another_connection_too(self) -> None:
        """As often as the old one had told, so that counting alone would not show it."""
        session = self.opened()
        self.give(session, b"* 4 EXPUNGE\r\n")
        session.ask_ahead(1, 2)
        self.assertTrue(session.source.ahead.awaits(Uid(1)))
        session.network.ends[1].loseConnection()
        session.network.settle()
        self.assertEqual(session.stream(3), FOUR[2])
        self.give(session, b"* 4 EXPUNGE\r\n")
        self.assertIsNone(self.take(session, 1))

    def test_one_that_was_given_up_while_its_window_is_on_its_way_can_be_read(self) -> None:
        """Dovecot keeps the first tagged reply until it has answered both: the message comes twice before it."""
        for piece in (1 << 20, 50):
            session = self.opened(piece=piece)
            kept = self.withheld(session)
            session.ask_ahead(1, 2)
            first = kept[0].index(b")\r\n") + 3
            self.give(session, kept[0][:first])
            self.give(session, b"* 4 EXPUNGE\r\n")
            taken = Taken()
            running = session.streaming(1, taken)
            window, _, tagged = kept[0][first:].rpartition(b")\r\n")
            alone, _, its = kept[1].rpartition(b")\r\n")
            self.give(session, window + b")\r\n" + alone + b")\r\n" + tagged + its)
            running.result()
            self.assertEqual((taken.octets, taken.begun), (FOUR[0], 1))
            self.assertEqual(self.take(session, 2), held(FOUR[1]))

    def test_a_mailbox_that_was_replaced_gives_nothing_that_was_held(self) -> None:
        session = self.opened()
        session.ask_ahead(1, 2)
        session.network.ends[1].write(b"* OK [UIDVALIDITY 8] another\r\n")
        session.network.settle()
        self.assertIsInstance(session.streaming(3, Taken()).trouble(), MailboxReplaced)
        self.assertFalse(session.source.ahead.awaits(Uid(1)))
        self.assertAllAccountedFor(session)


class EndTest(Ahead):
    """However it ends, no octet stays counted."""

    def assertNothingStays(self, *ends: Callable[[Session, list[bytes]], None]) -> None:  # noqa: N802  # as trial's own
        for end in ends:
            session = self.opened()
            kept = self.withheld(session)
            session.ask_ahead(1, 2, 3)
            self.assertAllAccountedFor(session, 3 * COST)
            end(session, kept)
            session.network.settle()
            self.assertEqual(session.budget.used, 0, end.__name__)
            session.source.abandon()
            session.network.settle()
            self.assertEqual((session.network.open, session.network.getDelayedCalls()), (0, []), end.__name__)

    def test_whatever_the_client_does(self) -> None:
        def served(session: Session, kept: list[bytes]) -> None:
            self.give(session, kept[0])
            for uid in (1, 2, 3):
                self.assertIsNotNone(self.take(session, uid))
            self.take(session, 4)

        def served_to_the_last(session: Session, kept: list[bytes]) -> None:
            self.give(session, kept[0])
            for uid in (1, 2, 3):
                self.take(session, uid)
            session.source.close()

        def forgotten(session: Session, kept: list[bytes]) -> None:
            self.give(session, kept[0])
            session.source.ahead.forget([Uid(1), Uid(2), Uid(3), Uid(9)])

        def on_its_way_forgotten(session: Session, kept: list[bytes]) -> None:
            session.source.ahead.forget([Uid(1), Uid(2), Uid(3)])
            self.assertAllAccountedFor(session)
            self.give(session, kept[0])

        self.assertNothingStays(served, served_to_the_last, forgotten, on_its_way_forgotten)

    def test_however_the_session_ends(self) -> None:
        def closed(session: Session, kept: list[bytes]) -> None:
            self.give(session, kept[0])
            session.source.close()

        def closed_on_its_way(session: Session, kept: list[bytes]) -> None:
            session.source.close()

        def abandoned_in_the_middle(session: Session, kept: list[bytes]) -> None:
            self.give(session, kept[0][: COST + 60])
            session.source.abandon()

        def cancelled(session: Session, kept: list[bytes]) -> None:
            running = session.streaming(2, Taken())
            running.deferred.cancel()
            self.assertIsInstance(running.trouble(), CancelledError)
            session.source.abandon()

        def cancelled_behind_it(session: Session, kept: list[bytes]) -> None:
            running = session.streaming(4, Taken())
            running.deferred.cancel()
            self.assertIsInstance(running.trouble(), CancelledError)

        self.assertNothingStays(closed, closed_on_its_way, abandoned_in_the_middle, cancelled, cancelled_behind_it)

    def test_whatever_upstream_does(self) -> None:
        def lost_in_the_middle(session: Session, kept: list[bytes]) -> None:
            self.give(session, kept[0][: COST + 60])
            session.network.ends[1].abortConnection()
            session.network.settle()
            self.assertEqual(self.take(session, 1), held(FOUR[0]), "that came before")
            self.take(session, 4)

        def silent(session: Session, kept: list[bytes]) -> None:
            session.network.wait(31)

        def broken(session: Session, kept: list[bytes]) -> None:
            self.give(session, kept[0][: kept[0].index(b")\r\n") + 3] + b"* what\0\r\n")
            self.assertEqual(session.network.open, 0)
            session.source.ahead.forget([Uid(1)])

        def told(session: Session, kept: list[bytes]) -> None:
            self.give(session, kept[0] + b"* 1 EXPUNGE\r\n")
            self.assertFalse(session.source.ahead.awaits(Uid(2)))

        self.assertNothingStays(lost_in_the_middle, silent, broken, told)

    def test_a_window_that_is_on_its_way_holds_up_no_end(self) -> None:
        session = self.opened()
        self.withheld(session)
        session.ask_ahead(1, 2, 3)
        session.source.close()
        session.network.settle()
        self.assertEqual(session.network.open, 0)
