"""A password for a device: made up, hashed, and written as the configuration has it."""

from secrets import randbelow, token_bytes

from attrs import frozen

from bridge.config import OwnAccount
from bridge.config.devices import with_password
from bridge.passwords import scram, scrypt
from bridge.passwords.generated import generate
from bridge.passwords.preparation import LONGEST, prepare
from bridge.passwords.scram import Keys, make_keys
from bridge.passwords.scrypt import Cost, PasswordHash, make_hash
from bridge.secret import Secret

SHORTEST = 8
"""Characters of a password that a person thought up."""


@frozen
class Salts:
    """What all passwords of an account have in common."""

    salt: bytes
    cost: Cost
    scram_salt: bytes
    iterations: int


@frozen
class Made:
    """`password`: to be shown to the owner once, and to be kept nowhere."""

    password: Secret
    hash: PasswordHash
    keys: Keys

    @property
    def lines(self) -> tuple[str, str]:
        return f'password = "{self.hash}"', f'scram = "{self.keys}"'


def new_salts() -> Salts:
    return Salts(token_bytes(scrypt.SALT), scrypt.USUAL, token_bytes(scrypt.SALT), scram.ITERATIONS)


def salts_of(account: OwnAccount) -> Salts:
    """Those that its passwords have already."""
    held, made = with_password(account), new_salts()
    first = held[0][1] if held else None
    keys = next((place.scram for place, _ in held if place.scram is not None), None)
    return Salts(
        first.salt if first else made.salt,
        first.cost if first else made.cost,
        keys.salt if keys else made.scram_salt,
        keys.iterations if keys else made.iterations,
    )


def make(salts: Salts, typed: Secret | None = None) -> Made:
    """Of a `typed` password, or of one made up here. ValueError: that one is not taken."""
    if typed is not None:
        _check(typed)
    password = typed or generate(randbelow)
    return Made(
        password,
        make_hash(password, salts.salt, salts.cost),
        make_keys(password, salts.scram_salt, salts.iterations),
    )


def _check(typed: Secret) -> None:
    if len(typed.reveal()) > LONGEST:
        raise ValueError(f"a password has at most {LONGEST} octets")
    try:
        text = prepare(typed.reveal().decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("the password is not UTF-8") from None
    if len(text) < SHORTEST:
        raise ValueError(f"a password has at least {SHORTEST} characters; without --typed a good one is made up")
