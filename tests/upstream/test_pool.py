# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""What is parked is taken over only where nothing speaks against it, and its listing is then the truth (S7, S22)."""

from collections.abc import Callable
from typing import Any

from attrs import evolve

from bridge.accounts.account import Account
from bridge.config import PassThrough
from bridge.credentials.proof import Given
from bridge.maildrop.errors import CredentialsRefused, UpstreamUnavailable, UpstreamUnsuitable
from bridge.maildrop.listing import Listing
from bridge.maildrop.retention import Policy
from bridge.names import AccountName, Uid
from bridge.sasl import Credentials
from bridge.secret import Secret
from tests.upstream.harbour import IDLES, Harbour
from tests.upstream.mailserver import BARE, DOVECOT, QRESYNC, Fault, Folder
from tests.upstream.network import NetworkTestCase, Silence
from tests.upstream.session import CLEAR, Taken, mail, with_many

KINDS = (IDLES, QRESYNC, f"{DOVECOT} CONDSTORE", DOVECOT, f"{BARE} IDLE", BARE)
SEARCH = "UID SEARCH RETURN (ALL) OR DELETED KEYWORD $POP3Deleted"


class PoolCase(NetworkTestCase):
    def taken_over(self, harbour: Harbour, known: Listing | None, **who: object) -> Listing:
        listing = harbour.poll(known, **who)
        self.assertEqual(harbour.logins, 0, harbour.store.commands)
        return listing

    def opened_anew(self, harbour: Harbour, known: Listing | None, **who: object) -> Listing:
        listing = harbour.poll(known, **who)
        self.assertEqual(harbour.logins, 1, harbour.store.commands)
        return listing


class TakeoverTest(PoolCase):
    def test_the_next_session_needs_no_login(self) -> None:
        for capabilities in KINDS:
            harbour = Harbour(with_many(5, capabilities=capabilities))
            listing = self.opened_anew(harbour, None)
            self.assertEqual((len(harbour.pool), harbour.network.open), (1, 1), capabilities)
            self.assertEqual(self.taken_over(harbour, listing), listing, capabilities)
            self.assertEqual(len(harbour.network.dialled), 1)

    def test_where_nothing_has_changed_select_is_all_that_is_asked(self) -> None:
        harbour = Harbour(with_many(5, capabilities=QRESYNC))
        listing = harbour.poll()
        self.assertIs(self.taken_over(harbour, listing), listing)
        self.assertEqual(harbour.store.commands, ['SELECT "INBOX" (QRESYNC (7 6))'])

    def test_without_modseqs_the_search_for_deleted_goes_in_the_same_write(self) -> None:
        harbour = Harbour(with_many(5, capabilities=DOVECOT))
        self.taken_over(harbour, harbour.poll())
        self.assertEqual(harbour.store.commands[:2], ['SELECT "INBOX"', SEARCH])

    def test_what_others_did_meanwhile_is_seen(self) -> None:
        """S7: new mail, expunged mail, \\Deleted set and taken back; whatever the server can tell by itself."""
        for capabilities in KINDS:
            harbour = Harbour(with_many(6, capabilities=capabilities))
            listing = harbour.poll()
            changes: list[tuple[Callable[[Folder], object], list[int]]] = [
                (lambda inbox: inbox.append(mail("new")), [1, 2, 3, 4, 5, 6, 7]),
                (lambda inbox: inbox.remove(2), [1, 3, 4, 5, 6, 7]),
                (lambda inbox: inbox.flag(3, "\\Deleted"), [1, 4, 5, 6, 7]),
                (lambda inbox: inbox.flag(4, "$POP3Deleted"), [1, 5, 6, 7]),
                (lambda inbox: inbox.flag(3), [1, 3, 5, 6, 7]),
                (lambda inbox: inbox.flag(5, "\\Seen"), [1, 3, 5, 6, 7]),
                (lambda inbox: inbox.remove(1, 3, 4, 5, 6, 7), []),
                (lambda inbox: inbox.append(mail("last")), [8]),
            ]
            for change, uids in changes:
                change(harbour.store.inbox)
                listing = self.taken_over(harbour, listing)
                self.assertEqual(list(listing.visible().uids), uids, capabilities)

    def test_a_mailbox_replaced_meanwhile_is_seen(self) -> None:
        for capabilities in KINDS:
            harbour = Harbour(with_many(6, capabilities=capabilities))
            listing = harbour.poll()
            harbour.store.folders["INBOX"] = with_many(3).inbox
            harbour.store.inbox.uidvalidity = 8
            again = self.opened_anew(harbour, listing)
            self.assertEqual((again.uidvalidity, list(again.uids)), (8, [1, 2, 3]), capabilities)

    def test_what_a_session_has_deleted_is_not_shown_to_the_next(self) -> None:
        for capabilities in KINDS:
            for policy in (Policy.FLAG, Policy.EXPUNGE):
                harbour = Harbour(with_many(4, capabilities=capabilities))
                source, listing = harbour.open(delete=policy.value)
                self.assertEqual(harbour.network.run(source.delete([2], policy)).done, 1)
                source.close()
                harbour.network.settle()
                again = self.taken_over(harbour, listing, delete=policy.value)
                self.assertEqual(list(again.visible().uids), [1, 3, 4], (capabilities, policy))

    def test_who_only_has_his_password_checked_takes_it_over_too(self) -> None:
        harbour = Harbour()
        listing = harbour.poll()
        source = harbour.source()
        harbour.network.run(source.enter())
        self.assertEqual((harbour.logins, len(harbour.pool)), (1, 0), "the one before")
        self.assertEqual(harbour.network.run(source.list(listing)), listing)
        self.assertEqual(len(harbour.network.dialled), 1)
        source.close()
        given_up = harbour.source()
        harbour.network.run(given_up.enter())
        given_up.abandon()
        harbour.network.settle()
        self.assertEqual((len(harbour.pool), harbour.network.open), (0, 0))

    def test_one_connection_serves_one_session_at_a_time(self) -> None:
        harbour = Harbour()
        listing = harbour.poll()
        first, _ = harbour.open(listing)
        self.assertEqual(harbour.logins, 0)
        second, _ = harbour.open(listing)
        self.assertEqual(harbour.logins, 1)
        for source in (first, second):
            taken = Taken()
            harbour.network.run(source.stream(Uid(1), taken, listing.sizes[0]))
            self.assertEqual(taken.octets, harbour.store.inbox.messages[1].octets)

    def test_a_session_that_is_given_up_parks_nothing(self) -> None:
        harbour = Harbour()
        source, _ = harbour.open()
        source.abandon()
        harbour.network.settle()
        self.assertEqual((len(harbour.pool), harbour.network.open), (0, 0))


class WhoTest(PoolCase):
    def test_another_password_goes_upstream(self) -> None:
        harbour = Harbour()
        harbour.poll()
        with self.assertRaises(CredentialsRefused):
            harbour.poll(password=b"guess")
        self.assertEqual(harbour.logins, 1)

    def test_a_refused_login_ends_what_is_parked(self) -> None:
        """The password may have been changed upstream: whoever holds the old one gets in no more."""
        harbour = Harbour()
        listing = harbour.poll()
        with self.assertRaises(CredentialsRefused):
            harbour.poll(password=b"guess")
        harbour.network.settle()
        self.assertEqual((len(harbour.pool), harbour.network.open), (0, 0))
        self.opened_anew(harbour, listing)

    def test_after_ten_minutes_upstream_is_asked_again(self) -> None:
        """However often it was taken over meanwhile."""
        harbour = Harbour()
        listing = harbour.poll()
        for _ in range(5):
            harbour.network.wait(110)
            self.taken_over(harbour, listing)
        harbour.store.password = b"another"
        harbour.network.wait(51)
        with self.assertRaises(CredentialsRefused):
            harbour.poll(listing)

    def test_another_account_mailbox_or_trust_takes_nothing_over(self) -> None:
        harbour = Harbour()
        harbour.poll()
        for who in ({"login": b"bob"}, {"login": b"Alice"}, {"pin": "ab" * 32}, {"delete": "expunge"}):
            self.opened_anew(harbour, None, **who)

    def test_a_bearer_token_is_never_taken_on_trust(self) -> None:
        """Nor does a password that reads like one take it over."""
        harbour = Harbour()
        account = Account(b"alice", AccountName("alice"), PassThrough(upstream=CLEAR))
        token = Credentials(b"alice", Secret(b"wonder"), "XOAUTH2", bearer=True)
        self.assertIsNone(harbour.pool.berth(account, Given(token)))
        harbour.poll()
        with self.assertRaises(UpstreamUnsuitable):  # this server takes none
            harbour.poll(bearer=True)
        self.assertEqual((len(harbour.network.dialled), len(harbour.pool)), (2, 1))

    def test_another_mailbox_than_inbox_may_be_another_one_by_then(self) -> None:
        harbour = Harbour()
        harbour.store.folders["Mail"] = harbour.store.inbox
        elsewhere = evolve(CLEAR, mailbox="Mail")
        self.opened_anew(harbour, harbour.poll(upstream=elsewhere), upstream=elsewhere)
        self.assertEqual(harbour.network.open, 0)

    def test_off_is_off(self) -> None:
        harbour = Harbour(park=0.0)
        self.opened_anew(harbour, harbour.poll())
        self.assertEqual(harbour.network.open, 0)


class TroubleTest(PoolCase):
    def test_a_parked_connection_that_died_costs_a_new_one(self) -> None:
        harbour = Harbour()
        listing = harbour.poll()
        harbour.network.ends[1].abortConnection()
        harbour.network.settle()
        self.assertEqual(len(harbour.pool), 0)
        self.opened_anew(harbour, listing)

    def test_a_parked_connection_that_says_bye_is_gone(self) -> None:
        harbour = Harbour()
        listing = harbour.poll()
        harbour.store.servers[0].say("* BYE idle for too long")
        harbour.network.settle()
        self.opened_anew(harbour, listing)

    def test_one_that_fell_silent_costs_three_seconds_and_no_error(self) -> None:
        """A NAT forgot it, and nobody sent a FIN."""
        harbour = Harbour(with_many(5, capabilities=QRESYNC))
        listing = harbour.poll()
        harbour.network.ends[1].incoming = bytearray()
        harbour.network.ends[1].paused = True
        harbour.store.commands.clear()
        running = harbour.network.start(harbour.source().list(listing))
        self.assertFalse(running.over)
        harbour.network.wait(3)
        self.assertEqual(running.result(), listing)
        self.assertEqual(harbour.logins, 1)

    def test_one_that_refuses_or_breaks_costs_a_new_one(self) -> None:
        for fault in (Fault.NO, Fault.BYE, Fault.CUT_BEFORE, Fault.CUT_INSIDE, Fault.CLOSE_INSIDE):
            harbour = Harbour(with_many(5, capabilities=QRESYNC))
            listing = harbour.poll()
            harbour.store.faults = {harbour.store.exchanges: fault}
            self.assertEqual(self.opened_anew(harbour, listing), listing, fault)

    def test_one_with_a_question_open_is_not_parked(self) -> None:
        harbour = Harbour()
        source, listing = harbour.open()
        taken = Taken(first=lambda flow: flow.pause())
        harbour.network.start(source.stream(Uid(1), taken, listing.sizes[0]))
        harbour.store.faults = {harbour.store.exchanges: Fault.STALL_INSIDE}
        running = harbour.network.start(source.stream(Uid(2), Taken(), listing.sizes[1]))
        self.assertFalse(running.over)
        source.close()
        harbour.network.settle()
        self.assertEqual((len(harbour.pool), harbour.network.open), (0, 0))
        self.assertIsInstance(running.trouble(), UpstreamUnavailable)


class LimitsTest(PoolCase):
    def test_parked_connections_end_in_good_order_when_their_time_is_up(self) -> None:
        harbour = Harbour(park=60.0)
        harbour.poll()
        harbour.network.wait(80)
        self.assertEqual((len(harbour.pool), harbour.network.open), (0, 0))
        self.assertEqual(harbour.store.commands[-1], "LOGOUT")
        self.assertEqual(harbour.network.getDelayedCalls(), [])

    def test_so_many_of_an_account_of_a_host_and_in_all(self) -> None:
        for limit, who in (
            ("parked_per_account", [b"alice"] * 4),
            ("parked_per_host", [b"a", b"b", b"c", b"d"]),
            ("parked", [b"a", b"b", b"c", b"d"]),
        ):
            limits: dict[str, Any] = {limit: 2}
            harbour = Harbour(**limits)
            sources = [harbour.open(login=login)[0] for login in who]
            for source in sources:
                source.close()
                harbour.network.settle()
            self.assertEqual((len(harbour.pool), harbour.network.open), (2, 2), limit)

    def test_the_longest_parked_goes_first(self) -> None:
        harbour = Harbour(parked=2)
        for login in (b"a", b"b", b"c"):
            harbour.poll(login=login)
        self.opened_anew(harbour, None, login=b"a")
        self.taken_over(harbour, None, login=b"c")

    def test_a_provider_that_allows_so_many_is_asked_for_no_more(self) -> None:
        harbour = Harbour(connections_per_account=2)
        first, _ = harbour.open()
        second, _ = harbour.open()
        with self.assertRaises(UpstreamUnavailable):
            harbour.open()
        self.assertEqual(harbour.logins, 0)
        first.close()
        harbour.network.settle()
        harbour.open(delete="expunge")
        self.assertEqual((len(harbour.pool), harbour.network.open), (0, 2), "what was parked made room")
        second.abandon()

    def test_a_login_that_fails_counts_no_longer(self) -> None:
        harbour = Harbour(connections_per_account=1)
        for _ in range(3):
            with self.assertRaises(CredentialsRefused):
                harbour.open(password=b"guess")
        harbour.network.answering = Silence
        running = harbour.network.start(harbour.source().list())
        harbour.network.wait(11)
        self.assertIsInstance(running.trouble(), UpstreamUnavailable)
        harbour.network.answering = harbour.store.answering
        harbour.open()

    def test_stopping_ends_everything_in_good_order(self) -> None:
        harbour = Harbour()
        harbour.poll()
        harbour.poll(login=b"bob")
        stopped: list[None] = []
        harbour.pool.stop().addCallback(stopped.append)
        harbour.network.settle()
        self.assertEqual((stopped, harbour.network.open), ([None], 0))
        self.assertEqual(harbour.store.commands[-2:], ["LOGOUT", "LOGOUT"])
        harbour.poll()
        self.assertEqual((len(harbour.pool), harbour.network.open), (0, 0), "nothing is parked any more")

    def test_stopping_does_not_wait_for_a_server_that_is_silent(self) -> None:
        harbour = Harbour()
        harbour.poll()
        harbour.network.ends[1].paused = True
        stopped: list[None] = []
        harbour.pool.stop().addCallback(stopped.append)
        harbour.network.wait(2)
        self.assertEqual(stopped, [None])
        harbour.network.wait(11)


class QuietTest(PoolCase):
    """A server known to tell an IDLE of everything, flags too, need not be asked."""

    def harbour(self, name: str = "Dovecot") -> Harbour:
        return Harbour(with_many(5, capabilities=IDLES, name=name))

    def test_nothing_is_asked_while_it_has_said_nothing(self) -> None:
        harbour = self.harbour()
        listing = harbour.poll()
        for _ in range(3):
            harbour.network.wait(60)
            harbour.store.servers[0].say("* OK Still here")
            self.assertIs(self.taken_over(harbour, listing), listing)
            self.assertEqual(harbour.store.commands, [])

    def test_what_it_says_makes_us_ask(self) -> None:
        for news in (
            "* NO Internal error occurred",
            "* 6 EXISTS",
            "* 2 EXPUNGE",
            "* VANISHED 2",
            "* 2 FETCH (UID 2 FLAGS (\\Deleted) MODSEQ (9))",
        ):
            harbour = self.harbour()
            listing = harbour.poll()
            harbour.store.servers[0].say(news)
            harbour.network.settle()
            self.taken_over(harbour, listing)
            self.assertIn('SELECT "INBOX" (QRESYNC (7 6))', harbour.store.commands, news)

    def test_another_server_is_asked(self) -> None:
        harbour = self.harbour("Cyrus")
        listing = harbour.poll()
        self.taken_over(harbour, listing)
        self.assertEqual(harbour.store.commands[0], 'SELECT "INBOX" (QRESYNC (7 6))')

    def test_another_listing_than_it_made_is_not_vouched_for(self) -> None:
        harbour = self.harbour()
        listing = harbour.poll()
        self.taken_over(harbour, listing.copy())
        self.assertEqual(harbour.store.commands[0], 'SELECT "INBOX" (QRESYNC (7 6))')

    def test_after_our_own_deletion_it_is_asked(self) -> None:
        harbour = self.harbour()
        source, listing = harbour.open()
        harbour.network.run(source.delete([2], Policy.FLAG))
        source.close()
        harbour.network.settle()
        again = self.taken_over(harbour, listing)
        self.assertEqual(list(again.visible().uids), [1, 3, 4, 5])

    def test_one_that_has_said_nothing_for_four_minutes_is_asked_whether_it_lives(self) -> None:
        harbour = self.harbour()
        harbour.poll()
        harbour.store.commands.clear()
        harbour.network.wait(260)
        self.assertEqual(harbour.store.commands, ["NOOP", "IDLE"])
        self.assertEqual(len(harbour.pool), 1)

    def test_one_that_does_not_answer_then_is_ended(self) -> None:
        harbour = self.harbour()
        harbour.poll()
        harbour.network.ends[1].paused = True
        harbour.network.wait(260)
        self.assertEqual((len(harbour.pool), harbour.network.clients[0].lost is not None), (0, True))

    def test_a_message_is_fetched_over_it_as_over_any_other(self) -> None:
        harbour = self.harbour()
        listing = harbour.poll()
        source, _ = harbour.open(listing)
        self.assertEqual(harbour.store.commands, [])
        taken = Taken()
        harbour.network.run(source.stream(Uid(3), taken, listing.sizes[2]))
        self.assertEqual(taken.octets, harbour.store.inbox.messages[3].octets)
        self.assertEqual(harbour.store.commands, ["UID FETCH 3 (UID BODY.PEEK[])"])
        source.close()
        harbour.network.settle()
        self.assertIs(self.taken_over(harbour, listing), listing)
        self.assertEqual(harbour.store.commands, [], "and read over, it is as quiet as before")

    def test_a_message_wanted_from_one_that_died_unseen_costs_three_seconds(self) -> None:
        harbour = self.harbour()
        listing = harbour.poll()
        source, _ = harbour.open(listing)
        harbour.network.ends[1].paused = True
        taken = Taken()
        running = harbour.network.start(source.stream(Uid(3), taken, listing.sizes[2]))
        harbour.network.wait(3)
        running.result()
        self.assertEqual(taken.octets, harbour.store.inbox.messages[3].octets)
