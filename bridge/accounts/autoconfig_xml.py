"""A mail domain's autoconfig document (config-v1.1.xml): which servers it names, and how one logs in there.

The document is a stranger's: it is bounded, a DTD or an entity ends the reading before anything is expanded, and
whatever is not understood is left out. Nothing but AutoconfigUnreadable escapes.
"""

from typing import NoReturn
from xml.parsers import expat

from attrs import field, frozen, mutable

from bridge.violation import excerpt

LARGEST = 64 * 1024
DEEPEST = 16
ELEMENTS = 2_000
LONGEST_TEXT = 256
SERVERS = 8

_FIELDS = frozenset({"hostname", "port", "socketType", "username", "authentication"})


class AutoconfigUnreadable(Exception):
    """The document is not taken; the text says why."""


@frozen
class Incoming:
    """An incomingServer as it is written, its placeholders still in it; what was not said is ""."""

    kind: str
    hostname: str = ""
    port: str = ""
    socket_type: str = ""
    username: str = ""
    authentication: tuple[str, ...] = ()


def read_autoconfig(document: bytes) -> tuple[Incoming, ...]:
    """The servers named, in the document's order. Raises AutoconfigUnreadable."""
    if len(document) > LARGEST:
        raise AutoconfigUnreadable(f"it has more than {LARGEST // 1024} KiB")
    reading = _Reading()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.text
    parser.StartDoctypeDeclHandler = _refuse_dtd
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        raise AutoconfigUnreadable(f"it is no XML ({expat.ErrorString(error.code)})") from None
    except (ValueError, LookupError):  # an encoding that Python does not know, or not as one octet a character
        raise AutoconfigUnreadable("its encoding is not known here") from None
    return tuple(reading.servers)


def _refuse_dtd(*_: object) -> NoReturn:
    raise AutoconfigUnreadable("it has a DTD, which such a document does not need")


@mutable
class _Reading:
    servers: list[Incoming] = field(factory=list)
    path: list[str] = field(factory=list)
    kind: str = ""
    said: dict[str, list[str]] = field(factory=dict)
    heard: str = ""
    elements: int = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        if self.elements > ELEMENTS or len(self.path) >= DEEPEST:
            raise AutoconfigUnreadable("it has too many elements, or too many in one another")
        if not self.path and name != "clientConfig":
            raise AutoconfigUnreadable(f"it is another kind of document ({excerpt(name.encode(), 30)})")
        self.path.append(name)
        self.heard = ""
        if self._is(0, "incomingServer"):
            self.kind, self.said = attributes.get("type", ""), {}

    def text(self, text: str) -> None:
        if self._is(1, "incomingServer"):
            self.heard = (self.heard + text)[: LONGEST_TEXT + 1]

    def end(self, name: str) -> None:
        if self._is(1, "incomingServer") and name in _FIELDS:
            self.said.setdefault(name, []).append(self.heard.strip())
        elif self._is(0, "incomingServer") and len(self.servers) < SERVERS:
            self.servers.append(self._server())
        self.path.pop()

    def _is(self, below: int, name: str) -> bool:
        """clientConfig, emailProvider, incomingServer, and `below` elements in that."""
        return len(self.path) == 3 + below and self.path[1] == "emailProvider" and self.path[2] == name

    def _server(self) -> Incoming:
        first = {name: values[0] for name, values in self.said.items()}
        return Incoming(
            self.kind,
            first.get("hostname", ""),
            first.get("port", ""),
            first.get("socketType", ""),
            first.get("username", ""),
            tuple(self.said.get("authentication", ())),
        )
