"""How many logins of one address, and on one account, may be with upstream at the same time.

Failures are counted when upstream has answered; without this a thousand guesses sent at once would all get through
before the first of them counts (S23). Others wait for their place; who has proven himself lately needs none.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from twisted.internet.defer import DeferredSemaphore

PER_ADDRESS = 20
PER_ACCOUNT = 4


class Crowd:
    def __init__(self) -> None:
        self._places: dict[tuple[str, bytes | str], DeferredSemaphore] = {}

    @asynccontextmanager
    async def place(self, network: bytes, account: str) -> AsyncIterator[None]:
        """Held for as long as upstream is asked.

        The account's place comes first: who waits for it must not hold one of his address, or a single account whose
        upstream hangs would keep out everybody behind that address.
        """
        async with self._one("account", account, PER_ACCOUNT), self._one("address", network, PER_ADDRESS):
            yield

    def __len__(self) -> int:
        """How many addresses and accounts have somebody in here."""
        return len(self._places)

    @asynccontextmanager
    async def _one(self, kind: str, name: bytes | str, most: int) -> AsyncIterator[None]:
        places = self._places.setdefault((kind, name), DeferredSemaphore(most))
        await places.acquire()
        try:
            yield
        finally:
            places.release()
            if places.tokens == places.limit:
                del self._places[kind, name]
