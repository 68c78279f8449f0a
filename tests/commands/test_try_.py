"""`popbridge try` as an owner types it: from an address to a mailbox that is served, and words for what went wrong."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bridge.cli import main
from bridge.config import load
from tests.accounts.internet import NAMES
from tests.peers.certificates import Certificate
from tests.peers.command import ROOT, popbridge
from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.peers.servers.imap_server import Mailbox
from tests.tls.authority import Authority

LISTENER = '[[listener]]\npop3 = "127.0.0.1:0"\n\n'


@pytest.mark.parametrize("address", ["ann", "ann@localhost", "ann@127.0.0.1", ""])
def test_what_is_no_address_is_told(address: str) -> None:
    result = CliRunner().invoke(main, ["try", address])

    assert result.exit_code == 2
    assert "Invalid value for ADDRESS" in result.output


def test_a_large_provider_is_known_offline_and_its_lines_can_be_pasted(tmp_path: Path) -> None:
    result = popbridge(tmp_path, "try", "--no-login", "ann@gmail.com")

    assert result.returncode == 0, result.stderr
    file = tmp_path / "popbridge.toml"
    file.write_text(LISTENER + result.stdout.partition("to paste into popbridge.toml:")[2])
    [entry] = load(file).passthrough
    assert (str(entry.upstream), entry.delete) == ("imaps://imap.gmail.com:993/INBOX", "trash")


def test_a_pin_stands_beside_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "popbridge.toml"
    file.write_text(LISTENER)
    result = popbridge(tmp_path, "try", "--no-login", "--pin", file, "ann@icloud.com")

    assert result.returncode == 0, result.stderr
    assert 'login = "ann"\n' in (tmp_path / "discovered.toml").read_text()


def test_without_a_configuration_there_is_nothing_to_pin_beside(tmp_path: Path) -> None:
    result = popbridge(tmp_path, "try", "--no-login", "--pin", tmp_path / "none.toml", "ann@icloud.com")

    assert result.returncode == 2
    assert "does not exist" in result.stderr


def test_a_script_that_said_nothing_is_not_taken_to_agree(tmp_path: Path) -> None:
    result = popbridge(tmp_path, "try", "ann@web.de")

    assert (result.returncode, result.stderr[-9:]) == (1, "given up\n")


@pytest.mark.story
class TestInAnInternet:
    @pytest.fixture(autouse=True)
    def _serve(self, tmp_path: Path) -> Iterator[None]:
        authority = Authority(tmp_path)
        self.folder = tmp_path
        self.ca, (self.certificate, self.key) = authority.ca, authority.issue(NAMES)
        with dovecot(tls=Certificate(self.certificate, self.key)) as server:
            server.add_user("ann@example.org")
            Mailbox(server, "ann@example.org").seed([b"Subject: one\r\n\r\nbody\r\n"])
            self.server: Dovecot = server
            yield

    def tries(self, typed: str, **plan: Any) -> subprocess.CompletedProcess[str]:
        files = {"ca": self.ca, "certificate": self.certificate, "key": self.key, "server": "imap.example.org"}
        plan = {**{name: str(value) for name, value in files.items()}, "imaps": self.server.tls_port, **plan}
        return subprocess.run(
            [sys.executable, "-m", "tests.commands.try_in_a_process", json.dumps(plan)],
            cwd=ROOT,
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_from_an_address_to_lines_that_the_bridge_takes(self) -> None:
        result = self.tries("y\ntest\n")

        assert result.returncode == 0, result.stdout + result.stderr
        assert "Log in at imaps://imap.example.org as ann@example.org? [y/N]:" in result.stdout
        assert "1 messages, 22 octets" in result.stdout
        assert 'delete = "flag" (this account\'s): holds' in result.stdout
        file = self.folder / "popbridge.toml"
        file.write_text(LISTENER + result.stdout.partition("to paste into popbridge.toml:")[2])
        [entry] = load(file).passthrough
        assert (entry.upstream.host, entry.ca) == ("imap.example.org", self.ca)
        assert "Traceback" not in result.stdout + result.stderr

    def test_a_wrong_password_ends_with_words_and_without_lines(self) -> None:
        result = self.tries("y\nwrong\n")

        assert result.returncode == 1
        assert "user name or password is wrong" in result.stdout
        assert "to paste" not in result.stdout
        assert "wrong\n" not in result.stdout.replace("is wrong\n", "")

    def test_a_server_elsewhere_gets_nothing_without_its_owners_word(self) -> None:
        refused = self.tries("n\n", server="imap.hoster.net")
        agreed = self.tries("y\ntest\n", server="imap.hoster.net", pin=str(self.folder))

        assert "imap.hoster.net is not part of example.org" in refused.stdout
        assert refused.returncode == 1
        assert agreed.returncode == 0, agreed.stdout + agreed.stderr
        assert "imaps://imap.hoster.net" in (self.folder / "discovered.toml").read_text()
