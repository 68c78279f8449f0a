"""Slow readers take large messages, in a walk, at their own pace."""

import itertools

import pytest

from bench.mailboxes import SMALL
from bench.memory import crawl
from bench.wire import WrongDataError
from tests.bench.pop3_server import ACCOUNT, pop3_server

_SMALL = list(itertools.islice(SMALL.make(), 2))
_LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * 200_000


def test_slow_readers_walk_and_take_their_time() -> None:
    with pop3_server([*_SMALL, _LARGE, _LARGE, _LARGE]) as server:
        taken = crawl(server.door, [ACCOUNT] * 4, seconds=0.5, rate=100_000)

    asked = [line for line in server.heard if line.startswith(b"RETR")]
    assert [asked.count(b"RETR %d" % number) for number in (1, 2, 3)] == [4, 4, 4]
    assert server.most_under_way == 3  # with every second one
    assert 10_000 <= taken <= 4 * 60_000


def test_a_reader_that_is_cut_off_is_an_error() -> None:
    with (
        pop3_server([*_SMALL, *_SMALL], lambda line, reply: b"" if line == b"RETR 4" else reply) as server,
        pytest.raises(WrongDataError, match="read slowly"),
    ):
        crawl(server.door, [ACCOUNT] * 2, seconds=60, rate=100_000)
