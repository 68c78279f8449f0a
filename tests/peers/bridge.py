"""The bridge as a user starts it: `twistd -n popbridge …`, a process of its own on free loopback ports.

It is forked with its modules loaded, but where its memory is measured or a command becomes it.

At the end its log is printed, so pytest shows it with a test that failed; a traceback in it is a failure by itself.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from attrs import frozen

from tests.peers.certificates import Certificate
from tests.peers.child import Child, free_port
from tests.peers.forked import ForkedChild
from tests.peers.servers.imap_server import Login

_ROOT = Path(__file__).resolve().parents[2]
_TWISTD = "from twisted.scripts.twistd import run; run()"
_SHOWN = 20_000  # octets of the log's end
_PATIENCE = 20  # seconds for an orderly end


@frozen
class Memory:
    """In octets."""

    rss: int
    pss: int
    """What is shared with other processes counts by its share."""
    peak: int
    """The highest rss since the start or the last `reset_peak`."""


class Bridge:
    """A running bridge; see `bridge()`."""

    host = "127.0.0.1"

    def __init__(self, child: Child, port: int, tls_port: int | None) -> None:
        self.port = port
        self.tls_port = tls_port
        self._child = child
        self._forked = isinstance(child, ForkedChild)
        self._killed = False
        self.pid = child.pid

    def running(self) -> bool:
        return self._child.running()

    def log(self) -> str:
        return self._child.text()

    def memory(self) -> Memory:
        assert not self._forked, "a forked process shares its memory with others: say measured=True"
        status = _fields(f"/proc/{self.pid}/status")
        return Memory(status["VmRSS"], _fields(f"/proc/{self.pid}/smaps_rollup")["Pss"], status["VmHWM"])

    def reset_peak(self) -> None:
        # proc(5): 5 resets the peak resident set size to the current one.
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def open_files(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    def until_ended(self, seconds: float = _PATIENCE) -> None:
        """Returns when it has ended by itself."""
        self._child.pause(seconds)
        if self._child.running():
            raise AssertionError(f"the bridge did not end within {seconds:g} s")

    def kill(self) -> None:
        """Ends it as a power cut does: at once, with nothing tidied up."""
        self._killed = True
        self._child.kill()

    def stop(self) -> None:
        """Ends it as an administrator does, by SIGTERM; one that does not end fails the test."""
        # twistd tidies up and then ends itself by the signal it got, so only SIGKILL, our last resort, is a bad sign.
        if self._child.stop(_PATIENCE) == -signal.SIGKILL and not self._killed:
            raise AssertionError(f"the bridge did not end within {_PATIENCE} s of SIGTERM")


@contextlib.contextmanager
def bridge(
    directory: Path,
    *arguments: str,
    upstream: Login | str | None = None,
    tls: Certificate | None = None,
    config: str | None = None,
    environment: Mapping[str, str] | None = None,
    traceback_expected: bool = False,
    port: int | None = None,
    within: Sequence[str] = (),
    measured: bool = False,
) -> Iterator[Bridge]:
    """A bridge for the time of the block, with its files in the directory. One that ran there before is gone on with.

    Without config, but with arguments, it is started by flags: --pop3, with `tls` also --pop3s, --certificate and
    --key, and --upstream. Without both, by a file that says the same, and that no IDLE is believed: what a test does to
    a mailbox is seen at the next poll, not half a second later. And as many sessions of an account as a test wants.
    config: the text of a popbridge.toml, where {port} and {tls_port} stand for the ports of its listeners.
    port: a mail program knows its mail by the server's address too, so a bridge that is started again keeps it.
    within: a command that becomes the bridge at its end, such as `unshare … --`.
    measured: all of its memory is its own.
    """
    port = port or free_port()
    tls_port = free_port() if tls or (config and "{tls_port}" in config) else None
    if config is None and not (arguments or isinstance(upstream, str)):
        config = _config(upstream, tls)
    if config is None:
        flags = _flags(port, tls_port, upstream, tls)
    else:
        file = directory / "popbridge.toml"
        file.write_text(config.replace("{port}", str(port)).replace("{tls_port}", str(tls_port)))
        flags = ["--config", str(file)]
    twistd = ["--nodaemon", "--pidfile=", "popbridge", *flags, *arguments]
    log = directory / "bridge.log"
    variables = {**os.environ, "PYTHONPATH": str(_ROOT), "PYTHONUNBUFFERED": "1", **(environment or {})}
    if within or measured:
        program = [*within, sys.executable, "-c", _TWISTD, *twistd]
        child = Child(program, log, environment=variables, folder=directory)
    else:
        child = ForkedChild(_TWISTD, twistd, log, environment=variables, folder=directory)
    server = Bridge(child, port, tls_port)
    try:
        for listening in (port, tls_port):  # one opens after the other
            if listening is not None:
                child.until_accepting(server.host, listening)
        yield server
    finally:
        try:
            server.stop()
        finally:
            print(child.text()[-_SHOWN:])
    if not traceback_expected and "Traceback" in child.text():
        raise AssertionError("the bridge logged a traceback:\n" + child.text()[-_SHOWN:])


def _config(upstream: Login | None, tls: Certificate | None) -> str:
    at = "" if upstream is None else f'[[passthrough]]\nupstream = "imap://{upstream.host}:{upstream.port}"\n'
    listener = f'[[listener]]\npop3 = "{Bridge.host}:{{port}}"\n'
    if tls is not None:
        listener += f'pop3s = "{Bridge.host}:{{tls_port}}"\n'
        # Braces of their own: the text is not a format.
        listener += f"tls = {{ certificate = '{tls.certificate}', key = '{tls.key}' }}\n"
    return f"{listener}\n{at}\n[pool]\nbelieve_idle = false\nconnections_per_account = 1000\n"


def _flags(port: int, tls_port: int | None, upstream: Login | str | None, tls: Certificate | None) -> list[str]:
    flags = ["--pop3", f"{Bridge.host}:{port}"]
    if tls is not None:
        flags += ["--pop3s", f"{Bridge.host}:{tls_port}", "--certificate", str(tls.certificate), "--key", str(tls.key)]
    if isinstance(upstream, str):
        flags += ["--upstream", upstream]
    elif upstream is not None:
        flags += ["--upstream", f"imap://{upstream.host}:{upstream.port}"]
    return flags


def _fields(path: str) -> dict[str, int]:
    """The lines `Name:   123 kB` of a file under /proc, in octets."""
    fields = {}
    for line in Path(path).read_text().splitlines():
        name, _, value = line.partition(":")
        if value.endswith(" kB"):
            fields[name] = int(value.split()[0]) * 1024
    return fields
