"""What a client does to a server, one function each, and how long the server took.

They run in a process of their own (`Loader`), so that each can say how busy the client was: near 100 % the figure is
the client's, not the server's. Every function checks what it got and raises when it is not what was put in.
"""

import contextlib
import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeVar

from attrs import define, field, frozen

from bench.mailboxes import Piece
from bench.wire import PATIENCE, Account, Door, Wire, WrongDataError

_P = ParamSpec("_P")
_R = TypeVar("_R")


@frozen
class Timed:
    seconds: float
    octets: int
    busy: float
    """The part of that time in which the client had the processor."""
    count: int = 0
    """Of messages, where it went on for a time."""


@define
class Watch:
    """A stop watch that knows how busy this process was."""

    _wall: float = field(factory=time.perf_counter)
    _cpu: float = field(factory=time.process_time)

    def stop(self, octets: int = 0) -> Timed:
        seconds = time.perf_counter() - self._wall
        return Timed(seconds, octets, (time.process_time() - self._cpu) / seconds)


def list_all(door: Door, account: Account, count: int) -> Timed:
    """From connecting to the end of UIDL."""
    watch = Watch()
    with Wire(door, _room(1000 + count * 80)) as wire:
        wire.log_in(account)
        uidls = wire.ask(b"UIDL\r\n", many_lines=True)
        timed = watch.stop(len(uidls))
        wire.ask(b"QUIT\r\n")
    lines = uidls.split(b"\r\n")[1:-2]
    different = {line.split(b" ", 1)[1] for line in lines}
    if len(lines) != count or len(different) != count:
        raise WrongDataError(f"{len(lines)} UIDLs, {len(different)} different ones, for {count} messages")
    return timed


def walk(
    door: Door,
    account: Account,
    commands: Sequence[str],
    pieces: Sequence[Piece],
    under_way: int = 1,
    seconds: float = PATIENCE,
) -> Timed:
    """The commands for each message in turn, such as `RETR %d`, until the last or for so long. All but the last command
    are answered by one line. The login is not in the time.
    """
    room = sum(piece.octets for piece in pieces) + len(pieces) * len(commands) * 200
    said = [(f"{command}\r\n" % number).encode() for number in range(1, len(pieces) + 1) for command in commands]
    with Wire(door, _room(room)) as wire:
        wire.log_in(account)
        watch = Watch()
        if under_way > 1:
            assert len(commands) == 1, "replies of different kinds are told apart only one by one"
            count = wire.pipelined(said, under_way, many_lines=True, seconds=seconds)
        else:
            kinds = [(command, number % len(commands) == 0) for number, command in enumerate(said, 1)]
            count = wire.serially(kinds, seconds) // len(commands)
        timed = watch.stop()
        short: list[Piece | None] = [None] * (len(commands) - 1)
        octets = wire.check([expected for piece in pieces[:count] for expected in (*short, piece)])
        wire.ask(b"QUIT\r\n")
    return Timed(timed.seconds, octets, timed.busy, count)


def first_octet(door: Door, account: Account, number: int, piece: Piece) -> Timed:
    """From RETR to the first octet of its reply."""
    with Wire(door, _room(piece.octets + 200)) as wire:
        wire.log_in(account)
        watch = Watch()
        wire.first_octets(b"RETR %d\r\n" % number)
        timed = watch.stop()
        wire.rest()
        wire.check([piece])
        wire.ask(b"QUIT\r\n")
    return timed


def delete_all(door: Door, account: Account, count: int, under_way: int = 1) -> Timed:
    """All DELEs and the QUIT."""
    said = [b"DELE %d\r\n" % number for number in range(1, count + 1)]
    with Wire(door, _room(1000 + count * 100)) as wire:
        wire.log_in(account)
        watch = Watch()
        if under_way > 1:
            wire.pipelined(said, under_way, many_lines=False)
        else:
            wire.serially([(command, False) for command in said])
        wire.check([None] * count)
        wire.ask(b"QUIT\r\n")
        return watch.stop()


_large = bytearray()


def _room(octets: int) -> bytearray:
    """One buffer for all that this process reads, because the first touch of new memory costs time."""
    global _large  # noqa: PLW0603
    if len(_large) < octets:
        _large = bytearray(octets)
    return _large


class Loader:
    """The client's process."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def begin(self, work: Callable[_P, _R], *arguments: _P.args, **keywords: _P.kwargs) -> None:
        self._ours.send((work, arguments, keywords))

    def done(self, seconds: float | None = None) -> bool:
        """Whether what was begun has ended, or ends within that time."""
        return self._ours.poll(seconds)

    def result(self) -> Any:
        outcome = self._ours.recv()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def run(self, work: Callable[_P, _R], *arguments: _P.args, **keywords: _P.kwargs) -> _R:
        self.begin(work, *arguments, **keywords)
        result: _R = self.result()
        return result

    def stop(self) -> None:
        self._ours.close()  # it ends when there is nobody to hear from
        self._process.join(10)
        self._process.kill()


@contextlib.contextmanager
def loader() -> Iterator[Loader]:
    made = Loader()
    try:
        yield made
    finally:
        made.stop()


def _serve(connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, ConnectionError):  # the one that asks has gone
        while True:
            work, arguments, keywords = connection.recv()
            try:
                outcome = work(*arguments, **keywords)
            except Exception as error:  # noqa: BLE001  # told where the work was asked for
                error.add_note(traceback.format_exc())
                outcome = error
            connection.send(outcome)
