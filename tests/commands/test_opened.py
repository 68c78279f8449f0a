"""What a command is about is opened and closed, or a sentence says why not."""

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import pytest
from twisted.internet import reactor  # noqa: TID251  the state file's threads answer on the real one
from twisted.trial.unittest import TestCase

from bridge.commands.opened import find_account, find_sources, mailbox_of, plain_login, settings_of, state_of
from bridge.commands.terminal import CommandRefused
from bridge.config import Config, OwnAccount, OwnSource, PassThrough, Reference
from bridge.maildrop.errors import StateUnavailable, UpstreamUnavailable
from bridge.secret import Secret
from bridge.state.migrate import schemas
from tests.commands.house import UPSTREAM
from tests.peers.child import free_port

_REACTOR: Any = reactor


def config(state: Path | None = None, **settings: Any) -> Config:
    return Config(base=Path("/"), listeners=(), passthrough=(PassThrough(upstream=UPSTREAM, **settings),), state=state)


def test_without_a_file_the_flags_of_twistd_say_the_same(tmp_path: Path) -> None:
    settings = settings_of(None, "imaps://imap.example.org", f"sqlite:{tmp_path}/state.sqlite")

    assert settings.passthrough[0].upstream == UPSTREAM
    assert settings.state == tmp_path / "state.sqlite"


def test_a_file_and_flags_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(CommandRefused, match="the file says both"):
        settings_of(tmp_path / "popbridge.toml", None, "memory:")


def test_a_mistake_in_the_configuration_is_a_sentence() -> None:
    with pytest.raises(CommandRefused, match="--upstream"):
        settings_of(None, None, None)


def test_a_login_that_nobody_takes_is_a_sentence() -> None:
    with pytest.raises(CommandRefused, match="takes the login ben"):
        find_account(config(users="a*"), "ben")
    with pytest.raises(CommandRefused, match="not taken: a \\* in the login"):
        find_account(config(), "a*b")


def test_of_several_sources_it_is_said_which_is_meant() -> None:
    sources = [
        OwnSource(upstream=UPSTREAM, name=name, login="ann", secret=Reference("env", "X")) for name in ("work", "home")
    ]
    several = Config(base=Path("/"), listeners=(), accounts=(OwnAccount(user="alice", source=tuple(sources)),))

    assert [account.source for account in find_sources(several, "alice")] == ["work", "home"]
    assert find_account(several, "alice", "home").label == "alice/home"
    with pytest.raises(CommandRefused, match="several sources; say which: --source work, --source home"):
        find_account(several, "alice")
    with pytest.raises(CommandRefused, match="alice has no source old; there is work, home"):
        find_account(several, "alice", "old")
    with pytest.raises(CommandRefused, match=r"ann has no source work$"):
        find_account(config(), "ann", "work")


def test_the_old_server_hears_no_view() -> None:
    with_views = config(login_views=True)

    assert plain_login("ann#newest=5", find_account(with_views, "ann#newest=5")) == "ann"
    assert plain_login("ann#newest=5", find_account(config(), "ann#newest=5")) == "ann#newest=5"


class OpenedTest(TestCase):
    def setUp(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="opened-"))
        self.addCleanup(shutil.rmtree, folder)
        self.file = folder / "state.sqlite"

    async def refused(self, settings: Config, missing: Literal["make", "refuse", "empty"]) -> str:
        with pytest.raises(CommandRefused) as refused:
            async with state_of(settings, _REACTOR, missing=missing):
                pass
        return str(refused.value)

    async def test_a_command_that_reads_makes_no_file(self) -> None:
        assert "nothing is remembered yet" in await self.refused(config(self.file), "refuse")
        assert not self.file.exists()

    async def test_a_command_that_writes_makes_it_and_closes_it(self) -> None:
        async with state_of(config(self.file), _REACTOR, missing="make") as store:
            assert await store.known() == []
        with pytest.raises(StateUnavailable):
            await store.known()
        async with state_of(config(self.file), _REACTOR, missing="refuse") as store:
            assert await store.known() == []

    async def test_state_in_memory_is_gone_before_a_command_comes(self) -> None:
        assert 'state = "sqlite:FILE"' in await self.refused(config(None), "make")

    async def test_a_comparison_needs_no_file_and_makes_none(self) -> None:
        for settings in (config(self.file), config(None)):
            async with state_of(settings, _REACTOR, missing="empty") as store:
                assert await store.known() == []
        assert not self.file.exists()
        async with state_of(config(self.file), _REACTOR, missing="make"):
            pass
        async with state_of(config(self.file), _REACTOR, missing="empty") as store:
            assert store.durable

    async def test_a_file_that_the_bridge_has_to_upgrade_first_stays_as_it_is(self) -> None:
        async with state_of(config(self.file), _REACTOR, missing="make"):
            pass
        newer = {**schemas(), max(schemas()) + 1: "SELECT 1;"}
        with mock.patch("bridge.check_state.schemas", lambda: newer):
            assert "of an older version" in await self.refused(config(self.file), "refuse")

    async def test_what_is_no_state_file_is_a_sentence(self) -> None:
        with closing(sqlite3.connect(self.file)) as db:
            db.execute("PRAGMA application_id = 7")
            db.commit()

        assert "another program" in await self.refused(config(self.file), "make")

    async def test_a_mailbox_is_let_go_whatever_happens(self) -> None:
        upstream = type(UPSTREAM)("imap", "none", "127.0.0.1", free_port())
        settings = Config(base=Path("/"), listeners=(), passthrough=(PassThrough(upstream=upstream),))
        account = find_account(settings, "ann")

        async with mailbox_of(settings, _REACTOR, account, Secret(b"x")):
            pass
        with pytest.raises(UpstreamUnavailable):
            async with mailbox_of(settings, _REACTOR, account, Secret(b"x")) as source:
                await source.list()
