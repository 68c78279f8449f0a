# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""Several answers at once: all of them, or one reason, and no error that nobody hears."""

from twisted.internet.defer import CancelledError, Deferred

from bridge.imap.responses import Status, StatusKind
from bridge.maildrop.errors import UpstreamUnavailable
from bridge.upstream.imap_connection import Answer
from bridge.upstream.together import together
from tests.upstream.network import NetworkTestCase, Running


class TogetherTest(NetworkTestCase):
    def test_all_in_the_order_of_the_question(self) -> None:
        one, two = Answer(Status(StatusKind.OK, None, "1"), []), Answer(Status(StatusKind.NO, None, "2"), [])
        asked: list[Deferred[Answer]] = [Deferred(), Deferred()]
        running = Running(Deferred.fromCoroutine(together(*asked)))
        asked[1].callback(two)
        self.assertFalse(running.over)
        asked[0].callback(one)
        self.assertEqual(running.result(), [one, two])

    def test_one_reason_for_all(self) -> None:
        asked: list[Deferred[Answer]] = [Deferred(), Deferred()]
        running = Running(Deferred.fromCoroutine(together(*asked)))
        for one in asked:
            one.errback(UpstreamUnavailable("gone"))
        self.assertIsInstance(running.trouble(), UpstreamUnavailable)

    def test_given_up(self) -> None:
        given_up: list[object] = []
        asked: list[Deferred[Answer]] = [Deferred(given_up.append), Deferred(given_up.append)]
        running = Running(Deferred.fromCoroutine(together(*asked)))
        running.deferred.cancel()
        self.assertIsInstance(running.trouble(), CancelledError)
        self.assertEqual(given_up, asked)
