"""Servers that asked to be left alone for a while are: no new connection is opened there for that login until then."""

from collections.abc import Callable

from attrs import define, field

from bridge.maildrop.errors import UpstreamUnavailable

MOST = 10_000
"""Logins remembered so; beyond it those that have waited go."""


@define
class Rests:
    seconds: Callable[[], float]
    _until: dict[str, float] = field(factory=dict, init=False)

    def begin(self, whose: str, seconds: float) -> None:
        now = self.seconds()
        if len(self._until) >= MOST:
            self._until = {one: until for one, until in self._until.items() if until > now}
        if len(self._until) < MOST:
            self._until[whose] = max(now + seconds, self._until.get(whose, 0.0))

    def check(self, whose: str) -> None:
        """Raises UpstreamUnavailable while it lasts."""
        left = self._until.get(whose, 0.0) - self.seconds()
        if left > 0:
            raise UpstreamUnavailable(f"upstream wants to be left alone for {left:.0f} seconds more")
        self._until.pop(whose, None)
