"""Wherever in a session the client is lost: nothing leaks, nothing is lost, and QUIT deletes all or nothing.

One session is played turn by turn, the client taking a few octets a turn and upstream answering a turn late; then it
is played again and dropped at each of these turns. A second reading of `downstream.protocol`, `outflow` and `dialogue`.
"""

import pytest

from bridge.events import BugMet, LoginRefused, SessionClosed, UpstreamLost
from bridge.maildrop.errors import UpstreamUnavailable
from tests.downstream.stage import HELLO, Client, Stage, TlsClient

MESSAGES = (HELLO, b"Subject: long\r\n\r\n" + b"x" * 70 + b"\r\n.\r\n" * 30, b"Subject: third\r\n\r\n")
SCRIPTS = {
    "password": b"CAPA\r\nUSER ann\r\nPASS right password\r\nSTAT\r\nLIST\r\nUIDL\r\nQUIT\r\n",
    "sasl": b"AUTH PLAIN\r\nAGFubgByaWdodCBwYXNzd29yZA==\r\nSTAT\r\nQUIT\r\n",
    "refused": b"USER ann\r\nPASS wrong\r\nUSER ann\r\nPASS right password\r\nQUIT\r\n",
    "reading": b"USER ann\r\nPASS right password\r\nRETR 1\r\nRETR 2\r\nTOP 2 3\r\nRETR 9\r\nQUIT\r\n",
    "deleting": b"USER ann\r\nPASS right password\r\nRETR 2\r\nDELE 2\r\nDELE 1\r\nRSET\r\nDELE 3\r\nLIST\r\nQUIT\r\n",
}
INPUT, OUTPUT = 4, 10
"""Octets that the client sends and takes in one turn."""


def play(way: str, script: bytes, drop_at: int | None) -> tuple[Stage, Client, int]:
    """Until the session has ended by itself, or was dropped before that turn; the last is how many turns it took."""
    stage = Stage(*MESSAGES, implicit=way == "tls", tls=way == "stls", chunk=50)
    client = _connected(stage, way)
    stage.upstream.slow = True
    sends = [script[i : i + INPUT] for i in range(0, len(script), INPUT)]
    turn = 0
    while not client.gone():
        if turn == drop_at:
            client.drop()
            break
        if sends:
            client.send(sends.pop(0))
        stage.clock.advance(0.02)
        client.take(OUTPUT)
        turn += 1
        assert turn < 5000, "it never ends"
    for _ in range(200):
        stage.clock.advance(0.5)  # what was begun ends by itself
    return stage, client, turn


def _connected(stage: Stage, way: str) -> Client:
    if way != "stls":
        return stage.connect()
    client = TlsClient(stage.accept(), stage.clock)
    client.say(b"STLS\r\n")
    client.shake()
    client.heard = b""
    return client


@pytest.mark.parametrize("way", ["plain", "tls", "stls"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_client_lost_at_any_turn_leaves_nothing_behind(way: str, name: str) -> None:
    _, whole, turns = play(way, SCRIPTS[name], None)
    assert b"+OK" in whole.heard.splitlines()[-1]
    lost_before = kept_after = 0

    for drop_at in range(turns):
        stage, client, _ = play(way, SCRIPTS[name], drop_at)

        stage.nothing_left()
        assert stage.closed.how in {"the client closed the connection", "QUIT"}
        assert not stage.told(BugMet), stage.log
        assert whole.heard.startswith(client.heard)
        assert stage.upstream.messages.keys() in ({11, 12, 13}, {11, 12})
        begun = "delete" in stage.upstream.asked
        assert begun == (stage.upstream.messages.keys() == {11, 12}), "begun, and not carried through"
        if begun:
            kept_after += 1
            before_goodbye = whole.heard[: whole.heard.rindex(b"+OK")]
            assert stage.closed.deleted == 1
            assert client.heard.startswith(before_goodbye), "deleted before the client had what came before"
        else:
            lost_before += 1
    if name == "deleting":
        assert lost_before > 30
        assert kept_after > 0


def test_a_refused_password_is_in_the_log_also_when_the_client_does_not_wait_for_the_answer() -> None:
    stage = Stage(HELLO)
    client = stage.connect()
    client.say(b"USER ann\r\nPASS wrong\r\n")
    stage.clock.advance(1)
    client.drop()

    assert [event.login for event in stage.told(LoginRefused)] == ["ann"]
    stage.nothing_left()


@pytest.mark.parametrize("implicit", [False, True])
def test_a_client_lost_at_any_octet_of_its_handshake_leaves_nothing_behind(implicit: bool) -> None:
    for octets in range(0, 600, 7):
        stage = Stage(HELLO, implicit=implicit, tls=True)
        tcp = stage.accept()
        if not implicit:
            tcp.deliver(b"STLS\r\n")
        client = TlsClient(tcp, stage.clock)
        client.hello(octets)
        client.drop()

        stage.nothing_left()
        assert len(stage.told(SessionClosed)) == 1


@pytest.mark.parametrize("step", ["list", "stream", "inside", "top"])
def test_what_upstream_says_when_its_client_has_gone_is_no_trouble(step: str) -> None:
    """A source that is cancelled may end in a refusal of its own; nobody is to look for it in the log."""
    stage = Stage(*MESSAGES, chunk=50)
    client = stage.connect()
    gate = stage.upstream.hold(step)
    gate._canceller = lambda d: d.errback(UpstreamUnavailable("the transfer was stopped"))
    client.say(b"USER ann\r\nPASS right password\r\nRETR 2\r\nTOP 2 1\r\n")
    client.drop()

    assert not stage.told(UpstreamLost)
    assert not stage.told(BugMet)
    assert stage.closed.how == "the client closed the connection"
    stage.nothing_left()
