"""The ends of replies are found wherever the network has cut them."""

import itertools
import socket

import pytest

from bench.mailboxes import SMALL, expected
from bench.wire import Wire
from tests.bench.pop3_server import ACCOUNT, pop3_server

_MESSAGES = [*itertools.islice(SMALL.make(), 3), b"Subject: dots\r\n\r\n.\r\n"]


class Dribbling(socket.socket):
    """Gives at most so many octets at once."""

    def __init__(self, wire: socket.socket, at_once: int) -> None:
        super().__init__(fileno=wire.detach())
        self.settimeout(20)
        self._at_once = at_once

    def recv_into(self, buffer: memoryview, nbytes: int = 0, flags: int = 0) -> int:  # type: ignore[override]
        return super().recv_into(buffer[: self._at_once], nbytes, flags)


@pytest.mark.parametrize("at_once", [1, 2, 3, 4, 5, 7, 1000])
def test_replies_end_where_they_end(at_once: int) -> None:
    pieces = expected(_MESSAGES).retr
    with pop3_server(_MESSAGES) as server, Wire(server.door, bytearray(1 << 16)) as wire:
        wire.log_in(ACCOUNT)
        wire.socket = Dribbling(wire.socket, at_once)
        commands = [b"RETR %d\r\n" % number for number in range(1, 5)]
        assert wire.pipelined(commands, 3, many_lines=True) == 4
        wire.check(pieces)
        assert wire.serially([(command, True) for command in commands]) == 4
        wire.check(pieces)
        assert wire.pipelined([b"NOOP\r\n"] * 9, 3, many_lines=False) == 9
        wire.check([None] * 9)
