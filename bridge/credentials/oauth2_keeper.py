"""The access token of one grant, for all sessions that need it: renewed ahead of its end, by one request at a time.

It lives in memory only. Whoever waits may leave; the request goes on, for its answer may hold what must be stored.
"""

from collections.abc import Awaitable, Callable

from attrs import frozen
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime

from bridge.credentials.oauth2_answers import Tokens
from bridge.credentials.oauth2_client import NoTokens
from bridge.credentials.oauth2_renewal import ConsentNeeded
from bridge.maildrop.errors import Trouble, UpstreamUnavailable, UpstreamUnsuitable
from bridge.secret import Secret

PRESUMED = 3600.0
"""Seconds that a token is taken to live where the server does not say."""

RENEWED_AT = 0.8
"""Of its life, after which a token is renewed by the next who needs one, give or take JITTER."""

JITTER = 0.05

SPARE = 60.0
"""Seconds before its end, or a tenth of its life where that is less, from which on nobody gets it any more."""

FIRST_REST = 1.0
LONGEST_REST = 600.0

FRESH = 30.0
"""Seconds after a token was thrown away in which no other is: upstream would refuse each of them."""


@frozen
class _Held:
    secret: Secret
    renewed_from: float
    until: float


class Keeper:
    """`random` gives numbers from 0 up to 1. `delayed` is told why a renewal failed, and how long none is tried."""

    def __init__(
        self,
        name: str,
        renew: Callable[[], Awaitable[Tokens]],
        clock: IReactorTime,
        random: Callable[[], float],
        delayed: Callable[[str, float], None],
    ) -> None:
        self._name = name
        self._renew = renew
        self._clock = clock
        self._random = random
        self._delayed = delayed
        self._held: _Held | None = None
        self._thrown: float | None = None
        self._waiting: list[Deferred[Secret]] | None = None
        self._idle: list[Deferred[None]] = []
        self._rest = FIRST_REST
        self._not_before = 0.0
        self._reason = ""

    def token(self) -> "Deferred[Secret]":
        """One that is good for a while. Fails with a Trouble; cancelling leaves the others alone."""
        now = self._clock.seconds()
        held = self._held
        if held is not None and now < held.until:
            if now >= held.renewed_from and now >= self._not_before and self._waiting is None:
                self._begin([])
            return succeed(held.secret)
        if self._waiting is None and now < self._not_before:
            return fail(self._resting())
        waiter: Deferred[Secret] = Deferred()
        if self._waiting is None:
            self._begin([waiter])
        else:
            self._waiting.append(waiter)
        return waiter

    def refused(self, token: Secret) -> bool:
        """Upstream did not take it: it is thrown away. False where it came in place of one that went the same way."""
        if self._held is None or self._held.secret != token:
            return True
        now = self._clock.seconds()
        if self._thrown is not None and now - self._thrown < FRESH:
            return False
        self._held, self._thrown = None, now
        return True

    def settled(self) -> "Deferred[None]":
        """Fires when no request is under way."""
        if self._waiting is None:
            return succeed(None)
        idle: Deferred[None] = Deferred()
        self._idle.append(idle)
        return idle

    def _begin(self, waiting: "list[Deferred[Secret]]") -> None:
        """The one request that is under way."""
        self._waiting = waiting
        Deferred.fromCoroutine(self._renewed()).addBoth(self._tell)

    async def _renewed(self) -> Secret:
        try:
            tokens = await self._renew()
        except ConsentNeeded as needed:
            raise UpstreamUnsuitable(
                f"{self._name}: the provider wants consent for this mailbox; "
                f"the bridge's owner has to run: popbridge authorise {self._name}",
                detail=str(needed),
            ) from None
        except NoTokens as none:
            self._failed(str(none), none.retry_after)
            raise self._resting() from None
        except Trouble:
            raise  # a secret or the vault: nobody elsewhere was asked
        except Exception as error:
            self._failed(type(error).__name__, None)
            raise
        self._rest, self._not_before = FIRST_REST, 0.0
        self._held = self._kept(tokens)
        return tokens.access

    def _kept(self, tokens: Tokens) -> _Held:
        now = self._clock.seconds()
        life = PRESUMED if tokens.lifetime is None else tokens.lifetime
        share = RENEWED_AT + JITTER * (2 * self._random() - 1)
        return _Held(tokens.access, now + life * share, now + life - min(SPARE, life / 10))

    def _failed(self, reason: str, retry_after: float | None) -> None:
        """No other request for a while, twice as long after each failure; a fifth up or down by chance."""
        rest = max(self._rest * (0.8 + 0.4 * self._random()), retry_after or 0.0)
        self._rest = min(2 * self._rest, LONGEST_REST)
        self._not_before, self._reason = self._clock.seconds() + rest, reason
        self._delayed(reason, rest)

    def _resting(self) -> Trouble:
        return UpstreamUnavailable(
            f"{self._name}: no access token can be had now; try again later", detail=self._reason
        )

    def _tell(self, result: object) -> None:
        """To all at once; each may have left, and may ask again at once."""
        waiting, self._waiting = self._waiting or [], None
        for waiter in waiting:
            if not waiter.called:
                waiter.callback(result)  # type: ignore[arg-type]  # a Failure becomes one here too
        idle, self._idle = self._idle, []
        for one in idle:
            one.callback(None)
