# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""A purge removes what was flagged long ago, and whoever takes a flag back in that instant keeps his message."""

from bridge.maildrop.errors import Trouble, UpstreamUnavailable
from bridge.maildrop.source import Deletion
from tests.upstream.deleting import DELETED, Case, five
from tests.upstream.mailserver import BARE, DOVECOT, Fault, Store
from tests.upstream.session import Session, refusing


class PurgeTest(Case):
    def flagged(self, store: Store) -> Session:
        for uid in (1, 3):
            store.inbox.messages[uid].flags = {"\\Deleted"}
        return self.opened(store, delete="flag")

    def test_what_is_flagged_goes_and_no_flag_is_set(self) -> None:
        store = five()
        self.assertEqual(self.flagged(store).purge(1, 2, 3), Deletion(3))
        self.assertEqual(sorted(store.inbox.messages), [2, 4, 5])
        self.assertEqual(store.inbox.messages[2].flags, set())
        self.assertNotIn("UID STORE", store.verbs())
        self.assertOthersUntouched(store)

    def test_a_flag_taken_back_in_that_instant(self) -> None:
        """Whether the server says OK or not, the message is nobody's to delete any more."""
        for status in ("OK done", "NO [EXPUNGEISSUED] later"):
            store = five()
            session = self.flagged(store)
            store.inbox.messages[1].flags = set()
            store.edit = refusing("UID EXPUNGE", status=status)
            self.assertEqual(session.purge(1, 3), Deletion(2))
            self.assertEqual(sorted(store.inbox.messages), [1, 2, 4, 5])

    def test_a_server_that_leaves_some_is_asked_twice_and_then_told_of(self) -> None:
        store = five()
        session = self.flagged(store)
        store.inbox.stuck = {3}
        outcome = session.purge(1, 3)
        self.assertEqual((outcome.left, outcome.temporary), ({3}, True))
        self.assertEqual(store.verbs().count("UID EXPUNGE"), 2)

    def test_a_server_with_a_limit(self) -> None:
        store = five(f"{DOVECOT} MESSAGELIMIT=1")
        self.assertEqual(self.flagged(store).purge(1, 2, 3), Deletion(3))
        self.assertEqual(sorted(store.inbox.messages), [2, 4, 5])

    def test_without_uidplus_they_stay_flagged_and_nothing_is_sent(self) -> None:
        store = five(BARE)
        session = self.flagged(store)
        before = len(store.commands)
        self.assertEqual(session.purge(1, 3), Deletion(2))
        self.assertEqual(len(store.commands), before)
        self.assertEqual(store.inbox.messages[1].flags, DELETED)

    def test_unless_the_owner_accepted_the_race_and_nobody_elses_is_flagged(self) -> None:
        for others in (True, False):
            store = five(BARE)
            if not others:
                del store.inbox.messages[4]
            for uid in (1, 3):
                store.inbox.messages[uid].flags = {"\\Deleted"}
            session = self.opened(store, delete="flag", expunge_without_uidplus=True)
            self.assertEqual(session.purge(1, 3), Deletion(2))
            self.assertEqual(sorted(store.inbox.messages), [1, 2, 3, 4, 5] if others else [2, 5])

    def test_a_mailbox_that_may_not_be_changed(self) -> None:
        store = five()
        session = self.flagged(store)
        store.inbox.read_only = True
        session.list()
        outcome = session.purge(1, 3)
        self.assertEqual((outcome.left, outcome.temporary), ({1, 3}, False))
        self.assertNotIn("UID EXPUNGE", store.verbs())

    def test_upstream_lost_on_the_way(self) -> None:
        """What is not seen to be done counts as left, and without a connection nothing is tried."""
        for fault in (Fault.CUT_BEFORE, Fault.CUT_AFTER):
            store = five()
            session = self.flagged(store)
            store.faults = {store.exchanges: fault}
            outcome = session.purge(1, 3)
            self.assertEqual((outcome.left, outcome.certain), ({1, 3}, False))
            trouble = session.network.start(session.source.purge([1])).trouble()
            assert isinstance(trouble, Trouble)
            self.assertIsInstance(trouble, UpstreamUnavailable)
