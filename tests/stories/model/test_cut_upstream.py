"""The connection to upstream fails at every single exchange of a session, in every way, one at a time.

Whatever it is: no listing is shorter, nothing is lost that was not DELE'd and QUIT, every +OK comes true, and all
UIDLs are what they were.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue

import pytest
from attrs import frozen

from tests.peers.relay import Fault, Relay, relay
from tests.peers.servers.dovecot import Dovecot
from tests.stories.model.cutting import TIMEOUTS, Cut, tried
from tests.stories.model.truth import Broken
from tests.stories.model.world import World, running

LANES = 8
"""Sessions at once: most of the time is waiting for time-outs."""
POLICIES = ["flag", "expunge", "trash", "hide"]


@frozen
class Lanes:
    world: World
    relays: dict[str, Relay]

    def clean(self, policy: str, *, first: bool) -> list[str]:
        """The exchanges of a session in which nothing fails."""
        [(way, relay), *_] = self.relays.items()
        came = tried(self.world, way, relay, Cut(policy, first, 0, "", None))
        assert (came.login, came.retrieved) == ("+OK", 3), came
        assert came.quit.startswith("+OK")
        return came.exchanges

    def crashes(self, policy: str) -> None:
        """One after the other, since all lanes share the bridge that is killed."""
        [(way, relay), *_] = self.relays.items()
        verbs = self.clean(policy, first=False)
        told: Counter[str] = Counter()
        for at in range(verbs.index("SELECT"), len(verbs)):
            for fault in (Fault.UNSENT, Fault.UNANSWERED):
                came = tried(self.world, way, relay, Cut(policy, False, at, verbs[at], fault), crash=True)
                told[f"QUIT {came.quit[:16]}"] += 1
        print(f"{told.total()} crash points tried; " + ", ".join(f"{n} {what}" for what, n in sorted(told.items())))

    def all(self, cuts: Sequence[Cut]) -> Counter[str]:
        """Tries them all; what clients were told, counted. Fails with what broke."""
        free: SimpleQueue[str] = SimpleQueue()
        for way in self.relays:
            free.put(way)
        broken: list[str] = []
        told: Counter[str] = Counter()

        def one(cut: Cut) -> None:
            way = free.get()
            try:
                came = tried(self.world, way, self.relays[way], cut)
            except Broken as what:
                broken.append(str(what))
            else:
                told[f"login {came.login[:16]}"] += 1
                told[f"QUIT {came.quit[:16]}"] += 1
            finally:
                free.put(way)

        with ThreadPoolExecutor(len(self.relays)) as pool:
            for _ in pool.map(one, cuts):
                pass
        print(f"{len(cuts)} cut points tried; " + ", ".join(f"{n} {what}" for what, n in sorted(told.items())))
        assert not broken, f"{len(broken)} of {len(cuts)}:\n" + "\n".join(broken)
        return told


@pytest.fixture(scope="module")
def lanes(dovecot_server: Dovecot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lanes]:
    with ExitStack() as stack:
        relays = {f".{n}": stack.enter_context(relay(dovecot_server.port)) for n in range(LANES)}
        ways = {way: each.port for way, each in relays.items()}
        made = World(dovecot_server, tmp_path_factory.mktemp("cut"), ways=ways, timeouts=TIMEOUTS)
        yield Lanes(stack.enter_context(running(made)), relays)


def cuts(lanes: Lanes, policy: str, *, first: bool, faults: Sequence[Fault]) -> list[Cut]:
    exchanges = lanes.clean(policy, first=first)
    print(f"{policy}, {'first' if first else 'second'} login: {' '.join(exchanges)}")
    return [Cut(policy, first, at, verb, fault) for fault in faults for at, verb in enumerate(exchanges)]


@pytest.mark.story
def test_cut_when_upstream_has_done_it_and_not_yet_said_so(lanes: Lanes) -> None:
    lanes.all(cuts(lanes, "expunge", first=False, faults=[Fault.UNANSWERED]))


@pytest.mark.slow
@pytest.mark.parametrize("first", [True, False], ids=["first", "second"])
@pytest.mark.parametrize("policy", POLICIES)
def test_every_exchange_in_every_way(policy: str, first: bool, lanes: Lanes) -> None:
    lanes.all(cuts(lanes, policy, first=first, faults=list(Fault)))


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
def test_the_bridge_is_killed_at_every_exchange(policy: str, lanes: Lanes) -> None:
    """Before upstream has heard the command, and when it has done it: what QUIT began is settled by the next login."""
    lanes.crashes(policy)
