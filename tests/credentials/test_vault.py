"""What may be put into a vault. What every vault keeps is in tests/contracts/test_vault.py."""

import pytest

from bridge.credentials.vault import LONGEST, OWNERS_NAME, check
from bridge.secret import Secret


@pytest.mark.parametrize("name", ["work", "oauth2/work", "apop/ann@example.org", "x" * 255])
def test_names(name: str) -> None:
    check(name, Secret(b"wonder"))


@pytest.mark.parametrize("name", ["", "a b", "a\n", "ä", "x" * 256])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        check(name, Secret(b"wonder"))


@pytest.mark.parametrize("octets", [b"", bytes(LONGEST + 1)])
def test_nothing_and_too_much_are_no_secrets(octets: bytes) -> None:
    with pytest.raises(ValueError, match="octets"):
        check("work", Secret(octets))


def test_an_owner_cannot_name_a_secret_like_the_bridges_own() -> None:
    assert OWNERS_NAME.fullmatch("work.2-a_b")
    assert not OWNERS_NAME.fullmatch("oauth2/work")
