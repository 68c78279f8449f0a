"""The tests start the bridge as its users do, and notice when it fails to start, logs a traceback or does not end."""

import os
import poplib
import signal
from pathlib import Path

import pytest

from tests.peers.bridge import bridge
from tests.peers.certificates import Certificates
from tests.peers.child import DidNotStartError, accepts, alive, family
from tests.peers.servers.imap_server import Mailbox

pytestmark = pytest.mark.story

MESSAGE = b"Subject: first\r\n\r\nHello\r\n"
CONFIG = """
[[listener]]
pop3 = "127.0.0.1:{port}"

[[listener]]
pop3s = "127.0.0.1:{tls_port}"

[[passthrough]]
users = "*"
upstream = "UPSTREAM"
"""


def read_first(pop3: poplib.POP3, mailbox: Mailbox) -> bytes:
    pop3.user(mailbox.user)
    pop3.pass_(mailbox.password)
    lines = pop3.retr(1)[1]
    pop3.quit()
    return b"\r\n".join([*lines, b""])


def test_flags_start_a_bridge_that_ends_when_told(tmp_path: Path, mailbox: Mailbox, certificates: Certificates) -> None:
    mailbox.seed([MESSAGE])
    with bridge(tmp_path, upstream=mailbox, tls=certificates.server) as server:
        assert read_first(poplib.POP3(server.host, server.port), mailbox) == MESSAGE
        assert server.tls_port is not None
        assert read_first(poplib.POP3_SSL(server.host, server.tls_port), mailbox) == MESSAGE
        processes = family(server.pid)
        server.stop()
        assert "Server Shut Down" in server.log()
    assert not alive(processes)
    assert not accepts(server.host, server.port)


def test_a_configuration_file_names_the_ports(tmp_path: Path, mailbox: Mailbox) -> None:
    mailbox.seed([MESSAGE])
    config = CONFIG.replace("UPSTREAM", f"imap://{mailbox.host}:{mailbox.port}")
    with bridge(tmp_path, config=config) as server:
        assert server.tls_port is not None
        assert read_first(poplib.POP3(server.host, server.port), mailbox) == MESSAGE
        assert accepts(server.host, server.tls_port)


def test_a_bridge_that_does_not_start_shows_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(DidNotStartError, match="nonsense"), bridge(tmp_path, "--nonsense"):
        pass


def test_the_memory_shown_is_that_of_the_process(tmp_path: Path, mailbox: Mailbox) -> None:
    with bridge(tmp_path, upstream=mailbox, measured=True) as server:
        start = server.memory()
        assert 10_000_000 < start.pss <= start.rss <= start.peak < 200_000_000
        server.reset_peak()
        now = server.memory()
        assert now.peak - now.rss < 1_000_000
        before = server.open_files()
        pop3 = poplib.POP3(server.host, server.port)
        assert server.open_files() > before
        pop3.quit()


def test_a_traceback_in_the_log_fails_the_test(tmp_path: Path, mailbox: Mailbox) -> None:
    def started_and_ended() -> None:
        with bridge(tmp_path, upstream=mailbox), (tmp_path / "bridge.log").open("a") as log:
            log.write("Traceback (most recent call last):\n")

    with pytest.raises(AssertionError, match="logged a traceback"):
        started_and_ended()


def test_a_bridge_that_does_not_end_fails_the_test(tmp_path: Path, mailbox: Mailbox) -> None:
    with pytest.raises(AssertionError, match="did not end"), bridge(tmp_path, upstream=mailbox) as server:
        os.kill(server.pid, signal.SIGKILL)


def test_a_bridge_that_was_killed_goes_on_where_it_was(tmp_path: Path, mailbox: Mailbox) -> None:
    mailbox.seed([MESSAGE])
    with bridge(tmp_path, upstream=mailbox) as server:
        server.kill()
        assert not accepts(server.host, server.port)
    with bridge(tmp_path, upstream=mailbox, port=server.port, within=["env"]) as again:
        assert read_first(poplib.POP3(server.host, server.port), mailbox) == MESSAGE
        assert again.pid != server.pid
