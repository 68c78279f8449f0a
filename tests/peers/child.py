"""A server or client as a child process that surely ends: after the test, after the run, or when the run is killed.

Its whole process group is killed, after a SIGTERM where it has something to tidy up. Should the test run itself die,
the kernel sends the child a signal (PR_SET_PDEATHSIG, through setpriv of util-linux).
"""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from tests.peers.need import need


class DidNotStartError(Exception):
    """The program ended or stayed deaf; the text carries its output."""


class Process(Protocol):
    """What a Child needs of its subprocess.Popen."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | Any: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def terminate(self) -> None: ...


class Child:
    """A running program with its output in a file; `pid` is the program's own, setpriv only precedes it."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        output: Path,
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        user: str | None = None,
        at_parents_death: str = "TERM",
    ) -> None:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            need("setpriv", "apt-get install util-linux")
        # The signal is bound to the thread that starts the child: start children in the main thread.
        prefix = [setpriv, "--pdeathsig", at_parents_death]
        if user is not None:
            prefix += ["--reuid", user, "--regid", user_group(user), "--clear-groups"]
        self.output = output
        self._command = " ".join(map(str, arguments))
        with output.open("ab") as file:
            self._process: Process = subprocess.Popen(
                [*prefix, "--", *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                cwd=folder,
                start_new_session=True,  # Ctrl-C ends the tests, and these end their children in order
            )
        self.pid = self._process.pid

    def running(self) -> bool:
        return self._process.poll() is None

    def text(self) -> str:
        return self.output.read_text("utf-8", "replace") if self.output.exists() else ""

    def until_accepting(self, host: str, port: int, seconds: float = 30) -> None:
        """Returns when the port takes connections."""
        deadline = time.monotonic() + seconds
        while not accepts(host, port):
            self.pause(0.02)
            if not self.running() or time.monotonic() > deadline:
                state = "is deaf" if self.running() else f"ended with {self._process.returncode}"
                raise DidNotStartError(f"{self._command[:300]} {state} on {host}:{port}\n{self.text()}")

    def pause(self, seconds: float) -> None:
        """Passes the time; returns early when the child ends."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return

    def stop(self, seconds: float = 10) -> int:
        """Asks the child to end, and does not leave it at that. Harmless when it has ended already."""
        if self.running():
            self._process.terminate()
            self.pause(seconds)
        return self.kill()

    def kill(self) -> int:
        """Ends the child and all it has started in its process group at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait()


def accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on, below the range from which the kernel takes the ports of outgoing connections."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in random.sample(range(20_000, 32_000), 200):
        with socket.socket(family) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port on {host}")


def user_group(user: str) -> str:
    """The primary group's number of a user of this machine."""
    import pwd  # noqa: PLC0415 - POSIX only, like everything that starts a child under another user

    return str(pwd.getpwnam(user).pw_gid)


def family(pid: int) -> set[tuple[int, int]]:
    """The process and all that descend from it, as (pid, start time): a number used again is another process."""
    parents: dict[int, list[tuple[int, int]]] = {}
    found: set[tuple[int, int]] = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # ended meanwhile
        if fields[0] == "Z":
            continue
        me = (int(entry.parent.name), int(fields[19]))
        parents.setdefault(int(fields[1]), []).append(me)
        if me[0] == pid:
            found.add(me)
    waiting = [pid]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            found.add(child)
            waiting.append(child[0])
    return found


def alive(processes: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Those of the processes that still run."""
    return {process for process in processes if process in family(process[0])}
