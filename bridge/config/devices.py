"""The passwords of an account of the bridge's own: what each sees and may do, and what all of them have in common."""

from collections.abc import Iterator
from typing import Any

import attrs

from bridge.config.problems import WrongValue
from bridge.config.values import Device, OwnAccount, OwnSource
from bridge.passwords.scrypt import PasswordHash

KEYS = frozenset(field.name for field in attrs.fields(Device)) - {"name", "password", "scram"}
"""What a device may have otherwise than its account."""

_DELETION: dict[str, None] = dict.fromkeys(("trash", "archive", "after", "purge"))


def as_seen_by(device: Device, source: OwnSource) -> OwnSource:
    """The source as this device has it. Another `delete` is a whole other policy: what belonged to the first goes."""
    own: dict[str, Any] = {key: value for key in KEYS if (value := getattr(device, key)) is not None}
    changed = dict(own)
    if device.delete is not None:
        expunges = device.purge is not None or device.delete in {"expunge", "trash", "archive"}
        changed = {**_DELETION, "expunge_without_uidplus": source.expunge_without_uidplus and expunges, **own}
    if device.seen is not None:
        changed["top_counts"] = source.top_counts and device.seen == "retrieved"
    return attrs.evolve(source, **changed)


def with_password(account: OwnAccount) -> list[tuple[OwnAccount | Device, PasswordHash]]:
    """The account itself, where it has a password, and its devices."""
    places: list[OwnAccount | Device] = [account, *account.device]
    return [(place, place.password) for place in places if place.password is not None]


def passwords_at_odds(account: OwnAccount) -> Iterator[tuple[tuple[str | int, ...], WrongValue]]:
    """With the path of each below the account.

    All passwords of an account have one salt and one cost: so every try costs the same, whatever the account, and
    SCRAM, which tells the salt before it knows which password is meant, works for each of them.
    """
    held = with_password(account)
    if not held:
        remedy = "write what `popbridge password` prints here, or under [[account.device]]"
        yield ("password",), WrongValue("this account has no password", remedy=remedy)
    if account.scram is not None and account.password is None:
        yield ("scram",), WrongValue("these keys belong to no password", remedy="leave scram out, or add password")
    keys = next((place.scram for place, _ in held if place.scram is not None), None)
    for place, password in held:
        path = () if place is account else ("device", next(i for i, one in enumerate(account.device) if one is place))
        if (password.cost, password.salt) != (held[0][1].cost, held[0][1].salt):
            yield (*path, "password"), _another_salt(account.user)
        if place.scram and keys and (place.scram.iterations, place.scram.salt) != (keys.iterations, keys.salt):
            yield (*path, "scram"), _another_salt(account.user)
    names = [device.name for device in account.device]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield ("device", index, "name"), WrongValue(f'there is a device "{name}" already', remedy="choose another")


def _another_salt(user: str) -> WrongValue:
    return WrongValue(
        "the passwords of one account have one salt, and this one has another",
        remedy=f"make it with popbridge password --config FILE --user {user}",
    )
