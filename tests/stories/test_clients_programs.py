"""Mail programs read, keep and delete the mail of an IMAP mailbox through the bridge, as from any POP3 server."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.mail.nasty import nasty_mail
from tests.peers.bridge import Bridge, bridge
from tests.peers.certificates import Certificates
from tests.peers.clients import promises
from tests.peers.clients.promises import Maildrop
from tests.peers.clients.roster import (
    DETECTORS,
    MENDERS,
    programs,
    programs_by_login,
    programs_by_tls,
    programs_that_remember,
    programs_with_tokens,
)
from tests.peers.clients.seam import Auth, Client, Tls
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import Mailbox, new_mailbox


@pytest.fixture(scope="module")
def encrypting_bridge(
    tmp_path_factory: pytest.TempPathFactory, dovecot_server: Dovecot, certificates: Certificates
) -> Iterator[Bridge]:
    with bridge(tmp_path_factory.mktemp("bridge"), upstream=dovecot_server, tls=certificates.server) as running:
        yield running


def _maildrop(running: Bridge, mailbox: Mailbox, certificates: Certificates) -> Maildrop:
    assert running.tls_port is not None
    return Maildrop(mailbox, running.port, running.tls_port, certificates.authority)


@pytest.fixture
def drop(encrypting_bridge: Bridge, dovecot_server: Dovecot, certificates: Certificates) -> Maildrop:
    return _maildrop(encrypting_bridge, new_mailbox(dovecot_server), certificates)


@pytest.fixture(scope="module")
def nasty(
    encrypting_bridge: Bridge, dovecot_server: Dovecot, certificates: Certificates
) -> tuple[Maildrop, Sequence[bytes]]:
    """A mailbox of 300 messages that have broken mail programs, and what IMAP shows of them; not to be changed."""
    mailbox = new_mailbox(dovecot_server)
    mailbox.seed([mail.octets for mail in nasty_mail()])
    return _maildrop(encrypting_bridge, mailbox, certificates), list(mailbox.raw_bodies().values())


@pytest.mark.parametrize("client", programs())
def test_gets_every_message(client: Client, drop: Maildrop, tmp_path: Path) -> None:
    promises.gets_every_message(client, drop, tmp_path)


@pytest.mark.parametrize("client", programs(DETECTORS))
def test_gets_every_octet_of_nasty_mail(
    client: Client, nasty: tuple[Maildrop, Sequence[bytes]], tmp_path: Path
) -> None:
    """One reply that is off by one, and these programs stop."""
    drop, truth = nasty
    promises.gets_what_is_there(client, drop, tmp_path, truth)


@pytest.mark.parametrize("client", programs(MENDERS))
def test_gets_as_many_nasty_messages_as_there_are(
    client: Client, nasty: tuple[Maildrop, Sequence[bytes]], tmp_path: Path
) -> None:
    """For programs that store something else than they got; that they got each and went on is what can be seen."""
    drop, truth = nasty
    promises.require(client)
    assert len(client.fetch(drop.account(), keep=True, state=tmp_path)) == len(truth)


@pytest.mark.parametrize("client", programs_that_remember())
def test_gets_only_what_is_new(client: Client, drop: Maildrop, tmp_path: Path) -> None:
    promises.gets_only_what_is_new(client, drop, tmp_path)


@pytest.mark.parametrize("client", programs())
def test_gets_and_deletes(client: Client, drop: Maildrop, tmp_path: Path) -> None:
    """With the default policy what was deleted is flagged, and an IMAP user can still take it back (S18)."""
    promises.gets_and_deletes(client, drop, tmp_path)
    deleted = [r"\Deleted" in flags for flags in drop.mailbox.flags().values()]
    assert deleted == [True] * len(promises.SAMPLE) + [False]


@pytest.mark.parametrize(("client", "tls"), programs_by_tls())
def test_gets_every_message_encrypted(client: Client, tls: Tls, drop: Maildrop, tmp_path: Path) -> None:
    promises.gets_every_message(client, drop, tmp_path, tls=tls)


@pytest.mark.parametrize(("client", "auth"), programs_by_login())
def test_logs_in(client: Client, auth: Auth, drop: Maildrop, dovecot_server: Dovecot, tmp_path: Path) -> None:
    """The password or the bearer token is upstream's, and upstream decides."""
    token = dovecot_server.token(drop.mailbox.user) if auth in ("xoauth2", "oauthbearer") else None
    promises.gets_every_message(client, drop, tmp_path, auth=auth, password=token, mail=[promises.NEWCOMER])


@pytest.mark.parametrize("client", programs())
def test_says_that_the_password_is_wrong(
    client: Client, dovecot_server: Dovecot, certificates: Certificates, tmp_path: Path
) -> None:
    # A bridge for each: wrong passwords slow down whoever comes from their address, and here all do.
    with bridge(tmp_path, upstream=dovecot_server, tls=certificates.server) as running:
        drop = _maildrop(running, new_mailbox(dovecot_server), certificates)
        promises.says_that_the_password_is_wrong(client, drop, tmp_path / "state")


@pytest.mark.parametrize(("client", "auth"), programs_with_tokens())
def test_says_that_the_token_has_run_out(
    client: Client, auth: Auth, dovecot_server: Dovecot, certificates: Certificates, tmp_path: Path
) -> None:
    """The error challenge of a bearer mechanism is answered as the client expects, and ends in a refusal."""
    promises.require(client)
    with bridge(tmp_path, upstream=dovecot_server, tls=certificates.server) as running:
        drop = _maildrop(running, new_mailbox(dovecot_server), certificates)
        token = dovecot_server.token(drop.mailbox.user, seconds=-60)
        promises.is_refused(client, drop.account(auth=auth, password=token), tmp_path / "state")
