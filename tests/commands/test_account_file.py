"""Whatever is written into an account's file is read back as it was, and a disk that fails is told."""

import tomllib
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.commands.account_file import NewAccount, file_of, remove, write
from bridge.commands.terminal import CommandRefused
from bridge.credentials.making import make, new_salts
from bridge.passwords.scrypt import Cost

MADE = make(evolve(new_salts(), cost=Cost(10, 1, 1), iterations=4096))
printable = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20)


@given(printable, printable, st.lists(printable, unique=True, max_size=3))
@settings(max_examples=50)
def test_what_is_written_is_read(user: str, login: str, devices: list[str]) -> None:
    account = NewAccount(user, dict.fromkeys(devices or [""], MADE), {"name": "mail", "login": login})

    [entry] = tomllib.loads(account.text())["account"]

    assert (entry["user"], entry["source"]) == (user, [{"name": "mail", "login": login}])
    assert [device["name"] for device in entry.get("device", [])] == devices
    assert ("password" in entry) == (not devices)


@given(printable, printable)
def test_no_two_users_share_a_file_and_none_leaves_the_directory(one: str, other: str) -> None:
    directory = Path("/accounts.d")
    assert (file_of(directory, one) == file_of(directory, other)) == (one == other)
    assert file_of(directory, one).parent == directory
    assert not file_of(directory, one).name.startswith(".")


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    account = NewAccount("ann", {"": MADE}, {})
    with pytest.raises(CommandRefused, match="cannot be written"):
        write(tmp_path / "popbridge.toml", tmp_path / "none", account)
    (tmp_path / "ann.toml").mkdir()
    with pytest.raises(CommandRefused, match="cannot be removed"):
        remove(tmp_path, "ann", [])


@pytest.mark.parametrize(("known", "said"), [(["ann"], "a file of your own"), (["bob", "eve"], "there is no account")])
def test_a_file_that_the_owner_wrote_is_left_alone_whatever_its_name_is(
    tmp_path: Path, known: list[str], said: str
) -> None:
    file = tmp_path / "ann.toml"
    file.write_text("".join(f'[[account]]\nuser = "{user}"\n' for user in known))
    with pytest.raises(CommandRefused, match=said):
        remove(tmp_path, "ann", known)
    assert file.exists()

    file.write_text(NewAccount("ann", {"": MADE}, {}).text())
    assert remove(tmp_path, "ann", ["ann"]) == file
    assert not file.exists()
