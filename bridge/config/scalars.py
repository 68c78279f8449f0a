"""What stands alone behind a key, text, a whole number, true or false, and a list of texts."""

from typing import Any, NoReturn

from bridge.config.problems import WrongValue
from bridge.config.values import Positive

_KINDS = {
    str: "text in quotes",
    bool: "true or false",
    int: "a whole number, not below 0",
    Positive: "a whole number from 1",
}


def text(value: Any) -> str:
    if not isinstance(value, str):
        _wrong_kind(value, str)
    return value


def texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise WrongValue("this is a list of texts", remedy='write ["…", "…"]')
    return tuple(value)


def truth(value: Any) -> bool:
    if not isinstance(value, bool):
        _wrong_kind(value, bool)
    return value


def whole_number(value: Any, kind: Any) -> int:
    lowest = 1 if kind == Positive else 0
    if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
        _wrong_kind(value, kind)
    return value


def _wrong_kind(value: Any, kind: Any) -> NoReturn:
    raise WrongValue(f"{value!r:.60} is not {_KINDS[kind]}", remedy=f"write {_KINDS[kind]}")
