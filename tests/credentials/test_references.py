# Twisted gives its test cases no types.
# mypy: disallow-untyped-calls=False
"""A secret is read where it is kept, anew each time; what is missing is told in a sentence."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from bridge.config import Reference
from bridge.credentials.references import open_to_all, resolve
from bridge.credentials.vault import LONGEST
from bridge.maildrop.errors import UpstreamUnsuitable
from bridge.secret import Secret
from tests.contracts.fake_vault import FakeVault


class ReferenceTest(TestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name, "work.password")

    def test_a_file_may_change_and_its_line_end_is_no_part_of_the_password(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._file())

    async def _file(self) -> None:
        reference = Reference("file", str(self.file))
        for octets, password in ((b"one two\n", b"one two"), (b"three\r\n", b"three"), (b"four", b"four")):
            self.file.write_bytes(octets)
            assert (await resolve(reference, FakeVault())).reveal() == password

    def test_the_environment_is_asked(self) -> "Deferred[None]":
        os.environ["POPBRIDGE_TEST_SECRET"] = "s\u00e4cret"
        self.addCleanup(os.environ.pop, "POPBRIDGE_TEST_SECRET")
        return Deferred.fromCoroutine(self._environment())

    async def _environment(self) -> None:
        assert (
            await resolve(Reference("env", "POPBRIDGE_TEST_SECRET"), FakeVault())
        ).reveal() == "s\u00e4cret".encode()

    def test_what_is_missing_is_named(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._missing())

    async def _missing(self) -> None:
        for octets, words in ((None, "No such file"), (b"\n", "holds no password"), (b"x" * (LONGEST + 1), "too long")):
            if octets is not None:
                self.file.write_bytes(octets)
            with self.assertRaisesRegex(UpstreamUnsuitable, words):
                await resolve(Reference("file", str(self.file)), FakeVault())
        with self.assertRaisesRegex(UpstreamUnsuitable, "POPBRIDGE_NOT_SET"):
            await resolve(Reference("env", "POPBRIDGE_NOT_SET"), FakeVault())

    def test_the_vault_is_asked_and_one_that_has_nothing_names_the_command(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._vault())

    async def _vault(self) -> None:
        vault = FakeVault()
        with self.assertRaisesRegex(UpstreamUnsuitable, "popbridge secret set work"):
            await resolve(Reference("vault", "work"), vault)
        await vault.put("work", Secret(b"wonder\n"))
        assert await resolve(Reference("vault", "work"), vault) == Secret(b"wonder\n")

    def test_a_file_that_everybody_can_read_is_noticed(self) -> None:
        self.file.write_bytes(b"wonder")
        for mode, noticed in ((0o600, False), (0o640, False), (0o644, True)):
            self.file.chmod(mode)
            assert open_to_all(Reference("file", str(self.file))) is noticed
        assert not open_to_all(Reference("env", "HOME"))
