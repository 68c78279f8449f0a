"""Passwords are checked beside the reactor, a few at a time; a crowd is told to come back instead of filling memory."""

from threading import Event, Timer, current_thread

import pytest
from twisted.internet import reactor  # noqa: TID251  # real threads
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from bridge.credentials.workers import TooManyAtOnce, Workers, threads_for


class WorkersTest(TestCase):
    def workers(self, *, threads: int = 1, waiting: int = 10) -> Workers:
        made = Workers(reactor, threads=threads, waiting=waiting)  # type: ignore[arg-type]  # the module is the reactor
        self.addCleanup(made.stop)
        return made

    def test_the_job_runs_in_a_thread_of_its_own_and_the_answer_comes_back(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._answers())

    async def _answers(self) -> None:
        workers = self.workers()
        assert await workers(current_thread) is not current_thread()
        with pytest.raises(ZeroDivisionError):
            await workers(lambda: 1 // 0)

    def test_beyond_the_queue_nobody_waits_and_afterwards_there_is_room_again(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._bounded())

    async def _bounded(self) -> None:
        workers, go_on = self.workers(waiting=3), Event()
        waiting: list[Deferred[bool]] = [workers(lambda: go_on.wait(10)) for _ in range(3)]
        with pytest.raises(TooManyAtOnce, match="try again") as caught:
            workers(lambda: True)
        assert caught.value.temporary
        go_on.set()
        assert await gatherResults(waiting) == [True] * 3
        assert await workers(lambda: True)

    def test_nothing_is_done_for_who_has_gone_meanwhile(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._gone())

    async def _gone(self) -> None:
        workers, go_on, done = self.workers(), Event(), list[str]()

        def wait() -> None:
            go_on.wait(10)

        first, second, third = (
            workers(job) for job in (wait, lambda: done.append("second"), lambda: done.append("third"))
        )
        second.addErrback(lambda _: None)
        second.cancel()
        go_on.set()
        await gatherResults([first, third])
        assert done == ["third"]

    def test_no_more_at_once_than_there_are_threads(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._few())

    async def _few(self) -> None:
        workers, names = self.workers(threads=2, waiting=50), set[str]()
        await gatherResults([workers(lambda: names.add(current_thread().name)) for _ in range(50)])
        assert len(names) <= 2

    def test_stopping_does_not_wait_for_those_that_wait(self) -> None:
        workers, started, go_on, done = self.workers(), Event(), Event(), list[str]()

        def first() -> None:
            started.set()
            go_on.wait(10)

        workers(first)
        workers(lambda: done.append("second"))
        started.wait(10)
        Timer(0.2, go_on.set).start()
        workers.stop()
        workers.stop()
        assert not done
        with pytest.raises(TooManyAtOnce):
            workers(lambda: True)


def test_one_core_is_left_to_the_reactor() -> None:
    assert [threads_for(cores) for cores in (1, 2, 3, 64)] == [1, 1, 2, 4]
