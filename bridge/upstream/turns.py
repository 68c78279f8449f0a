"""Whose turn it is at a POP3 server, which opens a maildrop for one session at a time (RFC 1939, section 4).

Who has the password of the session that has the turn waits for it, and is told in the end that it is taken. Who has
another one has proved nothing: he is let pass, and upstream decides.
"""

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime

from bridge.maildrop.errors import MaildropInUse, UpstreamUnavailable
from bridge.secret import Secret

PATIENCE = 10.0
"""Seconds that a login waits for another session to end: one that is over may still have to hang up."""


@define(eq=False)
class Turn:
    """`verified`: upstream has taken this password."""

    _turns: "Turns"
    key: str
    secret: Secret
    verified: bool = False
    waiters: "list[Deferred[Turn]]" = field(factory=list)

    @property
    def wanted(self) -> bool:
        """Somebody waits for it."""
        return bool(self.waiters)

    def give_back(self) -> None:
        """To be called once."""
        self._turns.next(self)


class Turns:
    """Shared by all sessions."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._held: dict[str, list[Turn]] = {}

    async def take(self, key: str, secret: Secret) -> Turn:
        """Raises MaildropInUse; UpstreamUnavailable where nobody knows yet whether the password is right."""
        held = self._find(key, secret)
        if held is None:
            held = Turn(self, key, secret)
            self._held.setdefault(key, []).append(held)
            return held
        waiter: Deferred[Turn] = Deferred(held.waiters.remove)
        held.waiters.append(waiter)
        try:
            return await waiter.addTimeout(PATIENCE, self._clock)
        except TimedOut:
            now = self._find(key, secret)
            if now is not None and now.verified:
                raise MaildropInUse("another session has this mailbox open; try again when it has ended") from None
            raise UpstreamUnavailable("another login of this account is under way; try again later") from None

    def next(self, turn: Turn) -> None:
        """Whoever waits longest has it now."""
        held = self._held[turn.key]
        held.remove(turn)
        if turn.waiters:
            following = Turn(self, turn.key, turn.secret, waiters=turn.waiters)
            held.append(following)
            following.waiters.pop(0).callback(following)
        elif not held:
            del self._held[turn.key]

    def _find(self, key: str, secret: Secret) -> Turn | None:
        return next((turn for turn in self._held.get(key, ()) if turn.secret == secret), None)
