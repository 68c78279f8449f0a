"""Several mailboxes are one list that only ever grows at its end, checked against a list that is simply appended to."""

from array import array
from collections.abc import Iterable, Sequence

from attrs import define, evolve, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Viewing
from bridge.maildrop.merge import COPY, Part, merge
from bridge.maildrop.view import PLAIN, View, rank, select
from bridge.names import UidValidity

Message = tuple[str, int]
NOW = 1000.0


@define
class Mailbox:
    """What is there, by UID: when it arrived, and whether somebody has set \\Deleted on it."""

    name: str
    dates: dict[int, int] = field(factory=dict)
    flagged: set[int] = field(factory=set)
    uidnext: int = 1
    viewing: Viewing | None = None

    def arrives(self, date: int) -> int:
        uid, self.uidnext = self.uidnext, self.uidnext + 1
        self.dates[uid] = date
        return uid

    def listing(self) -> Listing:
        rows = sorted(self.dates)
        listing = Listing(UidValidity(1), uidnext=self.uidnext)
        listing.add(
            rows, [1] * len(rows), [self.dates[uid] for uid in rows], bytes(uid in self.flagged for uid in rows)
        )
        return listing

    def visible(self) -> list[int]:
        return sorted(set(self.dates) - self.flagged)


@define
class Login:
    """One viewer's, from session to session, with what is stored for it."""

    view: View = PLAIN
    used: int = 0

    def sees(self, *mailboxes: Mailbox, copies: Iterable[Message] = ()) -> list[Message]:
        """Of several; what is to be stored is."""
        hidden = set(copies)
        parts = [self._part(mailbox) for mailbox in mailboxes]
        merged = merge(parts, self.used, lambda source, uid: (mailboxes[source].name, uid) in hidden)
        for mailbox, part, placed in zip(mailboxes, parts, merged.parts, strict=True):
            assert len(placed.numbers) == len(placed.ranks)
            assert [number for number in placed.numbers if number] == sorted(set(placed.numbers) - {COPY})
            if placed.changed:
                floor = part.ranked.floor
                mailbox.viewing = Viewing(incarnation=1, ranks=placed.ranks, numbers=placed.numbers, floor=floor)
            self.used = max([self.used, *placed.numbers])
        return [
            (mailboxes[source].name, merged.parts[source].uids[number - 1])
            for source, number in zip(merged.order.sources, merged.order.numbers, strict=True)
        ]

    def _part(self, mailbox: Mailbox) -> Part:
        ranked = rank(mailbox.listing(), self.view, mailbox.viewing, now=NOW)
        return Part(ranked, array("q", [mailbox.dates[uid] for uid in ranked.new]))

    def sees_alone(self, mailbox: Mailbox) -> list[Message]:
        selection = select(mailbox.listing(), self.view, mailbox.viewing, now=NOW)
        if selection.ranks is not None:
            mailbox.viewing = Viewing(
                incarnation=1, ranks=selection.ranks, numbers=selection.numbers, floor=selection.floor
            )
        elif mailbox.viewing is None:
            mailbox.viewing = Viewing(incarnation=1)
        return [(mailbox.name, uid) for uid in selection.uids]


def mailbox(name: str, *dates: int) -> Mailbox:
    made = Mailbox(name)
    for date in dates:
        made.arrives(date)
    return made


def test_the_first_listing_is_in_the_order_of_arrival_then_of_the_sources_then_of_uids() -> None:
    assert Login().sees(mailbox("b", 5, 1, 5), mailbox("a", 5, 3)) == [
        ("b", 2),
        ("a", 2),
        ("b", 1),
        ("b", 3),
        ("a", 1),
    ]


def test_new_mail_comes_last_wherever_it_came_to() -> None:
    a, b, login = mailbox("a", 1, 3), mailbox("b", 2), Login()
    before = login.sees(a, b)
    b.arrives(0)
    a.arrives(9)
    b.arrives(8)

    assert login.sees(a, b) == [*before, ("b", 2), ("b", 3), ("a", 3)]


def test_who_stood_alone_before_keeps_its_messages_first_and_in_their_order() -> None:
    a, b, login = mailbox("a", 9, 5, 7), mailbox("b", 1, 2), Login()
    before = login.sees_alone(a)
    a.arrives(0)

    assert before == [("a", 1), ("a", 2), ("a", 3)]
    assert login.sees(b, a) == [*before, ("a", 4), ("b", 1), ("b", 2)]


def test_with_a_view_who_stood_alone_before_keeps_them_first_too() -> None:
    a, b, login = mailbox("a", 9, 5, 7), mailbox("b", 1, 2), Login(View(newest=2))
    before = login.sees_alone(a)
    a.arrives(1)

    assert before == [("a", 2), ("a", 3)]
    assert login.sees(a, b) == [*before, ("a", 4), ("b", 1), ("b", 2)]


def test_an_added_mailbox_comes_last_and_a_removed_one_comes_back_to_its_places() -> None:
    a, b, c, login = mailbox("a", 1, 3), mailbox("b", 2, 4), mailbox("c", 0), Login()
    before = login.sees(a, b)

    assert login.sees(a, b, c) == [*before, ("c", 1)]
    a.arrives(5)
    assert login.sees(a, c) == [("a", 1), ("a", 2), ("c", 1), ("a", 3)]
    assert login.sees_alone(a) == [("a", 1), ("a", 2), ("a", 3)]
    a.arrives(5)
    assert login.sees_alone(a) == [("a", 1), ("a", 2), ("a", 3), ("a", 4)]
    assert login.sees(c, a, b) == [*before, ("c", 1), ("a", 3), ("a", 4)]


def test_what_comes_into_sight_later_comes_last_and_what_was_listed_before_comes_back_to_its_place() -> None:
    a, b, login = mailbox("a", 1, 3), mailbox("b", 2), Login()
    a.flagged = {1}
    assert login.sees(a, b) == [("b", 1), ("a", 2)]
    a.flagged, b.flagged = set(), {1}

    assert login.sees(a, b) == [("a", 2), ("a", 1)]
    b.flagged = set()
    assert login.sees(a, b) == [("b", 1), ("a", 2), ("a", 1)]


def test_what_was_listed_without_the_other_source_stays_before_what_that_one_has_new() -> None:
    a, c, login = mailbox("a"), mailbox("c", 0), Login()
    login.sees_alone(a)
    assert login.sees(a, c) == [("c", 1)]
    a.arrives(0)
    c.arrives(0)
    assert login.sees_alone(c) == [("c", 1), ("c", 2)]
    assert login.sees(a, c) == [("c", 1), ("c", 2), ("a", 1)]


def test_nothing_is_stored_where_nothing_is_new() -> None:
    a, b, login = mailbox("a", 1, 3), mailbox("b", 2), Login()
    login.sees(a, b)
    parts = [Part(rank(each.listing(), PLAIN, each.viewing, now=NOW), array("q")) for each in (a, b)]

    assert not any(part.changed for part in merge(parts, login.used).parts)
    assert merge([Part(rank(mailbox("c", 1).listing(), PLAIN, None, now=NOW), array("q", [1]))], 3).parts[0].changed


def test_a_copy_is_never_seen_though_the_other_is_deleted_and_its_source_removed() -> None:
    a, b, login = mailbox("a", 1, 3), mailbox("b", 2, 4), Login()
    assert login.sees(a, b, copies=[("b", 1)]) == [("a", 1), ("a", 2), ("b", 2)]
    b.arrives(0)
    assert login.sees(a, b) == [("a", 1), ("a", 2), ("b", 2), ("b", 3)]
    a.dates.clear()
    assert login.sees(a, b) == [("b", 2), ("b", 3)]
    assert login.sees_alone(b) == [("b", 2), ("b", 3)]


def test_mailboxes_without_messages_are_an_empty_list() -> None:
    assert Login().sees(mailbox("a"), mailbox("b")) == []


def test_after_a_renumbering_ranks_keep_their_places() -> None:
    """The store carries ranks and numbers over together (S4)."""
    a, b, login = mailbox("a", 1, 3, 5), mailbox("b", 2, 4), Login()
    before = login.sees(a, b)
    assert a.viewing is not None
    names = {1: 13, 2: 12, 3: 11}
    a.dates, a.uidnext = {names[uid]: date for uid, date in a.dates.items()}, 20
    a.viewing = evolve(a.viewing, ranks=array("I", [names[uid] for uid in a.viewing.ranks]))

    assert login.sees(a, b) == [(name, names[uid] if name == "a" else uid) for name, uid in before]


class AppendOnly(RuleBasedStateMachine):
    """`history`: every message in the order in which it was first listed; the maildrop is what is left of it.

    `alone`: of a source that was one of several, what was listed since without the others: its place among theirs comes
    when it is one of several again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mailboxes = [Mailbox(name) for name in "abc"]
        self.login = Login()
        self.history: list[Message] = []
        self.alone: dict[str, list[Message]] = {mailbox.name: [] for mailbox in self.mailboxes}
        self.by_uid: set[str] = set()
        """Sources that were shown alone, and have no ranks."""

    @rule(which=st.integers(0, 2), dates=st.lists(st.integers(-1, 5), max_size=3))
    def mail_arrives(self, which: int, dates: list[int]) -> None:
        for date in dates:
            self.mailboxes[which].arrives(date)

    @rule(which=st.integers(0, 2), data=st.data())
    def somebody_deletes_or_flags(self, which: int, data: st.DataObject) -> None:
        chosen = self.mailboxes[which]
        if chosen.dates:
            uid = data.draw(st.sampled_from(sorted(chosen.dates)))
            if data.draw(st.booleans()):
                del chosen.dates[uid]
            else:
                chosen.flagged ^= {uid}

    @rule(order=st.permutations(range(3)), count=st.integers(1, 3))
    def a_session(self, order: Sequence[int], count: int) -> None:
        chosen = [self.mailboxes[which] for which in order[:count]]
        visible = {(each.name, uid): each.dates[uid] for each in chosen for uid in each.visible()}
        if count == 1:
            self._alone(chosen[0], visible)
        else:
            self._together(chosen, visible)

    def _alone(self, one: Mailbox, visible: dict[Message, int]) -> None:
        shown = self.login.sees_alone(one)
        if any(name == one.name for name, _ in self.history):
            alone = self.alone[one.name]
            alone += sorted(set(visible) - {*self.history, *alone})
            assert shown == [message for message in self.history + alone if message in visible]
        else:
            self.by_uid.add(one.name)
            assert shown == sorted(visible)

    def _together(self, chosen: list[Mailbox], visible: dict[Message, int]) -> None:
        for each in chosen:
            self.history += self.alone[each.name]
            self.alone[each.name] = []
        for each in chosen:
            if each.name in self.by_uid:
                self.history += sorted(message for message in visible if message[0] == each.name)
        self.by_uid -= {name for name, _ in self.history}
        place = {each.name: place for place, each in enumerate(chosen)}
        new = set(visible) - set(self.history)
        self.history += sorted(new, key=lambda message: (visible[message], place[message[0]], message[1]))
        assert self.login.sees(*chosen) == [message for message in self.history if message in visible]


AppendOnly.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAppendOnly = AppendOnly.TestCase
