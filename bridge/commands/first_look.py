"""Whether the mailboxes behind a grant open now: whoever logged in as somebody else at the browser hears it at once."""

from collections.abc import Callable

from bridge.accounts.account import Account, OwnLogin
from bridge.accounts.directory import Directory
from bridge.commands.terminal import counted
from bridge.config import Config, OwnSource, Reference
from bridge.credentials.oauth2 import Grants
from bridge.maildrop.errors import Trouble
from bridge.upstream.connect import Reactor
from bridge.upstream.open import Opener


def sources_of(config: Config, name: str) -> list[Account]:
    """Those that go by this grant."""
    directory = Directory((), config.accounts)
    logins = [directory.find(account.user.encode()) for account in config.accounts]
    sources = [source for login in logins if isinstance(login, OwnLogin) for source in login.sources]
    wanted = Reference("oauth2", name)
    return [s for s in sources if isinstance(s.settings, OwnSource) and s.settings.secret == wanted]


def logins_of(config: Config, name: str) -> list[str]:
    """As whom they log in upstream."""
    return sorted({source.login.decode() for source in sources_of(config, name)})


async def look(config: Config, name: str, grants: Grants, reactor: Reactor, say: Callable[[str], None]) -> bool:
    """True when all of them open."""
    fine = True
    opener = Opener(reactor, config.timeouts)
    for account in sources_of(config, name):
        source = opener.source(account, grants.proof(name, account))
        try:
            listing = await source.list()
        except Trouble as trouble:
            source.abandon()
            say(f"{account.label}: {trouble}" + (f" ({trouble.detail})" if trouble.detail else ""))
            fine = False
            continue
        except BaseException:
            source.abandon()
            raise
        source.close()
        say(f"{account.label}: opens, {counted(len(listing), 'message')}")
    return fine
