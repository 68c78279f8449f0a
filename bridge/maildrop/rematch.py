"""A mailbox was replaced upstream: which new message is which old one, and when that is not to be believed (S4).

Stronger evidence goes first. Messages that it cannot tell apart are paired in UID order if there are as many new ones
as old ones, and are unmatched if not: rather downloaded twice than taken for another.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping

from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Fingerprint, Moves

TOLERATED = 10
"""So many messages may be unmatched, or one in TOLERATED_PART if that is more."""

TOLERATED_PART = 20

_Row = tuple[int, int, Fingerprint | None]
"""Size, date (-1 unknown), and the fingerprint where it was learned."""

_Evidence = Callable[[int, int, Fingerprint | None], Hashable]
"""What two messages must have in common; None where the message has no such evidence."""


def rematch(
    old: Listing,
    old_fingerprints: Mapping[int, Fingerprint],
    new: Listing,
    new_fingerprints: Mapping[int, Fingerprint],
) -> Moves:
    """Sizes as upstream gave them. A message without a fingerprint was never learned, or is gone again: unmatched."""
    before, after = _rows(old, old_fingerprints), _rows(new, new_fingerprints)
    last = max(old.dates, default=-1)
    uids: dict[int, int] = {}
    olds, news = dict(before), dict(after)
    for evidence in _EVIDENCE:
        groups = _grouped(olds, evidence)
        for old_uid, new_uid in _pairs(groups, _grouped(news, evidence) if groups else {}, news, last):
            uids[old_uid] = new_uid
            del olds[old_uid], news[new_uid]
    return Moves(uids, frozenset(_certain(before, after, uids)))


def implausible(old: Listing, new: Listing, moves: Moves) -> str:
    """Why the owner should look at it before every client downloads everything again; "" when it is as it should be.

    What was hidden nobody knows, and what came after the last listing is simply new.
    """
    listed = [uid for uid, hidden in zip(old.uids, old.hidden, strict=True) if not hidden]
    if listed and not new.uids:
        return f"it is empty now, and {len(listed)} messages were listed before"
    lost = sum(uid not in moves.uids for uid in listed)
    if _too_many(lost, len(listed)):
        return f"{lost} of {len(listed)} messages listed before were not recognised"
    last = max(old.dates, default=-1)
    recognised = set(moves.uids.values())
    older = [uid for uid, date in zip(new.uids, new.dates, strict=True) if date <= last or last < 0]
    strange = sum(uid not in recognised for uid in older)
    if listed and _too_many(strange, len(older)):
        return f"{strange} of {len(older)} messages in it are older than the last listing, and were not in it"
    return ""


def _too_many(unmatched: int, of: int) -> bool:
    return unmatched > TOLERATED and unmatched * TOLERATED_PART > of


def _stable_id(_size: int, _date: int, known: Fingerprint | None) -> Hashable:
    # Two servers may number their messages alike: the header must agree too.
    return (known.stable_id, known.header) if known and known.stable_id else None


def _message_id(size: int, date: int, known: Fingerprint | None) -> Hashable:
    return (size, date, known.message_id) if known and known.message_id and date >= 0 else None


def _header_as_received(size: int, date: int, known: Fingerprint | None) -> Hashable:
    return (size, date, known.header) if known and date >= 0 else None


def _header_and_size(size: int, _date: int, known: Fingerprint | None) -> Hashable:
    """INTERNALDATE is lost when mail is copied carelessly."""
    return (size, known.header) if known and known.header else None


def _header(_size: int, _date: int, known: Fingerprint | None) -> Hashable:
    """Servers count sizes in different ways."""
    return known.header if known and known.header else None


# Size and date alone prove nothing: two newsletters of one minute may share them, and one would pass for the other.
_EVIDENCE: tuple[_Evidence, ...] = (_stable_id, _message_id, _header_as_received, _header_and_size, _header)


def _rows(listing: Listing, fingerprints: Mapping[int, Fingerprint]) -> dict[int, _Row]:
    columns = zip(listing.uids, listing.sizes, listing.dates, strict=True)
    return {uid: (size, date, fingerprints.get(uid)) for uid, size, date in columns}


def _grouped(rows: Mapping[int, _Row], evidence: _Evidence) -> Mapping[Hashable, list[int]]:
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for uid, row in rows.items():
        key = evidence(*row)
        if key is not None:
            groups[key].append(uid)
    return groups


def _pairs(
    olds: Mapping[Hashable, list[int]], news: Mapping[Hashable, list[int]], rows: Mapping[int, _Row], last: int
) -> Iterator[tuple[int, int]]:
    for key, group in olds.items():
        candidates = news.get(key, [])
        if len(candidates) > len(group):
            candidates = [uid for uid in candidates if rows[uid][1] <= last]
        if len(candidates) == len(group):
            yield from zip(group, candidates, strict=True)


def _certain(before: Mapping[int, _Row], after: Mapping[int, _Row], uids: Mapping[int, int]) -> Iterable[int]:
    """Old UIDs of which nothing else can be meant: whatever was promised to be deleted may follow them (S17)."""
    ids = _only_once(before, after, lambda known: known.stable_id)
    headers = _only_once(before, after, lambda known: known.header)
    # Of these sizes there are messages whose headers nobody knows; one of them could be a double.
    blurred = {size for rows in (before, after) for size, _, known in rows.values() if known is None}
    for old_uid, new_uid in uids.items():
        (old_size, _, old), (new_size, _, new) = before[old_uid], after[new_uid]
        if old is None or new is None or old.header != new.header or {old_size, new_size} & blurred:
            continue
        same_id = old.stable_id == new.stable_id and old.stable_id in ids
        if same_id or (old_size == new_size and old.header in headers):
            yield old_uid


def _only_once(
    before: Mapping[int, _Row], after: Mapping[int, _Row], part: Callable[[Fingerprint], str | bytes]
) -> set[str | bytes]:
    """What stands in one message of each side, and is not empty."""
    counts = [Counter(part(known) for _, _, known in rows.values() if known) for rows in (before, after)]
    return {each for each, count in counts[0].items() if each and count == 1 == counts[1][each]}
