"""A mail program that fetches one message over and over is told of, and told of rarely."""

from bridge.postoffice.loops import Loops


def test_the_tenth_and_the_hundredth_time_are_told() -> None:
    loops = Loops()
    told = [loops.retrieved(("a", 1)) for _ in range(150)]
    assert [(at, times) for at, times in enumerate(told, 1) if times is not None] == [(10, 10), (100, 100)]


def test_every_login_and_message_has_its_own_count() -> None:
    loops = Loops()
    assert {loops.retrieved((a, v, u)) for a in "ab" for v in "cd" for u in "efg"} == {None}
    for _ in range(8):
        assert loops.retrieved(("a", "c", "e")) is None
    assert loops.retrieved(("a", "c", "e")) == 10
    assert loops.retrieved(("a", "d", "e")) is None


def test_what_was_longest_not_fetched_is_forgotten_first() -> None:
    loops = Loops(watched=2)
    for _ in range(9):
        loops.retrieved(("a", 1))
    for uid in (2, 3):
        loops.retrieved(("a", uid))
    assert loops.retrieved(("a", 1)) is None
    assert len(loops._times) == 2
