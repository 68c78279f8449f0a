# mypy: disallow-untyped-calls=False
"""What is parked belongs to no session: whose it is now hears of it (S22). The rules themselves are in test_pool."""

from bridge.imap.quirks import Quirk
from bridge.upstream.mooring import NONE
from tests.upstream.harbour import Harbour
from tests.upstream.network import NetworkTestCase


class MooringTest(NetworkTestCase):
    def test_without_a_pool_nothing_is_kept(self) -> None:
        self.assertIsNone(NONE.take())

    def test_what_goes_over_it_is_told_to_the_session_whose_it_is(self) -> None:
        harbour = Harbour()
        told: list[list[str]] = [[], [], []]
        met: list[list[Quirk]] = [[], [], []]
        listing = None
        for session in range(3):
            source = harbour.source(
                trace=lambda _, text, session=session: told[session].append(text),  # type: ignore[misc]  # its default
                on_quirk=met[session].append,
            )
            listing = harbour.network.run(source.list(listing))
            if session == 1:
                harbour.store.servers[0].say("* OK  two blanks and\n* XYZ")
                harbour.network.settle()
            source.close()
            harbour.network.settle()
        self.assertIn("Authenticate", " ".join(told[0]))
        self.assertTrue(all("Select" in " ".join(lines[:2]) for lines in told[1:]), told)
        self.assertEqual(([], []), (met[0], met[2]))
        self.assertNotEqual(met[1], [])
