"""`popbridge setup you@example.org`, step by step: find the mail, get in, see what holds there, and only then write.

All secrets are in memory until everything has worked; whoever gives up on the way leaves nothing behind.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

from attrs import evolve, field, frozen
from twisted.internet.threads import deferToThread

from bridge.accounts.address import Address
from bridge.accounts.autodiscover import Network
from bridge.accounts.candidate import Candidate
from bridge.accounts.providers import by_server
from bridge.check import why_taken
from bridge.check_mailbox import Secrets, check_mailbox
from bridge.commands.consent import Person, consented
from bridge.commands.setup_file import FILE, GrantKeys, NewBridge, refuse_taken, write
from bridge.commands.snippet import account, name_of, needs_token, url
from bridge.commands.terminal import CommandRefused, Terminal
from bridge.commands.trying import Wish, by_token, has_the_word, servers
from bridge.config import Config, ConfigError, Endpoint, Reference, Upstream, load_text
from bridge.credentials.making import make, new_salts
from bridge.credentials.memory_vault import MemoryVault
from bridge.credentials.oauth2_client import Client
from bridge.credentials.oauth2_http import posting
from bridge.credentials.references import resolve
from bridge.secret import Secret
from bridge.upstream.connect import Reactor

AskSecret = Callable[[str], Secret]


@frozen(kw_only=True)
class Plan:
    """What was said beforehand. `upstream`: nothing is searched for. `login` is there, `user` here.

    `grant`: OAuth2, with these keys of its entry. `public`: the application at the provider has no secret.
    """

    directory: Path
    listen: Endpoint
    wish: Wish
    upstream: Upstream | None = None
    login: str | None = None
    user: str | None = None
    grant: GrantKeys = field(factory=dict)
    public: bool = False
    way: Literal["browser", "paste", "device"] = "browser"


@frozen(kw_only=True)
class Owner:
    """Whoever is at the terminal. To `client_secret` nothing is an answer too."""

    terminal: Terminal
    person: Person
    password: AskSecret
    client_secret: AskSecret


async def set_up(
    address: Address, plan: Plan, owner: Owner, network: Network, reactor: Any
) -> tuple[NewBridge, Config]:
    """What was written. Raises CommandRefused and Troubles, and then it was nothing."""
    file = plan.directory / FILE
    if there := file.exists():
        plan = evolve(plan, wish=evolve(plan.wish, log_in=False))
    else:
        _look_around(plan)
    candidate = await _server(address, plan, network, owner.terminal)
    if there:
        owner.terminal.say(f"\n{account(candidate, address, plan.wish.ca)}\n")
        raise CommandRefused(f"there is {file} already, which stays as it is; paste these lines into it")
    vault = MemoryVault(reactor.seconds)
    grant = await _grant(address, candidate, plan, owner, vault) if needs_token(candidate) else None
    made = await deferToThread(make, new_salts())
    new = NewBridge(
        user=plan.user or address.local,
        address=address,
        candidate=candidate,
        listen=plan.listen,
        made=made,
        grant=grant,
        ca=plan.wish.ca,
    )
    try:
        config = load_text(new.text(), file)
    except ConfigError as error:
        raise CommandRefused(f"this would be no configuration: {error}") from None
    if grant is None:
        await _keep(vault, new.name, owner.password(_prompt(candidate, address)))
    else:
        await _consent(config, plan, owner, vault, new.login, reactor)
    await _try(config, plan, owner, vault, new, network, reactor)
    write(file, new.text(), config, {name: secret for name, (secret, _) in vault.kept.items()}, reactor.seconds())
    return new, config


def _look_around(plan: Plan) -> None:
    """What would stop it at the end is told at the beginning."""
    refuse_taken(plan.directory)
    if trouble := why_taken(plan.listen):
        raise CommandRefused(f"{plan.listen} {trouble}; for another port: --pop3 127.0.0.1:2110")


async def _server(address: Address, plan: Plan, network: Network, terminal: Terminal) -> Candidate:
    """The first that the owner agrees to. Whatever is to be reached by tokens says so."""
    tokens = plan.wish.oauth2 or bool(plan.grant)
    if plan.upstream is not None:
        provider = by_server(plan.upstream.host)
        ways = provider.ways if provider is not None else ()
        candidates: tuple[Candidate, ...] = (
            Candidate(plan.upstream, "{user}", ("you",), ways=ways, provider=provider),
        )
    else:
        candidates = await servers(address, network, terminal)
        if tokens and "token" not in plan.grant:
            candidates = by_token(candidates)
    for candidate in candidates:
        chosen = evolve(candidate, login=plan.login or candidate.login)
        if tokens:
            chosen = evolve(chosen, ways=("oauth2",))
        if plan.upstream is not None or has_the_word(chosen, address, plan.wish, terminal):
            if "oauth2" in chosen.ways[1:]:
                terminal.say(f"{chosen.upstream.host} takes your consent in a browser too, by --oauth2")
            return chosen
    raise CommandRefused("no server was agreed to; with --upstream imaps://… you name the right one yourself")


async def _grant(
    address: Address, candidate: Candidate, plan: Plan, owner: Owner, vault: MemoryVault
) -> dict[str, Any]:
    """The keys of the [[oauth2]] entry; what is secret of them goes into the vault."""
    preset = candidate.provider.oauth2 if candidate.provider is not None else None
    keys: dict[str, Any] = {}
    if "token" not in plan.grant:
        if preset is None:
            raise CommandRefused(
                f"which OAuth2 server gives tokens for {candidate.upstream.host} is not known here; name it by "
                "--authorize-url, --token-url and --scope, as the provider's help says"
            )
        keys["provider"] = preset
    keys |= plan.grant
    if "client_id" not in keys:
        owner.terminal.say("OAuth2 wants an application that you have registered at the provider: docs/oauth2.md")
        keys["client_id"] = owner.person.ask("Its client id").strip()
    if plan.way == "device" and "authorize" not in keys and preset is None:
        keys["grant"] = "device"
    if not plan.public:
        secret = owner.client_secret("Its client secret (Enter alone where it has none)")
        if secret.reveal():
            name = f"{name_of(address)}-client"
            await _keep(vault, name, secret)
            keys["client_secret"] = f"vault:{name}"
    return keys


async def _keep(vault: MemoryVault, name: str, secret: Secret) -> None:
    try:
        await vault.put(name, secret)
    except ValueError as error:
        raise CommandRefused(f"this cannot be kept: {error}") from None


def _prompt(candidate: Candidate, address: Address) -> str:
    kind = "App password" if candidate.ways[:1] == ("app password",) else "Password"
    return f"{kind} of {candidate.login_of(address)} at {candidate.upstream.host}"


async def _consent(config: Config, plan: Plan, owner: Owner, vault: MemoryVault, login: str, reactor: Any) -> None:
    async def found(reference: Reference) -> Secret:
        return await resolve(reference, vault)

    [grant] = config.oauth2
    client = Client.of(grant, posting(reactor), found, reactor)
    paste, device = plan.way == "paste", plan.way == "device"
    await consented(client, vault, owner.person, reactor, [login], paste=paste, device=device)


async def _try(
    config: Config, plan: Plan, owner: Owner, vault: MemoryVault, new: NewBridge, network: Network, reactor: Any
) -> None:
    """As a login of the bridge would; a server that others named is reached as discovery may reach it."""
    way = cast("Reactor", network.reactor) if plan.upstream is None else reactor
    secrets = Secrets.of(config, reactor, vault)
    owner.terminal.say(f"logging in at {url(new.candidate.upstream)} as {new.login} …")
    if not await check_mailbox(config, way, owner.terminal.say, new.user.encode(), None, secrets):
        raise CommandRefused("that did not work, as said above; mend it, and run the command again")
