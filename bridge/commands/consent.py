"""A person's consent, asked for in a browser, and what comes of it kept in the vault.

The browser brings the answer to this machine, or its address is pasted here, or a code is typed into a browser
elsewhere. Every failure is a sentence that says what to do.
"""

import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TimedOut

from bridge.commands.loopback import Loopback, Reactor
from bridge.commands.terminal import CommandRefused
from bridge.config import Config, OAuth2Grant
from bridge.config.notation import is_loopback
from bridge.credentials.oauth2_answers import Tokens
from bridge.credentials.oauth2_client import Client, NoTokens, Refused
from bridge.credentials.oauth2_code import AnotherAnswer, ConsentRefused, Question, code_of, question
from bridge.credentials.oauth2_device import TooLate, until_typed
from bridge.credentials.oauth2_record import Record, recall, record_name, remember
from bridge.credentials.vault import Vault
from bridge.secret import Secret

PATIENCE = 900.0
"""Seconds for a person to log in and say yes."""

TRIES = 5
"""At pasting the right address."""


@frozen
class Person:
    """`say` shows a line, `ask` waits for one to be typed, `open_browser` shows an address there or returns False."""

    say: Callable[[str], None]
    ask: Callable[[str], str]
    open_browser: Callable[[str], bool]


def grant_named(config: Config, name: str) -> OAuth2Grant:
    for grant in config.oauth2:
        if grant.name == name:
            return grant
    names = ", ".join(grant.name for grant in config.oauth2)
    there = f"the names are {names}" if names else "there are none; docs/oauth2.md says how to write one"
    raise CommandRefused(f'no [[oauth2]] entry has name = "{name}"; {there}')


async def authorise(
    client: Client, vault: Vault, person: Person, reactor: Reactor, logins: list[str], *, paste: bool, device: bool
) -> None:
    """Raises CommandRefused, and what the vault and a secret's place raise."""
    grant = client.grant
    if grant.grant in ("client", "service"):
        await _try_right(client, vault, person, logins)
        return
    await consented(client, vault, person, reactor, logins, paste=paste, device=device)
    person.say(f"{grant.name}: authorised; a running bridge uses it from the next login on")


async def consented(
    client: Client, vault: Vault, person: Person, reactor: Reactor, logins: list[str], *, paste: bool, device: bool
) -> None:
    """A person's consent is in the vault when it returns. Raises as `authorise` does."""
    grant = client.grant
    login = logins[0] if len(logins) == 1 else None
    await recall(vault, grant.name)  # what is wrong with the vault is told before anybody has gone anywhere
    try:
        if device or grant.grant == "device":
            await _by_device(client, vault, person, reactor)
        elif paste:
            await _by_pasting(client, vault, person, login)
        else:
            await _by_browser(client, vault, person, reactor, login)
    except ConsentRefused as refused:
        raise CommandRefused(f"the provider says no: {refused}; run the command again to ask again") from None
    except NoTokens as none:
        raise _explained(grant, none) from None


async def _by_browser(client: Client, vault: Vault, person: Person, reactor: Reactor, login: str | None) -> None:
    redirect = client.server.redirect
    if not _on_this_machine(redirect):
        raise CommandRefused(f"the answer comes to {redirect}, which is not this machine; use --paste")
    loopback = Loopback(reactor, redirect)
    try:
        asked = _question(client, loopback.redirect, login)
        person.say(f"Open this address in a browser, log in{f' as {login}' if login else ''}, and allow the access:\n")
        person.say(f"  {asked.address}\n")
        if person.open_browser(asked.address):
            person.say("A browser on this machine was asked to open it.")
        person.say("Is the browser on another machine? End this with Ctrl-C and use --paste. Waiting for the answer …")
        waiting = Deferred.fromCoroutine(_answered(loopback, asked, person))
        waiting.addTimeout(PATIENCE, reactor)
        try:
            code = await waiting
        except TimedOut:
            minutes = f"{PATIENCE / 60:.0f}"
            raise CommandRefused(f"no answer came within {minutes} minutes; run the command again") from None
        try:
            await _keep(client, vault, client.exchanged(code, asked.redirect, asked.verifier))
        except BaseException:
            loopback.show("Not authorised", "The access was allowed, but something else went wrong. See the terminal.")
            raise
        loopback.show("Authorised", "Popbridge may read this mail now. You can close this page.")
    finally:
        await loopback.close()


async def _answered(loopback: Loopback, asked: Question, person: Person) -> Secret:
    while True:
        query = await loopback.next()
        try:
            return code_of(asked, query)
        except AnotherAnswer as other:
            loopback.show("Not the answer", "This does not belong to the question that was asked.", status=400)
            person.say(f"The browser brought something else: {other}. Still waiting …")
        except ConsentRefused:
            loopback.show("Not authorised", "The provider said no. See the terminal.")
            raise


async def _by_pasting(client: Client, vault: Vault, person: Person, login: str | None) -> None:
    redirect = client.server.redirect
    local = _on_this_machine(redirect)
    if local and urlsplit(redirect).port is None:
        # Nobody listens there: the browser stays at the address, with the answer in it.
        parts = urlsplit(redirect)
        redirect = f"{parts.scheme}://{parts.hostname}:{49152 + secrets.randbelow(16384)}{parts.path}"
    asked = _question(client, redirect, login)
    person.say(f"Open this address in any browser, log in{f' as {login}' if login else ''}, and allow the access:\n")
    person.say(f"  {asked.address}\n")
    if local:
        person.say(f"At the end the browser says that it cannot reach {urlsplit(redirect).netloc}. That is right so.")
        person.say("Copy the whole address that it shows then, and paste it here.")
    else:
        person.say("Copy the address at which the browser ends, or the code that is shown there, and paste it here.")
    for _ in range(TRIES):
        text = person.ask("Address").strip()
        try:
            bare = not local and text and "=" not in text and "://" not in text
            code = Secret(text.encode()) if bare else code_of(asked, text)
        except AnotherAnswer as other:
            person.say(f"That is not it: {other}.")
            continue
        await _keep(client, vault, client.exchanged(code, asked.redirect, asked.verifier))
        return
    raise CommandRefused("the right address was not pasted; run the command again")


async def _by_device(client: Client, vault: Vault, person: Person, reactor: Reactor) -> None:
    if client.server.device is None:
        raise CommandRefused("this provider has no codes for devices; use --paste")
    codes = await client.device_codes()
    person.say(f"Open {codes.address} in any browser, and type this code there: {codes.user}")
    if codes.complete_address is not None:
        person.say(f"Or open {codes.complete_address}, and compare the code.")
    person.say(f"Waiting for up to {codes.lifetime / 60:.0f} minutes …")
    try:
        await _keep(client, vault, until_typed(client, codes, reactor))
    except TooLate:
        raise CommandRefused("nobody typed the code in its time; run the command again") from None


async def _keep(client: Client, vault: Vault, asking: Awaitable[Tokens]) -> None:
    """The access token is of no use here: the first login gets one of its own."""
    tokens = await asking
    if tokens.refresh is None:
        raise CommandRefused(
            "the provider gave an access token, but no refresh token, so it would end within the hour; "
            'scopes has to ask for one (often "offline_access"), and the application has to be one that may have it'
        )
    now = client.clock.seconds()
    record = Record(client_id=client.grant.client_id or "", refresh=tokens.refresh, since=now)
    await remember(vault, client.grant.name, record)


async def _try_right(client: Client, vault: Vault, person: Person, logins: list[str]) -> None:
    """No consent is to be given; what stopped the bridge is forgotten when the server gives a token."""
    grant = client.grant
    refused = []
    for login in logins if grant.grant == "service" else ("",):
        try:
            await (client.as_service(login) if login else client.own())
        except NoTokens as none:
            refused.append(f"{_explained(grant, none)}{f' ({login})' if login else ''}")
        else:
            await remember(vault, record_name(grant, login), Record())
    if refused:
        raise CommandRefused("\n".join(refused))
    person.say(f"{grant.name}: needs nobody's consent, and the server gives tokens")


def _question(client: Client, redirect: str, login: str | None) -> Question:
    return question(client.server, client.grant.client_id or "", redirect, login, secrets.token_bytes)


def _on_this_machine(redirect: str) -> bool:
    parts = urlsplit(redirect)
    return parts.scheme == "http" and is_loopback(parts.hostname or "")


_REMEDIES = {
    "invalid_client": "look at client_id and client_secret, which the provider does not know together",
    "unauthorized_client": "the application is not registered for this; look at its kind at the provider",
    "invalid_scope": "look at scopes, and at what the application may ask for at the provider",
    "invalid_grant": "run the command again; what it was shown is used up, too old, or for another redirect",
    "access_denied": "run the command again, and allow the access",
    "unsupported_grant_type": "the provider does not go this way; use another grant =",
}


def _explained(grant: OAuth2Grant, none: NoTokens) -> CommandRefused:
    remedy = "try again later"
    if isinstance(none, Refused):
        remedy = _REMEDIES.get(none.code, "look at the [[oauth2]] entry, and at the application at the provider")
    return CommandRefused(f"{grant.name}: no tokens: {none}; {remedy}")
