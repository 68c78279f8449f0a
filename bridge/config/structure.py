"""Plain tables, as a file or flags give them, to values; everything wrong in them is found at once, with its path.

cattrs does the walking; the hooks here say what each kind of value must look like, those of single keys are in
`key_hooks`.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn

from bridge.config.contradictions import Finding, KeyPath, contradictions
from bridge.config.discovered import with_pins
from bridge.config.key_hooks import CHECKS, DEFAULTS, FIELDS, SHARED
from bridge.config.notation import (
    A_CENTURY,
    parse_duration,
    parse_endpoint,
    parse_reference,
    parse_rest,
    parse_state,
    parse_upstream,
)
from bridge.config.problems import WrongValue
from bridge.config.scalars import text, truth, whole_number
from bridge.config.values import (
    AccountsDirectory,
    Certificate,
    Device,
    Document,
    Endpoint,
    KeySource,
    Long,
    OAuth2Grant,
    OwnAccount,
    OwnSource,
    Positive,
    Reference,
    Rest,
    SelfSigned,
    StateFile,
    Upstream,
    VaultFile,
)
from bridge.config.vault_notation import parse_key_source, parse_vault_file
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
    converter.register_structure_hook_func(lambda kind: kind == Positive, whole_number)
    converter.register_structure_hook_func(
        lambda kind: kind == Long, lambda value, _: parse_duration(value, longest=A_CENTURY)
    )
    converter.register_structure_hook_func(lambda kind: kind == Rest, lambda value, _: parse_rest(value))
    converter.register_structure_hook_func(
        lambda kind: kind == StateFile, lambda value, _: parse_state(text(value), base)
    )
    converter.register_structure_hook_func(
        lambda kind: kind == VaultFile, lambda value, _: parse_vault_file(text(value), base)
    )
    converter.register_structure_hook(KeySource, lambda value, _: parse_key_source(text(value), base))
    converter.register_structure_hook(int, whole_number)
    converter.register_structure_hook(str, lambda value, _: text(value))
    converter.register_structure_hook(bool, lambda value, _: truth(value))
    converter.register_structure_hook(float, lambda value, _: parse_duration(value))
    converter.register_structure_hook_func(lambda kind: kind == AccountsDirectory, lambda value, _: base / text(value))
    converter.register_structure_hook(Path, lambda value, _: _file(value, base))
    converter.register_structure_hook(PasswordHash, lambda value, _: _made_by_us(parse_hash, value))
    converter.register_structure_hook(Keys, lambda value, _: _made_by_us(parse_keys, value))
    converter.register_structure_hook(Endpoint, lambda value, _: parse_endpoint(_as_address(value)))
    converter.register_structure_hook(Reference, lambda value, _: parse_reference(text(value), base))
    converter.register_structure_hook(Upstream, lambda value, _: parse_upstream(text(value)))
    converter.register_structure_hook(Certificate | SelfSigned | None, lambda value, _: _listener_tls(value, converter))
    return converter


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _is_choice(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _table_hook(kind: type[Any], converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    from_table = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True, **FIELDS.get(kind, {}))
    check, complete = CHECKS.get(kind), DEFAULTS.get(kind)

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


def _as_address(value: Any) -> str:
    """A bare number is what people write for a port; the address parser knows the remedy."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)


def _file(value: Any, base: Path) -> Path:
    path = base / text(value)
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
        return parse(text(value))
    except ValueError as error:
        raise WrongValue(str(error), remedy="write what `popbridge password` prints") from None


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
    known += sorted(SHARED) if table is OwnAccount else []
    if close := difflib.get_close_matches(key, known, 1, 0.6):
        return WrongValue("there is no such key here", remedy=f"did you mean {close[0]}?")
    return WrongValue("there is no such key here", remedy=f"the keys here are {', '.join(known)}")
