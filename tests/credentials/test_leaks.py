"""What searches for leaked secrets finds each of them."""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import sasl
from bridge.sasl import Credentials
from bridge.secret import Secret
from tests.credentials.leaks import assert_nothing_leaked, find_leaks

SECRET = 'won"der?/4711~ÿ'
TOKEN = "ya29.a0AfH6SMBx~9Qk" * 4


def leaks(text: bytes | str, secret: str = SECRET) -> list[str]:
    return list(find_leaks({"the password": secret}, texts=["nothing", text, "nothing"]))


@pytest.mark.parametrize(
    "worn",
    [
        lambda octets: octets,
        lambda octets: octets[::-1],
        lambda octets: octets.hex().encode(),
        lambda octets: octets.hex(" ").replace(" ", "").upper().encode(),
        lambda octets: quote(octets, safe="").encode(),
        lambda octets: octets.replace(b'"', b'\\"'),
        lambda octets: repr(octets).encode(),
        base64.b64encode,
        base64.urlsafe_b64encode,
    ],
)
def test_every_dress_is_seen_through(worn: Callable[[bytes], bytes]) -> None:
    found = leaks(b"before " + worn(SECRET.encode()) + b" behind")
    assert found
    assert all("text 2" in leak for leak in found)
    assert SECRET not in "".join(found)


@given(st.binary(max_size=20), st.binary(max_size=20), st.binary(min_size=8, max_size=40))
def test_base64_is_seen_through_wherever_in_it_the_secret_stands(before: bytes, behind: bytes, secret: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert list(find_leaks({"it": secret}, texts=[encode(before + secret + behind)]))


@pytest.mark.parametrize("mechanism", ["PLAIN", "XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize("login", [b"a", b"an", b"ann"])
def test_initial_responses_are_seen_through(mechanism: str, login: bytes) -> None:
    credentials = Credentials(login, Secret(TOKEN.encode()), mechanism, bearer=mechanism != "PLAIN")
    assert leaks(base64.b64encode(sasl.initial_response(mechanism, credentials).reveal()), TOKEN)


def test_half_of_a_long_one_is_enough() -> None:
    assert leaks(TOKEN[: len(TOKEN) // 2], TOKEN)
    assert leaks(TOKEN[len(TOKEN) // 2 :], TOKEN)


def test_files_are_searched_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "state-wal").write_bytes(b"\x00" + SECRET.encode())
    (tmp_path / "other").write_text("nothing")
    with pytest.raises(AssertionError, match=re.escape("the password as it is is in a/b/state-wal")):
        assert_nothing_leaked({"the password": SECRET, "the token": TOKEN}, files=tmp_path)


def test_what_is_clean_passes(tmp_path: Path) -> None:
    (tmp_path / "state").write_text(SECRET[:-2])
    assert_nothing_leaked({"the password": SECRET}, files=tmp_path, texts=[SECRET[1:], "", b""])


def test_a_search_that_could_not_fail_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no file"):
        assert_nothing_leaked({"the password": SECRET}, files=tmp_path)
    with pytest.raises(ValueError, match="8 octets"):
        leaks("test", "test")
