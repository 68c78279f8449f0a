"""A test case that has an internet of its own, see `internet`."""

from pathlib import Path
from typing import Any

import pytest
from twisted.trial.unittest import TestCase

from tests.accounts.internet import MAIL, NAMES, WEB, Internet
from tests.peers.certificates import Certificate
from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.tls.authority import Authority


class OnlineTest(TestCase):
    """example.org, its autoconfig host and its mail server have addresses; nothing is said about them yet."""

    timeout = 60

    @pytest.fixture(autouse=True)
    def _take(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415, TID251  # real servers need a real one

        self.reactor: Any = reactor
        authority = Authority(self.folder)
        self.ca, self.certificate = authority.ca, authority.issue(NAMES)
        self.internet = Internet(reactor, self.ca, self.certificate)
        self.addCleanup(self.internet.stop)
        for name in ("example.org", "autoconfig.example.org"):
            self.internet.host(name, WEB)
        for name in ("imap.example.org", "pop.example.org"):
            self.internet.host(name, MAIL)

    def real_server(self) -> Dovecot:
        """One with the mail server's certificate and a mailbox of ann@example.org; nothing leads there yet."""
        running = dovecot(tls=Certificate(*self.certificate))
        server = running.__enter__()
        self.addCleanup(running.__exit__, None, None, None)
        server.add_user("ann@example.org")
        return server
