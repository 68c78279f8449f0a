# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""Listing what is known already: only what changed is asked for, and the outcome is that of listing everything."""

import contextlib
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.maildrop.errors import ListingIncomplete, Trouble
from bridge.maildrop.listing import Listing
from bridge.upstream.imap_listing import ROUNDS, SAMPLES, samples
from tests.upstream.mailserver import BARE, DOVECOT, QRESYNC, Fault, Folder, Store
from tests.upstream.network import NetworkTestCase
from tests.upstream.session import Session, mail, on, refusing, with_many

WAYS = (
    (QRESYNC, True),
    (f"{QRESYNC} OBJECTID", True),
    (f"{DOVECOT} CONDSTORE", True),
    (DOVECOT, True),
    (BARE, True),
    (BARE, False),
)
"""Capabilities, and whether SELECT tells UIDNEXT."""

MISSING = "FETCH 1:*"


def asked(store: Store) -> list[str]:
    """The commands behind SELECT, and SELECT."""
    first = next(row for row, text in enumerate(store.commands) if text.startswith("SELECT"))
    return store.commands[first:]


def rows(listing: Listing) -> list[tuple[int, int, int, int]]:
    return list(zip(listing.uids, listing.sizes, listing.dates, listing.hidden, strict=True))


class Again(NetworkTestCase):
    def listed(self, store: Store, known: Listing) -> Listing:
        """By what is known, and as if nothing were; `known` stays as it is."""
        before = known.copy()
        store.commands.clear()
        again = Session(store).list(known)
        self.assertEqual(known, before)
        return again

    def check(self, store: Store, known: Listing) -> Listing:
        again = self.listed(store, known)
        commands = asked(store)
        fresh = Session(store).list()
        store.commands[:] = commands
        self.assertEqual(rows(again), rows(fresh))
        self.assertEqual(again, fresh)
        return again

    def each(self, count: int) -> "list[tuple[Store, Listing]]":
        stores = [with_many(count, capabilities=words, says_uidnext=uidnext) for words, uidnext in WAYS]
        return [(store, Session(store).list()) for store in stores]


class NewsTest(Again):
    def test_nothing_new(self) -> None:
        for store, known in self.each(5):
            self.check(store, known)
            fewer = "CONDSTORE" in store.capabilities  # HIGHESTMODSEQ says that no flag has changed (S7)
            self.assertEqual(len(asked(store)), 3 - fewer, asked(store))

    def test_what_is_asked_of_a_server_with_all_extensions(self) -> None:
        store = with_many(100, capabilities=QRESYNC)
        self.check(store, Session(store).list())
        self.assertEqual(
            asked(store),
            [
                'SELECT "INBOX" (QRESYNC (7 101))',
                "UID FETCH 1,16,30,44,58,72,86,100,101:* (UID RFC822.SIZE FLAGS INTERNALDATE)",
            ],
        )

    def test_flags_are_searched_for_where_any_has_changed(self) -> None:
        store = with_many(5, capabilities=QRESYNC)
        known = Session(store).list()
        store.inbox.flag(2, "\\Deleted")
        self.assertEqual(list(self.check(store, known).hidden), [0, 1, 0, 0, 0])
        self.assertIn("UID SEARCH RETURN (ALL) OR DELETED KEYWORD $POP3Deleted", asked(store))
        store.inbox.flag(2)
        self.assertEqual(list(self.check(store, self.check(store, known)).hidden), [0, 0, 0, 0, 0])

    def test_qresync_is_used_only_as_its_rfc_allows(self) -> None:
        """Not without ENABLE, and not in a mailbox that keeps no modseqs."""
        for words, modseq in ((f"{BARE} CONDSTORE QRESYNC", 5), (QRESYNC, 0)):
            store = with_many(5, capabilities=words)
            store.inbox.modseq = modseq
            self.check(store, Session(store).list())
            searched = 3 if modseq == 0 else 2
            self.assertEqual((asked(store)[0], len(asked(store))), ('SELECT "INBOX" (CONDSTORE)', searched))

    def test_new_mail(self) -> None:
        for store, known in self.each(5):
            store.inbox.append(mail("new"))
            store.inbox.append(mail("newer"), {"\\Deleted"})
            again = self.check(store, known)
            self.assertEqual((list(again.uids[5:]), list(again.hidden[5:])), ([6, 7], [0, 1]))
            self.assertEqual(len(asked(store)), 3, asked(store))

    def test_gone_mail(self) -> None:
        for store, known in self.each(20):
            store.inbox.remove(3, 4, 20)
            store.inbox.append(mail("new"))
            self.assertEqual(len(self.check(store, known)), 18)
            more = 0 if "QRESYNC" in store.capabilities else 1
            self.assertEqual(len(asked(store)), 3 + more, asked(store))

    def test_all_mail_gone(self) -> None:
        for store, known in self.each(3):
            store.inbox.remove(1, 2, 3)
            again = self.listed(store, known)
            self.assertEqual((len(again), again.uidnext), (0, 4 if store.says_uidnext else 0))
            self.assertNotIn(MISSING, "".join(store.commands))

    def test_marks_come_and_go_from_poll_to_poll(self) -> None:
        """S7: whoever set them, and wherever."""
        for store, known in self.each(20):
            latest = known
            for flags in (("\\Deleted",), (), ("$POP3Deleted",), ("\\Seen",), ("\\Deleted", "$POP3Deleted"), ()):
                store.inbox.flag(2, *flags)
                latest = self.check(store, latest)
                self.assertEqual(latest.hidden[1], not {"\\Deleted", "$POP3Deleted"}.isdisjoint(flags))
                self.assertNotIn(MISSING, "".join(store.commands))

    def test_a_mailbox_that_was_empty(self) -> None:
        for store, known in self.each(0):
            store.inbox.append(mail("new"))
            self.assertEqual(len(self.check(store, known)), 1)

    def test_the_last_uid_there_can_be(self) -> None:
        store = with_many(1)
        store.inbox.messages[2**32 - 1] = store.inbox.messages.pop(1)
        store.says_uidnext = False
        self.assertEqual(list(self.check(store, Session(store).list()).uids), [2**32 - 1])
        self.assertNotIn(str(2**32), "".join(store.commands))

    def test_an_expunge_in_the_middle_of_the_answer(self) -> None:
        for words, place in ((QRESYNC, b"VANISHED 2"), (BARE, b"2 EXPUNGE")):
            store = with_many(20, capabilities=words)
            known = Session(store).list()

            def expunge(text: str, answer: bytes, place: bytes = place, store: Store = store) -> bytes:
                if text.startswith("UID FETCH 1,") and 2 in store.inbox.messages:
                    store.inbox.remove(2)
                    return b"* " + place + b"\r\n" + answer
                return answer.replace(b"* " + place + b"\r\n", b"")  # said once

            store.edit = expunge
            self.assertEqual(list(self.listed(store, known).uids), [1, *range(3, 21)])

    def test_a_message_that_is_gone_does_not_make_up_for_one_that_comes_meanwhile(self) -> None:
        """The count is as large as that of what is known; and all that changed is told of behind the answers."""
        for command in ("SELECT", "UID SEARCH"):
            for words in (DOVECOT, f"{DOVECOT} CONDSTORE", BARE):
                store = with_many(20, capabilities=words)
                known = Session(store).list()
                store.inbox.remove(11)

                def arrive(text: str, answer: bytes, store: Store = store, command: str = command) -> bytes:
                    if text.startswith(command) and len(store.inbox.messages) < 20:
                        store.inbox.append(mail("new"))
                    return answer

                store.edit = arrive
                self.assertEqual(list(self.listed(store, known).uids), [*range(1, 11), *range(12, 22)])

    def test_mail_that_keeps_arriving(self) -> None:
        """It neither holds the login up for ever nor has it refused; the listing is of one moment."""
        for store, known in self.each(20):
            moments = [sorted(store.inbox.messages)]

            def happen(text: str, answer: bytes, store: Store = store, moments: list[list[int]] = moments) -> bytes:
                if text.startswith(("SELECT", "UID ")):
                    store.inbox.append(mail("new"))
                    moments.append(sorted(store.inbox.messages))
                return answer

            store.edit = happen
            self.assertIn(list(self.listed(store, known).uids), moments)
            self.assertLess(len(moments), 5 + 2 * ROUNDS)

    def test_a_server_that_gives_a_part_at_a_time(self) -> None:
        """MESSAGELIMIT (RFC 9738) of samples, of new mail, and of what is hidden."""
        store = with_many(30, capabilities=f"{DOVECOT} MESSAGELIMIT=3")
        for uid in range(1, 31):
            store.inbox.messages[uid].flags = {"\\Deleted"} if uid % 2 else set()
        known = Session(store).list()
        for _ in range(10):
            store.inbox.append(mail("new"))

        def limited(text: str, answer: bytes) -> bytes:
            *lines, last = answer.splitlines(keepends=True)
            if text.startswith("UID SEARCH"):
                inside = text.split("UID 1:")[1].split(maxsplit=1)[0] if "UID 1:" in text else str(2**32)
                looked = [uid for uid in sorted(store.inbox.messages) if uid <= int(inside)][-3:]
                found = [uid for uid in looked if b"%d" % uid in lines[0].replace(b"\r\n", b"").split()[-1].split(b",")]
                lines = [b"* SEARCH %b\r\n" % b" ".join(b"%d" % uid for uid in found)]
                if looked[0] > 1:
                    last = last.replace(b"OK ", b"OK [MESSAGELIMIT 3 %d] " % looked[0])
            elif text.startswith("UID FETCH") and len(lines) > 3:
                lines, last = lines[-3:], last.replace(b"OK ", b"OK [MESSAGELIMIT 3] ")
            return b"".join((*lines, last))

        store.edit = limited
        again = self.listed(store, known)
        self.assertEqual(list(again.uids), list(range(1, 41)))
        self.assertEqual(
            [uid for uid, hidden in zip(again.uids, again.hidden, strict=True) if hidden], [*range(1, 31, 2)]
        )


class DoubtTest(Again):
    """What is known is not believed when something speaks against it; then everything is listed."""

    def doubted(self, store: Store, known: Listing) -> Listing:
        again = self.check(store, known)
        self.assertTrue(any(MISSING in text for text in asked(store)), asked(store))
        return again

    def test_another_uidvalidity(self) -> None:
        for store, known in self.each(5):
            store.inbox.uidvalidity = 8
            self.assertEqual(self.doubted(store, known).uidvalidity, 8)

    def test_another_mailbox_id(self) -> None:
        store = with_many(5, capabilities=f"{DOVECOT} OBJECTID")
        known = Session(store).list()
        store.inbox.mailbox_id = "F-other"
        self.assertEqual(self.doubted(store, known).mailbox_id, "F-other")

    def test_a_server_that_gives_mailbox_ids_lately_or_no_more(self) -> None:
        store = with_many(5)
        before = Session(store).list()
        store.capabilities += " OBJECTID"
        after = self.check(store, before)
        self.assertEqual((before.mailbox_id, after.mailbox_id), ("", "F-inbox"))
        self.assertNotIn(MISSING, "".join(asked(store)))
        store.capabilities = DOVECOT
        self.check(store, after)
        self.assertNotIn(MISSING, "".join(asked(store)))

    def test_uidnext_at_a_known_uid(self) -> None:
        for words in (QRESYNC, DOVECOT):
            store = with_many(5, capabilities=words)
            known = Session(store).list()
            store.inbox.uidnext = 5
            del store.inbox.messages[5]
            self.doubted(store, known)

    def test_highestmodseq_that_fell(self) -> None:
        for words in (QRESYNC, f"{DOVECOT} CONDSTORE"):
            store = with_many(5, capabilities=words)
            known = Session(store).list()
            store.inbox.modseq -= 1
            self.doubted(store, known)

    def test_highestmodseq_that_is_no_longer_told(self) -> None:
        store = with_many(5, capabilities=QRESYNC)
        known = Session(store).list()
        store.capabilities = DOVECOT
        self.assertEqual(self.check(store, known).highestmodseq, 0)
        self.assertNotIn(MISSING, "".join(asked(store)))

    def test_a_sample_of_another_size_or_date(self) -> None:
        for store, known in self.each(5):
            store.inbox.messages[5].octets += b"x"
            self.doubted(store, known)
        for store, known in self.each(5):
            store.inbox.messages[1].date = "18-Jul-2024 02:44:25 -0700"
            self.doubted(store, known)

    def test_where_all_samples_are_gone_others_are_looked_at(self) -> None:
        for change in (b"", b"x"):
            for store, known in self.each(40):
                store.inbox.remove(*samples(known.uids))
                for message in store.inbox.messages.values():
                    message.octets += change
                self.assertEqual(len(self.check(store, known)), 40 - SAMPLES)
                self.assertEqual(any(MISSING in text for text in asked(store)), bool(change), asked(store))

    def test_a_message_that_turns_up_among_the_known_ones(self) -> None:
        """UIDs only grow, so this mailbox was rebuilt; the samples need not show it."""
        for words, uidnext in WAYS:
            store = with_many(40, capabilities=words, says_uidnext=uidnext)
            message = store.inbox.messages.pop(20)
            known = Session(store).list()
            store.inbox.messages[20] = message
            self.doubted(store, known)

    def test_a_mailbox_that_others_listed_before_is_what_it_is_now(self) -> None:
        """The listing of another mailbox altogether, under the same UIDVALIDITY."""
        for words, uidnext in WAYS:
            store = with_many(3, capabilities=words, says_uidnext=uidnext)
            other = with_many(50, capabilities=words, says_uidnext=uidnext)
            self.check(store, Session(other).list())
            self.check(other, Session(store).list())


class RefusalTest(Again):
    """S6 and S7: what is not answered is not taken for nothing."""

    def refused(self, edit: Callable[[str, bytes], bytes], *, words: str = DOVECOT) -> Trouble:
        store = with_many(5, capabilities=words)
        known = Session(store).list()
        store.inbox.flag(2, "\\Deleted")
        store.edit = edit
        session = Session(store)
        running = session.network.start(session.source.list(known))
        session.network.wait(40)
        trouble = running.trouble()
        assert isinstance(trouble, Trouble)
        self.assertEqual(session.network.open, 0)
        return trouble

    def test_every_way_to_lose_the_connection_before_the_end(self) -> None:
        """The true listing, or none."""
        for words in (QRESYNC, BARE):
            for exchange in range(9):
                for fault in Fault:
                    store = with_many(20, capabilities=words)
                    known = Session(store).list()
                    store.inbox.flag(2, "\\Deleted")
                    store.inbox.remove(3, *samples(known.uids))
                    store.inbox.append(mail("new"))
                    truth = rows(Session(store).list())
                    store.faults = {store.exchanges + exchange: fault}
                    session = Session(store)
                    running = session.network.start(session.source.list(known))
                    session.network.wait(40)
                    with contextlib.suppress(Trouble):
                        self.assertEqual(rows(running.result()), truth)

    def test_a_server_that_knows_no_such_keyword(self) -> None:
        for status in ("BAD what?", "NO [BADCHARSET] what?", "NO [CANNOT] search keywords"):
            store = with_many(5)
            known = Session(store).list()
            store.inbox.flag(2, "\\Deleted")
            store.edit = refusing("UID SEARCH RETURN (ALL) OR", status=status)
            self.assertEqual(list(self.listed(store, known).visible().uids), [1, 3, 4, 5])

    def test_a_search_that_is_refused(self) -> None:
        for status in ("NO [UNAVAILABLE] later", "BAD what?"):
            self.assertIsInstance(self.refused(refusing("UID SEARCH", status=status)), ListingIncomplete)

    def test_a_search_for_keywords_that_is_refused_for_now(self) -> None:
        """By \\Deleted alone, what is hidden from POP3 only would be listed once."""
        for status in ("NO [UNAVAILABLE] later", "NO [INUSE] later", "NO later"):
            trouble = self.refused(refusing("UID SEARCH RETURN (ALL) OR", status=status))
            self.assertIsInstance(trouble, ListingIncomplete)

    def test_samples_that_are_refused(self) -> None:
        trouble = self.refused(refusing("UID FETCH", status="NO not now"))
        self.assertIsInstance(trouble, ListingIncomplete)
        self.assertIn("does not show", str(trouble))

    def test_rows_that_are_left_out(self) -> None:
        trouble = self.refused(on("SELECT", {b"* 5 EXISTS": b"* 6 EXISTS"}))
        self.assertIn("lists 5 of 6", str(trouble))

    def test_a_mailbox_that_says_nothing_of_its_messages(self) -> None:
        trouble = self.refused(on("SELECT", {b"* 5 EXISTS\r\n": b""}))
        self.assertIn("how many", str(trouble))

    def test_a_server_that_lets_more_vanish_than_its_count_bears_out(self) -> None:
        store = with_many(5, capabilities=QRESYNC)
        known = Session(store).list()
        store.edit = on("SELECT", {b"* OK [UIDNEXT": b"* VANISHED (EARLIER) 1:4294967295\r\n* OK [UIDNEXT"})
        self.assertEqual(rows(self.listed(store, known)), rows(known))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 3)),
        st.tuples(st.just("remove"), st.integers(0, 60)),
        st.tuples(st.just("flag"), st.integers(0, 60)),
        st.tuples(st.just("unflag"), st.integers(0, 60)),
        st.tuples(st.just("list"), st.just(0)),
    ),
    max_size=25,
)


class AnythingTest(Again):
    @settings(max_examples=40, deadline=None)
    @given(STEPS, st.sampled_from(WAYS))
    def test_whatever_happened_between(self, steps: list[tuple[str, int]], way: tuple[str, bool]) -> None:
        store = Store({"INBOX": Folder()}, way[0], says_uidnext=way[1])
        known = Session(store).list()
        for what, number in (*steps, ("list", 0)):
            inbox = store.inbox
            uid = sorted(inbox.messages)[number % len(inbox.messages)] if inbox.messages else 0
            match what:
                case "append":
                    inbox.append(mail("x", 100 * number))
                case "list":
                    known = self.check(store, known)
                case "remove" if uid:
                    inbox.remove(uid)
                case "flag" if uid:
                    inbox.flag(uid, "\\Deleted" if number % 2 else "$POP3Deleted")
                case "unflag" if uid:
                    inbox.flag(uid)
