# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""An original is removed only when its own copy is certain (S18); a duplicate is better than a loss."""

from bridge.maildrop.errors import Trouble
from bridge.upstream.imap_copy import NEWEST
from tests.upstream.mailserver import BARE, DOVECOT, Fault, Store
from tests.upstream.network import NetworkTestCase
from tests.upstream.session import Session, mail, replacing, with_messages

WITHOUT_MOVE = DOVECOT.replace(" MOVE", "")
HEADERS = "UID FETCH 1 (UID RFC822.SIZE INTERNALDATE BODY"
LOOK = "UID FETCH 1 (UID RFC822.SIZE INTERNALDATE FLAGS)"


class CopyTest(NetworkTestCase):
    def opened(self, store: Store) -> Session:
        session = Session(store, delete="trash")
        session.list()
        return session

    def store(self, *messages: bytes, copyuid: bool = False) -> Store:
        return with_messages(*messages, capabilities=WITHOUT_MOVE, copyuid=copyuid)

    def test_copyuid_is_believed(self) -> None:
        store = self.store(mail("a"), mail("b"), copyuid=True)
        self.assertEqual(self.opened(store).delete(1, 2).done, 2)
        self.assertNotIn("EXAMINE", store.verbs())

    def test_copyuid_for_some_confirms_no_others(self) -> None:
        for lie, done in ((b"COPYUID 9 1 1", 1), (b"COPYUID 9 1,77 1,2", 1), (b"COPYUID 9 77:78 1:2", 0)):
            store = self.store(mail("a"), mail("b"), copyuid=True)
            session = self.opened(store)
            store.edit = replacing(b"COPYUID 9 1,2 1,2", lie)
            outcome = session.delete(1, 2)
            self.assertEqual(outcome.done, done)
            self.assertIn(2, store.inbox.messages)

    def test_copyuid_that_makes_no_sense_is_not_used(self) -> None:
        for lie in (b"COPYUID 9 1:2 1", b"COPYUID x", b"COPYUID 9 1:99999999 1:99999999"):
            store = self.store(mail("a"), mail("b"), copyuid=True)
            session = self.opened(store)
            store.edit = replacing(b"COPYUID 9 1,2 1,2", lie)
            self.assertEqual(session.delete(1, 2).done, 2)
            self.assertIn("EXAMINE", store.verbs())

    def test_the_copy_is_found_by_message_id_and_size(self) -> None:
        store = self.store(mail("a"), mail("b"))
        self.assertEqual(self.opened(store).delete(1, 2).done, 2)
        self.assertEqual((len(store.inbox.messages), len(store.trash.messages)), (0, 2))

    def test_a_server_that_gives_copies_a_new_date(self) -> None:
        """RFC 9051 says SHOULD; that there was a COPY it has said itself."""
        store = self.store(mail("a"))
        session = self.opened(store)

        def redate(text: str, answer: bytes) -> bytes:
            if text.startswith("UID COPY"):
                store.trash.messages[1].date = "22-Nov-2026 00:00:00 +0000"
            return answer

        store.edit = redate
        self.assertEqual(session.delete(1).done, 1)

    def test_the_same_message_id_with_another_size_is_another_message(self) -> None:
        store = self.store(mail("a"))
        session = self.opened(store)

        def lose(text: str, answer: bytes) -> bytes:
            if text.startswith("UID COPY"):
                store.trash.messages[1].octets = mail("a", 5000)
            return answer

        store.edit = lose
        self.assertEqual(session.delete(1).done, 0)
        self.assertIn(1, store.inbox.messages)

    def test_a_message_without_message_id_is_never_certain(self) -> None:
        for octets in (
            b"Subject: a\r\n\r\nb\r\n",
            b"Message-ID: none\r\n\r\nb\r\n",
            b"Message-ID: <" + b"x" * 5000 + b">\r\n\r\n",
        ):
            store = self.store(octets)
            outcome = self.opened(store).delete(1)
            self.assertEqual((outcome.done, outcome.temporary), (0, True))
            self.assertIn(1, store.inbox.messages)

    def test_a_target_full_of_the_same_message_id_is_not_searched_through(self) -> None:
        """A robot that uses one for ever: its newest mails there are looked at, and the copy is among them."""
        store = self.store(mail("a"), mail("b"))
        for _ in range(NEWEST):
            store.trash.append(mail("a", 5000))
        self.assertEqual(self.opened(store).delete(1).done, 1)
        looked_at = [text for text in store.commands if text.endswith(LOOK.partition("1")[2])]
        self.assertEqual(looked_at[-1].split()[2], f"2:{NEWEST + 1}")

    def test_refusals_on_the_way_confirm_nothing(self) -> None:
        for command in ("EXAMINE", "UID SEARCH", HEADERS, LOOK):
            for status in (b"NO no", b"BAD what", b"OK but nothing"):
                store = self.store(mail("a"))
                session = self.opened(store)

                def refuse(text: str, answer: bytes, command: str = command, status: bytes = status) -> bytes:
                    tag = answer.splitlines()[-1].split()[0]
                    return tag + b" " + status + b"\r\n" if text.startswith(command) else answer

                store.edit = refuse
                running = session.deleting(1)
                try:
                    running.result()
                except Trouble:
                    self.assertIn(1, store.inbox.messages)
                if 1 not in store.inbox.messages:
                    self.assertEqual(len(store.trash.messages), 1)
                if command != "EXAMINE":
                    self.assertIn(1, store.inbox.messages)

    def test_originals_never_pass_for_copies(self) -> None:
        """EXAMINE is refused, and the server keeps the mailbox itself selected: every search would find them there."""
        for again in (False, True):
            store = self.store(mail("a"))
            session = self.opened(store)

            def fail(text: str, answer: bytes, store: Store = store) -> bytes:
                if text.startswith("UID COPY"):
                    store.trash.messages.clear()
                if text.startswith(HEADERS):  # the next exchange is EXAMINE
                    store.faults = {store.exchanges: Fault.NO}
                return answer

            store.edit = fail
            outcome = session.delete(1, again=again)
            self.assertIn("EXAMINE", store.verbs())
            self.assertEqual((outcome.left, outcome.certain), ({1}, True))
            self.assertEqual(store.inbox.messages[1].flags, set())

    def test_two_that_are_alike_need_two_copies(self) -> None:
        store = self.store(mail("a"), mail("a"))
        session = self.opened(store)

        def lose(text: str, answer: bytes) -> bytes:
            if text.startswith("UID COPY"):
                del store.trash.messages[1]
            return answer

        store.edit = lose
        self.assertEqual(session.delete(1, 2).left, {2})
        self.assertEqual(sorted(store.inbox.messages), [2])

    def test_the_mailbox_cannot_be_opened_again_after_the_look(self) -> None:
        """Even where both mailboxes have the same UIDVALIDITY, nothing is marked in the wrong one."""
        for new in (b"UIDVALIDITY 8", b"UIDVALIDITY 7] valid\r\n* OK [MAILBOXID (F2)", b""):
            store = self.store(mail("a"))
            store.trash.uidvalidity = 7
            session = self.opened(store)

            def refuse(text: str, answer: bytes, new: bytes = new) -> bytes:
                if text.startswith("SELECT") and new:
                    return answer.replace(b"UIDVALIDITY 7", new)
                if text.startswith("SELECT"):
                    return answer.splitlines()[-1].split()[0] + b" NO no\r\n"
                return answer

            store.edit = refuse
            outcome = session.delete(1)
            self.assertEqual((outcome.done, outcome.certain), (0, False))
            self.assertIn("replaced", outcome.why_not)
            self.assertEqual(store.inbox.messages[1].flags, set())
            self.assertEqual(store.trash.messages[1].flags, set())
            self.assertNotIn("UID STORE", store.verbs())

    def test_on_the_barest_server(self) -> None:
        store = with_messages(mail("a"), mail("b"), capabilities=BARE, copyuid=False)
        self.assertEqual(self.opened(store).delete(1, 2).done, 2)
        self.assertEqual([one.flags for one in store.inbox.messages.values()], [{"\\Deleted"}] * 2)
