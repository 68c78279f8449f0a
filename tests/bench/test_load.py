"""A server that is fast and wrong is an error, not a figure; one that is right is timed and counted."""

import itertools
from collections.abc import Callable

import pytest

from bench import load
from bench.mailboxes import SMALL, expected
from bench.wire import WrongDataError
from tests.bench.pop3_server import ACCOUNT, pop3_server

_MESSAGES = [*itertools.islice(SMALL.make(), 29), b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n"]
_PIECES = expected(_MESSAGES)
_RETR = ("RETR %d",)


@pytest.mark.parametrize("under_way", [1, 10])
def test_what_was_put_in_comes_out(under_way: int) -> None:
    with pop3_server(_MESSAGES) as server:
        timed = load.walk(server.door, ACCOUNT, _RETR, _PIECES.retr, under_way)

    assert timed.count == len(_MESSAGES)
    assert timed.octets > sum(map(len, _MESSAGES))
    assert timed.seconds > 0
    assert server.most_under_way <= under_way
    assert (server.most_under_way > 1) == (under_way > 1)


def test_the_headers_alone_can_be_asked_for() -> None:
    with pop3_server(_MESSAGES) as server:
        assert load.walk(server.door, ACCOUNT, ("TOP %d 0",), _PIECES.headers, 10).count == len(_MESSAGES)
        assert load.walk(server.door, ACCOUNT, ("TOP %d 20",), _PIECES.tops).count == len(_MESSAGES)


def test_a_program_may_ask_twice_about_each_message() -> None:
    with pop3_server(_MESSAGES) as server:
        timed = load.walk(server.door, ACCOUNT, ("LIST %d", "TOP %d 99999999"), _PIECES.retr)

    assert timed.count == len(_MESSAGES)
    assert [line for line in server.heard if line.startswith(b"LIST")] == [b"LIST %d" % n for n in range(1, 31)]


@pytest.mark.parametrize("under_way", [1, 10])
@pytest.mark.parametrize(
    "edit",
    [
        lambda reply: reply.replace(b"dots", b"dota"),
        lambda reply: reply.replace(b"Subject", b"Sub"),
        lambda reply: reply.replace(b"\r\n.", b"\r\n", 1),
        lambda reply: b"+OK\r\n.\r\n" if reply else b"",
        lambda reply: reply.replace(b"+OK", b"OK+", 1),
        lambda reply: reply + reply,
    ],
    ids=["another octet", "too short", "a dot not doubled", "empty", "no +OK", "said twice"],
)
def test_a_wrong_message_is_an_error(edit: Callable[[bytes], bytes], under_way: int) -> None:
    dots = len(_MESSAGES)
    with (
        pop3_server(_MESSAGES, lambda line, reply: edit(reply) if line == b"RETR %d" % dots else reply) as server,
        pytest.raises(WrongDataError),
    ):
        load.walk(server.door, ACCOUNT, _RETR, _PIECES.retr, under_way)


def test_messages_in_another_order_are_an_error() -> None:
    with pop3_server(_MESSAGES[::-1]) as server, pytest.raises(WrongDataError):
        load.walk(server.door, ACCOUNT, _RETR, _PIECES.retr, 10)


def test_a_refusal_is_an_error() -> None:
    with (
        pop3_server(_MESSAGES, lambda line, reply: b"-ERR busy\r\n" if line == b"RETR 3" else reply) as server,
        pytest.raises(WrongDataError, match="busy"),
    ):
        load.walk(server.door, ACCOUNT, _RETR, _PIECES.retr)


def test_a_walk_can_be_ended_by_time() -> None:
    with pop3_server(_MESSAGES) as server:
        serially = load.walk(server.door, ACCOUNT, ("LIST %d", "TOP %d 99999999"), _PIECES.retr, seconds=0)
        pipelined = load.walk(server.door, ACCOUNT, _RETR, _PIECES.retr, 10, seconds=0)

    assert serially.count == 1
    assert pipelined.count < len(_MESSAGES)


def test_a_listing_must_have_every_message() -> None:
    with pop3_server(_MESSAGES) as server:
        assert load.list_all(server.door, ACCOUNT, len(_MESSAGES)).octets > 0
        with pytest.raises(WrongDataError, match="30 UIDLs"):
            load.list_all(server.door, ACCOUNT, len(_MESSAGES) + 1)


def test_uidls_must_differ() -> None:
    with (
        pop3_server(_MESSAGES, lambda line, reply: reply.replace(b"uid7", b"uid8")) as server,
        pytest.raises(WrongDataError, match="29 different"),
    ):
        load.list_all(server.door, ACCOUNT, len(_MESSAGES))


def test_the_first_octet_is_timed_and_the_rest_checked() -> None:
    with pop3_server(_MESSAGES) as server:
        assert load.first_octet(server.door, ACCOUNT, 2, _PIECES.retr[1]).seconds > 0
        with pytest.raises(WrongDataError):
            load.first_octet(server.door, ACCOUNT, 3, _PIECES.retr[1])


@pytest.mark.parametrize("under_way", [1, 10])
def test_every_deletion_must_be_confirmed(under_way: int) -> None:
    with pop3_server(_MESSAGES) as server:
        load.delete_all(server.door, ACCOUNT, len(_MESSAGES), under_way)
    assert server.heard[-1] == b"QUIT"
    assert len([line for line in server.heard if line.startswith(b"DELE")]) == len(_MESSAGES)

    with (
        pop3_server(_MESSAGES, lambda line, reply: b"-ERR no\r\n" if line == b"DELE 5" else reply) as server,
        pytest.raises(WrongDataError),
    ):
        load.delete_all(server.door, ACCOUNT, len(_MESSAGES), under_way)


def test_a_client_that_waits_is_not_busy() -> None:
    with load.loader() as client:
        assert client.run(_wait).busy < client.run(_work).busy / 2


def test_an_error_in_the_clients_process_is_told() -> None:
    with load.loader() as client, pop3_server(_MESSAGES) as server:
        with pytest.raises(WrongDataError):
            client.run(load.list_all, server.door, ACCOUNT, 1)
        assert client.run(load.list_all, server.door, ACCOUNT, len(_MESSAGES)).seconds > 0


def _wait() -> load.Timed:
    import select  # noqa: PLC0415

    watch = load.Watch()
    select.select([], [], [], 0.2)
    return watch.stop()


def _work() -> load.Timed:
    watch = load.Watch()
    sum(range(3_000_000))
    return watch.stop()
