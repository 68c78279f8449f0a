# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""A mailbox on a POP3 server: what the contract leaves open, and what goes wrong there."""

from bridge.maildrop.errors import (
    MaildropInUse,
    MessageGone,
    RetrievalRefused,
    UpstreamUnavailable,
)
from bridge.maildrop.retention import Policy
from bridge.maildrop.source import Deletion
from bridge.names import Uid
from tests.upstream.network import NetworkTestCase, Running
from tests.upstream.pop3_server import CAPABILITIES, Drop, drop_of, session_at
from tests.upstream.session import Session, Taken, mail

MAIL = (mail("a"), mail("b", 100_000), mail("c"))


class Case(NetworkTestCase):
    def opened(self, drop: Drop, **how: object) -> Session:
        session = session_at(drop, **how)
        session.list()
        self.addCleanup(self.left_in_order, session)
        return session

    def left_in_order(self, session: Session) -> None:
        session.source.abandon()
        session.network.settle()
        self.assertEqual((session.network.open, session.network.getDelayedCalls()), (0, []))

    def streaming(self, session: Session, uid: int, taken: Taken | None = None) -> tuple[Running[None], Taken]:
        taken = taken or Taken()
        return session.streaming(uid, taken, len(MAIL[uid - 1])), taken


class RetrievalTest(Case):
    def test_a_connection_that_died_unused_is_replaced_unnoticed(self) -> None:
        """Also where the server numbers its messages anew."""
        drop = drop_of(*MAIL)
        session = self.opened(drop)
        session.network.ends[1].loseConnection()
        session.network.settle()
        self.assertFalse(session.source.unbroken)
        drop.messages.insert(0, ("new", mail("new")))
        self.assertEqual(session.stream(1, 100), MAIL[0])
        self.assertEqual(session.stream(3, 100), MAIL[2])
        self.assertEqual(len(session.network.clients), 2)

    def test_a_message_that_was_cut_goes_on_in_a_new_session(self) -> None:
        drop = drop_of(*MAIL, cuts=2)
        session = self.opened(drop, piece=5000)
        running, taken = self.streaming(session, 2)
        session.network.wait(2)
        running.result()
        self.assertEqual((taken.octets, taken.begun), (MAIL[1], 3))
        self.assertEqual(drop.verbs().count("RETR"), 3)

    def test_but_not_as_another_message(self) -> None:
        drop = drop_of(*MAIL, cuts=1)
        session = self.opened(drop, piece=5000)
        taken = Taken(first=lambda _: drop.messages.__setitem__(1, (drop.messages[1][0], mail("x", 100_000))))
        running, _ = self.streaming(session, 2, taken)
        session.network.wait(1)
        self.assertIn("does not give the same again", str(running.trouble()))
        self.assertTrue(MAIL[1].startswith(taken.octets))

    def test_nor_for_ever(self) -> None:
        drop = drop_of(*MAIL, cuts=100)
        session = self.opened(drop, piece=5000)
        running, _ = self.streaming(session, 2)
        session.network.wait(10)
        self.assertIsInstance(running.trouble(), UpstreamUnavailable)

    def test_a_refusal_that_passes_is_not_the_end_of_the_message(self) -> None:
        """S14."""
        drop = drop_of(*MAIL)
        session = self.opened(drop)
        drop.edit = lambda text, answer: b"-ERR [SYS/TEMP] busy\r\n" if text[:4] in {"RETR", "TOP "} else answer
        for running in (self.streaming(session, 1)[0], session.topping(1, Taken(10), 100)):
            trouble = running.trouble()
            assert isinstance(trouble, RetrievalRefused)
            self.assertEqual((trouble.temporary, trouble.detail), (True, "busy"))
        self.assertEqual(len(session.network.clients), 1)

    def test_a_refusal_without_a_word_is_looked_into(self) -> None:
        """Gone only if a new session shows it."""
        drop = drop_of(*MAIL)
        session = self.opened(drop)
        drop.edit = lambda text, answer: b"-ERR cannot\r\n" if text.startswith("RETR") else answer
        self.assertIsInstance(self.streaming(session, 1)[0].trouble(), RetrievalRefused)
        drop.remove(drop.messages[0][0])
        self.assertIsInstance(self.streaming(session, 1)[0].trouble(), MessageGone)
        drop.edit = lambda _, answer: answer
        self.assertEqual(session.stream(3, 100), MAIL[2])

    def test_nothing_is_not_passed_on_for_a_message(self) -> None:
        """A client would take it for the message and delete it."""
        drop = drop_of(*MAIL)
        session = self.opened(drop)
        drop.edit = lambda text, answer: b"+OK\r\n.\r\n" if text[:4] in {"RETR", "TOP "} else answer
        taken = Taken(10)
        for running in (self.streaming(session, 1, taken)[0], session.topping(1, taken, 100)):
            self.assertIsInstance(running.trouble(), RetrievalRefused)
        self.assertEqual(taken.begun, 0)
        session.network.run(session.source.stream(Uid(1), taken, 0))
        session.network.run(session.source.top(Uid(1), taken, 0))
        self.assertEqual((taken.begun, taken.octets), (2, b""))

    def test_a_slow_reader_pauses_upstream(self) -> None:
        session = self.opened(drop_of(*MAIL), piece=5000)
        taken = Taken(first=lambda flow: flow.pause())
        running, _ = self.streaming(session, 2, taken)
        session.network.wait(100)
        self.assertLess(len(taken.octets), 6000)
        assert taken.flow is not None
        taken.flow.resume()
        session.network.settle()
        running.result()
        self.assertEqual(taken.octets, MAIL[1])

    def test_nothing_is_read_that_nobody_has_asked_for(self) -> None:
        """Gmail lists a message that was read to no later session."""
        session = self.opened(drop_of(*MAIL))
        self.assertEqual(session.source.ahead.room(), 0)
        session.source.ahead.ask({Uid(1): 100})
        self.assertFalse(session.source.ahead.awaits(Uid(1)))


class TopTest(Case):
    def test_few_lines_are_one_question(self) -> None:
        drop = drop_of(*MAIL)
        session = self.opened(drop)
        session.top(2, 500, 100_000)
        session.top(1, 10**9, 100)
        self.assertEqual(drop.commands[-2:], ["TOP 2 50", "TOP 1 50"])

    def test_more_lines_are_asked_for_as_they_are_wanted(self) -> None:
        drop = drop_of(*MAIL)
        session = self.opened(drop)
        self.assertEqual(session.top(2, 20_000, 100_000), MAIL[1][: len(session.top(2, 20_000, 100_000))])
        self.assertEqual(session.top(2, 10**9, 100_000), MAIL[1])
        self.assertEqual(drop.commands[-3:], ["TOP 2 50", "TOP 2 1000", "TOP 2 100000000"])

    def test_a_server_without_top_sends_all_of_it(self) -> None:
        drop = drop_of(*MAIL, has_top=False, capabilities=("USER", "UIDL"))
        session = self.opened(drop)
        self.assertGreaterEqual(len(session.top(2, 500, 100_000)), 500)
        self.assertEqual(drop.commands[-2:], ["TOP 2 50", "RETR 2"])
        self.assertEqual(session.top(1, 10**9, 100), MAIL[0])

    def test_one_that_has_it_and_will_not_now_is_not_asked_for_more(self) -> None:
        """A message that is read is more than one that is looked at."""
        drop = drop_of(*MAIL, has_top=False)
        session = self.opened(drop)
        self.assertIsInstance(session.topping(1, Taken(10), 100).trouble(), RetrievalRefused)
        self.assertNotIn("RETR", drop.verbs())


class DeletionTest(Case):
    def test_dele_and_quit_in_one_go(self) -> None:
        drop = drop_of(*MAIL)
        session = self.opened(drop)
        self.assertEqual(session.delete(1, 3), Deletion(2))
        self.assertEqual(drop.commands[-3:], ["DELE 1", "DELE 3", "QUIT"])
        self.assertEqual([octets for _, octets in drop.messages], [MAIL[1]])
        self.assertFalse(session.source.unbroken)

    def test_one_after_the_other_where_pipelining_is_not_offered(self) -> None:
        drop = drop_of(*MAIL, capabilities=tuple(name for name in CAPABILITIES if name != "PIPELINING"))
        self.assertEqual(self.opened(drop).delete(1, 2, 3), Deletion(3))
        self.assertEqual(drop.messages, [])

    def test_one_that_is_refused_is_told(self) -> None:
        for said, passing in ((b"-ERR [SYS/PERM] no\r\n", False), (b"-ERR no\r\n", True)):
            drop = drop_of(*MAIL)
            session = self.opened(drop)
            drop.edit = lambda text, answer, said=said: said if text == "DELE 3" else answer  # type: ignore[misc]
            deletion = session.delete(1, 3)
            self.assertEqual((deletion.left, deletion.temporary, deletion.certain), (frozenset({3}), passing, True))
            self.assertEqual(deletion.detail, "no")

    def test_a_quit_that_is_refused_leaves_it_open_what_was_deleted(self) -> None:
        drop = drop_of(*MAIL)
        session = self.opened(drop)
        drop.edit = lambda text, answer: b"-ERR some messages not removed\r\n" if text == "QUIT" else answer
        deletion = session.delete(1, 3)
        self.assertEqual((deletion.left, deletion.certain), (frozenset({1, 3}), False))
        looks = session.network.run(session.source.look([1, 2, 3]))
        self.assertEqual(set(looks), {2}, "a new session shows it")

    def test_a_connection_lost_before_quit_was_answered(self) -> None:
        drop = drop_of(*MAIL, deaf=("QUIT",))
        session = self.opened(drop)
        running = session.deleting(1)
        session.network.wait(31)
        self.assertIsInstance(running.trouble(), UpstreamUnavailable)
        drop.deaf = ()
        self.assertEqual(set(session.network.run(session.source.look([1, 2]))), {1, 2})
        self.assertEqual(session.delete(1), Deletion(1))


class SharingTest(Case):
    def test_the_next_login_waits_until_the_session_before_has_hung_up(self) -> None:
        drop = drop_of(*MAIL, locks=True)
        session = self.opened(drop)
        another = session.another()
        listing = session.network.start(another.list())
        self.assertFalse(listing.over)
        session.source.close()
        self.assertEqual(len(session.network.dialled), 1, "the server has not let go of the maildrop yet")
        session.network.settle()
        self.assertEqual(len(listing.result()), 3)
        another.abandon()

    def test_and_is_told_when_it_takes_too_long(self) -> None:
        drop = drop_of(*MAIL, locks=True)
        session = self.opened(drop)
        listing = session.network.start(session.another().list())
        session.network.wait(11)
        self.assertIsInstance(listing.trouble(), MaildropInUse)

    def test_a_deletion_leaves_the_mailbox_to_the_next(self) -> None:
        session = self.opened(drop_of(*MAIL, locks=True))
        another = session.another()
        listing = session.network.start(another.list())
        session.delete(1)
        session.network.settle()
        self.assertEqual(len(listing.result()), 2)
        self.assertEqual(session.network.open, 1)
        another.abandon()

    def test_what_is_learned_makes_nobody_wait(self) -> None:
        session = self.opened(drop_of(*MAIL))
        self.assertEqual(len(session.network.run(session.source.fingerprints([1, 2]))), 2)
        another = session.another()
        listing = session.network.start(another.list())
        self.assertIsInstance(session.network.start(session.source.fingerprints([1, 2])).trouble(), UpstreamUnavailable)
        session.source.abandon()
        session.network.settle()
        self.assertTrue(listing.over)
        another.abandon()

    def test_a_session_that_has_ended_is_not_opened_to_learn(self) -> None:
        session = self.opened(drop_of(*MAIL))
        session.delete(1)
        self.assertIsInstance(session.network.start(session.source.fingerprints([2])).trouble(), UpstreamUnavailable)
        self.assertEqual(len(session.network.clients), 1)

    def test_it_stays_awake(self) -> None:
        """Exchange Online drops what was idle for 60 seconds."""
        drop = drop_of(*MAIL)
        session = self.opened(drop)
        session.network.wait(151)
        self.assertEqual(drop.verbs().count("NOOP"), 3)

    def test_one_that_was_given_up_while_it_connected_holds_nothing(self) -> None:
        session = session_at(drop_of(*MAIL, deaf=("PASS",)))
        listing = session.network.start(session.source.list())
        session.source.abandon()
        session.network.wait(31)
        self.assertIsInstance(listing.trouble(), UpstreamUnavailable)
        self.assertEqual((session.network.open, session.network.getDelayedCalls()), (0, []))

    def test_a_refusal_to_list_leaves_nothing_behind(self) -> None:
        drop = drop_of(*MAIL, edit=lambda text, answer: b"-ERR no\r\n" if text == "LIST" else answer)
        session = session_at(drop)
        self.assertIsInstance(session.network.start(session.source.list()).trouble(), UpstreamUnavailable)
        session.network.settle()
        self.assertEqual((session.network.open, session.network.getDelayedCalls()), (0, []))
        self.assertFalse(session.source.refusal(Policy.EXPUNGE))
