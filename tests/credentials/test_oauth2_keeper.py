"""One access token for all sessions of a grant, and one request at a time however many of them wait for it."""

from collections.abc import Awaitable

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from bridge.credentials.oauth2_answers import Tokens
from bridge.credentials.oauth2_client import NoTokens
from bridge.credentials.oauth2_keeper import FRESH, LONGEST_REST, PRESUMED, Keeper
from bridge.credentials.oauth2_renewal import ConsentNeeded
from bridge.maildrop.errors import StateUnavailable, UpstreamUnavailable, UpstreamUnsuitable
from bridge.secret import Secret
from tests.credentials.authority import Outcome, watched

MIDDLE = 0.5
"""Of chance: no jitter at all."""


@define
class Ground:
    """A keeper whose renewals the test answers."""

    clock: Clock = field(factory=Clock)
    chance: float = MIDDLE
    asked: list["Deferred[Tokens]"] = field(factory=list)
    delays: list[tuple[str, float]] = field(factory=list)
    keeper: Keeper = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.keeper = Keeper(
            "work", self._renew, self.clock, lambda: self.chance, lambda *delay: self.delays.append(delay)
        )

    def _renew(self) -> Awaitable[Tokens]:
        asked: Deferred[Tokens] = Deferred()
        self.asked.append(asked)
        return asked

    def answer(self, access: bytes = b"a1", lifetime: float | None = 1000.0) -> None:
        self.asked[-1].callback(Tokens(Secret(access), lifetime))

    def fail(self, error: Exception) -> None:
        self.asked[-1].errback(error)

    def wait(self) -> Outcome:
        return watched(self.keeper.token())

    def taken(self) -> bytes:
        outcome = self.wait()
        assert outcome.over, "it waits"
        if outcome.error is not None:
            raise outcome.error
        assert isinstance(outcome.result, Secret)
        return outcome.result.reveal()


def test_fifty_who_wait_cost_one_request() -> None:
    ground = Ground()
    waiting = [ground.wait() for _ in range(50)]
    ground.answer()

    assert [outcome.result for outcome in waiting] == [Secret(b"a1")] * 50
    assert ground.taken() == b"a1"
    assert len(ground.asked) == 1


def test_who_leaves_leaves_the_others_and_the_request_alone() -> None:
    ground = Ground()
    first, second = ground.keeper.token(), ground.keeper.token()
    left, stays = watched(first), watched(second)

    first.cancel()
    assert isinstance(left.error, CancelledError)
    ground.answer()
    assert stays.result == Secret(b"a1")

    only = ground.keeper
    ground.clock.advance(2000)
    alone = only.token()
    outcome = watched(alone)
    alone.cancel()
    ground.answer(b"a2")
    assert isinstance(outcome.error, CancelledError)
    assert ground.taken() == b"a2"
    assert len(ground.asked) == 2


def test_a_token_is_renewed_ahead_of_its_end_while_nobody_waits() -> None:
    ground = Ground()
    ground.wait()
    ground.answer(lifetime=1000.0)

    ground.clock.advance(799)
    assert ground.taken() == b"a1"
    assert len(ground.asked) == 1
    ground.clock.advance(2)
    assert [ground.taken() for _ in range(3)] == [b"a1"] * 3
    assert len(ground.asked) == 2
    ground.answer(b"a2")
    assert ground.taken() == b"a2"


@pytest.mark.parametrize(("chance", "share"), [(0.0, 0.75), (MIDDLE, 0.8), (0.999, 0.85)])
def test_not_all_bridges_renew_at_the_same_time(chance: float, share: float) -> None:
    ground = Ground(chance=chance)
    ground.wait()
    ground.answer(lifetime=1000.0)
    ground.clock.advance(1000 * share - 1)
    ground.taken()
    assert len(ground.asked) == 1
    ground.clock.advance(2)
    ground.taken()
    assert len(ground.asked) == 2


def test_nobody_gets_a_token_that_is_about_to_end() -> None:
    ground = Ground()
    ground.wait()
    ground.answer(lifetime=1000.0)
    ground.clock.advance(941)
    late = ground.wait()
    assert not late.over
    ground.answer(b"a2", lifetime=10.0)
    assert late.result == Secret(b"a2")
    ground.clock.advance(8.9)
    assert ground.taken() == b"a2"


@pytest.mark.parametrize("lifetime", [0.0, None])
def test_a_token_of_no_known_life_is_used_once_or_for_an_hour(lifetime: float | None) -> None:
    ground = Ground()
    first = ground.wait()
    ground.answer(lifetime=lifetime)
    assert first.result == Secret(b"a1")
    second = ground.wait()
    assert second.over == (lifetime is None)
    ground.clock.advance(PRESUMED)
    assert not ground.wait().over


def test_after_a_failure_nobody_asks_for_a_while_that_grows() -> None:
    ground = Ground()
    rests = []
    for _ in range(14):
        outcome = ground.wait()
        assert not outcome.over
        ground.fail(NoTokens("down"))
        assert isinstance(outcome.error, UpstreamUnavailable)
        assert (str(outcome.error), outcome.error.detail) == (
            "work: no access token can be had now; try again later",
            "down",
        )
        asked = len(ground.asked)
        with pytest.raises(UpstreamUnavailable):
            ground.taken()
        assert len(ground.asked) == asked
        rests.append(ground.delays[-1][1])
        ground.clock.advance(rests[-1])
    assert rests == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, *[LONGEST_REST] * 4]

    late = ground.wait()
    ground.answer()
    assert late.result == Secret(b"a1")
    ground.clock.advance(2000)
    ground.wait()
    ground.fail(NoTokens("down again"))
    assert ground.delays[-1] == ("down again", 1.0)


def test_a_server_s_own_word_on_when_to_come_back_holds() -> None:
    ground = Ground(chance=0.0)
    ground.wait()
    ground.fail(NoTokens("busy", retry_after=90.0))
    assert ground.delays == [("busy", 90.0)]
    ground.clock.advance(89)
    with pytest.raises(UpstreamUnavailable):
        ground.taken()
    ground.clock.advance(1)
    assert not ground.wait().over


def test_while_renewals_fail_a_token_that_is_still_good_serves() -> None:
    ground = Ground()
    ground.wait()
    ground.answer(lifetime=1000.0)
    ground.clock.advance(801)
    ground.taken()
    ground.fail(NoTokens("down"))
    assert ground.taken() == b"a1"
    assert len(ground.asked) == 2
    ground.clock.advance(1)
    assert ground.taken() == b"a1"
    assert len(ground.asked) == 3


def test_missing_consent_says_what_the_owner_has_to_run() -> None:
    ground = Ground()
    outcome = ground.wait()
    ground.fail(ConsentNeeded("invalid_grant (revoked)"))
    assert isinstance(outcome.error, UpstreamUnsuitable)
    assert "popbridge authorise work" in str(outcome.error)
    assert outcome.error.detail == "invalid_grant (revoked)"
    assert not ground.wait().over  # whoever comes next looks again whether consent was given
    assert ground.delays == []


def test_the_vault_s_trouble_is_told_as_it_is_and_costs_no_rest() -> None:
    ground = Ground()
    outcome = ground.wait()
    ground.fail(StateUnavailable("the disk is full"))
    assert isinstance(outcome.error, StateUnavailable)
    assert not ground.wait().over


def test_a_fault_of_ours_asks_nobody_in_a_loop() -> None:
    ground = Ground()
    outcome = ground.wait()
    ground.fail(KeyError("refresh"))
    assert isinstance(outcome.error, KeyError)
    assert ground.delays == [("KeyError", 1.0)]
    with pytest.raises(UpstreamUnavailable):
        ground.taken()


def test_a_refused_token_is_thrown_away_once_for_all_who_had_it() -> None:
    ground = Ground()
    ground.wait()
    ground.answer()

    assert ground.keeper.refused(Secret(b"a1"))
    waiting = [ground.wait() for _ in range(2)]
    assert ground.keeper.refused(Secret(b"a1"))
    ground.answer(b"a2")
    assert ground.keeper.refused(Secret(b"a1"))
    assert [outcome.result for outcome in waiting] == [Secret(b"a2")] * 2
    assert ground.taken() == b"a2"
    assert len(ground.asked) == 2


def test_where_its_successor_is_refused_too_no_third_is_asked_for_so_soon() -> None:
    ground = Ground()
    ground.wait()
    ground.answer()
    assert ground.keeper.refused(Secret(b"a1"))
    ground.wait()
    ground.answer(b"a2")

    for _ in range(3):
        assert not ground.keeper.refused(Secret(b"a2"))
        assert ground.taken() == b"a2"
    assert len(ground.asked) == 2
    ground.clock.advance(FRESH)
    assert ground.keeper.refused(Secret(b"a2"))


def test_who_stops_the_bridge_waits_for_the_request_that_is_under_way() -> None:
    ground = Ground()
    assert watched(ground.keeper.settled()).over
    ground.wait()
    settled = watched(ground.keeper.settled())
    assert not settled.over
    ground.answer()
    assert settled.over


STEPS = st.lists(
    st.sampled_from(["wait", "leave", "answer", "fail", "stop", "refuse"]) | st.integers(1, 400), max_size=40
)


@given(STEPS)
def test_whatever_happens_there_is_one_request_and_everybody_hears(steps: list[str | int]) -> None:
    ground = Ground()
    waiting: list[tuple[Deferred[Secret], Outcome]] = []

    def under_way() -> bool:
        return any(not asked.called for asked in ground.asked)

    for step in steps:
        match step:
            case "wait":
                token = ground.keeper.token()
                waiting.append((token, watched(token)))
            case "leave" if waiting:
                waiting.pop()[0].cancel()
            case "answer" if under_way():
                ground.answer(b"a%d" % len(ground.asked))
            case "fail" if under_way():
                ground.fail(NoTokens("down"))
            case "stop" if under_way():
                ground.fail(ConsentNeeded("revoked"))
            case "refuse" if ground.asked:
                ground.keeper.refused(Secret(b"a%d" % len(ground.asked)))
            case int(seconds):
                ground.clock.advance(seconds)
        assert sum(not asked.called for asked in ground.asked) <= 1
        assert all(outcome.over or under_way() for _, outcome in waiting)
