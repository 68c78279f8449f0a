"""A device gets in with its own password. A try costs the same whoever makes it; a right one is remembered a while."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from bridge.accounts.account import OwnLogin, OwnPassword
from bridge.credentials.decoys import Decoys
from bridge.credentials.passwords import REMEMBERED, Passwords, Proved, apop_name, hashed, without_apop
from bridge.maildrop.errors import StateUnavailable, UpstreamUnavailable
from bridge.passwords.apop import Digest, digest_of
from bridge.passwords.scram import ScramError, make_keys
from bridge.passwords.scrypt import Cost, make_hash, parse_hash
from bridge.sasl import Credentials
from bridge.secret import Secret
from tests.contracts.fake_vault import FakeVault

CHEAP = Cost(10, 1, 1)
SALT = b"0123456789abcdef"
TIMESTAMP = b"<1@popbridge>"


def password(device: str, word: bytes) -> OwnPassword:
    return OwnPassword(device, make_hash(Secret(word), SALT, CHEAP), make_keys(Secret(word), SALT, 4096), ())


ANN = OwnLogin("ann", (password("", b"of ann"), password("scanner", b"of scanner"), password("fax", b"of fax")), ())


def typed(word: bytes, *, bearer: bool = False) -> Credentials:
    return Credentials(b"ann", Secret(word), "PLAIN", bearer=bearer)


class Vault(FakeVault):
    broken = False

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def get(self, name: str) -> "Deferred[Secret | None]":
        self.asked.append(name)
        return fail(StateUnavailable("the disk is gone")) if self.broken else super().get(name)


class Stage:
    def __init__(self) -> None:
        self.clock = Clock()
        self.derivations = 0
        self.vault = Vault()
        self.passwords = Passwords(self.clock, self._derived, Decoys(b"k" * 32, [ANN]), self.vault)

    def _derived(self, job: Callable[[], bytes]) -> "Deferred[bytes]":
        self.derivations += 1
        return succeed(job())

    def device(self, evidence: Any, own: OwnLogin = ANN) -> str | None:
        proved: Proved | None = now(self.passwords.proved(own, evidence))
        return proved.password.device if proved else None


def now(coming: Coroutine[Any, Any, Any]) -> Any:
    told: list[Any] = []
    Deferred.fromCoroutine(coming).addBoth(told.append)
    if hasattr(told[0], "raiseException"):
        told[0].raiseException()
    return told[0]


def test_the_password_that_fits_says_which_device_it_is() -> None:
    stage = Stage()

    assert [stage.device(typed(word)) for word in (b"of ann", b"of scanner", b"of fax", b"of bob", b"")] == [
        "",
        "scanner",
        "fax",
        None,
        None,
    ]


def test_each_try_costs_one_derivation_whether_it_fits_or_not_and_whose_it_is() -> None:
    stage = Stage()
    for evidence in (typed(b"of fax"), typed(b"wrong")):
        before = stage.derivations
        stage.device(evidence)
        assert stage.derivations - before == 1
    before = stage.derivations
    assert now(stage.passwords.refuse(Credentials(b"nobody", Secret(b"of ann"), "USER", bearer=False))) is None
    assert stage.derivations - before == 1


def test_a_password_that_was_right_is_not_derived_again_for_ten_minutes() -> None:
    stage = Stage()
    for _ in range(5):
        assert stage.device(typed(b"of scanner")) == "scanner"
        stage.clock.advance(REMEMBERED / 5)
    assert stage.derivations == 1

    assert stage.device(typed(b"of scanner")) == "scanner"
    assert stage.derivations == 2


def test_a_wrong_one_is_not_remembered_as_right_nor_as_wrong() -> None:
    stage = Stage()
    for _ in range(3):
        assert stage.device(typed(b"of scanne")) is None
    assert stage.device(typed(b"of scanner")) == "scanner"
    assert stage.device(typed(b"of scanne")) is None
    assert stage.derivations == 5


def test_a_password_that_was_taken_away_or_changed_is_not_remembered() -> None:
    stage = Stage()
    stage.device(typed(b"of scanner"))

    assert stage.device(typed(b"of scanner"), evolve(ANN, passwords=ANN.passwords[:1])) is None
    changed = evolve(ANN.passwords[1], hash=make_hash(Secret(b"another"), SALT, CHEAP))
    assert stage.device(typed(b"of scanner"), evolve(ANN, passwords=(ANN.passwords[0], changed))) is None


def test_nothing_of_what_is_remembered_is_a_password() -> None:
    stage = Stage()
    stage.device(typed(b"of scanner"))

    assert "scanner" not in repr(vars(stage.passwords)["_remembered"])


def test_no_more_than_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.credentials.passwords.MOST", 2)
    stage = Stage()
    for word in (b"of ann", b"of scanner", b"of fax", b"of scanner", b"of ann"):
        stage.device(typed(word))

    assert stage.derivations == 4


def test_a_token_opens_no_account() -> None:
    assert Stage().device(typed(b"of ann", bearer=True)) is None


def test_a_login_that_nobody_has_is_told_a_salt_too_the_same_each_time() -> None:
    stage = Stage()
    told = [stage.passwords.scram_keys(None, name) for name in (b"nobody", b"nobody", b"somebody")]

    assert told[0] == told[1] != told[2]
    assert stage.passwords.scram_keys(ANN, b"ann").salt == SALT
    assert {len(keys.salt) for keys in told} == {len(SALT)}
    assert {keys.iterations for keys in told} == {4096}


def test_without_keys_there_is_no_scram() -> None:
    bare = evolve(ANN, passwords=(evolve(ANN.passwords[0], scram=None),))
    with pytest.raises(ScramError):
        Stage().passwords.scram_keys(bare, b"ann")


def apop(word: bytes) -> Digest:
    return Digest(b"ann", TIMESTAMP, digest_of(TIMESTAMP, Secret(word)))


def test_apop_needs_the_password_in_the_vault_under_its_own_hash() -> None:
    stage = Stage()
    stage.vault.put(apop_name(ANN.passwords[1].hash), Secret(b"of scanner"))

    assert stage.device(apop(b"of scanner")) == "scanner"
    assert stage.device(apop(b"of ann")) is None
    assert stage.derivations == 0
    changed = evolve(ANN.passwords[1], hash=make_hash(Secret(b"another"), SALT, CHEAP))
    assert stage.device(apop(b"of scanner"), evolve(ANN, passwords=(changed,))) is None


def test_an_unknown_name_has_as_much_unsealed_for_it_and_is_never_let_in() -> None:
    stage = Stage()
    for one, word in zip(ANN.passwords, (b"of ann", b"of scanner", b"of fax"), strict=True):
        stage.vault.put(apop_name(one.hash), Secret(word))
    stage.device(apop(b"wrong"))
    for_ann, stage.vault.asked = stage.vault.asked, []
    digest = Digest(b"nobody", TIMESTAMP, digest_of(TIMESTAMP, Secret(b"of ann")))

    assert now(stage.passwords.refuse(digest)) is None
    assert stage.vault.asked == for_ann


def test_a_vault_that_cannot_be_read_is_trouble_that_passes_and_no_wrong_password() -> None:
    stage = Stage()
    stage.vault.broken = True
    with pytest.raises(UpstreamUnavailable, match="try again later"):
        stage.device(apop(b"of ann"))


def test_two_hashes_of_one_password_have_different_salts() -> None:
    one, other = hashed(Secret(b"right")), hashed(Secret(b"right"))

    assert one != other
    assert parse_hash(one).salt != parse_hash(other).salt
    assert apop_name(parse_hash(one)) != apop_name(parse_hash(other))


def test_whose_password_the_vault_has_not_is_named() -> None:
    names = {apop_name(one.hash) for one in ANN.passwords}

    assert without_apop([ANN], ()) == ["ann", "ann (scanner)", "ann (fax)"]
    assert without_apop([ANN], names - {apop_name(ANN.passwords[2].hash)}) == ["ann (fax)"]
    assert without_apop([ANN], names) == []
