"""The table of what is measured: names, rows, what is owed, and how each figure is taken.

Targets that speak of round trips allow OWN milliseconds besides for what is no round trip.
"""

from collections.abc import Iterator

from attrs import frozen

from bench.exercises import Exercise, deletion, first_listing, first_octet, listings, polls, single_polls, walk
from bench.mailboxes import BIG, HUGE, MIXED, SMALL, TOP_LINES
from bench.memory import idle, slow, stalled
from bench.peers import KINDS, Kind, Link
from bench.results import AtMost, Row, Times

OWN = 10
PLAIN = Link()
_DEEP = 100  # commands under way where they are pipelined

RETR = ("RETR %d",)
HEADER = ("TOP %d 0",)
TOP = (f"TOP %d {TOP_LINES}",)
FETCHMAIL = ("LIST %d", "TOP %d 99999999")


@frozen
class Measure:
    name: str
    section: str
    exercise: Exercise
    rows: tuple[Row, ...]
    link: Link = PLAIN
    kinds: tuple[Kind, ...] = KINDS
    rounds: int | None = None
    """At most so many, whatever the run has."""
    only_once: tuple[Kind, ...] = ()
    """Those that take part in the first round alone, since it takes them minutes."""
    quick: bool = True
    """Whether `--quick` has it."""
    note: str = ""


def _rate(title: str, factor: float) -> tuple[Row, ...]:
    return (Row("messages/s", title, "messages/s", "more", Times(factor)),)


def _milliseconds(title: str, target: Times | AtMost, figure: str = "ms") -> Row:
    return Row(figure, title, "ms", "less", target)


def _without_delay(link: Link, suffix: str) -> Iterator[Measure]:
    """All that is measured on one machine, in clear and with TLS alike."""
    section = "With TLS on both sides" if link.tls else "No delay"
    yield Measure(
        f"listing-big{suffix}",
        section,
        listings(BIG),
        (
            _milliseconds("100,000 messages: to the end of UIDL, first time", Times(8), "first"),
            _milliseconds("the same, restarted, nothing new", Times(2), "restarted"),
            _milliseconds("the same, once more", Times(4), "warm"),
        ),
        link,
    )
    yield Measure(f"poll{suffix}", section, polls(1, 2), (_milliseconds("poll, 1 client, p50", Times(2), "p50"),), link)
    for clients in (50, 200):
        yield Measure(
            f"poll-{clients}{suffix}",
            section,
            polls(clients, 3),
            (
                Row("sessions/s", f"polls, {clients} clients", "polls/s", "more", Times(2)),
                _milliseconds(f"polls, {clients} clients, p99", Times(1), "p99"),
            ),
            link,
        )
    for name, title, exercise, factor in (
        ("retr-small", "RETR 1,000 × 4 KB", walk(SMALL, RETR, "retr"), 1.5),
        ("retr-small-pipelined", "the same, pipelined", walk(SMALL, RETR, "retr", _DEEP), 2.5),
        ("retr-mixed", "RETR 10,000 mixed", walk(MIXED, RETR, "retr"), 1.3),
        ("retr-mixed-pipelined", "the same, pipelined", walk(MIXED, RETR, "retr", _DEEP), 1.8),
    ):
        yield Measure(name + suffix, section, exercise, _rate(title, factor), link)
    yield Measure(
        f"retr-huge{suffix}",
        section,
        walk(HUGE, RETR, "retr"),
        (
            Row("MB/s", "RETR 20 × 25 MB", "MB/s", "more", Times(1.2)),
            Row("CPU s/GB", "the same, CPU of the front", "s/GB", "less", Times(1)),
        ),
        link,
    )
    yield Measure(
        f"first-octet{suffix}",
        section,
        first_octet(),
        (_milliseconds("RETR 25 MB, to the first octet", Times(10)),),
        link,
    )
    yield Measure(f"top-huge{suffix}", section, walk(HUGE, HEADER, "headers"), _rate("TOP n 0 of 25 MB", 50), link)
    for name, title, exercise, factor in (
        ("top", "TOP n 0 of 4 KB", walk(SMALL, HEADER, "headers"), 1.5),
        ("top-pipelined", "the same, pipelined", walk(SMALL, HEADER, "headers", _DEEP), 4),
        ("top-20", f"TOP n {TOP_LINES} of 4 KB", walk(SMALL, TOP, "tops"), 1.5),
        ("top-20-pipelined", "the same, pipelined", walk(SMALL, TOP, "tops", _DEEP), 4),
        ("fetchmail", "LIST n, TOP n 99999999 of 4 KB", walk(SMALL, FETCHMAIL, "retr"), 1.5),
    ):
        yield Measure(name + suffix, section, exercise, _rate(title, factor), link)
    yield Measure(f"delete{suffix}", section, deletion(), (_milliseconds("DELE 1,000, QUIT", Times(1)),), link)
    yield Measure(
        f"delete-pipelined{suffix}", section, deletion(_DEEP), (_milliseconds("the same, pipelined", Times(1)),), link
    )
    yield Measure(
        f"memory-stalled{suffix}",
        section,
        stalled(10),
        (Row("MB", "memory of a reader that stalls in 25 MB", "MB", "less", AtMost(1)),),
        link,
        rounds=3,
    )
    yield Measure(
        f"memory-idle{suffix}",
        section,
        idle(200),
        (Row("kB", "memory of an idle session", "kB", "less", AtMost(130 if link.tls else 60)),),
        link,
        rounds=3,
    )
    yield Measure(
        f"memory-slow{suffix}",
        section,
        slow(200, 20, 200_000),
        (Row("MB", "memory of 200 slow readers of 25 MB, in all", "MB", "less", AtMost(150)),),
        link,
        kinds=("popbridge",),
        rounds=1,
        note="Dovecot holds whole messages: it would need 12 GB, and is not asked.",
    )


def _with_delay(delay: int, factor: float) -> Iterator[Measure]:
    """What a way of so many milliseconds, there and back, makes of it."""
    link, without_idle, with_tls = Link(delay), Link(delay, idle=False), Link(delay, tls=True)
    suffix = f"-{delay}ms"
    section = f"{delay} ms to the IMAP server and back"
    both: tuple[Kind, ...] = ("imapc", "popbridge")
    yield Measure(
        f"listing{suffix}",
        section,
        first_listing(SMALL),
        (
            _milliseconds("1,000 messages: to the end of UIDL, first time", AtMost(5 * delay)),
            _turns("the same"),
        ),
        link,
        both,
        only_once=("imapc",),
        quick=delay < 50,
        note="imapc: one round, because it asks for one message after the other.",
    )
    for name, title, exercise, times in (
        ("retr", "RETR 4 KB", walk(SMALL, RETR, "retr", seconds=_SOME), factor),
        ("retr-pipelined", "the same, pipelined", walk(SMALL, RETR, "retr", _DEEP, _SOME), factor),
        ("retr-mixed", "RETR mixed", walk(MIXED, RETR, "retr", seconds=_SOME), factor * 2 / 3),
        ("fetchmail", "LIST n, TOP n 99999999 of 4 KB", walk(SMALL, FETCHMAIL, "retr", seconds=_SOME), factor),
    ):
        yield Measure(name + suffix, section, exercise, _rate(title, times), link, both)
    yield Measure(
        f"first-octet{suffix}",
        section,
        first_octet(),
        (_milliseconds("RETR 25 MB, to the first octet", AtMost(1.2 * delay)),),
        link,
        both,
    )
    yield Measure(
        f"poll-noop{suffix}",
        section,
        single_polls(3),
        (_milliseconds("poll after a poll, no IDLE", AtMost(delay + OWN), "p50"), _turns("the same")),
        without_idle,
        both,
    )
    yield Measure(
        f"poll-idle{suffix}",
        section,
        single_polls(1, _QUIET),
        (_milliseconds("poll some seconds after a poll, IDLE", AtMost(OWN), "p50"), _turns("the same")),
        link,
        both,
    )
    for name, title, way, round_trips in (
        (f"poll-first{suffix}", "poll after a restart", link, 4),
        (f"poll-first{suffix}-tls", "the same with TLS", with_tls, 5),
    ):
        yield Measure(
            name,
            section,
            single_polls(1, restarted=True),
            (_milliseconds(title, AtMost(round_trips * delay + OWN), "p50"), _turns("the same")),
            way,
            both,
        )


def _turns(title: str) -> Row:
    return Row("turns", f"{title}, turns of the IMAP dialogue", "", "less")


_SOME = 3  # seconds
_QUIET = 3  # seconds

MEASURES: tuple[Measure, ...] = (
    *_without_delay(PLAIN, ""),
    *_with_delay(20, 20),
    *_with_delay(100, 60),
    *_without_delay(Link(tls=True), "-tls"),
)
