"""Whose mail it is: one login at one upstream, with the settings its owner gave it."""

from attrs import frozen

from bridge.config import PassThrough
from bridge.names import AccountName


@frozen
class Account:
    """`login` is sent upstream as it stands; `name` is the key of everything kept for this account (S22)."""

    login: bytes
    name: AccountName
    passthrough: PassThrough
