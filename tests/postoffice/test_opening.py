# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""Opening a maildrop: a complete snapshot, or a Trouble and nothing left behind."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from bridge.accounts.account import Account
from bridge.config import PassThrough, Upstream
from bridge.maildrop.errors import ListingIncomplete, MessageMarked, TooManyDeletions
from bridge.maildrop.listing import Listing
from bridge.names import AccountName, MessageNumber
from bridge.postoffice.opening import open_maildrop
from tests.contracts.fake_source import FakeMessage, FakeSource


def account(**settings: object) -> Account:
    upstream = Upstream("imap", "tls", "imap.example.org", 993)
    return Account(b"alice", AccountName("alice"), PassThrough(upstream=upstream, **settings))  # type: ignore[arg-type]  # its own


class OpeningTest(SynchronousTestCase):
    def test_what_pop3_may_see_in_the_accounts_own_way(self) -> None:
        source = FakeSource({3: FakeMessage(b"abc"), 5: FakeMessage(b"x", hidden=True), 9: FakeMessage(b"defg")})
        opening = Deferred.fromCoroutine(open_maildrop(account(uidl="courier", max_deletions=1), source))
        drop = self.successResultOf(opening)
        self.assertEqual((drop.count, drop.octets), (2, 7))
        self.assertEqual(drop.uid(MessageNumber(2)), 9)
        drop.mark(MessageNumber(1))
        self.assertRaises(MessageMarked, drop.mark, MessageNumber(1))
        self.assertRaises(TooManyDeletions, drop.mark, MessageNumber(2))
        self.assertFalse(source.abandoned)

    def test_the_uidl_is_the_accounts_choice(self) -> None:
        for name in ("bridge", "courier", "dovecot"):
            source = FakeSource({3: FakeMessage(b"abc")})
            drop = self.successResultOf(Deferred.fromCoroutine(open_maildrop(account(uidl=name), source)))
            self.assertTrue(drop.uidl(MessageNumber(1)))

    def test_a_listing_that_fails_gives_the_source_up(self) -> None:
        source = FakeSource({3: FakeMessage(b"abc")}, fails=ListingIncomplete("not now"))
        self.failureResultOf(Deferred.fromCoroutine(open_maildrop(account(), source)), ListingIncomplete)
        self.assertTrue(source.abandoned)

    def test_a_login_given_up_gives_the_source_up(self) -> None:
        class Slow(FakeSource):
            async def list(self) -> Listing:
                await Deferred[None]()
                return await super().list()

        source = Slow({})
        opening = Deferred.fromCoroutine(open_maildrop(account(), source))
        self.assertNoResult(opening)
        opening.cancel()
        self.failureResultOf(opening, CancelledError)
        self.assertTrue(source.abandoned)

    def test_a_bug_gives_the_source_up_too(self) -> None:
        source = FakeSource({}, fails=ZeroDivisionError("a bug"))
        self.failureResultOf(Deferred.fromCoroutine(open_maildrop(account(), source)), ZeroDivisionError)
        self.assertTrue(source.abandoned)
