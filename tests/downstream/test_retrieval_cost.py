"""A message that is held already costs so little that a hundred thousand of them keep nobody waiting.

Counted in calls, which are the same on every machine: 30 microseconds are some 70 of them on a processor of 2024. The
figures with a clock are the benchmark's.
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from bridge.names import Uid
from tests.downstream.stage import Stage

MESSAGE = b"Subject: small\r\n\r\n" + b"abcdefghijklmnopqrstuvwxyz.\r\n" * 140
BURST = 25
MOST_CALLS = 80


def calls(work: Callable[[], Any]) -> int:
    """Of Python and of C functions, in this thread."""
    counted = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return counted


@pytest.mark.parametrize("command", ["RETR {}", "TOP {} 0", "TOP {} 99999999"])
def test_a_pipelined_message_that_is_held(command: str) -> None:
    stage = Stage(*[MESSAGE] * (4 * BURST))
    stage.upstream.room = 1 << 30
    client = stage.logged_in()
    lines = [f"{command.format(number)}\r\n".encode() for number in range(1, 3 * BURST)]
    for line in lines[:BURST]:
        client.say(line)
    (source,) = stage.upstream.sources
    assert all(source.ahead.awaits(Uid(11 + place)) for place in range(BURST, 2 * BURST)), "all is held"
    burst = b"".join(lines[BURST : 2 * BURST])
    counted = calls(lambda: client.send(burst)) / BURST
    print(f"{command}: {counted:.1f} calls")
    assert client.settle().count(b"\r\n.\r\n") == BURST
    assert counted < MOST_CALLS
