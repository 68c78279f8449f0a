"""The mailboxes of the server in memory: what they hold, what FETCH shows of it, and what SEARCH finds in it."""

import re
from collections.abc import Iterable, Iterator

from attrs import Factory, define

DATE = "17-Jul-2024 02:44:25 -0700"

_ITEM = re.compile(r"BODY\.PEEK\[([^\]]*)\](?:<(\d+)\.(\d+)>)?|[A-Z0-9.-]+")
_KEYS = {"SEEN": "\\Seen", "DELETED": "\\Deleted", "FLAGGED": "\\Flagged"}


class Refused(Exception):
    """A NO or BAD, with its text."""


@define
class Message:
    """`stable_id`: of EMAILID, or in decimal of X-GM-MSGID."""

    octets: bytes
    flags: set[str] = Factory(set)
    date: str = DATE
    modseq: int = 1
    stable_id: str = ""


@define
class Folder:
    """Messages by their UIDs."""

    uidvalidity: int | None = 7
    uidnext: int = 1
    messages: dict[int, Message] = Factory(dict)
    special: str = ""
    read_only: bool = False
    permanent: str = "\\Deleted \\Seen \\*"
    rights: str = "lrswite"
    stuck: set[int] = Factory(set)  # UIDs that stay whatever is asked
    modseq: int = 1  # HIGHESTMODSEQ
    mailbox_id: str = "F-inbox"

    def append(self, octets: bytes, flags: Iterable[str] = ()) -> int:
        uid = self.uidnext
        self.modseq += 1
        self.messages[uid] = Message(octets, set(flags), modseq=self.modseq)
        self.uidnext += 1
        return uid

    def flag(self, uid: int, *flags: str) -> None:
        """What somebody else does: these are its flags now."""
        self.modseq += 1
        self.messages[uid].flags = set(flags)
        self.messages[uid].modseq = self.modseq

    def remove(self, *uids: int) -> None:
        self.modseq += 1
        for uid in uids:
            del self.messages[uid]

    def wanted(self, uids: str) -> set[int]:
        """Those of this set that are there; `*` is the last one, as in RFC 9051."""
        last = max(self.messages, default=0)
        spans = [[last if end == "*" else int(end) for end in span.split(":")] for span in uids.split(",")]
        return {uid for uid in self.messages if any(min(span) <= uid <= max(span) for span in spans)}

    def search(self, keys: str) -> set[int]:
        words = re.findall(r'"[^"]*"|[^ ]+', keys)
        found = set(self.messages)
        while words:
            found &= self._found(words)
        return found

    def _found(self, words: list[str]) -> set[int]:
        """By the next key, which is taken from the words."""
        match words.pop(0):
            case "ALL":
                return set(self.messages)
            case "NOT":
                return set(self.messages) - self._found(words)
            case "OR":
                return self._found(words) | self._found(words)
            case "KEYWORD":
                return self._flagged(words.pop(0))
            case "UID":
                return self.wanted(words.pop(0))
            case "HEADER":
                line = f"{words.pop(0)}: {words.pop(0)}\r\n".replace('"', "").encode()
                return {uid for uid, one in self.messages.items() if line in one.octets}
            case "SUBJECT":
                text = words.pop(0).strip('"').encode()
                return {
                    uid
                    for uid, one in self.messages.items()
                    if any(text in line for _, line in fields(one.octets, ["SUBJECT"]))
                }
            case key if key in _KEYS:
                return self._flagged(_KEYS[key])
            case key if key.removeprefix("UN") in _KEYS:
                return set(self.messages) - self._flagged(_KEYS[key.removeprefix("UN")])
            case key:
                raise Refused(f"BAD no criterion {key}")

    def _flagged(self, flag: str) -> set[int]:
        return {uid for uid, one in self.messages.items() if flag.lower() in {each.lower() for each in one.flags}}


def items(asked: str, one: Message) -> bytes:
    """What is asked for in parentheses, in that order; UID is written by the caller."""
    out = b""
    left = _ITEM.sub("", asked.strip("()")).strip()
    if left:
        raise Refused(f"BAD no items {left}")
    for item in _ITEM.finditer(asked):
        out += _item(item, one)
    return out


def _item(item: re.Match[str], one: Message) -> bytes:
    match item[0]:
        case "UID":
            return b""
        case "FLAGS":
            return b" FLAGS (%s)" % " ".join(sorted(one.flags)).encode()
        case "RFC822.SIZE":
            return b" RFC822.SIZE %d" % len(one.octets)
        case "INTERNALDATE":
            return b' INTERNALDATE "%s"' % one.date.encode()
        case "MODSEQ":
            return b" MODSEQ (%d)" % one.modseq
        case "EMAILID":
            return b" EMAILID (%s)" % one.stable_id.encode()
        case "X-GM-MSGID":
            return b" X-GM-MSGID %s" % one.stable_id.encode()
    if item[1] is None:
        raise Refused(f"BAD no item {item[0]}")
    return _body(item, one.octets)


def _body(item: re.Match[str], octets: bytes) -> bytes:
    header = re.fullmatch(r"HEADER\.FIELDS \(([^)]*)\)", item[1])
    if header is not None:
        octets = b"".join(line for _, line in fields(octets, header[1].split())) + b"\r\n"
    elif item[1]:
        raise Refused(f"BAD no section {item[1]}")
    origin = ""
    if item[2]:
        origin = f"<{item[2]}>"
        octets = octets[int(item[2]) :][: int(item[3])]
    return f" BODY[{item[1]}]{origin} {{{len(octets)}}}\r\n".encode() + octets


def fields(octets: bytes, names: list[str]) -> Iterator[tuple[str, bytes]]:
    """These header fields in the message's order, with their folded lines."""
    header = octets.partition(b"\r\n\r\n")[0] + b"\r\n"
    for field in re.finditer(rb"([!-9;-~]+):(?:[^\r]|\r\n[ \t])*\r\n", header):
        name = field[1].decode().upper()
        if name in names:
            yield name, field[0]
