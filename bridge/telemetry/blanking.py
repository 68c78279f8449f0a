"""What a trace may show of a client's line: only what is known to hold no credential; everything else is blanked."""

# All of a line is shown for these; of the others no more than the verb. USER is shown: a trace without the login
# answers no question, and the log's other lines have it too.
_HARMLESS = {
    b"CAPA", b"DELE", b"LANG", b"LAST", b"LIST", b"NOOP", b"QUIT", b"RETR",
    b"RSET", b"STAT", b"STLS", b"TOP", b"UIDL", b"USER", b"UTF8",
}  # fmt: skip
_WITH_SECRET = {b"APOP", b"AUTH", b"PASS"}
_LONGEST = 200


def trace_client_line(line: bytes, *, sasl: bool) -> str:
    """A line without its end, as it may be traced; `sasl` where it answers a SASL challenge.

    A word that is no verb may be a password sent at the wrong moment, so unknown verbs are not shown either.
    """
    if sasl:
        return "*" if line == b"*" else "(SASL response)"
    verb, blank, _ = line.partition(b" ")
    upper = verb.upper()
    if upper in _HARMLESS:
        return "".join(chr(octet) if 0x20 <= octet < 0x7F else "?" for octet in line[:_LONGEST])
    if upper in _WITH_SECRET:
        return upper.decode("ascii") + (" (blanked)" if blank else "")
    return f"(unknown command of {len(line)} octets)"
