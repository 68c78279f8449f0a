# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""A POP3 listing is complete, or the login fails (S6); and every message has a name."""

from bridge.maildrop.errors import ListingIncomplete, Trouble, UpstreamUnavailable, UpstreamUnsuitable
from bridge.maildrop.fingerprint import fingerprint
from tests.upstream.network import NetworkTestCase
from tests.upstream.pop3_server import Drop, drop_of, session_at
from tests.upstream.session import mail, replacing

MAIL = (mail("a"), mail("b"), mail("c"))


class ListingTest(NetworkTestCase):
    def refused(self, drop: Drop) -> Trouble:
        session = session_at(drop)
        trouble = session.network.start(session.source.list()).trouble()
        assert isinstance(trouble, Trouble), repr(trouble)
        session.network.settle()
        self.assertEqual((session.network.open, session.network.getDelayedCalls()), (0, []))
        return trouble

    def test_all_is_asked_for_in_one_go(self) -> None:
        drop = drop_of(*MAIL)
        listing = session_at(drop).list()
        self.assertEqual(listing.names, [uidl for uidl, _ in drop.messages])
        self.assertEqual(list(listing.sizes), [len(octets) for octets in MAIL])
        self.assertEqual(drop.commands, ["CAPA", "USER alice", "PASS wonder", "STAT", "LIST", "UIDL"])

    def test_counts_that_do_not_agree(self) -> None:
        for old, new in ((b"+OK 3 0", b"+OK 4 0"), (b"+OK 3 0", b"+OK 2 0"), (b"+OK 3 0", b"+OK many"), (b"3 ", b"x ")):
            drop = drop_of(*MAIL, edit=replacing(old, new))
            self.assertIsInstance(self.refused(drop), ListingIncomplete, new)

    def test_a_uidl_that_is_missing(self) -> None:
        drop = drop_of(*MAIL)
        drop.edit = replacing(b"2 u0-1\r\n", b"")
        trouble = self.refused(drop)
        self.assertIsInstance(trouble, ListingIncomplete)
        self.assertIn("names 2 of 3", str(trouble))

    def test_a_list_that_is_refused_is_no_empty_maildrop(self) -> None:
        for verb in ("STAT", "LIST", "UIDL"):
            drop = drop_of(
                *MAIL, edit=lambda text, answer, verb=verb: b"-ERR [SYS/TEMP] busy\r\n" if text == verb else answer
            )
            trouble = self.refused(drop)
            self.assertIsInstance(trouble, UpstreamUnavailable)
            self.assertEqual(trouble.detail, "busy")

    def test_uidl_refused_where_it_was_announced_is_not_taken_for_a_server_without_it(self) -> None:
        """All messages would get other names, and be downloaded again."""
        self.assertIsInstance(self.refused(drop_of(*MAIL, has_uidl=False)), UpstreamUnavailable)

    def test_without_uidl_a_message_is_called_by_its_header(self) -> None:
        drop = drop_of(*MAIL, MAIL[0], b"X: none of the fields\r\n\r\n", capabilities=None, has_uidl=False)
        names = session_at(drop).list().names
        self.assertEqual(names[:3], [fingerprint(octets).header.hex() for octets in MAIL])
        self.assertEqual(names[3], f"{names[0]}.2")
        self.assertEqual(len(names[4]), 32)
        self.assertEqual(session_at(drop).list().names, names)

    def test_without_top_either_there_are_no_lasting_names(self) -> None:
        drop = drop_of(*MAIL, capabilities=(), has_uidl=False, has_top=False)
        self.assertIsInstance(self.refused(drop), UpstreamUnsuitable)
        empty = Drop(capabilities=(), has_uidl=False, has_top=False)
        self.assertEqual(len(session_at(empty).list()), 0)

    def test_a_header_without_end_is_not_held_whole(self) -> None:
        drop = drop_of(b"Subject: x\r\n" + b"X: y\r\n" * 100_000, capabilities=None, has_uidl=False)
        self.assertEqual(len(session_at(drop).list().names), 1)
