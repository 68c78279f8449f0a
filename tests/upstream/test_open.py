# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""A whole session upstream, broken at every single exchange: always a Trouble, in time, and never a false success."""

from collections.abc import Iterator
from typing import cast

from attrs import Factory, define
from twisted.internet.defer import CancelledError

from bridge.accounts.account import Account
from bridge.config import PassThrough, Timeouts
from bridge.credentials.proof import Given
from bridge.imap.quirks import ignore
from bridge.maildrop.errors import Trouble
from bridge.maildrop.retention import Policy
from bridge.maildrop.source import Deletion
from bridge.names import AccountName, Uid
from bridge.postoffice.opening import PostOffice
from bridge.state.memory import MemoryStore
from bridge.upstream.connect import Reactor
from bridge.upstream.imap_source import ImapSource
from bridge.upstream.open import Opener
from tests.upstream.mailserver import BARE, DOVECOT, Fault, Store
from tests.upstream.network import Network, NetworkTestCase
from tests.upstream.session import ALICE, CLEAR, Session, Taken, mail, with_messages

MAIL = (mail("a"), mail("b", 40_000), mail("c"))
DELETED = {"\\Deleted"}

KINDS = {
    "flag": (DOVECOT, "flag"),
    "flag, bare": (BARE, "flag"),
    "expunge": (DOVECOT, "expunge"),
    "expunge without UIDPLUS": (BARE, "expunge"),
    "trash by MOVE": (DOVECOT, "trash"),
    "trash by COPY": (DOVECOT.replace(" MOVE", ""), "trash"),
    "trash by COPY and a search": (BARE, "trash"),
}


@define
class Outcome:
    troubles: list[Trouble] = Factory(list)
    listed: list[int] | None = None
    streamed: dict[int, Taken] = Factory(dict)
    whole: set[int] = Factory(set)
    deletion: Deletion | None = None


async def whole_session(session: Session, outcome: Outcome) -> None:
    """As a mail program goes: what it can get it gets, and a cut message ends it. Two of them are asked for ahead."""
    source = session.source
    try:
        listing = await source.list()
        outcome.listed = list(listing.visible().uids)
        for uid, size in list(zip(listing.uids, listing.sizes, strict=True)):
            if uid == 2:
                source.ahead.ask({Uid(2): size, Uid(3): 2 * size})
            outcome.streamed[uid] = taken = Taken()
            try:
                await source.stream(Uid(uid), taken, size)
                outcome.whole.add(uid)
            except Trouble as trouble:
                outcome.troubles.append(trouble)
                if taken.begun:
                    raise
        source.ahead.ask({Uid(1): 50}, 50)
        await source.top(Uid(1), Taken(60), len(MAIL[0]))
        await source.top(Uid(2), Taken(20_000), 40_000)
        outcome.deletion = await source.delete([1, 3], Policy.FLAG)
    except Trouble as trouble:
        outcome.troubles.append(trouble)
        source.abandon()
        return
    source.close()


class EveryExchangeTest(NetworkTestCase):
    def session(self, kind: str) -> Session:
        capabilities, delete = KINDS[kind]
        store = with_messages(*MAIL, capabilities=capabilities, copyuid="SEARCH" not in kind.upper())
        store.inbox.append(mail("other's"), DELETED)
        return Session(store, delete=delete, ahead=1 << 20)

    def exchanges(self, kind: str) -> int:
        session, outcome = self.session(kind), Outcome()
        session.network.run(whole_session(session, outcome))
        self.assertEqual((outcome.troubles, outcome.listed), ([], [1, 2, 3]))
        self.assertEqual(outcome.deletion, Deletion(2))
        self.assertIn("UID FETCH 2:3 (UID BODY.PEEK[])", session.store.commands)
        self.assertNotIn("UID FETCH 2 (UID BODY.PEEK[])", session.store.commands)
        self.assertIn("UID FETCH 1 (UID BODY.PEEK[]<0.50>)", session.store.commands)
        return session.store.exchanges

    def cuts(self) -> Iterator[tuple[str, int, Fault]]:
        for kind in KINDS:
            for exchange in range(self.exchanges(kind)):
                for fault in Fault:
                    yield kind, exchange, fault

    def test_every_exchange_cut_stalled_refused_and_ended(self) -> None:
        count = 0
        for kind, exchange, fault in self.cuts():
            count += 1
            session, outcome = self.session(kind), Outcome()
            session.store.faults = {exchange: fault}
            where = f"{kind}, exchange {exchange}, {fault.name}: {session.store.commands[exchange - 1 :][:1]}"
            running = session.network.start(whole_session(session, outcome))
            session.network.wait(62)  # two silences at most: one for the old connection and one for its successor
            running.result()
            session.network.wait(11)
            self.assertEqual((session.network.open, session.network.getDelayedCalls()), (0, []), where)
            self.assertEqual(session.budget.used, 0, where)
            self.assertTrue(outcome.listed in (None, [1, 2, 3]), where)
            for uid, taken in outcome.streamed.items():
                self.assertTrue(MAIL[uid - 1].startswith(taken.octets) if uid < 4 else True, where)
                if uid in outcome.whole:
                    self.assertEqual(
                        taken.octets, session.store.inbox.messages[uid].octets if uid == 4 else MAIL[uid - 1], where
                    )
                self.assertLessEqual(taken.begun, 2, where)  # again where it went on over a new connection
            self.assertDeletionTrue(session.store, outcome, kind, where)
        print(f"{count} cut points")
        self.assertGreater(count, 900)

    def assertDeletionTrue(self, store: Store, outcome: Outcome, kind: str, where: str) -> None:  # noqa: N802  # as trial's own
        inbox = store.inbox.messages
        kept = [uid for uid in (1, 3) if uid in inbox and not inbox[uid].flags & DELETED]
        if outcome.deletion is not None:
            self.assertLessEqual(outcome.deletion.done, 2 - len(kept), where)
            self.assertEqual(bool(outcome.deletion.why_not), outcome.deletion.done < 2, where)
        self.assertEqual((inbox[2].flags, inbox[4].flags), (set(), DELETED), where)
        self.assertFalse({"EXPUNGE", "CLOSE"} & set(store.verbs()), where)
        if kind.startswith("trash"):
            there = {one.octets for folder in store.folders.values() for one in folder.messages.values()}
            self.assertTrue(set(MAIL) <= there, where)


class CancelledTest(NetworkTestCase):
    """A client that goes during its login leaves no error for the log, and nothing but a first listing (S31)."""

    def test_a_login_given_up_at_every_step(self) -> None:
        for kind, (capabilities, delete) in KINDS.items():
            exchange, over = 0, False
            while not over:
                store = with_messages(*MAIL, capabilities=capabilities)
                store.faults = {exchange: Fault.STALL_BEFORE}
                session = Session(store, delete=delete)
                account = Account(b"alice", AccountName("alice"), PassThrough(upstream=CLEAR))
                office = PostOffice(MemoryStore(), session.network, lambda _: None, quit_wait=2.5, deletion_wait=50)
                running = session.network.start(office.open(account, session.source))
                over = running.over
                if not over:
                    running.deferred.cancel()
                    session.network.settle()
                    listing = any(
                        not text.startswith(("AUTHENTICATE", "LOGIN", "CAPABILITY")) for text in store.commands
                    )
                    self.assertEqual(session.network.open, int(listing))
                    self.assertIsInstance(running.trouble(), CancelledError, f"{kind}, exchange {exchange}")
                    session.network.wait(61)
                    self.assertEqual((session.network.open, session.network.getDelayedCalls()), (0, []))
                    self.assertEqual(len(session.network.clients), 1)
                exchange += 1
            self.assertGreater(exchange, 3)
            session.source.abandon()

    def test_a_deletion_given_up_is_left_alone(self) -> None:
        session = Session(with_messages(*MAIL))
        session.list()
        session.store.faults = {session.store.exchanges: Fault.STALL_BEFORE}
        running = session.deleting(1)
        running.deferred.cancel()
        session.network.settle()
        self.assertIsInstance(running.trouble(), CancelledError)
        self.assertEqual(session.network.open, 0)


class OpenerTest(NetworkTestCase):
    def test_nothing_is_dialled_before_it_is_needed(self) -> None:
        network = Network(Store().answering)
        account = Account(b"alice", AccountName("alice"), PassThrough(upstream=CLEAR))
        source = Opener(cast("Reactor", network), Timeouts()).source(account, Given(ALICE), trace=None, on_quirk=ignore)
        network.wait(1)
        self.assertEqual(network.dialled, [])
        assert isinstance(source, ImapSource)
        self.assertIsNone(source.mailbox)
        network.run(source.list())
        self.assertIsNotNone(source.mailbox)
        source.abandon()
        network.settle()
        self.assertEqual(network.open, 0)
