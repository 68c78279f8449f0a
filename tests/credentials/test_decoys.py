"""A login that nobody has cannot be told from one that somebody has: not today, not after a restart."""

import os
import stat
from pathlib import Path

import pytest

from bridge.accounts.account import OwnLogin, OwnPassword
from bridge.accounts.directory import Directory
from bridge.config import OwnAccount
from bridge.credentials.decoys import FILE, Decoys, DecoysUnusable, kept_key
from bridge.passwords.scram import make_keys
from bridge.passwords.scrypt import Cost, derive, make_hash
from bridge.secret import Secret

WORD = Secret(b"right")


def own(user: str, devices: int, *, log_n: int = 10, salt: bytes = b"s" * 16, iterations: int = 4096) -> OwnLogin:
    made, keys = make_hash(WORD, salt, Cost(log_n, 1, 1)), make_keys(WORD, salt, iterations)
    return OwnLogin(user, tuple(OwnPassword(str(index), made, keys, ()) for index in range(devices)), ())


KNOWN = [own("ann", 1), own("bob", 3, log_n=11, salt=b"t" * 24, iterations=5000)]


def shape(login: OwnLogin) -> tuple[object, ...]:
    """What can be seen or measured from outside."""
    first = login.passwords[0]
    assert first.scram is not None
    return len(login.passwords), first.hash.cost, len(first.hash.salt), first.scram.iterations, len(first.scram.salt)


def test_each_is_like_one_of_those_there_are_and_always_the_same_one() -> None:
    decoys = Decoys(b"k" * 32, KNOWN)
    names = [b"nobody %d" % number for number in range(100)]

    assert {shape(decoys.twin(name)) for name in names} == {shape(login) for login in KNOWN}
    again = Decoys(b"k" * 32, KNOWN)
    assert [again.twin(name) for name in names] == [decoys.twin(name) for name in names]
    assert len({decoys.twin(name).passwords[0].hash.salt for name in names}) == len(names)
    assert Decoys(b"l" * 32, KNOWN).twin(b"nobody") != decoys.twin(b"nobody")


def test_it_is_the_same_however_it_is_spelt_as_an_account_is() -> None:
    accounts = tuple(OwnAccount(user=user, source=()) for user in ("ann", "ann@example.org"))
    found = Directory((), accounts).find
    assert found(b"ann@EXAMPLE.org") == found(b"ann@example.org") != found(b"ANN@example.org")

    twin = Decoys(b"k" * 32, KNOWN).twin
    assert twin(b"bob@EXAMPLE.org") == twin(b"bob@example.org") != twin(b"BOB@example.org")
    assert twin(b"bob\xff@EXAMPLE.org") == twin(b"bob\xff@example.org")


def test_all_of_its_passwords_have_one_salt_as_those_of_an_account_have() -> None:
    for number in range(20):
        twin = Decoys(b"k" * 32, KNOWN).twin(b"%d" % number)
        assert len({one.hash.salt for one in twin.passwords}) == 1
        assert len({one.scram.salt for one in twin.passwords if one.scram is not None}) == 1


def test_no_password_of_those_there_are_fits_it() -> None:
    first = Decoys(b"k" * 32, KNOWN).twin(b"nobody").passwords[0]

    assert not first.hash.fits(derive(WORD, first.hash.salt, first.hash.cost))


def test_where_the_accounts_have_no_scram_keys_it_has_none() -> None:
    bare = OwnLogin("ann", (OwnPassword("", KNOWN[0].passwords[0].hash, None, ()),), ())

    assert Decoys(b"k" * 32, [bare]).twin(b"nobody").passwords[0].scram is None


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    key = kept_key(tmp_path)

    assert len(key) == 32
    assert kept_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [FILE]  # noqa: PTH208  # nothing else is left


def test_a_key_that_another_process_has_just_made_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, other = os.link, b"o" * 32

    def link(source: Path, target: Path) -> None:
        target.write_bytes(other)
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    assert kept_key(tmp_path) == other
    assert os.listdir(tmp_path) == [FILE]  # noqa: PTH208


def test_a_key_that_was_cut_or_cannot_be_made_is_told_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"short")
    with pytest.raises(DecoysUnusable, match="remove it"):
        kept_key(tmp_path)
    with pytest.raises(DecoysUnusable, match=r"No such file.*; with state = in a directory that belongs to the user"):
        kept_key(tmp_path / "none")
