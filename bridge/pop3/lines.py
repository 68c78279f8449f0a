"""Takes what a mail program sends apart into lines, none longer than agreed.

Nothing here waits, and nothing beyond the limit is looked at: a line without an end is found out as soon as it is
too long, and what hostile input costs is in proportion to what was sent.
"""

from collections.abc import Iterator

from bridge.violation import ProtocolViolation


class Lines:
    """Octets in, lines out. CRLF ends a line; a bare LF too (the tolerance `lf-line-end`: fdm, embedded devices)."""

    def __init__(self) -> None:
        self._octets = b""
        self._taken = 0  # of these
        self.bare_line_feeds = 0

    def __len__(self) -> int:
        """Octets received and not yet taken."""
        return len(self._octets) - self._taken

    def receive(self, octets: bytes) -> None:
        self._octets, self._taken = self._octets[self._taken :] + octets, 0

    def clear(self) -> None:
        self._octets, self._taken = b"", 0

    def head(self, limit: int) -> bytes:
        """Up to `limit` octets that wait, untouched: enough to see which command is coming."""
        return self._octets[self._taken : self._taken + limit]

    def waiting(self) -> Iterator[bytes]:
        """The lines that are here, without their ends, untouched."""
        return (line.removesuffix(b"\r") for line in self._octets[self._taken :].split(b"\n")[:-1])

    def take(self, limit: int) -> bytes | None:
        """The next line without its end, or None: not here yet. `limit` counts the line's end (RFC 2449, section 4)."""
        begin = self._taken
        end = self._octets.find(b"\n", begin, begin + limit)
        if end < 0:
            if len(self) >= limit:
                raise ProtocolViolation(f"a line is longer than {limit} octets")
            self._octets, self._taken = self._octets[begin:], 0
            return None
        line = self._octets[begin:end]
        self._taken = end + 1  # the rest is not moved: half a million empty lines stay cheap
        if line.endswith(b"\r"):
            return line[:-1]
        self.bare_line_feeds += 1
        return line
