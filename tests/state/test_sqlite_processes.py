"""Two processes on one file, and one that is killed."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from math import inf
from pathlib import Path

import pytest
from attrs import evolve

from bridge.maildrop.errors import StateUnavailable
from bridge.maildrop.memory import News
from bridge.state.sqlite import SqliteStore
from bridge.state.store import Overtaken, UidlTaken
from tests.state.pump import Pump
from tests.state.values import KEY, entry, memory

# Two processes on one file.


def test_each_sees_what_the_other_has_stored(opened: Callable[[], SqliteStore], pump: Pump) -> None:
    bridge, owner = opened(), opened()
    stored = pump.wait(bridge.remember(KEY, memory(10), News()))
    assert pump.wait(owner.recall(KEY)) == stored
    assert pump.wait(owner.accept(KEY))
    found = pump.wait(bridge.recall(KEY))
    assert found is not None
    assert found.accepted
    written = pump.wait(bridge.write_down(KEY, [entry(1)]))
    assert pump.wait(owner.journal(KEY, inf)) == written


def test_who_comes_second_is_told(opened: Callable[[], SqliteStore], pump: Pump) -> None:
    bridge, owner = opened(), opened()
    pump.wait(bridge.remember(KEY, memory(10), News()))
    asked = [one.remember(KEY, memory(11, version=1), News(given={11: "x"})) for one in (bridge, owner)]
    outcomes = []
    for one in asked:
        try:
            outcomes.append(pump.wait(one).version)
        except Overtaken:
            outcomes.append(0)
    assert sorted(outcomes) == [0, 2]
    pump.wait(owner.import_uidls(KEY, 1, {1: "old"}))
    with pytest.raises(Overtaken):
        pump.wait(bridge.remember(KEY, memory(11, version=2), News()))
    with pytest.raises(UidlTaken):
        pump.wait(bridge.remember(KEY, memory(11, version=3), News(given={2: "old"})))


def test_one_that_writes_long_is_waited_for_and_hurts_no_reader(store: SqliteStore, path: Path, pump: Pump) -> None:
    stored = pump.wait(store.remember(KEY, memory(10), News()))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = store.accept(KEY)
        assert pump.wait(store.recall(KEY)) == stored
        assert not waiting.called
        other.execute("ROLLBACK")
        assert pump.wait(waiting)
        other.execute("BEGIN EXCLUSIVE")
        before = time.monotonic()
        with pytest.raises(StateUnavailable, match="held by another program"):
            pump.wait(store.accept(KEY))
        assert time.monotonic() - before < 2, "QUIT answers in 2.5 seconds"
        assert pump.wait(store.recall(KEY)) == evolve(stored, version=2, accepted=True)


# The end of the process.

WRITING = """
import sys
from pathlib import Path
from bridge.maildrop.memory import News
from bridge.state.sqlite import SqliteStore
from tests.state.pump import Pump
from tests.state.values import KEY, entry, memory

pump = Pump()
store = SqliteStore.open(Path(sys.argv[1]), pump)
found = pump.wait(store.recall(KEY))
if found is None:
    pump.wait(store.remember(KEY, memory(1000), News()))
print("ready", flush=True)

def say(written):
    print("\\n".join(str(one.id) for one in written), flush=True)

uid = int(sys.argv[2])
while True:
    asked = []
    for group in range(3):
        asked.append(store.write_down(KEY, [entry(uid + n) for n in range(group + 1)]).addCallback(say))
        uid += group + 1
    for one in asked:
        pump.wait(one)
"""


def test_what_was_answered_outlives_a_kill_at_any_moment(
    opened: Callable[[], SqliteStore], path: Path, pump: Pump
) -> None:
    chance = random.Random(3)
    promised: set[int] = set()
    for attempt in range(5):
        command = [sys.executable, "-c", WRITING, str(path), str(1 + 10_000_000 * attempt)]
        root = Path(__file__).parents[2]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            lines = [child.stdout.readline() for _ in range(chance.randrange(1, 400))]
            child.send_signal(signal.SIGKILL)
            lines.extend(child.stdout.readlines())
        promised.update(int(line) for line in lines if line.endswith("\n"))
        store = opened()
        waiting = pump.wait(store.journal(KEY, inf))
        assert promised <= {one.id for one in waiting}
        uids = {one.uid - 10_000_000 * attempt - 1 for one in waiting}
        for group in ({1, 2}, {3, 4, 5}):  # what was asked together is there whole or not at all
            firsts = [uid // 6 * 6 for uid in uids if uid % 6 in group and uid >= 0]
            assert all({first + one for one in group} <= uids for first in firsts)
        assert len(pump.wait(store.recall(KEY)).listing) == 1000  # type: ignore[union-attr]  # it was remembered
        pump.wait(store.close())
    assert len(promised) > 100
