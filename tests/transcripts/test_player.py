"""The player notices when a server breaks a promise: a transcript that cannot fail would prove nothing."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest

from tests.peers.servers.imap_server import ImapServer, Mailbox
from tests.transcripts.player import Stage, play
from tests.transcripts.script import TranscriptError, read

Play = Callable[[str], None]


class NoMailbox(Mailbox):
    """The server below needs no mail."""

    def seed(self, messages: Sequence[bytes], mailbox: str = "INBOX") -> list[tuple[int, int]]:
        return []

    def uids(self, criterion: str = "ALL", mailbox: str = "INBOX") -> list[int]:
        return []


def _serve(listening: socket.socket, heard: list[bytes]) -> None:
    """Greets, repeats each line after +OK, answers LIST with a list, and closes after QUIT."""
    with listening.accept()[0] as client:
        client.sendall(b"+OK hello\r\n")
        received = b""
        while octets := client.recv(1000):
            received += octets
            heard.append(octets)
            *lines, received = received.split(b"\r\n")
            for line in lines:
                more = b"one\r\ntwo\r\n.\r\n" if line == b"LIST" else b""
                client.sendall(b"+OK " + line + b"\r\n" + more)
            if b"QUIT" in lines:
                return


@pytest.fixture
def heard() -> list[bytes]:
    """What the server has read, by its reads."""
    return []


@pytest.fixture
def played(tmp_path: Path, heard: list[bytes]) -> Iterator[Play]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=_serve, args=(listening, heard), daemon=True)
        server.start()
        host, port = listening.getsockname()
        mailbox = NoMailbox(cast("ImapServer", None), "ann", "secret")

        def run(steps: str) -> None:
            path = tmp_path / "transcript.txt"
            path.write_text("A promise.\n" + steps)
            play(read(path), Stage(host, port, mailbox))
            server.join(10)

        yield run


@pytest.mark.parametrize(
    "steps",
    [
        "S: +OK hello\nC: NOOP\nS: +OK NOOP\nC: QUIT\nS: +OK QUIT\nS-closed\n",
        "S: +OK …\nC: NOOP\nS: /\\+OK N(?P<rest>.*)/\nC: {rest}{3*x}\nS: +OK {rest}xxx\n",
        "--- login\nC: LIST\nS: +OK …\nS-has: two\nS-has: /o../\nS-lacks: three\nS: .\n",
        "S: +OK hello\nC: {user}\nS-perhaps: -ERR …\nS: +OK ann\n",
        "S-raw: +OK hello\\r\\n\nC-raw: NOOP\\r\\nLIST\\r\\n\nS-raw: +OK NOOP\\r\\n+OK LIST\\r\\no\nS: ne\n",
    ],
)
def test_what_holds_is_played_to_its_end(played: Play, steps: str) -> None:
    played(steps)


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        ("S: +OK good day\n", 2),
        ("S: -ERR …\n", 2),
        ("S: +OK hell\n", 2),
        ("S: +OK hello\nC: NOOP\nS: /\\+OK no/\n", 4),
        ("S: +OK hello\nC: LIST\nS: +OK LIST\nS-has: three\nS: .\n", 5),
        ("S: +OK hello\nC: LIST\nS: +OK LIST\nS-lacks: two\nS: .\n", 5),
        ("S: +OK hello\nC: LIST\nS: +OK LIST\nS: one\nS: .\n", 6),
        ("S-raw: +OK hullo\\r\\n\n", 2),
        ("S: +OK hello\nC: QUIT\nS-closed\n", 4),
        ("S: +OK hello\nC: QUIT\nS: +OK QUIT\nS: +OK again\n", 5),
        ("S: +OK hello\nC: QUIT\nS: +OK QUIT\nupstream: holds 5\n", 5),
    ],
)
def test_what_does_not_hold_is_named_by_its_line(played: Play, steps: str, line: int) -> None:
    with pytest.raises(AssertionError, match=rf"transcript\.txt:{line}:"):
        played(steps)


def test_segments_arrive_one_by_one(played: Play, heard: list[bytes]) -> None:
    played("S: +OK hello\nC-raw: NO\nC-raw: OP\\r\nC-raw: \\nQUIT\\r\\n\nS: +OK NOOP\nS: +OK QUIT\nS-closed\n")
    assert heard == [b"NO", b"OP\r", b"\nQUIT\r\n"]


@pytest.mark.parametrize("text", ["", "S: +OK\n", "# a comment\nS: +OK\n", "A promise.\nX: what is this\n"])
def test_a_file_that_is_no_transcript_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "transcript.txt"
    path.write_text(text)
    with pytest.raises(TranscriptError, match=r"transcript\.txt:[12]:"):
        read(path)
