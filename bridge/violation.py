"""What an island raises when the peer breaks the rules of the wire.

Nothing else escapes an island for foreign bytes: any other exception is a bug of ours.
"""


class ProtocolViolation(Exception):
    """The peer broke the protocol; the connection cannot be trusted any further.

    The text says which rule was broken. It never holds more than `excerpt` of the peer's octets.
    """


def excerpt(octets: bytes, limit: int = 60) -> str:
    """A bounded, printable piece of foreign octets, for an error text or a log line."""
    shown = "".join(chr(o) if 0x20 <= o < 0x7F else "?" for o in octets[:limit])
    return shown + "…" if len(octets) > limit else shown
