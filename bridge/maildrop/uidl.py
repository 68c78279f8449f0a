"""From a message's UIDVALIDITY and UID to its UIDL; the formats old servers used (S2, S3, S5).

A format here needs no store: two messages can only get one UIDL if the server breaks IMAP's promise
that UIDVALIDITY and UID together are never used twice.
"""

import re
import string
from collections.abc import Iterable, Iterator

from attrs import frozen

from bridge.names import Uidl, UidValidity

LONGEST = 70
"""RFC 1939, section 7: a unique-id has 1 to 70 characters, 0x21 to 0x7E."""

NAMED = {
    "bridge": "{uidvalidity:08x}-{uid:08x}",
    "dovecot": "{uid:08x}{uidvalidity:08x}",
    "dovecot-old": "{uidvalidity}.{uid}",
    "cyrus": "{uidvalidity}.{uid}",
    "uw": "{uidvalidity:08x}{uid:08x}",
    "courier": "UID{uid}-{uidvalidity}",
    "james": "{uidvalidity}-{uid}",
}
"""Compatibility formats by the server that made them (servers' own documentation; see docs/protocols.md)."""

NEED_STORE = {
    "cyrus-uid": "the UID alone names another message after a change of UIDVALIDITY",
    "courier-old": "UIDn alone names another message after a change of UIDVALIDITY",
    "gmail": "the message ids of Gmail have to be remembered",
}

_FIELD = re.compile(r"(?:0\d\d?)?[dxX]?")


@frozen
class UidlFormat:
    """One way to write UIDLs. `template` holds {uidvalidity} and {uid} with a format such as :08x."""

    name: str
    template: str

    def uidls(self, uidvalidity: UidValidity, uids: Iterable[int]) -> Iterator[str]:
        """The UIDLs of these messages, in their order."""
        return map(self._written(uidvalidity).__mod__, uids)

    def uidl(self, uidvalidity: UidValidity, uid: int) -> Uidl:
        return Uidl(self._written(uidvalidity) % uid)

    def _written(self, uidvalidity: UidValidity) -> str:
        """The template as a %-format for the UID alone: 100,000 UIDLs are one `map` over it."""
        pieces = []
        for literal, name, spec, _ in string.Formatter().parse(self.template):
            pieces.append(literal.replace("%", "%%"))
            if name is not None:
                form = "%" + (spec if spec and not spec.isdigit() else f"{spec}d")
                pieces.append(form if name == "uid" else (form % uidvalidity).replace("%", "%%"))
        return "".join(pieces)


def parse_format(text: str) -> UidlFormat:
    """A format by name, or a template; ValueError says what is wrong with it and what to write instead."""
    if text in NAMED:
        return UidlFormat(text, NAMED[text])
    if text in NEED_STORE:
        raise ValueError(f"the UIDL format {text!r} needs a durable store: {NEED_STORE[text]}")
    if "{" not in text:
        raise ValueError(
            f"no UIDL format {text!r}; there are {', '.join(NAMED)}, or a template with {{uidvalidity}} and {{uid}}"
        )
    _check_template(text)
    return UidlFormat("template", text)


def _check_template(template: str) -> None:
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"the UIDL template cannot be read: {error}") from None
    fields = [(name, spec or "") for _, name, spec, conversion in parts if name is not None and not conversion]
    if sorted(name for name, _ in fields) != ["uid", "uidvalidity"]:
        raise ValueError("a UIDL template holds {uidvalidity} and {uid}, each once, and no other field")
    for name, spec in fields:
        if not _FIELD.fullmatch(spec):
            raise ValueError(
                f"in a UIDL template {{{name}:{spec}}} is not a number's format; write {{{name}}} or {{{name}:08x}}"
            )
    literals = "".join(literal for literal, *_ in parts)
    if any(not 0x21 <= ord(character) <= 0x7E for character in literals):
        raise ValueError("a UIDL has printable ASCII characters without blanks (RFC 1939, section 7)")
    if _runs_together(parts):
        raise ValueError(
            "in this UIDL template the two numbers run together, so that two messages could get one UIDL; "
            "put a - between them or write {uidvalidity:08x}{uid:08x}"
        )
    longest = len(template.format(uidvalidity=2**32 - 1, uid=2**32 - 1))
    if longest > LONGEST:
        raise ValueError(f"this UIDL template makes up to {longest} characters; {LONGEST} are allowed")


def _runs_together(parts: list[tuple[str, str | None, str | None, str | None]]) -> bool:
    """True where (1, 23) and (12, 3) could be written alike: nothing but digits between fields of open width."""
    first, second = [index for index, part in enumerate(parts) if part[1] is not None]
    between = parts[second][0]
    fixed = any(re.fullmatch(r"(0[89]|0?[1-9]\d)[xX]|0?[1-9]\d[dxX]?", parts[i][2] or "") for i in (first, second))
    return not fixed and not re.search(r"[^0-9A-Fa-f]", between)
