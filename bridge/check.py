"""`popbridge check`: is the configuration valid, can we listen, do the upstreams answer, and what holds there?

It changes nothing anywhere. With a login it also opens the mailbox and says what would become of DELE.
"""

import socket
from collections.abc import Callable

from bridge.accounts.directory import Directory
from bridge.config import Config, Endpoint, Listener, PassThrough, Upstream
from bridge.maildrop.errors import Trouble
from bridge.maildrop.retention import Policy, refusal, shortfall, unkeepable
from bridge.postoffice.opening import open_maildrop
from bridge.sasl import Credentials
from bridge.secret import Secret
from bridge.tls import client_context
from bridge.upstream.connect import Reactor, connect
from bridge.upstream.imap_connection import ImapConnection
from bridge.upstream.open import Opener

OF_INTEREST = ("IMAP4REV2", "UIDPLUS", "MOVE", "CONDSTORE", "QRESYNC", "ESEARCH", "SPECIAL-USE", "UTF8=ACCEPT")

BEARER = {"XOAUTH2", "OAUTHBEARER"}

Say = Callable[[str], None]


async def check(config: Config, reactor: Reactor, say: Say, login: bytes | None, password: Secret | None) -> bool:
    """True when nothing was found that would stop the bridge from serving."""
    fine = [_listens(listener, say) for listener in config.listeners]
    seen: set[Upstream] = set()
    for entry in config.passthrough:
        if entry.upstream not in seen:
            seen.add(entry.upstream)
            fine.append(await _answers(entry, config, reactor, say))
    if login is not None and password is not None:
        fine.append(await _opens(config, reactor, say, login, password))
    elif all(fine):
        say("with --login NAME the mailbox is opened too, and you see what DELE would do there")
    return all(fine)


def _listens(listener: Listener, say: Say) -> bool:
    fine = True
    for endpoint, kind in ((listener.pop3, "POP3"), (listener.pop3s, "POP3 over TLS")):
        if endpoint is not None:
            trouble = _why_taken(endpoint)
            say(f"listen {endpoint} ({kind}): {trouble or 'free'}")
            fine = fine and not trouble
    return fine


def _why_taken(endpoint: Endpoint) -> str:
    host = endpoint.host or "::"
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, endpoint.port))
            trial.listen()
    except OSError as error:
        return f"cannot be used: {error.strerror}" + (" (is the bridge running?)" if error.errno == 98 else "")
    return ""


async def _answers(entry: PassThrough, config: Config, reactor: Reactor, say: Say) -> bool:
    """Before a login: reachable, trusted, and what it says of itself."""
    upstream = entry.upstream

    def make() -> ImapConnection:
        return ImapConnection(
            reactor,
            silence=config.timeouts.upstream_silence,
            close_abort=config.timeouts.close_abort,
            trace=None,
            on_quirk=lambda _: None,
        )

    try:
        tls = client_context(upstream.host, ca=entry.ca, pin=entry.pin)
        connection = await connect(reactor, upstream, tls, config.timeouts, make)
    except Trouble as trouble:
        say(f"upstream {upstream}: {trouble}" + (f" ({trouble.detail})" if trouble.detail else ""))
        return False
    has = connection.client.capabilities
    connection.close()
    ways = sorted(name.removeprefix("AUTH=") for name in has if name.startswith("AUTH="))
    say(f"upstream {upstream}: answers; login by {', '.join(ways) or 'LOGIN'}; can {_named(has)}")
    announced = {mechanism for listener in config.listeners for mechanism in listener.sasl}
    if announced & BEARER and not BEARER & set(ways):
        say('  it takes no OAuth2 tokens: with sasl = ["PLAIN", "LOGIN"] in the listener, none is offered to programs')
    return True


async def _opens(config: Config, reactor: Reactor, say: Say, login: bytes, password: Secret) -> bool:
    account = Directory(config.passthrough).find(login)
    if account is None:
        say("no [[passthrough]] entry takes this login")
        return False
    credentials = Credentials(login, password, "USER", bearer=False)
    source = Opener(reactor, config.timeouts).source(account, credentials)
    try:
        maildrop = await open_maildrop(account, source)
    except Trouble as trouble:
        say(f"login {account.name}: {trouble}" + (f" ({trouble.detail})" if trouble.detail else ""))
        return False
    mailbox = source.mailbox
    source.close()
    say(f"login {account.name}: {maildrop.count} messages, {maildrop.octets} octets")
    assert mailbox is not None, "an open maildrop has looked at its mailbox"
    for policy in Policy:
        chosen = " (this account's)" if policy.value == account.passthrough.delete else ""
        why = unkeepable(policy, mailbox) or refusal(policy, mailbox) or shortfall(policy, mailbox) or "holds"
        say(f'  delete = "{policy.value}"{chosen}: {why}')
    return True


def _named(has: frozenset[str]) -> str:
    return ", ".join(name for name in OF_INTEREST if name in has) or "nothing more before the login"
