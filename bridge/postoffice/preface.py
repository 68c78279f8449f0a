"""A header line of the bridge's own at the top of each message, which says where it comes from.

Its octets are part of the message for whoever reads it: counted in its size, stuffed and cut by TOP like the others.
"""

from bridge.maildrop.source import Flow, Held, Sink


def origin_line(header: str, source: str) -> bytes:
    """Such as `X-Popbridge-Source: work`."""
    return f"{header}: {source}\r\n".encode()


def prefaced(held: Held | None, preface: bytes) -> Held | None:
    return held._replace(octets=preface + held.octets) if held is not None and preface else held


class Prefaced:
    """A Sink that another one lies behind."""

    def __init__(self, sink: Sink, preface: bytes) -> None:
        self._sink = sink
        self._preface = preface

    @property
    def satisfied(self) -> bool:
        return self._sink.satisfied

    def begin(self, flow: Flow) -> None:
        """A message that goes on over another connection has had it."""
        self._sink.begin(flow)
        preface, self._preface = self._preface, b""
        if preface:
            self._sink.write(preface)

    def write(self, octets: bytes) -> None:
        self._sink.write(octets)
