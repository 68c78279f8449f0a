"""UIDLs and remembered listings from login to login, through whatever happens to a mailbox between them."""

import string
from collections.abc import Sequence
from typing import TypeVar

import pytest
from attrs import define, evolve
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bridge.maildrop import advance
from bridge.maildrop.exceptions import exceptions
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Fingerprint, Issued, Memory, Moves, News
from bridge.maildrop.naming import listing_of
from bridge.maildrop.rematch import rematch
from bridge.maildrop.uidl import LONGEST, UidlFormat, hashed, parse_format
from bridge.names import AccountName, SourceKey, UidValidity
from bridge.state.memory import MemoryStore
from bridge.state.store import UidlTaken

BRIDGE = parse_format("bridge")
BY_UID = parse_format("cyrus-uid")
EMAILID = parse_format("emailid")
UPSTREAM_OWN = parse_format("upstream")


def listing(*uids: int, uidvalidity: int = 1, uidnext: int = 0, mailbox_id: str = "", hidden: bytes = b"") -> Listing:
    """Message n has n hundred octets and was received at n."""
    rows = Listing(UidValidity(uidvalidity), uidnext=uidnext, mailbox_id=mailbox_id)
    rows.add(uids, [100 * uid for uid in uids], list(uids), hidden or bytes(len(uids)))
    return rows


def remembered(rows: Listing, form: UidlFormat = BRIDGE) -> Memory:
    return advance.first("p", rows, form)[0]


def uidls(memory: Memory) -> list[str]:
    return list(memory.uidls().uidls(memory.listing.uids))


# The first time.


def test_the_first_listing_needs_no_stored_uidls() -> None:
    memory, news = advance.first("p", listing(3, 5), BRIDGE)

    assert (memory.place, memory.incarnation, memory.highest, memory.version) == ("p", 1, 5, 0)
    assert news == News(computed=["00000001-00000003", "00000001-00000005"])
    assert uidls(memory) == list(news.computed)


def test_ids_of_the_server_are_all_stored() -> None:
    memory, news = advance.first("p", listing(3, 5), EMAILID, {3: "M3", 5: "M3"})

    assert news.given == {3: "M3", 5: "M3-1"}
    assert uidls(memory) == ["M3", "M3-1"]


def test_an_empty_mailbox_is_remembered_as_empty() -> None:
    assert remembered(listing()).highest == 0


def test_the_names_of_a_pop3_upstream_are_its_uidls_and_a_name_is_a_message() -> None:
    """S3. A size that is another now is a better guess of the server's, and no other mailbox."""
    known = listing_of(["b", "a b"], [100, 200], None)
    memory, news = advance.first("p", known, UPSTREAM_OWN, dict(zip(known.uids, known.names, strict=True)))
    assert news.given == {1: "b", 2: hashed("a b")}

    now = listing_of(["new", "b"], [50, 111], known)
    assert advance.replaced(memory, "p", now) == ""
    assert advance.doubtful(memory, listing_of([], [], known)) == "", "others may have fetched and deleted all of it"
    after, news = advance.grown(memory, now, UPSTREAM_OWN, {3: "new"})
    assert (uidls(after), list(after.listing.sizes)) == (["b", "new"], [111, 50])
    assert (news.given, news.gone) == ({3: "new"}, [2])


# Does it go on?


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        (listing(1, 2), listing(1, 2), ""),
        (listing(1, 2, uidnext=3), listing(1, 2, 3, uidnext=4), ""),
        (listing(1, 2, uidnext=3), listing(2, 3), ""),
        (listing(1, 2), listing(), ""),
        (listing(), listing(1, uidnext=2), ""),
        (listing(1, 2), listing(1, 2, hidden=b"\0\1"), ""),
        (listing(1), listing(1, uidvalidity=2), "UIDVALIDITY changed from 1 to 2"),
        (listing(1, mailbox_id="a"), listing(1, mailbox_id="b"), "MAILBOXID changed"),
        (listing(1, mailbox_id="a"), listing(1), ""),
        (listing(1), listing(1, mailbox_id="b"), ""),
        (listing(1, 2, uidnext=3), listing(uidnext=2), "UIDNEXT fell to 2, though a message with UID 2 was listed"),
        (listing(1, 2, uidnext=9), listing(1, 2, uidnext=3), ""),
    ],
)
def test_a_mailbox_goes_on_unless_upstream_shows_that_it_is_another(before: Listing, now: Listing, why: str) -> None:
    assert advance.replaced(remembered(before), "p", now) == why


def test_another_place_is_another_mailbox() -> None:
    assert "another server" in advance.replaced(remembered(listing(1)), "q", listing(1))


@pytest.mark.parametrize("others", [(), (1,), (1, 2)])
def test_a_known_message_never_changes_its_size_or_date(others: tuple[int, ...]) -> None:
    memory = remembered(listing(1, 2, 3))
    rows = listing(*others, 3)
    assert advance.replaced(memory, "p", rows) == ""

    rows.sizes[-1] += 1
    assert advance.replaced(memory, "p", rows) == "the message with UID 3 has another size or date than before"
    rows.sizes[-1] -= 1
    rows.dates[-1] += 1
    assert "UID 3" in advance.replaced(memory, "p", rows)
    rows.dates[-1] = -1
    assert advance.replaced(memory, "p", rows) == ""
    assert advance.replaced(remembered(rows), "p", listing(*others, 3)) == ""


@pytest.mark.parametrize(
    ("before", "now", "believed"),
    [
        (listing(1, uidnext=2), listing(uidnext=2), True),
        (listing(1, uidnext=2), listing(uidnext=3), True),
        (listing(1, uidnext=5), listing(uidnext=3), False),
        (listing(1, uidnext=2), listing(), False),
        (listing(1), listing(), True),
        (listing(1), listing(uidnext=2), True),
        (listing(uidnext=2), listing(), True),
        (listing(1, uidnext=2), listing(1), True),
    ],
)
def test_an_empty_mailbox_is_believed_only_where_uidnext_holds(before: Listing, now: Listing, believed: bool) -> None:
    doubt = advance.doubtful(remembered(before), now)

    assert (doubt == "") == believed
    assert believed or "no message where there were 1" in doubt


# It goes on.


@pytest.mark.parametrize(
    ("now", "new", "gone"),
    [((1, 2), [], []), ((1, 2, 3, 4), [3, 4], []), ((1, 3), [3], [2]), ((2,), [], [1]), ((), [], [1, 2])],
)
def test_what_came_and_what_went_is_told(now: Sequence[int], new: list[int], gone: list[int]) -> None:
    memory = evolve(remembered(listing(1, 2)), true_sizes={1: 101, 2: 202})
    after, news = advance.grown(memory, listing(*now), BRIDGE)

    assert list(advance.unlisted(memory, listing(*now))) == new
    assert (list(news.gone), news.columns, news.given) == (gone, list(now) != [1, 2], {})
    assert list(news.computed) == [f"00000001-{uid:08x}" for uid in new]
    assert after.true_sizes == {uid: 101 * uid for uid in (1, 2) if uid not in gone}
    assert after.highest == max([2, *now])
    assert uidls(after) == [f"00000001-{uid:08x}" for uid in now]


def test_a_flag_set_by_somebody_is_a_change_and_new_heads_alone_are_none() -> None:
    memory = remembered(listing(1))

    assert advance.grown(memory, listing(1, hidden=b"\1"), BRIDGE)[1].columns
    assert not advance.grown(memory, listing(1, uidnext=9), BRIDGE)[1].columns


def test_an_open_question_and_its_answer_are_settled_when_the_mailbox_goes_on() -> None:
    memory = evolve(remembered(listing(1)), question="what?", accepted=True)
    after, _ = advance.grown(memory, listing(1), BRIDGE)

    assert (after.question, after.accepted) == ("", False)


def test_a_uid_below_the_highest_that_was_not_listed_gets_no_uidl_that_was_somebodys() -> None:
    """A mailbox rebuilt while it was empty, with the UIDVALIDITY it had."""
    memory, _ = advance.grown(remembered(listing(1, 2)), listing(), BRIDGE)
    after, news = advance.grown(evolve(memory, version=7), listing(1, 2, 3, uidnext=4), BRIDGE)

    assert news.given == {1: "00000001-00000001-1-7", 2: "00000001-00000002-1-7"}
    assert list(news.computed) == ["00000001-00000003"]
    assert uidls(after) == [*news.given.values(), *news.computed]


def test_messages_keep_their_uidls_when_the_account_gets_another_format() -> None:
    memory, _ = advance.suffixed(*advance.first("p", listing(1, 2, 3), BRIDGE), frozenset({"00000001-00000002"}))
    before = uidls(memory)
    after, news = advance.grown(memory, listing(2, 3, 4), parse_format("james"))

    assert uidls(after) == [*before[1:], "1-4"]
    assert news.given == {3: "00000001-00000003"}
    assert after.template == "{uidvalidity}-{uid}"
    assert after.issued == (Issued(1, UidValidity(1), 3, BRIDGE.template),)


def test_a_format_changed_to_and_fro_gives_no_uidl_twice() -> None:
    memory, _ = advance.grown(remembered(listing(10), BY_UID), listing(10), parse_format("{uid:x}"))
    after, _ = advance.grown(memory, listing(10, 16, 17), parse_format("{uid:x}"))

    assert uidls(after) == ["10", "10-1", "11"]


def test_a_new_copy_of_a_listed_message_is_told_apart_without_asking_the_store() -> None:
    memory, _ = advance.first("p", listing(3), EMAILID, {3: "M3"})
    after, news = advance.grown(memory, listing(3, 4), EMAILID, {4: "M3"})

    assert news.given == {4: "M3-1"}
    assert uidls(after) == ["M3", "M3-1"]


def test_the_stored_uidl_of_a_message_that_is_gone_is_dropped() -> None:
    memory, _ = advance.first("p", listing(3, 4), EMAILID, {3: "M3", 4: "M4"})
    after, _ = advance.grown(memory, listing(4), EMAILID)

    assert list(after.exceptions.items()) == [(4, "M4")]


# It was replaced.


def test_recognised_messages_keep_their_uidls_and_others_get_new_ones() -> None:
    memory = evolve(remembered(listing(1, 2, 3)), true_sizes={1: 111, 2: 222}, learned_to=3, version=7, accepted=True)
    rows = listing(1, 2, 3, 4, uidvalidity=2)
    rows.sizes[0] = 200  # old 2 is new 1, old 1 is new 4 and another size
    after, news = advance.renumbered(memory, "q", rows, Moves({2: 1, 1: 4}), BRIDGE)

    assert news.carried == {1: "00000001-00000002", 4: "00000001-00000001"}
    assert (news.given, list(news.computed)) == ({}, ["00000002-00000002", "00000002-00000003"])
    assert uidls(after) == [news.carried[1], *news.computed, news.carried[4]]
    assert (after.place, after.incarnation, after.version, after.highest) == ("q", 2, 7, 4)
    assert after.true_sizes == {1: 222}
    assert (after.learned_to, after.accepted, after.question) == (0, False, "")
    assert after.issued == (Issued(1, UidValidity(1), 3, BRIDGE.template),)
    assert news.moves == Moves({2: 1, 1: 4})


def test_a_uidl_carried_here_is_not_computed_for_another_in_the_same_moment() -> None:
    memory = evolve(remembered(listing(1)), exceptions=exceptions({1: "00000002-00000005"}))
    _, news = advance.renumbered(memory, "p", listing(1, 5, uidvalidity=2), Moves({1: 1}), BRIDGE)

    assert news.carried == {1: "00000002-00000005"}
    assert news.given == {5: "00000002-00000005-2"}


def test_an_empty_mailbox_that_was_replaced_issued_nothing() -> None:
    after, news = advance.renumbered(remembered(listing()), "p", listing(1), Moves({}), BRIDGE)

    assert after.issued == ()
    assert list(news.computed) == ["00000001-00000001"]


def test_with_the_same_uidvalidity_what_is_not_recognised_gets_a_suffix() -> None:
    rows = listing(1, 2, 3)
    after, news = advance.renumbered(remembered(listing(1, 2)), "p", rows, Moves({1: 1}), BRIDGE)

    assert uidls(after) == ["00000001-00000001", "00000001-00000002-2", "00000001-00000003"]
    assert news.carried == {1: "00000001-00000001"}


def test_back_to_the_first_uidvalidity_every_message_still_has_its_uidl() -> None:
    first = remembered(listing(1, 2))
    second, _ = advance.renumbered(first, "p", listing(1, 2, 3, uidvalidity=2), Moves({1: 2, 2: 1}), BRIDGE)
    third, news = advance.renumbered(second, "p", listing(1, 2, 3), Moves({2: 1, 1: 2}), BRIDGE)

    assert uidls(third)[:2] == uidls(first)
    assert news.carried == {1: "00000001-00000001", 2: "00000001-00000002"}
    assert uidls(third)[2] == "00000001-00000003"
    assert len({*uidls(first), *uidls(second), *uidls(third)}) == 4


def test_ids_of_the_server_survive_but_what_was_shown_before_counts_more() -> None:
    memory = remembered(listing(1))
    rows = listing(1, 2, uidvalidity=2)
    after, news = advance.renumbered(memory, "p", rows, Moves({1: 1}), EMAILID, {1: "M1", 2: "M2"})

    assert uidls(after) == ["00000001-00000001", "M2"]
    assert news.given == {2: "M2"}


# The store knows better.


def test_taken_uidls_are_made_longer_until_they_are_free() -> None:
    memory, news = advance.first("p", listing(1, 2, 3), BRIDGE)
    for taken in ("00000001-00000002", "00000001-00000002-1", "00000001-00000002-1.2"):
        memory, news = advance.suffixed(memory, news, frozenset({taken}))

    assert uidls(memory) == ["00000001-00000001", "00000001-00000002-1.2.2", "00000001-00000003"]
    assert news.given == {2: "00000001-00000002-1.2.2"}
    assert list(news.computed) == ["00000001-00000001", "00000001-00000003"]


def test_a_longer_uidl_is_none_of_those_that_are_taken_or_given() -> None:
    memory, news = advance.first("p", listing(1, 2), EMAILID, {1: "M1", 2: "M2-1"})
    memory, news = advance.suffixed(memory, news, frozenset({"M1", "M1-1"}))
    assert news.given == {1: "M1-1.1", 2: "M2-1"}

    memory, news = advance.first("p", listing(1, 2), EMAILID, {1: "M1", 2: "M1-1"})
    assert advance.suffixed(memory, news, frozenset({"M1"}))[1].given == {1: "M1-1.1", 2: "M1-1"}


def test_a_carried_uidl_that_is_taken_is_given_anew() -> None:
    rows = listing(4, 5, uidvalidity=2)
    memory, news = advance.renumbered(remembered(listing(1, 2)), "p", rows, Moves({1: 4, 2: 5}), BRIDGE)
    memory, news = advance.suffixed(memory, news, frozenset({"00000001-00000001"}))

    assert news.carried == {5: "00000001-00000002"}
    assert news.given == {4: "00000001-00000001-2"}
    assert uidls(memory) == ["00000001-00000001-2", "00000001-00000002"]


# All of it together: any history of a mailbox.

FORMATS = ["bridge", "cyrus-uid", "courier-old", "james", "dovecot-old", "{uid:x}", "emailid", "gmail"]
KEY = SourceKey(AccountName("a"))
T = TypeVar("T")
LEGAL = set(string.ascii_letters + string.digits + ".-_")


def answer(asked: "Deferred[T]") -> T:
    """A store in memory has answered when it returns."""
    answers: list[T] = []
    failures: list[Failure] = []
    asked.addCallbacks(answers.append, failures.append)
    for failure in failures:
        failure.raiseException()
    return answers[0]


@define(eq=False)
class Mail:
    """A message upstream. Copies of it have its `content`, which is its header and the server's own id."""

    content: int
    size: int
    uid: int
    date: int


@define
class Listed:
    """A message as the last login listed it."""

    mail: Mail
    learned: bool
    uidl: str


class History(RuleBasedStateMachine):
    """One mailbox, one store, and a login now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.uidvalidity, self.uidnext, self.mails = 1, 1, list[Mail]()
        self.clock = self.contents = 0
        self.uidvalidities = 2
        self.form: UidlFormat = BRIDGE
        self.store = MemoryStore()
        self.named: dict[str, int] = {}
        self.last: list[Listed] = []

    def tick(self) -> int:
        self.clock += 1
        return self.clock

    def append(self, content: int, size: int) -> None:
        self.mails.append(Mail(content, size, self.uidnext, self.tick()))
        self.uidnext += 1

    def singles(self) -> list[Mail]:
        """Messages without a copy."""
        contents = [mail.content for mail in self.mails]
        return [mail for mail in self.mails if contents.count(mail.content) == 1]

    @rule(count=st.integers(1, 3))
    def mail_comes(self, count: int) -> None:
        for _ in range(count):
            self.contents += 1
            self.append(self.contents, 1000 + self.contents)

    @precondition(lambda self: self.mails)
    @rule(data=st.data())
    def somebody_copies_a_message(self, data: st.DataObject) -> None:
        mail = data.draw(st.sampled_from(self.mails))
        self.append(mail.content, mail.size)

    @precondition(lambda self: self.mails)
    @rule(data=st.data())
    def somebody_expunges(self, data: st.DataObject) -> None:
        gone = data.draw(st.sets(st.sampled_from(range(len(self.mails))), min_size=1))
        self.mails = [mail for row, mail in enumerate(self.mails) if row not in gone]

    @rule(
        uidvalidity=st.integers(1, 2),
        start=st.integers(1, 3),
        lost=st.integers(0, 2),
        reverse=st.booleans(),
        dates_kept=st.booleans(),
        grown=st.sampled_from([0, 12]),
    )
    def mailbox_is_rebuilt(
        self, uidvalidity: int, start: int, lost: int, reverse: bool, dates_kept: bool, grown: int
    ) -> None:
        """With a new UIDVALIDITY, one it had long ago, or the same; other UIDs, and perhaps no dates."""
        now = self.tick()
        self.uidvalidity = uidvalidity
        del self.mails[:lost]
        for uid, mail in enumerate(reversed(self.mails) if reverse else self.mails, start):
            mail.uid = uid
            mail.date = mail.date if dates_kept else now
        self.mails.sort(key=lambda mail: mail.uid)
        self.uidnext = start + len(self.mails) + grown

    @precondition(lambda self: self.singles())
    @rule(data=st.data(), learn=st.booleans())
    def others_of_the_same_size_and_date_are_in_a_rebuilt_mailbox(self, data: st.DataObject, *, learn: bool) -> None:
        """Under a UIDVALIDITY it never had, and seen: with the one it had nobody could notice."""
        self.uidvalidities += 1
        self.uidvalidity = self.uidvalidities
        for mail in data.draw(st.lists(st.sampled_from(self.singles()), min_size=1, unique=True)):
            self.contents += 1
            self.mails[self.mails.index(mail)] = Mail(self.contents, mail.size, mail.uid, mail.date)
        self.client_logs_in(learn=learn)

    @initialize(name=st.sampled_from(FORMATS))
    def account_is_made(self, name: str) -> None:
        self.form = parse_format(name)

    @rule(name=st.sampled_from(FORMATS))
    def owner_changes_the_format(self, name: str) -> None:
        self.form = parse_format(name)

    @rule()
    def client_logs_in_and_all_is_learned(self) -> None:
        self.client_logs_in(learn=True)

    @rule()
    def client_logs_in(self, *, learn: bool = False) -> None:
        rows, form = self.upstream(), self.form
        marks = {mail.uid: self.fingerprint(mail) for mail in self.mails}
        ids = {mail.uid: str(mail.content) for mail in self.mails} if form.stable else None
        before = answer(self.store.recall(KEY))
        if before is None:
            memory, news = advance.first("p", rows, form, ids)
        elif advance.replaced(before, "p", rows):
            known = answer(self.store.fingerprints(KEY, before.incarnation))
            moves = rematch(before.listing, known, rows, marks)
            memory, news = advance.renumbered(before, "p", rows, moves, form, ids)
        elif advance.doubtful(before, rows):
            return
        else:
            memory, news = advance.grown(before, rows, form, ids)
        self.store_it(memory, news)
        stored = answer(self.store.recall(KEY))
        assert stored is not None
        if before is not None:
            self.check_kept(before, stored, news)
        if learn:
            at = stored.incarnation
            answer(self.store.learn(KEY, at, true_sizes={}, fingerprints=marks, learned_to=stored.highest))
        self.check_uidls(stored)

    def upstream(self) -> Listing:
        rows = Listing(UidValidity(self.uidvalidity), uidnext=self.uidnext)
        rows.add(
            [mail.uid for mail in self.mails],
            [mail.size for mail in self.mails],
            [mail.date for mail in self.mails],
            bytes(len(self.mails)),
        )
        return rows

    def fingerprint(self, mail: Mail) -> Fingerprint:
        return Fingerprint(b"m%d" % mail.content, b"h%d" % mail.content)

    def store_it(self, memory: Memory, news: News) -> None:
        for _ in range(3):
            try:
                answer(self.store.remember(KEY, memory, news))
            except UidlTaken as taken:
                memory, news = advance.suffixed(memory, news, taken.uidls)
            else:
                return
        raise AssertionError("no free UIDL was found")

    def check_kept(self, before: Memory, stored: Memory, news: News) -> None:
        """What goes on, or is recognised, has the UIDL it had."""
        same = {uid: uid for uid in set(before.listing.uids) & set(stored.listing.uids)}
        for old, new in (news.moves.uids if news.moves else same).items():
            assert stored.uidls().uidl(new) == before.uidls().uidl(old)
        if news.moves:
            self.check_unmistakable(stored)

    def check_uidls(self, memory: Memory) -> None:
        said = list(memory.uidls().uidls([mail.uid for mail in self.mails]))
        assert len(set(said)) == len(said)
        for mail, uidl in zip(self.mails, said, strict=True):
            assert 1 <= len(uidl) <= LONGEST
            assert set(uidl) <= LEGAL
            # Copies cannot be told apart after a rebuild, and need not be.
            assert self.named.setdefault(uidl, mail.content) == mail.content
        known = answer(self.store.fingerprints(KEY, memory.incarnation))
        self.last = [Listed(mail, mail.uid in known, uidl) for mail, uidl in zip(self.mails, said, strict=True)]

    def check_unmistakable(self, memory: Memory) -> None:
        """After a rebuild: what has no copy, and was learned, has the UIDL it had."""
        then, now = ([mail.content for mail in mails] for mails in ([each.mail for each in self.last], self.mails))
        for each in self.last:
            mail = each.mail
            single = then.count(mail.content) == now.count(mail.content) == 1
            if single and mail in self.mails and each.learned:
                assert memory.uidls().uidl(mail.uid) == each.uidl


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
