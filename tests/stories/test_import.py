"""An owner leaves his old POP3 server: with its UIDLs imported, no program downloads anything again.

500 messages are read from a real dovecot-pop3d and from a real courier-pop by programs that leave mail on the server;
then the same mailbox is read over IMAP through the bridge, by the same programs with their memory.
"""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.peers.bridge import Bridge, bridge
from tests.peers.clients.fetchmail import Fetchmail
from tests.peers.clients.getmail import Getmail
from tests.peers.clients.mpop import Mpop
from tests.peers.clients.poplib_script import PoplibScript
from tests.peers.clients.promises import require
from tests.peers.clients.seam import Client, LoginRefusedError, Pop3Account
from tests.peers.command import popbridge
from tests.peers.servers.courier import Courier
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import Mailbox
from tests.stories import mailboxes

MESSAGES = 500
FAST: tuple[Client, ...] = (PoplibScript(), Fetchmail("uidl"), Mpop())

_CONFIG = """
[[listener]]
pop3 = "127.0.0.1:{{port}}"
[[passthrough]]
upstream = "imap://127.0.0.1:{imap}"
"""


def sample() -> list[bytes]:
    """With what makes recognising hard: copies, equal sizes, long folded headers, and 8-bit ones."""
    chosen = random.Random(20)
    messages: list[bytes] = []
    for n in range(MESSAGES):
        body = "line\r\n" * chosen.randrange(1, 40)
        match n % 50:
            case 1:  # a copy of the message before, and one of another size
                messages.append(messages[-1])
            case 2:
                messages.append(messages[-1] + b"and a footer of the list\r\n")
            case 3:
                subject = "gr\u00fc\u00dfe " * 30
                messages.append(f"From: m\u00fcller@example.org\r\nSubject: {subject}{n}\r\n\r\n{body}".encode())
            case 4:
                folded = "".join(f",\r\n\tperson{i}@example.org" for i in range(200))
                messages.append(f"To: first@example.org{folded}\r\nMessage-ID:\r\n <{n}@x>\r\n\r\n{body}".encode())
            case _:
                header = f"From: scanner@example.org\r\nSubject: Scan {n}\r\nMessage-ID: <{n}.scan@example.org>\r\n"
                messages.append(f"{header}\r\n{body}".encode())
    return messages


@pytest.fixture(params=["dovecot", "courier"])
def old_server(request: pytest.FixtureRequest) -> Dovecot | Courier:
    server = request.getfixturevalue(f"{request.param}_server")
    assert isinstance(server, Dovecot | Courier)
    return server


def fetched(client: Client, mailbox: Mailbox, port: int, state: Path) -> int:
    account = Pop3Account("127.0.0.1", port, mailbox.user, mailbox.password)
    return len(client.fetch(account, keep=True, state=state / client.name.replace(" ", "-")))


def imported(folder: Path, mailbox: Mailbox, *arguments: str) -> str:
    passwords = {"POPBRIDGE_PASSWORD": mailbox.password, "POPBRIDGE_OLD_PASSWORD": mailbox.password}
    command = ("uidl", "import", "--config", "popbridge.toml", "--yes", mailbox.user, *arguments)
    result = popbridge(folder, *command, environment=passwords)
    assert result.returncode == 0, result.stdout + result.stderr
    print(result.stdout)
    return result.stdout


@pytest.fixture
def through_the_bridge(tmp_path: Path) -> Callable[[Mailbox], str]:
    """Writes the configuration for this mailbox's server."""

    def configured(mailbox: Mailbox) -> str:
        config = _CONFIG.format(imap=mailbox.port)
        (tmp_path / "popbridge.toml").write_text(config.replace("{port}", "0"))
        return config

    return configured


def at_another_port(state: Path, before: int, now: int) -> None:
    """getmail keeps a memory for each server, port and user; an owner's bridge takes the old server's place."""
    for memory in state.glob(f"getmail6/oldmail-*-{before}-*"):
        memory.rename(memory.with_name(memory.name.replace(f"-{before}-", f"-{now}-")))


@pytest.mark.story
@pytest.mark.parametrize(
    "clients", [pytest.param(FAST, id="fast"), pytest.param((Getmail(),), id="getmail", marks=pytest.mark.slow)]
)
def test_after_the_import_no_program_downloads_anything_again(
    tmp_path: Path,
    old_server: Dovecot | Courier,
    clients: tuple[Client, ...],
    through_the_bridge: Callable[[Mailbox], str],
) -> None:
    for client in clients:
        require(client)
    mailbox = old_server.new_mailbox()
    assert len(mailbox.seed(sample())) == MESSAGES
    config, state = through_the_bridge(mailbox), tmp_path / "clients"
    for client in clients:
        assert fetched(client, mailbox, old_server.pop3_port, state) == MESSAGES, client.name

    said = imported(tmp_path, mailbox, "--from", f"pop3://127.0.0.1:{old_server.pop3_port}")
    again = imported(tmp_path, mailbox, "--from", f"pop3://127.0.0.1:{old_server.pop3_port}")
    mailbox.seed([b"From: new@example.org\r\nSubject: after the move\r\n\r\nnew\r\n"])

    assert f"recognised: {MESSAGES} of {MESSAGES} (100.0 %)" in said
    assert "nothing to write" in again
    with bridge(tmp_path, config=config) as running:
        at_another_port(state, old_server.pop3_port, running.port)
        counts = {client.name: fetched(client, mailbox, running.port, state) for client in clients}
        twice = {client.name: fetched(client, mailbox, running.port, state) for client in clients}
    assert counts == dict.fromkeys(counts, 1), "the one new message is fetched, and no other"
    assert twice == dict.fromkeys(twice, 0)


@pytest.mark.story
def test_a_mailbox_that_moved_to_another_server_is_recognised_there(
    tmp_path: Path, dovecot_server: Dovecot, courier_server: Courier, through_the_bridge: Callable[[Mailbox], str]
) -> None:
    """The old server's messages were copied, in another order, and a few are new there: all UIDs differ."""
    old, new = courier_server.new_mailbox(), dovecot_server.new_mailbox()
    messages = sample()[5:50]
    old.seed(messages)
    new.seed([b"From: x@example.org\r\nSubject: only here\r\n\r\nx\r\n", *reversed(messages)])
    client, state = PoplibScript(), tmp_path / "clients"
    config = through_the_bridge(new)
    assert fetched(client, old, courier_server.pop3_port, state) == len(messages)
    place = ("--from", f"pop3://127.0.0.1:{courier_server.pop3_port}", "--old-login", old.user)

    said = imported(tmp_path, new, *place)

    assert f"recognised: {len(messages)} of {len(messages)} (100.0 %)" in said
    with bridge(tmp_path, config=config) as running:
        assert fetched(client, new, running.port, state) == 1
        mailboxes.number_as(dovecot_server, new.user, 4711)
        assert mailboxes.uidvalidity(new) == 4711
        assert fetched(client, new, running.port, state) == 0, "imported UIDLs outlive a new UIDVALIDITY"


@pytest.mark.story
def test_an_owner_sees_what_is_there_while_the_bridge_runs(
    tmp_path: Path, dovecot_server: Dovecot, through_the_bridge: Callable[[Mailbox], str]
) -> None:
    mailbox = dovecot_server.new_mailbox()
    mailbox.seed(sample()[5:15])
    config = through_the_bridge(mailbox)
    passwords = {"POPBRIDGE_PASSWORD": mailbox.password, "POPBRIDGE_OLD_PASSWORD": mailbox.password}

    def ask(*arguments: str) -> tuple[int, str]:
        given = ("--config", "popbridge.toml")
        result = popbridge(tmp_path, *arguments, *given, environment=passwords)
        return result.returncode, result.stdout + result.stderr

    assert ask("status")[0] == 1
    assert ask("uidl", "show", mailbox.user)[0] == 1
    with bridge(tmp_path, config=config) as running:
        assert fetched(PoplibScript(), mailbox, running.port, tmp_path) == 10
        _assert_shown(ask, running, mailbox, dovecot_server.pop3_port)


def _assert_shown(ask: Callable[..., tuple[int, str]], running: Bridge, mailbox: Mailbox, old_port: int) -> None:
    code, status = ask("status")
    assert (code, status.splitlines()[0]) == (0, "1 mailbox remembered")
    assert f"{mailbox.user}: 10 messages" in status

    code, shown = ask("uidl", "show", mailbox.user)
    assert code == 0
    assert shown.splitlines()[-1] == "10 messages, 10 of them listed"

    assert ask("uidl", "diff", mailbox.user)[0] == 0
    mailbox.seed(sample()[15:16])
    code, diff = ask("uidl", "diff", mailbox.user)
    assert code == 1
    assert "10 messages then, 11 now: 0 gone, 1 new, 0 hidden, 0 back" in diff

    code, old = ask("uidl", "diff", mailbox.user, "--from", f"pop3://127.0.0.1:{old_port}")
    assert code == 1
    assert "0 the same, 11 with another UIDL (!)" in old

    code, refused = ask("uidl", "accept", mailbox.user)
    assert (code, refused) == (1, "popbridge: no change of this mailbox waits for an answer\n")
    assert running.running()


@pytest.mark.story
def test_a_mailbox_full_of_strangers_is_shown_when_its_owner_has_said_so(tmp_path: Path, mailbox: Mailbox) -> None:
    mailboxes.create(mailbox, "Mail")
    mailbox.seed(sample()[5:35], "Mail")
    config = _CONFIG.replace('{imap}"', '{imap}/Mail"').format(imap=mailbox.port)

    def ask(*arguments: str) -> tuple[int, str]:
        result = popbridge(tmp_path, *arguments, "--config", "popbridge.toml")
        return result.returncode, result.stdout + result.stderr

    with bridge(tmp_path, config=config) as running:
        assert fetched(PoplibScript(), mailbox, running.port, tmp_path) == 30
        mailboxes.rebuild(mailbox, "Mail", [])
        mailbox.seed(sample()[55:85], "Mail")
        with pytest.raises(LoginRefusedError, match="popbridge uidl accept"):
            fetched(PoplibScript(), mailbox, running.port, tmp_path)

        _, status = ask("status")
        code, shown = ask("uidl", "show", mailbox.user)
        accepted = ask("uidl", "accept", "--yes", mailbox.user)

        assert "logins are refused until popbridge uidl accept" in status
        assert (code, shown.splitlines()[-1]) == (0, "30 messages, 30 of them listed")
        assert "renumbered upstream: UIDVALIDITY changed" in shown
        assert accepted[0] == 0
        assert fetched(PoplibScript(), mailbox, running.port, tmp_path) == 30
        assert "renumbered" not in ask("status")[1]
