"""What a mail domain's DNS says of its servers: SRV records (RFC 6186, RFC 8314), and where its mail goes (MX)."""

from collections.abc import Iterable
from typing import Any, cast

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IResolver
from twisted.names import dns
from twisted.names.error import DNSNameError

from bridge.accounts.address import host_name
from bridge.accounts.candidate import NotTaken, Service, server
from bridge.config import Upstream

LABELS: dict[Service, str] = {
    ("imap", "tls"): "_imaps._tcp",
    ("imap", "starttls"): "_imap._tcp",  # in clear it is never used here
    ("pop3", "tls"): "_pop3s._tcp",
    ("pop3", "starttls"): "_pop3._tcp",
}

TRIES = (2, 4, 6)
"""Seconds that a name server has, one try after the other."""

MOST = 8
"""Records of one answer that are looked at."""


@frozen(order=True)
class Srv:
    """`weight` is negative, so that the heavier comes first: what is shown does not depend on chance (RFC 2782)."""

    priority: int
    weight: int
    target: str
    port: int


@frozen(order=True)
class Exchanger:
    preference: int
    host: str


def named(service: Service, records: Iterable[Srv]) -> tuple[tuple[Upstream, ...], tuple[str, ...]]:
    """The servers, the preferred first, and in words what is not taken of what was said."""
    taken: list[Upstream] = []
    remarks: list[str] = []
    for record in sorted(records)[:MOST]:
        if record.target in {"", "."}:  # RFC 6186, section 3.4
            remarks.append(f"says that there is no {LABELS[service]}")
            continue
        try:
            taken.append(server(service, record.target, record.port))
        except NotTaken as why:
            remarks.append(str(why))
    return tuple(dict.fromkeys(taken)), tuple(dict.fromkeys(remarks))


async def services(resolver: IResolver, domain: str, service: Service) -> tuple[Srv, ...]:
    """() where there are none. Raises DomainError and TimeoutError of Twisted."""
    answers = await _asked(resolver.lookupService(f"{LABELS[service]}.{domain}", TRIES))
    return tuple(
        Srv(one.priority, -one.weight, _text(one.target.name), one.port)
        for one in answers
        if isinstance(one, dns.Record_SRV)
    )


async def exchangers(resolver: IResolver, domain: str) -> tuple[Exchanger, ...]:
    """The preferred first; what is no host name, such as the "." of a domain without mail, is left out."""
    answers = await _asked(resolver.lookupMailExchange(domain, TRIES))
    hosts = [(one.preference, host_name(_text(one.name.name))) for one in answers if isinstance(one, dns.Record_MX)]
    return tuple(sorted(Exchanger(preference, host) for preference, host in hosts if host is not None))[:MOST]


async def _asked(looking: Deferred[Any]) -> list[object]:
    """The answer's records, of whatever kind: a CNAME may stand before those asked for."""
    try:
        answers, _, _ = await looking
    except DNSNameError:
        return []
    return [header.payload for header in cast("list[dns.RRHeader]", answers)]


def _text(name: bytes) -> str:
    return name.decode("ascii", "replace")
