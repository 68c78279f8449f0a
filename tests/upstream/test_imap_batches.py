# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""Questions about many messages fit in their lines and in memory, and no message is taken for gone that is not."""

from twisted.trial.unittest import SynchronousTestCase

from bridge.names import Uid, uid_set
from bridge.upstream.imap_batches import LONGEST_SET, MOST_AT_ONCE, Headers, batches
from tests.contracts.fake_source import FakeFlow
from tests.upstream.deleting import Case, five


class BatchesTest(SynchronousTestCase):
    def test_sets_that_fit_in_a_line(self) -> None:
        uids = list(range(1, 40_000, 2))
        parts = list(batches(uids))
        self.assertGreater(len(parts), 10)
        self.assertLessEqual(max(len(uid_set(part)) for part in parts), LONGEST_SET)
        self.assertEqual([uid for part in parts for uid in sorted(part)], uids)
        self.assertEqual(list(batches([])), [])
        self.assertEqual(list(batches([3, 1, 2, 7])), [frozenset({1, 2, 3, 7})])

    def test_a_range_of_any_length_in_parts_that_memory_holds(self) -> None:
        parts = list(batches(range(1, 300_001)))
        self.assertEqual({len(part) for part in parts}, {MOST_AT_ONCE})
        self.assertEqual(sum(map(len, parts)), 300_000)
        self.assertEqual([sorted(part) for part in batches([1, 2, 3, 5, 6], most=2)], [[1, 2], [3, 5], [6]])


class HeadersTest(SynchronousTestCase):
    def test_the_beginning_of_each_that_is_wanted(self) -> None:
        headers = Headers(frozenset({1, 2}), most=6)
        for uid, pieces in ((1, (b"Sub", b"ject: x")), (3, (b"other",)), (None, (b"nobody",)), (2, (b"To: y",))):
            headers.begin(0, FakeFlow())
            for piece in pieces:
                headers.write(piece)
            headers.end(None if uid is None else Uid(uid))
        self.assertEqual(headers.by_uid, {1: b"Subjec", 2: b"To: y"})


class FetchedTest(Case):
    def test_what_a_limit_left_out_is_asked_for_again(self) -> None:
        store = five()
        session = self.opened(store)
        store.most = 2
        store.edit = lambda _, answer: (
            answer.replace(b" OK fetched", b" OK [MESSAGELIMIT 2] fetched") if answer.count(b" FETCH ") == 2 else answer
        )
        looks = session.network.run(session.source.look([1, 2, 3, 9]))
        self.assertEqual(sorted(looks), [1, 2, 3])
