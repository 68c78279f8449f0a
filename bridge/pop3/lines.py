"""Takes what a mail program sends apart into lines, none longer than agreed.

Nothing here waits, and nothing beyond the limit is looked at: a line without an end is found out as soon as it is
too long, and what hostile input costs is in proportion to what was sent.
"""

from collections.abc import Iterator

from bridge.violation import ProtocolViolation


class Lines:
    """Octets in, lines out. CRLF ends a line; a bare LF too (the tolerance `lf-line-end`: fdm, embedded devices)."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self.bare_line_feeds = 0

    def __len__(self) -> int:
        """Octets received and not yet taken."""
        return len(self._octets)

    def receive(self, octets: bytes) -> None:
        self._octets += octets

    def clear(self) -> None:
        self._octets.clear()

    def head(self, limit: int) -> bytes:
        """Up to `limit` octets that wait, untouched: enough to see which command is coming."""
        return bytes(self._octets[:limit])

    def waiting(self) -> Iterator[bytes]:
        """The lines that are here, without their ends, untouched."""
        return (line.removesuffix(b"\r") for line in bytes(self._octets).split(b"\n")[:-1])

    def take(self, limit: int) -> bytes | None:
        """The next line without its end, or None: not here yet. `limit` counts the line's end (RFC 2449, section 4)."""
        end = self._octets.find(b"\n", 0, limit)
        if end < 0:
            if len(self._octets) >= limit:
                raise ProtocolViolation(f"a line is longer than {limit} octets")
            return None
        line = bytes(self._octets[:end])
        # A bytearray gives up its front without moving the rest: half a million empty lines stay cheap.
        del self._octets[: end + 1]
        if line.endswith(b"\r"):
            return line[:-1]
        self.bare_line_feeds += 1
        return line
