"""The relay fails at the exchange it was told, in the way it was told, and once."""

import contextlib
import imaplib
from collections.abc import Iterator

import pytest

from tests.peers.relay import Fault, Relay, relay
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import Mailbox

pytestmark = pytest.mark.story

MESSAGE = b"Subject: one\r\n\r\nHello\r\n"
CLEAN = ["greeting", "CAPABILITY", "LOGIN", "SELECT", "FETCH", "STORE", "LOGOUT"]


@pytest.fixture
def way(dovecot_server: Dovecot) -> Iterator[Relay]:
    with relay(dovecot_server.port) as running:
        yield running


def talk(way: Relay, mailbox: Mailbox) -> list[str]:
    """What got an OK."""
    done = []
    with contextlib.suppress(imaplib.IMAP4.error, OSError):
        imap = imaplib.IMAP4(way.host, way.port, timeout=0.5)
        done.append("greeting")
        try:
            for verb, call in (
                ("LOGIN", lambda: imap.login(mailbox.user, mailbox.password)),
                ("SELECT", imap.select),
                ("FETCH", lambda: imap.uid("FETCH", "1", "(BODY.PEEK[])")),
                ("STORE", lambda: imap.uid("STORE", "1", "+FLAGS", r"(\Seen)")),
                ("LOGOUT", imap.logout),
            ):
                status, _ = call()
                done += [verb] if status in {"OK", "BYE"} else []
        finally:
            imap.shutdown()
    return done


def test_a_clean_run_tells_the_exchanges(way: Relay, mailbox: Mailbox) -> None:
    mailbox.seed([MESSAGE])
    assert talk(way, mailbox) == ["greeting", "LOGIN", "SELECT", "FETCH", "STORE", "LOGOUT"]
    assert way.exchanges == CLEAN


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("at", [0, 2, 4, 5])
def test_a_fault_comes_where_it_was_told_and_once(at: int, fault: Fault, way: Relay, mailbox: Mailbox) -> None:
    mailbox.seed([MESSAGE])
    way.fail_at(at, fault)
    done = talk(way, mailbox)
    assert way.fired(5)
    verb = CLEAN[at]
    assert (verb in done) is (fault is Fault.ANSWERED and at > 0), "without more than a greeting imaplib gives up"
    assert way.exchanges[: at + 1] == CLEAN[: at + 1]
    heard = fault not in {Fault.UNSENT, Fault.DEAF, Fault.REFUSED}
    if verb == "STORE":
        assert (mailbox.flags()[1] == {r"\Seen"}) is heard
    assert len(talk(way, mailbox)) == 6, "from then on it lets everything through"


def test_down_it_takes_no_connection_and_keeps_none(way: Relay, mailbox: Mailbox) -> None:
    imap = imaplib.IMAP4(way.host, way.port, timeout=5)
    way.go_down()
    with pytest.raises((imaplib.IMAP4.error, OSError)):
        imap.noop()
    imap.shutdown()
    assert talk(way, mailbox) == []
    way.come_back()
    mailbox.seed([MESSAGE])
    assert len(talk(way, mailbox)) == 6


def test_at_the_moment_of_its_fault_something_else_may_happen(way: Relay, mailbox: Mailbox) -> None:
    mailbox.seed([MESSAGE])
    seen: list[list[str]] = []
    way.fail_at(4, Fault.UNANSWERED, lambda: seen.append(way.exchanges))
    talk(way, mailbox)
    assert seen == [CLEAN[:5]]
