"""From a message's UIDVALIDITY and UID, or from the server's own id of it, to its UIDL (S2, S3, S5).

Two messages can only get one computed UIDL if the server breaks IMAP's promise that UIDVALIDITY and UID together are
never used twice; a format without UIDVALIDITY, or made from ids, needs a store that remembers what was given to whom.
"""

import re
import string
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b

from attrs import frozen

from bridge.maildrop.errors import UpstreamUnsuitable
from bridge.maildrop.exceptions import NONE, Exceptions
from bridge.names import Uidl, UidValidity

LONGEST = 70
"""RFC 1939, section 7: a unique-id has 1 to 70 characters, 0x21 to 0x7E."""

OURS_AT_MOST = 40

NAMED = {
    "bridge": "{uidvalidity:08x}-{uid:08x}",
    "dovecot": "{uid:08x}{uidvalidity:08x}",
    "dovecot-old": "{uidvalidity}.{uid}",
    "cyrus": "{uidvalidity}.{uid}",
    "cyrus-uid": "{uid}",
    "uw": "{uidvalidity:08x}{uid:08x}",
    "courier": "UID{uid}-{uidvalidity}",
    "courier-old": "UID{uid}",
    "james": "{uidvalidity}-{uid}",
}
"""Compatibility formats by the server that made them (servers' own documentation; see docs/protocols.md)."""

UPSTREAM = "upstream"
"""The UIDLs of a POP3 upstream, as they are where a program can store them."""

STABLE = ("gmail", "emailid", UPSTREAM)
"""Formats made from X-GM-MSGID, from EMAILID (RFC 8474) and from the UIDLs of a POP3 upstream: the id outlives
UIDVALIDITY, and every UIDL is stored."""

TAG_AT_MOST = 7
"""Characters that tell one source's UIDLs from another's; with a dot and 32 hash digits they are 40 (S2)."""

_TAG = re.compile(rf"[A-Za-z0-9-][A-Za-z0-9_-]{{0,{TAG_AT_MOST - 1}}}")
_TAGGED = re.compile(rf"([A-Za-z0-9_-]{{1,{TAG_AT_MOST}}})\.({'|'.join(STABLE)})")
_FIELD = re.compile(r"(?:0\d\d?)?[dxX]?")
_FIT = re.compile(r"[A-Za-z0-9._-]+")
_VALID = re.compile(rf"[!-~]{{1,{LONGEST}}}")


@frozen
class Uidls:
    """One incarnation's UIDLs: computed ones, and those that are not."""

    _written: str
    _exceptions: Exceptions = NONE

    def uidl(self, uid: int) -> Uidl:
        stored = self._exceptions.get(uid)
        return Uidl(self._written % uid if stored is None else stored)

    def uidls(self, uids: Iterable[int]) -> Iterator[str]:
        """Of these messages, in their order."""
        if not self._exceptions:
            return map(self._written.__mod__, uids)
        return self._exceptions.over(uids, self._written.__mod__)


@frozen
class UidlFormat:
    """One way to write UIDLs. `template` holds {uid} and mostly {uidvalidity}, with a format such as :08x; a stable
    format's template is its name. What a source that is not its account's first makes begins with its tag and a dot,
    and so does the template.
    """

    name: str
    template: str

    def tagged(self, tag: str) -> "UidlFormat":
        """The same for the source with this tag; ValueError where its UIDLs would be too long."""
        return parse_format(f"{tag}.{self.template}") if tag else self

    @property
    def stable(self) -> bool:
        """Made from the server's own id: `stable_uidl`. A message without one has a computed UIDL."""
        return self.name in STABLE

    @property
    def has_uidvalidity(self) -> bool:
        return any(name == "uidvalidity" for _, name, _ in _pieces(self.computed))

    @property
    def needs_store(self) -> bool:
        """Upstream's own are the same without one."""
        return self.name != UPSTREAM and (self.stable or not self.has_uidvalidity)

    @property
    def computed(self) -> str:
        """The template of the UIDLs that are computed."""
        return self._tag + NAMED["bridge"] if self.stable else self.template

    def stable_uidl(self, stable_id: str) -> str:
        """From an id as `Source.stable_ids` gives it; UpstreamUnsuitable where it is no X-GM-MSGID and should be."""
        tag, longest = self._tag, LONGEST if self.name == UPSTREAM else OURS_AT_MOST
        if self.name == "gmail":
            if not re.fullmatch(r"[0-9]{1,20}", stable_id):
                raise UpstreamUnsuitable('uidl = "gmail", but upstream gives no ids of Gmail; set another uidl =')
            return f"{tag}GmailId{int(stable_id):x}"
        as_it_is = _VALID if self.name == UPSTREAM else _FIT
        fits = as_it_is.fullmatch(stable_id) and len(tag + stable_id) <= longest
        return tag + (stable_id if fits else hashed(stable_id))

    def over(self, uidvalidity: UidValidity, exceptions: Exceptions) -> Uidls:
        """The UIDLs of an incarnation."""
        return Uidls(self._written(uidvalidity), exceptions)

    def uidls(self, uidvalidity: UidValidity, uids: Iterable[int]) -> Iterator[str]:
        """The computed UIDLs of these messages, in their order."""
        return map(self._written(uidvalidity).__mod__, uids)

    def uidl(self, uidvalidity: UidValidity, uid: int) -> Uidl:
        return Uidl(self._written(uidvalidity) % uid)

    def origin(self, uidl: str) -> tuple[int, int] | None:
        """Of which UIDVALIDITY (0 where the format has none) and UID this is the computed UIDL; None if of none."""
        match = _shape(self.computed).fullmatch(uidl)
        if match is None:
            return None
        bases = {name: 10 if form.endswith("d") else 16 for _, name, form in _pieces(self.computed)}
        numbers = {name: int(digits, bases[name]) for name, digits in match.groupdict().items()}
        uidvalidity, uid = numbers.get("uidvalidity", 0), numbers["uid"]
        return (uidvalidity, uid) if self.uidl(UidValidity(uidvalidity), uid) == uidl else None

    @property
    def _tag(self) -> str:
        """Of a stable format, with its dot."""
        return self.template.removesuffix(self.name)

    def _written(self, uidvalidity: UidValidity) -> str:
        """The template as a %-format for the UID alone: 100,000 UIDLs are one `map` over it."""
        written = ""
        for literal, name, form in _pieces(self.computed):
            written += literal.replace("%", "%%") + (form % uidvalidity if name == "uidvalidity" else form)
        return written


@lru_cache
def _pieces(template: str) -> tuple[tuple[str, str, str], ...]:
    """(literal text, "uid" or "uidvalidity", %-format of that number); the last two are empty at the end."""
    return tuple(
        (literal, name or "", "%" + (spec if spec and not spec.isdigit() else f"{spec or ''}d") if name else "")
        for literal, name, spec, _ in string.Formatter().parse(template)
    )


@lru_cache
def _shape(template: str) -> re.Pattern[str]:
    """What is computed by the template looks so, the numbers in groups of their names."""
    shape = ""
    for literal, name, form in _pieces(template):
        shape += re.escape(literal)
        if name:
            digits, most = {"d": ("0-9", 10), "x": ("0-9a-f", 8), "X": ("0-9A-F", 8)}[form[-1]]
            least = int(form[1:-1] or "1")
            shape += f"(?P<{name}>[{digits}]{{{least},{max(least, most)}}})"
    return re.compile(shape)


def hashed(text: str) -> str:
    """32 characters that stand for any text: an id that is too long, or holds what a UIDL may not."""
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def tag_of(name: str) -> str:
    """What UIDLs of a source with this name begin with: the name, where it is short; else a hash of it, behind a _."""
    if _TAG.fullmatch(name):
        return name
    return "_" + hashed(name)[: TAG_AT_MOST - 1] if name else ""


@lru_cache
def parse_format(text: str) -> UidlFormat:
    """A format by name, or a template; ValueError says what is wrong with it and what to write instead."""
    if text in STABLE:
        return UidlFormat(text, text)
    if tagged := _TAGGED.fullmatch(text):
        return UidlFormat(tagged[2], text)
    if text in NAMED:
        return UidlFormat(text, NAMED[text])
    if "{" not in text:
        raise ValueError(
            f"no UIDL format {text!r}; there are {', '.join((*NAMED, *STABLE))}, "
            "or a template with {uidvalidity} and {uid}"
        )
    _check_template(text)
    return UidlFormat("template", text)


def _check_template(template: str) -> None:
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"the UIDL template cannot be read: {error}") from None
    fields = [(name, spec or "") for _, name, spec, conversion in parts if name is not None and not conversion]
    if sorted(name for name, _ in fields) not in (["uid"], ["uid", "uidvalidity"]):
        raise ValueError("a UIDL template holds {uid} and mostly {uidvalidity}, each once, and no other field")
    for name, spec in fields:
        if not _FIELD.fullmatch(spec):
            raise ValueError(
                f"in a UIDL template {{{name}:{spec}}} is not a number's format; write {{{name}}} or {{{name}:08x}}"
            )
    literals = "".join(literal for literal, *_ in parts)
    if any(not 0x21 <= ord(character) <= 0x7E for character in literals):
        raise ValueError("a UIDL has printable ASCII characters without blanks (RFC 1939, section 7)")
    if len(fields) == 2 and _runs_together(parts):
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
