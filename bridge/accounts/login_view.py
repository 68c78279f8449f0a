"""What a mail program may ask for in its login, where the owner allows it: "ann#newest=50,as=phone", "recent:ann".

For programs whose only setting is the user name. Everything in it is a stranger's text until the password is checked.
"""

import re
from urllib.parse import unquote_to_bytes

from attrs import evolve

from bridge.maildrop.searchkeys import check_flag_search
from bridge.maildrop.view import PLAIN, View

RECENT = 30 * 86400.0
"""Seconds that `recent:` before a login means, as at Gmail."""

_UNITS = {"h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_DURATION = re.compile(r"([0-9]{1,5})([hdwy])")
_LONGEST = 100 * 365 * 86400
_COUNT = re.compile(r"[0-9]{1,9}")
_DEVICE = re.compile(r"[A-Za-z0-9._-]{1,32}")
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SUFFIX = re.compile(rb"#[a-z]+=")
_RECENT_PREFIX = b"recent:"
_LONGEST_MAILBOX = 255


def without_view(login: bytes) -> bytes:
    """The login itself, of one such as "recent:ann" or "ann#newest=50,as=phone".

    What does not look like a view stays part of it.
    """
    name = login[len(_RECENT_PREFIX) :] if _is_recent(login) else login
    return _SUFFIX.split(name, 1)[0]


def parse_login(login: bytes) -> tuple[bytes, View]:
    """The login itself, and the view that it asks for; ValueError says what is wrong with that."""
    name = without_view(login)
    view = View(since=RECENT) if _is_recent(login) else PLAIN
    suffix = _SUFFIX.search(login)
    return name, _wished(view, login[suffix.start() + 1 :]) if suffix else view


def _is_recent(login: bytes) -> bool:
    return login[: len(_RECENT_PREFIX)].lower() == _RECENT_PREFIX


def _wished(view: View, suffix: bytes) -> View:
    said = set()
    for wish in suffix.decode("utf-8", "replace").split(","):
        key, _, value = wish.partition("=")
        if key in said:
            raise ValueError("a view says one thing twice")
        said.add(key)
        match key:
            case "mailbox":
                view = evolve(view, mailbox=_mailbox(value))
            case "since":
                view = evolve(view, since=_duration(value))
            case "newest":
                view = evolve(view, newest=_count(value))
            case "search":
                view = evolve(view, search=check_flag_search(value))
            case "as":
                view = evolve(view, device=_device(value))
            case _:
                raise ValueError("a view has mailbox, since, newest, search and as")
    return view


def _mailbox(text: str) -> str:
    if _BROKEN_PERCENT.search(text):
        raise ValueError("in a view's mailbox %25 stands for %")
    name = unquote_to_bytes(text).decode("utf-8", "replace")
    if not (name.isprintable() and 0 < len(name) <= _LONGEST_MAILBOX) or name.endswith("/") or "\ufffd" in name:
        raise ValueError("a view's mailbox cannot be read")
    return "INBOX" if name.upper() == "INBOX" else name  # case-insensitive (RFC 9051, section 5.1)


def _duration(text: str) -> float:
    given = _DURATION.fullmatch(text)
    seconds = int(given[1]) * _UNITS[given[2]] if given else 0
    if not 0 < seconds <= _LONGEST:
        raise ValueError('a view\'s since is written as "12h", "30d", "2w" or "1y"')
    return float(seconds)


def _count(text: str) -> int:
    if not _COUNT.fullmatch(text) or int(text) == 0:
        raise ValueError("a view's newest is a number from 1")
    return int(text)


def _device(text: str) -> str:
    if not _DEVICE.fullmatch(text):
        raise ValueError("a device's name has 1 to 32 letters, digits, dots, _ and -")
    return text
