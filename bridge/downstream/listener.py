"""Who may connect at all: one factory for all listeners, counting sessions in total and per address."""

from collections import Counter

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol

from bridge.downstream.address import host_of
from bridge.downstream.protocol import House, Listening, Session
from bridge.pop3.replies import ResponseCode, err


class Sessions:
    """All sessions of this process."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.open: set[Session] = set()
        self._per_address: Counter[str] = Counter()
        self._all_gone: Deferred[None] | None = None

    def room_for(self, address: str) -> bool:
        limits = self.house.limits
        return len(self.open) < limits.connections and self._per_address[address] < limits.connections_per_address

    def enter(self, session: Session, address: str) -> None:
        self.open.add(session)
        self._per_address[address] += 1

    def shut(self, how: str) -> "Deferred[None]":
        """Fires when the last session is gone."""
        for session in list(self.open):
            session.shut(how)
        self._all_gone = Deferred()
        self._tell_when_all_gone()
        return self._all_gone

    def _tell_when_all_gone(self) -> None:
        if not self.open and self._all_gone is not None and not self._all_gone.called:
            self._all_gone.callback(None)

    def leave(self, session: Session) -> None:
        self.open.discard(session)
        self._per_address[session.address] -= 1
        if self._per_address[session.address] <= 0:
            del self._per_address[session.address]
        self._tell_when_all_gone()


class Listener(Factory):
    """Makes the sessions of one listening port. A port may be bound before there is a house to let anybody into."""

    noisy = False

    def __init__(self, sessions: Sessions | None, listening: Listening) -> None:
        self._sessions = sessions
        self._listening = listening

    def let_into(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        assert addr is not None
        assert self._sessions is not None, "the reactor accepts nobody before the service has started"
        address = host_of(addr)
        if not self._sessions.room_for(address):
            return TurnedAway(in_words=not self._listening.implicit)
        session = Session(self._sessions.house, self._listening, self._sessions.leave)
        self._sessions.enter(session, address)
        return session


class TurnedAway(Protocol):
    """One connection too many. Where TLS is spoken from the first octet, words without it would be noise."""

    def __init__(self, *, in_words: bool) -> None:
        self._in_words = in_words

    def connectionMade(self) -> None:
        assert self.transport is not None
        if self._in_words:
            self.transport.write(err("too many connections; try again later", ResponseCode.SYS_TEMP))
        self.transport.loseConnection()
