"""What people do with curl from the command line and in scripts, each command for itself."""

from collections.abc import Iterator

import pytest

from tests.peers.bridge import Bridge, bridge
from tests.peers.certificates import Certificates
from tests.peers.clients.curl import Curl
from tests.peers.clients.promises import SAMPLE, Maildrop, as_sent, require
from tests.peers.clients.seam import Auth, ClientFailedError, Tls
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import new_mailbox

pytestmark = pytest.mark.story

CURL = Curl()


@pytest.fixture(scope="module")
def encrypting_bridge(
    tmp_path_factory: pytest.TempPathFactory, dovecot_server: Dovecot, certificates: Certificates
) -> Iterator[Bridge]:
    require(CURL)
    with bridge(tmp_path_factory.mktemp("bridge"), upstream=dovecot_server, tls=certificates.server) as running:
        yield running


@pytest.fixture
def drop(encrypting_bridge: Bridge, dovecot_server: Dovecot, certificates: Certificates) -> Maildrop:
    mailbox = new_mailbox(dovecot_server)
    mailbox.seed(SAMPLE)
    assert encrypting_bridge.tls_port is not None
    return Maildrop(mailbox, encrypting_bridge.port, encrypting_bridge.tls_port, certificates.authority)


def test_lists_numbers_and_sizes(drop: Maildrop) -> None:
    sizes = dict(line.split() for line in CURL.get(drop.account()).splitlines())
    assert sizes == {b"%d" % number: b"%d" % len(message) for number, message in enumerate(SAMPLE, 1)}


def test_lists_ids_that_stay(drop: Maildrop) -> None:
    ids = CURL.ask(drop.account(), "UIDL")
    assert len({line.split()[1] for line in ids.splitlines()}) == len(SAMPLE)
    assert CURL.ask(drop.account(), "UIDL") == ids


@pytest.mark.parametrize("tls", ["none", "stls", "implicit"])
def test_gets_one_message(drop: Maildrop, tls: Tls) -> None:
    assert CURL.get(drop.account(tls), 2) == as_sent(SAMPLE[1])


def test_gets_the_top_of_a_message(drop: Maildrop) -> None:
    header, _, text = SAMPLE[1].partition(b"\r\n\r\n")
    lines = text.splitlines(keepends=True)
    assert CURL.ask(drop.account(), "TOP 2 3") == header + b"\r\n\r\n" + b"".join(lines[:3])


def test_deletes_one_message_and_no_other(drop: Maildrop) -> None:
    CURL.tell(drop.account(), "DELE 2")
    marked = [r"\Deleted" in flags for flags in drop.mailbox.flags().values()]
    assert marked == [number == 1 for number in range(len(SAMPLE))]
    assert len(CURL.get(drop.account()).splitlines()) == len(SAMPLE) - 1


@pytest.mark.parametrize("command", ["NOOP", "STAT", "RSET", "LIST 1", "UIDL 1"])
def test_asks_what_is_answered_in_one_line(drop: Maildrop, command: str) -> None:
    CURL.tell(drop.account(), command)


def test_is_told_that_there_is_no_such_message(drop: Maildrop) -> None:
    with pytest.raises(ClientFailedError, match="ended with 8:"):
        CURL.get(drop.account(), len(SAMPLE) + 1)


@pytest.mark.parametrize("initial_response", [False, True], ids=["in two steps", "at once"])
@pytest.mark.parametrize("auth", sorted(CURL.auths - {"any"}))
def test_logs_in_by_every_mechanism_on_every_kind_of_connection(
    drop: Maildrop, dovecot_server: Dovecot, auth: Auth, initial_response: bool
) -> None:
    curl = Curl(initial_response=initial_response)
    token = dovecot_server.token(drop.mailbox.user) if auth in ("xoauth2", "oauthbearer") else None
    for tls in sorted(curl.tls):
        assert curl.get(drop.account(tls, auth, token), 1) == SAMPLE[0], tls
