"""Plain tables, as a file or flags give them, to values; everything wrong in them is found at once, with its path.

cattrs does the walking; the hooks here say what each kind of value must look like.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, override

from bridge.config.contradictions import (
    Finding,
    KeyPath,
    check_listener,
    check_passthrough,
    check_settings,
    contradictions,
)
from bridge.config.discovered import with_pins
from bridge.config.notation import (
    A_CENTURY,
    check_device,
    check_login_template,
    check_name,
    parse_duration,
    parse_endpoint,
    parse_pin,
    parse_reference,
    parse_rest,
    parse_state,
    parse_upstream,
)
from bridge.config.oauth2 import GRANT_KEYS, check_grant, check_scope
from bridge.config.problems import WrongValue
from bridge.config.values import (
    AccountsDirectory,
    Certificate,
    Device,
    Document,
    Endpoint,
    KeySource,
    Listener,
    Long,
    OAuth2Grant,
    OwnAccount,
    OwnSource,
    PassThrough,
    Positive,
    Reference,
    Rest,
    SelfSigned,
    Settings,
    StateFile,
    Upstream,
    VaultFile,
)
from bridge.config.vault_notation import parse_key_source, parse_vault_file
from bridge.maildrop.searchkeys import check_search
from bridge.maildrop.uidl import UPSTREAM, parse_format
from bridge.passwords.preparation import prepare
from bridge.passwords.scram import Keys, parse_keys
from bridge.passwords.scrypt import PasswordHash, parse_hash

_Made = TypeVar("_Made")

_LATER_KEYS = {
    "lock": "it is not in this version; several sessions at once are allowed; leave it out",
}
_HEADINGS = {OAuth2Grant: "oauth2", OwnAccount: "account", OwnSource: "account.source", Device: "account.device"}
_EXAMPLES = {
    "upstream": "imaps://imap.example.org",
    "certificate": "chain.pem",
    "key": "key.pem",
    "user": "ann",
    "password": "$scrypt$…",
    "name": "work",
    "login": "ann@example.org",
    "secret": "vault:work",
}
_KINDS = {
    str: "text in quotes",
    bool: "true or false",
    int: "a whole number, not below 0",
    Positive: "a whole number from 1",
}


class Rejected(Exception):
    """The tables hold mistakes; `findings` is every one of them."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        super().__init__()
        self.findings = tuple(findings)


def structure(tables: dict[str, Any], base: Path) -> Document:
    """Relative paths are taken from `base`. Raises Rejected."""
    tables, unpinned = with_pins(tables, base)
    try:
        document = _converter(base).structure(tables, Document)
    except (cattrs.BaseValidationError, WrongValue) as error:
        raise Rejected((*unpinned, *_findings(error, ()))) from None
    if findings := (*unpinned, *contradictions(document)):
        raise Rejected(findings)
    return document


def _converter(base: Path) -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=True)
    converter.register_structure_hook_factory(attrs.has, lambda kind: _table_hook(kind, converter))
    converter.register_structure_hook_factory(_is_list, lambda kind: _list_hook(kind, converter))
    converter.register_structure_hook_factory(_is_choice, _choice_hook)
    converter.register_structure_hook_func(lambda kind: kind == Positive, _whole_number)
    converter.register_structure_hook_func(
        lambda kind: kind == Long, lambda value, _: parse_duration(value, longest=A_CENTURY)
    )
    converter.register_structure_hook_func(lambda kind: kind == Rest, lambda value, _: parse_rest(value))
    converter.register_structure_hook_func(
        lambda kind: kind == StateFile, lambda value, _: parse_state(_text(value, str), base)
    )
    converter.register_structure_hook_func(
        lambda kind: kind == VaultFile, lambda value, _: parse_vault_file(_text(value, str), base)
    )
    converter.register_structure_hook(KeySource, lambda value, _: parse_key_source(_text(value, str), base))
    converter.register_structure_hook(int, _whole_number)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(bool, _truth)
    converter.register_structure_hook(float, lambda value, _: parse_duration(value))
    converter.register_structure_hook_func(
        lambda kind: kind == AccountsDirectory, lambda value, _: base / _text(value, str)
    )
    converter.register_structure_hook(Path, lambda value, _: _file(value, base))
    converter.register_structure_hook(PasswordHash, lambda value, _: _made_by_us(parse_hash, value))
    converter.register_structure_hook(Keys, lambda value, _: _made_by_us(parse_keys, value))
    converter.register_structure_hook(Endpoint, lambda value, _: parse_endpoint(_as_address(value)))
    converter.register_structure_hook(Reference, lambda value, _: parse_reference(_text(value, str), base))
    converter.register_structure_hook(Upstream, lambda value, _: parse_upstream(_text(value, str)))
    converter.register_structure_hook(Certificate | SelfSigned | None, lambda value, _: _listener_tls(value, converter))
    return converter


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _is_choice(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _table_hook(kind: type[Any], converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    from_table = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True, **_FIELDS.get(kind, {}))
    check, complete = _CHECKS.get(kind), _DEFAULTS.get(kind)

    def hook(value: Any, as_type: Any) -> Any:
        if not isinstance(value, dict):
            raise WrongValue("this is a table of keys", remedy="write key = value lines under a [heading] of its own")
        made = from_table(complete(value) if complete else value, as_type)
        return check(made) if check else made

    return hook


def _list_hook(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    [member, _] = get_args(kind)

    def hook(value: Any, _: Any) -> Any:
        if isinstance(value, dict) and attrs.has(member):
            heading = f"[[{_HEADINGS.get(member, member.__name__.lower())}]]"
            raise WrongValue("there may be several, so the heading has double brackets", remedy=f"write {heading}")
        if not isinstance(value, list):
            raise WrongValue("this is a list", remedy='write ["…", "…"], or [[…]] headings for tables')
        return tuple(converter.structure(value, list[member]))  # type: ignore[valid-type]  # known at run time only

    return hook


def _choice_hook(kind: Any) -> Callable[[Any, Any], Any]:
    choices = get_args(kind)

    def hook(value: Any, _: Any) -> Any:
        if value in choices:
            return value
        raise WrongValue(f"there is no {value!r:.60}", remedy="write " + " or ".join(f'"{one}"' for one in choices))

    return hook


def _wrong_kind(value: Any, kind: Any) -> NoReturn:
    raise WrongValue(f"{value!r:.60} is not {_KINDS[kind]}", remedy=f"write {_KINDS[kind]}")


def _whole_number(value: Any, kind: Any) -> int:
    lowest = 1 if kind == Positive else 0
    if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
        _wrong_kind(value, kind)
    return value


def _text(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        _wrong_kind(value, str)
    return value


def _truth(value: Any, _: Any) -> bool:
    if not isinstance(value, bool):
        _wrong_kind(value, bool)
    return value


def _as_address(value: Any) -> str:
    """A bare number is what people write for a port; the address parser knows the remedy."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value, str)


def _file(value: Any, base: Path) -> Path:
    path = base / _text(value, str)
    try:
        with path.open("rb"):
            return path
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = getattr(error, "strerror", None) or str(error)
        raise WrongValue(
            f"{path} cannot be read ({why})",
            remedy=f"write the path of a PEM file; a relative one starts at {base}",
        ) from None


def _listener_tls(value: Any, converter: cattrs.Converter) -> Certificate | SelfSigned:
    if value == "self-signed":
        return SelfSigned()
    if not isinstance(value, dict):
        raise WrongValue(
            f"{value!r:.60} is neither a certificate nor self-signed",
            remedy='write tls = { certificate = "chain.pem", key = "key.pem" } or tls = "self-signed"',
        )
    return converter.structure(value, Certificate)


def _made_by_us(parse: Callable[[str], _Made], value: Any) -> _Made:
    """What is wrong with it is said without repeating it."""
    try:
        return parse(_text(value, str))
    except ValueError as error:
        raise WrongValue(str(error), remedy="write what `popbridge password` prints") from None


def _users(value: Any, _: Any) -> str:
    if not _text(value, str).strip():
        raise WrongValue("an empty pattern fits no login", write="*")
    return str(value)


def _mailbox(value: Any, _: Any) -> str:
    if not _text(value, str) or not value.isprintable():
        raise WrongValue("a mailbox name is not empty and holds no control characters", write="Trash")
    return str(value)


def _search(value: Any, _: Any) -> str:
    try:
        return check_search(_text(value, str))
    except ValueError as error:
        raise WrongValue(str(error), remedy='write IMAP\'s search keys, such as search = "UNSEEN"') from None


def _uidl(value: Any, _: Any) -> str:
    try:
        parse_format(_text(value, str))
    except ValueError as error:
        raise WrongValue(str(error), remedy='write uidl = "bridge", or leave it out') from None
    return str(value)


def _as_its_upstream_is(table: dict[str, Any]) -> dict[str, Any]:
    """What a POP3 upstream can do is another default than what an IMAP server can (S3, S18)."""
    pop3 = str(table.get("upstream")).strip().startswith("pop3")
    return {"delete": "expunge", "uidl": UPSTREAM, **table} if pop3 else table


def _said_once(table: dict[str, Any]) -> dict[str, Any]:
    """What stands in an account itself holds for each of its sources that does not say otherwise."""
    shared = {key: table[key] for key in table if key in _SHARED}
    sources = table.get("source")
    if isinstance(sources, list):
        sources = [{**shared, **one} if isinstance(one, dict) else one for one in sources]
    own = {key: value for key, value in table.items() if key not in _SHARED}
    return {**own, "source": sources} if "source" in table else own


def _login(value: Any, _: Any) -> str:
    if not _text(value, str) or not value.isprintable():
        raise WrongValue("a login is not empty and holds no control characters", write="ann@example.org")
    return str(value)


def _header_name(value: Any, _: Any) -> str:
    """A field name of RFC 5322, section 2.2; one that means something elsewhere is not to be made up."""
    if not re.fullmatch(r"[Xx]-[!-9;-~]{1,60}", _text(value, str)):
        raise WrongValue("the name of a header line begins with X- and has no blank and no colon", write="X-Source")
    return str(value)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise WrongValue("this is a list of texts", remedy='write ["…", "…"]')
    return tuple(value)


def _checked(check: Callable[[str], str]) -> Callable[[Any, Any], str]:
    return lambda value, _: check(_text(value, str))


def _user(value: Any, kind: Any) -> str:
    """As SCRAM's clients send it (RFC 5802, section 5.1)."""
    name = _login(value, kind)
    try:
        prepared = prepare(name)
    except ValueError as error:
        raise WrongValue(f"no mail program can send this name: {error}", write="ann") from None
    if prepared != name:
        raise WrongValue("mail programs send this name in another form (RFC 4013)", write=prepared or "ann")
    return name


_SHARED = frozenset(field.name for field in attrs.fields(Settings)) - {"upstream"} | {"unavailable", "origin_header"}
_DEFAULTS: dict[type[Any], Callable[[dict[str, Any]], dict[str, Any]]] = {
    PassThrough: _as_its_upstream_is,
    OwnSource: _as_its_upstream_is,
    OwnAccount: _said_once,
}
_CHECKS: dict[type[Any], Callable[[Any], Any]] = {
    Listener: check_listener,
    PassThrough: check_passthrough,
    OwnSource: check_settings,
    OAuth2Grant: check_grant,
}
_SETTINGS: dict[str, Any] = {
    "trash": override(struct_hook=_mailbox),
    "archive": override(struct_hook=_mailbox),
    "search": override(struct_hook=_search),
    "uidl": override(struct_hook=_uidl),
    "pin": override(struct_hook=lambda value, _: parse_pin(_text(value, str))),
}
_NAME = override(struct_hook=lambda value, _: check_name(_text(value, str)))
_FIELDS: dict[type[Any], dict[str, Any]] = {
    PassThrough: {
        **_SETTINGS,
        "name": _NAME,
        "users": override(struct_hook=_users),
        "login": override(struct_hook=lambda value, _: check_login_template(_text(value, str))),
    },
    OAuth2Grant: {
        **{key: override(struct_hook=_checked(check)) for key, check in GRANT_KEYS.items()},
        "name": _NAME,
        "scopes": override(struct_hook=lambda value, _: tuple(check_scope(one) for one in _texts(value))),
        "command": override(struct_hook=lambda value, _: _texts(value)),
    },
    OwnSource: {
        **_SETTINGS,
        "name": _NAME,
        "login": override(struct_hook=_login),
        "origin_header": override(struct_hook=_header_name),
    },
    OwnAccount: {"user": override(struct_hook=_user)},
    Device: {
        "name": override(struct_hook=lambda value, _: check_device(_text(value, str))),
        **{key: _SETTINGS[key] for key in ("trash", "archive", "search")},
    },
}


def _findings(error: Exception, path: KeyPath) -> Iterator[Finding]:
    """The leaves of cattrs' tree of exceptions; its notes name the way there."""
    match error:
        case cattrs.BaseValidationError():
            for inner in error.exceptions:
                yield from _findings(inner, (*path, *_step(inner)))
        case cattrs.ForbiddenExtraKeysError():
            for key in sorted(error.extra_fields):
                yield (*path, key), _unknown_key(key, error.cl)
        case WrongValue():
            yield (path if error.key is None else (*path, error.key)), error
        case KeyError():  # cattrs met no value for a field without default
            yield path, WrongValue("it is missing", write=_EXAMPLES[str(path[-1])])
        case _:
            raise error


def _step(error: BaseException) -> tuple[str | int, ...]:
    for note in getattr(error, "__notes__", ()):
        match note:
            case cattrs.AttributeValidationNote():
                return (note.name,)
            case cattrs.IterableValidationNote():
                return (note.index,)
    return ()


def _unknown_key(key: str, table: type[Any]) -> WrongValue:
    if key in _LATER_KEYS:
        return WrongValue("not in this version", remedy=_LATER_KEYS[key])
    known = [field.name for field in attrs.fields(table)]
    known += sorted(_SHARED) if table is OwnAccount else []
    if close := difflib.get_close_matches(key, known, 1, 0.6):
        return WrongValue("there is no such key here", remedy=f"did you mean {close[0]}?")
    return WrongValue("there is no such key here", remedy=f"the keys here are {', '.join(known)}")
