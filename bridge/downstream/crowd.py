"""How many logins of one address, and on one account, may be with upstream at the same time.

Failures are counted when upstream has answered; without this a thousand guesses sent at once would all get through
before the first of them counts (S23). Others wait for their place. Who has proven himself lately has many on his
account, which strangers cannot take, and needs none of his address.
"""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from attrs import frozen
from twisted.internet.defer import DeferredSemaphore

PER_ADDRESS = 20
PER_ACCOUNT = 4
PER_WELCOME_ACCOUNT = 20

_Key = tuple[str, bytes | str]


@frozen(eq=False)
class _Place(AbstractAsyncContextManager[None]):
    crowd: "Crowd"
    key: _Key
    most: int

    async def __aenter__(self) -> None:
        await self.crowd.enter(self.key, self.most)

    async def __aexit__(self, *_: object) -> None:
        self.crowd.leave(self.key)


class Crowd:
    def __init__(self) -> None:
        self._places: dict[_Key, DeferredSemaphore] = {}
        self._leaving: deque[_Key] = deque()

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

    def welcome_place(self, account: str) -> AbstractAsyncContextManager[None]:
        """The same for who has proven himself."""
        return self._one("welcome", account, PER_WELCOME_ACCOUNT)

    def _one(self, kind: str, name: bytes | str, most: int) -> "_Place":
        return _Place(self, (kind, name), most)

    async def enter(self, key: _Key, most: int) -> None:
        places = self._places.get(key)
        if places is None:
            places = self._places[key] = DeferredSemaphore(most)
        await places.acquire()

    def leave(self, key: _Key) -> None:
        """In a loop: who is let in may leave at once and let the next in, and a thousand such calls would nest."""
        self._leaving.append(key)
        if len(self._leaving) > 1:
            return
        while self._leaving:
            key = self._leaving[0]
            places = self._places[key]
            places.release()
            if places.tokens == places.limit:
                del self._places[key]
            self._leaving.popleft()
