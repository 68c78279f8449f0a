"""Which ways to log in are offered: those alone that work for every login there is (S24)."""

from collections.abc import Iterator

from bridge.config.values import Listener, Mechanism, OwnAccount, PassThrough

_WHY_NOT = {
    "SCRAM-SHA-256": (
        "needs keys for every login: a [[passthrough]] login has none, and every password needs its scram line"
    ),
    "XOAUTH2": "works for no [[account]]: its passwords are the bridge's own, and no token opens it",
}
_WHY_NOT["OAUTHBEARER"] = _WHY_NOT["XOAUTH2"]


def working(passthrough: tuple[PassThrough, ...], accounts: tuple[OwnAccount, ...]) -> tuple[Mechanism, ...]:
    """In the order in which they are announced; many programs take the first one they know."""
    scram: tuple[Mechanism, ...] = ("SCRAM-SHA-256",) if not passthrough and _all_have_keys(accounts) else ()
    bearer: tuple[Mechanism, ...] = () if accounts else ("XOAUTH2", "OAUTHBEARER")
    return (*scram, "PLAIN", "LOGIN", *bearer)


def offered(
    listener: Listener, passthrough: tuple[PassThrough, ...], accounts: tuple[OwnAccount, ...]
) -> tuple[Mechanism, ...]:
    """The owner's order where there is one."""
    return working(passthrough, accounts) if listener.sasl is None else listener.sasl


def not_working(
    listener: Listener, passthrough: tuple[PassThrough, ...], accounts: tuple[OwnAccount, ...]
) -> Iterator[tuple[str, str]]:
    """Those that the owner names all the same, with the reason."""
    works = working(passthrough, accounts)
    return ((name, _WHY_NOT[name]) for name in listener.sasl or () if name not in works)


def _all_have_keys(accounts: tuple[OwnAccount, ...]) -> bool:
    of_accounts = all(account.scram is not None for account in accounts if account.password is not None)
    of_devices = all(device.scram is not None for account in accounts for device in account.device)
    return bool(accounts) and of_accounts and of_devices
