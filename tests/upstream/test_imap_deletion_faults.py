# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""Deletions that upstream does in part, or whose answer nobody saw (S17, S18; fault 10)."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count

from bridge.maildrop.errors import Trouble
from bridge.maildrop.source import Deletion
from bridge.upstream import imap_batches
from tests.upstream.deleting import Case, five, folders, without
from tests.upstream.mailserver import BARE, DOVECOT, Fault, Store
from tests.upstream.session import mail, refusing

NO_MOVE, NO_UIDPLUS = without("MOVE"), without("UIDPLUS")
POLICIES = {
    "flag": (DOVECOT,),
    "hide": (DOVECOT,),
    "expunge": (DOVECOT, NO_UIDPLUS),
    "trash": (DOVECOT, NO_MOVE, without("MOVE", "UIDPLUS"), BARE),
    "archive": (NO_MOVE,),
}
"""With which capabilities each takes another way."""

GONE_FOR_POP3 = frozenset({"\\Deleted", "$POP3Deleted"})


def shown(store: Store) -> set[int]:
    """Of ours, the UIDs that POP3 would still see."""
    return {
        uid for uid in (1, 3) if uid in store.inbox.messages and not store.inbox.messages[uid].flags & GONE_FOR_POP3
    }


class LossTest(Case):
    """Fault 10: what is not known to be done is not called done, and a second try ends it without doing it twice."""

    def test_any_fault_at_any_exchange_and_another_try(self) -> None:
        points = 0
        for delete, all_capabilities in POLICIES.items():
            for capabilities in all_capabilities:
                for copyuid in (True, False) if "MOVE" not in capabilities else (True,):
                    for fault in Fault:
                        points += sum(1 for _ in self.each_exchange(delete, capabilities, fault, copyuid=copyuid))
        print(f"{points} cut points")
        self.assertGreater(points, 500)

    def each_exchange(self, delete: str, capabilities: str, fault: Fault, *, copyuid: bool) -> Iterator[int]:
        for exchange in count():
            store = five(capabilities, copyuid=copyuid)
            session = self.opened(store, delete=delete)
            at = store.exchanges + exchange
            store.faults = {at: fault}
            running = session.deleting(1, 3)
            session.network.wait(31)
            try:
                outcome = running.result()
            except Trouble:
                outcome = Deletion(2, frozenset({1, 3}), certain=False)
            self.assertEqual(shown(store) - outcome.left, set(), "what is called done is done")
            self.assertOthersUntouched(store)
            self.assertNothingLost(store, delete)
            if store.exchanges <= at:
                self.assertEqual(outcome, Deletion(2))
                return
            if not outcome.certain and fault not in {Fault.NO, Fault.BAD}:
                self.assertEqual(session.network.open, 0)
            session.source.abandon()
            self.try_again(store, delete)
            yield exchange

    def try_again(self, store: Store, delete: str) -> None:
        store.faults = {}
        self.assertEqual(self.opened(store, delete=delete).delete(1, 3, again=True), Deletion(2))
        self.assertEqual(shown(store), set())
        self.assertOthersUntouched(store)
        self.assertNothingLost(store, delete)
        for name in ("Trash", "Archive"):
            copies = Counter(one.octets for one in store.folders[name].messages.values())
            expected = {mail("m1"): 1, mail("m3"): 1} if delete == name.lower() else {}
            self.assertEqual(copies, expected)

    def assertNothingLost(self, store: Store, delete: str) -> None:  # noqa: N802  # as trial's own
        kept = {one.octets for folder in store.folders.values() for one in folder.messages.values()}
        if delete != "expunge":
            self.assertTrue({mail("m1"), mail("m3")} <= kept)


class AgainTest(Case):
    """Before any second COPY its copies of the first one are looked for (S18)."""

    def test_without_that_word_nothing_is_looked_for(self) -> None:
        store = five(NO_MOVE)
        store.trash.append(mail("m1"))
        self.assertEqual(self.opened(store, delete="trash").delete(1), Deletion(1))
        self.assertEqual((len(store.trash.messages), "EXAMINE" in store.verbs()), (2, False))

    def test_what_was_copied_is_not_copied_twice(self) -> None:
        store = five(NO_MOVE)
        store.trash.append(mail("m1"))
        self.assertEqual(self.opened(store, delete="trash").delete(1, 3, again=True), Deletion(2))
        self.assertEqual([one.octets for one in store.trash.messages.values()], [mail("m1"), mail("m3")])
        self.assertEqual(sorted(store.inbox.messages), [2, 4, 5])
        self.assertEqual([text for text in store.commands if "COPY" in text], ['UID COPY 3 "Trash"'])

    def test_the_mail_of_another_day_is_no_copy(self) -> None:
        """A robot that uses one Message-ID for ever: same size, another date, and the only one of its day."""
        store = five(NO_MOVE)
        store.trash.append(mail("m1"))
        store.trash.messages[1].date = "16-Jul-2024 02:44:25 -0700"
        session = self.opened(store, delete="trash")
        self.assertEqual(session.delete(1, again=True), Deletion(1))
        self.assertEqual(len(store.trash.messages), 2)

    def test_a_date_that_nobody_knows_proves_nothing(self) -> None:
        store = five(NO_MOVE)
        store.trash.append(mail("m1"))
        session = self.opened(store, delete="trash")
        store.edit = lambda _, answer: answer.replace(b' INTERNALDATE "17-Jul-2024 02:44:25 -0700"', b"")
        self.assertEqual(session.delete(1, again=True), Deletion(1))
        self.assertEqual(len(store.trash.messages), 2)

    def test_two_that_are_alike_need_two_copies(self) -> None:
        store = five(NO_MOVE)
        store.inbox.messages[3].octets = mail("m1")
        store.trash.append(mail("m1"))
        self.assertEqual(self.opened(store, delete="trash").delete(1, 3, again=True), Deletion(2))
        self.assertEqual(len(store.trash.messages), 2)

    def test_without_message_id_a_duplicate_is_better_than_a_loss(self) -> None:
        store = five(NO_MOVE)
        store.inbox.messages[1].octets = b"Subject: a\r\n\r\nb\r\n"
        store.trash.append(store.inbox.messages[1].octets)
        self.assertEqual(self.opened(store, delete="trash").delete(1, again=True), Deletion(1))
        self.assertEqual(len(store.trash.messages), 2)

    def test_a_copy_that_was_refused_keeps_only_what_has_none(self) -> None:
        store = five(NO_MOVE)
        store.trash.append(mail("m1"))
        session = self.opened(store, delete="trash")
        store.edit = lambda text, answer: (
            answer.split(b" ")[0] + b" NO [OVERQUOTA] full\r\n" if text.startswith("UID COPY") else answer
        )
        outcome = session.delete(1, 3, again=True)
        self.assertEqual((outcome.left, outcome.temporary, outcome.detail), ({3}, False, "full"))
        self.assertEqual(sorted(store.inbox.messages), [2, 3, 4, 5])


class ManyTest(Case):
    def test_more_than_fit_in_one_command(self) -> None:
        self.patch(imap_batches, "LONGEST_SET", 100)
        for delete in ("flag", "expunge", "trash"):
            store = Store()
            for _ in range(200):
                store.inbox.append(b"m\r\n")
            for uid in range(2, 201, 2):
                del store.inbox.messages[uid]
            uids = sorted(store.inbox.messages)
            session = self.opened(store, delete=delete)
            self.assertEqual(session.delete(*uids), Deletion(100))
            self.assertLess(max(map(len, store.commands)), 150)

    def test_ways_that_split_what_is_left_still_fit(self) -> None:
        """What remains of one short range may be a long set."""
        self.patch(imap_batches, "LONGEST_SET", 100)
        store = Store(folders(), NO_MOVE)
        for number in range(1, 201):
            store.inbox.append(mail(f"m{number}"))
        session = self.opened(store, delete="trash")
        for uid in range(2, 201, 2):
            store.trash.append(store.inbox.messages.pop(uid).octets)
        self.assertEqual(session.delete(*range(1, 201)), Deletion(200))
        self.assertEqual(len(store.trash.messages), 200)
        self.assertLess(max(map(len, store.commands)), 150)


def ten(capabilities: str) -> Store:
    store = Store(folders(), capabilities)
    for number in range(10):
        store.inbox.append(mail(f"m{number}"))
    return store


def telling(most: int) -> Callable[[str, bytes], bytes]:
    """For `edit`: a command that asks for more than `most` is told so."""

    def edit(text: str, answer: bytes) -> bytes:
        words = text.split()
        if words[0] != "UID" or words[1] == "SEARCH":
            return answer
        spans = [[int(end) for end in span.split(":")] for span in words[2].split(",")]
        if sum(span[-1] - span[0] + 1 for span in spans) <= most:
            return answer
        head, ok, tail = answer.rpartition(b" OK ")
        return head + ok + b"[MESSAGELIMIT %d 1] " % most + tail

    return edit


class LimitTest(Case):
    """MESSAGELIMIT (RFC 9738): none is forgotten, and none is called done that was left."""

    def test_a_limit_that_is_announced(self) -> None:
        for capabilities in (DOVECOT, BARE):
            for delete in POLICIES:
                for word in ("MESSAGELIMIT=3", "MESSAGELIMIT=x MESSAGELIMIT=0 SAVELIMIT=3"):
                    store = ten(f"{capabilities} {word}")
                    session = self.opened(store, delete=delete)
                    store.most = 3
                    self.assertEqual(session.delete(*range(1, 11)), Deletion(10))
                    self.assertEqual([m for m in store.inbox.messages.values() if not m.flags & GONE_FOR_POP3], [])

    def test_a_limit_that_is_told_only_when_it_is_met(self) -> None:
        for delete, capabilities in (("flag", BARE), ("hide", BARE), ("expunge", DOVECOT), ("trash", DOVECOT)):
            store = ten(capabilities)
            session = self.opened(store, delete=delete)
            store.most, store.edit = 3, telling(3)
            self.assertEqual(session.delete(*range(1, 11)), Deletion(10), delete)
            self.assertEqual([m for m in store.inbox.messages.values() if not m.flags & GONE_FOR_POP3], [])

    def test_what_a_limit_keeps_from_being_seen_is_not_gone(self) -> None:
        store = ten(DOVECOT)
        session = self.opened(store, delete="expunge")
        store.inbox.stuck = {1, 2}
        store.most, store.edit = 3, telling(3)
        outcome = session.delete(*range(1, 11))
        self.assertEqual((outcome.left, outcome.temporary), ({1, 2}, True))

    def test_a_limit_behind_which_nothing_is_done(self) -> None:
        for command, certain in (("UID STORE", True), ("UID FETCH", False)):
            store = ten(DOVECOT)
            session = self.opened(store)

            def stop(text: str, answer: bytes, store: Store = store, command: str = command) -> bytes:
                for one in store.inbox.messages.values():
                    one.flags.clear()
                return refusing(command, status="OK [MESSAGELIMIT 3] no more")(text, answer)

            store.edit = stop
            outcome = session.delete(1, 2)
            self.assertEqual((outcome.left, outcome.temporary, outcome.certain), ({1, 2}, True, certain))
            self.assertLess(len(store.commands), 20)
