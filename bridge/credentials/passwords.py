"""Whether a client has proved that it knows a password of an account of the bridge's own, and which one.

A password that was right is remembered for ten minutes, as a hash with a key of this process, so that a device that
polls every minute does not cost a tenth of a second each time. It is remembered together with what the configuration
has of it: another hash there, and nothing is remembered.
"""

import hmac
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable, Container, Iterable
from hashlib import sha256
from secrets import token_bytes
from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from bridge.accounts.account import OwnLogin, OwnPassword
from bridge.credentials.decoys import Decoys
from bridge.credentials.vault import Vault
from bridge.maildrop.errors import Trouble, UpstreamUnavailable
from bridge.passwords.apop import Digest
from bridge.passwords.scram import Claim, Keys, ScramError
from bridge.passwords.scrypt import SALT, PasswordHash, derive, make_hash
from bridge.sasl import Credentials
from bridge.secret import Secret

REMEMBERED = 600.0
"""Seconds (S22): from then on it is checked again."""

MOST = 20_000
"""Passwords remembered at the same time."""

Evidence = Credentials | Claim | Digest
"""What a client shows. Each has `login`, `mechanism`, and `secret`: what counts as its guess."""


class InThread(Protocol):
    def __call__(self, job: Callable[[], bytes]) -> "Deferred[bytes]": ...


@frozen
class Proved:
    """`farewell`: the mechanism's last challenge, by which the bridge proves itself to the client; b"" for none."""

    password: OwnPassword
    farewell: bytes = b""


@frozen
class _Remembered:
    digest: bytes
    until: float


class Passwords:
    def __init__(self, clock: IReactorTime, in_thread: InThread, decoys: Decoys, vault: Vault | None = None) -> None:
        self._clock = clock
        self._in_thread = in_thread
        self._decoys = decoys
        self._vault = vault
        self._key = token_bytes(32)
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()

    def scram_keys(self, own: OwnLogin | None, login: bytes) -> Keys:
        """Whose salt that login is told; None: nobody has it."""
        keys = [one.scram for one in (own or self._decoys.twin(login)).passwords if one.scram is not None]
        if not keys:
            raise ScramError("SCRAM is not available here")
        return keys[0]

    async def refuse(self, evidence: Evidence) -> None:
        """The work of `proved`, for a login that nobody has; whatever comes of it, it is refused."""
        if isinstance(evidence, Digest):  # of a twin the vault has nothing to unseal
            await self._digested(self._decoys.model(evidence.login), evidence)
        else:
            await self.proved(self._decoys.twin(evidence.login), evidence)

    async def proved(self, own: OwnLogin, evidence: Evidence) -> Proved | None:
        """None: it fits none of the passwords. The same work whichever it fits, and if none. May raise a Trouble."""
        match evidence:
            case Credentials(bearer=True):
                return None
            case Credentials(secret=secret):
                return await self._typed(own, secret)
            case Claim():
                return _claimed(own, evidence)
            case Digest():
                return await self._digested(own, evidence)

    async def _typed(self, own: OwnLogin, typed: Secret) -> Proved | None:
        now = self._clock.seconds()
        known = [one for one in own.passwords if self._remembers(one.hash, typed, now)]
        if known:
            return Proved(known[0])
        salt, cost = own.passwords[0].hash.salt, own.passwords[0].hash.cost
        digest = await self._in_thread(lambda: derive(typed, salt, cost))
        fitting = [one for one in own.passwords if one.hash.fits(digest)]
        if not fitting:
            return None
        self._remember(fitting[0].hash, typed)
        return Proved(fitting[0])

    def _remembers(self, made: PasswordHash, typed: Secret, now: float) -> bool:
        remembered = self._remembered.get(str(made))
        if remembered is None or remembered.until <= now:
            return False
        return hmac.compare_digest(remembered.digest, self._keyed(made, typed))

    def _remember(self, made: PasswordHash, typed: Secret) -> None:
        self._remembered[str(made)] = _Remembered(self._keyed(made, typed), self._clock.seconds() + REMEMBERED)
        self._remembered.move_to_end(str(made))
        while len(self._remembered) > MOST:
            self._remembered.popitem(last=False)

    def _keyed(self, made: PasswordHash, typed: Secret) -> bytes:
        return hmac.digest(self._key, str(made).encode() + b"\0" + typed.reveal(), "sha256")

    async def _digested(self, own: OwnLogin, digest: Digest) -> Proved | None:
        assert self._vault is not None, "APOP is offered only where the vault has its passwords"
        fitting = []
        for one in own.passwords:
            try:
                kept = await self._vault.get(apop_name(one.hash))
            except Trouble as trouble:  # whatever it is, a stranger hears no more than that it may pass (S23)
                raise UpstreamUnavailable("this login cannot be checked now; try again later") from trouble
            if digest.fits(kept or Secret(token_bytes(32))) and kept is not None:
                fitting.append(one)
        return Proved(fitting[0]) if fitting else None


def _claimed(own: OwnLogin, claim: Claim) -> Proved | None:
    signed = [(one, claim.signature(one.scram)) for one in own.passwords if one.scram is not None]
    return next((Proved(one, signature) for one, signature in signed if signature is not None), None)


def hashed(password: Secret) -> str:
    """As the configuration has it, with a new salt. It takes a tenth of a second."""
    return str(make_hash(password, token_bytes(SALT)))


def without_apop(known: Iterable[OwnLogin], names: Container[str]) -> list[str]:
    """Whose password the vault, which has these names, has not: of nobody's, and APOP works for everybody (S25)."""
    passwords = ((own.user, one) for own in known for one in own.passwords)
    return [
        f"{user} ({one.device})" if one.device else user for user, one in passwords if apop_name(one.hash) not in names
    ]


def apop_name(made: PasswordHash) -> str:
    """What the vault keeps the password itself under, for APOP. With another hash in the configuration it is not found:

    a password that was changed or taken away there is so for APOP too.
    """
    return f"apop/{urlsafe_b64encode(sha256(str(made).encode()).digest()[:18]).decode('ascii')}"
