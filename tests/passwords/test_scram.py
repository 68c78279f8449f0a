"""SCRAM-SHA-256: who knows the password gets in and learns that the server knows it too; nobody else does either."""

import hmac
from base64 import b64encode
from contextlib import suppress
from hashlib import pbkdf2_hmac, sha256

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from bridge.passwords.scram import (
    ITERATIONS,
    LONGEST_MESSAGE,
    LONGEST_NONCE,
    Claim,
    Exchange,
    Keys,
    ScramError,
    make_keys,
    parse_keys,
)
from bridge.secret import Secret

SALT = b"[m\x99h\x9d\x125\x8e\xec\xa0K\x14\x126\xfa\x81"
KEYS = make_keys(Secret(b"pencil"), SALT, 4096)
SERVER_NONCE = b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
ASKED = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
FINAL = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="


def exchange(keys: Keys = KEYS) -> Exchange:
    return Exchange(SERVER_NONCE, lambda login: keys)


def claim(first: bytes = FIRST, final: bytes = FINAL) -> Claim:
    one = exchange()
    assert isinstance(one.step(first), bytes)
    made = one.step(final)
    assert isinstance(made, Claim)
    return made


def answer(asked: bytes, first: bytes, password: bytes, header: bytes = b"n,,") -> bytes:
    """What a client says to the challenge, from RFC 5802, section 3."""
    nonce, salt, count = (part[2:] for part in asked.split(b","))
    salted = pbkdf2_hmac("sha256", password, SALT if salt == b64encode(SALT) else b"", int(count))
    unproved = b"c=" + b64encode(header) + b",r=" + nonce
    client = hmac.digest(salted, b"Client Key", "sha256")
    signed = b",".join((first.removeprefix(header), asked, unproved))
    signature = hmac.digest(sha256(client).digest(), signed, "sha256")
    return unproved + b",p=" + b64encode(bytes(a ^ b for a, b in zip(client, signature, strict=True)))


def test_the_exchange_of_rfc_7677() -> None:
    one = exchange()

    assert one.step(None) == b""
    assert one.step(FIRST) == ASKED
    made = one.step(FINAL)
    assert isinstance(made, Claim)
    assert made.login == b"user"
    assert made.signature(KEYS) == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert made.signature(make_keys(Secret(b"pencils"), SALT, 4096)) is None


def test_of_several_passwords_behind_one_name_the_proof_fits_its_own() -> None:
    others = [make_keys(Secret(word), SALT, 4096) for word in (b"crayon", b"pencil", b"chalk")]

    assert [claim().signature(keys) is not None for keys in others] == [False, True, False]


def test_what_counts_as_a_guess_is_the_proof() -> None:
    assert claim().secret == Secret(claim().proof)
    assert "proof" not in repr(claim())


@given(st.binary(min_size=32, max_size=32))
def test_no_other_proof_gets_in(proof: bytes) -> None:
    assert evolve(claim(), proof=proof).signature(KEYS) is None or proof == claim().proof


@pytest.mark.parametrize(
    ("header", "name", "login"),
    [
        (b"n,,", b"ann=2Cbob=3D", b"ann,bob="),
        (b"y,,", b"ann", b"ann"),
        (b"n,a=ann,", b"ann", b"ann"),
        (b"n,,", "I\u00adX".encode(), b"IX"),
    ],
)
def test_names_and_headers_as_clients_write_them(header: bytes, name: bytes, login: bytes) -> None:
    first = header + b"n=" + name + b",r=abc"
    asked_for: list[bytes] = []
    one = Exchange(b"def", lambda name: asked_for.append(name) or KEYS)  # type: ignore[func-returns-value]
    asked = one.step(first)
    assert isinstance(asked, bytes)
    made = one.step(answer(asked, first, b"pencil", header))
    assert isinstance(made, Claim)
    assert asked_for == [made.login] == [login]
    assert made.signature(KEYS) is not None


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (b"", "broken"),
        (b"n,,n=user", "broken"),
        (b"x,,n=user,r=abc", "broken"),
        (b"p=tls-unique,,n=user,r=abc", "channel binding"),
        (b"n,,m=ext,n=user,r=abc", "extension"),
        (b"n,a=root,n=user,r=abc", "somebody else"),
        (b"n,b=user,n=user,r=abc", "user name"),
        (b"n,,u=user,r=abc", "user name"),
        (b"n,,n=us=er,r=abc", "user name"),
        (b"n,,n=,r=abc", "empty"),
        (b"n,,n=\xff,r=abc", "user name"),
        (b"n,,n=a\x07,r=abc", "user name"),
        (b"n,,n=user,x=abc", "nonce"),
        (b"n,,n=user,r=", "nonce"),
        (b"n,,n=user,r=a b", "nonce"),
        (b"n,,n=user,r=" + b"x" * (LONGEST_NONCE + 1), "nonce"),
        (b"n,,n=user,r=abc," + b"x" * LONGEST_MESSAGE, "shorter"),
    ],
)
def test_a_broken_first_message_is_refused_with_the_reason(first: bytes, why: str) -> None:
    with pytest.raises(ScramError, match=why):
        exchange().step(first)


NONCE = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"


@pytest.mark.parametrize(
    ("final", "why"),
    [
        (b"", "broken"),
        (b"c=biws," + NONCE, "broken"),
        (b"c=biws,p=AAAA", "broken"),
        (b"c=biws,x=1,p=AAAA", "broken"),
        (b"c=eSws," + NONCE + b",p=AAAA", "header"),
        (b"c=biws,r=rOprNGfwEbeRWgbNEkqO,p=AAAA", "nonce"),
        (b"c=biws," + NONCE + b",p=AAAA", "proof"),
        (b"c=biws," + NONCE + b",p=????", "proof"),
    ],
)
def test_a_broken_second_message_is_refused_with_the_reason(final: bytes, why: str) -> None:
    one = exchange()
    one.step(FIRST)
    with pytest.raises(ScramError, match=why):
        one.step(final)


def test_extensions_that_nobody_knows_are_ignored() -> None:
    """RFC 5802, section 5.1: but they are part of what is signed."""
    first = FIRST + b",x=y"
    one = exchange()
    asked = one.step(first)
    assert isinstance(asked, bytes)
    made = one.step(answer(asked, first, b"pencil"))
    assert isinstance(made, Claim)
    assert made.signature(KEYS) is not None


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_nothing_but_a_scram_error_comes_out_of_random_octets(first: bytes, final: bytes) -> None:
    fresh, begun = exchange(), exchange()
    begun.step(FIRST)
    for one, message in ((fresh, first), (begun, final)):
        with suppress(ScramError):
            one.step(message)


@given(st.binary(min_size=8, max_size=64), st.integers(4096, 1_000_000))
def test_keys_that_are_written_are_read(salt: bytes, iterations: int) -> None:
    keys = Keys(iterations, salt, b"s" * 32, b"t" * 32)

    assert parse_keys(str(keys)) == keys
    assert "sss" not in repr(keys)
    assert "ttt" not in repr(keys)


def test_new_keys_have_the_usual_number_of_iterations() -> None:
    assert make_keys(Secret(b"x"), SALT).iterations == ITERATIONS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SCRAM-SHA-256$4095" + str(KEYS).removeprefix("SCRAM-SHA-256$4096"),
        "SCRAM-SHA-256$9999999" + str(KEYS).removeprefix("SCRAM-SHA-256$4096"),
        "SCRAM-SHA-256$12345678" + str(KEYS).removeprefix("SCRAM-SHA-256$4096"),
        str(KEYS).replace("SHA-256", "SHA-1"),
        str(KEYS).replace("W22ZaJ0SNY7soEsUEjb6gQ==", "W22ZaJ0SNY7soEsUEjb6gQ="),
        str(KEYS).replace("W22ZaJ0SNY7soEsUEjb6gQ==", "W22ZaJ0SNY7soEsUEjb6gR=="),
        str(KEYS) + "\n",
    ],
)
def test_what_are_no_keys_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no SCRAM-SHA-256 keys"):
        parse_keys(text)
