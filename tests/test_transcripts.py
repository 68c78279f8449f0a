"""Every transcript, played against the bridge in front of Dovecot, and where it says so against Dovecot's POP3 server.

The second proves the transcripts and their player: those promises hold in a server that nobody here wrote.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.bridge import Bridge, bridge
from tests.peers.certificates import Certificates
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import Mailbox, new_mailbox
from tests.transcripts.player import Stage, play
from tests.transcripts.script import Transcript, read

_FOLDER = Path(__file__).parent / "transcripts"
_ALL = {
    str(path.relative_to(_FOLDER).with_suffix("")): read(path)
    for path in sorted(_FOLDER.rglob("*.txt"))
    if path.parent.name != "providers"  # played in tests/upstream/test_providers.py: those servers are nobody's to run
}
_ALSO_DOVECOT = {name: transcript for name, transcript in _ALL.items() if transcript.also_dovecot}


def _mailbox(server: Dovecot, transcript: Transcript) -> Mailbox:
    user = new_mailbox(server).user + transcript.user
    server.add_user(user, transcript.password)
    return Mailbox(server, user, transcript.password)


@pytest.fixture(scope="module")
def encrypting_bridge(
    tmp_path_factory: pytest.TempPathFactory, dovecot_server: Dovecot, certificates: Certificates
) -> Iterator[Bridge]:
    with bridge(tmp_path_factory.mktemp("bridge"), upstream=dovecot_server, tls=certificates.server) as running:
        yield running


@pytest.mark.story
@pytest.mark.parametrize("name", _ALL)
def test_the_bridge_keeps_the_promise(
    name: str, encrypting_bridge: Bridge, dovecot_server: Dovecot, certificates: Certificates
) -> None:
    mailbox = _mailbox(dovecot_server, _ALL[name])
    token = dovecot_server.token(mailbox.user)
    play(_ALL[name], Stage(Bridge.host, encrypting_bridge.port, mailbox, certificates.authority, token))


@pytest.mark.story
@pytest.mark.parametrize("name", _ALSO_DOVECOT)
def test_dovecot_keeps_the_promise(name: str, dovecot_server: Dovecot, certificates: Certificates) -> None:
    mailbox = _mailbox(dovecot_server, _ALL[name])
    stage = Stage("127.0.0.1", dovecot_server.pop3_port, mailbox, certificates.authority)
    play(_ALL[name], stage)
