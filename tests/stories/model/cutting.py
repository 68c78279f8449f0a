"""A POP3 session whose upstream fails once, at one exchange, and what a session after it must find (S6, S14-S17)."""

import contextlib
import os
from collections.abc import Iterator
from signal import SIGKILL
from threading import Event
from time import monotonic

from attrs import evolve, field, frozen

from tests.peers.relay import Fault, Relay
from tests.stories.model.letters import Letter
from tests.stories.model.stage import Stage, Visit, stage
from tests.stories.model.truth import DELETED, Broken, Row
from tests.stories.model.world import World
from tests.stories.pop3 import Gone, Refused

TIMEOUTS = 'upstream_silence = "0.4s"\ngreeting = "0.4s"\nquit_wait = "0.5s"\nlogin_wait = "5s"'
FLAGS: tuple[frozenset[str], ...] = (frozenset({r"\Seen"}), frozenset(), frozenset(), frozenset({DELETED, "Later"}))
"""Of the messages; the fourth is another user's to expunge or not."""
MARKED = (1, 3)
_SOON = 15.0


@frozen
class Cut:
    """Where and how; `first`: nothing is remembered of the mailbox yet."""

    policy: str
    first: bool
    exchange: int
    verb: str
    fault: Fault | None

    def __str__(self) -> str:
        how = self.fault.name if self.fault is not None else "no fault"
        return f"{self.policy}, {'first' if self.first else 'second'} login, {self.exchange} {self.verb}: {how}"


@frozen
class Came:
    """What the client of the session that was cut was told."""

    login: str = ""
    retrieved: int = 0
    quit: str = ""
    exchanges: list[str] = field(factory=list, repr=False)


def _prepare(made: Stage, cut: Cut) -> None:
    for flags in FLAGS:
        made.post(made.new_letter(size=0, date=0, with_id=True), flags)
    if not cut.first:
        made.leave(made.enter(retrieve_all=True))


def tried(world: World, way: str, relay: Relay, cut: Cut, *, crash: bool = False) -> Came:
    """The session with the cut, and those behind it; `crash`: the bridge is killed in that moment. Raises Broken."""
    made = stage(world, cut.policy, way)
    try:
        _prepare(made, cut)
        _quiet(relay)
        if cut.fault is None:
            relay.reset()
        else:
            pid = world.bridge.pid
            relay.fail_at(cut.exchange, cut.fault, (lambda: os.kill(pid, SIGKILL)) if crash else None)
        came = _session(made, mortal=crash)
        assert cut.fault is None or relay.fired(2.0), f"never reached: {relay.exchanges}"
        if crash:
            made.kill()
        if cut.fault is None:
            _quiet(relay)
        exchanges = relay.exchanges
        _afterwards(made, came)
        return evolve(came, exchanges=exchanges)
    except (Broken, Refused, AssertionError, OSError) as broken:
        raise Broken(f"{cut}: {broken}") from broken
    finally:
        made.close()


def _quiet(relay: Relay) -> None:
    deadline = monotonic() + _SOON
    while relay.connections:
        if monotonic() > deadline:
            raise Broken("the session before does not leave upstream")
        Event().wait(0.002)


def _session(made: Stage, *, mortal: bool) -> Came:
    try:
        client = made.world.session(made.policy, made.mailbox, made.way, made.address)
    except Gone:
        if not mortal:
            raise Broken("the bridge hangs up instead of answering a login") from None
        return Came()
    except Refused as refusal:
        if "[SYS/" not in str(refusal) and "[AUTH]" not in str(refusal):
            raise Broken(f"the login is answered {refusal}") from None
        return Came(str(refusal))
    visit = Visit(client, [])
    made.visits.append(visit)
    retrieved, line = 0, ""
    with _going(made, visit, mortal=mortal):
        uidls, sizes = client.uidls(), client.sizes()
        unknown = made.truth.unknown(uidls.values())
        shown = _in_order(made)
        rows = [
            # What these are is seen in the session behind this one.
            Row(uidl, sizes[n], shown[n - 1].octets if uidl in unknown and n <= len(shown) else None)
            for n, uidl in uidls.items()
        ]
        visit.copies = made.truth.listed(rows)
        for number in (1, 2, 3):  # the third is read ahead
            retrieved += _retrieved(visit, number)
        for number in MARKED:
            client.do(f"DELE {number}")
            visit.marks.add(number)
        made.truth.quit_begun(visit.marked(), promised=False, replaced=False)
        line = client.ask("QUIT").decode()
        if not line.startswith(("+OK", "-ERR [SYS/")):
            raise Broken(f"QUIT is answered {line}")
        made.truth.quit_begun(visit.marked(), promised=line.startswith("+OK"), replaced=False)
    return Came("+OK", retrieved, line)


def _in_order(made: Stage) -> list[Letter]:
    return [copy.letter for copy in made.truth.copies.values() if DELETED not in copy.flags]


@contextlib.contextmanager
def _going(made: Stage, visit: Visit, *, mortal: bool) -> Iterator[None]:
    """A session that the bridge ends in the middle of a message; nowhere else may it do so and live."""
    try:
        yield
    except Gone as gone:
        if not gone.octets and not mortal:
            raise Broken(f"the bridge hangs up instead of answering: {gone}") from None
    made.gone(visit)


def _retrieved(visit: Visit, number: int) -> bool:
    line = visit.client.ask(f"RETR {number}")
    if not line.startswith(b"+OK"):
        if b"[SYS/TEMP]" not in line:
            raise Broken(f"RETR {number} is answered {line!r}, and the message is there")
        return False
    try:
        body = visit.client.body()
    except Gone as gone:
        octets = visit.copies[number - 1].letter.octets.replace(b"\r\n.", b"\r\n..")
        if not octets.startswith(gone.octets) or gone.octets.endswith(b"\r\n.\r\n"):
            raise Broken(f"before it hung up the bridge sent {gone.octets!r}") from None
        raise Gone(gone.octets or b"+OK") from None
    if body != visit.copies[number - 1].letter.octets:
        raise Broken(f"RETR {number} gave {body!r}")
    return True


def _afterwards(made: Stage, came: Came) -> None:
    """Two more sessions: the first carries out what waits, the second finds everything settled."""
    deadline = monotonic() + _SOON
    while True:
        try:
            visit = made.enter(retrieve_all=True)
            break
        except Refused as refusal:
            # A NO to LOGIN counts as a wrong password, and slows the next one.
            if "[AUTH]" not in came.login or monotonic() > deadline:
                raise Broken(f"the next login is refused: {refusal}") from None
    made.leave(visit)
    made.leave(made.enter(retrieve_all=False))
