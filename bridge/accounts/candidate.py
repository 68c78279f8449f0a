"""A server where an address's mail may be, and who says so: something to show and to try, nothing to trust yet."""

from collections.abc import Iterable
from typing import Literal

from attrs import evolve, frozen

from bridge.accounts.address import Address, belongs, host_name
from bridge.accounts.providers import Provider, Way, by_server
from bridge.config import Upstream
from bridge.violation import excerpt

Service = tuple[Literal["imap", "pop3"], Literal["tls", "starttls"]]

PORTS: dict[Service, int] = {
    ("imap", "tls"): 993,
    ("imap", "starttls"): 143,
    ("pop3", "tls"): 995,
    ("pop3", "starttls"): 110,
}
"""Every kind of server that is taken, the best first, and the one port it has (S29)."""

MOST = 12
"""Candidates that are shown; nobody answers more questions."""


@frozen
class Candidate:
    """`login` is a template as in the configuration. `outside` says why the owner's word is needed; "" where it is not.

    `found`: who says so, in words. `ways`: how to prove oneself there, () where nobody said.
    """

    upstream: Upstream
    login: str
    found: tuple[str, ...]
    outside: str = ""
    ways: tuple[Way, ...] = ()
    provider: Provider | None = None

    def login_of(self, address: Address) -> str:
        return self.login.replace("{user}", str(address)).replace("{local}", address.local)


class NotTaken(ValueError):
    """What was named is no candidate; the text says why."""


def server(service: Service, host: str, port: int) -> Upstream:
    """Raises NotTaken."""
    protocol, security = service
    name = host_name(host)
    if name is None:
        raise NotTaken(f"{excerpt(host.encode(), 80)} is no host name")
    if port != PORTS[service]:
        raise NotTaken(f"{name} port {port} is not {protocol.upper()}'s port {PORTS[service]}")
    return Upstream(protocol, security, name, port)


def by_foreign_word(
    address: Address,
    upstream: Upstream,
    found: str,
    *,
    login: str = "{user}",
    ways: tuple[Way, ...] = (),
    via: str = "",
) -> Candidate:
    """`via`: the host that said it, where another than the domain's own may have."""
    provider = by_server(upstream.host)
    outside = ""
    if not belongs(upstream.host, address.domain):
        outside = f"{upstream.host} is not part of {address.domain}"
    elif via and not belongs(via, address.domain):
        outside = f"{via}, which says so, is not part of {address.domain}"
    return Candidate(upstream, login, (found,), outside, ways or (provider.ways if provider else ()), provider)


def by_provider(provider: Provider, found: str, *, outside: str = "") -> Iterable[Candidate]:
    for upstream in provider.servers:
        yield Candidate(upstream, provider.login, (found,), outside, provider.ways, provider)


def preferred(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """IMAP over TLS first; of the same kind in the order given. The same server is named once, with all who name it."""
    known: dict[Upstream, Candidate] = {}
    for one in candidates:
        if (before := known.get(one.upstream)) is None:
            known[one.upstream] = one
        else:
            known[one.upstream] = evolve(
                before,
                found=tuple(dict.fromkeys((*before.found, *one.found))),
                outside=before.outside and one.outside,
                ways=before.ways or one.ways,
            )
    kinds = list(PORTS)
    ordered = sorted(known.values(), key=lambda one: kinds.index((one.upstream.protocol, _secure(one.upstream))))
    return tuple(ordered[:MOST])


def _secure(upstream: Upstream) -> Literal["tls", "starttls"]:
    assert upstream.security != "none"
    return upstream.security
