"""The bridge starts the embedded server, learns its port, and leaves nothing behind, whatever ends it."""

import importlib.util
import socket
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from unittest.mock import patch

from twisted.internet import reactor  # noqa: TID251  # a child process needs a real one
from twisted.internet.error import ProcessDone
from twisted.internet.interfaces import IProcessTransport, IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from bridge.demo.process import DemoServer, DemoUnavailable

ROOT = Path(__file__).parents[2]
PYMAP = importlib.util.find_spec("pymap")
NO_PYMAP = None if PYMAP else "the demo's IMAP server is not installed: pip install 'popbridge[demo]'"


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@implementer(IReactorProcess)
class Reactor:
    """Remembers the process protocol instead of starting a process."""

    protocol: ProcessProtocol

    def spawnProcess(self, processProtocol: ProcessProtocol, *rest: object) -> IProcessTransport:  # type: ignore[override]  # noqa: N802, N803  # only what is asked for
        self.protocol = processProtocol
        return None  # type: ignore[return-value]  # nobody looks at it


def started() -> tuple[ProcessProtocol, list[object]]:
    """The protocol of a child that does not exist, and where its port or its failure will be."""
    pretended, outcome = Reactor(), list[object]()
    with patch.object(importlib.util, "find_spec", return_value=ModuleSpec("pymap", None)):
        DemoServer().start(pretended).addBoth(outcome.append)
    return pretended.protocol, outcome


class Real(TestCase):
    skip = NO_PYMAP

    async def test_it_serves_until_it_is_stopped(self) -> None:
        server = DemoServer()
        port = await server.start(IReactorProcess(reactor))
        assert listening(port)

        await server.stop()

        assert not listening(port)

    def test_it_ends_with_a_bridge_that_is_killed(self) -> None:
        script = (
            "from twisted.internet import reactor; from bridge.demo.process import DemoServer\n"
            "DemoServer().start(reactor).addCallback(lambda port: print(port, flush=True)); reactor.run()"
        )
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT) as bridge:
            assert bridge.stdout is not None
            port = int(bridge.stdout.readline())
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.settimeout(20)
                assert client.recv(100).startswith(b"* OK")
                bridge.kill()
                while client.recv(100):
                    pass
        assert not listening(port)


def test_without_pymap_the_owner_reads_what_to_install() -> None:
    outcome: list[object] = []
    with patch.object(importlib.util, "find_spec", return_value=None):
        DemoServer().start(Reactor()).addBoth(outcome.append)

    [failure] = outcome
    assert isinstance(failure, Failure)
    assert isinstance(failure.value, DemoUnavailable)
    assert "pip install 'popbridge[demo]'" in str(failure.value)


def test_the_port_may_arrive_in_pieces() -> None:
    child, outcome = started()
    for piece in (b"re", b"ady 1", b"234"):
        child.outReceived(piece)
        assert outcome == []
    child.outReceived(b"5\n")

    assert outcome == [12345]


def test_a_child_that_dies_at_once_is_an_error_with_its_last_words() -> None:
    child, outcome = started()
    child.errReceived(b"Traceback\n  line\nOSError: no loopback\n")
    child.processEnded(Failure(ProcessDone(1)))  # type: ignore[no-untyped-call]  # Twisted has no types there

    [failure] = outcome
    assert isinstance(failure, Failure)
    assert isinstance(failure.value, DemoUnavailable)
    assert str(failure.value) == "the embedded IMAP server did not start: OSError: no loopback"


def test_stopping_what_never_ran_is_no_trouble() -> None:
    outcome: list[None] = []
    DemoServer().stop().addCallback(outcome.append)

    assert outcome == [None]
