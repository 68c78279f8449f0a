"""The mail address an owner asks about, and whether a server belongs to its domain.

A domain is as large as what one registrant holds: mail.example.co.uk and imap.example.co.uk belong together,
example.co.uk and other.co.uk do not (the Public Suffix List knows).
"""

import re
from functools import lru_cache

from attrs import frozen
from publicsuffixlist import PublicSuffixList

_NAME = re.compile(r"(?=.{4,253}\Z)(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)+(?!-)[a-z0-9-]{2,63}(?<!-)")
_LOCAL = re.compile(r"[^\s@\"<>(),:;\\\[\]{}\x00-\x1f\x7f]{1,64}")


class NoAddress(ValueError):
    """The text says what is wrong with it."""


@frozen
class Address:
    """`domain` is ASCII and lower case, as DNS has it."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


def parse_address(text: str) -> Address:
    """Raises NoAddress."""
    local, at, domain = text.strip().rpartition("@")
    if not (at and _LOCAL.fullmatch(local) and local.isprintable()):
        raise NoAddress("this is no mail address such as you@example.org")
    try:
        name = host_name(domain.encode("idna").decode("ascii"))
    except UnicodeError:
        name = None
    if name is None:
        raise NoAddress("what stands behind the @ is no domain such as example.org")
    return Address(local, name)


def host_name(text: str) -> str | None:
    """A host name of at least two labels as it is written down here; None for an address and whatever else it is."""
    name = text.lower().removesuffix(".")
    return name if _NAME.fullmatch(name) and not name.rpartition(".")[2].isdecimal() else None


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def registrable(host: str) -> str | None:
    """The domain under which somebody registered this name; None for a public suffix, such as co.uk, itself."""
    return _suffixes().privatesuffix(host)


def belongs(host: str, domain: str) -> bool:
    """Whether the same hands hold both names."""
    held = registrable(domain)
    return host == domain or (held is not None and registrable(host) == held)
