"""A walk is recognised at its second step, never asks beyond its budget, and forgets what the client went past."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from bridge.maildrop.readahead import (
    FIRST_PART,
    FIRST_WINDOW,
    LARGEST_AHEAD,
    LARGEST_WINDOW,
    MOST_MESSAGES,
    Budget,
    Step,
    Walk,
    Way,
    part_for,
)
from bridge.names import MessageNumber

ROOM = 1 << 30


class Client:
    """One that reads, on a maildrop of `sizes`; what was asked for is there at once, until it is read or lost."""

    def __init__(self, sizes: Sequence[int | None], room: int = ROOM) -> None:
        self.sizes = sizes
        self.most = room
        self.here: dict[int, int] = {}
        self.way = Way.WHOLE
        self.walk = Walk(self._cost)

    def _cost(self, number: MessageNumber, way: Way) -> int | None:
        assert way is self.way
        return self.sizes[number - 1] if 1 <= number <= len(self.sizes) else None

    @property
    def room(self) -> int:
        return self.most - sum(self.here.values())

    def reads(self, number: int, *said: int, way: Way = Way.WHOLE, room: int | None = None) -> Step:
        return self.step(number, lambda: map(MessageNumber, said), way, room)

    def step(
        self,
        number: int,
        pipelined: Callable[[], Iterable[MessageNumber]],
        way: Way = Way.WHOLE,
        room: int | None = None,
    ) -> Step:
        self.way = way
        here = self.here.pop(number, None) is not None
        step = self.walk.step(
            MessageNumber(number),
            way,
            here=here,
            room=lambda: self.room if room is None else room,
            pipelined=pipelined,
        )
        for one in step.forget:
            self.here.pop(one, None)
        for one in step.ask:
            assert one not in self.here
            self.here[one] = self._cost(one, way) or 0
        return step


def test_a_single_retrieval_is_no_walk() -> None:
    client = Client([1000] * 50)
    assert client.reads(1) == Step()
    assert client.reads(7) == Step()


def test_the_second_step_is() -> None:
    """So that a program that reads one message now and then costs upstream nothing."""
    client = Client([1000] * 500)
    client.reads(1)
    assert list(client.reads(2).ask) == list(range(3, 3 + FIRST_WINDOW // 1000))


def test_so_is_one_that_goes_down() -> None:
    client = Client([1000] * 50)
    client.reads(50)
    assert list(client.reads(49).ask) == list(range(48, 0, -1))


def test_nothing_is_asked_twice_and_nothing_is_left_out_all_the_way() -> None:
    client = Client([2000] * 5000)
    asked: list[int] = []
    for number in range(1, 5001):
        asked += client.reads(number).ask
    assert asked == list(range(3, 5001))


def test_windows_double_so_that_round_trips_do_not_count_for_long() -> None:
    client = Client([10_000] * 50_000)
    windows = [len(step.ask) for step in (client.reads(number) for number in range(1, 9000)) if step.ask]
    assert windows[0] == FIRST_WINDOW // 10_000
    assert all(b in {2 * a, 2 * a + 1} for a, b in itertools.pairwise(windows[:6]))
    assert max(windows) == min(LARGEST_WINDOW // 10_000, MOST_MESSAGES)


def test_the_next_window_is_asked_for_when_half_of_what_may_lie_ahead_is_used() -> None:
    """Neither a message at a time nor when the client waits already."""
    client = Client([1000] * 5000, room=200_000)
    asked = {number: len(step.ask) for number in range(1, 5001) if (step := client.reads(number)).ask}
    for number, before in zip(list(asked)[2:-1], list(asked)[1:], strict=False):
        assert asked[number] >= 95
        assert number - before >= 95


def test_tiny_messages_come_in_windows_of_bounded_number() -> None:
    client = Client([1] * 5000)
    client.reads(1)
    assert len(client.reads(2).ask) == MOST_MESSAGES


def test_whoever_pipelines_a_thousand_commands_has_them_looked_at_a_few_times() -> None:
    """Not all of them for each: a million looks took twenty seconds."""
    looks = 0

    def said(*numbers: int) -> Iterator[MessageNumber]:
        nonlocal looks
        for number in numbers:
            looks += 1
            yield MessageNumber(number)

    walks: tuple[Sequence[int], ...] = (range(1, 2501), [1] * 2500, [1, 5] * 1250, [1, 2, 3] * 800, range(2500, 0, -1))
    for walk in walks:
        client, looks = Client([10] * 2500), 0
        for at, number in enumerate(walk, 1):
            client.step(number, partial(said, *walk[at:]))
        assert looks < 12 * len(walk)


def test_a_message_larger_than_the_window_is_read_ahead_if_there_is_room() -> None:
    client = Client([1000, 1000, 500_000, 1000])
    client.reads(1)
    assert list(client.reads(2).ask) == [3]
    client = Client([1000, 1000, 500_000, 1000], room=400_000)
    client.reads(1)
    assert list(client.reads(2).ask) == []
    assert list(client.reads(3).ask) == [4], "behind the one that is streamed"


def test_a_large_message_is_streamed_and_what_comes_behind_it_is_asked_for_with_it() -> None:
    client = Client([1000, 1000, LARGEST_AHEAD + 1, 1000, LARGEST_AHEAD, 1000])
    client.reads(1)
    assert list(client.reads(2).ask) == []
    assert list(client.reads(3).ask) == [4]


def test_a_window_ends_before_a_message_that_is_not_there_or_is_deleted() -> None:
    client = Client([1000, 1000, 1000, None, 1000])
    client.reads(1)
    assert list(client.reads(2).ask) == [3]
    assert list(client.reads(3).ask) == []


def test_what_is_pipelined_needs_no_guess() -> None:
    client = Client([1000] * 50)
    assert list(client.reads(9, 3, 40, 9, 41).ask) == [3, 40, 41]
    assert list(client.reads(3, 40, 41).ask) == []
    assert list(client.reads(40, 41, 12).ask) == [12]


def test_a_pipelined_walk_is_guessed_further_than_it_is_said() -> None:
    client = Client([1000] * 500)
    assert list(client.reads(1, 2, 3).ask) == [2, 3]
    step = client.reads(2, 3)
    assert list(step.ask)[:3] == [4, 5, 6]


def test_windows_double_for_a_pipelined_walk_too() -> None:
    """Ten commands are always under way."""
    client = Client([1000] * 5000)
    asked = [len(client.reads(number, *range(number + 1, number + 11)).ask) for number in range(1, 2000)]
    windows = [count for count in asked if count]
    assert windows[:3] == [10, 131, 262]
    assert max(windows) >= 1000 > sum(count < 100 for count in windows) * 20


def test_whoever_goes_elsewhere_has_what_was_held_forgotten() -> None:
    client = Client([1000] * 500)
    client.reads(1)
    asked = client.reads(2).ask
    step = client.reads(400)
    assert (sorted(step.forget), list(step.ask)) == (sorted(asked), [])
    assert next(iter(client.reads(401).ask)) == 402


def test_whoever_skips_some_has_those_forgotten() -> None:
    client = Client([1000] * 500)
    client.reads(1)
    client.reads(2)
    assert list(client.reads(6).forget) == [3, 4, 5]
    assert list(client.reads(7).forget) == []


def test_another_way_of_reading_is_another_walk() -> None:
    """TOP 1 0, TOP 2 0 … and then RETR 1: what is held of the tops is of no use."""
    client = Client([1000] * 50)
    client.reads(1, way=Way.TOPS)
    asked = client.reads(2, way=Way.TOPS).ask
    step = client.reads(3)
    assert (sorted(step.forget), list(step.ask)) == (sorted(asked), [])


def test_what_was_lost_is_asked_for_again() -> None:
    """Upstream told that messages went, or the window failed."""
    client = Client([1000] * 500)
    client.reads(1)
    client.reads(2)
    client.here.clear()
    assert next(iter(client.reads(3).ask)) == 4
    client.here.clear()
    step = client.reads(6)
    assert (list(step.forget)[:3], next(iter(step.ask))) == ([4, 5, 6], 7)


def test_without_room_nothing_is_asked_for() -> None:
    client = Client([1000] * 50)
    client.reads(1)
    assert client.reads(2, room=0) == Step()
    assert client.reads(3, 4, 5, room=0) == Step()


def test_the_same_again_is_no_step() -> None:
    client = Client([1000] * 50)
    client.reads(1)
    assert client.reads(1) == Step()
    assert client.reads(2).ask


@given(
    st.lists(st.integers(0, 400_000) | st.none(), min_size=1, max_size=60),
    st.lists(
        st.tuples(st.integers(1, 60), st.sampled_from(Way), st.lists(st.integers(1, 70), max_size=5)), max_size=80
    ),
    st.integers(0, 1_000_000),
)
def test_whatever_a_client_does_the_budget_holds(
    sizes: list[int | None], steps: list[tuple[int, Way, list[int]]], room: int
) -> None:
    """And nothing that is asked for is the message that is read, twice there, or not to be read ahead."""
    client = Client(sizes, room)
    for number, way, said in steps:
        step = client.reads(min(number, len(sizes)), *said, way=way)
        assert min(number, len(sizes)) not in step.ask
        assert len(set(step.ask)) == len(step.ask)
        assert all(sizes[one - 1] is not None for one in step.ask)
        assert sum(client.here.values()) <= room
        assert set(client.here) == set(client.walk._ahead), "what is forgotten by one is forgotten by the other"


def test_all_sessions_together_have_a_budget_and_the_last_ones_get_something_too() -> None:
    budget = Budget(each=1000, total=10_000)
    assert budget.share(0) == 1000
    assert budget.share(400) == 600
    assert budget.share(1200) == 0
    budget.used = 9000
    assert budget.share(0) == 250
    budget.used = 10_000
    assert budget.share(0) == 0
    budget.used = 10_001
    assert budget.share(0) == 0


def test_of_each_message_as_much_is_asked_for_as_the_longest_top_so_far_needed_twice() -> None:
    """A walk over headers does not bring 16 KiB of every message."""
    assert [part_for(seen) for seen in (0, 1, 511, 600, 8000, 9000, 10**9)] == [
        FIRST_PART,
        1024,
        1024,
        1200,
        16_000,
        FIRST_PART,
        FIRST_PART,
    ]
