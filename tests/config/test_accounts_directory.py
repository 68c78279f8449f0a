"""Accounts may stand in files of their own, one each; a mistake in one is told with that file's name and line."""

from pathlib import Path

import pytest

from bridge.config import Config, ConfigError, load
from bridge.config.accounts_directory import account_files
from tests.config.entries import account_text

MAIN = 'accounts = "accounts.d"\n[[listener]]\npop3 = "127.0.0.1:1110"\n'


def account(user: str, more: str = "") -> str:
    return account_text(f"{more}\n", user=user, login=f"{user}@example.org", secret="file:work.password")


def loaded(folder: Path, main: str = MAIN, **files: str) -> Config:
    (folder / "accounts.d").mkdir(exist_ok=True)
    (folder / "popbridge.toml").write_text(main)
    for name, text in files.items():
        (folder / "accounts.d" / f"{name}.toml").write_text(text)
    return load(folder / "popbridge.toml")


def refused(folder: Path, main: str = MAIN, **files: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, main, **files)
    return str(caught.value)


def test_they_come_behind_the_main_file_s_in_the_order_of_their_names(tmp_path: Path) -> None:
    config = loaded(tmp_path, MAIN + account("zoe"), bob=account("bob"), ann=account("ann") + account("ann2"))

    assert [one.user for one in config.accounts] == ["zoe", "ann", "ann2", "bob"]
    assert config.accounts_directory == tmp_path / "accounts.d"
    assert config.accounts[1].source[0].secret.name == str(tmp_path / "work.password")  # as in the main file


def test_a_mistake_is_told_with_its_file_and_line(tmp_path: Path) -> None:
    said = refused(
        tmp_path,
        MAIN + account("zoe", "colour = 1"),
        ann=account("ann"),
        bob=account("bob") + account("b", 'delete = "x"'),
    )

    assert said.splitlines()[0].startswith("popbridge.toml, line 7: account.colour: ")
    assert said.splitlines()[1].startswith("accounts.d/bob.toml, line 14: account.source.delete: ")
    assert len(said.splitlines()) == 2


def test_one_that_the_bridge_may_not_read_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.name == "ann.toml":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    said = refused(tmp_path, ann=account("ann"))
    assert "ann.toml cannot be read (Permission denied); let the user read it that the bridge runs as" in said


def test_one_user_in_two_files_is_a_mistake(tmp_path: Path) -> None:
    said = refused(tmp_path, ann=account("ann"), bob=account("ann"))

    assert said.startswith("accounts.d/bob.toml, line 2: account.user: ann is an account already")


def test_a_domain_in_other_letters_makes_no_other_user(tmp_path: Path) -> None:
    said = refused(tmp_path, ann=account("ann@example.org"), bob=account("ann@Example.org"))

    assert said.startswith("accounts.d/bob.toml, line 2: account.user: ann@Example.org is an account already")
    assert len(loaded(tmp_path, ann=account("ann@example.org"), bob=account("Ann@example.org")).accounts) == 2


def test_a_file_that_is_no_toml_or_holds_something_else_is_told(tmp_path: Path) -> None:
    assert refused(tmp_path, ann="user = ann").startswith("accounts.d/ann.toml, line 1: ")
    assert "accounts.d/ann.toml holds something else" in refused(tmp_path, ann='state = "memory:"\n' + account("ann"))
    assert "holds something else" in refused(tmp_path, ann="")
    assert "holds something else" in refused(tmp_path, ann="account = 5")


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    config = loaded(tmp_path, ann=account("ann"))
    for name in ("ann.toml~", ".ann.toml.swp", ".draft.toml", "README"):
        (tmp_path / "accounts.d" / name).write_text("no TOML")

    assert load(tmp_path / "popbridge.toml") == config
    assert [file.name for file in account_files(tmp_path / "accounts.d")] == ["ann.toml"]


def test_a_directory_that_is_not_there_is_told_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "popbridge.toml").write_text(MAIN + account("ann"))
    with pytest.raises(ConfigError, match=r"line 1: accounts: the directory .* cannot be read .*mkdir -m 700"):
        load(tmp_path / "popbridge.toml")
    (tmp_path / "popbridge.toml").write_text("accounts = 5\n")
    with pytest.raises(ConfigError, match="text in quotes"):
        load(tmp_path / "popbridge.toml")


def test_mistakes_of_another_kind_in_the_main_file_are_told_as_ever(tmp_path: Path) -> None:
    assert "account: " in refused(tmp_path, MAIN + "[account]\n", ann=account("ann"))


def test_an_empty_directory_leaves_the_main_file_s_alone(tmp_path: Path) -> None:
    assert [one.user for one in loaded(tmp_path, MAIN + account("zoe")).accounts] == ["zoe"]


def test_an_empty_directory_alone_is_where_the_first_account_will_be(tmp_path: Path) -> None:
    assert loaded(tmp_path).accounts == ()
