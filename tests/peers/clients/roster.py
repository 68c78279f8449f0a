"""All mail programs, by how long they take to install and to run, and as parameters of tests."""

from collections.abc import Iterable

import pytest

from tests.peers.clients.curl import Curl
from tests.peers.clients.fetchmail import Fetchmail
from tests.peers.clients.getmail import Getmail
from tests.peers.clients.mpop import Mpop
from tests.peers.clients.net_pop import NetPop
from tests.peers.clients.net_pop3 import NetPop3
from tests.peers.clients.node_pop3 import NodePop3
from tests.peers.clients.poplib_script import PoplibScript
from tests.peers.clients.seam import Client
from tests.peers.clients.thunderbird import Thunderbird

FAST: tuple[Client, ...] = (
    PoplibScript(),
    Curl(),
    Fetchmail("uidl"),
    Fetchmail("plain"),
    Fetchmail("fetchall"),
    Mpop(),
)
"""Part of every test run."""

THUNDERBIRD = Thunderbird()

SLOW: tuple[Client, ...] = (Getmail(), NetPop3(), NetPop(), NodePop3(), THUNDERBIRD)
"""Only in the long run."""

DETECTORS: tuple[Client, ...] = (PoplibScript(), Curl(), Mpop(), NetPop(), NetPop3(), NodePop3(), THUNDERBIRD)
"""They store what they get, octet for octet or nearly, and one reply too many or too few stops them."""

MENDERS: tuple[Client, ...] = (Fetchmail("uidl"), Getmail())
"""They may store a message that is out of shape as one that is not."""


def programs(clients: Iterable[Client] = FAST + SLOW) -> list[object]:
    """Parameters (client)."""
    return [pytest.param(client, id=client.name, marks=_marks(client)) for client in clients]


def programs_that_remember(clients: Iterable[Client] = FAST + SLOW) -> list[object]:
    """Parameters (client): those that leave mail on the server and know next time what they have."""
    return programs(client for client in clients if client.remembers)


def programs_by_tls(clients: Iterable[Client] = FAST + SLOW) -> list[object]:
    """Parameters (client, tls): each way to encrypt that the program knows, clear text left out."""
    return [
        pytest.param(client, tls, id=f"{client.name}-{tls}", marks=_marks(client))
        for client in clients
        for tls in sorted(client.tls - {"none"})
    ]


def programs_by_login(clients: Iterable[Client] = FAST + SLOW) -> list[object]:
    """Parameters (client, auth): each way to log in that the program can be told to use."""
    return [
        pytest.param(client, auth, id=f"{client.name}-{auth}", marks=_marks(client))
        for client in clients
        for auth in sorted(client.auths - {"any"})
    ]


def programs_with_tokens(clients: Iterable[Client] = FAST + SLOW) -> list[object]:
    """Parameters (client, auth): logging in with a bearer token."""
    return [
        pytest.param(client, auth, id=f"{client.name}-{auth}", marks=_marks(client))
        for client in clients
        for auth in sorted(client.auths & {"xoauth2", "oauthbearer"})
    ]


def _marks(client: Client) -> list[pytest.MarkDecorator]:
    return [pytest.mark.story, *([pytest.mark.slow] if client in SLOW else [])]
