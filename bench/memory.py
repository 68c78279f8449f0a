"""What sessions cost in memory: idle ones, readers that stall inside a large message, and slow ones by the hundred.

Each is done to a front that has just been started, since Dovecot keeps its processes for the next session.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence

from bench.exercises import Exercise, Figures, settle
from bench.load import list_all
from bench.mailboxes import EMPTY, HUGE, WALKED
from bench.peers import Front, Kind, Link
from bench.stage import Stage
from bench.wire import Account, Door, Wire, WrongDataError

_WINDOW = 1 << 16
_STALLED = 2  # seconds, within which a front reads what it wants to have read
_SAMPLED = 0.25  # seconds
_LEAST = 0.25  # of what slow readers want: a front that sends them less would need no memory, and be of no use


def idle(sessions: int) -> Exercise:
    """Sessions after STAT, each of its own user with 100 messages. Figure: kB a session."""

    def take(stage: Stage, kind: Kind, link: Link) -> Figures:
        polled = stage.polled(sessions)
        with _fresh(stage, kind, link) as front, contextlib.ExitStack() as open_ones:
            before = front.memory()
            for filled in polled:
                wire = open_ones.enter_context(Wire(front.door))
                wire.log_in(filled.account)
                wire.ask(b"STAT\r\n")
            return {"kB": (front.memory() - before) / sessions / 1000}

    return Exercise(take)


def stalled(sessions: int) -> Exercise:
    """Readers that take 64 kB of a message of 25 MB, and then nothing. Figure: MB a session."""

    def take(stage: Stage, kind: Kind, link: Link) -> Figures:
        several = stage.aliases(HUGE, sessions)
        with _fresh(stage, kind, link) as front, contextlib.ExitStack() as open_ones:
            for filled in several:  # what it keeps of each mailbox is no part of this
                stage.loader.run(list_all, front.door, filled.account, filled.count)
            settle(stage, front, link)
            before = front.memory()
            for filled in several:
                wire = open_ones.enter_context(Wire(front.door, window=_WINDOW))
                wire.log_in(filled.account)
                wire.first_octets(b"RETR 1\r\n")
            time.sleep(_STALLED)  # noqa: TID251  # what it measures is what happens meanwhile
            return {"MB": (front.memory() - before) / sessions / 1e6}

    return Exercise(take)


def slow(sessions: int, seconds: float, rate: int) -> Exercise:
    """Readers that walk through messages of 25 MB, each so many octets a second. Figure: the most MB of the whole front
    meanwhile.
    """

    def take(stage: Stage, kind: Kind, link: Link) -> Figures:
        several = stage.aliases(WALKED, sessions)
        with _fresh(stage, kind, link) as front:
            accounts = [filled.account for filled in several]
            stage.loader.begin(crawl, front.door, accounts, seconds, rate)
            most = 0
            while not stage.loader.done(_SAMPLED):
                most = max(most, front.memory())
            taken = stage.loader.result()
            if taken < sessions * seconds * rate * _LEAST:
                raise WrongDataError(f"slow readers got {taken} octets only")
            return {"MB": most / 1e6}

    return Exercise(take)


def crawl(door: Door, accounts: Sequence[Account], seconds: float, rate: int) -> int:
    """Runs in the client's process. Two small messages tell that this is a walk; then come large ones, slowly.

    Every second client asks for all of them at once. The octets that were read slowly.
    """
    taken = 0
    with contextlib.ExitStack() as open_ones:
        wires = []
        for index, account in enumerate(accounts):
            wire = open_ones.enter_context(Wire(door, window=_WINDOW))
            wire.log_in(account)
            for number in (1, 2):
                wire.ask(b"RETR %d\r\n" % number, many_lines=True)
            wire.first_octets(b"RETR 3\r\nRETR 4\r\nRETR 5\r\n" if index % 2 else b"RETR 3\r\n")
            wires.append(wire)
        step = 0.1
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.monotonic()
            taken += sum(wire.take(int(rate * step)) for wire in wires)
            time.sleep(max(0.0, began + step - time.monotonic()))  # noqa: TID251  # slowness is its purpose
    return taken


@contextlib.contextmanager
def _fresh(stage: Stage, kind: Kind, link: Link) -> Iterator[Front]:
    """One that has served a session, so that what is made at the first is made."""
    with stage.new_front(kind, link) as front:
        nothing = stage.filled(EMPTY)
        stage.loader.run(list_all, front.door, nothing.account, nothing.count)
        yield front
