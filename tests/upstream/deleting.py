# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""What the tests of deletion share: a mailbox with others' marks in it, and a look that they are still there."""

from typing import Any

from tests.upstream.mailserver import DOVECOT, Folder, Store
from tests.upstream.network import NetworkTestCase
from tests.upstream.session import Session, mail

DELETED = {"\\Deleted"}


def folders() -> dict[str, Folder]:
    return {"INBOX": Folder(), "Trash": Folder(9, special="\\Trash"), "Archive": Folder(11, special="\\Archive")}


def five(capabilities: str = DOVECOT, **store: Any) -> Store:
    """Of five messages, the fourth was marked by somebody else; the fifth is flagged and read."""
    made = Store(folders(), capabilities, **store)
    for number in range(1, 6):
        made.inbox.append(mail(f"m{number}"))
    made.inbox.messages[4].flags = {"\\Deleted"}
    made.inbox.messages[5].flags = {"\\Flagged", "\\Seen"}
    return made


def without(*words: str) -> str:
    return " ".join(word for word in DOVECOT.split() if word not in words)


class Case(NetworkTestCase):
    def opened(self, store: Store, **settings: Any) -> Session:
        session = Session(store, **settings)
        session.list()
        return session

    def assertNoBareExpunge(self, store: Store) -> None:  # noqa: N802  # as trial's own
        """S19: neither is ever sent."""
        self.assertFalse([text for text in store.commands if text.split()[0] in {"EXPUNGE", "CLOSE"}])

    def assertOthersUntouched(self, store: Store) -> None:  # noqa: N802  # as trial's own
        self.assertEqual(store.inbox.messages[4].flags, DELETED)
        self.assertEqual(store.inbox.messages[5].flags, {"\\Flagged", "\\Seen"})
        self.assertNoBareExpunge(store)
