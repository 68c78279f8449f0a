# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""The owner's command is run as it stands, told which grant it is about, and cannot hold the bridge up."""

import shutil
import stat
import tempfile
from pathlib import Path

from twisted.internet import reactor  # noqa: TID251
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from bridge.credentials import hook
from bridge.credentials.hook import run_command


class Command(TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.failed: list[str] = []
        self.told: Deferred[str] = Deferred()

    def script(self, text: str) -> str:
        file = self.folder / "tell"
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        return str(file)

    def run_it(self, *command: str) -> None:
        def failed(reason: str) -> None:
            self.failed.append(reason)
            self.told.callback(reason)

        run_command(reactor, command, "work", failed)  # type: ignore[arg-type]

    async def until(self, name: str) -> str:
        file = self.folder / name
        while not file.exists():
            await deferLater(reactor, 0.01)
        return file.read_text()

    async def test_its_words_are_kept_apart_and_the_name_comes_last(self) -> None:
        out = self.folder / "out"
        self.run_it(
            self.script(f'printf "%s|" "$@" >{out}.new; echo loud; cat; echo $? >>{out}.new; mv {out}.new {out}'),
            "two words; $HOME",
        )
        assert await self.until("out") == "two words; $HOME|work|0\n"
        await deferLater(reactor, 0.1)
        assert self.failed == []

    async def test_one_that_fails_or_is_not_there_is_told(self) -> None:
        self.run_it(self.script("exit 3"))
        assert await self.told == "it ended with status 3"
        self.told = Deferred()
        self.run_it(str(self.folder / "gone"))
        assert (await self.told).endswith("gone: No such file or directory")

    async def test_one_that_hangs_is_ended(self) -> None:
        self.patch(hook, "PATIENCE", 0.1)
        self.run_it(self.script("exec sleep 1000"))
        assert await self.told == "it was ended by signal 9"

    async def test_one_that_leaves_something_running_is_over_all_the_same(self) -> None:
        self.patch(hook, "PATIENCE", 0.2)
        self.run_it(self.script("sleep 0.5 & exit 3"))
        assert await self.told == "it ended with status 3"
        await deferLater(reactor, 0.6)
        assert self.flushLoggedErrors() == []
