"""How the figures are taken: each exercise is done to one front once a round, and gives some figures by name."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Literal

from attrs import evolve, frozen

from bench import load
from bench.delay import Counts, Relay
from bench.mailboxes import EMPTY, HUGE, SMALL, Expected, Mail, Piece
from bench.peers import DovecotFront, Front, Kind, Link
from bench.poll import poll
from bench.stage import Filled, Stage
from bench.wire import PATIENCE, WrongDataError

Figures = dict[str, float]
BUSY = "busy"
"""The figure that every exercise with a client of its own process gives besides."""
_POLLED = 100  # messages of each polled mailbox
_QUIET = 0.5  # seconds without work, after which a front has settled
_TICK = 0.01  # seconds in which the system counts, and which any process may use


@frozen
class Exercise:
    take: Callable[[Stage, Kind, Link], Figures]
    """One round's figures of one front."""
    prepare: Callable[[Stage, Kind, Link], object] = lambda *_: None
    """Before the first round: what a front knows of a mailbox after its first login is in no figure."""


def _pieces(which: Literal["retr", "headers", "tops"], expected: Expected) -> Sequence[Piece]:
    match which:
        case "retr":
            return expected.retr
        case "headers":
            return expected.headers
        case "tops":
            return expected.tops


def walk(
    mail: Mail,
    commands: tuple[str, ...],
    which: Literal["retr", "headers", "tops"],
    under_way: int = 1,
    seconds: float = PATIENCE,
) -> Exercise:
    """Message by message in one session, to the last or for so long.

    Figures: messages/s, MB/s; CPU s/GB and ms/message of the front's processes; the part of the time in which the relay
    had the processor.
    """

    def take(stage: Stage, kind: Kind, link: Link) -> Figures:
        filled, front = stage.filled(mail), stage.front(kind, link)
        pieces = _pieces(which, filled.expected)
        way = stage.relay(link)
        relayed = way.cpu() if way else 0.0
        cpu = front.cpu()
        timed = stage.loader.run(load.walk, front.door, filled.account, commands, pieces, under_way, seconds)
        cpu = front.cpu() - cpu
        return {
            "messages/s": timed.count / timed.seconds,
            "MB/s": timed.octets / timed.seconds / 1e6,
            "CPU s/GB": cpu / timed.octets * 1e9,
            "CPU ms/message": cpu / timed.count * 1000,
            "relay busy": (way.cpu() - relayed) / timed.seconds if way else 0.0,
            BUSY: timed.busy,
        }

    return Exercise(take, lambda stage, kind, link: _learn(stage, kind, link, [stage.filled(mail)]))


def _learn(stage: Stage, kind: Kind, link: Link, several: Sequence[Filled]) -> None:
    """Lets a front list mailboxes for the first time, and finish what it does behind that."""
    front = stage.front(kind, link)
    for filled in several:
        if kind == "imapc" and link.delay:  # a round trip a message: it is told what another one has learned
            teacher = stage.front(kind, evolve(link, delay=0, idle=True))
            _list(stage, teacher, filled)
            assert isinstance(front, DovecotFront)
            assert isinstance(teacher, DovecotFront)
            front.adopt(teacher, filled.account.user)
        _list(stage, front, filled)
    settle(stage, front, link)


def _list(stage: Stage, front: Front, filled: Filled) -> load.Timed:
    return stage.loader.run(load.list_all, front.door, filled.account, filled.count)


def _wake(stage: Stage, front: Front) -> None:
    """What a process does once, at its first login, is in no figure."""
    _list(stage, front, stage.filled(EMPTY))


def settle(stage: Stage, front: Front, link: Link) -> float:
    """Waits until it does nothing any more: Popbridge learns header fields behind the first QUIT. Seconds it took."""
    way = stage.relay(link)
    began = quiet_from = time.monotonic()
    cpu, counts = front.cpu(), _counted(way)
    while time.monotonic() - quiet_from < _QUIET:
        if time.monotonic() - began > PATIENCE:
            raise WrongDataError("it works on and on")
        time.sleep(_QUIET / 10)  # noqa: TID251  # what it waits for is another process
        if front.cpu() - cpu > _TICK or _counted(way) != counts:
            cpu, counts, quiet_from = front.cpu(), _counted(way), time.monotonic()
    return quiet_from - began


def _counted(way: Relay | None) -> Counts:
    return way.counts() if way else Counts()


def first_listing(mail: Mail) -> Exercise:
    """To a front that knows nothing yet. Figures: ms from connecting to the end of UIDL; times it spoke to the IMAP
    server after having heard it, if there is a relay to count them.
    """

    def take(stage: Stage, kind: Kind, link: Link) -> Figures:
        filled, way = stage.filled(mail), stage.relay(link)
        with stage.new_front(kind, link) as front:
            _wake(stage, front)
            before = _counted(way)
            timed = _list(stage, front, filled)
            turns = _counted(way).since(before).turns
        return {"ms": timed.seconds * 1000, "turns": turns, BUSY: timed.busy}

    return Exercise(take)


def listings(mail: Mail) -> Exercise:
    """Figures, in ms from connecting to the end of UIDL: first (nothing is known), restarted (what was learned is on
    disk, nothing is new), warm (once more); s for which the front goes on working after the first session.
    """

    def take(stage: Stage, kind: Kind, link: Link) -> Figures:
        filled = stage.filled(mail)
        if kind == "native":
            stage.forget_sizes(filled.account.user)
        with stage.new_front(kind, link) as front:
            _wake(stage, front)
            first = _list(stage, front, filled)
            behind = settle(stage, front, link)
            front.restart()
            _wake(stage, front)
            restarted = _list(stage, front, filled)
            settle(stage, front, link)
            warm = _list(stage, front, filled)
        if kind == "native":
            stage.note_sizes(filled.account.user)
        return {
            "first": first.seconds * 1000,
            "restarted": restarted.seconds * 1000,
            "warm": warm.seconds * 1000,
            "s behind the first": behind,
            BUSY: max(first.busy, restarted.busy, warm.busy),
        }

    return Exercise(take)


def polls(clients: int, seconds: float) -> Exercise:
    """So many clients at once, each of its own user.

    Figures: sessions/s; p50 and p99 in ms; CPU ms/session of the front's processes.
    """

    def take(stage: Stage, kind: Kind, link: Link) -> Figures:
        front = stage.front(kind, link)
        accounts = [filled.account for filled in stage.polled(clients)]
        cpu = front.cpu()
        polled = stage.loader.run(poll, front.door, accounts, _POLLED, seconds)
        cpu = front.cpu() - cpu
        return {
            "sessions/s": len(polled.sessions) / polled.seconds,
            "p50": statistics.median(polled.sessions) * 1000,
            "p99": sorted(polled.sessions)[len(polled.sessions) * 99 // 100] * 1000,
            "CPU ms/session": cpu / polled.begun * 1000,
            BUSY: polled.busy,
        }

    def prepare(stage: Stage, kind: Kind, link: Link) -> None:
        _learn(stage, kind, link, stage.polled(clients))

    return Exercise(take, prepare)


def single_polls(sessions: int, pause: float = 0, *, restarted: bool = False) -> Exercise:
    """One client, so many sessions with a pause before each; `restarted`: the front, too, so that nothing is open yet.

    Figures: p50 in ms; turns, as of `first_listing`, a session.
    """

    def take(stage: Stage, kind: Kind, link: Link) -> Figures:
        front, way, [filled] = stage.front(kind, link), stage.relay(link), stage.polled(1)
        took: list[float] = []
        busy: list[float] = []
        turns = 0
        for _ in range(sessions):
            if restarted:
                front.restart()
                _wake(stage, front)
            time.sleep(pause)  # noqa: TID251  # the pause of a mail program
            before = _counted(way)
            polled = stage.loader.run(poll, front.door, [filled.account], _POLLED)
            turns += _counted(way).since(before).turns
            took.extend(polled.sessions)
            busy.append(polled.busy)
        return {"p50": statistics.median(took) * 1000, "turns": turns / sessions, BUSY: statistics.median(busy)}

    return Exercise(take, lambda stage, kind, link: _learn(stage, kind, link, stage.polled(1)))


def first_octet(number: int = 1) -> Exercise:
    """Figure: ms from RETR of a huge message to the first octet of its reply."""

    def take(stage: Stage, kind: Kind, link: Link) -> Figures:
        filled, front = stage.filled(HUGE), stage.front(kind, link)
        piece = filled.expected.retr[number - 1]
        timed = stage.loader.run(load.first_octet, front.door, filled.account, number, piece)
        return {"ms": timed.seconds * 1000, BUSY: timed.busy}

    return Exercise(take, lambda stage, kind, link: _learn(stage, kind, link, [stage.filled(HUGE)]))


def deletion(under_way: int = 1) -> Exercise:
    """Figure: ms from the first DELE to the reply to QUIT, of a mailbox of 1,000 that the front has listed before."""

    def take(stage: Stage, kind: Kind, link: Link) -> Figures:
        filled, front = stage.once(SMALL), stage.front(kind, link)
        _list(stage, front, filled)
        settle(stage, front, link)
        timed = stage.loader.run(load.delete_all, front.door, filled.account, filled.count, under_way)
        stage.until_deleted(filled.account.user)
        return {"ms": timed.seconds * 1000, BUSY: timed.busy}

    return Exercise(take)
