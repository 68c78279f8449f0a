"""What an authorization server answers (RFC 6749, section 5), bounded and looked at before anything is believed.

Octets in, values out; nothing that could end a line or a field elsewhere leaves this file inside a token.
"""

import json
import re
from typing import Any

from attrs import frozen

from bridge.secret import Secret

LONGEST_TOKEN = 16 * 1024
LONGEST_LIFE = 7 * 86400.0
"""Seconds: what is said to live longer is asked for anew after a week."""

_TOKEN = re.compile(r"[\x21-\x7e]+")
_CODE = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]{1,100}")  # RFC 6749, section 5.2
_MOST_TEXT = 300


class Garbled(Exception):
    """This is no answer of an authorization server; the text says what is wrong with it and quotes nothing."""


@frozen
class Tokens:
    """`lifetime`: seconds; None where the server does not say. `refresh`: None where there is none, or no new one."""

    access: Secret
    lifetime: float | None
    refresh: Secret | None = None


@frozen
class ErrorAnswer:
    """`code` is one of the protocol's words, `description` the server's own text: it may quote what was sent."""

    code: str
    description: str


@frozen
class DeviceCodes:
    """What a person types at `address`, and what we ask with meanwhile (RFC 8628, section 3.2)."""

    device: Secret
    user: str
    address: str
    complete_address: str | None
    lifetime: float
    interval: float


def read_tokens(octets: bytes) -> Tokens | ErrorAnswer:
    """Raises Garbled."""
    fields = _fields(octets)
    if "error" in fields:
        return _error(fields)
    kind = fields.get("token_type", "bearer")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise Garbled("its token is not a bearer token")
    return Tokens(
        _token(fields, "access_token"),
        _seconds(fields.get("expires_in")),
        _token(fields, "refresh_token") if fields.get("refresh_token") else None,
    )


def read_device_codes(octets: bytes) -> DeviceCodes | ErrorAnswer:
    """Raises Garbled."""
    fields = _fields(octets)
    if "error" in fields:
        return _error(fields)
    # Google and Yandex say verification_url.
    address = _text(fields.get("verification_uri") or fields.get("verification_url"))
    user = _text(fields.get("user_code"))
    if not address.startswith(("https://", "http://")) or not user:
        raise Garbled("it does not say where a person is to type which code")
    complete = _text(fields.get("verification_uri_complete"))
    return DeviceCodes(
        _token(fields, "device_code"),
        user,
        address,
        complete if complete.startswith(("https://", "http://")) else None,
        _seconds(fields.get("expires_in")) or 600.0,
        max(1.0, _seconds(fields.get("interval")) or 5.0),  # RFC 8628: 5 where nothing is said
    )


def shown(text: str) -> str:
    """Foreign text in one line of bearable length."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return line if len(line) <= _MOST_TEXT else line[:_MOST_TEXT] + "…"


def _fields(octets: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(octets)
    except (ValueError, RecursionError):
        raise Garbled("it is not JSON") from None
    if not isinstance(fields, dict):
        raise Garbled("it is not a JSON object")
    return fields


def _error(fields: dict[str, Any]) -> ErrorAnswer:
    code = fields["error"]
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        raise Garbled("its error has no name")
    description = fields.get("error_description")
    return ErrorAnswer(code, description if isinstance(description, str) else "")


def _token(fields: dict[str, Any], name: str) -> Secret:
    token = fields.get(name)
    if not isinstance(token, str) or len(token) > LONGEST_TOKEN or not _TOKEN.fullmatch(token):
        raise Garbled(f"it holds no usable {name}")
    return Secret(token.encode("ascii"))


def _text(value: object) -> str:
    return value if isinstance(value, str) and value.isprintable() and len(value) <= _MOST_TEXT else ""


def _seconds(value: object) -> float | None:
    """Some servers write the number as text."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124  not a number
        return None
    return float(min(max(value, 0), LONGEST_LIFE))
