# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""Listing everything: complete, or the login fails; never shorter, never empty (S6)."""

import contextlib
import itertools

from twisted.trial.unittest import SynchronousTestCase

from bridge.maildrop.errors import ListingIncomplete, Trouble
from bridge.maildrop.listing import Listing
from bridge.names import UidValidity
from bridge.upstream.imap_listing import ROUNDS, SAMPLES, samples, vanish
from tests.upstream.mailserver import BARE, DOVECOT, QRESYNC, Fault, Store
from tests.upstream.network import NetworkTestCase
from tests.upstream.session import Session, mail, on, refusing, with_many


class ListingTest(NetworkTestCase):
    def refused(self, store: Store) -> Trouble:
        session = Session(store)
        running = session.network.start(session.source.list())
        session.network.wait(40)
        trouble = running.trouble()
        assert isinstance(trouble, Trouble), trouble
        return trouble

    def test_everything_that_is_there(self) -> None:
        for capabilities in (DOVECOT, BARE):
            store = with_many(5, capabilities=capabilities)
            del store.inbox.messages[2]
            listing = Session(store).list()
            self.assertEqual((list(listing.uids), listing.uidvalidity), ([1, 3, 4, 5], 7))
            self.assertEqual(list(listing.sizes), [len(one.octets) for one in store.inbox.messages.values()])
            self.assertEqual(listing.dates[0], 1721209465)

    def test_an_empty_mailbox(self) -> None:
        self.assertEqual(len(Session(Store()).list()), 0)

    def test_what_the_server_says_of_the_mailbox_stands_in_the_listing(self) -> None:
        store = with_many(2, capabilities=f"{QRESYNC} OBJECTID")
        listing = Session(store).list()
        self.assertEqual((listing.uidnext, listing.highestmodseq, listing.mailbox_id), (3, 3, "F-inbox"))
        listing = Session(with_many(2, capabilities=BARE, says_uidnext=False)).list()
        self.assertEqual((listing.uidnext, listing.highestmodseq, listing.mailbox_id), (0, 0, ""))

    def test_mail_that_came_after_select_counts_in_uidnext(self) -> None:
        """And is no sign that the mailbox was replaced."""
        store = with_many(2)

        def arrive(text: str, answer: bytes) -> bytes:
            if text.startswith("SELECT"):
                store.inbox.append(mail("new"))
            return answer.replace(b"* 2 EXISTS", b"* 3 EXISTS")

        store.edit = arrive
        session = Session(store)
        listing = session.list()
        self.assertEqual((list(listing.uids), listing.uidnext), ([1, 2, 3], 4))
        self.assertTrue(session.source.unbroken)
        self.assertEqual(session.delete(3).done, 1)

    def test_a_deleted_message_is_hidden_and_comes_back(self) -> None:
        """S7."""
        store = with_many(3)
        store.inbox.messages[2].flags = {"\\Seen", "\\Deleted"}
        store.inbox.messages[3].flags = {"$POP3Deleted"}
        self.assertEqual(list(Session(store).list().visible().uids), [1])
        store.inbox.messages[2].flags = {"\\Seen"}
        self.assertEqual(list(Session(store).list().visible().uids), [1, 2])

    def test_a_refused_listing_is_no_empty_one(self) -> None:
        for kind in (b"NO", b"BAD"):
            store = with_many(3)

            def refuse(text: str, answer: bytes, kind: bytes = kind) -> bytes:
                asked = text.startswith(("UID FETCH", "UID SEARCH"))
                return answer.splitlines()[-1].replace(b"OK", kind) + b"\r\n" if asked else answer

            store.edit = refuse
            trouble = self.refused(store)
            self.assertIsInstance(trouble, ListingIncomplete)
            self.assertEqual(trouble.detail, "done")

    def test_nor_is_one_that_says_it_is_empty(self) -> None:
        """It may have lost its index."""
        store = Store()
        store.edit = refusing("UID FETCH", "UID SEARCH", status="NO [SERVERBUG] oops")
        self.assertIsInstance(self.refused(store), ListingIncomplete)
        store.edit = refusing("UID FETCH", status="NO nothing there")
        self.assertEqual(len(Session(store).list()), 0)

    def test_rows_that_are_missing_are_asked_for(self) -> None:
        """Courier, Yahoo and others have left rows out of a long FETCH."""
        store = with_many(5)
        store.edit = on(
            "UID FETCH 1:*", {b"* 2 FETCH (UID 2 ": b"* 2 XFETCH (UID 2 ", b"* 5 FETCH (UID 5 ": b"* 5 XFETCH ("}
        )
        self.assertEqual(list(Session(store).list().uids), [1, 2, 3, 4, 5])

    def test_a_row_that_never_comes(self) -> None:
        store = with_many(3)
        store.edit = on("UID FETCH", {b"* 2 FETCH (UID 2 ": b"* 2 XFETCH (UID 2 "})
        self.assertIsInstance(self.refused(store), ListingIncomplete)

    def test_a_row_without_a_size(self) -> None:
        store = with_many(3)
        size = len(store.inbox.messages[1].octets)
        store.edit = on("UID FETCH", {b"UID 1 RFC822.SIZE %d " % size: b"UID 1 "})
        self.assertIsInstance(self.refused(store), ListingIncomplete)

    def test_a_search_that_finds_nothing_makes_nothing_disappear(self) -> None:
        """An OK without the untagged answer, after a listing that came up short."""
        for capabilities in (DOVECOT, BARE):
            store = with_many(3, capabilities=capabilities)

            def silent(text: str, answer: bytes) -> bytes:
                if text.startswith("UID SEARCH"):
                    return answer.splitlines()[-1] + b"\r\n"
                return answer.replace(b"* 2 FETCH", b"* 2 XFETCH")

            store.edit = silent
            self.assertIsInstance(self.refused(store), ListingIncomplete)

    def test_fewer_messages_found_than_there_are(self) -> None:
        store = with_many(4)

        def short(text: str, answer: bytes) -> bytes:
            answer = answer.replace(b"* 2 FETCH", b"* 2 XFETCH")
            return answer.replace(b"ALL 1,2,3,4", b"ALL 1,3,4") if text.startswith("UID SEARCH") else answer

        store.edit = short
        self.assertIsInstance(self.refused(store), ListingIncomplete)

    def test_a_row_that_comes_twice_counts_once(self) -> None:
        store = with_many(3)
        store.edit = on("UID FETCH 1:*", {b"(UID 3 ": b"(UID 2 "})
        self.assertEqual(list(Session(store).list().uids), [1, 2, 3])

    def test_a_server_that_always_gives_one_uid_twice(self) -> None:
        store = with_many(3)
        store.edit = on("UID FETCH", {b"(UID 3 ": b"(UID 2 "})
        self.assertIsInstance(self.refused(store), ListingIncomplete)

    def test_rows_without_end(self) -> None:
        """More rows than messages: the connection is cut before they fill the memory."""
        store = with_many(1)
        row = b"* 1 FETCH (UID 1 RFC822.SIZE 1 FLAGS ())\r\n"
        store.edit = lambda text, answer: row * 20_000 + answer if text.startswith("UID FETCH") else answer
        self.assertIn("broke the IMAP protocol", str(self.refused(store)))

    def test_a_message_expunged_by_another_while_it_is_listed(self) -> None:
        for place in (b"* 1 FETCH", b"* 3 FETCH", None):
            store = with_many(4)

            def expunge(text: str, answer: bytes, place: bytes | None = place, store: Store = store) -> bytes:
                if text.startswith("UID FETCH 1:*"):
                    del store.inbox.messages[2]
                    news = b"* 2 EXPUNGE\r\n"
                    if place is None:
                        lines = answer.splitlines(keepends=True)
                        return b"".join(lines[:-1]) + news + lines[-1]
                    return answer.replace(place, news + place)
                return answer.replace(b"* 2 EXPUNGE\r\n", b"")  # said once

            store.edit = expunge
            self.assertEqual(list(Session(store).list().uids), [1, 3, 4])

    def test_one_message_left_out_and_another_expunged_do_not_make_up_for_each_other(self) -> None:
        store = with_many(4)

        def swap(text: str, answer: bytes) -> bytes:
            if text.startswith("UID FETCH 1:*"):
                del store.inbox.messages[2]
                return answer.replace(b"* 3 FETCH", b"* 3 XFETCH").replace(b"* 4 FETCH", b"* 2 EXPUNGE\r\n* 4 FETCH")
            return answer.replace(b"* 2 EXPUNGE\r\n", b"")  # said once

        store.edit = swap
        self.assertEqual(list(Session(store).list().uids), [1, 3, 4])

    def test_a_message_expunged_while_the_missing_ones_are_fetched(self) -> None:
        store = with_many(4)

        def expunge(text: str, answer: bytes) -> bytes:
            if text.startswith("UID FETCH 1:*"):
                return answer.replace(b"* 3 FETCH", b"* 3 XFETCH")
            if text.startswith("UID FETCH 3") and 4 in store.inbox.messages:
                del store.inbox.messages[4]
                return b"* 4 EXPUNGE\r\n" + answer
            return answer.replace(b"* 4 EXPUNGE\r\n", b"")  # said once

        store.edit = expunge
        self.assertEqual(list(Session(store).list().uids), [1, 2, 3])

    def test_mail_that_arrives_while_the_mailbox_is_listed(self) -> None:
        store = with_many(2)

        def arrive(text: str, answer: bytes) -> bytes:
            if text.startswith("SELECT"):
                store.inbox.append(mail("new"))
            elif text.startswith("UID FETCH 1:*"):
                self.assertIn(b"* 3 EXISTS\r\n", answer)
                return answer.replace(b"* 3 EXISTS\r\n", b"").replace(b"* 2 FETCH", b"* 3 EXISTS\r\n* 2 FETCH")
            return answer

        store.edit = arrive
        self.assertEqual(list(Session(store).list().uids), [1, 2, 3])

    def test_mail_that_keeps_arriving(self) -> None:
        """It neither holds the login up for ever nor has it refused; the listing is of one moment."""
        for words in (DOVECOT, BARE, QRESYNC):
            store = with_many(20, capabilities=words)
            moments = [sorted(store.inbox.messages)]

            def arrive(text: str, answer: bytes, store: Store = store, moments: list[list[int]] = moments) -> bytes:
                if text.startswith(("SELECT", "UID ")):
                    store.inbox.append(mail("new"))
                    moments.append(sorted(store.inbox.messages))
                return answer

            store.edit = arrive
            self.assertIn(list(Session(store).list().uids), moments)
            self.assertLess(len(moments), 4 + 2 * ROUNDS)

    def test_a_server_that_gives_a_part_at_a_time(self) -> None:
        """MESSAGELIMIT (RFC 9738), highest UIDs first, for FETCH and SEARCH alike."""
        for capabilities, told in ((DOVECOT, True), (BARE, True), (BARE, False)):
            store = with_many(10, capabilities=f"{capabilities} MESSAGELIMIT=4")

            def limited(text: str, answer: bytes, told: bool = told) -> bytes:
                lines = answer.splitlines(keepends=True)
                if text.startswith("UID FETCH"):
                    rows, done = lines[:-1][-4:], lines[-1]
                    short = len(lines) > 5
                    return b"".join(rows) + (done.replace(b"OK ", b"OK [MESSAGELIMIT 4 1] ") if short else done)
                if text.startswith("UID SEARCH"):
                    numbers = lines[0].split()[-1].split(b",") if b"ESEARCH" in lines[0] else lines[0].split()[2:]
                    first = b"* SEARCH " + b" ".join(numbers[-4:]) + b"\r\n"
                    code = b"OK [MESSAGELIMIT 4%b] " % (b" " + numbers[-4] if told else b"") if numbers[4:] else b"OK "
                    return first + lines[-1].replace(b"OK ", code)
                return answer

            store.edit = limited
            self.assertEqual(list(Session(store).list().uids), list(range(1, 11)))

    def test_every_way_to_lose_the_connection_before_the_end(self) -> None:
        for exchange in range(8):
            for fault in Fault:
                store = with_many(3)
                store.faults = {exchange: fault}
                session = Session(store)
                running = session.network.start(session.source.list())
                session.network.wait(40)
                with contextlib.suppress(Trouble):
                    self.assertEqual(list(running.result().uids), [1, 2, 3])


class RowsTest(SynchronousTestCase):
    def test_samples_are_few_spread_and_hold_the_last_one(self) -> None:
        self.assertEqual(samples([7]), [7])
        self.assertEqual(samples([3, 5, 7]), [3, 5, 7])
        many = samples(range(1, 100_001))
        self.assertEqual((len(many), many[0], many[-1]), (SAMPLES, 1, 100_000))
        self.assertLess(max(b - a for a, b in itertools.pairwise(many)), 15_000)

    def test_only_what_is_in_the_spans_vanishes(self) -> None:
        listing = Listing(UidValidity(1))
        listing.add([2, 4, 6, 8], [1] * 4, [0] * 4, bytes(4))
        vanish(listing, [(1, 1), (3, 3), (9, 2**32 - 1)])
        self.assertEqual(list(listing.uids), [2, 4, 6, 8])
        vanish(listing, [(1, 2), (5, 7)])
        self.assertEqual(list(listing.uids), [4, 8])
