"""The table of what is measured: names, rows, what is owed, and how each figure is taken.

What is owed in round trips allows OWN milliseconds besides, for what is no round trip.
"""

from collections.abc import Iterator

from attrs import evolve, frozen

from bench.exercises import Exercise, deletion, first_listing, first_octet, listings, polls, single_polls, walk
from bench.mailboxes import BIG, HUGE, MIXED, SMALL, TOP_LINES
from bench.memory import idle, slow, stalled
from bench.peers import KINDS, Kind, Link
from bench.results import AtMost, Row, Target, Times

OWN = 10
_DEEP = 100  # commands under way where they are pipelined
_SOME = 3  # seconds for a walk where a message takes a round trip
_QUIET = 3  # seconds after which a connection that is kept has come to rest

RETR = ("RETR %d",)
HEADER = ("TOP %d 0",)
TOP = (f"TOP %d {TOP_LINES}",)
FETCHMAIL = ("LIST %d", "TOP %d 99999999")

_FAR: tuple[Kind, ...] = ("imapc", "popbridge")  # no way of any length is before the native one


@frozen
class Measure:
    name: str
    section: str
    exercise: Exercise
    rows: tuple[Row, ...]
    link: Link
    kinds: tuple[Kind, ...] = KINDS
    rounds: int | None = None
    """At most so many, whatever the run has."""
    only_once: tuple[Kind, ...] = ()
    """Those that take part in the first round alone, since it takes them minutes."""
    quick: bool = True
    """Whether `--quick` has it."""
    note: str = ""


@frozen
class _Section:
    title: str
    suffix: str
    link: Link
    kinds: tuple[Kind, ...] = KINDS
    quick: bool = True

    def measure(self, name: str, exercise: Exercise, *rows: Row) -> Measure:
        return Measure(name + self.suffix, self.title, exercise, rows, self.link, self.kinds, quick=self.quick)

    def rate(self, name: str, title: str, exercise: Exercise, factor: float) -> Measure:
        return self.measure(name, exercise, Row("messages/s", title, "messages/s", "more", Times(factor)))

    def milliseconds(self, name: str, title: str, exercise: Exercise, target: Target) -> Measure:
        return self.measure(name, exercise, _milliseconds(title, target))


def _milliseconds(title: str, target: Target, figure: str = "ms") -> Row:
    return Row(figure, title, "ms", "less", target)


def _turns(title: str) -> Row:
    return Row("turns", f"{title}: turns of the IMAP dialogue", "", "less")


def _without_delay(section: _Section) -> Iterator[Measure]:
    """All that is measured on one machine, in clear and with TLS alike."""
    yield section.measure(
        "listing-big",
        listings(BIG),
        _milliseconds("100,000 messages: login to UIDL, first time", Times(8), "first"),
        _milliseconds("100,000 messages: the next time, restarted", Times(2), "restarted"),
        _milliseconds("100,000 messages: once more", Times(4), "warm"),
    )
    yield section.measure("poll", polls(1, 1), _milliseconds("poll, 1 client, p50", Times(2), "p50"))
    for clients in (50, 200):
        yield section.measure(
            f"poll-{clients}",
            polls(clients, 2),
            Row("sessions/s", f"poll, {clients} clients", "polls/s", "more", Times(2)),
            _milliseconds(f"poll, {clients} clients, p99", Times(1), "p99"),
        )
    retr, top, short = walk(SMALL, RETR, "retr"), walk(SMALL, HEADER, "headers"), walk(SMALL, TOP, "tops")
    yield section.rate("retr-small", "RETR 1,000 × 4 KB", retr, 1.5)
    yield section.rate("retr-small-pipelined", "RETR 1,000 × 4 KB, pipelined", walk(SMALL, RETR, "retr", _DEEP), 2.5)
    yield section.rate("retr-mixed", "RETR 10,000 mixed", walk(MIXED, RETR, "retr"), 1.3)
    yield section.rate("retr-mixed-pipelined", "RETR 10,000 mixed, pipelined", walk(MIXED, RETR, "retr", _DEEP), 1.8)
    yield section.measure(
        "retr-huge",
        walk(HUGE, RETR, "retr"),
        Row("MB/s", "RETR 20 × 25 MB", "MB/s", "more", Times(1.2)),
        Row("CPU s/GB", "RETR 20 × 25 MB: CPU of the front", "s/GB", "less", Times(1)),
    )
    yield section.milliseconds("first-octet", "RETR 25 MB, to the first octet", first_octet(), Times(10))
    yield section.rate("top-huge", "TOP n 0 of 25 MB", walk(HUGE, HEADER, "headers"), 50)
    yield section.rate("top", "TOP n 0 of 4 KB", top, 1.5)
    yield section.rate("top-pipelined", "TOP n 0 of 4 KB, pipelined", walk(SMALL, HEADER, "headers", _DEEP), 4)
    yield section.rate("top-20", f"TOP n {TOP_LINES} of 4 KB", short, 1.5)
    yield section.rate("top-20-pipelined", f"TOP n {TOP_LINES} of 4 KB, pipelined", walk(SMALL, TOP, "tops", _DEEP), 4)
    yield section.rate("fetchmail", "LIST n, TOP n 99999999 of 4 KB", walk(SMALL, FETCHMAIL, "retr"), 1.5)
    yield section.milliseconds("delete", "DELE 1,000, QUIT", deletion(), Times(1))
    yield section.milliseconds("delete-pipelined", "DELE 1,000 pipelined, QUIT", deletion(_DEEP), Times(1))
    yield section.measure(
        "memory-stalled", stalled(10), Row("MB", "memory of a reader that stalls in 25 MB", "MB", "less", AtMost(1))
    )
    yield section.measure(
        "memory-idle",
        idle(200),
        Row("kB", "memory of an idle session", "kB", "less", AtMost(60 + (2 * 35 if section.link.tls else 0))),
    )
    yield evolve(
        section.measure(
            "memory-slow",
            slow(200, 20, 200_000),
            Row("MB", "memory of all, with 200 slow readers of 25 MB", "MB", "less", AtMost(150)),
        ),
        kinds=("popbridge",),
        rounds=1,
        quick=False,
        note="200 slow readers: Dovecot, which holds whole messages, would need 12 GB, and is not asked.",
    )


def _with_delay(section: _Section, factor: float) -> Iterator[Measure]:
    """What a way of some milliseconds, there and back, makes of it."""
    delay = section.link.delay
    yield evolve(
        section.measure(
            "listing",
            first_listing(SMALL),
            _milliseconds("1,000 messages: login to UIDL, first time", AtMost(5 * delay)),
            _turns("1,000 messages, first time"),
        ),
        only_once=("imapc",),
        note="First time: imapc takes one round only, since it asks for one message after the other.",
    )
    for name, title, exercise in (
        ("retr", "RETR 4 KB", walk(SMALL, RETR, "retr", seconds=_SOME)),
        ("retr-pipelined", "RETR 4 KB, pipelined", walk(SMALL, RETR, "retr", _DEEP, _SOME)),
        ("fetchmail", "LIST n, TOP n 99999999 of 4 KB", walk(SMALL, FETCHMAIL, "retr", seconds=_SOME)),
    ):
        yield section.rate(name, title, exercise, factor)
    yield evolve(
        section.measure(
            "poll-noop",
            single_polls(3),
            _milliseconds("poll soon after another, IMAP server without IDLE", AtMost(delay + OWN), "p50"),
            _turns("poll soon after another"),
        ),
        link=evolve(section.link, idle=False),
    )


def _with_long_delay(section: _Section) -> Iterator[Measure]:
    """What only a long way shows clearly."""
    delay = section.link.delay
    yield section.rate("retr-mixed", "RETR mixed", walk(MIXED, RETR, "retr", seconds=_SOME), 40)
    yield section.milliseconds("first-octet", "RETR 25 MB, to the first octet", first_octet(), AtMost(1.2 * delay))
    yield section.measure(
        "poll-idle",
        single_polls(1, _QUIET),
        _milliseconds(f"poll {_QUIET} s after another, IMAP server with IDLE", AtMost(OWN), "p50"),
        _turns(f"poll {_QUIET} s after another"),
    )
    first = section.measure(
        "poll-first",
        single_polls(1, restarted=True),
        _milliseconds("poll after a restart", AtMost(4 * delay + OWN), "p50"),
        _turns("poll after a restart"),
    )
    yield first
    yield evolve(
        first,
        name=f"{first.name}-tls",
        link=evolve(section.link, tls=True),
        rows=(
            _milliseconds("poll after a restart, TLS", AtMost(5 * delay + OWN), "p50"),
            _turns("poll after a restart, TLS"),
        ),
    )


_PLAIN = _Section("No delay", "", Link())
_SHORT = _Section("20 ms to the IMAP server and back", "-20ms", Link(20), _FAR)
_LONG = _Section("100 ms to the IMAP server and back", "-100ms", Link(100), _FAR, quick=False)
_TLS = _Section("TLS on both sides", "-tls", Link(tls=True), quick=False)

MEASURES: tuple[Measure, ...] = (
    *_without_delay(_PLAIN),
    *_with_delay(_SHORT, 20),
    *_with_delay(_LONG, 60),
    *_with_long_delay(_LONG),
    *_without_delay(_TLS),
)
