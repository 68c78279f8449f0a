"""A thousand tries at once are asked upstream few by few, and nobody is left waiting for ever."""

from collections.abc import Iterator

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from bridge.downstream.crowd import PER_ACCOUNT, PER_ADDRESS, Crowd


def _cancelled(failure: Failure) -> None:
    assert isinstance(failure.value, CancelledError)


class Ground:
    """Logins that stay inside until they are let go."""

    def __init__(self) -> None:
        self.crowd = Crowd()
        self.inside: list[Deferred[None]] = []

    def come(self, network: bytes = b"here", account: str = "ann") -> "Deferred[None]":
        return Deferred.fromCoroutine(self._visit(network, account))

    async def _visit(self, network: bytes, account: str) -> None:
        async with self.crowd.place(network, account):
            gate: Deferred[None] = Deferred()
            self.inside.append(gate)
            await gate

    def let_all_go(self) -> None:
        gates, self.inside = self.inside, []
        for gate in gates:
            gate.callback(None)


@pytest.fixture
def ground() -> Iterator[Ground]:
    """Nobody is left inside: coroutines that hang would fail another test, whenever they are collected."""
    ground = Ground()
    yield ground
    while ground.inside:
        ground.let_all_go()
    assert len(ground.crowd) == 0


def test_few_tries_on_one_account_are_with_upstream_at_once(ground: Ground) -> None:
    for address in range(50):
        ground.come(network=b"%d" % address)

    assert len(ground.inside) == PER_ACCOUNT


def test_few_tries_of_one_address_are_with_upstream_at_once(ground: Ground) -> None:
    for account in range(50):
        ground.come(account=str(account))

    assert len(ground.inside) == PER_ADDRESS


def test_who_waits_gets_in_when_others_leave_and_nothing_is_kept_of_them(ground: Ground) -> None:
    visits = [ground.come() for _ in range(PER_ACCOUNT * 3)]
    while ground.inside:
        ground.let_all_go()

    assert all(visit.called for visit in visits)
    assert len(ground.crowd) == 0


def test_who_leaves_the_queue_or_fails_inside_takes_no_place_along(ground: Ground) -> None:
    visits = [ground.come() for _ in range(PER_ACCOUNT + 2)]
    for visit in (visits[-1], visits[0]):
        visit.addErrback(_cancelled)
        visit.cancel()
    while ground.inside:
        ground.let_all_go()

    assert all(visit.called for visit in visits)
    assert len(ground.crowd) == 0


def test_one_account_that_hangs_keeps_nobody_else_of_its_address_out(ground: Ground) -> None:
    for _ in range(PER_ADDRESS * 2):
        ground.come(account="hangs")
    before = len(ground.inside)
    ground.come(account="ben")

    assert len(ground.inside) == before + 1


def test_thousands_who_leave_as_soon_as_they_are_let_in_do_so_one_after_the_other(ground: Ground) -> None:
    first = [ground.come() for _ in range(PER_ACCOUNT)]
    left: list[None] = []

    async def look_in() -> None:
        async with ground.crowd.place(b"here", "ann"):
            pass
        left.append(None)

    others = [Deferred.fromCoroutine(look_in()) for _ in range(2_500)]
    ground.let_all_go()

    assert all(visit.called for visit in first + others)
    assert len(left) == len(others)
    assert len(ground.crowd) == 0
