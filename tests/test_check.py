"""`popbridge check` at its cheapest level: addresses. Upstreams are looked at in `test_cli`, as an owner does."""

import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock

from bridge.check import check
from bridge.config import Config, OwnAccount, from_flags
from bridge.state.migrate import migrate


def config_for(address: str, state: str) -> Config:
    flags = {"pop3": [address], "pop3s": [], "upstream": ["imap://127.0.0.1:1"]}
    return from_flags(**flags, state=state, delete=None, seen=None, certificate=None, key=None)


def said_of(address: str, state: str = "memory:", config: Config | None = None) -> list[str]:
    said: list[str] = []
    reactor: Any = MemoryReactorClock()  # type: ignore[no-untyped-call]  # Twisted has no types there
    config = config or config_for(address, state)
    checking = Deferred.fromCoroutine(check(config, reactor, said.append, None, None))
    checking.addErrback(lambda _: None)
    return said


def test_what_becomes_of_the_state_is_told(tmp_path: Path) -> None:
    file = tmp_path / "popbridge.sqlite"

    assert "nothing survives" in said_of("127.0.0.1:0")[1]
    assert said_of("127.0.0.1:0", f"sqlite:{file}")[1] == f"state {file}: not there yet, can be made"
    assert not file.exists()
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        migrate(db, file)
    assert said_of("127.0.0.1:0", f"sqlite:{file}")[1] == f"state {file}: fine"
    file.write_bytes(b"no database" * 1000)
    assert said_of("127.0.0.1:0", f"sqlite:{file}")[1] == f"state: {file} is no SQLite database"


def test_a_free_address_is_called_free() -> None:
    assert said_of("127.0.0.1:0")[0] == "listen 127.0.0.1:0 (POP3): free"


def test_a_taken_address_is_named_with_its_likely_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = said_of(f"127.0.0.1:{taken.getsockname()[1]}")

    assert "already in use (is the bridge running?)" in said[0]


def test_an_address_of_another_machine_is_refused() -> None:
    assert "cannot be used" in said_of("192.0.2.1:1110")[0]


def test_a_pattern_that_takes_accounts_too_is_named() -> None:
    """Typed in capitals the name is no account's, and the device's password would go to somebody else's server."""
    config = config_for("127.0.0.1:0", "memory:")
    own = evolve(config, accounts=(OwnAccount(user="ann"),))
    narrow = evolve(own, passthrough=(evolve(config.passthrough[0], users="*@example.org"),))

    assert any('users = "*" takes the names of accounts too' in line for line in said_of("", config=own))
    for fine in (config, narrow):
        assert not any("takes the names" in line for line in said_of("", config=fine))
