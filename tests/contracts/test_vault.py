# mypy: disallow-untyped-calls=False
# (Twisted gives its assertions no types.)
"""What every vault keeps, the one in memory included: so tests above it may believe that one."""

from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase

from bridge.credentials.vault import Vault
from bridge.credentials.vault_file import FileVault, VaultFile
from bridge.credentials.vault_key import KeyFile
from bridge.secret import Secret
from tests.contracts.fake_vault import FakeVault


class Contract:
    vault: Vault
    now = 1_700_000_000.5

    async def test_what_was_never_put_is_not_there(self) -> None:
        assert await self.vault.get("work") is None
        assert await self.vault.names() == []
        assert await self.vault.dates() == {}
        assert await self.vault.remove("work") is False

    async def test_what_was_put_comes_back_octet_for_octet(self) -> None:
        for octets in (b"wonder", b"\x00\r\n\xff", bytes(range(256)) * 256):
            await self.vault.put("work", Secret(octets))
            assert await self.vault.get("work") == Secret(octets)

    async def test_each_has_its_name_and_the_time_when_it_was_put(self) -> None:
        await self.vault.put("work", Secret(b"one"))
        self.now += 10
        await self.vault.put("oauth2/home", Secret(b"two"))
        assert await self.vault.get("work") == Secret(b"one")
        assert await self.vault.names() == ["oauth2/home", "work"]
        assert await self.vault.dates() == {"work": self.now - 10, "oauth2/home": self.now}

    async def test_a_second_one_of_the_same_name_takes_the_place_of_the_first(self) -> None:
        await self.vault.put("work", Secret(b"one"))
        self.now += 10
        await self.vault.put("work", Secret(b"two"))
        assert await self.vault.get("work") == Secret(b"two")
        assert await self.vault.dates() == {"work": self.now}

    async def test_names_are_told_apart_by_case(self) -> None:
        await self.vault.put("work", Secret(b"one"))
        assert await self.vault.get("Work") is None

    async def test_what_was_removed_is_gone(self) -> None:
        await self.vault.put("work", Secret(b"one"))
        await self.vault.put("home", Secret(b"two"))
        assert await self.vault.remove("work") is True
        assert await self.vault.remove("work") is False
        assert await self.vault.get("work") is None
        assert await self.vault.names() == ["home"]

    async def test_what_is_asked_at_once_is_done_in_its_order(self) -> None:
        puts = [self.vault.put("work", Secret(str(n).encode())) for n in range(20)]
        found = self.vault.get("work")
        await gatherResults(puts)
        assert await found == Secret(b"19")

    async def test_what_is_no_name_and_no_secret_is_refused_at_once(self) -> None:
        for name, octets in (("a b", b"x"), ("work", b"")):
            try:
                self.vault.put(name, Secret(octets))
            except ValueError:
                continue
            raise AssertionError(f"{name!r} was taken")
        assert await self.vault.names() == []


class InMemoryTests(Contract, TestCase):
    def setUp(self) -> None:
        self.vault = FakeVault(lambda: self.now)


class InAFileTests(Contract, TestCase):
    timeout = 60

    def setUp(self) -> None:
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name, "popbridge.vault")
        self.vault = self.opened()

    def opened(self) -> FileVault:
        return FileVault(VaultFile(self.path, KeyFile(self.path.with_name("popbridge.key"))), lambda: self.now)

    async def test_another_one_on_the_same_file_sees_everything_at_once(self) -> None:
        bridge, owner = self.opened(), self.opened()
        await bridge.put("oauth2/work", Secret(b"token"))
        assert await owner.get("oauth2/work") == Secret(b"token")
        await owner.put("work", Secret(b"wonder"))
        assert await bridge.names() == ["oauth2/work", "work"]
        assert await owner.rekey() == 2
        assert await bridge.get("work") == Secret(b"wonder")
        await bridge.put("oauth2/work", Secret(b"next"))
        assert await owner.get("oauth2/work") == Secret(b"next")

    async def test_asking_makes_no_file(self) -> None:
        await self.vault.get("work")
        await self.vault.remove("work")
        assert not list(self.path.parent.iterdir())
