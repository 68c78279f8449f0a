"""`popbridge check` of a POP3 upstream: an owner sees what it can do, and nothing is changed there."""

from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from bridge.accounts.account import Account
from bridge.check_pop3 import capabilities, look
from bridge.config import Config, PassThrough
from bridge.credentials.proof import Given
from bridge.maildrop.errors import CredentialsRefused
from bridge.maildrop.view import View
from bridge.names import AccountName
from bridge.sasl import Credentials
from bridge.secret import Secret
from tests.upstream.network import Network, Running
from tests.upstream.pop3_server import POP3, Drop, drop_of
from tests.upstream.session import mail

ENTRY = PassThrough(upstream=POP3, delete="expunge", uidl="upstream")
CONFIG = Config(base=Path("/"), listeners=(), passthrough=(ENTRY,))


def looked(drop: Drop, password: bytes = b"wonder", view: View | None = None) -> list[str]:
    said: list[str] = []
    network = Network(drop.answering)
    account = Account(b"alice", AccountName("alice"), ENTRY, view or View())
    proof = Given(Credentials(account.login, Secret(password), "USER", bearer=False))
    assert network.run(look(account, CONFIG, network, said.append, proof))  # type: ignore[arg-type]  # as much of a reactor as is needed
    assert network.open == 0
    return said


def test_a_login_sees_what_is_there_and_which_policies_hold() -> None:
    drop = drop_of(mail("a"), mail("b"))
    said = looked(drop)
    assert said[0] == f"login alice: 2 messages, {len(mail('a')) + len(mail('b'))} octets"
    assert '  delete = "expunge" (this account\'s): holds' in said
    assert '  delete = "keep": holds' in said
    assert '  delete = "flag": a POP3 server cannot flag messages' in said
    assert drop.verbs()[-1] == "QUIT"
    assert "DELE" not in drop.verbs()
    assert looked(drop, view=View(newest=1))[1].startswith("  its view shows 1 of them")


def test_a_wrong_password_leaves_nothing_open() -> None:
    with pytest.raises(CredentialsRefused):
        looked(drop_of(), b"guess")


def test_what_a_server_says_of_itself() -> None:
    for drop, ways, others in (
        (Drop(), ["USER", "PLAIN", "XOAUTH2"], ["UIDL", "TOP", "PIPELINING"]),
        (Drop(capabilities=None), ["USER"], []),
    ):
        network = Network(drop.answering)
        running = Running(Deferred.fromCoroutine(capabilities(CONFIG, network, ENTRY)))  # type: ignore[arg-type]  # the same
        network.settle()
        assert running.result() == (ways, others)
        assert network.open == 0
