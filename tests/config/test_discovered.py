"""`upstream = "auto"` means the server that its owner was shown and pinned, and nothing else, ever."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from bridge.accounts.address import parse_address
from bridge.config import ConfigError, load
from bridge.config.discovered import FILE, Pin, PinsUnreadable, read_pins, with_pins, write_pin
from tests.config.entries import LISTENER, account_text

ANN = Pin("ann@example.org", "imaps://imap.example.org", "ann", "SRV")
FILE_TEXT = LISTENER + account_text(upstream="auto", login="ann@example.org")


def written(folder: Path, text: str = FILE_TEXT) -> Path:
    path = folder / "popbridge.toml"
    path.write_text(text)
    return path


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as error:
        load(path)
    return str(error.value)


def test_without_a_pin_it_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    said = refused(written(tmp_path))

    assert "line 8: account.source.upstream" in said
    assert "popbridge try --pin popbridge.toml ann@example.org" in said


def test_with_one_it_is_that_server_and_the_login_that_it_wants(tmp_path: Path) -> None:
    write_pin(tmp_path, ANN)
    [account] = load(written(tmp_path)).accounts

    assert str(account.source[0].upstream) == "imaps://imap.example.org:993/INBOX"
    assert account.source[0].login == "ann"


@pytest.mark.parametrize("typed", ["ann@Bücher.example", "ann@bücher.EXAMPLE", "ann@xn--Bcher-kva.example."])
def test_a_domain_is_the_same_however_it_is_typed(tmp_path: Path, typed: str) -> None:
    write_pin(tmp_path, evolve(ANN, address=str(parse_address(typed))))
    [account] = load(written(tmp_path, FILE_TEXT.replace("ann@example.org", typed))).accounts
    assert account.source[0].login == "ann"

    assert "nobody has looked" in refused(written(tmp_path, FILE_TEXT.replace("ann@", "Ann@")))
    assert "nobody has looked" in refused(written(tmp_path, FILE_TEXT.replace("ann@example", "ann@.example")))


def test_so_it_is_for_an_account_in_a_file_of_its_own(tmp_path: Path) -> None:
    listener, account = FILE_TEXT.split("[[account]]")
    (tmp_path / "accounts.d").mkdir()
    (tmp_path / "accounts.d" / "ann.toml").write_text(f"[[account]]{account}")
    file = written(tmp_path, f'accounts = "accounts.d"\n{listener}')

    assert "popbridge try --pin popbridge.toml ann@example.org" in refused(file)
    assert "ann.toml" in refused(file)
    write_pin(tmp_path, ANN)
    assert load(file).accounts[0].source[0].login == "ann"


def test_a_pin_for_another_address_is_none_for_this(tmp_path: Path) -> None:
    write_pin(tmp_path, Pin("bob@example.org", "imaps://evil.example.com", "bob"))

    assert "nobody has looked" in refused(written(tmp_path))


def test_a_login_that_is_no_address_cannot_be_looked_for(tmp_path: Path) -> None:
    said = refused(written(tmp_path, FILE_TEXT.replace("ann@example.org", "ann")))

    assert 'with "auto" the login is the mail address' in said


def test_everything_else_that_is_wrong_is_told_with_it(tmp_path: Path) -> None:
    said = refused(written(tmp_path, FILE_TEXT + '  delete = "burn"\n'))

    assert "nobody has looked" in said
    assert "burn" in said
    assert len(said.splitlines()) == 2


def test_pass_through_knows_no_auto_pinned_or_not(tmp_path: Path) -> None:
    write_pin(tmp_path, ANN)
    said = refused(written(tmp_path, '[[listener]]\npop3 = "127.0.0.1:0"\n[[passthrough]]\nupstream = "auto"\n'))

    assert "pass-through never searches" in said
    assert "popbridge try" in said


def test_a_pinned_server_is_read_as_strictly_as_a_written_one(tmp_path: Path) -> None:
    write_pin(tmp_path, Pin(ANN.address, "imap://imap.example.org", "ann"))

    assert "account.source" in refused(written(tmp_path))


@pytest.mark.parametrize(
    "text", ["[[server]", "[[server]]\naddress = 1\nupstream = 2\nlogin = 3\n", "[[server]]\nx = 1\n", "server = 3\n"]
)
def test_a_file_that_is_not_what_was_written_there_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)

    with pytest.raises(PinsUnreadable):
        read_pins(tmp_path)
    assert "discovered.toml cannot be read" in refused(written(tmp_path))


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()

    assert "discovered.toml cannot be read (Is a directory)" in refused(written(tmp_path))


def test_pins_are_kept_beside_each_other_and_a_new_one_takes_the_place_of_its_own(tmp_path: Path) -> None:
    bob = Pin("bob@example.org", "pop3s://pop.example.org", "bob@example.org")
    write_pin(tmp_path, ANN)
    write_pin(tmp_path, bob)
    newer = Pin(ANN.address, "imaps://imap2.example.org", "ann", "its owner")
    path = write_pin(tmp_path, newer)

    assert read_pins(tmp_path) == {bob.address: bob, ANN.address: newer}
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_file_that_cannot_be_replaced_is_left_as_it_is(tmp_path: Path) -> None:
    write_pin(tmp_path, ANN)
    (tmp_path / "no").mkdir()
    (tmp_path / "no" / FILE).mkdir()

    with pytest.raises((OSError, PinsUnreadable)):
        write_pin(tmp_path / "no", ANN)
    assert [entry.name for entry in (tmp_path / "no").iterdir()] == [FILE]


_WORDS = st.text(st.characters(exclude_categories=["C"]), max_size=40)


@given(st.lists(st.builds(Pin, _WORDS, _WORDS, _WORDS, _WORDS), max_size=3))
def test_what_was_pinned_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, pins: list[Pin]) -> None:
    folder = tmp_path_factory.mktemp("pins")
    for pin in pins:
        write_pin(folder, pin)

    assert read_pins(folder) == {pin.address: pin for pin in pins}


@pytest.mark.parametrize(
    "tables",
    [
        {},
        {"account": 3},
        {"account": [3]},
        {"account": [{"source": {}}]},
        {"account": [{"source": [3, {"upstream": "imaps://x"}, {"upstream": 3}]}]},
        {"passthrough": [{"upstream": "auto"}]},
    ],
)
def test_whatever_else_stands_there_is_left_to_who_reads_it(tmp_path: Path, tables: dict[str, Any]) -> None:
    assert with_pins(tables, tmp_path) == (tables, [])


def test_the_tables_given_are_not_changed(tmp_path: Path) -> None:
    write_pin(tmp_path, ANN)
    tables = tomllib.loads(FILE_TEXT)
    before = tomllib.loads(FILE_TEXT)
    made, findings = with_pins(tables, tmp_path)

    assert (tables, findings) == (before, [])
    assert made["account"][0]["source"][0]["upstream"] == ANN.upstream
