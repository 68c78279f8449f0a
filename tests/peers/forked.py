"""Python programs as processes of their own that need not import the bridge again: that takes a second, hundreds of
times in a run.

A process per test run has the modules loaded, and forks for each program. What it has loaded knows no reactor yet, so
each program makes its own. The program has its own session, folder, environment, arguments and outputs. When the test
run dies the fork server does, and with it by PR_SET_PDEATHSIG all its programs.
"""

import ctypes
import functools
import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.peers.child import Child
from tests.peers.need import need

_ROOT = Path(__file__).resolve().parents[2]
_LOADED = (
    "click",
    "twisted.scripts.twistd",
    "twisted.web.server",
    "bridge.check",
    "bridge.commands.consent",
    "bridge.commands.opened",
    "bridge.commands.serving",
    "bridge.commands.setting_up",
    "bridge.commands.status",
    "bridge.commands.trying",
    "bridge.commands.uidl_import",
    "bridge.demo.process",
    "bridge.service",
    "bridge.telemetry.logs",
)
_LONGEST = 1 << 17  # octets of an order
_PR_SET_PDEATHSIG = 1


class Forked:
    """A program that was forked; waited for and ended as a subprocess.Popen is."""

    def __init__(
        self, code: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, files: Sequence[int]
    ) -> None:
        """files: what the program has as standard input, output and error."""
        order = {"code": code, "arguments": arguments, "environment": dict(environment), "folder": str(folder)}
        self.returncode: int | None = None
        self.pid = _server().ask(order, files)
        # Its number stays its own until the server is asked how it ended.
        self._ended = os.pidfd_open(self.pid)
        # Not before nobody can wait any more: one thread may, while another one has seen the end.
        weakref.finalize(self, os.close, self._ended)
        self._asking = threading.Lock()

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        poll = select.poll()
        poll.register(self._ended, select.POLLIN)
        if not poll.poll(None if timeout is None else timeout * 1000):
            raise subprocess.TimeoutExpired("a forked program", timeout or 0)
        with self._asking:
            if self.returncode is None:
                self.returncode = _server().ask({"ended": self.pid})
        return self.returncode

    def terminate(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        if self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.wait()


class ForkedChild(Child):
    def __init__(
        self, code: str, arguments: Sequence[str], output: Path, *, environment: Mapping[str, str], folder: Path
    ) -> None:
        self.output = output
        self._command = " ".join(arguments)
        with output.open("ab") as file, Path(os.devnull).open("rb") as nothing:
            files = [nothing.fileno(), file.fileno(), file.fileno()]
            self._process = Forked(code, arguments, environment, folder, files)
        self.pid = self._process.pid


class _Server:
    def __init__(self) -> None:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            need("setpriv", "apt-get install util-linux")
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(60)
        with theirs:
            self._process = subprocess.Popen(
                [setpriv, "--pdeathsig", "KILL", "--", sys.executable, "-m", __name__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd=_ROOT,
                env={**os.environ, "PYTHONPATH": str(_ROOT), "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )

    def ask(self, order: Mapping[str, object], files: Sequence[int] = ()) -> int:
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(order).encode()], files)
            return int(self._socket.recv(100))


@functools.cache
def _server() -> _Server:
    return _Server()


def _serve(orders: socket.socket) -> str:
    """Returns in each forked process, with the code to run there."""
    me = os.getpid()
    prctl = ctypes.CDLL(None).prctl
    while True:
        message, files, _, _ = socket.recv_fds(orders, _LONGEST, 3)
        if not message:
            sys.exit()  # the test run is over
        order = json.loads(message)
        if "ended" in order:
            status = os.waitpid(order["ended"], 0)[1]
            orders.send(b"%d" % os.waitstatus_to_exitcode(status))
        elif os.fork() == 0:
            prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != me:
                sys.exit()
            os.setsid()
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            os.chdir(order["folder"])
            os.environ.clear()
            os.environ.update(order["environment"])
            time.tzset()
            sys.argv = ["-c", *order["arguments"]]
            # From here on it can be killed with all it starts.
            orders.send(b"%d" % os.getpid())
            orders.close()
            return str(order["code"])
        for file in files:
            os.close(file)


if __name__ == "__main__":
    for name in _LOADED:
        importlib.import_module(name)
    if "twisted.internet.reactor" in sys.modules:
        raise SystemExit("a fork server with a reactor would share it with all that it forks")
    gc.freeze()
    sys.path[0] = ""  # as `python -c` has it
    # At the top, so that it ends as a program does, by an exit status or with a traceback.
    exec(_serve(socket.socket(fileno=int(sys.argv[1]))), {"__name__": "__main__"})
