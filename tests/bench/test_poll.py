"""Many clients at once: every session is a whole one with the right answers, and counted once."""

import itertools

import pytest

from bench.mailboxes import POLLED
from bench.poll import poll
from bench.wire import WrongDataError
from tests.bench.pop3_server import ACCOUNT, pop3_server

_MESSAGES = list(itertools.islice(POLLED.make(), 7))
_SESSION = [b"USER ann", b"PASS secret", b"STAT", b"UIDL", b"QUIT"]


def test_one_client_polls_once() -> None:
    with pop3_server(_MESSAGES) as server:
        polled = poll(server.door, [ACCOUNT], len(_MESSAGES))

    assert len(polled.sessions) == 1
    assert 0 < polled.sessions[0] <= polled.seconds
    assert server.heard == _SESSION


def test_many_clients_poll_again_and_again() -> None:
    with pop3_server(_MESSAGES) as server:
        polled = poll(server.door, [ACCOUNT] * 5, len(_MESSAGES), seconds=0.3)

    assert polled.seconds >= 0.3
    assert len(polled.sessions) >= 5
    assert server.heard.count(b"QUIT") >= len(polled.sessions) + 5  # the first of each is not counted


@pytest.mark.parametrize(
    ("command", "reply"),
    [(b"STAT", b"+OK 6 12000\r\n"), (b"UIDL", b"+OK\r\n1 a\r\n.\r\n"), (b"PASS secret", b"-ERR [AUTH] no\r\n")],
)
def test_a_wrong_answer_is_an_error(command: bytes, reply: bytes) -> None:
    with (
        pop3_server(_MESSAGES, lambda line, right: reply if line == command else right) as server,
        pytest.raises(WrongDataError),
    ):
        poll(server.door, [ACCOUNT], len(_MESSAGES))
