"""An old POP3 server in a thread, for commands in processes of their own; and a terminal for those that are not."""

import contextlib
import socketserver
import threading
from collections.abc import Iterator, Sequence

from attrs import define, field

from bridge.commands.terminal import Terminal


@define
class Script:
    """Messages as (UIDL, whole octets)."""

    messages: Sequence[tuple[str, bytes]] = ()
    pipelining: bool = True
    heard: list[str] = field(factory=list)
    port: int = 0

    def answer(self, line: str) -> bytes:
        verb, *words = line.split()
        match verb:
            case "CAPA":
                return b"+OK\r\nTOP\r\nUTF8 USER\r\n" + (b"PIPELINING\r\n" if self.pipelining else b"") + b".\r\n"
            case "LIST":
                return self._lines(str(len(octets)) for _, octets in self.messages)
            case "UIDL":
                return self._lines(uidl for uidl, _ in self.messages)
            case "TOP":
                header = self.messages[int(words[0]) - 1][1].partition(b"\r\n\r\n")[0]
                return b"+OK\r\n" + header + b"\r\n\r\n.\r\n"
            case _:
                return b"+OK\r\n"

    def _lines(self, values: Iterator[str]) -> bytes:
        rows = (f"{number}  {value}\r\n".encode() for number, value in enumerate(values, 1))
        return b"+OK\r\n" + b"".join(rows) + b".\r\n"


@contextlib.contextmanager
def old_pop3_server(script: Script) -> Iterator[Script]:
    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"+OK old\r\n")
            for line in self.rfile:
                said = line.decode().rstrip("\r\n")
                script.heard.append(said)
                answer = script.answer(said)
                self.wfile.write(answer)
                if said == "QUIT":
                    return

    with socketserver.TCPServer(("127.0.0.1", 0), Session) as server:
        script.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()


@define
class RecordingTerminal:
    """A terminal whose owner gives one answer to everything."""

    yes: bool = True
    said: list[str] = field(factory=list)
    asked: list[str] = field(factory=list)
    shown: list[tuple[str, int, int]] = field(factory=list)

    def terminal(self) -> Terminal:
        return Terminal(self.said.append, lambda *step: self.shown.append(step), self._agrees)

    def _agrees(self, question: str) -> bool:
        self.asked.append(question)
        return self.yes

    @property
    def text(self) -> str:
        return "\n".join(self.said)
