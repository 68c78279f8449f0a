# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""Cut anywhere, as often as may be, a message reaches the client as if nothing had happened (S15)."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.downstream.delivery import Delivery
from bridge.maildrop.source import Flow
from bridge.names import Uid
from bridge.pop3.stuffing import MessageOctets
from tests.upstream.network import NetworkTestCase
from tests.upstream.session import Session, with_messages

SEAMS = (b"\r\n.\r\n", b"\n.\n", b"\r\n..\r\n", b"\r", b"\n", b".", b"\r\r\n", b"x" * 70, b"y" * 300, b"\0")
MESSAGES = st.lists(st.sampled_from(SEAMS), min_size=1, max_size=30).map(b"".join)


class Client:
    """A Line that keeps what it got."""

    def __init__(self) -> None:
        self.heard = b""
        self.flows: list[Flow | None] = []

    def write(self, octets: bytes) -> None:
        self.heard += octets

    def follow(self, flow: Flow | None) -> None:
        self.flows.append(flow)


def undisturbed(octets: bytes) -> bytes:
    message = MessageOctets()
    return b"+OK\r\n" + message.feed(octets) + message.end()


def cut_at(session: Session, cuts: Sequence[int]) -> None:
    """The connections break behind these octets of the message, one after the other; the others hold."""
    waiting = list(cuts)

    def edit(text: str, answer: bytes) -> bytes:
        if "BODY.PEEK[]" not in text or not waiting:
            return answer
        start = int(text.partition("<")[2].partition(".")[0] or "0")
        end = session.network.ends[-1]
        end.send(answer[: answer.index(b"}\r\n") + 3 + max(0, waiting.pop(0) - start)])
        while end.other.turn(session.network.piece) and end.other.incoming:
            pass
        end.abortConnection()
        return b""

    session.store.edit = edit


class GoingOnTest(NetworkTestCase):
    def delivered(self, octets: bytes, cuts: Sequence[int], piece: int) -> Client:
        session = Session(with_messages(octets), piece=piece)
        session.list()
        cut_at(session, cuts)
        client = Client()
        delivery = Delivery(client, b"+OK\r\n", MessageOctets())
        running = session.network.start(session.source.stream(Uid(1), delivery, len(octets)))
        session.network.wait(2 * len(cuts) + 2)
        running.result()
        delivery.finish()
        self.assertEqual(len(session.network.clients), 1 + len(cuts))
        session.source.abandon()
        session.network.settle()
        return client

    @settings(deadline=None)
    @given(MESSAGES, st.lists(st.floats(0, 1), min_size=1, max_size=3), st.sampled_from([1 << 20, 50, 7]))
    def test_line_ends_and_dots_are_mended_across_the_seam(self, octets: bytes, where: list[float], piece: int) -> None:
        cuts = sorted(int(share * len(octets)) for share in where)
        self.assertEqual(self.delivered(octets, cuts, piece).heard, undisturbed(octets))

    def test_at_every_octet(self) -> None:
        octets = b".\r\n..a\n.\n.b\r\r\n.\r\n\r\n" + b"x" * 270 + b"\r\n.\r\nend."
        for cut in range(len(octets) + 1):
            self.assertEqual(self.delivered(octets, [cut], 1 << 20).heard, undisturbed(octets), cut)

    def test_the_client_paces_the_new_connection_too(self) -> None:
        client = self.delivered(b"x" * 3000, [1000, 2000], 500)
        self.assertEqual(len({id(flow) for flow in client.flows}), 3)
