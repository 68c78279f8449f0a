"""An entry is applied to the very message it was written for, or to none; what somebody took back stays taken back."""

from collections.abc import Sequence

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from bridge.maildrop.errors import MailboxReplaced, UpstreamUnavailable
from bridge.maildrop.journal import Entry, Stage
from bridge.maildrop.retention import Policy
from bridge.maildrop.source import Deletion
from bridge.postoffice.applying import AT_ONCE, Job, attempt
from bridge.state.memory import MemoryStore
from tests.contracts.fake_source import FakeMessage, FakeSource
from tests.postoffice.kit import result


def job(source: FakeSource, *entries: Entry, purge: float | None = None, unseen: bool = True) -> Job:
    result(source.list())
    return Job(source, {entry.uid: entry for entry in entries}, written=False, unseen=unseen, purge=purge)


def entry(uid: int = 1, policy: Policy = Policy.EXPUNGE, stage: Stage = Stage.WRITTEN, **more: int) -> Entry:
    fields = {"size": 1, "date": 1_700_000_000, **more}
    return Entry(viewer="", incarnation=1, uid=uid, policy=policy, stage=stage, **fields)


def tried(work: Job) -> Deletion:
    return result(attempt(MemoryStore(Clock().seconds), 0.0, work))


def test_a_message_that_is_gone_is_done_and_nothing_is_asked() -> None:
    source = FakeSource({2: FakeMessage(b"b")})
    work = job(source, entry(1))
    assert tried(work) == Deletion(0)
    assert not work.entries
    assert source.asked == []


@pytest.mark.parametrize("other", [FakeMessage(b"longer"), FakeMessage(b"x", date=5)])
def test_a_stranger_under_the_same_uid_is_let_alone_and_so_is_everything_else(other: FakeMessage) -> None:
    source = FakeSource({1: other, 2: FakeMessage(b"b")})
    work = job(source, entry(1), entry(2))
    with pytest.raises(MailboxReplaced):
        tried(work)
    assert source.asked == []
    assert set(work.entries) == {1, 2}


def test_a_date_that_one_side_does_not_know_proves_nothing() -> None:
    source = FakeSource({1: FakeMessage(b"x", date=-1)})
    assert tried(job(source, entry(1))).left == frozenset()
    assert source.messages == {}


@pytest.mark.parametrize(
    ("policy", "stage", "deleted", "hidden", "modseq", "what"),
    [
        (Policy.FLAG, Stage.WRITTEN, True, False, 0, "done"),
        (Policy.HIDE, Stage.WRITTEN, False, True, 0, "done"),
        (Policy.HIDE, Stage.WRITTEN, True, False, 0, "applied"),
        (Policy.EXPUNGE, Stage.SENT, True, False, 0, "applied"),
        (Policy.FLAG, Stage.SENT, False, False, 9, "undone"),
        (Policy.EXPUNGE, Stage.SENT, False, False, 0, "undone"),
        (Policy.HIDE, Stage.SENT, False, False, 9, "undone"),
        (Policy.FLAG, Stage.SENT, False, False, 3, "applied"),
        (Policy.TRASH, Stage.SENT, False, False, 9, "applied"),
        (Policy.FLAG, Stage.FLAGGED, False, False, 0, "undone"),
    ],
)
def test_what_is_found_decides(
    policy: Policy, stage: Stage, deleted: bool, hidden: bool, modseq: int, what: str
) -> None:
    source = FakeSource({1: FakeMessage(b"x", deleted=deleted, hidden=hidden, modseq=modseq)})
    work = job(source, entry(1, policy, stage, modseq=5))
    tried(work)
    assert not work.entries
    assert (work.undone == {1}) == (what == "undone")
    assert bool(source.asked) == (what == "applied")


def test_what_upstream_refused_for_now_was_never_sent() -> None:
    source = FakeSource({1: FakeMessage(b"x", modseq=9)})
    work = job(source, entry(1, Policy.FLAG, modseq=5), unseen=False)
    source.refuses = Deletion(1, frozenset({1}), "in use", temporary=True)
    assert tried(work) == Deletion(1, frozenset({1}), "in use", temporary=True)
    assert (work.entries[1].stage, work.entries[1].modseq) == (Stage.WRITTEN, 9)
    source.refuses = None
    tried(work)
    assert source.messages[1].deleted


def test_what_this_process_sent_itself_cannot_have_been_undone_before_it_was_seen_to_hold() -> None:
    class Dying(FakeSource):
        async def delete(self, uids: object, policy: Policy, *, again: bool = False) -> Deletion:
            self.broken = True
            raise UpstreamUnavailable("lost")

    source = Dying({1: FakeMessage(b"x", modseq=9)})
    work = job(source, entry(1, Policy.FLAG, modseq=5), unseen=False)
    with pytest.raises(UpstreamUnavailable):
        tried(work)
    assert work.entries[1].stage is Stage.SENT
    work.source = healthy = FakeSource(source.messages)
    result(healthy.list())
    tried(work)
    assert source.messages[1].deleted
    assert not work.undone


def test_a_flag_that_was_set_and_then_taken_away_stays_away() -> None:
    """STORE was done and UID EXPUNGE refused; before the next try somebody wants the message back."""

    class Half(FakeSource):
        async def delete(self, uids: Sequence[int], policy: Policy, *, again: bool = False) -> Deletion:
            for uid in uids:
                self.messages[uid].deleted = True
            return Deletion(len(uids), frozenset(uids), "upstream refused to expunge them", temporary=True)

    store = MemoryStore(Clock().seconds)
    source = Half({1: FakeMessage(b"x")})
    work = job(source, entry(1, id=7), unseen=False)
    work.written = True
    result(attempt(store, 0.0, work))
    assert work.entries[1].stage is Stage.SENT
    source.messages[1].deleted = False
    result(attempt(store, 0.0, work))
    assert (work.entries, work.undone) == ({}, {1})
    assert not source.messages[1].deleted


def test_what_is_another_message_now_may_be_set_aside() -> None:
    source = FakeSource({1: FakeMessage(b"longer"), 2: FakeMessage(b"y")})
    work = job(source, entry(1), entry(2))
    work.sets_aside = True
    assert tried(work).left == frozenset()
    assert [one.uid for one in work.strangers] == [1]
    assert list(source.messages) == [1]


def test_no_more_is_noted_as_sent_than_goes_out_at_once() -> None:
    """What a restart finds noted as sent, and was not, it takes for undone."""
    messages = {uid: FakeMessage(b"x") for uid in range(1, AT_ONCE + 2)}
    seen: list[int] = []

    class Watched(FakeSource):
        async def delete(self, uids: Sequence[int], policy: Policy, *, again: bool = False) -> Deletion:
            seen.append(sum(one.stage is Stage.SENT for one in work.entries.values()))
            return await super().delete(uids, policy, again=again)

    work = job(Watched(messages), *(entry(uid) for uid in range(1, AT_ONCE + 2)), unseen=False)
    tried(work)
    assert seen == [AT_ONCE, 1]
    assert not work.entries


def test_one_refusal_does_not_hold_up_what_another_policy_may_do() -> None:
    class Picky(FakeSource):
        async def delete(self, uids: object, policy: Policy, *, again: bool = False) -> Deletion:
            if policy is Policy.TRASH:
                raise UpstreamUnavailable("lost") if again else AssertionError
            return await super().delete(uids, policy, again=again)  # type: ignore[arg-type]  # what was asked

    source = Picky({1: FakeMessage(b"x"), 2: FakeMessage(b"y")})
    work = job(source, entry(1, Policy.EXPUNGE), entry(2, Policy.TRASH, Stage.SENT))
    with pytest.raises(UpstreamUnavailable):
        tried(work)
    assert set(work.entries) == {2}
    assert list(source.messages) == [2]


def test_a_replay_says_that_it_is_one() -> None:
    seen = []

    class Asked(FakeSource):
        async def delete(self, uids: object, policy: Policy, *, again: bool = False) -> Deletion:
            seen.append((policy, again))
            return await super().delete(uids, policy, again=again)  # type: ignore[arg-type]  # what was asked

    source = Asked({1: FakeMessage(b"x"), 2: FakeMessage(b"y"), 3: FakeMessage(b"z", deleted=True)})
    entries = [entry(1, Policy.TRASH), entry(2, Policy.TRASH, Stage.SENT), entry(3, Policy.FLAG, Stage.FLAGGED)]
    tried(job(source, *entries))
    assert seen == [(Policy.TRASH, False), (Policy.TRASH, True)]


def test_a_purge_sets_no_flag() -> None:
    """Whoever takes the flag back in the very instant keeps the message."""

    class Instant(FakeSource):
        async def purge(self, uids: Sequence[int]) -> Deletion:
            self.messages[1].deleted = False
            return await super().purge(uids)

    source = Instant({1: FakeMessage(b"x", deleted=True), 2: FakeMessage(b"y", deleted=True)})
    work = job(source, *(entry(uid, Policy.FLAG, Stage.FLAGGED) for uid in (1, 2)))
    tried(work)
    assert not work.entries
    assert list(source.messages) == [1]
    assert not source.messages[1].deleted


def test_a_flag_that_waits_for_its_purge_is_done_for_now() -> None:
    store = MemoryStore(Clock().seconds)
    source = FakeSource({1: FakeMessage(b"x")})
    work = job(source, entry(1, Policy.FLAG), purge=60.0)
    assert result(attempt(store, 100.0, work)) == Deletion(1)
    assert not work.entries
    assert source.messages[1].deleted


def test_the_first_reason_is_told_and_what_others_allow_is_done() -> None:
    class Picky(FakeSource):
        async def delete(self, uids: object, policy: Policy, *, again: bool = False) -> Deletion:
            if policy is Policy.TRASH:
                return Deletion(1, frozenset({1}), "upstream refused to move them to Trash")
            return await super().delete(uids, policy, again=again)  # type: ignore[arg-type]  # what was asked

    work = job(Picky({1: FakeMessage(b"x"), 2: FakeMessage(b"y")}), entry(1, Policy.TRASH), entry(2))
    assert tried(work) == Deletion(2, frozenset({1}), "upstream refused to move them to Trash")


def test_only_flagged_messages_wait_for_a_purge() -> None:
    work = job(FakeSource({1: FakeMessage(b"x"), 2: FakeMessage(b"y")}), entry(1, Policy.HIDE), entry(2), purge=60.0)
    written: list[Entry] = []

    class Watched(MemoryStore):
        def advance(self, entries: Sequence[Entry]) -> "Deferred[None]":
            written.extend(entries)
            return succeed(None)

    work.written = True
    result(attempt(Watched(Clock().seconds), 0.0, work))
    assert {one.stage for one in written} == {Stage.SENT}


def test_the_modseq_of_an_entry_is_the_one_seen_last() -> None:
    source = FakeSource({1: FakeMessage(b"x", modseq=9)})
    source.refuses = Deletion(1, frozenset({1}), "not allowed")
    work = job(source, entry(1, modseq=5))
    tried(work)
    assert work.entries[1].modseq == 9
