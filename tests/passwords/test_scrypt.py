"""A hash lets in who knows the password, tells nobody what it is, and never takes gigabytes to be checked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.passwords.scrypt import USUAL, Cost, PasswordHash, derive, make_hash, parse_hash
from bridge.secret import Secret

CHEAP = Cost(10, 1, 1)
SALT = b"0123456789abcdef"


def test_the_vector_of_rfc_7914() -> None:
    expected = "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"

    assert derive(Secret(b"password"), b"NaCl", Cost(10, 8, 16)).hex() == expected


def test_a_hash_fits_its_password_and_no_other() -> None:
    made = make_hash(Secret("caf\u00e9".encode()), SALT, CHEAP)

    assert made.fits(derive(Secret("cafe\u0301".encode()), SALT, CHEAP))
    assert not made.fits(derive(Secret(b"cafe"), SALT, CHEAP))


def test_the_usual_one_takes_32_mebibytes() -> None:
    made = make_hash(Secret(b"x"), SALT)

    assert str(made).startswith("$scrypt$ln=15,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$")
    assert 2**25 < USUAL.memory < 2**25 + 2**12


@given(st.binary(min_size=8, max_size=64), st.binary(min_size=32, max_size=32), st.integers(10, 15), st.integers(1, 8))
def test_what_is_written_is_read(salt: bytes, digest: bytes, log_n: int, r: int) -> None:
    made = PasswordHash(Cost(log_n, r, 1), salt, digest)

    assert parse_hash(str(made)) == made
    assert "digest" not in repr(made)


HASH = "A" * 43
FINE = "$scrypt$ln=15,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + HASH


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$" + HASH,
        FINE + "A",
        FINE[:-1],
        FINE[:-1] + "B",  # stray bits
        FINE.replace("MDEyMzQ1Njc4OWFiY2RlZg", "AAAA"),
        FINE.replace("MDEyMzQ1Njc4OWFiY2RlZg", "A" * 13),
        FINE.replace("MDEyMzQ1Njc4OWFiY2RlZg", "A" * 87),
        FINE.replace("r=8", "r=0"),
        FINE.replace("p=1", "p=01"),
        FINE + "\n",
    ],
)
def test_what_is_no_hash_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no scrypt hash"):
        parse_hash(text)


@pytest.mark.parametrize(
    "costs", ["ln=9,r=8,p=1", "ln=18,r=8,p=1", "ln=99,r=99,p=99", "ln=17,r=8,p=8", "ln=10,r=8,p=99"]
)
def test_costs_out_of_bounds_are_refused(costs: str) -> None:
    if costs == "ln=10,r=8,p=99":  # slow to no purpose, but bounded
        assert parse_hash(FINE.replace("ln=15,r=8,p=1", costs)).cost == Cost(10, 8, 99)
        return
    with pytest.raises(ValueError, match="out of bounds"):
        parse_hash(FINE.replace("ln=15,r=8,p=1", costs))


def test_the_dearest_that_is_let_in_can_be_checked() -> None:
    assert len(derive(Secret(b"x"), SALT, parse_hash(FINE.replace("ln=15", "ln=17")).cost)) == 32
