"""A relay between a bridge and its IMAP server that fails once, at one exchange of the conversation, in one way.

An exchange is a command with its answer; the first one, number 0, is the greeting. A clean run tells how many there
are (`Relay.exchanges`). After its one failure the relay lets everything through.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Coroutine, Iterator
from enum import Enum
from threading import Event, Thread
from typing import Any

from attrs import define, field

from tests.peers.child import free_port

_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r?\n$")
_CHUNK = 1 << 16
_LINE = 1 << 24


class Fault(Enum):
    UNSENT = "the connection is cut before upstream has heard the command"
    UNANSWERED = "it is cut when upstream has done it, before a word of the answer"
    HALF = "it is cut in the middle of the answer"
    UNTAGGED = "it is cut before the answer's last line"
    ANSWERED = "it is cut right behind the answer"
    DEAF = "upstream never hears the command, and says nothing more"
    SILENT = "upstream does it, and says nothing more"
    REFUSED = "NO, in upstream's place"


_BEFORE = {Fault.UNSENT, Fault.DEAF, Fault.REFUSED}
_WITHHELD = {Fault.UNANSWERED, Fault.SILENT}


class _Cut(Exception):
    """The connection ends here."""


class Relay:
    """See `relay()`."""

    host = "127.0.0.1"

    def __init__(self, upstream: int, port: int) -> None:
        self.port = port
        self._upstream = upstream
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._exchanges: list[str] = []
        self._at = -1
        self._fault: Fault | None = None
        self._also: Callable[[], None] | None = None
        self._fired = Event()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    @property
    def exchanges(self) -> list[str]:
        """Their verbs, since the relay was armed or reset last."""
        return list(self._exchanges)

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._connections)

    def reset(self) -> None:
        """Counts from 0 again, and lets everything through."""
        self._arm(-1, None, None)

    def fail_at(self, exchange: int, fault: Fault, also: Callable[[], None] | None = None) -> None:
        """Counts from 0 again, and fails at that exchange; `also` is called at that moment."""
        self._arm(exchange, fault, also)

    def _arm(self, exchange: int, fault: Fault | None, also: Callable[[], None] | None) -> None:
        self._exchanges = []
        self._at, self._fault, self._also = exchange, fault, also
        self._fired.clear()

    def fired(self, seconds: float) -> bool:
        """Whether it has failed, or does within that time."""
        return self._fired.wait(seconds)

    def go_down(self) -> None:
        """Nobody is listening any more, and every connection is cut."""
        self._run(self._close())

    def come_back(self) -> None:
        self._run(self._listen())

    def stop(self) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # In the loop's thread.

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accepted, self.host, self.port, limit=_LINE)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._connections):
            connection.cut()
        if self._serving:
            await asyncio.wait(self._serving)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream = await asyncio.open_connection(self.host, self._upstream, limit=_LINE)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(self, reader, writer, *upstream)
        self._connections.add(connection)
        serving = asyncio.create_task(connection.run())
        self._serving.add(serving)
        try:
            await serving
        finally:
            self._connections.discard(connection)
            self._serving.discard(serving)

    def begun(self, verb: str) -> int:
        self._exchanges.append(verb)
        return len(self._exchanges) - 1

    def fault_at(self, exchange: int) -> Fault | None:
        return self._fault if exchange == self._at else None

    def fire(self) -> None:
        self._fault = None
        if self._also is not None:
            self._also()
        self._fired.set()


@define(eq=False)
class _Connection:
    """One way through the relay."""

    relay: Relay
    client: asyncio.StreamReader
    to_client: asyncio.StreamWriter
    upstream: asyncio.StreamReader
    to_upstream: asyncio.StreamWriter
    _waiting: dict[bytes, int] = field(factory=dict)
    """The exchanges under way, by tag, in their order."""
    _faults: dict[int, Fault] = field(factory=dict)
    _conversing: bytes = b""
    """The tag of an AUTHENTICATE or IDLE: what the client says is no command until that ends."""
    _mute: bool = False

    async def run(self) -> None:
        self._under_way(b"", "greeting")
        ways = [asyncio.create_task(self._commands()), asyncio.create_task(self._answers())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for outcome in await asyncio.gather(*ways, return_exceptions=True):
                if isinstance(outcome, Exception) and not isinstance(
                    outcome, _Cut | OSError | asyncio.IncompleteReadError
                ):
                    raise outcome
            self.cut()

    def cut(self) -> None:
        self.to_client.transport.abort() if self._mute else self.to_client.close()
        self.to_upstream.transport.abort()

    def _under_way(self, tag: bytes, verb: str) -> Fault | None:
        exchange = self.relay.begun(verb)
        self._waiting[tag] = exchange
        fault = self.relay.fault_at(exchange)
        if fault is not None:
            self._faults[exchange] = fault
        return fault

    async def _commands(self) -> None:
        while line := await self.client.readline():
            words = line.split()
            if self._conversing or len(words) < 2:
                await self._pass_up(line)
                continue
            verb = words[2] if words[1].upper() == b"UID" and len(words) > 2 else words[1]
            fault = self._under_way(words[0], verb.decode().upper())
            if fault in _BEFORE:
                await self._fail_before(fault, words[0], line)
                continue
            if verb.upper() in {b"AUTHENTICATE", b"IDLE"}:
                self._conversing = words[0]
            await self._pass_up(line)
        if self._mute:  # until the bridge gives up
            return

    async def _pass_up(self, line: bytes) -> None:
        """A line, and what its literals make of it."""
        await self._write(self.to_upstream, line)
        while literal := _LITERAL.search(line):
            await self._write(self.to_upstream, await self.client.readexactly(int(literal[1])))
            line = await self.client.readline()
            await self._write(self.to_upstream, line)

    async def _fail_before(self, fault: Fault | None, tag: bytes, line: bytes) -> None:
        del self._waiting[tag]
        self.relay.fire()
        if fault is Fault.UNSENT:
            raise _Cut
        if fault is Fault.DEAF:
            self._mute = True
            return
        while (literal := _LITERAL.search(line)) and literal[2]:
            await self.client.readexactly(int(literal[1]))
            line = await self.client.readline()
        await self._write(self.to_client, tag + b" NO the relay does not want it\r\n")

    async def _answers(self) -> None:
        while line := await self.upstream.readline():
            part = line
            while literal := _LITERAL.search(line):
                line = await self.upstream.readexactly(int(literal[1])) + await self.upstream.readline()
                part += line
            await self._answer(part)

    async def _answer(self, part: bytes) -> None:
        tag = b"" if b"" in self._waiting else part.split(maxsplit=1)[0]  # the greeting has none
        last = tag in self._waiting
        oldest = next(iter(self._waiting.values()), -1)
        at = self._waiting[tag] if last else oldest
        fault = self._faults.get(at) if at == oldest else None
        if last:
            del self._waiting[tag]
            if tag == self._conversing:
                self._conversing = b""
        match fault:
            case None:
                await self._write(self.to_client, part)
            case Fault.REFUSED | Fault.UNSENT | Fault.DEAF:  # of the greeting
                self.relay.fire()
                if fault is Fault.REFUSED:
                    await self._write(self.to_client, b"* BYE the relay does not want it\r\n")
                self._mute = fault is Fault.DEAF
                if fault is not Fault.DEAF:
                    raise _Cut
            case Fault.HALF:
                await self._write(self.to_client, part[: len(part) // 2])
                self.relay.fire()
                raise _Cut
            case Fault.ANSWERED:
                await self._write(self.to_client, part)
            case _ if not last and fault not in _WITHHELD:
                await self._write(self.to_client, part)
            case _:
                pass
        if last and fault not in {None, Fault.REFUSED, Fault.UNSENT, Fault.DEAF}:
            self.relay.fire()
            if fault is not Fault.SILENT:
                raise _Cut
            self._mute = True

    async def _write(self, writer: asyncio.StreamWriter, octets: bytes) -> None:
        if not self._mute:
            writer.write(octets)
            await writer.drain()


@contextlib.contextmanager
def relay(upstream: int, port: int | None = None) -> Iterator[Relay]:
    """A relay to that port of this machine, for the time of the block."""
    made = Relay(upstream, port or free_port())
    try:
        made.come_back()
        yield made
    finally:
        made.stop()
