"""A message on its way from upstream into the sink: whole, its beginning in parts, or the rest of one that was cut."""

from hashlib import sha256
from typing import Protocol

from attrs import define

from bridge.imap.quirks import SUBSTITUTES
from bridge.maildrop.source import Flow, Sink

OVERLAP = 256
"""Octets that are asked for again where a message goes on over another connection: they must be the same (S15)."""


class Here:
    """The flow of octets that are held already: there is nobody to pause."""

    def pause(self) -> None:
        pass

    resume = pause


@define
class Whole:
    """A whole message. `announced` and `got` in octets; `tail`: the last of them, up to OVERLAP."""

    sink: Sink
    size: int
    begun: bool = False
    announced: int = 0
    got: int = 0
    tail: bytes = b""

    def begin(self, size: int, flow: Flow) -> None:
        # An empty body of a message that is not empty is how some servers say that they cannot read it; passed on,
        # a client would take it for the message and delete it.
        if size > 0 or self.size == 0:
            self.begun, self.announced = True, size
            self.sink.begin(flow)

    def write(self, octets: bytes) -> None:
        if self.begun:
            self.got += len(octets)
            self.tail = octets[-OVERLAP:] if len(octets) >= OVERLAP else (self.tail + octets)[-OVERLAP:]
            self.sink.write(octets)


@define
class Rest:
    """What is left of a message that was cut: octets from `start` on, the overlap first, and one past its end.

    Nothing is passed on unless length and overlap are those of the message that was begun.
    """

    whole: Whole
    start: int
    count: int
    _cut: int
    _overlap: bytes
    _agrees: bool = False

    @classmethod
    def of(cls, whole: Whole) -> "Rest":
        start = whole.got - len(whole.tail)
        return cls(whole, start, whole.announced - start + 1, whole.got, whole.tail)

    @property
    def complete(self) -> bool:
        return self._agrees and not self._overlap and self.whole.got == self.whole.announced

    @property
    def going_on(self) -> bool:
        """It has brought some of what was missing."""
        return self.whole.got > self._cut

    def begin(self, size: int, flow: Flow) -> None:
        self._agrees = size == self.count - 1
        if self._agrees:
            self.whole.sink.begin(flow)

    def write(self, octets: bytes) -> None:
        again = octets[: len(self._overlap)]
        self._agrees = self._agrees and self._overlap.startswith(again)
        if self._agrees:
            self._overlap = self._overlap[len(again) :]
            self.whole.write(octets[len(again) :])


@define
class Part:
    """The next part of a message whose top is wanted; `begun` once the sink has begun, with this part or before."""

    sink: Sink
    begun: bool
    may_be_empty: bool
    came: bool = False
    octets: int = 0

    def begin(self, size: int, flow: Flow) -> None:
        self.came = size > 0 or self.may_be_empty
        if self.came and not self.begun:
            self.begun = True
            self.sink.begin(flow)

    def write(self, octets: bytes) -> None:
        self.octets += len(octets)
        self.sink.write(octets)


def is_substitute(octets: bytes, size: int) -> bool:
    """Whether this is a letter that stands for a message that is gone, of which `size` octets were listed (S14)."""
    expected = SUBSTITUTES.get(len(octets))
    return expected is not None and len(octets) != size and sha256(octets).hexdigest() == expected


class _Taker(Protocol):
    def begin(self, size: int, flow: Flow) -> None: ...

    def write(self, octets: bytes) -> None: ...


@define
class Unmasked:
    """What comes for a message of `size` octets, passed on unless it is such a letter; `substituted` says so then."""

    taker: _Taker
    size: int
    substituted: bool = False
    _flow: Flow | None = None
    _held: bytes = b""
    _announced: int = 0

    def begin(self, size: int, flow: Flow) -> None:
        self._flow = None
        if size in SUBSTITUTES and size != self.size:
            self._flow, self._held, self._announced = flow, b"", size
        else:
            self.taker.begin(size, flow)

    def write(self, octets: bytes) -> None:
        if self._flow is None:
            self.taker.write(octets)
            return
        self._held += octets
        if len(self._held) == self._announced:
            flow, self._flow = self._flow, None
            self.substituted = is_substitute(self._held, self.size)
            if not self.substituted:
                self.taker.begin(self._announced, flow)
                self.taker.write(self._held)
