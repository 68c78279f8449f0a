"""A new password fits the lines that are printed for it, and stands beside the others of its account."""

from pathlib import Path

import pytest
from attrs import evolve

from bridge.config import OwnAccount
from bridge.config.structure import structure
from bridge.credentials.making import SHORTEST, make, new_salts, salts_of
from bridge.passwords.scram import make_keys
from bridge.passwords.scrypt import USUAL, Cost, derive
from bridge.secret import Secret

CHEAP = evolve(new_salts(), cost=Cost(10, 1, 1), iterations=4096)


def test_a_password_that_is_made_up_fits_its_lines() -> None:
    made = make(CHEAP)

    assert made.hash.fits(derive(made.password, made.hash.salt, made.hash.cost))
    assert make_keys(made.password, made.keys.salt, made.keys.iterations) == made.keys
    assert made.password != make(CHEAP).password
    assert made.password.reveal().decode() not in "".join(made.lines)
    assert made.password.reveal().decode() not in repr(made)


def test_the_usual_one_costs_what_is_usual_and_no_two_have_one_salt() -> None:
    assert new_salts().cost == USUAL
    assert len({new_salts().salt for _ in range(10)} | {new_salts().scram_salt for _ in range(10)}) == 20


def test_a_typed_password_is_taken_as_it_is_typed_elsewhere() -> None:
    made = make(CHEAP, Secret("cafe\u0301 au lait".encode()))

    assert made.hash.fits(derive(Secret("caf\u00e9 au lait".encode()), made.hash.salt, made.hash.cost))


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (b"x" * (SHORTEST - 1), "at least"),
        (b"", "at least"),
        (b"x" * 1025, "at most"),
        (b"tab\tin the middle", "control"),
        (b"\xff" * 9, "UTF-8"),
    ],
)
def test_what_no_program_can_send_or_everybody_guesses_is_refused(typed: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make(CHEAP, Secret(typed))


def account(*lines: str) -> OwnAccount:
    """With these passwords, each of a device."""
    devices = []
    for index in range(0, len(lines), 2):
        password, scram = (line.partition(" = ")[2].strip('"') for line in lines[index : index + 2])
        devices.append({"name": f"d{index}", "password": password, "scram": scram})
    source = {"name": "work", "upstream": "imaps://imap.example.org", "login": "ann", "secret": "env:WORK"}
    entry = {"user": "ann", "device": devices, "source": [source]}
    return structure({"listener": [{"pop3": ":1"}], "account": [entry]}, Path("/")).account[0]


def test_one_more_password_has_the_salts_of_those_there_are() -> None:
    first = make(CHEAP)
    second = make(salts_of(account(*first.lines)))

    assert salts_of(account(*first.lines, *second.lines)) == CHEAP


def test_the_first_password_of_an_account_has_new_ones() -> None:
    bare = evolve(account(*make(CHEAP).lines), device=())
    without_keys = evolve(
        account(*make(CHEAP).lines), device=(evolve(account(*make(CHEAP).lines).device[0], scram=None),)
    )

    assert salts_of(bare).salt != salts_of(bare).salt
    assert salts_of(without_keys).scram_salt != CHEAP.scram_salt
