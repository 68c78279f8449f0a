"""What is remembered names every listed message by the UIDL it has."""

from bridge.maildrop.exceptions import exceptions
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Memory
from bridge.names import UidValidity


def test_the_uidls_of_a_remembered_mailbox_are_the_computed_ones_and_the_exceptions() -> None:
    listing = Listing(UidValidity(7))
    listing.add([1, 2], [10, 20], [0, 0], bytes(2))
    memory = Memory(place="p", listing=listing, template="{uidvalidity}-{uid}", exceptions=exceptions({2: "old"}))

    assert list(memory.uidls().uidls(listing.uids)) == ["7-1", "old"]
