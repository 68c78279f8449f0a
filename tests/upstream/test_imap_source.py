# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""A mailbox as a source: complete or refused, octet for octet, and never the wrong message."""

from twisted.internet.defer import CancelledError

from bridge.maildrop.errors import (
    MailboxReplaced,
    MessageGone,
    RetrievalRefused,
    Trouble,
    UpstreamUnavailable,
)
from bridge.maildrop.readahead import FIRST_PART
from bridge.maildrop.retention import Policy
from bridge.upstream.imap_source import GO_ON_AFTER, KEEP_ALIVE
from tests.upstream.mailserver import Fault
from tests.upstream.network import NetworkTestCase
from tests.upstream.session import Session, Taken, mail, on, refusing, with_many, with_messages

LONG = mail("long", 300_000)


class StreamTest(NetworkTestCase):
    """S11 and S14 on the way up."""

    def test_octet_for_octet(self) -> None:
        for octets in (mail("a"), LONG, b"", b"\r\n", b"no line end", bytes(range(256)) * 4, b".\r\n..\r\n", b"\n\r\0"):
            for piece in (1, 7, 1 << 20) if len(octets) < 5000 else (4096,):
                session = Session(with_messages(octets), piece=piece)
                session.list()
                taken = Taken()
                session.streaming(1, taken).result()
                self.assertEqual((taken.octets, taken.begun), (octets, 1))

    def test_nothing_is_marked(self) -> None:
        """S12."""
        session = Session(with_many(1))
        session.list()
        session.stream(1)
        session.top(1, 10)
        self.assertEqual(session.store.inbox.messages[1].flags, set())

    def test_really_gone(self) -> None:
        session = Session(with_many(2))
        session.list()
        del session.store.inbox.messages[1]
        taken = Taken()
        self.assertIsInstance(session.streaming(1, taken, 100).trouble(), MessageGone)
        self.assertIsInstance(session.topping(1, taken, 100).trouble(), MessageGone)
        self.assertEqual(taken.begun, 0)
        self.assertEqual(session.stream(2), mail("m2"))

    def test_refused_now_is_not_gone(self) -> None:
        refusals = {
            "NO": b"NO not now",
            "BAD": b"BAD what",
            "UNAVAILABLE": b"NO [UNAVAILABLE] later",
            "OK": b"OK but nothing",
            "LIMIT": b"NO [LIMIT] throttled",
        }
        for name, status in refusals.items():
            session = Session(with_many(1))
            session.list()

            def refuse(text: str, answer: bytes, status: bytes = status) -> bytes:
                if "BODY.PEEK" in text:
                    return answer.splitlines()[-1].split()[0] + b" " + status + b"\r\n"
                return answer

            session.store.edit = refuse
            taken = Taken()
            for running in (session.streaming(1, taken), session.topping(1, taken)):
                trouble = running.trouble()
                self.assertIsInstance(trouble, RetrievalRefused, name)
                assert isinstance(trouble, Trouble)
                self.assertTrue(trouble.temporary)
            self.assertEqual(taken.begun, 0)

    def test_a_refusal_that_says_the_message_is_gone(self) -> None:
        for code in ("EXPUNGEISSUED", "NONEXISTENT"):
            session = Session(with_many(1))
            session.list()
            session.store.edit = refusing("UID FETCH 1 (UID BODY", status=f"NO [{code}] gone")
            self.assertIsInstance(session.streaming(1, Taken()).trouble(), MessageGone)

    def test_not_even_the_question_is_answered(self) -> None:
        session = Session(with_many(1))
        session.list()
        session.store.edit = lambda text, answer: answer.splitlines()[-1].split()[0] + b" NO [SERVERBUG] oops\r\n"
        self.assertIsInstance(session.streaming(1, Taken()).trouble(), RetrievalRefused)

    def test_nil_for_a_message_that_is_there_is_a_refusal(self) -> None:
        session = Session(with_many(1))
        session.list()
        octets = mail("m1")
        session.store.edit = lambda text, answer: answer.replace(b"{%d}\r\n%s" % (len(octets), octets), b"NIL")
        self.assertIsInstance(session.streaming(1, Taken()).trouble(), RetrievalRefused)

    def test_an_empty_literal_for_a_message_that_is_not_empty_is_a_refusal(self) -> None:
        """A client that took it for the message would delete the message."""
        session = Session(with_many(1))
        session.list()
        octets = mail("m1")
        session.store.edit = lambda text, answer: answer.replace(b"{%d}\r\n%s" % (len(octets), octets), b"{0}\r\n")
        taken = Taken()
        self.assertIsInstance(session.streaming(1, taken).trouble(), RetrievalRefused)
        self.assertIsInstance(session.topping(1, taken).trouble(), RetrievalRefused)
        self.assertEqual(taken.begun, 0)

    def test_another_message_than_the_one_asked_for(self) -> None:
        session = Session(with_many(2))
        session.list()
        session.store.edit = on("UID FETCH 1", {b"(UID 1": b"(UID 2"})
        taken = Taken()
        session.streaming(1, taken)
        self.assertEqual(taken.octets, b"")

    def test_a_size_that_was_a_lie_changes_no_octet(self) -> None:
        """S9: LIST may have been wrong; what is sent is what is there."""
        session = Session(with_many(1))
        session.list()
        for size in (1, 10**6, 2**40):
            self.assertEqual(session.stream(1, size), mail("m1"))

    def test_cut_in_the_middle_it_goes_on_over_a_new_connection(self) -> None:
        """S15: nothing is sent twice, and nothing is missing, wherever it was cut."""
        for octets in (LONG, mail("short", 1000), b"x" * 40):
            for fault in (Fault.CUT_INSIDE, Fault.CLOSE_INSIDE, Fault.STALL_INSIDE):
                session = Session(with_messages(octets))
                session.list()
                session.store.faults = {session.store.exchanges: fault}
                taken = Taken()
                running = session.streaming(1, taken)
                session.network.wait(31)
                running.result()
                self.assertEqual(taken.octets, octets)
                self.assertEqual(len(session.network.clients), 2)

    def test_cut_again_and_again_it_goes_on_as_long_as_there_is_progress(self) -> None:
        session = Session(with_messages(LONG))
        session.list()
        session.store.cuts_bodies = 4
        taken = Taken()
        running = session.streaming(1, taken)
        session.network.wait(20)
        running.result()
        self.assertEqual(taken.octets, LONG)

    def test_cut_and_never_let_in_again_it_is_trouble(self) -> None:
        """Whoever began to receive it must know that it was cut."""
        session = Session(with_messages(LONG))
        session.list()
        begun = session.store.exchanges
        session.store.faults = {begun: Fault.CUT_INSIDE} | dict.fromkeys(range(begun + 1, begun + 9), Fault.CUT_BEFORE)
        taken = Taken()
        running = session.streaming(1, taken)
        session.network.wait(20)
        self.assertIsInstance(running.trouble(), UpstreamUnavailable)
        self.assertEqual(len(session.network.clients), 1 + len(GO_ON_AFTER))
        self.assertTrue(LONG.startswith(taken.octets))

    def test_one_that_breaks_off_at_the_same_octet_each_time_is_not_asked_for_without_end(self) -> None:
        """A file that is damaged there, or shorter than its index says: Dovecot hangs up at that octet."""
        for cut in (0, 1, 200, 40_000):
            session = Session(with_messages(LONG))
            session.list()

            def break_off(text: str, answer: bytes, session: Session = session, cut: int = cut) -> bytes:
                if "BODY.PEEK[]" not in text:
                    return answer
                start = int(text.partition("<")[2].partition(".")[0] or "0")
                end = session.network.ends[-1]
                end.send(answer[: answer.index(b"}\r\n") + 3 + max(0, cut - start)])
                end.other.turn(1 << 20)
                end.abortConnection()
                return b""

            session.store.edit = break_off
            taken = Taken()
            running = session.streaming(1, taken)
            session.network.wait(sum(GO_ON_AFTER))
            self.assertIsInstance(running.trouble(), UpstreamUnavailable)
            self.assertEqual(taken.octets, LONG[:cut])
            self.assertEqual(len(session.network.clients), 1 + len(GO_ON_AFTER))

    def test_another_message_never_goes_on_where_one_was_cut(self) -> None:
        """Other octets before the cut, another length, gone, refused, or in a mailbox that was replaced."""

        def rewritten(session: Session) -> None:
            session.store.inbox.messages[1].octets = LONG.replace(b"abc", b"abd")

        def longer(session: Session) -> None:
            session.store.inbox.messages[1].octets = LONG + b"more"

        def shorter(session: Session) -> None:
            session.store.inbox.messages[1].octets = LONG[:-1]

        def gone(session: Session) -> None:
            del session.store.inbox.messages[1]

        def refused(session: Session) -> None:
            session.store.edit = refusing("UID FETCH")

        def replaced(session: Session) -> None:
            session.store.inbox.uidvalidity = 8

        for change in (rewritten, longer, shorter, gone, refused, replaced):
            session = Session(with_messages(LONG))
            session.list()
            session.store.faults = {session.store.exchanges: Fault.STALL_INSIDE}
            taken = Taken()
            running = session.streaming(1, taken)
            session.network.wait(29)
            change(session)
            session.network.wait(10)
            self.assertIsInstance(running.trouble(), Trouble, change)
            self.assertTrue(LONG.startswith(taken.octets), change)
            self.assertLess(len(taken.octets), len(LONG))

    def test_the_next_message_after_a_cut_one(self) -> None:
        session = Session(with_messages(LONG, mail("b")))
        session.list()
        session.store.faults = {session.store.exchanges: Fault.CUT_INSIDE}
        self.assertEqual(session.stream(1), LONG)
        self.assertEqual(session.stream(2), mail("b"))

    def test_at_the_receivers_pace(self) -> None:
        session = Session(with_messages(LONG), piece=1000)
        session.list()
        slow = Taken(first=lambda flow: flow.pause())
        running = session.streaming(1, slow)
        session.network.wait(100)
        self.assertEqual(len(slow.pieces), 1)
        assert slow.flow is not None
        slow.flow.resume()
        session.network.settle()
        running.result()
        self.assertEqual(slow.octets, LONG)

    def test_given_up_before_it_began_nothing_is_asked_again(self) -> None:
        session = Session(with_many(1))
        session.list()
        session.store.faults = {session.store.exchanges: Fault.STALL_BEFORE}
        running = session.streaming(1, Taken())
        running.deferred.cancel()
        session.network.settle()
        self.assertIsInstance(running.trouble(), CancelledError)
        self.assertEqual((len(session.network.clients), session.network.open), (1, 0))


class TopTest(NetworkTestCase):
    """S13's source side: from the first octet on, the same octets as RETR's, until there is enough."""

    def test_no_more_is_fetched_than_is_wanted(self) -> None:
        session = Session(with_messages(LONG))
        session.list()
        self.assertEqual(session.top(1, 1), LONG[:FIRST_PART])
        self.assertEqual(session.top(1, FIRST_PART + 1), LONG[: FIRST_PART * 5])

    def test_the_whole_message_when_it_ends_first(self) -> None:
        for count in (0, 1, FIRST_PART - 1, FIRST_PART, FIRST_PART + 1, FIRST_PART * 5, FIRST_PART * 5 + 1):
            octets = bytes(range(256)) * (count // 256) + b"x" * (count % 256)
            session = Session(with_messages(octets))
            session.list()
            taken = Taken(10**9)
            session.topping(1, taken).result()
            self.assertEqual((taken.octets == octets, taken.begun), (True, 1), count)

    def test_nothing_beyond_the_end_whatever_the_server_calls_nothing(self) -> None:
        octets = b"x" * FIRST_PART
        for nothing in (b"{0}\r\n", b'""', b"NIL", None):
            session = Session(with_messages(octets))
            session.list()

            def answer(text: str, answer: bytes, nothing: bytes | None = nothing) -> bytes:
                if f"<{FIRST_PART}." not in text:
                    return answer
                return answer.replace(b"{0}\r\n", nothing) if nothing is not None else answer.splitlines()[-1] + b"\r\n"

            session.store.edit = answer
            self.assertEqual(session.top(1, 10**9), octets)

    def test_a_server_that_ignores_the_part_asked_for(self) -> None:
        """It sends the whole message each time; its beginning is not repeated."""
        for count in (100, FIRST_PART, FIRST_PART + 100):
            octets = b"x" * count
            session = Session(with_messages(octets))
            session.list()
            whole = b"* 1 FETCH (UID 1 BODY[] {%d}\r\n%s)\r\n" % (count, octets)

            def ignore_part(text: str, answer: bytes, whole: bytes = whole) -> bytes:
                return whole + answer.splitlines()[-1] + b"\r\n" if "BODY" in text else answer

            session.store.edit = ignore_part
            self.assertEqual(len(session.top(1, 10**9)), count)

    def test_a_next_part_that_is_refused_is_no_end_of_the_message(self) -> None:
        """S15: a client would take the piece for the message."""
        for status in ("NO [UNAVAILABLE] later", "NO [EXPUNGEISSUED] gone", "OK but nothing", "BAD what"):
            session = Session(with_messages(LONG))
            session.list()
            session.store.edit = refusing(f"UID FETCH 1 (UID BODY.PEEK[]<{FIRST_PART}.", status=status)
            taken = Taken(FIRST_PART + 1)
            trouble = session.topping(1, taken).trouble()
            self.assertIsInstance(trouble, Trouble)
            self.assertNotIsInstance(trouble, MessageGone)  # it would be answered with a refusal in mid-message

    def test_a_connection_that_dies_between_two_parts_cuts_the_message(self) -> None:
        session = Session(with_messages(LONG))
        session.list()
        session.store.faults = {session.store.exchanges + 1: Fault.CUT_BEFORE}
        taken = Taken(FIRST_PART + 1)
        self.assertIsInstance(session.topping(1, taken).trouble(), UpstreamUnavailable)
        self.assertEqual((taken.begun, taken.octets), (1, LONG[:FIRST_PART]))


class ReconnectTest(NetworkTestCase):
    """A connection that died while nothing was under way is replaced, and nobody notices."""

    def died(self, *messages: bytes) -> Session:
        session = Session(with_messages(*messages))
        session.list()
        session.network.ends[1].loseConnection()
        session.network.settle()
        self.assertEqual(session.network.open, 0)
        return session

    def test_before_a_message(self) -> None:
        session = self.died(mail("a"))
        self.assertEqual(session.stream(1), mail("a"))
        self.assertEqual(session.top(1, 10**6), mail("a"))

    def test_a_deletion_waits_until_somebody_has_looked(self) -> None:
        """On a connection that listed nothing, a UID may mean another message."""
        session = self.died(mail("a"))
        for _ in range(2):
            deleting = session.network.start(session.source.delete([1], Policy.FLAG))
            self.assertIsInstance(deleting.trouble(), UpstreamUnavailable)
            self.assertFalse(session.source.unbroken)
            session.stream(1)
        session.network.run(session.source.look([1]))
        self.assertTrue(session.source.unbroken)
        self.assertEqual(session.delete(1).done, 1)
        self.assertEqual(session.store.inbox.messages[1].flags, {"\\Deleted"})

    def test_noticed_only_when_the_message_is_asked_for(self) -> None:
        for fault in (Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.BYE, Fault.STALL_BEFORE):
            session = Session(with_many(1))
            session.list()
            session.store.faults = {session.store.exchanges: fault}
            taken = Taken()
            running = session.streaming(1, taken)
            session.network.wait(31)
            running.result()
            self.assertEqual((taken.octets, taken.begun), (mail("m1"), 1))

    def test_a_second_loss_is_told(self) -> None:
        session = self.died(mail("a"))
        session.store.faults = dict.fromkeys(range(session.store.exchanges, 100), Fault.CUT_BEFORE)
        self.assertIsInstance(session.streaming(1, Taken()).trouble(), UpstreamUnavailable)
        self.assertEqual(len(session.network.clients), 2)

    def test_a_mailbox_replaced_meanwhile_is_never_mistaken_for_the_old_one(self) -> None:
        """S1: asked as often as one likes."""
        session = self.died(mail("a"))
        session.store.inbox.uidvalidity = 8
        session.store.inbox.messages[1].octets = mail("somebody else's")
        for _ in range(3):
            taken = Taken()
            self.assertIsInstance(session.streaming(1, taken).trouble(), MailboxReplaced)
            self.assertIsInstance(session.topping(1, taken).trouble(), MailboxReplaced)
            self.assertEqual(taken.begun, 0)
            looking = session.network.start(session.source.look([1]))
            self.assertIsInstance(looking.trouble(), MailboxReplaced)
            self.assertIsInstance(session.deleting(1).trouble(), UpstreamUnavailable)
        self.assertEqual(session.store.inbox.messages[1].flags, set())
        self.assertEqual(session.network.open, 0)

    def test_a_mailbox_replaced_while_it_is_open(self) -> None:
        session = Session(with_many(1))
        session.list()
        session.network.ends[1].write(b"* OK [UIDVALIDITY 8] replaced\r\n")
        session.network.settle()
        self.assertIsInstance(session.streaming(1, Taken()).trouble(), MailboxReplaced)

    def test_a_password_that_was_changed_meanwhile(self) -> None:
        session = self.died(mail("a"))
        session.store.password = b"other"
        self.assertIsInstance(session.streaming(1, Taken()).trouble(), Trouble)


class KeepAliveTest(NetworkTestCase):
    def test_an_idle_connection_is_kept_alive(self) -> None:
        session = Session(with_many(1))
        session.list()
        session.network.wait(KEEP_ALIVE * 2 + 1)
        self.assertEqual(session.store.verbs().count("NOOP"), 2)
        self.assertEqual(session.network.open, 1)

    def test_it_does_not_come_between_while_a_message_is_on_its_way(self) -> None:
        session = Session(with_messages(LONG), piece=100_000)
        session.list()
        taken = Taken(first=lambda flow: flow.pause())
        running = session.streaming(1, taken)
        session.network.wait(KEEP_ALIVE + 1)
        self.assertNotIn("NOOP", session.store.verbs())
        assert taken.flow is not None
        taken.flow.resume()
        session.network.settle()
        running.result()
        self.assertEqual(taken.octets, LONG)

    def test_a_command_behind_an_unanswered_noop_is_answered(self) -> None:
        session = Session(with_many(1))
        session.list()
        session.store.faults = {session.store.exchanges: Fault.STALL_BEFORE}
        session.network.wait(KEEP_ALIVE)
        taken = Taken()
        running = session.streaming(1, taken)
        session.network.wait(31)
        running.result()
        self.assertEqual(taken.octets, mail("m1"))

    def test_a_lost_connection_is_not_dialled_again_for_a_noop(self) -> None:
        session = Session(with_many(1))
        session.list()
        session.network.ends[1].abortConnection()
        session.network.wait(KEEP_ALIVE * 2)
        self.assertEqual(len(session.network.clients), 1)

    def test_it_ends_with_the_session(self) -> None:
        for end in ("close", "abandon"):
            session = Session(with_many(1))
            session.list()
            getattr(session.source, end)()
            session.network.wait(KEEP_ALIVE * 2)
            self.assertNotIn("NOOP", session.store.verbs())
            self.assertEqual((session.network.open, session.network.getDelayedCalls()), (0, []))

    def test_a_source_that_was_never_opened_ends_too(self) -> None:
        session = Session()
        session.source.close()
        session.source.abandon()
        self.assertEqual(session.network.clients, [])
