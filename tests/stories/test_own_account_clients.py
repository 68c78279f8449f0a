"""Mail programs with an account of the bridge's own, each logging in as it can; and somebody who guesses passwords."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.peers.bridge import Bridge, bridge
from tests.peers.clients import promises
from tests.peers.clients.curl import Curl
from tests.peers.clients.fetchmail import Fetchmail
from tests.peers.clients.getmail import Getmail
from tests.peers.clients.mpop import Mpop
from tests.peers.clients.poplib_script import PoplibScript
from tests.peers.clients.seam import Auth, Client, LoginRefusedError, Pop3Account
from tests.peers.command import popbridge
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import Mailbox
from tests.stories.pop3 import Pop3

pytestmark = pytest.mark.story

MAIN = """
accounts = "accounts.d"
[[listener]]
pop3 = "127.0.0.1:{port}"
[timeouts]
refused_login_delay = "0.1s"
[pool]
believe_idle = false
"""

LETTERS = [b"Subject: one\r\n\r\n1\r\n", b"Subject: two\r\n\r\n2\r\n"]

WAYS: list[tuple[Client, Auth]] = [
    (Mpop(), "scram-sha-256"),
    (Mpop(), "plain"),
    (Curl(), "plain"),
    (Curl(), "login"),
    (Curl(), "any"),
    (Fetchmail("uidl"), "any"),
    (PoplibScript(), "any"),
    (Getmail(), "any"),
]


DEVICES = ("--device", "scanner", "--device", "fax")

BY_APOP: list[Client] = [Fetchmail("uidl"), Mpop(), Curl(), PoplibScript(), Getmail()]


class Ground:
    """A bridge's directory with one account, whose mailbox elsewhere has a password that no program ever sees."""

    def __init__(self, folder: Path, upstream: str, login: str, password: str, *options: str) -> None:
        self.folder = folder
        (folder / "accounts.d").mkdir()
        (folder / "work.password").write_text(password + "\n")
        (folder / "popbridge.toml").write_text(MAIN.replace("{port}", "1110"))
        added = popbridge(
            folder,
            *("account", "add", "-c", "popbridge.toml", "--upstream", upstream, "--login", login),
            *("--secret", "file:work.password", "--delete", "expunge", *options, "ann"),
        )
        assert added.returncode == 0, added.stderr
        self.words = dict(re.findall(r"the password(?: of (\S+))?: (\S+)", added.stderr))

    @contextmanager
    def running(self) -> Iterator[Bridge]:
        with bridge(self.folder, config=MAIN) as running:
            yield running
        # What a log or a state file must never hold.
        for file in self.folder.iterdir():
            if file.is_file():
                assert not [word for word in self.words.values() if word.encode() in file.read_bytes()], file.name

    def account(self, running: Bridge, device: str, auth: Auth = "any") -> Pop3Account:
        return Pop3Account("127.0.0.1", running.port, "ann", self.words[device], auth=auth)


@pytest.fixture
def mailbox(dovecot_server: Dovecot) -> Mailbox:
    mailbox = dovecot_server.new_mailbox("of upstream alone")
    mailbox.seed(LETTERS)
    return mailbox


@pytest.fixture
def ground(mailbox: Mailbox, tmp_path: Path) -> Ground:
    return Ground(tmp_path, f"imap://127.0.0.1:{mailbox.port}", mailbox.user, mailbox.password, *DEVICES)


def test_every_program_fetches_only_what_is_new_by_the_best_way_it_knows(
    ground: Ground, mailbox: Mailbox, tmp_path: Path
) -> None:
    with ground.running() as running:
        for number, (client, auth) in enumerate(WAYS):
            promises.require(client)
            account, state = ground.account(running, "scanner", auth), tmp_path / f"state-{number}"
            promises.same(client, client.fetch(account, keep=True, state=state), mailbox.raw_bodies().values())
            assert client.fetch(account, keep=True, state=state) == [], client.name
        assert running.log().count('login="ann (scanner)"') >= 2 * len(WAYS)


def test_programs_that_know_apop_send_no_password_where_every_device_has_one_in_the_vault(
    mailbox: Mailbox, tmp_path: Path
) -> None:
    (home := tmp_path / "bridge").mkdir()
    upstream = f"imap://127.0.0.1:{mailbox.port}"
    ground = Ground(home, upstream, mailbox.user, mailbox.password, *DEVICES, "--apop")
    with ground.running() as running:
        for number, client in enumerate(BY_APOP):
            promises.require(client)
            account, state = ground.account(running, "fax", "apop"), tmp_path / f"state-{number}"
            promises.same(client, client.fetch(account, keep=True, state=state), mailbox.raw_bodies().values())
            assert client.fetch(account, keep=True, state=state) == [], client.name
        promises.is_refused(
            PoplibScript(), Pop3Account("127.0.0.1", running.port, "ann", "wrong", auth="apop"), tmp_path / "state"
        )
        assert running.log().count('login="ann (fax)"') >= 2 * len(BY_APOP)


def test_apop_is_offered_to_nobody_when_one_device_has_no_password_in_the_vault(
    mailbox: Mailbox, tmp_path: Path
) -> None:
    upstream = f"imap://127.0.0.1:{mailbox.port}"
    ground = Ground(tmp_path, upstream, mailbox.user, mailbox.password, *DEVICES, "--apop")
    one_more = popbridge(tmp_path, "password", "-c", "popbridge.toml", "--user", "ann")
    file = tmp_path / "accounts.d" / "ann.toml"
    entry = f'  [[account.device]]\n  name = "phone"\n{one_more.stdout}  [[account.source]]'
    file.write_text(file.read_text().replace("  [[account.source]]", entry))

    with ground.running() as running, Pop3(running.port) as session:
        assert session.greeting == b"+OK Popbridge ready"
        assert b"SASL SCRAM-SHA-256 PLAIN LOGIN\r\n" in next(session.bodies(["CAPA"]))
        assert 'APOP is not offered: "the vault has no password of ann (phone)' in running.log()


def test_what_one_program_deletes_is_gone_for_the_other_and_a_wrong_password_is_told(
    ground: Ground, mailbox: Mailbox, tmp_path: Path
) -> None:
    with ground.running() as running:
        fetched = Fetchmail("uidl").fetch(ground.account(running, "scanner"), keep=False, state=tmp_path / "first")
        assert len(fetched) == len(LETTERS)
        assert PoplibScript().fetch(ground.account(running, "fax"), keep=True, state=tmp_path / "second") == []
        wrong = Pop3Account("127.0.0.1", running.port, "ann", "wrong", auth="scram-sha-256")
        promises.is_refused(Mpop(), wrong, tmp_path / "third")
    assert not mailbox.raw_bodies()


def test_a_removed_account_lets_nobody_in_after_a_restart(ground: Ground, tmp_path: Path) -> None:
    removed = popbridge(tmp_path, "account", "remove", "-c", "popbridge.toml", "ann")
    assert "restart the bridge" in removed.stdout
    with ground.running() as running:
        promises.is_refused(PoplibScript(), ground.account(running, "scanner"), tmp_path / "state")


class CountingUpstream:
    """A port that counts who connects."""

    def __init__(self) -> None:
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        self._socket.close()


@pytest.mark.slow
def test_guesses_from_a_thousand_addresses_never_reach_upstream(tmp_path: Path) -> None:
    """Few of them are even looked at; that none reaches upstream holds of those too."""
    with closing(CountingUpstream()) as upstream:
        ground = Ground(tmp_path, f"imap://127.0.0.1:{upstream.port}", "ann", "of upstream")
        with ground.running() as running:
            with pytest.raises(LoginRefusedError, match="SYS/TEMP"):  # the right one does reach it
                PoplibScript().fetch(ground.account(running, ""), keep=True, state=tmp_path / "state")
            before = upstream.connections
            assert before > 0
            answers: list[bytes] = []
            until = time.monotonic() + 10
            guessing = [threading.Thread(target=_guess, args=(running, n, until, answers)) for n in range(20)]
            for one in guessing:
                one.start()
            for one in guessing:
                one.join()
            assert any(answer.startswith(b"-ERR [AUTH] ") for answer in answers)
            assert {answer.split(b"]")[0] for answer in answers if answer} <= {b"-ERR [AUTH", b"-ERR [SYS/TEMP"}
            assert upstream.connections == before
            with Pop3(running.port) as session:
                assert session.do("CAPA")
        print(f"{len(answers)} guesses answered, none of them by upstream")


def _guess(running: Bridge, number: int, until: float, answers: list[bytes]) -> None:
    guesses = 0
    while time.monotonic() < until:
        guesses += 1
        source = (f"127.{1 + number}.{guesses // 250 % 250}.{1 + guesses % 250}", 0)
        with (
            socket.create_connection(("127.0.0.1", running.port), timeout=60, source_address=source) as connection,
            connection.makefile("rb") as lines,
        ):
            lines.readline()
            connection.sendall(
                b"USER %s\r\nPASS guess-%d-%d\r\n" % (b"ann" if guesses % 2 else b"bob", number, guesses)
            )
            lines.readline()
            answers.append(lines.readline())
