"""What the stories share: a running bridge for each real server, started once for the whole test run."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests.peers.bridge import Bridge, bridge
from tests.peers.servers.imap_server import ImapServer

BridgeTo = Callable[[ImapServer], Bridge]


@pytest.fixture(scope="session")
def bridge_to(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeTo]:
    """The bridge in front of a server, with all defaults, `delete = "flag"` among them."""
    with contextlib.ExitStack() as running:
        bridges: dict[int, Bridge] = {}

        def to(server: ImapServer) -> Bridge:
            if server.port not in bridges:
                folder = tmp_path_factory.mktemp(f"bridge-to-{server.name}")
                bridges[server.port] = running.enter_context(bridge(folder, upstream=server))
            return bridges[server.port]

        yield to
