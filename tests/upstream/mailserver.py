"""A small IMAP server in memory that knows what a bridge asks, and that fails where a test says.

It is written from the RFCs, apart from the bridge's own reading of them. An exchange is a command and its whole
answer; the greeting is exchange 0, and they are counted over all connections.
"""

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto

from attrs import define, field
from twisted.internet.protocol import Protocol

from tests.upstream.mailfolder import DATE, Folder, Message, Refused, items
from tests.upstream.network import End

__all__ = ["BARE", "DATE", "DOVECOT", "QRESYNC", "Fault", "Folder", "MailServer", "Message", "Store"]

DOVECOT = "IMAP4rev1 SASL-IR LITERAL+ ID ENABLE UIDPLUS MOVE SPECIAL-USE LIST-EXTENDED ESEARCH AUTH=PLAIN"
BARE = "IMAP4rev1"
QRESYNC = f"{DOVECOT} CONDSTORE QRESYNC"


class Fault(Enum):
    """What goes wrong with one exchange."""

    CUT_BEFORE = auto()  # the connection breaks, nothing was carried out
    CUT_AFTER = auto()  # it was carried out, and the connection breaks before the answer
    CUT_INSIDE = auto()  # it was carried out, and the connection breaks in the middle of the answer
    CLOSE_INSIDE = auto()  # the same, in good order
    STALL_BEFORE = auto()  # no answer ever
    STALL_INSIDE = auto()  # half an answer
    NO = auto()
    BAD = auto()
    BYE = auto()


@define
class Store:
    """What all connections to this server share. `edit` may change any answer before it goes out."""

    folders: dict[str, Folder] = field(factory=lambda: {"INBOX": Folder(), "Trash": Folder(9, special="\\Trash")})
    capabilities: str = DOVECOT
    password: bytes = b"wonder"
    greeting: str = "* OK [CAPABILITY {capabilities}] ready"
    name: str = "Memory"  # in ID
    copyuid: bool = True
    says_uidnext: bool = True  # in SELECT; Courier does not
    most: int | None = None  # messages that one command deals with (MESSAGELIMIT, RFC 9738)
    faults: dict[int, Fault] = field(factory=dict)
    cuts_bodies: int = 0  # how many more answers with mail in them break off in the middle
    edit: Callable[[str, bytes], bytes] = lambda _, answer: answer
    servers: "list[MailServer]" = field(factory=list)
    """What every connection that was opened ends at."""
    exchanges: int = 0
    commands: list[str] = field(factory=list)

    @property
    def inbox(self) -> Folder:
        return self.folders["INBOX"]

    @property
    def trash(self) -> Folder:
        return self.folders["Trash"]

    def verbs(self) -> list[str]:
        """What was asked, without tags and arguments."""
        return [" ".join(text.split()[: 2 if text.startswith("UID ") else 1]) for text in self.commands]

    def answering(self) -> "MailServer":
        self.servers.append(MailServer(self))
        return self.servers[-1]


class MailServer(Protocol):
    transport: End

    def __init__(self, store: Store) -> None:
        self._store = store
        self._heard = b""
        self._silent = False
        self._folder: Folder | None = None
        self._selected: list[int] = []  # the UIDs in the order of their sequence numbers
        self._tag = ""
        self._sasl = False
        self._idling = False
        self._enabled: set[str] = set()

    def say(self, text: str) -> None:
        """Unasked, as in an IDLE."""
        self.transport.write(f"{text}\r\n".encode())

    def connectionMade(self) -> None:
        greeting = self._store.greeting.format(capabilities=self._store.capabilities)
        self._answer("greeting", lambda: greeting.encode() + b"\r\n")

    def dataReceived(self, data: bytes) -> None:
        self._heard += data
        while not self._silent:
            command = self._next_command()
            if command is None:
                return
            if self._sasl:
                self._finish_plain(command)
                continue
            if self._idling:
                assert command == b"DONE", command
                self._idling = False
                self._answer("DONE", lambda: self._lines(self._news(), "OK idled"))
                continue
            tag, _, text = command.decode("latin-1").partition(" ")
            self._tag = tag
            self._store.commands.append(text)
            self._answer(text, lambda text=text: self._carry_out(text))  # type: ignore[misc]  # its text is text's

    def _next_command(self) -> bytes | None:
        """With its literals in their places, as quoted strings would stand there."""
        at = 0
        while True:
            end = self._heard.find(b"\r\n", at)
            if end < 0:
                return None
            literal = re.search(rb"\{(\d+)(\+?)\}$", self._heard[at:end])
            if literal is None:
                break
            size = int(literal[1])
            if len(self._heard) < end + 2 + size:
                if not literal[2] and len(self._heard) == end + 2:
                    self.transport.write(b"+ go on\r\n")
                return None
            octets = self._heard[end + 2 : end + 2 + size]
            self._heard = self._heard[: at + literal.start()] + b'"' + octets + b'"' + self._heard[end + 2 + size :]
            at += literal.start() + size + 2
        command, self._heard = self._heard[:end], self._heard[end + 2 :]
        return command

    def _answer(self, text: str, carry_out: Callable[[], bytes]) -> None:
        fault = self._store.faults.get(self._store.exchanges)
        self._store.exchanges += 1
        if "BODY.PEEK[]" in text and self._store.cuts_bodies:
            self._store.cuts_bodies -= 1
            fault = Fault.CUT_INSIDE
        tag = self._tag or "*"
        match fault:
            case Fault.CUT_BEFORE:
                self.transport.abortConnection()
            case Fault.STALL_BEFORE:
                self._silent = True
            case Fault.NO | Fault.BAD:
                self.transport.write(f"{tag} {fault.name} not now\r\n".encode())
            case Fault.BYE:
                self.transport.write(b"* BYE going down\r\n")
                self.transport.loseConnection()
            case _:
                answer = self._store.edit(text, self._carried_out(carry_out))
                self._send(answer, fault)

    def _carried_out(self, carry_out: Callable[[], bytes]) -> bytes:
        try:
            return carry_out()
        except Refused as refused:
            return f"{self._tag} {refused}\r\n".encode()

    def _send(self, answer: bytes, fault: Fault | None) -> None:
        match fault:
            case None:
                self.transport.write(answer)
                if answer.startswith(b"* BYE"):
                    self.transport.loseConnection()
            case Fault.CUT_AFTER:
                self.transport.abortConnection()
            case Fault.STALL_INSIDE:
                self.transport.write(answer[: len(answer) // 2])
                self._silent = True
            case Fault.CLOSE_INSIDE:
                self.transport.write(answer[: len(answer) // 2])
                self.transport.loseConnection()
            case _:
                self.transport.other.incoming += answer[: len(answer) // 2]
                self.transport.other.turn(1 << 20)
                self.transport.abortConnection()

    # The commands.

    def _carry_out(self, text: str) -> bytes:
        words = text.split(" ")
        verb = f"{words[0]} {words[1]}" if words[0] == "UID" else words[0]
        rest = text[len(verb) + 1 :]
        plain: Mapping[str, Callable[[str], list[str]]] = {
            "CAPABILITY": lambda _: [f"* CAPABILITY {self._store.capabilities}"],
            "NOOP": lambda _: [],
            "LOGOUT": lambda _: ["* BYE until next time"],
            "ID": lambda _: [f'* ID ("name" "{self._store.name}")'],
            "ENABLE": self._enable,
            "LIST": lambda _: [
                f'* LIST ({folder.special}) "/" {name}'
                for name, folder in self._store.folders.items()
                if folder.special
            ],
            "MYRIGHTS": lambda _: [f"* MYRIGHTS {rest} {self._found(rest).rights}"],
        }
        folder: Mapping[str, Callable[[str], list[str]]] = {
            "UID STORE": self._store_flags,
            "UID SEARCH": self._search,
            "UID EXPUNGE": self._uid_expunge,
            "EXPUNGE": lambda _: self._expunge({uid for uid, one in self._there() if "\\Deleted" in one.flags}),
        }
        if verb in plain:
            return self._lines(plain[verb](rest), "OK done")
        if verb == "IDLE":
            self._idling = True
            return b"+ idling\r\n"
        if verb == "LOGIN":
            return self._log_in(rest)
        if verb == "AUTHENTICATE":
            return self._authenticate(rest)
        if verb in {"SELECT", "EXAMINE"}:
            return self._select(rest, read_only=verb == "EXAMINE")
        if self._folder is None:
            raise Refused("BAD select first")
        if verb == "UID FETCH":
            return self._fetch(rest)
        if verb in {"UID COPY", "UID MOVE"}:
            return self._copy(rest, move=verb == "UID MOVE")
        if verb in folder:
            return self._lines(folder[verb](rest), "OK done")
        raise Refused("BAD what?")

    def _lines(self, untagged: Iterable[str], status: str) -> bytes:
        return "".join(f"{line}\r\n" for line in (*untagged, f"{self._tag} {status}")).encode("latin-1")

    def _log_in(self, rest: str) -> bytes:
        password = re.fullmatch(r'\S+ "?([^"]*)"?', rest)
        return self._let_in(password[1].encode("latin-1") if password is not None else b"")

    def _authenticate(self, rest: str) -> bytes:
        mechanism, _, initial = rest.partition(" ")
        if mechanism != "PLAIN":
            raise Refused("NO no such mechanism")
        if not initial:
            self._sasl = True
            return b"+ \r\n"
        return self._plain(initial)

    def _finish_plain(self, line: bytes) -> None:
        self._sasl = False
        self._answer("AUTHENTICATE", lambda: self._plain(line.decode()))

    def _plain(self, initial: str) -> bytes:
        return self._let_in(base64.b64decode(initial).split(b"\0")[2])

    def _let_in(self, password: bytes) -> bytes:
        if password != self._store.password:
            raise Refused("NO [AUTHENTICATIONFAILED] wrong")
        return self._lines([], f"OK [CAPABILITY {self._store.capabilities}] in")

    def _found(self, name: str) -> Folder:
        folder = self._store.folders.get(name.strip('"'))
        if folder is None:
            raise Refused("NO [NONEXISTENT] no such mailbox")
        return folder

    def _can(self, extension: str) -> bool:
        return extension in self._store.capabilities.split()

    def _enable(self, names: str) -> list[str]:
        known = [name for name in names.split() if self._can(name)]
        self._enabled.update(known)
        return [" ".join(("* ENABLED", *known))]

    def _select(self, rest: str, *, read_only: bool) -> bytes:
        self._folder = None
        asked = re.fullmatch(r'("[^"]*"|[^ ]+)(?: \((CONDSTORE|QRESYNC \((\d+) (\d+)\))\))?', rest)
        if asked is None or (asked[2] == "CONDSTORE" and not self._can("CONDSTORE")):
            raise Refused("BAD no such parameter")
        if asked[3] and ("QRESYNC" not in self._enabled or "0" in asked.group(3, 4)):
            raise Refused("BAD enable it first, and give numbers from 1")
        folder = self._folder = self._found(asked[1])
        self._selected = sorted(folder.messages)
        lines = [f"* {len(self._selected)} EXISTS", f"* OK [PERMANENTFLAGS ({folder.permanent})] kept"]
        if folder.uidvalidity is not None:
            lines.append(f"* OK [UIDVALIDITY {folder.uidvalidity}] valid")
        if self._store.says_uidnext:
            lines.append(f"* OK [UIDNEXT {folder.uidnext}] next")
        if self._can("CONDSTORE"):
            lines.append(f"* OK [HIGHESTMODSEQ {folder.modseq}] highest" if folder.modseq else "* OK [NOMODSEQ] none")
        if self._can("OBJECTID"):
            lines.append(f"* OK [MAILBOXID ({folder.mailbox_id})] it is")
        if asked[3] and int(asked[3]) == folder.uidvalidity:
            lines += self._since(folder, int(asked[4]))
        access = "READ-ONLY" if read_only or folder.read_only else "READ-WRITE"
        return self._lines(lines, f"OK [{access}] selected")

    def _since(self, folder: Folder, modseq: int) -> list[str]:
        """More may be said to have vanished than was ever there (RFC 7162, section 3.2.10.1)."""
        gone = [uid for uid in range(1, folder.uidnext) if uid not in folder.messages]
        vanished = [f"* VANISHED (EARLIER) {_set(gone)}"] if gone else []
        return vanished + [
            f"* {number} FETCH (UID {uid} FLAGS ({' '.join(sorted(one.flags))}) MODSEQ ({one.modseq}))"
            for number, (uid, one) in enumerate(self._there(), 1)
            if one.modseq > modseq
        ]

    def _there(self) -> list[tuple[int, Message]]:
        assert self._folder is not None
        return sorted(self._folder.messages.items())

    def _wanted(self, uids: str) -> list[tuple[int, Message]]:
        assert self._folder is not None
        wanted = self._folder.wanted(uids)
        there = [(uid, one) for uid, one in self._there() if uid in wanted]
        return there if self._store.most is None else there[-self._store.most :]

    def _news(self) -> list[str]:
        """What others have done to the selected mailbox."""
        there = [uid for uid, _ in self._there()]
        gone = [number for number, uid in enumerate(self._selected, 1) if uid not in there]
        grown = len(there) > len(self._selected) - len(gone)
        vanished = _set(self._selected[number - 1] for number in gone)
        self._selected = there
        told = [f"* {number} EXPUNGE" for number in reversed(gone)]
        if gone and "QRESYNC" in self._enabled:
            told = [f"* VANISHED {vanished}"]
        return told + ([f"* {len(there)} EXISTS"] if grown else [])

    def _fetch(self, rest: str) -> bytes:
        uids, _, asked = rest.partition(" ")
        out = b""
        for uid, one in self._wanted(uids):
            if uid in self._selected:
                out += b"* %d FETCH (UID %d%s)\r\n" % (self._selected.index(uid) + 1, uid, items(asked, one))
        return out + self._lines(self._news(), "OK fetched")

    def _store_flags(self, rest: str) -> list[str]:
        uids, what, flags = rest.split(" ", 2)
        assert self._folder is not None
        if self._folder.read_only:
            raise Refused("NO [READ-ONLY] not here")
        for uid, one in self._wanted(uids):
            assert what == "+FLAGS.SILENT", what
            self._folder.flag(uid, *one.flags, *flags.strip("()").split())
        return []

    def _expunge(self, uids: set[int]) -> list[str]:
        assert self._folder is not None
        self._folder.remove(*(uids - self._folder.stuck))
        return self._news()

    def _uid_expunge(self, rest: str) -> list[str]:
        if "UIDPLUS" not in self._store.capabilities:
            raise Refused("BAD no UIDPLUS")
        return self._expunge({uid for uid, one in self._wanted(rest) if "\\Deleted" in one.flags})

    def _copy(self, rest: str, *, move: bool) -> bytes:
        uids, _, name = rest.replace('"', "").partition(" ")
        if move and "MOVE" not in self._store.capabilities:
            raise Refused("BAD no MOVE")
        if name not in self._store.folders:
            raise Refused("NO [TRYCREATE] no such mailbox")
        target = self._store.folders[name]
        copied = [(uid, target.append(one.octets, one.flags)) for uid, one in self._wanted(uids)]
        code = ""
        if copied and self._store.copyuid:
            code = f"[COPYUID {target.uidvalidity} {_set(a for a, _ in copied)} {_set(b for _, b in copied)}] "
        if not move:
            return self._lines([], f"OK {code}copied")
        gone = self._expunge({uid for uid, _ in copied})
        return self._lines([f"* OK {code}moved", *gone], "OK done")

    def _search(self, rest: str) -> list[str]:
        assert self._folder is not None
        short = rest.startswith("RETURN (ALL) ")
        found = sorted(self._folder.search(rest.removeprefix("RETURN (ALL) ")) & set(self._selected))
        told = "* SEARCH" + "".join(f" {uid}" for uid in found)
        if short:
            told = f'* ESEARCH (TAG "{self._tag}") UID' + (f" ALL {_set(found)}" if found else "")
        return [told, *self._news()]


def _set(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))
