"""A vault in memory: it holds secrets until it is known whether they are worth a file. Nothing outlives the process."""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred, succeed

from bridge.credentials.vault import check
from bridge.secret import Secret


@define
class MemoryVault:
    seconds: Callable[[], float] = lambda: 0.0
    kept: dict[str, tuple[Secret, float]] = field(factory=dict)

    def get(self, name: str) -> "Deferred[Secret | None]":
        return succeed(self.kept[name][0] if name in self.kept else None)

    def put(self, name: str, secret: Secret) -> "Deferred[None]":
        check(name, secret)
        self.kept[name] = secret, self.seconds()
        return succeed(None)

    def remove(self, name: str) -> "Deferred[bool]":
        return succeed(self.kept.pop(name, None) is not None)

    def dates(self) -> "Deferred[dict[str, float]]":
        return succeed({name: put for name, (_, put) in self.kept.items()})

    def names(self) -> "Deferred[list[str]]":
        return self.dates().addCallback(sorted)
