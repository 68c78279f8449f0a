"""One session's hold on several mailboxes, which to the session is a hold on one."""

from collections.abc import Callable, Iterable, Sequence

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults

from bridge.maildrop.gathered import Gathered
from bridge.maildrop.merge import Order
from bridge.maildrop.readahead import Way
from bridge.maildrop.source import Held, Sink
from bridge.names import MessageNumber
from bridge.postoffice.deletions import Outcome
from bridge.postoffice.visit import Visit


@define(eq=False)
class Gathering:
    """A Visit to whoever reads, marks and leaves. `visits` in the order of the sources, as in `order`."""

    visits: Sequence[Visit]
    _order: Order
    maildrop: Gathered = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.maildrop = Gathered([visit.maildrop for visit in self.visits], self._order)

    @property
    def user(self) -> str:
        return self.visits[0].user

    def upstream(self, number: MessageNumber) -> str:
        visit, there = self._at(number)
        return visit.upstream(there)

    def read_ahead(
        self, number: MessageNumber, way: Way, pipelined: Callable[[], Iterable[MessageNumber]]
    ) -> Held | None:
        """Each mailbox is walked through by itself: of what is pipelined it hears what is its own."""
        source, there = self.maildrop.at(number)
        return self.visits[source].read_ahead(there, way, lambda: self.maildrop.numbers_in(source, pipelined()))

    async def stream(self, number: MessageNumber, sink: Sink) -> None:
        visit, there = self._at(number)
        await visit.stream(there, sink)

    async def top(self, number: MessageNumber, sink: Sink) -> None:
        visit, there = self._at(number)
        await visit.top(there, sink)

    def topped(self, octets: int) -> None:
        for visit in self.visits:
            visit.topped(octets)

    def delivered(self, number: MessageNumber, octets: int, *, by_top: bool) -> None:
        visit, there = self._at(number)
        visit.delivered(there, octets, by_top=by_top)

    def has_work(self, marked: Sequence[int]) -> bool:
        return bool(marked) or any(visit.has_work(()) for visit in self.visits)

    async def quit(self, marked: Sequence[int]) -> Outcome:  # noqa: ARG002  each mailbox has its own marks
        """Side by side, so that it takes as long as the slowest; never raises a Trouble."""
        visits = [visit for visit in self.visits if visit.has_work(visit.maildrop.marked())]
        quitting = [Deferred.fromCoroutine(visit.quit(visit.maildrop.marked())) for visit in visits]
        return _sum(list(zip(visits, await gatherResults(quitting), strict=True)))

    def leave(self) -> None:
        for visit in self.visits:
            visit.leave()

    def abandon(self) -> None:
        for visit in self.visits:
            visit.abandon()

    def _at(self, number: MessageNumber) -> tuple[Visit, MessageNumber]:
        source, there = self.maildrop.at(number)
        return self.visits[source], there


def _sum(outcomes: Sequence[tuple[Visit, Outcome]]) -> Outcome:
    """What was not deleted, and of which sources; it may pass only where all of it may."""
    refused = [(visit, outcome) for visit, outcome in outcomes if outcome.refused]
    return Outcome(
        asked=sum(outcome.asked for _, outcome in outcomes),
        done=sum(outcome.done for _, outcome in outcomes),
        promised=sum(outcome.promised for _, outcome in outcomes),
        why_not="; ".join(f"{visit.account.label}: {outcome.why_not}" for visit, outcome in refused),
        temporary=all(outcome.temporary for _, outcome in refused),
        detail=next((outcome.detail for _, outcome in refused if outcome.detail), ""),
        certain=all(outcome.certain for _, outcome in outcomes),
    )
