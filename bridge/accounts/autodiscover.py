"""Where the mail of an address is: asked of the bridge's own table, the domain's DNS and web servers, side by side.

What comes of it are candidates, with everything that was asked and what it answered. Nothing here logs in anywhere,
and nothing is guessed: a server that nobody names is not tried.
"""

from collections.abc import Coroutine
from typing import Any
from urllib.parse import quote

from attrs import field, frozen
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IResolver
from twisted.names.error import DomainError
from twisted.python.failure import Failure

from bridge.accounts import autoconfig, srv
from bridge.accounts.address import Address, registrable
from bridge.accounts.autoconfig_xml import AutoconfigUnreadable, read_autoconfig
from bridge.accounts.candidate import PORTS, Candidate, NotTaken, Service, by_foreign_word, by_provider, preferred
from bridge.accounts.fetch import NotFetched, Trust, fetch
from bridge.accounts.guarded import Guarded
from bridge.accounts.providers import Provider, by_domain, by_mx

LIMIT = 15.0
"""Seconds for all of it together."""


@frozen
class Network:
    """`trust` verifies web servers by name; `resolver` is asked for SRV and MX."""

    reactor: Guarded
    resolver: IResolver
    trust: Trust


@frozen
class Answer:
    """One place asked: its candidates, and in words what it said."""

    place: str
    said: str
    candidates: tuple[Candidate, ...] = ()
    provider: Provider | None = None
    host: str | None = None
    """A domain to be asked next."""


@frozen
class Discovery:
    """`candidates`: the preferred first. `provider`: who it is, where the bridge's table knows."""

    address: Address
    answers: tuple[Answer, ...]
    candidates: tuple[Candidate, ...] = field(init=False)
    provider: Provider | None = field(init=False)

    @candidates.default
    def _candidates(self) -> tuple[Candidate, ...]:
        return preferred(one for answer in self.answers for one in answer.candidates)

    @provider.default
    def _provider(self) -> Provider | None:
        named = [*(answer.provider for answer in self.answers), *(one.provider for one in self.candidates)]
        return next((provider for provider in named if provider is not None), None)


async def discover(address: Address, network: Network, limit: float = LIMIT) -> Discovery:
    """Raises nothing that a network or a stranger could bring about.

    What the mail exchanger says counts only where the domain itself says nothing; all are asked at the same time.
    """
    domain = address.domain
    if (provider := by_domain(domain)) is not None:
        found = tuple(by_provider(provider, "the bridge's own table"))
        return Discovery(address, (Answer("the bridge's own table", f"{domain} is {provider.name}", found, provider),))
    ends = network.reactor.seconds() + limit
    asked = [
        *((url, _document(address, network, url)) for url in autoconfig.places(domain)),
        *((_srv_place(service, domain), _records(address, network, service)) for service in PORTS),
    ]
    home = gatherResults([_until(ends, network, place, asking) for place, asking in asked])
    hosted = Deferred.fromCoroutine(_hosted(address, network, ends))
    answers = await home
    if any(answer.candidates for answer in answers):
        hosted.addErrback(_given_up)
        hosted.cancel()
        return Discovery(address, tuple(answers))
    return Discovery(address, (*answers, *await hosted))


def _until(ends: float, network: Network, place: str, asking: Coroutine[Any, Any, Answer]) -> Deferred[Answer]:
    """Its answer, or that there was none in time."""
    answer = Deferred.fromCoroutine(asking)
    left = max(ends - network.reactor.seconds(), 0.0)
    # What comes of the cancelling does not matter: it was our clock.
    answer.addTimeout(left, network.reactor, onTimeoutCancel=lambda *_: Answer(place, "no answer in time"))
    return answer


def _given_up(failure: Failure) -> None:
    failure.trap(CancelledError)  # type: ignore[no-untyped-call]  # Twisted has no types there


async def _document(address: Address, network: Network, url: str) -> Answer:
    try:
        fetched = await fetch(network.reactor, network.trust, f"{url}?emailaddress={quote(str(address))}")
        servers = read_autoconfig(fetched.document)
    except NotFetched as why:
        return Answer(url, str(why))
    except AutoconfigUnreadable as why:
        return Answer(url, f"the document is not taken: {why}")
    found, remarks = [], []
    for one in servers:
        try:
            found.append(autoconfig.candidate(address, one, url, fetched.host))
        except NotTaken as why:
            remarks.append(f"not taken: {why}")
    return Answer(url, _said(len(found), remarks), tuple(found))


async def _records(address: Address, network: Network, service: Service) -> Answer:
    place = _srv_place(service, address.domain)
    try:
        records = await srv.services(network.resolver, address.domain, service)
    except (DomainError, TimedOut, OSError) as error:
        return Answer(place, f"the name server does not answer ({error.__class__.__name__})")
    upstreams, remarks = srv.named(service, records)
    found = tuple(by_foreign_word(address, upstream, place) for upstream in upstreams)
    return Answer(place, _said(len(found), remarks), found)


async def _hosted(address: Address, network: Network, ends: float) -> list[Answer]:
    """What is known of the host that receives the domain's mail, or what its own domain says."""
    exchanger = await _until(ends, network, _mx_place(address), _exchanger(address, network))
    if exchanger.host is None or exchanger.provider is not None:
        return [exchanger]
    url = autoconfig.places(exchanger.host)[0]
    return [exchanger, await _until(ends, network, url, _document(address, network, url))]


async def _exchanger(address: Address, network: Network) -> Answer:
    place = _mx_place(address)
    try:
        found = await srv.exchangers(network.resolver, address.domain)
    except (DomainError, TimedOut, OSError) as error:
        return Answer(place, f"the name server does not answer ({error.__class__.__name__})")
    if not found:
        return Answer(place, "none")
    host = found[0].host
    for one in found:
        if (provider := by_mx(one.host)) is not None:
            outside = f"its mail goes to {one.host}, which is {provider.name}"
            return Answer(place, outside, tuple(by_provider(provider, place, outside=outside)), provider)
    return Answer(place, host, host=registrable(host))


def _said(servers: int, remarks: list[str] | tuple[str, ...]) -> str:
    return "; ".join((f"{servers or 'no'} server{'' if servers == 1 else 's'}", *remarks))


def _srv_place(service: Service, domain: str) -> str:
    return f"{srv.LABELS[service]}.{domain} (SRV)"


def _mx_place(address: Address) -> str:
    return f"{address.domain} (MX)"
