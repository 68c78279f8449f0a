"""What single keys must hold beyond their kind, and what a table holds where it does not say so itself.

Everything here is a table for `structure`, which walks over what was written.
"""

import re
from collections.abc import Callable
from typing import Any

import attrs
from cattrs.gen import override

from bridge.config.contradictions import check_listener, check_passthrough, check_settings
from bridge.config.notation import check_device, check_login_template, check_name, parse_pin
from bridge.config.oauth2 import GRANT_KEYS, check_grant, check_scope
from bridge.config.problems import WrongValue
from bridge.config.scalars import text, texts
from bridge.config.values import Device, Listener, OAuth2Grant, OwnAccount, OwnSource, PassThrough, Settings
from bridge.maildrop.searchkeys import check_search
from bridge.maildrop.uidl import UPSTREAM, parse_format
from bridge.passwords.preparation import prepare


def _as_its_upstream_is(table: dict[str, Any]) -> dict[str, Any]:
    """What a POP3 upstream can do is another default than what an IMAP server can (S3, S18)."""
    pop3 = str(table.get("upstream")).strip().startswith("pop3")
    return {"delete": "expunge", "uidl": UPSTREAM, **table} if pop3 else table


def _said_once(table: dict[str, Any]) -> dict[str, Any]:
    """What stands in an account itself holds for each of its sources that does not say otherwise."""
    shared = {key: table[key] for key in table if key in SHARED}
    sources = table.get("source")
    if isinstance(sources, list):
        sources = [{**shared, **one} if isinstance(one, dict) else one for one in sources]
    own = {key: value for key, value in table.items() if key not in SHARED}
    return {**own, "source": sources} if "source" in table else own


def _users(written: str) -> str:
    if not written.strip():
        raise WrongValue("an empty pattern fits no login", write="*")
    return written


def _mailbox(written: str) -> str:
    if not written or not written.isprintable():
        raise WrongValue("a mailbox name is not empty and holds no control characters", write="Trash")
    return written


def _search(written: str) -> str:
    try:
        return check_search(written)
    except ValueError as error:
        raise WrongValue(str(error), remedy='write IMAP\'s search keys, such as search = "UNSEEN"') from None


def _uidl(written: str) -> str:
    try:
        parse_format(written)
    except ValueError as error:
        raise WrongValue(str(error), remedy='write uidl = "bridge", or leave it out') from None
    return written


def _login(written: str) -> str:
    if not written or not written.isprintable():
        raise WrongValue("a login is not empty and holds no control characters", write="ann@example.org")
    return written


def _user(written: str) -> str:
    """As SCRAM's clients send it (RFC 5802, section 5.1)."""
    name = _login(written)
    try:
        prepared = prepare(name)
    except ValueError as error:
        raise WrongValue(f"no mail program can send this name: {error}", write="ann") from None
    if prepared != name:
        raise WrongValue("mail programs send this name in another form (RFC 4013)", write=prepared or "ann")
    return name


def _header_name(written: str) -> str:
    """A field name of RFC 5322, section 2.2; one that means something elsewhere is not to be made up."""
    if not re.fullmatch(r"[Xx]-[!-9;-~]{1,60}", written):
        raise WrongValue("the name of a header line begins with X- and has no blank and no colon", write="X-Source")
    return written


def _checked(check: Callable[[str], str]) -> Any:
    return override(struct_hook=lambda value, _: check(text(value)))


SHARED = frozenset(field.name for field in attrs.fields(Settings)) - {"upstream"} | {"unavailable", "origin_header"}
"""The keys of a source that may stand in its account instead."""

DEFAULTS: dict[type[Any], Callable[[dict[str, Any]], dict[str, Any]]] = {
    PassThrough: _as_its_upstream_is,
    OwnSource: _as_its_upstream_is,
    OwnAccount: _said_once,
}
CHECKS: dict[type[Any], Callable[[Any], Any]] = {
    Listener: check_listener,
    PassThrough: check_passthrough,
    OwnSource: check_settings,
    OAuth2Grant: check_grant,
}
_SETTINGS: dict[str, Any] = {
    "trash": _checked(_mailbox),
    "archive": _checked(_mailbox),
    "search": _checked(_search),
    "uidl": _checked(_uidl),
    "pin": _checked(parse_pin),
}
_NAME = _checked(check_name)
FIELDS: dict[type[Any], dict[str, Any]] = {
    PassThrough: {**_SETTINGS, "name": _NAME, "users": _checked(_users), "login": _checked(check_login_template)},
    OAuth2Grant: {
        **{key: _checked(check) for key, check in GRANT_KEYS.items()},
        "name": _NAME,
        "scopes": override(struct_hook=lambda value, _: tuple(check_scope(one) for one in texts(value))),
        "command": override(struct_hook=lambda value, _: texts(value)),
    },
    OwnSource: {**_SETTINGS, "name": _NAME, "login": _checked(_login), "origin_header": _checked(_header_name)},
    OwnAccount: {"user": _checked(_user)},
    Device: {"name": _checked(check_device), **{key: _SETTINGS[key] for key in ("trash", "archive", "search")}},
}
