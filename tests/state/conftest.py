"""A store on a fresh file, and others on the same one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.state.sqlite import SqliteStore
from tests.state.pump import Pump


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


@pytest.fixture
def pump() -> Pump:
    return Pump()


@pytest.fixture
def opened(path: Path, pump: Pump) -> Iterator[Callable[[], SqliteStore]]:
    stores: list[SqliteStore] = []

    def opened() -> SqliteStore:
        stores.append(SqliteStore.open(path, pump))
        return stores[-1]

    yield opened
    for store in stores:
        pump.wait(store.close())


@pytest.fixture
def store(opened: Callable[[], SqliteStore]) -> SqliteStore:
    return opened()
