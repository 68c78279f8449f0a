# mypy: disallow-untyped-calls=False
# (Twisted gives its assertions no types.)
"""What the state in memory has beside the promises of every Store (tests/contracts/test_store.py)."""

from twisted.trial.unittest import SynchronousTestCase

from bridge.names import AccountName, SourceKey
from bridge.state.memory import MemoryStore


class MemoryStoreTest(SynchronousTestCase):
    def test_every_answer_is_there_at_once(self) -> None:
        store = MemoryStore()
        self.assertIsNone(self.successResultOf(store.recall(SourceKey(AccountName("alice")))))
        self.assertFalse(store.durable)
