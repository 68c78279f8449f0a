"""A device has a policy and a view of its own, and what it does not say is as its account has it."""

from pathlib import Path
from typing import Any

import pytest

from bridge.config.devices import KEYS, as_seen_by
from bridge.config.structure import Rejected, structure
from bridge.config.values import Document
from bridge.passwords.scram import make_keys
from bridge.passwords.scrypt import Cost, make_hash
from bridge.secret import Secret

SALT, OTHER = b"s" * 16, b"t" * 16


def hashed(word: bytes, salt: bytes = SALT, log_n: int = 10) -> str:
    return str(make_hash(Secret(word), salt, Cost(log_n, 1, 1)))


def keys(word: bytes, salt: bytes = SALT) -> str:
    return str(make_keys(Secret(word), salt, 4096))


SOURCE = {"name": "work", "upstream": "imaps://imap.example.org", "login": "ann", "secret": "env:WORK"}


def document(source: dict[str, Any] | None = None, devices: Any = (), **account: Any) -> Document:
    entry = {"user": "ann", "source": [{**SOURCE, **(source or {})}], "device": list(devices), **account}
    tables = {"listener": [{"pop3": ":1110"}], "account": [entry]}
    return structure(tables, Path("/"))


def device(name: str = "scanner", **keys: Any) -> dict[str, Any]:
    return {"name": name, "password": hashed(b"of a device"), **keys}


def findings(*arguments: Any, **account: Any) -> dict[tuple[str | int, ...], str]:
    with pytest.raises(Rejected) as caught:
        document(*arguments, **account)
    assert all(wrong.remedy or wrong.write for _, wrong in caught.value.findings)
    return {path: wrong.text for path, wrong in caught.value.findings}


def seen(source: dict[str, Any], **keys: Any) -> Any:
    [account] = document(source, [device(**keys)]).account
    return as_seen_by(account.device[0], account.source[0])


def test_what_a_device_does_not_say_is_as_its_account_has_it() -> None:
    [account] = document({"delete": "trash", "trash": "Bin", "newest": 5}, [device()]).account

    assert as_seen_by(account.device[0], account.source[0]) == account.source[0]


def test_another_policy_takes_nothing_of_the_first_along() -> None:
    first = {"delete": "trash", "trash": "Bin", "after": "7d", "expunge_without_uidplus": True}
    mailbox = seen(first, delete="keep")

    assert (mailbox.delete, mailbox.trash, mailbox.after, mailbox.expunge_without_uidplus) == (
        "keep",
        None,
        None,
        False,
    )
    assert seen(first, delete="expunge").expunge_without_uidplus
    assert seen(first, delete="flag", purge="30d").expunge_without_uidplus
    assert seen(first, after="1d").trash == "Bin"


def test_another_way_of_marking_too() -> None:
    first = {"seen": "retrieved", "top_counts": True}

    assert not seen(first, seen="never").top_counts
    assert seen(first, seen="retrieved").top_counts


def test_every_key_reaches_the_source() -> None:
    mailbox = seen({}, delete="archive", archive="Old", seen="deleted", since="7d", newest=3, search="UNSEEN")

    assert (mailbox.archive, mailbox.seen, mailbox.since, mailbox.newest, mailbox.search) == (
        "Old",
        "deleted",
        7 * 86400,
        3,
        "UNSEEN",
    )
    assert seen({}, max_deletions=9).max_deletions == 9
    assert {"delete", "archive", "seen", "since", "newest", "search", "max_deletions"} < KEYS


def test_a_policy_that_the_source_cannot_keep_is_told_at_the_device() -> None:
    by_pop3 = {"upstream": "pop3s://pop.example.org"}

    assert "cannot do that" in findings(by_pop3, [device(delete="flag")])["account", 0, "device", 0, "delete"]
    assert ("account", 0, "device", 1, "trash") in findings({}, [device("a"), device("b", trash="Bin")])


def test_what_a_device_asks_to_be_remembered_needs_a_state() -> None:
    entry = {"user": "ann", "source": [SOURCE], "device": [device(delete="keep"), device("fax")]}
    with pytest.raises(Rejected) as caught:
        structure({"state": "memory:", "listener": [{"pop3": ":1110"}], "account": [entry]}, Path("/"))

    assert [path for path, _ in caught.value.findings] == [("account", 0, "device", 0, "delete")]


def test_an_account_needs_a_password_its_own_or_a_device_s() -> None:
    assert "no password" in findings()["account", 0, "password"]
    assert document({}, [device()]).account[0].password is None


def test_all_passwords_of_an_account_have_one_salt_and_one_cost() -> None:
    first = {"password": hashed(b"ann"), "scram": keys(b"ann")}

    assert document({}, [device(scram=keys(b"x"))], **first)
    for odd in (hashed(b"x", OTHER), hashed(b"x", log_n=11)):
        assert (
            "one salt"
            in findings({}, [{"name": "fax", "password": odd}], **first)["account", 0, "device", 0, "password"]
        )
    assert "one salt" in findings({}, [device(scram=keys(b"x", OTHER))], **first)["account", 0, "device", 0, "scram"]


def test_keys_without_a_password_belong_to_nobody() -> None:
    assert "no password" in findings({}, [device()], scram=keys(b"x"))["account", 0, "scram"]


def test_a_device_s_name_is_one_word_and_no_other_s() -> None:
    assert ("account", 0, "device", 1, "name") in findings({}, [device(), device()])
    assert ("account", 0, "device", 0, "name") in findings({}, [device("the scanner")])


@pytest.mark.parametrize("value", [None, 0, 1.5, True, "x", [], [1], {}])
def test_no_value_of_any_kind_is_more_than_a_mistake(value: object) -> None:
    for key in ("name", "password", "scram", *KEYS):
        try:
            document({}, [{**device(), key: value}])
        except Rejected as rejected:
            assert all(wrong.text and (wrong.remedy or wrong.write) for _, wrong in rejected.findings)
