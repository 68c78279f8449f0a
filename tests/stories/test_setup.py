"""A new user, who has an address and nothing else, types one command and reads mail."""

import os
import poplib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import frozen

from bridge.config import load
from tests.credentials.leaks import assert_nothing_leaked
from tests.peers import person
from tests.peers.bridge import bridge
from tests.peers.child import Child, free_port
from tests.peers.command import POPBRIDGE, ROOT, popbridge
from tests.peers.servers.dovecot import Dovecot
from tests.stories.oauth2 import LETTERS, Ground, chromium, ground

pytestmark = pytest.mark.story

ADDRESS = "ann@example.org"
SHOWN = ("server", "port", "user name", "password")


@frozen
class Account:
    """What the mail program is told, as it stands on the screen."""

    server: str
    port: int
    user: str
    password: str

    @classmethod
    def shown(cls, text: str) -> "Account":
        said = [re.findall(rf"^    {name} +(\S+)$", text, re.MULTILINE) for name in SHOWN]
        [server], [port], [user], [password] = said
        return cls(server, int(port), user, password)

    def reads_everything(self) -> None:
        """By two programs."""
        session = poplib.POP3(self.server, self.port, timeout=60)
        session.user(self.user)
        session.pass_(self.password)
        assert [b"\r\n".join(session.retr(number)[1]) + b"\r\n" for number in (1, 2)] == LETTERS
        session.quit()
        who = f"{self.user}:{self.password}"
        curl = ["curl", "-sS", "-u", who, f"pop3://{self.server}:{self.port}/2"]
        assert subprocess.run(curl, capture_output=True, timeout=60, check=True).stdout == LETTERS[1]


@contextmanager
def setup(
    folder: Path, *arguments: str | Path, output: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Child]:
    child = Child(
        [sys.executable, "-c", POPBRIDGE, "setup", *arguments, ADDRESS],
        output,
        environment={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        folder=folder,
    )
    try:
        yield child
    finally:
        child.stop()
        print(child.text())
    assert "Traceback" not in child.text()


def until_says(child: Child, words: str, seconds: float = 60) -> str:
    for _ in range(int(seconds * 20)):
        if words in child.text() or not child.running():
            break
        child.pause(0.05)
    assert words in child.text(), child.text()
    return child.text()


def by_tokens(here: Ground, *more: str) -> Sequence[str]:
    """Dovecot and the authorization server are none that the world knows."""
    issuer = here.authority.issuer
    return (
        *("--upstream", f"imap://127.0.0.1:{here.imap.port}", "--login", here.mailbox.user),
        *("--client-id", "popbridge", "--no-client-secret", "--scope", "mail", "--scope", "offline_access"),
        *("--authorize-url", f"{issuer}/auth", "--token-url", f"{issuer}/token", *more),
    )


@pytest.mark.slow
def test_from_nothing_to_reading_mail_of_an_account_that_takes_tokens_only(tmp_path: Path) -> None:
    """One command and the browser's consent."""
    with ground(tmp_path, mechanisms="xoauth2 oauthbearer") as here:
        port = free_port()
        arguments = by_tokens(here, "--pop3", f"127.0.0.1:{port}", "--serve")
        environment = chromium(here.mailbox.user, tmp_path / "report")
        with setup(here.folder, *arguments, output=tmp_path / "shown", environment=environment) as running:
            shown = Account.shown(until_says(running, "It serves now"))
            assert (shown.server, shown.port, shown.user) == ("127.0.0.1", port, "ann")
            running.until_accepting("127.0.0.1", port)
            shown.reads_everything()
            text = running.text()
        assert here.refreshes() == 2  # the trial's, and the bridge's

        file = here.folder / "popbridge.toml"
        with bridge(here.folder, config=file.read_text(), port=port) as later:
            shown.reads_everything()
            log = later.log()
        assert text.count(shown.password) == 1
        secrets = {**here.secrets(), "device password": shown.password}
        assert_nothing_leaked(secrets, files=here.folder, texts=[text.replace(shown.password, ""), log])


def test_from_nothing_to_reading_mail_of_an_account_with_a_password(tmp_path: Path, dovecot_server: Dovecot) -> None:
    mailbox = dovecot_server.new_mailbox("of upstream alone")
    mailbox.seed(LETTERS)
    port = free_port()
    upstream = f"imap://127.0.0.1:{mailbox.port}"
    arguments = ["--upstream", upstream, "--login", mailbox.user, "--pop3", f"127.0.0.1:{port}", "--directory", "mail"]
    done = popbridge(tmp_path, "setup", *arguments, ADDRESS, typed="of upstream alone\n")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 messages" in done.stdout
    assert 'delete = "flag" (this account\'s): holds' in done.stdout
    assert "twistd -n popbridge --config mail/popbridge.toml" in done.stdout
    folder = tmp_path / "mail"
    assert {file.name for file in folder.iterdir()} == {"popbridge.toml", "popbridge.vault", "popbridge.key"}
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    shown = Account.shown(done.stdout + done.stderr)
    with bridge(folder, config=(folder / "popbridge.toml").read_text(), port=port) as running:
        shown.reads_everything()
        texts = [running.log(), done.stdout, done.stderr.replace(shown.password, "")]
    secrets = {"upstream's": "of upstream alone", "device password": shown.password}
    assert_nothing_leaked(secrets, files=folder, texts=texts)


def test_a_wrong_password_is_told_and_nothing_is_left(tmp_path: Path, dovecot_server: Dovecot) -> None:
    mailbox = dovecot_server.new_mailbox()
    arguments = ["--upstream", f"imap://127.0.0.1:{mailbox.port}", "--login", mailbox.user, "--directory", "mail"]
    port = f"127.0.0.1:{free_port()}"
    done = popbridge(tmp_path, "setup", *arguments, "--pop3", port, ADDRESS, typed="wrong one\n")

    assert done.returncode == 1
    assert "127.0.0.1 refuses the password" in done.stdout
    assert done.stderr.endswith("that did not work, as said above; mend it, and run the command again\n")
    assert list(tmp_path.iterdir()) == []


def test_who_says_no_at_the_browser_is_believed_and_nothing_is_left(tmp_path: Path) -> None:
    with ground(tmp_path) as here:
        arguments = by_tokens(here, "--pop3", f"127.0.0.1:{free_port()}")
        environment = {"BROWSER": f"{sys.executable} {person.__file__} {here.mailbox.user} %s no"}
        done = popbridge(here.folder, "setup", *arguments, ADDRESS, environment=environment)

        assert done.returncode == 1
        assert "popbridge: the provider says no: access_denied" in done.stderr
        assert list(here.folder.iterdir()) == []


def test_who_gives_up_while_the_browser_is_waited_for_leaves_nothing(tmp_path: Path) -> None:
    with ground(tmp_path) as here:
        arguments = by_tokens(here, "--pop3", f"127.0.0.1:{free_port()}")
        with setup(here.folder, *arguments, output=tmp_path / "shown", environment={"BROWSER": "true"}) as running:
            until_says(running, "Waiting for the answer")
            os.kill(running.pid, signal.SIGINT)
            assert "Nothing was written." in until_says(running, "Nothing was written.")
            running.pause(20)
            assert not running.running()
        assert list(here.folder.iterdir()) == []


def test_what_is_there_stays_and_the_lines_for_it_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "popbridge.toml"
    file.write_text('[[listener]]\npop3 = "127.0.0.1:1110"\n')
    done = popbridge(tmp_path, "setup", "--yes", "ann@gmx.de")

    assert done.returncode == 1
    assert "there is popbridge.toml already, which stays as it is; paste these lines into it" in done.stderr
    lines = done.stdout[done.stdout.index("[[account]]") :]
    hashed = popbridge(tmp_path, "password").stdout.splitlines()[0].partition('"')[2].rstrip('"')
    file.write_text(file.read_text() + lines.replace("$scrypt$…", hashed))
    [account] = load(file).accounts
    assert account.source[0].upstream.host == "imap.gmx.net"
