"""What all tests may ask for: certificates, and real IMAP servers that run once for the whole test run.

`mailbox` is an empty mailbox on Dovecot; `any_mailbox` makes a test run on Dovecot, Cyrus and Courier, one after the
other. A server that is not installed skips the test with the line that installs it, and fails it on CI.
"""

import signal
from collections.abc import Iterator

import pytest

from tests.peers.certificates import Certificates, make_certificates
from tests.peers.servers.courier import Courier, courier
from tests.peers.servers.cyrus import Cyrus, cyrus
from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.peers.servers.hoodiecrow import Hoodiecrow, hoodiecrow
from tests.peers.servers.imap_server import ImapServer, Mailbox, ManyUsersServer
from tests.peers.servers.pymap import Pymap, pymap

# A script's job in the background ignores Ctrl-C, and what it starts inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def dovecot_server(certificates: Certificates) -> Iterator[Dovecot]:
    with dovecot(tls=certificates.server) as server:
        yield server


@pytest.fixture(scope="session")
def dovecot_by_index() -> Iterator[Dovecot]:
    """For mailboxes that are deleted and made anew while somebody has them open.

    Where mailboxes are folders by their names, Dovecot 2.3 mixes the new one up with the one before: the first write of
    a session of that unlinks the new one's index, and whoever has it open is refused until he connects again. That is
    between Dovecot and any of its clients, and no promise of ours (tests/peers/test_servers.py).
    """
    with dovecot(layout="index") as server:
        yield server


@pytest.fixture(scope="session")
def cyrus_server(certificates: Certificates) -> Iterator[Cyrus]:
    with cyrus(tls=certificates.server) as server:
        yield server


@pytest.fixture(scope="session")
def courier_server(certificates: Certificates) -> Iterator[Courier]:
    with courier(tls=certificates.server) as server:
        yield server


@pytest.fixture(scope="session")
def pymap_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pymap]:
    with pymap(tmp_path_factory.mktemp("pymap")) as server:
        yield server


@pytest.fixture(scope="session")
def hoodiecrow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hoodiecrow]:
    """Bare IMAP4rev1, and the names of its mailboxes."""
    with hoodiecrow(tmp_path_factory.mktemp("hoodiecrow"), ["NAMESPACE", "SPECIAL-USE"]) as server:
        yield server


@pytest.fixture(params=["dovecot", "cyrus", "courier"])
def any_server(request: pytest.FixtureRequest) -> ManyUsersServer:
    server = request.getfixturevalue(f"{request.param}_server")
    assert isinstance(server, ManyUsersServer)
    return server


@pytest.fixture(params=["dovecot", "cyrus", "courier", "pymap", "hoodiecrow"])
def every_server(request: pytest.FixtureRequest) -> ImapServer:
    """The three that people run, and the two that lack what those have."""
    server = request.getfixturevalue(f"{request.param}_server")
    assert isinstance(server, ImapServer)
    return server


@pytest.fixture
def mailbox(dovecot_server: Dovecot) -> Mailbox:
    """A fresh user with an empty INBOX on the shared Dovecot."""
    return dovecot_server.new_mailbox()


@pytest.fixture
def any_mailbox(any_server: ManyUsersServer) -> Mailbox:
    """The same on each of the three servers that people run."""
    return any_server.new_mailbox()
