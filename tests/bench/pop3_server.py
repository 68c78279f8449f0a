"""A POP3 server of a few lines, right or wrong in the way a test wants, in a thread of its own."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence

from bench.mailboxes import top
from bench.wire import Account, Door

ACCOUNT = Account("ann", "secret")


class Pop3Server:
    """Answers from the messages. `edit` gets each command with its reply, and gives the reply that goes out; an empty
    one is followed by the end of the connection.
    """

    def __init__(self, messages: Sequence[bytes], edit: Callable[[bytes, bytes], bytes]) -> None:
        self._messages = messages
        self._edit = edit
        self.heard: list[bytes] = []
        self.most_under_way = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.door = Door("127.0.0.1", self._listener.getsockname()[1])
        threading.Thread(target=self._take, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                wire, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(wire,), daemon=True).start()

    def _serve(self, wire: socket.socket) -> None:
        with wire, contextlib.suppress(OSError):
            wire.sendall(b"+OK ready\r\n")
            waiting = b""
            while octets := wire.recv(1 << 16):
                *lines, waiting = (waiting + octets).split(b"\r\n")
                self.most_under_way = max(self.most_under_way, len(lines))
                for line in lines:
                    self.heard.append(line)
                    reply = self._edit(line, self._reply(line))
                    wire.sendall(reply)
                    if line == b"QUIT" or not reply:
                        return

    def _reply(self, line: bytes) -> bytes:
        match line.split():
            case [b"RETR", number]:
                return _lines(self._messages[int(number) - 1])
            case [b"TOP", number, count]:
                return _lines(top(self._messages[int(number) - 1], int(count)))
            case [b"UIDL"]:
                return _lines(b"".join(b"%d uid%d\r\n" % (n, n) for n in range(1, len(self._messages) + 1)))
            case [b"STAT"]:
                return b"+OK %d %d\r\n" % (len(self._messages), sum(map(len, self._messages)))
            case _:
                return b"+OK\r\n"


def _lines(text: bytes) -> bytes:
    return b"+OK here it comes\r\n" + (b"\r\n" + text).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


def unchanged(command: bytes, reply: bytes) -> bytes:
    del command
    return reply


@contextlib.contextmanager
def pop3_server(messages: Sequence[bytes], edit: Callable[[bytes, bytes], bytes] = unchanged) -> Iterator[Pop3Server]:
    with contextlib.closing(Pop3Server(messages, edit)) as server:
        yield server
