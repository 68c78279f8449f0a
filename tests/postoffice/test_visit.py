"""What a session learns on its way, marks as read, and leaves behind."""

from collections.abc import Iterable, Mapping, Sequence

from twisted.internet.defer import Deferred

from bridge.events import MessageLooping, SeenNotMarked, StateTroubled
from bridge.maildrop.errors import UpstreamUnavailable
from bridge.maildrop.memory import Fingerprint
from bridge.maildrop.readahead import FIRST_PART, Way
from bridge.maildrop.source import Held
from bridge.names import MessageNumber, Uid
from bridge.postoffice.learning import AT_ONCE
from bridge.postoffice.visit import LEARNING, MARKING, Visit
from tests.contracts.fake_source import FakeAhead, FakeMessage
from tests.postoffice.kit import DurableStore, Ground, HeldSource, result
from tests.upstream.session import Taken

ONE, TWO = MessageNumber(1), MessageNumber(2)


def known(ground: Ground) -> dict[int, Fingerprint]:
    return result(ground.store.fingerprints(ground.account.key, 1))


def left(visit: Visit) -> None:
    result(visit.quit([]))
    visit.leave()


def test_a_true_size_is_listed_from_the_next_session_on() -> None:
    """S9: not before, since a size never changes in a session."""
    ground = Ground(b"a\nb\n", b"c\r\n")
    visit = ground.open()
    visit.delivered(ONE, 6, by_top=False)
    visit.delivered(TWO, 3, by_top=False)
    assert visit.maildrop.size(ONE) == 4
    left(visit)
    for _ in range(2):
        visit = ground.open()
        assert (visit.maildrop.size(ONE), visit.maildrop.size(TWO), visit.maildrop.octets) == (6, 3, 9)
        assert visit.maildrop.listed_size(ONE) == 4
        visit.delivered(ONE, 6, by_top=True)
        ground.restart()


def test_a_true_size_is_learned_from_a_session_that_drops_too() -> None:
    ground = Ground(b"a\nb\n")
    visit = ground.open()
    visit.delivered(ONE, 6, by_top=False)
    visit.abandon()
    assert ground.sources[0].abandoned
    assert ground.open().maildrop.size(ONE) == 6


def test_fingerprints_are_learned_behind_quit_and_only_of_what_is_new() -> None:
    ground = Ground(b"Message-ID: <a@x>\r\n\r\n")
    left(ground.open())
    assert list(known(ground)) == [1]
    asked: list[list[int]] = []

    class Watched(HeldSource):
        async def fingerprints(self, uids: object) -> dict[int, Fingerprint]:
            asked.append(list(uids))  # type: ignore[call-overload]  # UIDs
            return await super().fingerprints(uids)  # type: ignore[arg-type]  # the same

    ground.messages[2], ground.uidnext = FakeMessage(b"Message-ID: <b@x>\r\n\r\n"), 3
    source = Watched(ground.messages, uidvalidity=7, uidnext=3)
    left(result(ground.office.open(ground.account, source)))
    assert asked == [[2]]
    assert list(known(ground)) == [1, 2]
    assert source.closed


def test_a_large_mailbox_is_learned_in_parts_and_what_was_learned_stays() -> None:
    ground, asked = Ground(*[b"x"] * (2 * AT_ONCE + 1)), []

    class Slow(HeldSource):
        async def fingerprints(self, uids: Sequence[int]) -> dict[int, Fingerprint]:
            asked.append(len(uids))
            if len(asked) == 2:
                await Deferred[None]()
            return await super().fingerprints(uids)

    source = Slow(ground.messages, uidvalidity=7, uidnext=2 * AT_ONCE + 2)
    left(result(ground.office.open(ground.account, source)))
    ground.clock.advance(LEARNING)
    assert len(known(ground)) == AT_ONCE
    left(ground.open())
    assert len(known(ground)) == 2 * AT_ONCE + 1
    assert asked == [AT_ONCE] * 2


def test_a_session_that_breaks_off_in_the_middle_of_something_learns_nothing_upstream() -> None:
    ground = Ground(b"Message-ID: <a@x>\r\n\r\n")
    ground.open().abandon()
    assert known(ground) == {}


def test_learning_has_its_time_and_then_the_connection_goes() -> None:
    ground = Ground(b"x")

    class Slow(HeldSource):
        async def fingerprints(self, uids: object) -> dict[int, Fingerprint]:
            return await Deferred[dict[int, Fingerprint]]()

    source = Slow(ground.messages, uidvalidity=7, uidnext=2)
    left(result(ground.office.open(ground.account, source)))
    ground.clock.advance(LEARNING - 1)
    assert [source.abandoned] == [False]
    ground.clock.advance(1)
    assert [source.abandoned] == [True]

    stopped = Slow(ground.messages, uidvalidity=7, uidnext=2)
    left(result(ground.office.open(ground.account, stopped)))
    ground.office.stop()
    assert stopped.abandoned
    assert not ground.clock.getDelayedCalls()


def test_what_cannot_be_stored_is_told_and_hurts_nobody() -> None:
    ground = Ground(b"a\n")
    visit = ground.open()
    visit.delivered(ONE, 3, by_top=False)
    assert isinstance(ground.store, DurableStore)
    ground.store.broken = True
    left(visit)
    assert set(ground.told(StateTroubled)) == {StateTroubled("the disk is full")}
    assert ground.sources[0].closed


def test_nothing_is_marked_as_read_unless_the_account_says_so() -> None:
    ground = Ground(b"a", b"b")
    visit = ground.open()
    visit.delivered(ONE, 1, by_top=False)
    assert not visit.has_work([])
    result(ground.quit(visit, 2))
    assert not any(message.seen for message in ground.messages.values())


def test_what_was_retrieved_is_marked_at_quit() -> None:
    ground = Ground(b"a", b"b", seen="retrieved")
    visit = ground.open()
    visit.delivered(ONE, 1, by_top=False)
    visit.delivered(TWO, 1, by_top=True)
    assert not ground.messages[1].seen, "not before QUIT: a session that drops leaves nothing marked"
    assert visit.has_work([])
    assert result(visit.quit([])).refused == 0
    assert [message.seen for message in ground.messages.values()] == [True, False]


def test_a_top_of_the_whole_message_counts_where_the_account_says_so() -> None:
    ground = Ground(b"a", seen="retrieved", top_counts=True)
    visit = ground.open()
    visit.delivered(ONE, 1, by_top=True)
    left(visit)
    assert ground.messages[1].seen


def test_what_is_deleted_may_be_marked_first() -> None:
    ground = Ground(b"a", b"b", seen="deleted", delete="flag")
    visit = ground.open()
    visit.delivered(TWO, 1, by_top=False)
    result(ground.quit(visit, 1))
    assert ground.messages[1].seen
    assert ground.messages[1].deleted
    assert not ground.messages[2].seen


def test_marks_of_no_weight_hold_up_no_quit() -> None:
    ground = Ground(b"a", seen="retrieved")

    class Refusing(HeldSource):
        async def mark_seen(self, uids: object) -> None:
            raise UpstreamUnavailable("hung up")

    class Silent(HeldSource):
        async def mark_seen(self, uids: object) -> None:
            await Deferred[None]()

    for kind in (Refusing, Silent):
        visit = result(ground.office.open(ground.account, kind(ground.messages, uidvalidity=7, uidnext=2)))
        visit.delivered(ONE, 1, by_top=False)
        quitting = Deferred.fromCoroutine(visit.quit([]))
        ground.clock.advance(MARKING)
        assert result(quitting).refused == 0
    assert [event.reason for event in ground.told(SeenNotMarked)] == ["hung up", "no answer within 10 seconds"]


def test_one_message_over_and_over_is_told() -> None:
    ground = Ground(b"a")
    for _ in range(10):
        visit = ground.open()
        visit.delivered(ONE, 1, by_top=False)
        visit.abandon()
    (told,) = ground.told(MessageLooping)
    assert (told.uidl, told.times) == ("00000007-00000001", 10)


# Read-ahead. Who may ask how much is tests/maildrop/test_readahead.py.


class Reading:
    """A visit to so many messages; what is asked of its source in that order: a UID, or (UIDs with costs, part)."""

    def __init__(self, *bodies: bytes) -> None:
        self.asked: list[object] = []
        ground, asked = Ground(*bodies), self.asked

        class Ahead(FakeAhead):
            def ask(self, uids: Mapping[Uid, int], part: int | None = None) -> None:
                asked.append((dict(uids), part))
                super().ask(uids, part)

            def forget(self, uids: Iterable[Uid]) -> None:
                asked.append(["forget", *(uids := list(uids))])
                super().forget(uids)

        self.visit = ground.open()
        source = ground.sources[0]
        source.ahead = Ahead(source._now, 1 << 20)
        stream = source._give

        async def give(uid: Uid, *args: object, **kwargs: object) -> None:
            asked.append(int(uid))
            await stream(uid, *args, **kwargs)  # type: ignore[arg-type]  # the same

        source._give = give  # type: ignore[method-assign]  # the same

    def reads(self, number: int, *pipelined: int, way: Way = Way.WHOLE) -> Held | None:
        """As the dialogue does: what is not held is streamed."""
        one = MessageNumber(number)
        held = self.visit.read_ahead(one, way, lambda: map(MessageNumber, pipelined))
        if held is None:
            result((self.visit.stream if way is Way.WHOLE else self.visit.top)(one, Taken()))
        return held


def test_what_is_read_now_goes_before_what_may_be_read_next() -> None:
    reading = Reading(*[b"x" * 10] * 5)
    assert reading.reads(1) is None
    assert reading.reads(2) is None
    assert reading.asked == [1, 2, ({3: 10, 4: 10, 5: 10}, None)]
    assert [reading.reads(number) for number in (3, 4, 5)] == [Held(b"x" * 10, whole=True)] * 3
    assert len(reading.asked) == 3


def test_behind_what_is_held_the_next_is_asked_for_at_once() -> None:
    reading = Reading(*[b"x" * 10] * 5)
    reading.reads(1, 2)
    assert reading.reads(2, 3, 5) == Held(b"x" * 10, whole=True)
    assert reading.asked[:2] == [1, ({2: 10}, None)]
    assert reading.asked[2][0].keys() >= {3, 5}  # type: ignore[index]  # what was asked for ahead


def test_only_the_beginnings_are_asked_for_where_only_tops_are_read() -> None:
    large = b"x" * (3 * FIRST_PART)
    reading = Reading(b"a", b"b", large, b"d")
    reading.reads(1, way=Way.TOPS)
    reading.reads(2, way=Way.TOPS)
    assert reading.asked[2] == ({3: FIRST_PART, 4: 1}, FIRST_PART)
    assert reading.reads(3, way=Way.TOPS) == Held(large[:FIRST_PART], whole=False)
    assert reading.reads(4, way=Way.TOPS) == Held(b"d", whole=True)


def test_deleted_messages_are_not_read_ahead_and_those_deleted_since_are_forgotten() -> None:
    reading = Reading(*[b"x" * 10] * 9)
    drop = reading.visit.maildrop
    drop.mark(MessageNumber(6))
    reading.reads(1)
    reading.reads(2)
    assert reading.asked[-1] == ({3: 10, 4: 10, 5: 10}, None)
    drop.mark(MessageNumber(3))
    reading.reads(9)
    assert reading.asked[-2:] == [["forget", 3, 4, 5], 9]


def test_what_was_to_be_asked_for_behind_a_message_that_fails_is_not_asked_for_behind_the_next() -> None:
    reading = Reading(*[b"x" * 10] * 9)
    reading.reads(1)
    reading.reads(2)
    reading.reads(8)
    assert [one for one in reading.asked if isinstance(one, tuple)] == [(dict.fromkeys(range(3, 10), 10), None)]
