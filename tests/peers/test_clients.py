"""The drivers of the mail programs, proven on a POP3 server that nobody here wrote: Dovecot's own.

What fails here is a driver's fault or a program's, never the bridge's.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.mail.nasty import nasty_mail
from tests.peers.certificates import Certificates
from tests.peers.child import free_port
from tests.peers.clients import promises
from tests.peers.clients.promises import Maildrop
from tests.peers.clients.roster import DETECTORS, programs, programs_by_login, programs_by_tls, programs_that_remember
from tests.peers.clients.seam import Auth, Client, ClientFailedError, Tls
from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.peers.servers.imap_server import new_mailbox

_POP3S = """
service pop3-login {{
  inet_listener pop3s {{
    port = {port}
  }}
}}
protocol pop3 {{
  # As the bridge, and unlike Dovecot by itself: reading leaves no trace.
  pop3_no_flag_updates = yes
}}
"""


@pytest.fixture(scope="module")
def server(certificates: Certificates) -> Iterator[tuple[Dovecot, int]]:
    port = free_port()
    with dovecot(tls=certificates.server, extra=_POP3S.format(port=port)) as running:
        yield running, port


@pytest.fixture
def drop(server: tuple[Dovecot, int], certificates: Certificates) -> Maildrop:
    running, tls_port = server
    return Maildrop(new_mailbox(running), running.pop3_port, tls_port, certificates.authority)


@pytest.mark.parametrize("client", programs())
def test_gets_every_message(client: Client, drop: Maildrop, tmp_path: Path) -> None:
    promises.gets_every_message(client, drop, tmp_path)


@pytest.fixture(scope="module")
def nasty(server: tuple[Dovecot, int], certificates: Certificates) -> tuple[Maildrop, Sequence[bytes]]:
    """Nasty messages that Dovecot sends rightly, and what IMAP shows of them; not to be changed.

    It shows a NUL by POP3 alone, stuffs no first octet, and makes an empty line of a message of no octets.
    """
    running, tls_port = server
    mailbox = new_mailbox(running)
    mails = [mail.octets for mail in nasty_mail()]
    mailbox.seed([mail for mail in mails if b"\0" not in mail and mail[:1] != b"." and mail != b"\r"])
    drop = Maildrop(mailbox, running.pop3_port, tls_port, certificates.authority)
    return drop, list(mailbox.raw_bodies().values())


@pytest.mark.parametrize("client", programs(DETECTORS))
def test_gets_every_octet_of_nasty_mail(
    client: Client, nasty: tuple[Maildrop, Sequence[bytes]], tmp_path: Path
) -> None:
    drop, truth = nasty
    promises.gets_what_is_there(client, drop, tmp_path, truth)


@pytest.mark.parametrize("client", programs_that_remember())
def test_gets_only_what_is_new(client: Client, drop: Maildrop, tmp_path: Path) -> None:
    promises.gets_only_what_is_new(client, drop, tmp_path)


@pytest.mark.parametrize("client", programs())
def test_gets_and_deletes(client: Client, drop: Maildrop, tmp_path: Path) -> None:
    promises.gets_and_deletes(client, drop, tmp_path)
    assert len(drop.mailbox.uids()) == 1


@pytest.mark.parametrize(("client", "tls"), programs_by_tls())
def test_gets_every_message_encrypted(client: Client, tls: Tls, drop: Maildrop, tmp_path: Path) -> None:
    promises.gets_every_message(client, drop, tmp_path, tls=tls)


@pytest.mark.parametrize(("client", "tls"), programs_by_tls())
def test_refuses_a_certificate_it_has_no_reason_to_trust(
    client: Client, tls: Tls, drop: Maildrop, certificates: Certificates, tmp_path: Path
) -> None:
    """So that "encrypted" above means a verified certificate."""
    promises.require(client)
    drop.mailbox.seed([promises.NEWCOMER])
    stranger = Maildrop(drop.mailbox, drop.port, drop.tls_port, certificates.self_signed.certificate)
    with pytest.raises(ClientFailedError):
        client.fetch(stranger.account(tls), keep=True, state=tmp_path)


@pytest.mark.parametrize(("client", "auth"), programs_by_login())
def test_logs_in(client: Client, auth: Auth, server: tuple[Dovecot, int], drop: Maildrop, tmp_path: Path) -> None:
    token = server[0].token(drop.mailbox.user) if auth in ("xoauth2", "oauthbearer") else None
    promises.gets_every_message(client, drop, tmp_path, auth=auth, password=token, mail=[promises.NEWCOMER])


@pytest.mark.parametrize("client", programs())
def test_says_that_the_password_is_wrong(client: Client, drop: Maildrop, tmp_path: Path) -> None:
    promises.says_that_the_password_is_wrong(client, drop, tmp_path)
