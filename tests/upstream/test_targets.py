# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""Which mailbox takes what is deleted: the owner's word, else upstream's (S18)."""

from typing import Any

from bridge.maildrop.errors import UpstreamUnsuitable
from bridge.maildrop.retention import Policy
from tests.upstream.mailserver import DOVECOT, Folder, Store
from tests.upstream.network import NetworkTestCase
from tests.upstream.session import Session, mail


def marked(**folders: str) -> Store:
    """Folders by name, with their marks; and two messages."""
    store = Store({"INBOX": Folder(), **{name: Folder(special=mark) for name, mark in folders.items()}})
    store.inbox.append(mail("a"))
    store.inbox.append(mail("b"))
    return store


class TargetsTest(NetworkTestCase):
    def opened(self, store: Store, **settings: Any) -> Session:
        session = Session(store, **settings)
        session.list()
        return session

    def test_by_the_mark_whatever_the_name_and_spelling(self) -> None:
        for policy, name in (("trash", "Papierkorb"), ("archive", "Ablage")):
            store = marked(Sent="\\Sent", Papierkorb="\\HasNoChildren \\tRASH", Ablage="\\Archive", Older="\\Archive")
            self.assertEqual(self.opened(store, delete=policy).delete(1).done, 1)
            self.assertEqual([n for n, folder in store.folders.items() if folder.messages], ["INBOX", name])

    def test_what_the_owner_names_goes_before_every_mark(self) -> None:
        for policy, name in (("trash", "Bin"), ("archive", "Old")):
            store = marked(Trash="\\Trash", Archive="\\Archive", Bin="", Old="")
            self.assertEqual(self.opened(store, delete=policy, **{policy: name}).delete(1).done, 1)
            self.assertEqual([n for n, folder in store.folders.items() if folder.messages], ["INBOX", name])
            self.assertNotIn("LIST", store.verbs())

    def test_nobody_is_asked_who_does_not_have_to_be(self) -> None:
        for policy in ("flag", "expunge", "hide"):
            store = marked(Trash="\\Trash")
            self.opened(store, delete=policy).delete(1)
            self.assertNotIn("LIST", store.verbs())

    def test_where_there_is_none_the_login_is_refused(self) -> None:
        for policy, other in (("trash", "\\Archive"), ("archive", "\\Trash")):
            session = Session(marked(Other=other), delete=policy)
            trouble = session.network.start(session.source.list()).trouble()
            self.assertIsInstance(trouble, UpstreamUnsuitable)
            self.assertIn(f"{policy} = ", str(trouble))

    def test_what_was_promised_under_another_policy_still_finds_its_place(self) -> None:
        """The owner has changed `delete =` since, and the journal keeps the word that was given (S17)."""
        for capabilities in (DOVECOT, DOVECOT.replace(" MOVE", "")):
            store = marked(Trash="\\Trash", Archive="\\Archive")
            store.capabilities = capabilities
            session = self.opened(store, delete="archive")
            self.assertEqual(session.delete(1, policy=Policy.TRASH).done, 1)
            self.assertEqual(session.delete(2).done, 1)
            self.assertEqual([len(folder.messages) for folder in store.folders.values()], [0, 1, 1])

    def test_or_says_why_it_cannot(self) -> None:
        store = marked(Archive="\\Archive")
        outcome = self.opened(store).delete(1, policy=Policy.TRASH)
        self.assertEqual((outcome.left, outcome.temporary), ({1}, False))
        self.assertIn("no mailbox is marked \\Trash", outcome.why_not)
        self.assertEqual(store.inbox.messages[1].flags, set())
