# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""One session at a time at a POP3 server: who comes next waits, and is told when it takes too long."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from bridge.maildrop.errors import MaildropInUse, UpstreamUnavailable
from bridge.secret import Secret
from bridge.upstream.turns import Turn, Turns
from tests.upstream.network import NetworkTestCase, Running

RIGHT, OTHER = Secret(b"wonder"), Secret(b"guess")


class TurnsTest(NetworkTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.turns = Turns(self.clock)

    def take(self, key: str = "alice", secret: Secret = RIGHT) -> Running[Turn]:
        return Running(Deferred.fromCoroutine(self.turns.take(key, secret)))

    def test_the_next_has_it_when_it_is_given_back_and_they_come_in_their_order(self) -> None:
        first, second, third = self.take().result(), self.take(), self.take()
        self.assertEqual((second.over, third.over, first.wanted), (False, False, True))
        first.give_back()
        self.assertTrue(second.over)
        self.assertFalse(third.over)
        second.result().give_back()
        self.assertFalse(third.result().wanted)
        third.result().give_back()
        self.assertEqual(self.turns._held, {})

    def test_another_mailbox_has_a_turn_of_its_own(self) -> None:
        self.take().result()
        self.assertTrue(self.take("ben").over)

    def test_who_waits_too_long_is_told_that_it_is_open_elsewhere(self) -> None:
        self.take().result().verified = True
        waiting = self.take()
        self.clock.advance(9.9)
        self.assertFalse(waiting.over)
        self.clock.advance(0.2)
        self.assertIsInstance(waiting.trouble(), MaildropInUse)

    def test_and_nothing_of_the_kind_before_the_password_was_verified(self) -> None:
        """S23: that somebody is in there is no stranger's business."""
        self.take().result()
        waiting = self.take()
        self.clock.advance(11)
        self.assertIsInstance(waiting.trouble(), UpstreamUnavailable)

    def test_another_password_proves_nothing_and_is_for_upstream_to_judge(self) -> None:
        held = self.take().result()
        held.verified = True
        other = self.take(secret=OTHER).result()
        self.assertFalse(other.verified)
        held.give_back()
        other.give_back()
        self.assertEqual(self.turns._held, {})

    def test_who_gives_up_is_passed_over(self) -> None:
        held, gone, next_one = self.take().result(), self.take(), self.take()
        gone.deferred.cancel()
        self.assertIsInstance(gone.trouble(), CancelledError)
        held.give_back()
        self.assertTrue(next_one.over)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_also_when_the_turn_has_changed_hands_meanwhile(self) -> None:
        held, second, third = self.take().result(), self.take(), self.take()
        held.give_back()
        self.clock.advance(11)
        self.assertIsInstance(third.trouble(), UpstreamUnavailable)
        self.assertFalse(second.result().wanted)
