"""Passwords for devices: long enough that guessing is hopeless, short enough to type on a printer's keypad."""

from collections.abc import Callable

from bridge.secret import Secret

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""No upper case, and nothing that looks like something else: i, l and 1, o and 0."""

GROUPS, LENGTH = 4, 4
"""16 of 31 characters are 79 bits."""


def generate(below: Callable[[int], int]) -> Secret:
    """Such as "k3mw-x8qd-7rfn-htb4". `below(n)`: a random number from 0 to n - 1."""
    groups = ("".join(ALPHABET[below(len(ALPHABET))] for _ in range(LENGTH)) for _ in range(GROUPS))
    return Secret("-".join(groups).encode("ascii"))
