"""Everything a mail program may say to a POP3 server: one class per command, read from a line and written to one.

Whatever the line holds, `parse` answers with a value: a command, or a `Malformed` with a text that helps a person.

Tolerances beyond the RFCs, by name (`tolerances` tells which of them a line needed):
    stray-blanks       blanks and tabs before, between and after words (hand-typed, scripts)
    leading-zeros      007 is message 7 (fetch scripts that print fixed widths)
    blanks-in-name     USER takes the rest of the line, APOP all but its last word, so that names may hold blanks; only
                       those around it go
    bare-auth          AUTH without a mechanism asks for the list (c-client, Net::POP3, Outlook)
Not a tolerance but RFC 1939 read exactly: PASS takes everything after one blank as the password.
"""

import binascii
import re
from collections.abc import Callable, Iterator

from attrs import field, frozen

from bridge.names import MessageNumber
from bridge.secret import Secret

LARGEST_NUMBER = 2**31 - 1
"""Message numbers and TOP's line counts; a maildrop or a message beyond it does not exist."""


@frozen
class Capa:
    """RFC 2449."""


@frozen
class Stls:
    """RFC 2595, section 4."""


@frozen
class User:
    """`name` without blanks around it; any other octets as sent."""

    name: bytes


@frozen
class Pass:
    """`password` is the rest of the line as sent: blanks and 8-bit octets belong to it."""

    password: Secret


@frozen
class Auth:
    """RFC 5034. `initial` is the base64 text as received, `=` for an empty response. No mechanism: a list is wanted."""

    mechanism: str | None
    initial: Secret | None = None


@frozen
class Quit:
    pass


@frozen
class Noop:
    pass


@frozen
class Stat:
    pass


@frozen
class List:
    number: MessageNumber | None = None


@frozen
class Uidl:
    number: MessageNumber | None = None


@frozen
class Retr:
    number: MessageNumber


@frozen
class Top:
    """`lines` of the body, 0..2^31-1; a larger count means the whole message just as well."""

    number: MessageNumber
    lines: int


@frozen
class Dele:
    number: MessageNumber


@frozen
class Rset:
    pass


@frozen
class Last:
    """RFC 1460; gone from RFC 1939, still sent by fetchmail and others."""


@frozen
class Utf8:
    """RFC 6856, section 2."""


@frozen
class Lang:
    """RFC 6856, section 3. No tag: the list is wanted; "*": the server's choice."""

    tag: str | None = None


@frozen
class Apop:
    """`name` without blanks around it; `digest`: 32 hex digits, in lower case. With it passwords can be tried."""

    name: bytes
    digest: bytes = field(repr=False)


Command = (
    Capa
    | Stls
    | User
    | Pass
    | Auth
    | Quit
    | Noop
    | Stat
    | List
    | Uidl
    | Retr
    | Top
    | Dele
    | Rset
    | Last
    | Utf8
    | Lang
    | Apop
)


@frozen
class Malformed:
    """A line that is no command. `reason` is for a person and repeats nothing of the line: that may be a password."""

    reason: str


# A command about one message as nearly every program writes it; 9 digits are below LARGEST_NUMBER.
_PLAIN = re.compile(rb"(RETR|DELE|LIST|UIDL|TOP) ([1-9][0-9]{0,8})(?: ([0-9]{1,9}))?")
_PLAIN_VERBS: dict[bytes, Callable[[MessageNumber], Command]] = {
    b"RETR": Retr,
    b"DELE": Dele,
    b"LIST": List,
    b"UIDL": Uidl,
}

_UNDERSTOOD_AT_MOST = 4096
_understood: dict[bytes, Command] = {}  # by plain lines: every session numbers its messages from 1

_WORD = re.compile(rb"[^ \t]+")
# RFC 4422, section 3.1: 1 to 20 letters, digits, hyphens and underscores.
_MECHANISM = re.compile(rb"[A-Za-z0-9_-]{1,20}")
_APOP = re.compile(rb"(.*[^ \t])[ \t]+([0-9A-Fa-f]{32})", re.DOTALL)
_LANGUAGE = re.compile(rb"[A-Za-z0-9-]{1,64}|\*")
_LONGEST_LINE_COUNT = 20
_BLANKS = b" \t"


def parse_plain(line: bytes) -> Command | None:
    """A command about one message that needs no tolerance: what `parse` makes of it too, in less time. None: ask it."""
    known = _understood.get(line)
    if known is not None:
        return known
    plain = _PLAIN.fullmatch(line)
    if plain is None:
        return None
    verb, number, lines = plain.groups()
    command: Command
    if lines is not None and verb == b"TOP":
        command = Top(MessageNumber(int(number)), int(lines))
    elif lines is None and verb in _PLAIN_VERBS:
        command = _PLAIN_VERBS[verb](MessageNumber(int(number)))
    else:
        return None
    if len(_understood) >= _UNDERSTOOD_AT_MOST:
        _understood.clear()
    _understood[line] = command
    return command


def parse(line: bytes) -> Command | Malformed:
    """`line` without its end. Verbs in any case."""
    verb = _WORD.search(line)
    if verb is None:
        return Malformed("an empty line is no command")
    read = _READERS.get(verb.group().upper())
    if read is None:
        return Malformed("unknown command")
    # One blank belongs to the verb, whatever follows belongs to the argument.
    return read(line[verb.end() + 1 :])


def _bare(command: Command) -> Callable[[bytes], Command | Malformed]:
    def read(rest: bytes) -> Command | Malformed:
        return Malformed("this command takes no argument") if rest.strip(_BLANKS) else command

    return read


def _numbered(make: Callable[[MessageNumber], Command]) -> Callable[[bytes], Command | Malformed]:
    def read(rest: bytes) -> Command | Malformed:
        words = _WORD.findall(rest)
        if len(words) != 1:
            return Malformed("this command takes one message number")
        number = _number(words[0])
        return number if isinstance(number, Malformed) else make(number)

    return read


def _perhaps_numbered(make: Callable[[MessageNumber | None], Command]) -> Callable[[bytes], Command | Malformed]:
    one = _numbered(make)

    def read(rest: bytes) -> Command | Malformed:
        return one(rest) if rest.strip(_BLANKS) else make(None)

    return read


def _number(word: bytes) -> MessageNumber | Malformed:
    if not word.isdigit():
        return Malformed("a message number has only digits")
    digits = word.lstrip(b"0")
    if not digits:
        return Malformed("message numbers begin at 1")
    # The length first: the digits of a hostile number are never turned into one.
    if len(digits) > len(str(LARGEST_NUMBER)) or int(digits) > LARGEST_NUMBER:
        return Malformed("no such message: the number is too large")
    return MessageNumber(int(digits))


def _user(rest: bytes) -> Command | Malformed:
    name = rest.strip(_BLANKS)
    return User(name) if name else Malformed("USER takes a name")


def _pass(rest: bytes) -> Command | Malformed:
    return Pass(Secret(rest)) if rest else Malformed("PASS takes a password")


def _auth(rest: bytes) -> Command | Malformed:
    words = _WORD.findall(rest)
    if not words:
        return Auth(None)
    if len(words) > 2:
        return Malformed("AUTH takes a mechanism and at most one response")
    if not _MECHANISM.fullmatch(words[0]):
        return Malformed("this is no name of a mechanism")
    mechanism = words[0].decode("ascii").upper()
    return Auth(mechanism, Secret(words[1]) if len(words) == 2 else None)


def _top(rest: bytes) -> Command | Malformed:
    words = _WORD.findall(rest)
    if len(words) != 2:
        return Malformed("TOP takes a message number and a number of lines")
    number = _number(words[0])
    if isinstance(number, Malformed):
        return number
    if not words[1].isdigit() or len(words[1]) > _LONGEST_LINE_COUNT:
        return Malformed("TOP's number of lines is 0 or more, in at most 20 digits")
    return Top(number, min(int(words[1]), LARGEST_NUMBER))


def _lang(rest: bytes) -> Command | Malformed:
    words = _WORD.findall(rest)
    if not words:
        return Lang(None)
    if len(words) > 1 or not _LANGUAGE.fullmatch(words[0]):
        return Malformed("LANG takes one language tag")
    return Lang(words[0].decode("ascii"))


def _apop(rest: bytes) -> Command | Malformed:
    words = _APOP.fullmatch(rest.strip(_BLANKS))
    if words is None:
        return Malformed("APOP takes a name and the MD5 digest of the greeting's timestamp and the password")
    return Apop(words[1], words[2].lower())


_READERS: dict[bytes, Callable[[bytes], Command | Malformed]] = {
    b"CAPA": _bare(Capa()),
    b"STLS": _bare(Stls()),
    b"USER": _user,
    b"PASS": _pass,
    b"AUTH": _auth,
    b"QUIT": _bare(Quit()),
    b"NOOP": _bare(Noop()),
    b"STAT": _bare(Stat()),
    b"LIST": _perhaps_numbered(List),
    b"UIDL": _perhaps_numbered(Uidl),
    b"RETR": _numbered(Retr),
    b"TOP": _top,
    b"DELE": _numbered(Dele),
    b"RSET": _bare(Rset()),
    b"LAST": _bare(Last()),
    b"UTF8": _bare(Utf8()),
    b"LANG": _lang,
    b"APOP": _apop,
}


def encode(command: Command) -> bytes:
    """The line without its end. ValueError for a name or password with a line's end in it: to be refused before."""
    words = [type(command).__name__.upper().encode("ascii")]
    match command:
        case User(name):
            words.append(name)
        case Pass(password):
            words.append(password.reveal())
        case Apop(name, digest):
            words += [name, digest]
        case Auth(mechanism, initial):
            words += [mechanism.encode("ascii")] if mechanism is not None else []
            words += [initial.reveal()] if initial is not None else []
        case List(number) | Uidl(number):
            words += [b"%d" % number] if number is not None else []
        case Retr(number) | Dele(number):
            words.append(b"%d" % number)
        case Top(number, lines):
            words.append(b"%d %d" % (number, lines))
        case Lang(tag):
            words += [tag.encode("ascii")] if tag is not None else []
        case _:
            pass
    line = b" ".join(words)
    if b"\r" in line or b"\n" in line:
        raise ValueError("a command is one line")
    return line


def decode_response(text: bytes) -> Secret | None:
    """A SASL response from its base64 text, strictly; None where it is not base64."""
    try:
        return Secret(binascii.a2b_base64(text, strict_mode=True))
    except binascii.Error:
        return None


def decode_initial(text: Secret) -> Secret | None:
    """An initial response: `=` stands for an empty one (RFC 5034, section 4)."""
    return Secret(b"") if text.reveal() == b"=" else decode_response(text.reveal())


def tolerances(line: bytes, command: Command) -> Iterator[str]:
    """The names, as in this file's head, of what `line` needed beyond the RFCs to be read as `command`."""
    match command:
        case Pass():
            return
        case User(name):
            stray = len(line) != len(b"USER ") + len(name)
            if _WORD.fullmatch(name) is None:
                yield "blanks-in-name"
        case Apop(name, digest):
            stray = len(line) != len(b"APOP  ") + len(name) + len(digest)
            if _WORD.fullmatch(name) is None:
                yield "blanks-in-name"
        case Auth(None):
            stray = False
            yield "bare-auth"
        case List() | Uidl() | Retr() | Top() | Dele():
            words = _WORD.findall(line)
            stray = b" ".join(words) != line
            if any(word.startswith(b"0") and word != b"0" for word in words[1:]):
                yield "leading-zeros"
        case _:
            stray = b" ".join(_WORD.findall(line)) != line
    if stray:
        yield "stray-blanks"
