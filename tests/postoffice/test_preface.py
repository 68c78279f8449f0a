"""A line of the bridge's own at the top of a message, and the message behind it untouched."""

from bridge.maildrop.source import Held
from bridge.postoffice.preface import Prefaced, origin_line, prefaced
from tests.contracts.fake_source import FakeFlow
from tests.upstream.session import Taken


def test_the_line_names_the_source() -> None:
    assert origin_line("X-Source", "work") == b"X-Source: work\r\n"


def test_what_was_read_ahead_has_it_too() -> None:
    assert prefaced(Held(b"abc", whole=True), b"X: y\r\n") == Held(b"X: y\r\nabc", whole=True)
    assert prefaced(Held(b"abc", whole=False), b"") == Held(b"abc", whole=False)
    assert prefaced(None, b"X: y\r\n") is None


def test_it_comes_first_and_once_also_when_the_message_goes_on_elsewhere() -> None:
    taken = Taken()
    sink = Prefaced(taken, b"X: y\r\n")
    sink.begin(FakeFlow())
    sink.write(b"one")
    sink.begin(FakeFlow())
    sink.write(b"two")

    assert taken.octets == b"X: y\r\nonetwo"
    assert sink.satisfied is taken.satisfied
