"""How long a login has to wait before upstream is asked, so that the bridge is no relay for guessing passwords (S23).

Each address and each account has a queue of its own: after failures, one try per penalty gets through. The same wrong
password again is not another guess: a program that someone forgot to reconfigure is not punished for polling. Who
got in lately from the same address has no penalty: neither for what others tried on his account, nor for what others
behind the same address did.
"""

import hmac
from collections import OrderedDict, deque
from enum import Enum, auto
from functools import lru_cache
from ipaddress import ip_address, ip_network
from math import inf
from secrets import token_bytes

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from bridge.secret import Secret

PENALTIES = (0.0, 0.0, 0.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between tries after 0, 1, 2 … different failures."""


class Standing(Enum):
    """How a try is met."""

    WELCOME = auto()
    FREE = auto()
    SLOWED = auto()


@define
class _Record:
    until: float
    free_at: float = 0.0
    failures: int = 0
    guesses: "deque[bytes]" = field(factory=lambda: deque(maxlen=10))

    @property
    def penalty(self) -> float:
        return PENALTIES[min(self.failures, len(PENALTIES) - 1)]


class Throttle:
    """Remembers failures for `memory` seconds, of at most `most` addresses and accounts.

    An `account` is `Account.guessed`, one name however it was typed.
    """

    def __init__(self, clock: IReactorTime, *, memory: float = 600.0, most: int = 20_000) -> None:
        self._clock = clock
        self._memory = memory
        self._most = most
        self._key = token_bytes(32)
        self._records: OrderedDict[tuple[str, bytes], _Record] = OrderedDict()
        self._welcome: OrderedDict[tuple[bytes, str], float] = OrderedDict()

    def wait(self, address: str, account: str, *, at_most: float = inf) -> float:
        """Seconds until this try may go upstream; the place in the queue is taken by asking.

        Beyond `at_most` none is taken: who is turned away must not make those wait longer who come after him.
        """
        if self._is_welcome(address, account):
            return 0.0
        now = self._clock.seconds()
        queues = self._queues(address, account)
        start = max([now, *(record.free_at for record in queues)])
        for record in queues:
            if start - now <= at_most:
                record.free_at = start + record.penalty
        return start - now

    def standing(self, address: str, account: str) -> Standing:
        if self._is_welcome(address, account):
            return Standing.WELCOME
        slowed = any(record.penalty for record in self._queues(address, account))
        return Standing.SLOWED if slowed else Standing.FREE

    def failed(self, address: str, account: str, secret: Secret) -> None:
        now = self._clock.seconds()
        self._welcome.pop((network_of(address), account), None)
        guess = hmac.digest(self._key, account.encode() + b"\0" + secret.reveal(), "sha256")
        for kind, key in (("address", network_of(address)), ("account", account.encode())):
            record = self._record(kind, key) or _Record(until=0.0)
            if guess not in record.guesses:
                record.guesses.append(guess)
                record.failures += 1
            record.until = now + self._memory
            self._records[kind, key] = record
            self._records.move_to_end((kind, key))
        while len(self._records) > self._most:
            self._records.popitem(last=False)

    def succeeded(self, address: str, account: str) -> None:
        """Only this account is welcome from there: one account of one's own is no licence to guess at others."""
        place = (network_of(address), account)
        self._welcome[place] = self._clock.seconds() + 24 * 3600
        self._welcome.move_to_end(place)
        while len(self._welcome) > self._most:
            self._welcome.popitem(last=False)

    def _is_welcome(self, address: str, account: str) -> bool:
        now = self._clock.seconds()
        return self._welcome.get((network_of(address), account), now) > now

    def _queues(self, address: str, account: str) -> list[_Record]:
        queues = self._record("address", network_of(address)), self._record("account", account.encode())
        return [record for record in queues if record is not None]

    def _record(self, kind: str, key: bytes) -> _Record | None:
        record = self._records.get((kind, key))
        if record is not None and record.until < self._clock.seconds():
            del self._records[kind, key]
            return None
        return record


@lru_cache(maxsize=10_000)
def network_of(address: str) -> bytes:
    """An IPv4 address, or the /64 that one IPv6 host owns."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address.encode()
    return parsed.packed if parsed.version == 4 else ip_network((parsed, 64), strict=False).network_address.packed
