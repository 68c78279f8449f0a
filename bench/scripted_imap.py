"""An IMAP server that knows one mailbox of a hundred messages, and nothing else: thousands of sessions cost it little.

What it says is what a small server without extensions says. It is for counting sessions, not for comparing servers:
those that people run would need a process for each.
"""

import asyncio
import sys

MESSAGES = 100
_ROWS = b"".join(
    b'* %d FETCH (UID %d RFC822.SIZE %d FLAGS (\\Seen) INTERNALDATE "21-Nov-2026 22:10:40 +0000")\r\n'
    % (n, n, 3000 + n)
    for n in range(1, MESSAGES + 1)
)
_SELECTED = (
    b"* %d EXISTS\r\n* FLAGS (\\Seen \\Deleted)\r\n* OK [PERMANENTFLAGS (\\Seen \\Deleted \\*)] ok\r\n"
    b"* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT %d] ok\r\n" % (MESSAGES, MESSAGES + 1)
)
_CAPABILITIES = b"* CAPABILITY IMAP4rev1 SASL-IR LITERAL+ UIDPLUS AUTH=PLAIN\r\n"


def answer(line: bytes) -> tuple[bytes, bool]:
    """What is said to a command, and whether that was the last."""
    tag, _, command = line.rstrip(b"\r\n").partition(b" ")
    words = command.upper()
    before = b""
    if words.startswith(b"CAPABILITY"):
        before = _CAPABILITIES
    elif words.startswith(b"SELECT"):
        before = _SELECTED
    elif words.startswith(b"UID FETCH 1:* "):
        before = _ROWS
    elif words.startswith(b"UID FETCH "):  # samples of what is known, and the last message for what is new
        before = b"".join(_row(int(uid)) for uid in words.split()[2].split(b":")[0].split(b",") if int(uid) <= MESSAGES)
    elif words.startswith(b"UID SEARCH"):
        before = b"* SEARCH\r\n"
    elif words.startswith(b"LOGOUT"):
        before = b"* BYE\r\n"
    return before + tag + b" OK done\r\n", words.startswith(b"LOGOUT")


def _row(number: int) -> bytes:
    return _ROWS.split(b"\r\n")[number - 1] + b"\r\n"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"* OK ready\r\n")
    while line := await reader.readline():
        said, last = answer(line)
        writer.write(said)
        if last:
            break
    writer.close()


async def _main(port: int) -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", port, backlog=4096, limit=1 << 16)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
