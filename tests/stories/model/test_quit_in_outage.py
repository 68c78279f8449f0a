"""QUIT while upstream is down: the promise is given at once, and kept when it is back, also over a crash (S17)."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from attrs import frozen

from tests.peers.relay import Relay, relay
from tests.peers.servers.dovecot import Dovecot
from tests.stories.model.stage import Stage, Visit, stage
from tests.stories.model.world import World, running
from tests.stories.pop3 import Refused

POLICIES = ["expunge", *(pytest.param(policy, marks=pytest.mark.slow) for policy in ("flag", "trash", "hide"))]
WAY = ".outage"
TIMEOUTS = 'deletion_wait = "1.5s"\nquit_wait = "0.6s"'
AT_ONCE = 1.5
"""Seconds; upstream is given `quit_wait`."""
pytestmark = pytest.mark.story


@frozen
class Outage:
    world: World
    relay: Relay

    def stage(self, policy: str) -> Stage:
        made = stage(self.world, policy, WAY)
        for number in range(4):
            made.post(made.new_letter(size=0, date=0, with_id=True), frozenset({r"\Seen"} if number == 3 else ()))
        made.leave(made.enter(retrieve_all=True))
        return made

    def quit(self, made: Stage) -> str:
        """A session that marks 1 and 3, and its QUIT behind which upstream is down."""
        visit = made.enter(retrieve_all=False)
        for number in (1, 3):
            visit.client.do(f"DELE {number}")
            visit.marks.add(number)
        self.relay.go_down()
        start = monotonic()
        line = visit.client.ask("QUIT").decode()
        print(f"QUIT is answered {line!r} after {monotonic() - start:.1f} s")
        assert monotonic() - start < AT_ONCE
        self._left(made, visit, line)
        return line

    def _left(self, made: Stage, visit: Visit, line: str) -> None:
        made.gone(visit)
        made.truth.quit_begun(visit.marked(), promised=line.startswith("+OK"), replaced=False)
        made.look()


def outage(server: Dovecot, folder: Path, stack: ExitStack, state: str = "sqlite:popbridge.sqlite") -> Outage:
    way = stack.enter_context(relay(server.port))
    made = World(server, folder, ways={WAY: way.port}, state=state, timeouts=TIMEOUTS)
    return Outage(stack.enter_context(running(made)), way)


@pytest.fixture(scope="module")
def durable(dovecot_server: Dovecot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outage]:
    with ExitStack() as stack:
        yield outage(dovecot_server, tmp_path_factory.mktemp("outage"), stack)


@pytest.mark.parametrize("policy", POLICIES)
def test_it_is_done_by_itself_when_upstream_is_back(policy: str, durable: Outage) -> None:
    made = durable.stage(policy)
    assert durable.quit(made).startswith("+OK")
    assert len(made.truth.waiting) == 2, "nothing can have been done"
    with pytest.raises(Refused, match=r"\[SYS/TEMP\]"):
        made.enter(retrieve_all=False)
    durable.relay.come_back()
    made.until_done()
    made.leave(made.enter(retrieve_all=True))
    made.close()


@pytest.mark.parametrize("policy", POLICIES)
def test_a_login_that_finds_upstream_back_does_not_show_it(policy: str, durable: Outage) -> None:
    made = durable.stage(policy)
    assert durable.quit(made).startswith("+OK")
    durable.relay.come_back()
    made.leave(made.enter(retrieve_all=True))
    assert not made.truth.waiting
    made.close()


@pytest.mark.parametrize("policy", POLICIES)
def test_after_a_crash_the_next_login_does_it_before_it_lists(policy: str, durable: Outage) -> None:
    """The bridge has written down no password: until then nothing happens."""
    made = durable.stage(policy)
    assert durable.quit(made).startswith("+OK")
    made.kill()
    with pytest.raises(Refused, match=r"\[SYS/TEMP\]"):
        made.enter(retrieve_all=False)
    durable.relay.come_back()
    made.look()
    assert len(made.truth.waiting) == 2
    visit = made.enter(retrieve_all=True)
    assert not made.truth.waiting
    assert len(visit.copies) == 2
    made.leave(visit)
    made.close()


@pytest.mark.parametrize("policy", POLICIES)
def test_what_somebody_deletes_meanwhile_is_as_well(policy: str, durable: Outage) -> None:
    """And mail that came meanwhile is listed, under a UIDL of its own."""
    made = durable.stage(policy)
    assert durable.quit(made).startswith("+OK")
    made.kill()
    [gone, *_] = made.truth.waiting
    made.user.expunge(gone.uid)
    del made.truth.copies[gone.uid]
    made.post(made.new_letter(size=0, date=0, with_id=True), frozenset())
    durable.relay.come_back()
    visit = made.enter(retrieve_all=True)
    assert len(visit.copies) == 3
    made.leave(visit)
    made.close()


def test_without_a_store_the_truth_is_told(dovecot_server: Dovecot, tmp_path: Path) -> None:
    with ExitStack() as stack:
        here = outage(dovecot_server, tmp_path, stack, state="memory:")
        made = here.stage("expunge")
        assert here.quit(made).startswith("-ERR [SYS/TEMP] 2 of 2 ")
        here.relay.come_back()
        visit = made.enter(retrieve_all=True)
        assert len(visit.copies) == 4, "what was not promised does not happen later"
        made.leave(visit)
        Event().wait(0.5)
        made.look()
        made.close()
