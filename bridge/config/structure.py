"""Plain tables, as a file or flags give them, to values; everything wrong in them is found at once, with its path.

cattrs does the walking; the hooks here say what each kind of value must look like.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin

import attrs
import cattrs
from attrs import frozen
from cattrs.gen import make_dict_structure_fn

from bridge.config.notation import (
    check_login_template,
    is_loopback,
    parse_duration,
    parse_endpoint,
    parse_pin,
    parse_upstream,
)
from bridge.config.problems import WrongValue
from bridge.config.values import (
    Certificate,
    Endpoint,
    Limits,
    Listener,
    PassThrough,
    Positive,
    SelfSigned,
    Timeouts,
    Upstream,
)
from bridge.maildrop.uidl import parse_format

KeyPath = tuple[str | int, ...]
Finding = tuple[KeyPath, WrongValue]

_LATER_KEYS = {
    "account": "logins of the bridge's own are not in this version, which keeps no state; use [[passthrough]]",
    "purge": "it is not in this version; leave it out",
    "after": "it is not in this version; leave it out",
    "lock": "it is not in this version; several sessions at once are allowed; leave it out",
}
_LATER_CHOICES = ("archive", "hide", "keep", "retrieved", "deleted")
_EXAMPLES = {"upstream": "imaps://imap.example.org", "certificate": "chain.pem", "key": "key.pem"}
_KINDS = {
    str: "text in quotes",
    bool: "true or false",
    int: "a whole number, not below 0",
    Positive: "a whole number from 1",
}


@frozen(kw_only=True)
class Document:
    """The configuration file's own shape."""

    state: str = "memory:"
    trace: bool = False
    listener: tuple[Listener, ...] = ()
    passthrough: tuple[PassThrough, ...] = ()
    timeouts: Timeouts = attrs.field(factory=Timeouts)
    limits: Limits = attrs.field(factory=Limits)


class Rejected(Exception):
    """The tables hold mistakes; `findings` is every one of them."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        super().__init__()
        self.findings = tuple(findings)


def structure(tables: dict[str, Any], base: Path) -> Document:
    """Relative paths are taken from `base`. Raises Rejected."""
    try:
        document = _converter(base).structure(tables, Document)
    except (cattrs.BaseValidationError, WrongValue) as error:
        raise Rejected(_findings(error, ())) from None
    if findings := tuple(_contradictions(document)):
        raise Rejected(findings)
    return document


def _converter(base: Path) -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=True)
    converter.register_structure_hook_factory(attrs.has, lambda kind: _table_hook(kind, converter))
    converter.register_structure_hook_factory(_is_list, lambda kind: _list_hook(kind, converter))
    converter.register_structure_hook_factory(_is_choice, _choice_hook)
    converter.register_structure_hook_func(lambda kind: kind == Positive, _whole_number)
    converter.register_structure_hook(int, _whole_number)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(bool, _truth)
    converter.register_structure_hook(float, lambda value, _: parse_duration(value))
    converter.register_structure_hook(Path, lambda value, _: _file(value, base))
    converter.register_structure_hook(Endpoint, lambda value, _: parse_endpoint(_as_address(value)))
    converter.register_structure_hook(Upstream, lambda value, _: parse_upstream(_text(value, str)))
    converter.register_structure_hook(Certificate | SelfSigned | None, lambda value, _: _listener_tls(value, converter))
    return converter


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _is_choice(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _table_hook(kind: type[Any], converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    from_table = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True)
    check = _CHECKS.get(kind)

    def hook(value: Any, as_type: Any) -> Any:
        if not isinstance(value, dict):
            raise WrongValue("this is a table of keys", remedy="write key = value lines under a [heading] of its own")
        made = from_table(value, as_type)
        return check(made) if check else made

    return hook


def _list_hook(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    [member, _] = get_args(kind)

    def hook(value: Any, _: Any) -> Any:
        if isinstance(value, dict) and attrs.has(member):
            heading = f"[[{member.__name__.lower()}]]"
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
        text = f'"{value}" is not in this version' if value in _LATER_CHOICES else f"there is no {value!r:.60}"
        raise WrongValue(text, remedy="write " + " or ".join(f'"{choice}"' for choice in choices))

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


def _check_listener(listener: Listener) -> Listener:
    if listener.pop3 is None and listener.pop3s is None:
        raise WrongValue("this listener has no address", remedy='write pop3 = "127.0.0.1:1110" or pop3s = ":995"')
    if len(set(listener.sasl)) < len(listener.sasl):
        raise WrongValue("a mechanism is named twice", remedy="name each once", key="sasl")
    return listener


def _check_passthrough(entry: PassThrough) -> PassThrough:
    if entry.trash is not None and entry.delete != "trash":
        raise WrongValue(
            f'a trash mailbox is named, but delete = "{entry.delete}" does not use it',
            remedy='write delete = "trash", or leave trash out',
            key="trash",
        )
    if entry.expunge_without_uidplus and entry.delete == "flag":
        raise WrongValue(
            'delete = "flag" never expunges',
            remedy='write delete = "expunge" or "trash", or leave expunge_without_uidplus out',
            key="expunge_without_uidplus",
        )
    upstream = attrs.evolve(entry.upstream, cleartext=entry.cleartext)
    if upstream.security == "none":
        for key in ("ca", "pin"):
            if getattr(entry, key) is not None:
                raise WrongValue(f"{key} is named, but imap:// has no TLS", remedy="write imaps://…", key="upstream")
        if not (upstream.cleartext or is_loopback(upstream.host)):
            raise WrongValue(
                f"imap:// would send passwords to {upstream.host} in clear",
                remedy="write imaps:// or imap+starttls://; where the way there is safe by itself, "
                "cleartext = true in [[passthrough]] of a configuration file allows it",
                key="upstream",
            )
    if not entry.users.strip():
        raise WrongValue("an empty pattern fits no login", write="*", key="users")
    try:
        check_login_template(entry.login)
    except WrongValue as error:
        error.key = "login"
        raise
    try:
        parse_format(entry.uidl)
    except ValueError as error:
        raise WrongValue(str(error), remedy='write uidl = "bridge", or leave it out', key="uidl") from None
    return attrs.evolve(entry, upstream=upstream, pin=_pin(entry.pin))


def _pin(text: str | None) -> str | None:
    try:
        return None if text is None else parse_pin(text)
    except WrongValue as error:
        error.key = "pin"
        raise


_CHECKS: dict[type[Any], Callable[[Any], Any]] = {Listener: _check_listener, PassThrough: _check_passthrough}


def _contradictions(document: Document) -> Iterator[Finding]:
    if document.state != "memory:":
        yield (
            ("state",),
            WrongValue(
                "this version keeps no state, so there is nothing to store where this says",
                remedy='write state = "memory:", or leave it out',
            ),
        )
    if not document.listener:
        yield (
            ("listener",),
            WrongValue(
                "nothing to listen on",
                remedy='add [[listener]] with pop3 = "127.0.0.1:1110"',
            ),
        )
    if not document.passthrough:
        yield (
            ("passthrough",),
            WrongValue("no upstream", remedy='add [[passthrough]] with upstream = "imaps://imap.example.org"'),
        )
    yield from _shared_addresses(document.listener)
    yield from _never_reached(document.passthrough)


def _shared_addresses(listeners: tuple[Listener, ...]) -> Iterator[Finding]:
    seen: list[Endpoint] = []
    for index, listener in enumerate(listeners):
        for key, endpoint in (("pop3", listener.pop3), ("pop3s", listener.pop3s)):
            if endpoint is None:
                continue
            if other := next((other for other in seen if _overlap(endpoint, other)), None):
                yield (
                    ("listener", index, key),
                    WrongValue(
                        f"{endpoint} is taken by another listener ({other})", remedy="choose another port or address"
                    ),
                )
            seen.append(endpoint)


def _overlap(one: Endpoint, other: Endpoint) -> bool:
    """Whether the system would refuse the second: the same port on the same address or on all of its family."""
    if one.port != other.port or one.port == 0:
        return False
    if one.host == other.host or "" in (one.host, other.host):
        return True
    same_family = (":" in one.host) == (":" in other.host)
    return same_family and bool({one.host, other.host} & {"0.0.0.0", "::"})  # noqa: S104  # compared, not bound


def _never_reached(entries: tuple[PassThrough, ...]) -> Iterator[Finding]:
    earlier: set[str] = set()
    for index, entry in enumerate(entries):
        if "*" in earlier or entry.users in earlier:
            pattern = entry.users if entry.users in earlier else "*"
            yield (
                ("passthrough", index, "users"),
                WrongValue(
                    f'never reached: users = "{pattern}" stands in an earlier entry, and the first that fits is taken',
                    remedy="remove one of the two, or put the narrower first",
                ),
            )
        earlier.add(entry.users)


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
    if close := difflib.get_close_matches(key, known, 1, 0.6):
        return WrongValue("there is no such key here", remedy=f"did you mean {close[0]}?")
    return WrongValue("there is no such key here", remedy=f"the keys here are {', '.join(known)}")
