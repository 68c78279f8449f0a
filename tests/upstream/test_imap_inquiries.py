# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""Messages are told apart, and looked at, before anything is done to them: what is not said is never taken for gone."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from bridge.maildrop.errors import MailboxReplaced, Trouble, UpstreamUnavailable, UpstreamUnsuitable
from bridge.maildrop.fingerprint import fingerprint
from bridge.maildrop.source import Look, Source
from bridge.upstream import imap_inquiries
from bridge.upstream.imap_batches import HEADER_AT_MOST
from tests.upstream.mailserver import BARE, DOVECOT, QRESYNC, Fault, Store
from tests.upstream.network import NetworkTestCase
from tests.upstream.session import Session, mail, on, refusing, replacing, with_many, with_messages

DATE = 1721209465
SIZE = len(mail("m1"))

Inquiry = Callable[[Source, Sequence[int]], "Coroutine[Any, Any, Any]"]
INQUIRIES: tuple[Inquiry, ...] = (
    lambda source, uids: source.look(uids),
    lambda source, uids: source.stable_ids(uids),
    lambda source, uids: source.fingerprints(uids),
)


def identified(count: int, extension: str = "OBJECTID") -> Store:
    store = with_many(count, capabilities=f"{DOVECOT} {extension}")
    for uid, message in store.inbox.messages.items():
        message.stable_id = f"M{uid}" if extension == "OBJECTID" else str(10**18 + uid)
    return store


class Case(NetworkTestCase):
    def opened(self, store: Store) -> Session:
        session = Session(store)
        session.list()
        return session

    def ask(self, session: Session, inquiry: Inquiry, *uids: int) -> Any:
        return session.network.run(inquiry(session.source, uids))

    def refused(self, session: Session, inquiry: Inquiry, *uids: int) -> Trouble:
        running = session.network.start(inquiry(session.source, uids))
        session.network.wait(31)
        trouble = running.trouble()
        assert isinstance(trouble, Trouble)
        return trouble


class AllTest(Case):
    """What holds for each of them."""

    def test_exactly_those_that_are_there(self) -> None:
        for inquiry in INQUIRIES:
            session = self.opened(identified(6))
            session.store.inbox.remove(2)
            self.assertEqual(sorted(self.ask(session, inquiry, 1, 2, 4)), [1, 4])
            self.assertEqual(self.ask(session, inquiry), {})

    def test_a_refusal_makes_nothing_disappear(self) -> None:
        for inquiry in INQUIRIES:
            session = self.opened(identified(3))
            session.store.edit = refusing("UID FETCH", status="NO [UNAVAILABLE] later")
            trouble = self.refused(session, inquiry, 1, 2)
            self.assertIsInstance(trouble, UpstreamUnavailable)
            self.assertEqual(trouble.detail, "later")

    def test_a_limit_makes_nothing_disappear(self) -> None:
        """RFC 9738: a part of them is told, and that it is a part."""
        for inquiry in INQUIRIES:
            session = self.opened(identified(10))
            session.store.most = 3
            session.store.edit = lambda text, answer: (
                answer.replace(b" OK fetched", b" OK [MESSAGELIMIT 3] some")
                if answer.count(b" FETCH (") == 3
                else answer
            )
            self.assertEqual(sorted(self.ask(session, inquiry, *range(1, 11))), list(range(1, 11)))

    def test_a_limit_behind_which_nothing_is_told(self) -> None:
        for inquiry in INQUIRIES:
            session = self.opened(identified(3))
            session.store.edit = refusing("UID FETCH", status="OK [MESSAGELIMIT 1] none")
            self.assertIsInstance(self.refused(session, inquiry, 1, 2), UpstreamUnavailable)

    def test_rows_about_others_count_for_nothing(self) -> None:
        for inquiry in INQUIRIES:
            session = self.opened(identified(3))
            session.store.edit = lambda text, answer: (
                b"* 3 FETCH (UID 3 RFC822.SIZE 9 EMAILID (M3) BODY[HEADER.FIELDS (DATE)] {2}\r\n\r\n)\r\n" + answer
            )
            self.assertEqual(sorted(self.ask(session, inquiry, 1, 2)), [1, 2])

    def test_a_connection_that_is_lost_on_the_way(self) -> None:
        for inquiry in INQUIRIES:
            for fault in (Fault.CUT_BEFORE, Fault.CUT_INSIDE, Fault.STALL_INSIDE, Fault.BYE):
                session = self.opened(identified(3))
                session.store.faults = {session.store.exchanges: fault}
                self.assertIsInstance(self.refused(session, inquiry, 1, 2), UpstreamUnavailable)
                self.assertFalse(session.source.unbroken)


class LookTest(Case):
    def look(self, session: Session, *uids: int) -> dict[int, Look]:
        return session.network.run(session.source.look(uids))

    def test_a_message_as_it_is_now(self) -> None:
        session = self.opened(with_many(4, capabilities=QRESYNC))
        session.store.inbox.flag(2, "\\Deleted", "\\Seen")
        session.store.inbox.flag(3, "$pop3deleted")
        self.assertEqual(
            self.look(session, 1, 2, 3),
            {
                1: Look(SIZE, DATE, deleted=False, hidden=False, modseq=2),
                2: Look(SIZE, DATE, deleted=True, hidden=False, modseq=6),
                3: Look(SIZE, DATE, deleted=False, hidden=True, modseq=7),
            },
        )

    def test_without_modseq_it_is_not_asked_for(self) -> None:
        session = self.opened(with_many(1, capabilities=BARE))
        self.assertEqual(self.look(session, 1)[1].modseq, 0)
        self.assertNotIn("MODSEQ", session.store.commands[-1])

    def test_a_modseq_beyond_all_bounds(self) -> None:
        session = self.opened(with_many(1, capabilities=QRESYNC))
        session.store.inbox.messages[1].modseq = 2**64 - 1
        self.assertEqual(self.look(session, 1)[1].modseq, 2**63 - 1)

    def test_flags_that_change_in_the_middle(self) -> None:
        session = self.opened(with_many(2, capabilities=QRESYNC))
        news = b"* 1 FETCH (UID 1 FLAGS (\\Deleted) MODSEQ (99))\r\n* 2 FETCH (UID 2 FLAGS ($POP3Deleted))\r\n"
        session.store.edit = lambda text, answer: b"".join(
            news + line if b" OK " in line else line for line in answer.splitlines(keepends=True)
        )
        self.assertEqual(
            self.look(session, 1, 2),
            {1: Look(SIZE, DATE, True, False, 99), 2: Look(SIZE, DATE, False, True, 3)},
        )

    def test_a_date_that_is_none(self) -> None:
        session = self.opened(with_many(1))
        session.store.inbox.messages[1].date = "yesterday"
        self.assertEqual(self.look(session, 1)[1].date, -1)

    def died(self, capabilities: str = DOVECOT) -> Session:
        session = self.opened(with_many(3, capabilities=capabilities))
        self.assertTrue(session.source.unbroken)
        session.network.ends[1].loseConnection()
        session.network.settle()
        self.assertFalse(session.source.unbroken)
        return session

    def test_on_a_new_connection_if_the_old_one_died(self) -> None:
        for capabilities in (QRESYNC, BARE):
            session = self.died(capabilities)
            session.stream(1)
            self.assertFalse(session.source.unbroken, "it was not looked at")
            self.assertEqual(sorted(self.look(session, 1, 2)), [1, 2])
            self.assertTrue(session.source.unbroken)
            self.assertEqual(session.delete(1).done, 1)

    def test_another_mailbox_is_never_looked_at(self) -> None:
        """S1: whatever of it shows that."""
        for change in ("uidvalidity", "mailbox_id", "uidnext"):
            session = self.died(f"{DOVECOT} OBJECTID")
            setattr(session.store.inbox, change, {"uidvalidity": 8, "mailbox_id": "F-other", "uidnext": 3}[change])
            trouble = self.refused(session, INQUIRIES[0], 1)
            self.assertIsInstance(trouble, MailboxReplaced)
            self.assertFalse(session.source.unbroken)
            self.assertEqual(session.network.open, 0)

    def test_new_mail_is_no_other_mailbox(self) -> None:
        session = self.died(QRESYNC)
        session.store.inbox.remove(3)
        session.store.inbox.append(mail("new"))
        self.assertEqual(sorted(self.look(session, 1, 3)), [1])

    def test_a_mailbox_that_is_replaced_under_an_open_connection(self) -> None:
        session = self.opened(with_many(1))
        session.network.ends[1].write(b"* OK [UIDVALIDITY 8] replaced\r\n")
        session.network.settle()
        self.assertFalse(session.source.unbroken)
        self.assertIsInstance(session.deleting(1).trouble(), MailboxReplaced)
        self.assertEqual(session.store.inbox.messages[1].flags, set())


class StableIdsTest(Case):
    def test_objectid_before_gmails(self) -> None:
        for extension, first in (
            ("OBJECTID", "M1"),
            ("X-GM-EXT-1", "1000000000000000001"),
            ("X-GM-EXT-1 OBJECTID", "1000000000000000001"),
        ):
            store = identified(2, extension)
            session = Session(store, gmail_auto_expunge=False)
            session.list()
            self.assertEqual(self.ask(session, INQUIRIES[1], 1), {1: first})
            self.assertEqual("EMAILID" in session.store.commands[-1], "OBJECTID" in extension)

    def test_a_server_without_any(self) -> None:
        session = self.opened(with_many(1))
        self.assertIsInstance(self.refused(session, INQUIRIES[1], 1), UpstreamUnsuitable)


class FingerprintsTest(Case):
    def test_by_the_fields_that_count_and_the_servers_own_id(self) -> None:
        octets = b"Received: x\r\nsubject: a\r\n b\r\nDate: c\r\nX-Y: z\r\nMessage-Id: <a@b>\r\n\r\nSubject: body\r\n"
        for capabilities, own in ((DOVECOT, ""), (f"{DOVECOT} OBJECTID", "M7")):
            store = with_messages(octets, b"Subject: none\r\n\r\n", b"\r\n", b"", capabilities=capabilities)
            for message in store.inbox.messages.values():
                message.stable_id = own
            session = self.opened(store)
            found = self.ask(session, INQUIRIES[2], 1, 2, 3, 4)
            self.assertEqual(sorted(found), [1, 2, 3, 4])
            self.assertEqual(found[1], fingerprint(octets, own))
            self.assertEqual([found[uid].header for uid in (3, 4)], [b"", b""])
            self.assertEqual(found[2].message_id, b"")

    def test_fields_named_otherwise(self) -> None:
        """Servers write them in an order, a case and quotation marks of their own."""
        session = self.opened(with_many(2))
        plain = self.ask(session, INQUIRIES[2], 1, 2)
        for label in (b'("Date" "From")', b"(MESSAGE-ID date)", b'("DATE" FROM TO CC SUBJECT "MESSAGE-ID")'):
            session.store.edit = replacing(b"(DATE FROM TO CC SUBJECT MESSAGE-ID)", label)
            self.assertEqual(self.ask(session, INQUIRIES[2], 1, 2), plain)

    def test_a_uid_behind_the_body(self) -> None:
        """As hoodiecrow writes it."""
        session = self.opened(with_many(2))
        plain = self.ask(session, INQUIRIES[2], 1, 2)

        def behind(text: str, answer: bytes) -> bytes:
            for uid in (b"1", b"2"):
                answer = answer.replace(b"(UID %b BODY" % uid, b"(BODY").replace(
                    b"m%b\r\n\r\n)" % uid, b"m%b\r\n\r\n UID %b)" % (uid, uid)
                )
            return answer

        session.store.edit = behind
        self.assertEqual(self.ask(session, INQUIRIES[2], 1, 2), plain)

    def test_a_body_whose_uid_is_never_told_is_nobodys(self) -> None:
        session = self.opened(with_many(2))
        session.store.edit = on("UID FETCH", {b"(UID 1 BODY": b"(BODY"})
        self.assertEqual(sorted(self.ask(session, INQUIRIES[2], 1, 2)), [2])

    def test_a_quoted_string_and_no_body_at_all(self) -> None:
        session = self.opened(with_messages(b"Subject: a\r\n\r\n", b"\r\n", b"\r\n"))
        session.store.edit = on("UID FETCH", {b"UID 2 ": b"UID 2 X NIL ", b"{2}\r\n\r\n": b'""'})
        self.assertEqual(sorted(self.ask(session, INQUIRIES[2], 1, 2, 3)), [1, 2, 3])
        session.store.edit = on("UID FETCH", {b"{2}\r\n\r\n": b"NIL"})
        self.assertEqual(sorted(self.ask(session, INQUIRIES[2], 1, 2, 3)), [1])

    def test_a_header_without_end_costs_no_memory(self) -> None:
        octets = b"Subject: " + b"x" * HEADER_AT_MOST + b"\r\n\r\n"
        session = self.opened(with_messages(octets * 2, octets + b"\r\n"))
        found = self.ask(session, INQUIRIES[2], 1, 2)
        self.assertEqual(found[1], fingerprint(octets[:HEADER_AT_MOST]))
        self.assertEqual(found[1], found[2])

    def test_many_in_one_command_but_not_all(self) -> None:
        self.patch(imap_inquiries, "HEADERS_AT_ONCE", 4)
        session = self.opened(with_many(10))
        before = len(session.store.commands)
        self.assertEqual(len(self.ask(session, INQUIRIES[2], *range(1, 11))), 10)
        asked = [text.split()[2] for text in session.store.commands[before:]]
        self.assertEqual(asked, ["1:4", "5:8", "9:10"])

    def test_nothing_is_marked(self) -> None:
        session = self.opened(with_many(1))
        self.ask(session, INQUIRIES[2], 1)
        self.assertEqual(session.store.inbox.messages[1].flags, set())


class MarkSeenTest(Case):
    def test_these_and_no_others(self) -> None:
        session = self.opened(with_many(4))
        session.store.inbox.remove(3)
        session.network.run(session.source.mark_seen([1, 3, 4]))
        self.assertEqual([one.flags for one in session.store.inbox.messages.values()], [{"\\Seen"}, set(), {"\\Seen"}])
        before = len(session.store.commands)
        session.network.run(session.source.mark_seen([]))
        self.assertEqual(len(session.store.commands), before)

    def test_a_mailbox_that_is_read_only(self) -> None:
        store = with_many(1)
        store.inbox.read_only = True
        session = self.opened(store)
        trouble = self.refused(session, lambda source, uids: source.mark_seen(uids), 1)
        self.assertIsInstance(trouble, UpstreamUnavailable)
