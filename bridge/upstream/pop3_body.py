"""A message on its way from a POP3 server into the sink: whole, once more and from where it was cut, or its top.

POP3 gives no parts of a message. So what was sent already is read again, and must be the same.
"""

from hashlib import sha256  # twice as fast as blake2b, and every octet goes through it
from typing import Any

from attrs import define, field

from bridge.maildrop.source import Flow, Sink


@define
class Whole:
    """`got` in octets, and their running hash. It begins with its first octet."""

    sink: Sink
    begun: bool = False
    got: int = 0
    _hash: Any = field(factory=sha256)
    _flow: Flow | None = None

    @property
    def digest(self) -> bytes:
        digest: bytes = self._hash.digest()
        return digest

    def begin(self, flow: Flow) -> None:
        self._flow = flow

    def write(self, octets: bytes) -> None:
        self.start()
        self.got += len(octets)
        self._hash.update(octets)
        self.sink.write(octets)

    def start(self) -> None:
        """Also of a message without an octet."""
        if not self.begun and self._flow is not None:
            self.begun = True
            self.sink.begin(self._flow)


@define
class Again:
    """The same message over another connection: passed on from where it was cut, if all before is the same (S15)."""

    whole: Whole
    _left: int
    _expected: bytes
    _hash: Any = field(factory=sha256)
    _agrees: bool = True
    _flow: Flow | None = None

    @classmethod
    def of(cls, whole: Whole) -> "Again":
        return cls(whole, whole.got, whole.digest)

    @property
    def going_on(self) -> bool:
        """All that was sent before has come, and was the same."""
        return self._agrees and self._left == 0

    def begin(self, flow: Flow) -> None:
        self._flow = flow

    def write(self, octets: bytes) -> None:
        if self._left:
            again, octets = octets[: self._left], octets[self._left :]
            self._hash.update(again)
            self._left -= len(again)
            if self._left == 0:
                self._agrees = self._hash.digest() == self._expected
                if self._agrees and self._flow is not None:
                    self.whole.sink.begin(self._flow)
        if octets and self.going_on:
            self.whole.write(octets)


@define
class Beginning:
    """Header and some lines, of which the first `known` octets were passed on before; all of it, if it was not cut.

    `octets` and `lines` (of the text) have come by now.
    """

    sink: Sink
    known: int
    octets: int = 0
    lines: int = 0
    _tail: bytes = b"\n"
    _in_header: bool = True
    _flow: Flow | None = None

    @property
    def begun(self) -> bool:
        return self.octets > 0

    def begin(self, flow: Flow) -> None:
        self._flow = flow

    def write(self, octets: bytes) -> None:
        self._count(octets)
        new = octets[max(self.known - self.octets, 0) :]
        self.octets += len(octets)
        if not new or self.sink.satisfied:
            return
        self.start()
        self.sink.write(new)

    def start(self) -> None:
        if self.known == 0 and self._flow is not None:
            self.sink.begin(self._flow)
            self._flow = None

    def _count(self, octets: bytes) -> None:
        begin = 0
        if self._in_header:
            seam = self._tail + octets
            end = seam.find(b"\n\r\n")
            self._tail = seam[-2:]
            if end < 0:
                return
            self._in_header = False
            begin = end + 3 - (len(seam) - len(octets))
        self.lines += octets.count(b"\n", begin)
