# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""QUIT upstream: what was marked and nothing else, and the truth about it (S16-S20; faults 10, 11, 13, 14)."""

import contextlib

from bridge.maildrop.errors import Trouble, UpstreamUnsuitable
from bridge.maildrop.retention import Policy
from bridge.maildrop.source import Deletion
from tests.upstream.deleting import DELETED, Case, five, without
from tests.upstream.mailserver import BARE, DOVECOT, Fault, Folder, Store
from tests.upstream.session import Session, mail, refusing

PLACES = {"Trash": Policy.TRASH, "Archive": Policy.ARCHIVE}
FLAGS = {Policy.FLAG: DELETED, Policy.HIDE: {"$POP3Deleted"}}


class FlagTest(Case):
    def test_the_flag_is_set_and_nothing_is_expunged(self) -> None:
        for capabilities in (DOVECOT, BARE):
            store = five(capabilities)
            self.assertEqual(self.opened(store).delete(1, 3), Deletion(2))
            self.assertEqual([store.inbox.messages[uid].flags for uid in (1, 2, 3)], [DELETED, set(), DELETED])
            self.assertOthersUntouched(store)

    def test_a_refused_store(self) -> None:
        store = five()
        session = self.opened(store)

        def refuse(text: str, answer: bytes) -> bytes:
            for message in store.inbox.messages.values():
                message.flags -= DELETED
            return refusing("UID STORE")(text, answer)

        store.edit = refuse
        outcome = session.delete(1, 3)
        self.assertEqual((outcome.asked, outcome.done, outcome.temporary), (2, 0, False))
        self.assertIn("refused to flag", outcome.why_not)

    def test_an_ok_that_is_not_true(self) -> None:
        """Dovecot on a read-only disk."""
        store = five()
        session = self.opened(store)

        def forget(text: str, answer: bytes) -> bytes:
            if text.startswith("UID STORE"):
                store.inbox.messages[3].flags.clear()
            return answer

        store.edit = forget
        outcome = session.delete(1, 3)
        self.assertEqual((outcome.asked, outcome.left, outcome.temporary), (2, {3}, True))
        self.assertIn("said OK and still has them", outcome.why_not)

    def test_a_row_without_flags_takes_none_away(self) -> None:
        """With CONDSTORE a row may bring the new MODSEQ alone (RFC 7162, section 3.1.3)."""
        store = five(without("ESEARCH"))
        session = self.opened(store)
        modseq = b"* 1 FETCH (UID 1 MODSEQ (9))\r\n"
        store.edit = lambda text, answer: (
            b"".join([modseq, *answer.splitlines(keepends=True)[:-1], modseq, answer.splitlines(keepends=True)[-1]])
            if text.startswith("UID FETCH")
            else answer
        )
        self.assertEqual(session.delete(1), Deletion(1))

    def test_what_carries_the_flag_is_told_in_one_line_where_the_server_can(self) -> None:
        for delete, key in (("flag", "DELETED"), ("hide", "KEYWORD $POP3Deleted")):
            store = five()
            self.assertEqual(self.opened(store, delete=delete).delete(1, 2, 3), Deletion(3))
            self.assertEqual(store.commands[-1], f"UID SEARCH RETURN (ALL) UID 1:3 {key}")

    def test_what_such_a_search_leaves_out_is_looked_at(self) -> None:
        """It may look into an index that lags behind, or only at a part of the mailbox (RFC 9738)."""
        for found in (b" UID ALL 1", b" UID ALL 1,4:9", b" UID"):
            store = five()
            session = self.opened(store)
            line = b'* ESEARCH (TAG "%b")' + found + b"\r\n"

            def edit(text: str, answer: bytes, line: bytes = line) -> bytes:
                last = answer.splitlines(keepends=True)[-1]
                return line % last.split()[0] + last if text.startswith("UID SEARCH") else answer

            store.edit = edit
            self.assertEqual(session.delete(1, 2, 3), Deletion(3))
            left = "2:3" if b"1" in found else "1:3"
            self.assertEqual(store.commands[-1], f"UID FETCH {left} (UID FLAGS)")

    def test_a_search_that_is_refused_proves_nothing(self) -> None:
        store = five()
        session = self.opened(store)

        def edit(text: str, answer: bytes) -> bytes:
            if text.startswith("UID STORE"):
                store.inbox.messages[3].flags.clear()
            tag = answer.splitlines()[-1].split()[0]
            claim = b'* ESEARCH (TAG "%b") UID ALL 1:3\r\n%b NO [SERVERBUG] oops\r\n' % (tag, tag)
            return claim if text.startswith("UID SEARCH") else answer

        store.edit = edit
        self.assertEqual(session.delete(1, 3).left, {3})

    def test_what_others_removed_meanwhile_is_gone(self) -> None:
        store = five()
        session = self.opened(store)
        del store.inbox.messages[3]
        self.assertEqual(session.delete(1, 3), Deletion(2))

    def test_no_answer_to_what_became_of_them_is_no_success(self) -> None:
        for status in ("NO not now", "BAD what"):
            for delete in ("flag", "expunge", "trash"):
                for capabilities in (DOVECOT, BARE):
                    store = five(capabilities)
                    session = self.opened(store, delete=delete, trash="Trash")
                    commands = ("FETCH", "SEARCH", "STORE", "EXPUNGE", "MOVE", "COPY")
                    store.edit = refusing(*(f"UID {command}" for command in commands), status=status)
                    running = session.deleting(1, 3)
                    with contextlib.suppress(Trouble):
                        self.assertEqual(running.result().done, 0)

    def test_a_session_that_ends_without_quit_marks_nothing(self) -> None:
        """S16; and RSET is nothing upstream at all."""
        for end in ("close", "abandon"):
            store = five()
            session = self.opened(store)
            session.stream(1)
            session.top(2, 10)
            getattr(session.source, end)()
            session.network.wait(11)
            self.assertFalse({"UID STORE", "UID EXPUNGE", "UID MOVE", "UID COPY"} & set(store.verbs()))
            self.assertOthersUntouched(store)


class ExpungeTest(Case):
    def test_exactly_these_are_removed(self) -> None:
        store = five()
        self.assertEqual(self.opened(store, delete="expunge").delete(1, 3), Deletion(2))
        self.assertEqual(sorted(store.inbox.messages), [2, 4, 5])
        self.assertOthersUntouched(store)

    def test_without_uidplus_they_are_flagged_only(self) -> None:
        store = five(without("UIDPLUS"))
        self.assertEqual(self.opened(store, delete="expunge").delete(1, 3), Deletion(2))
        self.assertEqual(store.inbox.messages[1].flags | store.inbox.messages[3].flags, DELETED)
        self.assertEqual(sorted(store.inbox.messages), [1, 2, 3, 4, 5])
        self.assertOthersUntouched(store)

    def test_imap4rev2_has_uid_expunge_without_saying_uidplus(self) -> None:
        store = five("IMAP4rev1 IMAP4rev2 X-UIDPLUS")
        self.opened(store, delete="expunge").delete(1)
        self.assertNotIn(1, store.inbox.messages)

    def test_a_refused_expunge_is_told(self) -> None:
        store = five()
        session = self.opened(store, delete="expunge")
        store.inbox.stuck = {1, 3}
        store.edit = refusing("UID EXPUNGE", status="NO [INUSE] busy")
        outcome = session.delete(1, 3)
        self.assertEqual((outcome.done, outcome.temporary, outcome.detail), (0, True, "busy"))
        self.assertIn("refused to expunge", outcome.why_not)

    def test_success_in_part_is_counted_truly(self) -> None:
        store = five()
        session = self.opened(store, delete="expunge")
        store.inbox.stuck = {3}
        outcome = session.delete(1, 3)
        self.assertEqual((outcome.asked, outcome.left, outcome.certain), (2, {3}, True))

    def test_the_owner_accepts_the_race(self) -> None:
        """expunge_without_uidplus: bare EXPUNGE, but only while no message of anybody else is marked."""
        store = five(BARE)
        session = self.opened(store, delete="expunge", expunge_without_uidplus=True)
        self.assertEqual(session.delete(1, 3), Deletion(2))
        self.assertOthersUntouched(store)
        store = five(BARE)
        del store.inbox.messages[4]
        session = self.opened(store, delete="expunge", expunge_without_uidplus=True)
        self.assertEqual(session.delete(1, 3), Deletion(2))
        self.assertEqual(sorted(store.inbox.messages), [2, 5])
        self.assertNotIn("CLOSE", store.verbs())

    def test_whose_marks_there_are_must_be_known_for_that(self) -> None:
        for status in ("NO not now", "BAD what", "OK but nothing"):
            store = five(BARE)
            session = self.opened(store, delete="expunge", expunge_without_uidplus=True)
            store.edit = refusing("UID SEARCH", status=status)
            session.delete(1, 3)
            self.assertOthersUntouched(store)

    def test_not_even_then_where_flagging_failed(self) -> None:
        store = five(BARE)
        del store.inbox.messages[4]
        session = self.opened(store, delete="expunge", expunge_without_uidplus=True)

        def forget(text: str, answer: bytes) -> bytes:
            if text.startswith("UID STORE"):
                store.inbox.messages[3].flags.clear()
            return answer

        store.edit = forget
        self.assertEqual(session.delete(1, 3).done, 1)
        self.assertNoBareExpunge(store)


class TrashTest(Case):
    policy = "trash"
    word = "Trash"

    def target(self, store: Store) -> Folder:
        return store.folders[self.word]

    def test_moved_where_move_is_known(self) -> None:
        store = five()
        self.assertEqual(self.opened(store, delete=self.policy).delete(1, 3), Deletion(2))
        self.assertEqual(sorted(store.inbox.messages), [2, 4, 5])
        self.assertEqual([one.octets for one in self.target(store).messages.values()], [mail("m1"), mail("m3")])
        self.assertOthersUntouched(store)

    def test_copied_seen_and_only_then_removed(self) -> None:
        store = five(without("MOVE"))
        self.assertEqual(self.opened(store, delete=self.policy).delete(1, 3), Deletion(2))
        self.assertEqual(sorted(store.inbox.messages), [2, 4, 5])
        self.assertEqual(len(self.target(store).messages), 2)
        self.assertOthersUntouched(store)

    def test_without_move_and_uidplus_copied_and_flagged(self) -> None:
        store = five(BARE, copyuid=False)
        self.assertEqual(self.opened(store, delete=self.policy).delete(1, 3), Deletion(2))
        self.assertEqual(sorted(store.inbox.messages), [1, 2, 3, 4, 5])
        self.assertEqual(store.inbox.messages[1].flags, DELETED)
        self.assertEqual(len(self.target(store).messages), 2)
        self.assertOthersUntouched(store)

    def test_a_refused_move_removes_nothing(self) -> None:
        """`trash` never falls back to `expunge`."""
        for status, temporary in (("NO [TRYCREATE] none", False), ("NO [OVERQUOTA] full", False), ("NO busy", True)):
            store = five()
            session = self.opened(store, delete=self.policy, **{self.policy: "Bin"})
            store.edit = refusing("UID MOVE", status=status)
            outcome = session.delete(1, 3)
            self.assertEqual((outcome.done, outcome.temporary), (0, temporary))
            self.assertIn("refused to move them to Bin", outcome.why_not)
            self.assertEqual(sorted(store.inbox.messages), [1, 2, 3, 4, 5])
            self.assertOthersUntouched(store)

    def test_a_move_that_did_a_part(self) -> None:
        """RFC 6851 allows that; what is still there is what remains."""
        for status in ("OK done", "NO [LIMIT] enough"):
            store = five()
            session = self.opened(store, delete=self.policy)
            store.inbox.stuck = {3}
            store.edit = refusing("UID MOVE", status=status)
            outcome = session.delete(1, 3)
            self.assertEqual((outcome.asked, outcome.left), (2, {3}))
            self.assertTrue(outcome.why_not)

    def test_a_refused_copy_removes_nothing(self) -> None:
        store = five(without("MOVE"))
        session = self.opened(store, delete=self.policy, **{self.policy: "Bin"})
        outcome = session.delete(1, 3)
        self.assertEqual(outcome.done, 0)
        self.assertIn("refused to copy them to Bin", outcome.why_not)
        self.assertEqual(sorted(store.inbox.messages), [1, 2, 3, 4, 5])
        self.assertNotIn("UID STORE", store.verbs())

    def test_a_refused_copy_is_not_made_good_by_an_older_one(self) -> None:
        store = five(without("MOVE"))
        self.target(store).append(mail("m1"))
        session = self.opened(store, delete=self.policy)
        store.edit = refusing("UID COPY", status="NO [OVERQUOTA] full")
        outcome = session.delete(1)
        self.assertEqual((outcome.done, outcome.temporary, outcome.detail), (0, False, "full"))
        self.assertIn(1, store.inbox.messages)

    def test_a_copy_that_is_not_found_keeps_its_original(self) -> None:
        store = five(without("MOVE"), copyuid=False)
        session = self.opened(store, delete=self.policy)

        def lose(text: str, answer: bytes) -> bytes:
            if text.startswith("UID COPY"):
                del self.target(store).messages[2]
            return answer

        store.edit = lose
        outcome = session.delete(1, 3)
        self.assertEqual((outcome.asked, outcome.done, outcome.temporary), (2, 1, True))
        self.assertIn(f"copies in {self.word} could not be found", outcome.why_not)
        self.assertIn(3, store.inbox.messages)
        self.assertEqual(store.inbox.messages[3].flags, set())

    def test_what_others_removed_before_the_copy_is_gone(self) -> None:
        store = five(without("MOVE"))
        session = self.opened(store, delete=self.policy)
        del store.inbox.messages[3]
        self.assertEqual(session.delete(1, 3), Deletion(2))

    def test_there_is_no_other_way_than_this_target(self) -> None:
        """Neither is `trash` made good by `archive`, nor the other way round."""
        store = five()
        others = [folder for name, folder in store.folders.items() if name not in {"INBOX", self.word}]
        self.opened(store, delete=self.policy).delete(1, 3)
        self.assertEqual([folder.messages for folder in others], [{}])


class ArchiveTest(TrashTest):
    """The same to another place."""

    policy = "archive"
    word = "Archive"


class HideTest(Case):
    HIDDEN = frozenset({"$POP3Deleted"})

    def test_gone_for_pop3_and_untouched_for_imap(self) -> None:
        for capabilities in (DOVECOT, BARE):
            store = five(capabilities)
            self.assertEqual(self.opened(store, delete="hide").delete(1, 3), Deletion(2))
            self.assertEqual([store.inbox.messages[uid].flags for uid in (1, 2, 3)], [self.HIDDEN, set(), self.HIDDEN])
            self.assertOthersUntouched(store)
            self.assertEqual(list(Session(store, delete="hide").list().visible().uids), [2, 5])

    def test_a_flag_that_others_set_stays_beside_it(self) -> None:
        store = five()
        self.opened(store, delete="hide").delete(5)
        self.assertEqual(store.inbox.messages[5].flags, {"\\Flagged", "\\Seen", *self.HIDDEN})

    def test_hidden_is_what_is_seen_to_be_hidden(self) -> None:
        for kept, done in (("$pop3deleted", 1), ("$POP3Delete", 0), ("\\Deleted", 0)):
            store = five()
            session = self.opened(store, delete="hide")

            def keep(text: str, answer: bytes, kept: str = kept, store: Store = store) -> bytes:
                if text.startswith("UID STORE"):
                    store.inbox.messages[1].flags = {kept}
                return answer

            store.edit = keep
            outcome = session.delete(1)
            self.assertEqual((outcome.done, outcome.temporary), (done, not done))

    def test_a_refused_store(self) -> None:
        store = five()
        session = self.opened(store, delete="hide")
        store.faults = {store.exchanges: Fault.NO}
        outcome = session.delete(1)
        self.assertEqual((outcome.left, outcome.temporary), ({1}, True))
        self.assertIn("refused to hide them", outcome.why_not)

    def test_a_mailbox_that_keeps_no_keywords(self) -> None:
        """It is an error at login, and never a silent substitute (S18)."""
        store = five()
        store.inbox.permanent = "\\Deleted \\Seen"
        session = Session(store, delete="hide")
        trouble = session.network.start(session.source.list()).trouble()
        self.assertIsInstance(trouble, UpstreamUnsuitable)
        self.assertIn("keeps no keywords", str(trouble))


class AnotherPolicyTest(Case):
    """The journal keeps what was promised before the owner changed his mind, and a purge expunges what was flagged."""

    def test_whatever_the_accounts_own_is(self) -> None:
        for own in ("flag", "expunge", "trash", "archive", "hide"):
            for policy in (Policy.FLAG, Policy.EXPUNGE, Policy.TRASH, Policy.ARCHIVE, Policy.HIDE):
                store = five()
                self.assertEqual(self.opened(store, delete=own).delete(1, 3, policy=policy), Deletion(2))
                places = {policy: sorted(store.folders[name].messages) for name, policy in PLACES.items()}
                moved = {one: [1, 2] if one is policy else [] for one in PLACES.values()}
                self.assertEqual(places, moved, (own, policy))
                flags = set().union(*(store.inbox.messages[uid].flags for uid in (1, 3) if uid in store.inbox.messages))
                self.assertEqual(flags, FLAGS.get(policy, set()), (own, policy))
                self.assertEqual(sorted(store.inbox.messages), [1, 2, 3, 4, 5] if flags else [2, 4, 5])
                self.assertOthersUntouched(store)

    def test_one_that_this_mailbox_cannot_keep_is_refused(self) -> None:
        store = five()
        store.inbox.permanent = "\\Deleted"
        outcome = self.opened(store).delete(1, 3, policy=Policy.HIDE)
        self.assertEqual((outcome.left, outcome.temporary), ({1, 3}, False))
        self.assertIn("keeps no keywords", outcome.why_not)

    def test_keep_is_nothing_that_upstream_is_asked_for(self) -> None:
        session = self.opened(five())
        trouble = session.network.start(session.source.delete([1], Policy.KEEP)).trouble()
        self.assertIsInstance(trouble, AssertionError)
        self.assertFalse({"UID STORE", "UID MOVE", "UID COPY"} & set(session.store.verbs()))


class RefusedBeforehandTest(Case):
    """S17: what can never be done is refused without a try."""

    def test_in_a_mailbox_that_allows_no_deletion(self) -> None:
        for change, word in (
            ({"read_only": True}, "read-only"),
            ({"permanent": "\\Seen"}, "does not keep the \\Deleted flag"),
            ({"rights": "lrs"}, "no right to delete"),
        ):
            store = five(DOVECOT + " ACL")
            for name, value in change.items():
                setattr(store.inbox, name, value)
            session = self.opened(store)
            before = len(store.commands)
            outcome = session.delete(1, 3)
            self.assertEqual((outcome.done, outcome.temporary), (0, False))
            self.assertIn(word, outcome.why_not)
            self.assertEqual(len(store.commands), before)

    def test_a_server_that_keeps_its_rights_to_itself(self) -> None:
        store = five(DOVECOT + " ACL")
        store.edit = refusing("MYRIGHTS")
        self.assertEqual(self.opened(store).delete(1).done, 1)

    def test_nothing_can_be_deleted_before_anything_was_listed(self) -> None:
        session = Session(five())
        self.assertIsInstance(session.deleting(1).trouble(), AssertionError)
