"""Which message upstream is which message of the old server: by its header; size and order tell copies apart.

One to one, and never by guessing: what neither size nor order settles stays unmatched, and is downloaded again.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from attrs import frozen

from bridge.commands.old_message import OldMessage
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Fingerprint
from bridge.maildrop.uidl import LONGEST

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

Pair = tuple[OldMessage, int]


@frozen(kw_only=True)
class Matching:
    """`uidls`: by UID upstream, each UIDL once. Of the old messages: `lost` are not found upstream, `invalid` have no
    UIDL that could be given, `repeated` one that the old server gives to several. `new`: UIDs that no old message fits.
    """

    uidls: Mapping[int, str]
    lost: Sequence[OldMessage] = ()
    invalid: Sequence[OldMessage] = ()
    repeated: Sequence[OldMessage] = ()
    new: Sequence[int] = ()

    @property
    def asked(self) -> int:
        """How many messages the old server has."""
        return len(self.uidls) + len(self.lost) + len(self.invalid) + len(self.repeated)

    @property
    def rate(self) -> float:
        """Of the old messages, how many were found: 0 to 1."""
        return len(self.uidls) / self.asked if self.asked else 1.0


def match(old: Iterable[OldMessage], listing: Listing, prints: Mapping[int, Fingerprint]) -> Matching:
    """`prints`: fingerprints of the messages of `listing`, by UID; one without can only be matched by its UID."""
    usable: list[OldMessage] = []
    invalid: list[OldMessage] = []
    repeated: list[OldMessage] = []
    for uidl, same in _grouped(old, lambda message: message.uidl).items():
        if not _is_uidl(uidl):
            invalid += same
        else:
            (usable if len(same) == 1 else repeated).extend(same)
    found = _paired(usable, listing, prints)
    lost = [message for message in usable if message.uidl not in found]
    uids = {uid: uidl for uidl, uid in found.items()}
    new = [uid for uid in listing.uids if uid not in uids]
    return Matching(uidls=uids, lost=lost, invalid=invalid, repeated=repeated, new=new)


def _paired(old: Sequence[OldMessage], listing: Listing, prints: Mapping[int, Fingerprint]) -> dict[str, int]:
    """UIDs by UIDL. What an old server's list says itself goes first, then the whole header, then Message-ID alone."""
    sizes = dict(zip(listing.uids, listing.sizes, strict=True))
    found: dict[str, int] = {}
    free = dict.fromkeys(listing.uids)
    for message in old:
        if message.uid in free and message.uidvalidity in {None, listing.uidvalidity}:
            del free[message.uid]
            found[message.uidl] = message.uid
    for part in (_header, _message_id):
        candidates = _grouped((uid for uid in free if uid in prints), lambda uid: part(prints[uid]))  # noqa: B023  used up here
        waiting = [message for message in old if message.uidl not in found and message.fingerprint is not None]
        for mark, messages in _grouped(waiting, lambda message: part(message.fingerprint)).items():  # noqa: B023
            if mark:
                for message, uid in _settled(messages, candidates.get(mark, []), sizes):
                    del free[uid]
                    found[message.uidl] = uid
    return found


def _settled(old: Sequence[OldMessage], uids: Sequence[int], sizes: Mapping[int, int]) -> list[Pair]:
    """Of messages alike in all but their size: those of one size in their order, then the rest in its order.

    Only where there are as many on both sides, for else order says nothing. Sizes need not agree: some servers count
    the octets of a file with Unix line ends.
    """
    pairs: list[Pair] = []
    by_size = _grouped(uids, lambda uid: sizes[uid])
    for size, messages in _grouped(old, lambda message: message.size).items():
        same = by_size.get(size, []) if size is not None else []
        if len(same) == len(messages):
            pairs += zip(messages, same, strict=True)
    settled = {uid for _, uid in pairs}
    named = {message.uidl for message, _ in pairs}
    rest = [message for message in old if message.uidl not in named]
    left = [uid for uid in uids if uid not in settled]
    return pairs + list(zip(rest, left, strict=True)) if len(rest) == len(left) else pairs


def _header(mark: Fingerprint | None) -> bytes:
    return mark.header if mark is not None else b""


def _message_id(mark: Fingerprint | None) -> bytes:
    return mark.message_id if mark is not None else b""


def _is_uidl(text: str) -> bool:
    return 1 <= len(text) <= LONGEST and all(0x21 <= ord(character) <= 0x7E for character in text)


def _grouped(things: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = defaultdict(list)
    for thing in things:
        groups[key(thing)].append(thing)
    return groups
