"""One message on its way to the client: repaired, dot-stuffed, written as it comes, at the client's pace.

The status line goes out with the first octets and the terminator with the last ones, in one write (node-pop3 and
others look for the end of a reply at the end of what they received; Q21).
"""

from typing import Protocol

from bridge.maildrop.source import Flow
from bridge.pop3.stuffing import MessageOctets


class Line(Protocol):
    """The way to the client."""

    def write(self, octets: bytes) -> None: ...

    def follow(self, flow: Flow | None) -> None:
        """Who is to be paused and resumed with the client until the command has been answered."""


class Delivery:
    """A Sink. `written` tells that a failure can no longer be answered with -ERR."""

    def __init__(self, line: Line, status: bytes, message: MessageOctets) -> None:
        self.written = False
        self._line = line
        self._status = status
        self._held = b""
        self._message = message

    @property
    def satisfied(self) -> bool:
        return self._message.complete

    @property
    def octets(self) -> int:
        return self._message.octets

    def begin(self, flow: Flow) -> None:
        self._line.follow(flow)

    def write(self, octets: bytes) -> None:
        stuffed = self._message.feed(octets)
        if not stuffed:
            return
        if self._status:
            stuffed, self._status = self._status + stuffed, b""
        if self._held:
            self.written = True
            self._line.write(self._held)
        self._held = stuffed

    def finish(self) -> None:
        """The message is whole: its last octets and the terminator."""
        self._line.write(self._status + self._held + self._message.end())
