# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""Opening a mailbox: what it allows is seen before anything is promised, and it costs one write."""

from typing import Any

from bridge.maildrop.errors import Trouble, UpstreamUnavailable, UpstreamUnsuitable
from bridge.maildrop.retention import Policy
from tests.upstream.mailserver import BARE, DOVECOT, QRESYNC, Folder, Store
from tests.upstream.network import NetworkTestCase
from tests.upstream.session import Session, on, refusing, with_many


class OpeningTest(NetworkTestCase):
    def refused(self, store: Store, **settings: Any) -> Trouble:
        session = Session(store, **settings)
        trouble = session.network.start(session.source.list()).trouble()
        assert isinstance(trouble, Trouble)
        return trouble

    def test_a_mailbox_that_is_not_there(self) -> None:
        store = Store()
        del store.folders["INBOX"]
        self.assertIsInstance(self.refused(store), UpstreamUnsuitable)

    def test_a_mailbox_that_cannot_be_opened_now(self) -> None:
        for code in ("", "[UNAVAILABLE] ", "[INUSE] ", "[SERVERBUG] "):
            store = Store()
            store.edit = on("SELECT", {b" OK [READ-WRITE] ": f" NO {code}".encode()})
            self.assertIsInstance(self.refused(store), UpstreamUnavailable)

    def test_a_mailbox_without_uidvalidity(self) -> None:
        """Its messages have no lasting names, so no UIDL would hold."""
        store = with_many(1)
        store.inbox.uidvalidity = None
        self.assertIn("no UIDVALIDITY", str(self.refused(store)))

    def test_trash_where_there_is_none(self) -> None:
        store = Store({"INBOX": Folder()})
        self.assertIn("no mailbox is marked", str(self.refused(store, delete="trash")))
        Session(store, delete="trash", trash="Bin").list()

    def test_gmail_would_archive_what_is_flagged(self) -> None:
        store = Store(capabilities=DOVECOT + " X-GM-EXT-1")
        self.assertIn("Gmail", str(self.refused(store)))
        Session(store, gmail_auto_expunge=False).list()

    def test_who_we_are_is_said_before_the_mailbox_is_opened(self) -> None:
        """NetEase refuses SELECT otherwise; servers without ID are not asked."""
        session = Session(Store())
        session.list()
        self.assertLess(session.store.verbs().index("ID"), session.store.verbs().index("SELECT"))
        session = Session(Store(capabilities=BARE))
        session.list()
        self.assertNotIn("ID", session.store.verbs())

    def test_utf8_is_enabled_wherever_it_is_offered(self) -> None:
        """S11: always, so that octets and sizes do not depend on the client."""
        session = Session(Store(capabilities=DOVECOT + " UTF8=ACCEPT"))
        session.list()
        self.assertIn("ENABLE UTF8=ACCEPT", session.store.commands)

    def test_qresync_is_enabled_and_condstore_asked_for_where_they_are_offered(self) -> None:
        for capabilities, enabled, selected in (
            (QRESYNC, ["ENABLE QRESYNC"], 'SELECT "INBOX" (CONDSTORE)'),
            (f"{QRESYNC} UTF8=ACCEPT", ["ENABLE UTF8=ACCEPT QRESYNC"], 'SELECT "INBOX" (CONDSTORE)'),
            (f"{BARE} CONDSTORE", [], 'SELECT "INBOX" (CONDSTORE)'),
            (f"{BARE} QRESYNC CONDSTORE", [], 'SELECT "INBOX" (CONDSTORE)'),
            (BARE, [], 'SELECT "INBOX"'),
        ):
            session = Session(Store(capabilities=capabilities))
            session.list()
            self.assertEqual([text for text in session.store.commands if text.startswith("ENABLE")], enabled)
            self.assertIn(selected, session.store.commands)

    def test_a_server_that_announces_more_than_it_knows(self) -> None:
        """SELECT with a parameter is BAD; without it works."""
        store = with_many(3, capabilities=QRESYNC)
        known = Session(store).list()
        store.edit = lambda text, answer: (
            answer.splitlines()[-1].split()[0] + b" BAD what?\r\n"
            if text.startswith("SELECT") and "(" in text
            else answer
        )
        for knowing in (None, known):
            session = Session(store)
            self.assertEqual(list(session.list(knowing).uids), [1, 2, 3])
            self.assertEqual(session.network.open, 1)
        store.edit = refusing("SELECT", status="BAD what?")
        self.assertIsInstance(self.refused(store), UpstreamUnavailable)

    def test_who_lists_again_opens_the_mailbox_again_on_the_same_connection(self) -> None:
        for capabilities in (QRESYNC, BARE):
            session = Session(with_many(2, capabilities=capabilities))
            first = session.list()
            session.store.inbox.remove(1)
            session.store.commands.clear()
            self.assertEqual(list(session.list(first).uids), [2])
            self.assertTrue(session.source.unbroken)
            self.assertEqual(session.store.verbs()[0], "SELECT")
            self.assertEqual(len(session.network.clients), 1)

    def test_who_lists_again_in_the_middle_of_something_gets_a_new_connection(self) -> None:
        session = Session(with_many(2))
        session.list()
        session.network.ends[1].write(b"* 1 FETCH (UID 1 ")
        session.network.settle()
        self.assertEqual(len(session.list()), 2)
        self.assertEqual((len(session.network.clients), session.network.open), (2, 1))

    def test_rights_are_asked_for_where_there_are_any(self) -> None:
        store = Store(capabilities=f"{DOVECOT} ACL")
        store.inbox.rights = "lr"
        session = Session(store)
        session.list()
        self.assertIn("no right", session.source.refusal(Policy.FLAG))
