"""What must be so at each moment, known from what was done: the few lines that the bridge is compared with.

It is told what IMAP users and POP3 sessions did, and judges what a look over IMAP and a login over POP3 show. The
first thing that cannot be is a `Broken`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, auto
from itertools import combinations, pairwise

from attrs import define, field, frozen

from tests.stories.model.letters import Letter

DELETED = r"\Deleted"
HIDDEN = "$POP3Deleted"


class Broken(AssertionError):
    """A promise was not kept."""


class Fate(Enum):
    STAYS = auto()
    """No session may touch it."""
    MAYBE = auto()
    """A session sent QUIT, and nobody saw what came of it."""
    PROMISED = auto()
    """A session got +OK to its QUIT: it has to go, by and by."""


@define(eq=False)
class Copy:
    """One message in the mailbox, as one incarnation numbers it.

    `flags`: those that IMAP users set, and what a session is known to have added. `kept`: no longer shown to this
    login; `may_be_kept`: nobody knows. `uidl` since it was listed; `due`: the one it must have when it is listed next;
    `may_inherit`: those of copies of this letter before the mailbox was replaced.
    """

    uid: int
    letter: Letter
    flags: set[str] = field(factory=set)
    fate: Fate = Fate.STAYS
    kept: bool = False
    may_be_kept: bool = False
    uidl: str | None = None
    due: str | None = None
    may_inherit: frozenset[str] = frozenset()
    learned: bool = False
    left_out: bool = False
    """A login did not show it: its place among the others was taken then (S8)."""


@frozen
class Row:
    """One line of a POP3 listing; `octets` where it was retrieved."""

    uidl: str
    size: int
    octets: bytes | None = field(default=None, repr=False)


@frozen
class Seen:
    """One message as an IMAP user sees it."""

    octets: bytes = field(repr=False)
    flags: frozenset[str]


@define
class Truth:
    """One mailbox and one login. `removes`: a deletion takes the message out of the mailbox; else it adds `mark`."""

    policy: str
    removes: bool
    mark: frozenset[str]
    letters: dict[bytes, Letter] = field(factory=dict, repr=False)
    copies: dict[int, Copy] = field(factory=dict)
    owed_to_trash: Counter[str] = field(factory=Counter)
    may_be_in_trash: set[str] = field(factory=set)
    owner: dict[str, str] = field(factory=dict)
    """The letter of every UIDL that was ever seen."""
    holder: dict[str, Copy] = field(factory=dict)
    """The copy of every UIDL seen in this incarnation."""
    before: set[tuple[str, str]] = field(factory=set)
    """Pairs of UIDLs: the first was listed before the second."""
    remembered: list[Copy] = field(factory=list)
    """What was there at the last login."""
    shuffled: bool = False
    """UIDs need not rise with the numbers any more."""

    # What was done.

    def appeared(self, work: Mapping[int, Seen], what: Letter, flags: Iterable[str] | None = None) -> Copy:
        """An IMAP user added this letter; flags None: whatever the server gave it."""
        self.letters[what.octets] = what
        new = [uid for uid in work if uid not in self.copies]
        if len(new) != 1 or work[new[0]].octets != what.octets:
            raise Broken(f"one message was added, {what}, and {new} came")
        [uid] = new
        copy = Copy(uid, what, set(work[uid].flags if flags is None else flags))
        self.copies[uid] = copy
        return copy

    def quit_begun(self, marked: Iterable[Copy], *, promised: bool, replaced: bool) -> None:
        """QUIT was sent with these marks; `promised`: its answer was +OK. `replaced`: since they were listed."""
        for copy in marked:
            for one in self._heirs(copy) if replaced else [copy]:
                if self.copies.get(one.uid) is not one:
                    continue
                self.may_be_in_trash.add(one.letter.key)
                if replaced:
                    one.may_be_kept = True
                    one.fate = Fate.MAYBE
                elif not promised:
                    if one.fate is Fate.STAYS:
                        one.fate = Fate.MAYBE
                elif self.policy == "keep":
                    one.kept, one.may_be_kept, one.fate = True, False, Fate.STAYS
                else:
                    one.fate = Fate.PROMISED

    def _heirs(self, copy: Copy) -> list[Copy]:
        return [one for one in self.copies.values() if one.letter.key == copy.letter.key]

    def interfered(self, copy: Copy) -> None:
        """An IMAP user changed its flags while a deletion waited: it counts as undone, or it does not (S17)."""
        if copy.fate is Fate.PROMISED:
            copy.fate = Fate.MAYBE

    def replaced(self, kept_in_order: Sequence[tuple[Copy, Copy]]) -> None:
        """The mailbox is another one now: which copy of the one before came back as which, in the new order."""
        old_letters = Counter(copy.letter.key for copy in self.remembered)
        new_letters = Counter(new.letter.key for _, new in kept_in_order)
        had: dict[str, set[str]] = {key: set() for key in old_letters}
        for copy in self.remembered:  # what was hidden in between had one all the time
            had[copy.letter.key] |= {copy.uidl} if copy.uidl is not None else copy.may_inherit
        for old, new in kept_in_order:
            key = new.letter.key
            uidl = old.uidl or old.due
            sure = old_letters[key] == new_letters[key] == 1 and old.learned and uidl is not None
            new.due = uidl if sure else None
            new.may_inherit = frozenset(had.get(key, ()))
            new.kept = old.kept and sure
            # Of copies that are alike nobody can tell which one was kept.
            twins = [c for c in self.remembered if c.letter.key == key]
            doubtful = any(c.kept or c.may_be_kept for c in (old, *twins)) and not new.kept
            new.may_be_kept = doubtful or old.fate is not Fate.STAYS
            new.fate = Fate.STAYS if old.fate is Fate.STAYS else Fate.MAYBE
            new.left_out = any(one.left_out for one in (old, *twins))
        self.copies = {new.uid: new for _, new in kept_in_order}
        self.holder = {}
        self.shuffled = True

    # What a look over IMAP shows.

    def seen(self, work: Mapping[int, Seen], trash: Sequence[bytes]) -> None:
        """Judge it, and take from it what became of deletions under way."""
        for uid, copy in list(self.copies.items()):
            if uid in work:
                self._still_there(copy, work[uid])
            else:
                self._gone(copy)
        if strangers := set(work) - set(self.copies):
            raise Broken(f"UIDs {strangers} appeared by themselves")
        self._seen_trash(trash)

    def _gone(self, copy: Copy) -> None:
        if copy.fate is Fate.STAYS:
            raise Broken(f"nobody deleted {copy}, and it is gone")
        if not self.removes:
            raise Broken(f'delete = "{self.policy}" removes nothing, and {copy} is gone')
        self._left(copy)
        del self.copies[copy.uid]

    def _still_there(self, copy: Copy, now: Seen) -> None:
        if now.octets != copy.letter.octets:
            raise Broken(f"{copy} has another text now")
        if lost := copy.flags - now.flags:
            raise Broken(f"{copy} lost {lost}")
        added = now.flags - copy.flags
        if copy.fate is Fate.STAYS:
            if added:
                raise Broken(f"{copy} got {set(added)} from nobody")
        elif added - self.mark:
            raise Broken(f"{copy} got {set(added)}, and a deletion gives {set(self.mark)}")
        elif not self.removes and self.mark and self.mark <= now.flags:
            copy.flags |= self.mark
            if copy.fate is Fate.PROMISED or added:
                copy.fate = Fate.STAYS
                self._left(copy)

    def _left(self, copy: Copy) -> None:
        if self.policy == "trash":
            self.owed_to_trash[copy.letter.key] += 1

    def _seen_trash(self, trash: Sequence[bytes]) -> None:
        there = Counter(self.letters[octets].key for octets in trash)
        for key, count in self.owed_to_trash.items():
            if there[key] < count:
                raise Broken(f"letter {key} left for the trash and is not there")
        if wrong := set(there) - self.may_be_in_trash:
            raise Broken(f"letters {wrong} are in the trash, and no session that sent QUIT had marked them")

    @property
    def waiting(self) -> list[Copy]:
        """What has been promised and is not yet seen to be done."""
        return [copy for copy in self.copies.values() if copy.fate is Fate.PROMISED]

    # What a login over POP3 shows.

    def unknown(self, uidls: Iterable[str]) -> set[str]:
        """Those that say nothing yet about which message they name."""
        return {uidl for uidl in uidls if uidl not in self.holder}

    def listed(self, rows: Sequence[Row]) -> list[Copy]:
        """The copies in the order of their numbers. Rows with an unknown UIDL have octets."""
        uidls = [row.uidl for row in rows]
        if len(set(uidls)) != len(uidls):
            raise Broken(f"two messages have one UIDL in {uidls}")
        shown = self._recognised(rows)
        wanted = [copy for copy in self.copies.values() if self._visible(copy) is True]
        if missing := [copy for copy in wanted if copy not in shown]:
            raise Broken(f"the listing is short of {missing}")
        if wrong := [copy for copy in shown if self._visible(copy) is False]:
            raise Broken(f"{wrong} are listed, and should not be")
        self._judge_order(uidls, shown)
        for row, copy in zip(rows, shown, strict=True):
            self._judge_uidl(row, copy)
            if row.size != len(copy.letter.octets):
                raise Broken(f"{copy} is said to have {row.size} octets and has {len(copy.letter.octets)}")
        self._resolve(shown)
        for copy in self.copies.values():
            copy.left_out = copy.left_out or copy not in shown
        self.remembered = list(self.copies.values())
        return shown

    def _visible(self, copy: Copy) -> bool | None:
        """None: nobody knows."""
        if copy.kept or DELETED in copy.flags or (self.policy == "hide" and HIDDEN in copy.flags):
            return False
        if copy.fate is Fate.PROMISED:
            return False
        return None if copy.fate is Fate.MAYBE or copy.may_be_kept else True

    def _recognised(self, rows: Sequence[Row]) -> list[Copy]:
        shown: list[Copy | None] = []
        for row in rows:
            known = self.holder.get(row.uidl)
            if known is not None and self.copies.get(known.uid) is not known:
                raise Broken(f"{row.uidl} is listed and belonged to {known}, which is gone")
            if row.octets is not None and row.octets not in self.letters:
                raise Broken(f"what was retrieved as {row.uidl} is no letter: {row.octets!r}")
            if known is not None and row.octets is not None and row.octets != known.letter.octets:
                raise Broken(f"{row.uidl} is {known} and gave {self.letters[row.octets]}")
            shown.append(known)
        for octets in {row.octets for row, known in zip(rows, shown, strict=True) if known is None}:
            assert octets is not None
            places = [n for n, row in enumerate(rows) if shown[n] is None and row.octets == octets]
            for place, copy in zip(places, self._nameless(octets, len(places)), strict=True):
                shown[place] = copy
        return [copy for copy in shown if copy is not None]

    def _nameless(self, octets: bytes, count: int) -> list[Copy]:
        """So many copies of this letter that were never listed, those that must be before those that may."""
        found = [c for c in self.copies.values() if c.letter.octets == octets and c.uidl is None]
        if len(found) < count:
            raise Broken(f"{count} new UIDLs for {self.letters[octets]}, of which {found} are new")
        best = sorted(found, key=lambda copy: [True, None, False].index(self._visible(copy)))[:count]
        return sorted(best, key=lambda copy: copy.uid)

    def _judge_uidl(self, row: Row, copy: Copy) -> None:
        used = row.uidl in self.owner
        owner = self.owner.setdefault(row.uidl, copy.letter.key)
        if owner != copy.letter.key:
            raise Broken(f"{row.uidl} named {owner}, and names {copy} now")
        if copy.uidl is None:
            if copy.due is not None and row.uidl != copy.due:
                raise Broken(f"{copy} has got {row.uidl} for {copy.due}: it would be downloaded again")
            if used and row.uidl not in copy.may_inherit:
                raise Broken(f"{row.uidl} was used before, and names {copy} now")
            copy.uidl = row.uidl
            self.holder[row.uidl] = copy
        elif copy.uidl != row.uidl:
            raise Broken(f"{copy} is {row.uidl} now")

    def _judge_order(self, uidls: Sequence[str], shown: Sequence[Copy]) -> None:
        for pair in combinations(uidls, 2):
            if pair[::-1] in self.before:
                raise Broken(f"{pair[1]} was listed before {pair[0]}, and is not now: {uidls}")
        for one, next_one in pairwise(shown):
            if one.uid > next_one.uid and not self.shuffled:
                raise Broken(f"{next_one} is listed behind {one}")
        new = [u not in self.owner and not self._was_left_out(c) for u, c in zip(uidls, shown, strict=True)]
        old = [u in self.owner for u in uidls]
        if True in new and True in old[new.index(True) :]:
            raise Broken(f"{shown[new.index(True)]} is new, and is not behind all that were listed before: {uidls}")
        self.before |= set(combinations(uidls, 2))

    def _was_left_out(self, copy: Copy) -> bool:
        return any(one.left_out for one in self._heirs(copy))

    def _resolve(self, shown: Sequence[Copy]) -> None:
        """A login carries out what waits before it lists (S17): what it lists stays, what it does not has to go."""
        for copy in self.copies.values():
            if self._visible(copy) is None:
                if copy in shown:
                    copy.fate, copy.may_be_kept = Fate.STAYS, False
                elif copy.may_be_kept or self.policy == "keep":
                    copy.kept, copy.may_be_kept = True, False
                else:
                    copy.fate = Fate.PROMISED

    def logged_in(self) -> None:
        """A login, and a look over IMAP behind it: nothing is under way any more but what was promised."""
        for copy in self.copies.values():
            if copy.fate is Fate.MAYBE:
                copy.fate = Fate.STAYS
