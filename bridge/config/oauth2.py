"""What is wrong in an [[oauth2]] entry: an address without TLS, a way that the provider does not go, a key too few."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from bridge.config.notation import is_loopback
from bridge.config.presets import PRESETS, authorization_server
from bridge.config.problems import WrongValue
from bridge.config.values import Document, OAuth2Grant

_TENANT = re.compile(r"[A-Za-z0-9.-]{1,100}")
_WORD = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749, section 3.3


def check_address(text: str) -> str:
    """An address that is asked over HTTPS, or on this machine."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if not host or not text.isprintable() or " " in text or parts.fragment or parts.username is not None:
        raise WrongValue("it is not an address to ask", write="https://login.example.org/token")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise WrongValue("tokens are asked for over HTTPS only", write=f"https://{host}{parts.path}")
    return text


def check_tenant(text: str) -> str:
    if not _TENANT.fullmatch(text):
        raise WrongValue(
            "a tenant is a domain, a directory's number, or common, consumers, organizations", write="common"
        )
    return text


def check_scope(text: str) -> str:
    if not _WORD.fullmatch(text):
        raise WrongValue("a scope is one word without blanks and quotes", remedy='write scopes = ["…", "…"]')
    return text


def check_client_id(text: str) -> str:
    if not _WORD.fullmatch(text):
        raise WrongValue("a client id is one word", remedy="copy it from the provider's page")
    return text


GRANT_KEYS = {
    **dict.fromkeys(("authorize", "token", "device", "redirect"), check_address),
    "client_id": check_client_id,
    "tenant": check_tenant,
}
"""How a text must look, by its key."""


def check_grant(grant: OAuth2Grant) -> OAuth2Grant:
    """What one entry says, taken together."""
    for wrong in _wrongs(grant):
        raise wrong
    return grant


def check_grants(document: Document) -> Iterator[tuple[tuple[str | int, ...], WrongValue]]:
    """All entries together, and the sources that name them."""
    seen: set[str] = set()
    for index, grant in enumerate(document.oauth2):
        if grant.name in seen:
            text = f'another [[oauth2]] entry has the name "{grant.name}"'
            yield ("oauth2", index, "name"), WrongValue(text, remedy="choose another name")
        seen.add(grant.name)
    for index, account in enumerate(document.account):
        for place, source in enumerate(account.source):
            if source.secret.kind == "oauth2" and source.secret.name not in seen:
                text = f'there is no [[oauth2]] entry with name = "{source.secret.name}"'
                remedy = f"the names are {', '.join(sorted(seen))}" if seen else "write one (docs/oauth2.md)"
                yield ("account", index, "source", place, "secret"), WrongValue(text, remedy=remedy)


def _wrongs(grant: OAuth2Grant) -> Iterator[WrongValue]:
    try:
        authorization_server(grant)
    except ValueError as error:
        yield _unknown_address(grant, str(error))
    for key in ("client_secret", "private_key", "service_account"):
        reference = getattr(grant, key)
        if reference is not None and reference.kind == "oauth2":
            yield WrongValue("a token is no secret of an application", remedy=f'write {key} = "file:…"', key=key)
    if grant.grant == "service":
        yield from _wrong_service(grant)
        return
    if not grant.client_id:
        yield WrongValue(
            "the id of your application at the provider is missing",
            remedy='register one (docs/oauth2.md says where), and write client_id = "…"',
            key="client_id",
        )
    if grant.service_account is not None:
        yield WrongValue('it is for grant = "service"', remedy="leave it out", key="service_account")
    if (grant.certificate is None) != (grant.private_key is None):
        there, missing = ("certificate", "private_key") if grant.private_key is None else ("private_key", "certificate")
        example = "client.pem" if missing == "certificate" else "file:client.key"
        yield WrongValue(f"{there} goes with {missing}", remedy=f'write {missing} = "{example}"', key=there)
    if grant.certificate is not None and grant.client_secret is not None:
        yield WrongValue("a certificate stands instead of a client secret", remedy="leave one out", key="certificate")
    if grant.grant == "client" and grant.certificate is None and grant.client_secret is None:
        yield WrongValue(
            'grant = "client" proves itself by a secret or a certificate',
            remedy='write client_secret = "vault:NAME", or certificate and private_key',
            key="grant",
        )
    if grant.grant == "client" and grant.provider == "microsoft" and grant.tenant is None:
        yield WrongValue(
            "an application of its own right belongs to one tenant", remedy='write tenant = "example.org"', key="grant"
        )


def _wrong_service(grant: OAuth2Grant) -> Iterator[WrongValue]:
    if grant.service_account is None:
        yield WrongValue(
            'grant = "service" needs the JSON that Google made for the service account',
            remedy='write service_account = "file:service.json"',
            key="grant",
        )
    for key in ("client_id", "client_secret", "certificate", "private_key"):
        if getattr(grant, key) is not None:
            yield WrongValue(f'{key} is not for grant = "service"', remedy="leave it out", key=key)


def _unknown_address(grant: OAuth2Grant, key: str) -> WrongValue:
    if grant.provider is None:
        known = ", ".join(PRESETS)
        remedy = f'write {key} = "https://…", or provider = one of {known}'
        return WrongValue(f"the server's address for {key} is missing", remedy=remedy, key=key)
    if key == "device":
        text = f"{grant.provider} gives no right to mail to devices without a browser"
        return WrongValue(
            text, remedy='write grant = "code"; popbridge authorise --paste needs no browser', key="grant"
        )
    raise AssertionError(key)
