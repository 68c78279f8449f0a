"""An autoconfig document's servers as candidates: encrypted, on the usual port, the placeholders filled in."""

from bridge.accounts.address import Address
from bridge.accounts.autoconfig_xml import LONGEST_TEXT, Incoming
from bridge.accounts.candidate import Candidate, NotTaken, Service, by_foreign_word, server
from bridge.accounts.providers import Way
from bridge.violation import excerpt

_SERVICES: dict[tuple[str, str], Service] = {
    ("imap", "SSL"): ("imap", "tls"),
    ("imap", "STARTTLS"): ("imap", "starttls"),
    ("pop3", "SSL"): ("pop3", "tls"),
    ("pop3", "STARTTLS"): ("pop3", "starttls"),
}
_WAYS: dict[str, Way] = {
    "password-cleartext": "password",
    "plain": "password",  # as older documents write it
    "OAuth2": "oauth2",
}


def places(domain: str) -> tuple[str, ...]:
    """Hosts and paths where a domain's document may be, the likelier first."""
    return (
        f"https://autoconfig.{domain}/mail/config-v1.1.xml",
        f"https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml",
    )


def candidate(address: Address, incoming: Incoming, found: str, via: str) -> Candidate:
    """`via`: the host that the document came from. Raises NotTaken, whose text says why."""
    service = _SERVICES.get((incoming.kind, incoming.socket_type))
    host = _filled(incoming.hostname, address)
    if service is None:
        raise NotTaken(
            f"{_shown(host)} ({_shown(incoming.kind)}, {_shown(incoming.socket_type)}) is no IMAP or POP3 over TLS"
        )
    port = incoming.port
    if not (port.isascii() and port.isdecimal() and len(port) <= 5):
        raise NotTaken(f"{_shown(host)}: {_shown(port)} is no port")
    upstream = server(service, host, int(port))
    ways = tuple(dict.fromkeys(_WAYS[way] for way in incoming.authentication if way in _WAYS))
    if incoming.authentication and not ways:
        raise NotTaken(f"{upstream.host} takes neither a password nor OAuth2 ({_shown(incoming.authentication[0])})")
    return by_foreign_word(address, upstream, found, login=_login(incoming.username, address), ways=ways, via=via)


def _login(template: str, address: Address) -> str:
    """As a configuration writes it."""
    if len(template) > LONGEST_TEXT or not template.isprintable() or "{" in template or "}" in template:
        raise NotTaken(f"{_shown(template)} is no login")
    login = (
        template.replace("%EMAILADDRESS%", "{user}")
        .replace("%EMAILLOCALPART%", "{local}")
        .replace("%EMAILDOMAIN%", address.domain)
        .strip()
    )
    if "{" not in login and template:
        raise NotTaken(f"{_shown(template)} is no login of yours: it is the same for everybody")
    return login or "{user}"


def _filled(text: str, address: Address) -> str:
    return text.replace("%EMAILDOMAIN%", address.domain)


def _shown(text: str) -> str:
    return excerpt(text.encode("utf-8", "replace"), 60) or "nothing"
