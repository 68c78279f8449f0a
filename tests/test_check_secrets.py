# mypy: disallow-untyped-calls=False
# (Twisted gives its assertions no types.)
"""`popbridge check` says which secret is missing, and which file everybody can read."""

from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import evolve
from twisted.trial.unittest import TestCase

from bridge.check_secrets import check_secrets
from bridge.config import Config, OAuth2Grant, OwnAccount, OwnSource, Reference, Upstream
from bridge.secret import Secret
from tests.contracts.fake_vault import FakeVault

UPSTREAM = Upstream("imap", "tls", "imap.work.example", 993)


class CheckSecretsTests(TestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name, "home.password")
        self.vault = FakeVault()
        references = {"work": Reference("vault", "work"), "home": Reference("file", str(self.file))}
        sources = tuple(
            OwnSource(upstream=UPSTREAM, name=name, login="ann", secret=reference)
            for name, reference in references.items()
        )
        self.config = Config(base=self.file.parent, listeners=(), accounts=(OwnAccount(user="ann", source=sources),))

    async def test_of_a_source_with_a_grant_the_grant_is_looked_at(self) -> None:
        [account] = self.config.accounts
        source = evolve(account.source[0], secret=Reference("oauth2", "work"))
        grant = OAuth2Grant(name="work", client_secret=Reference("vault", "work-client"))
        self.config = evolve(self.config, accounts=(evolve(account, source=(source,)),), oauth2=(grant,))
        fine, [line] = await self.said()
        assert not fine
        assert line.startswith("secret of oauth2 work: the vault has no secret work-client")

    async def said(self) -> tuple[bool, list[str]]:
        lines: list[str] = []
        return await check_secrets(self.config, self.vault, lines.append), lines

    async def test_what_is_missing_is_named_with_its_remedy(self) -> None:
        fine, lines = await self.said()
        assert not fine
        assert [line.partition(":")[0] for line in lines] == ["secret of ann/work", "secret of ann/home"]
        assert "popbridge secret set work" in lines[0]
        assert "No such file" in lines[1]

    async def test_what_is_there_is_not_worth_a_word(self) -> None:
        await self.vault.put("work", Secret(b"wonder"))
        self.file.write_text("wonder")
        self.file.chmod(0o600)
        assert await self.said() == (True, [])

    async def test_a_file_that_everybody_can_read_is_named_and_no_reason_to_stop(self) -> None:
        await self.vault.put("work", Secret(b"wonder"))
        self.file.write_text("wonder")
        self.file.chmod(0o644)
        assert await self.said() == (
            True,
            [f"secret of ann/home: everybody on this machine can read {self.file}"],
        )
