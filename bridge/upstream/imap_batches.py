"""Many messages in one question: parts that fit in a command, and an answer for each message, or it is gone.

The rule: what a server with a limit (RFC 9738) has left out is asked for again, and never taken for gone.
"""

from collections.abc import Callable, Iterable, Iterator

from attrs import define, field

from bridge.imap.commands import Command
from bridge.imap.responses import Fetched
from bridge.maildrop.errors import UpstreamUnavailable
from bridge.maildrop.source import Flow
from bridge.names import Uid, to_ranges, uid_set
from bridge.upstream.imap_connection import ImapConnection

LONGEST_SET = 4000
"""Octets of a UID set in one command; servers take lines of 8,000 at least (RFC 7162, section 4)."""

MOST_AT_ONCE = 5000
"""Messages in one command: what a look at their flags brings back is held in memory."""

HEADER_AT_MOST = 64 * 1024
"""Octets kept of one message's header fields; what is beyond does not count."""


def batches(uids: Iterable[int], *, most: int = MOST_AT_ONCE) -> Iterator[frozenset[int]]:
    """These UIDs, ascending, in parts whose UID set fits in one command and that hold no more than `most`."""
    held: list[int] = []
    octets = 0
    for first, last in to_ranges(uids):
        start = first
        while start <= last:
            end = min(last, start + most - len(held) - 1)
            more = len(f"{start}:{end},")
            if held and (octets + more > LONGEST_SET or end < start):
                yield frozenset(held)
                held, octets = [], 0
                continue
            held.extend(range(start, end + 1))
            octets += more
            start = end + 1
    if held:
        yield frozenset(held)


@define
class Headers:
    """Header fields as they come, by UID, `most` octets of each; nobody but `wanted` counts."""

    wanted: frozenset[int]
    most: int = HEADER_AT_MOST
    by_uid: dict[int, bytes] = field(factory=dict)
    _held: bytearray = field(factory=bytearray)

    def begin(self, _size: int, _flow: Flow) -> None:
        self._held.clear()

    def write(self, octets: bytes) -> None:
        self._held += octets[: self.most - len(self._held)]

    def end(self, uid: Uid | None) -> None:
        if uid in self.wanted:
            self.by_uid[uid] = bytes(self._held)

    def came(self, bodies: "list[tuple[Uid, bytes]]") -> None:
        for uid, octets in bodies:
            if uid in self.wanted:
                self.by_uid[uid] = octets[: self.most]

    def caught_up(self) -> None:
        """Nobody waits for a part of them."""


async def fetched(
    connection: ImapConnection,
    uids: Iterable[int],
    command: Callable[[str], Command],
    what: str,
    headers: Headers | None = None,
) -> list[Fetched]:
    """The rows about these messages; those that are gone are missing. UpstreamUnavailable if it does not tell `what`.

    Rows about other messages may come at any time: others' flags change, and that is told to everybody.
    """
    rows: list[Fetched] = []
    for batch in batches(uids):
        waiting = set(batch)
        while waiting:
            answer = await connection.ask(command(uid_set(waiting)), bodies=headers)
            if not answer.ok:
                raise UpstreamUnavailable(f"upstream does not tell {what} now", detail=answer.status.text)
            told = [row for row in answer.responses if isinstance(row, Fetched) and row.uid in batch]
            rows += told
            if not answer.limited:
                break
            answered = {row.uid for row in told} | (headers.by_uid.keys() if headers is not None else set())
            if waiting.isdisjoint(answered):
                raise UpstreamUnavailable(f"upstream does not tell {what} for all of them; try again later")
            waiting -= answered
    return rows
