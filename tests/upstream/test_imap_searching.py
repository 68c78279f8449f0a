# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""An owner's search finds all that there is, or the login says that it could not."""

import pytest

from bridge.maildrop.errors import ListingIncomplete, Trouble, UpstreamUnsuitable
from bridge.upstream.imap_searching import LONGEST, criteria
from tests.upstream.mailserver import BARE, DOVECOT
from tests.upstream.network import NetworkTestCase
from tests.upstream.session import Session, refusing, with_many


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("UNSEEN", ("UNSEEN",)),
        (" UNSEEN  OR FLAGGED ANSWERED ", ("UNSEEN", "OR", "FLAGGED", "ANSWERED")),
        ('(SUBJECT "a \\"b\\" \\\\c") NOT SEEN', ("(SUBJECT", b'a "b" \\c', ")", "NOT", "SEEN")),
        ('FROM "Jörg"', ("FROM", "Jörg".encode())),
        ('TO ""', ("TO", b"")),
    ],
)
def test_search_keys_and_their_strings(text: str, parts: tuple[str | bytes, ...]) -> None:
    assert criteria(text) == parts


@pytest.mark.parametrize("text", ["", "  ", 'SUBJECT "a', 'SUBJECT "a"b', 'a"b"', "SUBJECT x" * LONGEST, '"\\x"'])
def test_what_is_no_list_of_search_keys(text: str) -> None:
    with pytest.raises(UpstreamUnsuitable, match="search ="):
        criteria(text)


class SearchTest(NetworkTestCase):
    def session(self, capabilities: str = DOVECOT) -> Session:
        session = Session(with_many(10, capabilities=capabilities))
        session.list()
        session.store.inbox.flag(3, "\\Seen")
        session.store.inbox.flag(4, "\\Seen", "\\Flagged")
        return session

    def refused(self, session: Session, text: str) -> Trouble:
        trouble = session.network.start(session.source.search(text)).trouble()
        assert isinstance(trouble, Trouble)
        return trouble

    def test_everything_that_matches(self) -> None:
        for capabilities in (DOVECOT, BARE):
            session = self.session(capabilities)
            for text, uids in (
                ("UNSEEN", {1, 2, 5, 6, 7, 8, 9, 10}),
                ("SEEN UNFLAGGED", {3}),
                ("OR FLAGGED UID 9:*", {4, 9, 10}),
                ('SUBJECT "m1"', {1, 10}),
                ('NOT SUBJECT "m1" SEEN', {3, 4}),
                ("KEYWORD Junk", set()),
            ):
                self.assertEqual(session.network.run(session.source.search(text)), uids)

    def test_what_cannot_be_sent_or_is_not_understood_is_for_its_owner_to_change(self) -> None:
        session = self.session()
        said = len(session.store.commands)
        for text in ("UNSEEN\r\nA9 LOGOUT", "UNSEEN\0", "SUBJECT {3}", 'SUBJECT "a\r\nb"', "SUBJECT ä", '"'):
            self.assertIsInstance(self.refused(session, text), UpstreamUnsuitable)
        self.assertEqual(len(session.store.commands), said)
        self.assertIsInstance(self.refused(session, "COLOUR red"), UpstreamUnsuitable)
        self.assertEqual(session.network.run(session.source.search("FLAGGED")), {4})

    def test_a_search_that_is_refused_now_finds_no_less(self) -> None:
        session = self.session()
        session.store.edit = refusing("UID SEARCH", status="NO [UNAVAILABLE] later")
        trouble = self.refused(session, "UNSEEN")
        self.assertIsInstance(trouble, ListingIncomplete)
        self.assertEqual(trouble.detail, "later")

    def limited(self, session: Session, at: int, code: str) -> None:
        """Of a search without a limit the server looks at the UIDs from `at` on."""

        def limit(text: str, answer: bytes) -> bytes:
            if not text.startswith("UID SEARCH") or " UID 1:" in text:
                return answer
            found, last = answer.splitlines()
            seen = [uid for uid in found.split()[2:] if int(uid) >= at]
            return b"* SEARCH %b\r\n%b\r\n" % (b" ".join(seen), last.replace(b" OK ", f" OK [{code}] ".encode()))

        session.store.edit = limit

    def test_a_server_that_looks_at_a_part_at_a_time(self) -> None:
        """MESSAGELIMIT (RFC 9738), with or without the UID where it stopped."""
        for code in ("MESSAGELIMIT 5 6", "MESSAGELIMIT 5"):
            session = self.session(BARE)
            self.limited(session, 6, code)
            self.assertEqual(len(session.network.run(session.source.search("UNSEEN"))), 8)
            self.assertEqual(session.store.commands[-1], "UID SEARCH UID 1:5 UNSEEN")

    def test_a_server_that_stops_and_does_not_say_where(self) -> None:
        session = self.session(BARE)
        self.limited(session, 6, "MESSAGELIMIT 5")
        self.assertIsInstance(self.refused(session, "SEEN"), ListingIncomplete)

    def test_a_server_that_never_gets_on(self) -> None:
        session = self.session(BARE)
        session.store.edit = lambda text, answer: answer.replace(b" OK ", b" OK [MESSAGELIMIT 5 6] ")
        self.assertIsInstance(self.refused(session, "UNSEEN"), ListingIncomplete)
