"""Whatever is asked in whatever order, the store in SQLite answers like the one in memory, opened again or not."""

from array import array
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import evolve
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.defer import Deferred

from bridge.maildrop.journal import Entry, Stage
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Fingerprint, Issued, Memory, Moves, News, Viewing
from bridge.maildrop.retention import Policy
from bridge.names import AccountName, SourceKey, SourceName, UidValidity
from bridge.state.memory import MemoryStore
from bridge.state.sqlite import SqliteStore
from bridge.state.store import Overtaken, Showing, UidlTaken
from tests.state.pump import Pump

KEYS = st.sampled_from(
    [SourceKey(AccountName("a")), SourceKey(AccountName("a"), SourceName("b")), SourceKey(AccountName("c"))]
)
VIEWERS = st.sampled_from(["", "v"])
TEMPLATES = st.sampled_from(["{uidvalidity}.{uid}", "{uid}", "UID{uid}-{uidvalidity}"])
UIDS = st.lists(st.integers(1, 12), unique=True).map(sorted)
UIDLS = st.one_of(
    st.sampled_from(["x", "y", "z"]),
    st.builds("{}.{}".format, st.integers(1, 2), st.integers(1, 12)),
    st.integers(1, 12).map(str),
)
GIVEN = st.dictionaries(st.integers(1, 12), UIDLS, max_size=4)
INCARNATIONS = st.integers(1, 4)


class Alike(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.path = Path(self.directory.name, "state.sqlite")
        self.pump = Pump()
        self.sqlite = SqliteStore.open(self.path, self.pump)
        self.memory = MemoryStore(self.pump.seconds)
        self.entries: list[Entry] = []

    def teardown(self) -> None:
        self.pump.wait(self.sqlite.close())
        self.directory.cleanup()

    def outcome(self, asked: "Deferred[Any]") -> object:
        try:
            return self.pump.wait(asked)
        except Overtaken:
            return Overtaken
        except UidlTaken as taken:
            return taken.uidls

    def both(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """The one answer that both give."""
        answers = [self.outcome(getattr(store, name)(*args, **kwargs)) for store in (self.memory, self.sqlite)]
        assert answers[0] == answers[1]
        return answers[0]

    @rule(key=KEYS, uids=UIDS, uidvalidity=st.integers(1, 2), template=TEMPLATES, given=GIVEN, late=st.booleans())
    def list_again(
        self, key: SourceKey, uids: list[int], uidvalidity: int, template: str, given: dict[int, str], late: bool
    ) -> None:
        old: Memory | None = self.both("recall", key)
        if old is None:
            memory = self.made(uids, uidvalidity, template, 1, 0, (), 0)
            news = News(given=given, computed=self.computed(memory, [uid for uid in uids if uid not in given]))
        else:
            issued = old.issued
            if template != old.template:
                issued = (*issued, Issued(old.incarnation, old.listing.uidvalidity, old.highest, old.template))
            validity = old.listing.uidvalidity
            memory = self.made(uids, validity, template, old.incarnation, old.version - late, issued, old.highest)
            new = [uid for uid in uids if uid > old.highest and uid not in given]
            gone = [uid for uid in old.listing.uids if uid not in uids]
            news = News(given=given, computed=self.computed(memory, new), gone=gone)
        self.both("remember", key, memory, news)

    @rule(
        key=KEYS,
        uids=UIDS,
        uidvalidity=st.integers(1, 2),
        template=TEMPLATES,
        given=GIVEN,
        carried=GIVEN,
        data=st.data(),
        sizes=st.dictionaries(st.integers(1, 12), st.integers(0, 2**62), max_size=3),
    )
    def rebuild(
        self,
        key: SourceKey,
        uids: list[int],
        uidvalidity: int,
        template: str,
        given: dict[int, str],
        carried: dict[int, str],
        data: st.DataObject,
        sizes: dict[int, int],
    ) -> None:
        old: Memory | None = self.both("recall", key)
        if old is None:
            return
        before = data.draw(st.permutations(list(old.listing.uids)))
        moved = dict(zip(before, data.draw(st.permutations(uids)), strict=False))
        certain = frozenset(data.draw(st.sets(st.sampled_from(before)))) if before else frozenset[int]()
        if data.draw(st.booleans()):  # as it is meant: each moved message keeps its UIDL
            had = old.uidls()
            carried = {new: had.uidl(uid) for uid, new in moved.items()}
        issued = (*old.issued, Issued(old.incarnation, old.listing.uidvalidity, old.highest, old.template))
        made = self.made(uids, uidvalidity, template, old.incarnation + 1, old.version, issued, 0)
        given = {uid: uidl for uid, uidl in given.items() if uid not in carried}
        computed = self.computed(made, [uid for uid in uids if uid not in given and uid not in carried])
        news = News(given=given, carried=carried, computed=computed, moves=Moves(moved, certain))
        self.both("remember", key, evolve(made, true_sizes=sizes, learned_to=len(sizes)), news)

    def made(
        self,
        uids: list[int],
        uidvalidity: int,
        template: str,
        incarnation: int,
        version: int,
        issued: tuple[Issued, ...],
        highest: int,
    ) -> Memory:
        listing = Listing(UidValidity(uidvalidity), uidnext=max(uids, default=0) + 1)
        listing.add(uids, [uid * incarnation for uid in uids], uids, bytes(len(uids)))
        return Memory(
            version=version,
            place="p",
            incarnation=incarnation,
            listing=listing,
            highest=max(highest, *uids, 0),
            issued=issued,
            template=template,
        )

    def computed(self, memory: Memory, uids: list[int]) -> list[str]:
        return list(memory.uidls().uidls(uids))

    @rule(key=KEYS, incarnation=INCARNATIONS, uidls=GIVEN)
    def import_uidls(self, key: SourceKey, incarnation: int, uidls: dict[int, str]) -> None:
        self.both("import_uidls", key, incarnation, uidls)

    @rule(key=KEYS)
    def accept(self, key: SourceKey) -> None:
        self.both("accept", key)

    @rule(key=KEYS, incarnation=INCARNATIONS, uids=UIDS, size=st.integers(0, 2**62))
    def learn(self, key: SourceKey, incarnation: int, uids: list[int], size: int) -> None:
        prints = {uid: Fingerprint(b"m", size.to_bytes(16, "big"), str(uid)) for uid in uids[1:]}
        sizes = dict.fromkeys(uids[:2], size)
        self.both("learn", key, incarnation, true_sizes=sizes, fingerprints=prints, learned_to=max(uids, default=0))

    @rule(
        key=KEYS,
        viewer=VIEWERS,
        incarnation=INCARNATIONS,
        uids=st.permutations(range(1, 13)),
        floor=st.integers(0, 9),
        late=st.booleans(),
        numbers=st.lists(st.integers(0, 2**32 - 1), max_size=5),
        other=KEYS,
        copies=st.lists(st.sampled_from([b"one", b"two"])),
    )
    def show(
        self,
        key: SourceKey,
        viewer: str,
        incarnation: int,
        uids: list[int],
        floor: int,
        late: bool,
        numbers: list[int],
        other: SourceKey,
        copies: list[bytes],
    ) -> None:
        before: Viewing | None = self.both("viewing", key, viewer)
        if late:
            before = evolve(before, floor=before.floor + 1) if before is not None and before.floor else None
        ranks, places = array("I", uids[:5]), array("I", numbers)
        viewing = Viewing(incarnation=incarnation, ranks=ranks, numbers=places, floor=floor)
        showings = [Showing(key, viewing, before)]
        if other != key and other.account == key.account:
            then: Viewing | None = self.both("viewing", other, viewer)
            showings.append(Showing(other, then or evolve(viewing, floor=1), then))
        self.both("show", viewer, showings, dict.fromkeys(copies, key.source))

    @rule(key=KEYS, viewer=VIEWERS, incarnation=INCARNATIONS, uids=UIDS)
    def keep(self, key: SourceKey, viewer: str, incarnation: int, uids: list[int]) -> None:
        self.both("keep", key, viewer, incarnation, uids)

    @rule(key=KEYS, viewer=VIEWERS, uids=st.lists(st.integers(1, 12), max_size=4), off=st.sampled_from([0, 0, 0, 1]))
    def write_down(self, key: SourceKey, viewer: str, uids: list[int], off: int) -> None:
        memory: Memory | None = self.both("recall", key)
        incarnation = (memory.incarnation if memory else 1) + off
        entries = [
            Entry(viewer=viewer, incarnation=incarnation, uid=uid, size=2**64 - 1, date=-1, policy=Policy.HIDE)
            for uid in uids
        ]
        self.pump.now += 1
        written = self.both("write_down", key, entries)
        if written is not Overtaken:
            self.entries.extend(written)

    @precondition(lambda self: self.entries)
    @rule(
        data=st.data(), key=KEYS, stage=st.sampled_from(Stage), what=st.sampled_from(["advance", "strike", "give_up"])
    )
    def go_on(self, data: st.DataObject, key: SourceKey, stage: Stage, what: str) -> None:
        chosen = data.draw(st.lists(st.sampled_from(self.entries), unique=True, max_size=3))
        entries = [entry._replace(stage=stage, due=1.5, modseq=2**64 - 1) for entry in chosen]
        self.both(what, *([key] if what == "give_up" else []), entries)

    @rule()
    def open_again(self) -> None:
        self.pump.wait(self.sqlite.close())
        self.sqlite = SqliteStore.open(self.path, self.pump)

    @invariant()
    def the_same_is_known(self) -> None:
        for key in self.both("known"):
            memory: Memory = self.both("recall", key)
            self.both("journal", key, self.pump.now)
            self.both("fingerprints", key, memory.incarnation)
            for viewer in ("", "v"):
                self.both("viewing", key, viewer)
            for entry in self.both("journal", key, inf):
                if entry not in self.entries:
                    self.entries.append(entry)
        for account, viewer in (("a", ""), ("a", "v"), ("c", "")):
            self.both("highest_number", AccountName(account), viewer)
            self.both("shown_first", AccountName(account), viewer, [b"one", b"two", b"three"])
        self.both("pending")


Alike.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestAlike = Alike.TestCase
