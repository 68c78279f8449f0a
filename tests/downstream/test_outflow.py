"""What was written and has not left: counted, held within bounds, and known to be gone."""

import contextlib
import socket

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from bridge.downstream.outflow import HIGH, Outflow, unacknowledged
from tests.downstream.stage import FakeTcp

PEER = IPv4Address("TCP", "192.0.2.1", 40000)


class Producer:
    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


class Ground:
    def __init__(self) -> None:
        self.clock = Clock()
        self.tcp = FakeTcp(self.clock, PEER)
        self.tcp.protocol = self
        self.outflow = Outflow(self.tcp)
        self.producer = Producer()
        self.outflow.registerProducer(self.producer, streaming=True)  # type: ignore[arg-type]  # one without a declaration
        self.drained: list[None] = []

    def connectionLost(self, reason: object) -> None:
        pass


def test_a_producer_waits_above_the_mark_and_goes_on_when_all_is_gone() -> None:
    ground = Ground()
    ground.outflow.write(b"x" * HIGH)
    assert ground.producer.told == []
    ground.outflow.write(b"x")
    ground.outflow.write(b"x")
    assert ground.producer.told == ["pause"]
    ground.tcp.take(HIGH)
    assert ground.producer.told == ["pause"]
    ground.tcp.take()

    assert ground.producer.told == ["pause", "resume"]
    assert ground.outflow.outstanding == 0


def test_what_was_written_in_pieces_leaves_in_order() -> None:
    ground = Ground()
    ground.outflow.write(b"a")
    ground.outflow.write(b"")
    ground.outflow.writeSequence([b"b", b"c"])

    assert ground.outflow.outstanding == 3
    assert ground.tcp.take() == b"abc"


def test_it_is_drained_at_once_when_nothing_is_under_way() -> None:
    ground = Ground()
    ground.outflow.drained().addCallback(ground.drained.append)

    assert ground.drained == [None]


def test_it_is_drained_when_the_last_octet_has_left() -> None:
    ground = Ground()
    ground.outflow.write(b"abc")
    ground.outflow.drained().addCallback(ground.drained.append)
    ground.tcp.take(2)
    assert not ground.drained
    ground.tcp.take(1)

    assert ground.drained == [None]


def test_a_connection_that_is_ending_is_never_called_drained() -> None:
    for end in (Outflow.loseConnection, Outflow.abortConnection):
        for octets in (b"", b"abc"):
            ground = Ground()
            ground.outflow.write(octets)
            end(ground.outflow)
            ground.outflow.drained().addCallback(ground.drained.append)
            ground.tcp.take()
            ground.clock.advance(1)
            assert ground.drained == []
            assert not ground.tcp.connected


def test_one_that_is_to_end_is_never_called_drained_while_tls_still_says_good_bye() -> None:
    ground = Ground()
    ground.outflow.write(b"abc")
    ground.outflow.drained().addCallback(ground.drained.append)
    ground.outflow.expect_end()
    ground.outflow.write(b"close_notify")
    ground.tcp.take()
    ground.outflow.drained().addCallback(ground.drained.append)

    assert ground.drained == []
    assert ground.tcp.connected


def test_nothing_is_written_behind_the_end() -> None:
    ground = Ground()
    ground.outflow.write(b"last")
    ground.outflow.loseConnection()
    ground.outflow.write(b"too late")

    assert ground.tcp.take() == b"last"
    assert not ground.tcp.connected


def test_a_producer_that_comes_while_the_buffer_is_full_waits_like_the_one_before() -> None:
    """As at STLS: TLS is another producer than the session was."""
    ground = Ground()
    ground.outflow.write(b"x" * (HIGH + 1))
    ground.outflow.unregisterProducer()
    after = Producer()
    ground.outflow.registerProducer(after, streaming=True)  # type: ignore[arg-type]  # as above
    assert after.told == ["pause"]
    ground.tcp.take()

    assert after.told == ["pause", "resume"]
    assert ground.producer.told == ["pause"]


def test_a_producer_that_has_gone_is_told_nothing() -> None:
    ground = Ground()
    ground.outflow.unregisterProducer()
    ground.outflow.write(b"x" * (HIGH + 1))
    ground.tcp.take()

    assert ground.producer.told == []


def test_reading_and_addresses_are_the_transport_s() -> None:
    ground = Ground()
    reading = []
    for turn in (ground.outflow.pauseProducing, ground.outflow.resumeProducing):
        turn()
        reading.append(ground.tcp.reading)

    assert reading == [False, True]
    assert str(ground.outflow.getPeer()) == str(PEER)
    assert ground.outflow.getHost() == ground.tcp.getHost()


def test_what_the_kernel_still_holds_tells_a_slow_reader_from_one_that_stopped() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            accepted.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    accepted.send(bytes(65536))
            ground = Ground()
            ground.tcp.getHandle = lambda: accepted  # type: ignore[method-assign]  # the one thing asked of a real one
            stopped = ground.outflow.mark()
            assert ground.outflow.mark() == stopped
            held = unacknowledged(ground.tcp)
            assert held
            while unacknowledged(ground.tcp) == held:
                assert client.recv(65536), "as long as it takes the kernel to tell the sender of the room"

            assert ground.outflow.mark() != stopped


def test_without_a_kernel_that_tells_it_is_seen_when_all_is_gone() -> None:
    ground = Ground()
    ground.outflow.write(b"abc")
    before = ground.outflow.mark()
    ground.tcp.take(2)
    assert ground.outflow.mark() == before
    ground.tcp.take(1)

    assert ground.outflow.mark() != before


def test_what_has_nothing_before_it_is_handed_to_the_kernel_at_once() -> None:
    ground = Ground()
    ground.tcp.room = 5
    before = ground.outflow.mark()
    ground.outflow.write(b"+OK")
    assert (ground.tcp.sent, bytes(ground.tcp.unsent), ground.outflow.outstanding) == (b"+OK", b"", 0)
    assert ground.outflow.mark() != before, "the client's progress is seen"
    ground.outflow.drained().addCallback(ground.drained.append)
    assert ground.drained == [None]


def test_what_the_kernel_does_not_take_follows_in_order() -> None:
    ground = Ground()
    ground.tcp.room = 2
    ground.outflow.write(b"abc")
    ground.tcp.room = 10
    ground.outflow.write(b"de")
    assert (ground.tcp.sent, bytes(ground.tcp.unsent)) == (b"ab", b"cde")
    ground.outflow.drained().addCallback(ground.drained.append)
    assert not ground.drained
    ground.tcp.take()
    assert ground.drained == [None]


def test_nothing_is_handed_to_a_connection_that_is_gone() -> None:
    ground = Ground()
    ground.tcp.room = 5
    ground.tcp.connected = False
    ground.outflow.write(b"abc")
    assert ground.tcp.sent == b""
