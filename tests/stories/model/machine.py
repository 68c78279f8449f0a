"""The rules of the model test: what IMAP users, POP3 sessions and the power supply do, in any order.

After every step the mailbox is looked at over IMAP, and in every other example by a POP3 login too.
"""

import sys
from collections import Counter
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.stories.model.imap_user import ELSEWHERE
from tests.stories.model.stage import Stage, Visit, stage
from tests.stories.model.truth import DELETED, HIDDEN, Broken, Copy, Fate
from tests.stories.model.world import ASK, POLICIES, World
from tests.stories.pop3 import Gone

MOST_MESSAGES = 9  # S4: up to 10 without a match are no reason to refuse a login
CROWD = 24
"""So many that half of them are too many to be missed."""
TOLERATED = 10
MOST_SESSIONS = 3
PICK = st.integers(0, 7)
FLAGS = st.sampled_from([r"\Seen", r"\Flagged", DELETED, "Later"])
ORDERS = st.sampled_from([1, 1, 1, -1])
SETS = st.frozensets(FLAGS, max_size=2)
MARKS = st.frozensets(PICK, min_size=1, max_size=3)
SOON = st.integers(0, 60)
"""In tenths of a millisecond: a QUIT takes this long about."""


class ImapRules(RuleBasedStateMachine):
    """Everything but POP3."""

    world: ClassVar[World]
    told: ClassVar[Counter[str]]
    stage: Stage
    eager: bool
    kills_left: int
    replacements_left: int

    # What a rule draws never depends on what happened before, since that depends on the clock too. So none of them has
    # a precondition: one that finds nothing to work on makes it first.

    def _some(self, pick: int, *, settled: bool = True) -> Copy:
        copies = [c for c in self.stage.truth.copies.values() if c.fate is Fate.STAYS or not settled]
        if not copies:
            return self.stage.post(self.stage.new_letter(size=0, date=0, with_id=True), frozenset())
        return copies[pick % len(copies)]

    def _has_room(self) -> bool:
        return len(self.stage.truth.copies) < MOST_MESSAGES

    @rule(size=st.integers(0, 1), date=st.integers(0, 2), with_id=st.booleans(), flags=SETS)
    def mail_comes(self, size: int, date: int, with_id: bool, flags: frozenset[str]) -> None:
        if self._has_room():
            self.stage.post(self.stage.new_letter(size=size, date=date, with_id=with_id), flags)

    @rule(pick=PICK)
    def an_imap_user_copies_within(self, pick: int) -> None:
        copy = self._some(pick)
        if not self._has_room():
            return
        self.stage.user.copy(copy.uid, self.stage.user.work, self.stage.user.work)
        self.stage.truth.appeared(self.stage.onlooker.read(), copy.letter)

    @rule(pick=PICK, moved=st.booleans())
    def an_imap_user_files_elsewhere(self, pick: int, moved: bool) -> None:
        copy = self._some(pick)
        (self.stage.user.move if moved else self.stage.user.copy)(copy.uid, self.stage.user.work, ELSEWHERE)
        if moved:
            del self.stage.truth.copies[copy.uid]

    @rule(pick=PICK, moved=st.booleans())
    def an_imap_user_takes_back(self, pick: int, moved: bool) -> None:
        there = self.stage.onlooker.read(ELSEWHERE)
        if not there or not self._has_room():
            return
        uid = list(there)[pick % len(there)]
        (self.stage.user.move if moved else self.stage.user.copy)(uid, ELSEWHERE, self.stage.user.work)
        what = self.stage.truth.letters[there[uid].octets]
        self.stage.truth.appeared(self.stage.onlooker.read(), what)

    @rule(pick=PICK, flag=FLAGS, on=st.booleans())
    def an_imap_user_flags(self, pick: int, flag: str, on: bool) -> None:
        self._flag(self._some(pick, settled=False), flag, on=on)

    @rule(pick=PICK)
    def an_imap_user_undeletes(self, pick: int) -> None:
        copy = self._some(pick, settled=False)
        self._flag(copy, HIDDEN if self.stage.policy == "hide" else DELETED, on=False)

    def _flag(self, copy: Copy, flag: str, *, on: bool) -> None:
        self.stage.user.store(copy.uid, flag, on=on)
        (copy.flags.add if on else copy.flags.discard)(flag)
        self.stage.truth.interfered(copy)

    @rule(pick=PICK)
    def an_imap_user_expunges_one(self, pick: int) -> None:
        copy = self._some(pick, settled=False)
        self.stage.user.expunge(copy.uid)
        del self.stage.truth.copies[copy.uid]

    @rule()
    def an_imap_user_expunges(self) -> None:
        flagged = [uid for uid, seen in self.stage.onlooker.read().items() if DELETED in seen.flags]
        self.stage.user.expunge_all()
        for uid in flagged:
            del self.stage.truth.copies[uid]

    @rule(left_out=st.frozensets(PICK, max_size=3), order=ORDERS, flags_too=st.booleans())
    def the_mailbox_is_replaced(self, left_out: frozenset[int], order: int, flags_too: bool) -> None:
        if not self.replacements_left:
            return
        copies = list(self.stage.truth.copies.values())
        keep = [copy for place, copy in enumerate(copies) if place not in left_out] or copies
        self.stage.replace(keep, order=order, flags_too=flags_too)
        self.replacements_left -= 1

    @rule(order=ORDERS)
    def the_mailbox_is_replaced_bit_by_bit(self, order: int) -> None:
        """Where the owner wants to be asked, nobody is shown it empty or by half, and all is well when it is whole."""
        if not self.replacements_left or self.stage.way != ASK:
            return
        visit = self.stage.enter(retrieve_all=False)
        listed = len(visit.copies)
        self.stage.leave(visit)
        if not listed:
            return
        copies = list(self.stage.truth.copies.values())
        half = listed // 2 if listed - listed // 2 > TOLERATED else 0
        self.stage.replace(copies, order=order, flags_too=True, refused_until=half)
        self.stage.leave(self.stage.enter(retrieve_all=False))
        self.replacements_left -= 1

    # Looking.

    @invariant()
    def nothing_is_lost(self) -> None:
        self.stage.look()
        self.told["steps"] += 1

    @invariant()
    def every_login_shows_what_it_should(self) -> None:
        if self.eager and self.stage.exists:
            self.stage.leave(self.stage.enter(retrieve_all=False))

    def last_acts(self) -> None:
        """What an example was to see and chance has left out."""

    def teardown(self) -> None:
        if not hasattr(self, "stage"):
            return
        try:
            if sys.exc_info()[0] is None:  # a failure on its way is the one to be shown
                self.last_acts()
                self.stage.leave(self.stage.enter(retrieve_all=True))
        finally:
            self.told.update(self.stage.told)
            self.stage.close()


class ModelTest(ImapRules):
    """POP3 sessions, and SIGKILL."""

    def last_acts(self) -> None:
        if self.kills_left:
            self.the_bridge_is_killed_in_a_quit(pick=self.world.examples, soon=self.world.examples % 60)
            self.stage.leave(self.stage.enter(retrieve_all=False))
        order = 1 if self.world.examples % 3 else -1
        if self.replacements_left and self.stage.way == ASK:
            self.the_mailbox_is_replaced_bit_by_bit(order=order)
        elif self.replacements_left:
            self.the_mailbox_is_replaced(left_out=frozenset({1}), order=order, flags_too=True)

    @initialize(
        policy=st.sampled_from(list(POLICIES)),
        eager=st.integers(0, 2),
        mortal=st.integers(0, 13),
        replaced=st.integers(0, 2),
        asks=st.booleans(),
        crowd=st.integers(0, 7),
        letters=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2), SETS), max_size=4),
    )
    def begin(
        self,
        policy: str,
        eager: int,
        mortal: int,
        replaced: int,
        asks: bool,
        crowd: int,
        letters: list[tuple[int, int, frozenset[str]]],
    ) -> None:
        self.stage = stage(self.world, policy, ASK if asks else "")
        self.eager, self.kills_left = eager == 0, mortal == 0
        self.replacements_left = replaced if self.world.can_replace else 0
        self.told["examples"] += 1
        if asks and self.replacements_left and crowd == 0:
            for n in range(CROWD):
                self.stage.post(self.stage.new_letter(size=0, date=0, with_id=bool(n % 2)), frozenset())
            self.stage.leave(self.stage.enter(retrieve_all=False))
        for size, date, flags in letters:
            self.stage.post(self.stage.new_letter(size=size, date=date, with_id=date != 1), flags)

    def _visit(self, pick: int) -> Visit:
        visits = self.stage.visits
        return visits[pick % len(visits)] if visits else self.stage.enter(retrieve_all=False)

    def _with_marks(self, pick: int) -> Visit:
        visits = [visit for visit in self.stage.visits if visit.marks]
        if visits:
            return visits[pick % len(visits)]
        visit = self._visit(pick)
        self._mark(visit, frozenset({pick}))
        return visit

    @rule(retrieve_all=st.booleans(), numbers=MARKS)
    def a_session_begins(self, retrieve_all: bool, numbers: frozenset[int]) -> None:
        if len(self.stage.visits) < MOST_SESSIONS:
            self._mark(self.stage.enter(retrieve_all=retrieve_all), numbers)

    @rule(pick=PICK, number=PICK)
    def it_retrieves(self, pick: int, number: int) -> None:
        visit = self._visit(pick)
        number = number % max(1, len(visit.copies)) + 1
        there = number <= len(visit.copies) and number not in visit.marks
        line = visit.client.ask(f"RETR {number}")
        if line.startswith(b"+OK"):
            body = visit.client.body()
            if not there or body != visit.copies[number - 1].letter.octets:
                raise Broken(f"RETR {number} gave {body!r} of {visit}")
        elif there and self._present(visit.copies[number - 1]):
            raise Broken(f"RETR {number} is answered {line!r}, and {visit.copies[number - 1]} is there")
        elif there and visit.replaced:
            self.stage.gone(visit)  # the bridge hangs up, too

    def _present(self, copy: Copy) -> bool:
        return self.stage.truth.copies.get(copy.uid) is copy and copy.fate is Fate.STAYS

    @rule(pick=PICK, numbers=MARKS)
    def it_marks(self, pick: int, numbers: frozenset[int]) -> None:
        self._mark(self._visit(pick), numbers)

    def _mark(self, visit: Visit, numbers: frozenset[int]) -> None:
        for number in {n % len(visit.copies) + 1 for n in numbers} if visit.copies else set[int]():
            line = visit.client.ask(f"DELE {number}")
            assert line.startswith(b"+OK") is (number not in visit.marks), line
            visit.marks.add(number)

    @rule(pick=PICK)
    def it_takes_its_marks_back(self, pick: int) -> None:
        visit = self._with_marks(pick)
        visit.client.do("RSET")
        visit.marks.clear()

    @rule(pick=PICK)
    def its_numbers_stay(self, pick: int) -> None:
        visit = self._visit(pick)
        expected = {n: c.uidl for n, c in enumerate(visit.copies, 1) if n not in visit.marks}
        assert visit.client.uidls() == expected
        assert list(visit.client.sizes()) == list(expected)

    @rule(pick=PICK)
    def it_quits(self, pick: int) -> None:
        self._quit(self._visit(pick))

    @rule(pick=PICK)
    def it_quits_with_marks(self, pick: int) -> None:
        self._quit(self._with_marks(pick))

    @rule(numbers=MARKS)
    def a_short_session_deletes(self, numbers: frozenset[int]) -> None:
        visit = self.stage.enter(retrieve_all=False)
        self._mark(visit, numbers)
        self._quit(visit)

    def _quit(self, visit: Visit) -> None:
        visit.client.send(b"QUIT\r\n")
        self._answered(visit)
        self.stage.until_done()

    def _answered(self, visit: Visit) -> None:
        """The answer to a QUIT that was sent."""
        try:
            line = visit.client.line()
        except Gone:
            line = b""
        ok = line.startswith(b"+OK")
        if not ok and not visit.replaced:
            raise Broken(f"QUIT is answered {line!r}, and upstream is well")
        self.told["QUITs with marks"] += bool(visit.marks)
        self.stage.gone(visit)
        self.stage.truth.quit_begun(visit.marked(), promised=ok, replaced=visit.replaced)
        if ok and not visit.replaced and not visit.marks:
            self.stage.quitted(visit)

    @rule(numbers=MARKS)
    def all_quit_at_once(self, numbers: frozenset[int]) -> None:
        while len(self.stage.visits) < 2:
            self._mark(self.stage.enter(retrieve_all=False), numbers)
        visits = list(self.stage.visits)
        for visit in visits:
            visit.client.send(b"QUIT\r\n")
        for visit in visits:
            # While one is read the other's deletions may be done: nothing is looked at in between.
            self._answered(visit)
        self.stage.until_done()

    @rule(pick=PICK, reset=st.booleans())
    def it_is_dropped(self, pick: int, reset: bool) -> None:
        visit = self._visit(pick)
        if reset:
            visit.client.reset()
        self.stage.gone(visit)
        self.told["drops"] += 1

    @rule(pick=PICK, reset=st.booleans(), soon=SOON)
    def it_is_dropped_in_its_quit(self, pick: int, reset: bool, soon: int) -> None:
        visit = self._with_marks(pick)
        visit.client.send(b"QUIT\r\n")
        visit.client.pending(soon / 10_000)
        self.stage.truth.quit_begun(visit.marked(), promised=False, replaced=visit.replaced)
        if reset:
            visit.client.reset()
        self.stage.gone(visit)
        self.stage.settle()
        self.told["drops in QUIT"] += 1

    @rule()
    def the_bridge_is_killed(self) -> None:
        if not self.kills_left:
            return
        self.kills_left -= 1
        self.stage.kill()
        self.told["kills"] += 1

    @rule(pick=PICK, soon=SOON)
    def the_bridge_is_killed_in_a_quit(self, pick: int, soon: int) -> None:
        visit = self._with_marks(pick)
        if not self.kills_left:
            return
        self.kills_left -= 1
        visit.client.send(b"QUIT\r\n")
        visit.client.pending(soon / 10_000)
        self.world.kill()
        try:
            ok = visit.client.line().startswith(b"+OK")
        except Gone:
            ok = False
        self.stage.truth.quit_begun(visit.marked(), promised=ok, replaced=visit.replaced)
        self.stage.kill()
        self.told["kills in QUIT"] += 1
