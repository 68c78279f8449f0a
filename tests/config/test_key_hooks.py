"""What a key does not take is told with what it does, and what a table leaves out comes from where it belongs."""

from pathlib import Path
from typing import Any

import pytest

from bridge.config.structure import Rejected, structure
from bridge.config.values import Document, OwnAccount, PassThrough
from tests.config.entries import ACCOUNT, PASSTHROUGH, SOURCE


def document(**entries: Any) -> Document:
    return structure({"listener": [{"pop3": ":1110"}], **entries}, Path("/"))


def passthrough(**keys: Any) -> PassThrough:
    [entry] = document(passthrough=[{**PASSTHROUGH, **keys}]).passthrough
    return entry


def account(*sources: dict[str, Any], **keys: Any) -> OwnAccount:
    [entry] = document(account=[{**ACCOUNT, **keys, "source": list(sources) or [SOURCE]}]).account
    return entry


def source(**keys: Any) -> OwnAccount:
    return account({**SOURCE, **keys})


@pytest.mark.parametrize(
    ("of", "key", "value", "says", "instead"),
    [
        (passthrough, "name", "my server", "1 to 64", "work"),
        (passthrough, "users", " ", "empty", "*"),
        (passthrough, "login", "{domain}", "braces", "{user}"),
        (passthrough, "archive", "", "not empty", "Trash"),
        (passthrough, "trash", "a\nb", "control", "Trash"),
        (passthrough, "search", "FROM {3}", "in quotes", "UNSEEN"),
        (passthrough, "search", 5, "text", "text"),
        (passthrough, "uidl", "nosuch", "nosuch", "bridge"),
        (passthrough, "pin", "12:34", "64 hex", "openssl"),
        (source, "name", "a b", "1 to 64", "work"),
        (source, "login", "", "not empty", "ann@example.org"),
        (source, "login", "ann\0", "control", "ann@example.org"),
        (source, "trash", "", "not empty", "Trash"),
        (source, "origin_header", "Subject", "begins with X-", "X-Source"),
        (source, "origin_header", "X-a: b", "no colon", "X-Source"),
        (account, "user", "", "not empty", "ann@example.org"),
        (account, "user", "\uff41nn", "another form", "ann"),
        (account, "user", "\u2168", "another form", "IX"),
        (account, "user", "\u034f", "another form", "ann"),
        (account, "user", "\u06271", "no mail program", "ann"),
    ],
)
def test_what_a_key_does_not_take_is_told_with_what_it_does(
    of: Any, key: str, value: object, says: str, instead: str
) -> None:
    with pytest.raises(Rejected) as caught:
        of(**{key: value})

    [wrong] = [wrong for path, wrong in caught.value.findings if path[-1] == key]
    assert (says in wrong.text, instead in (wrong.write or wrong.remedy)) == (True, True), wrong


def test_what_it_does_take_is_kept_as_written_but_for_the_form_of_a_fingerprint() -> None:
    entry = passthrough(
        name="work", users="*@a", login="{local}", search="UNSEEN", pin="SHA256=" + ":".join(["9F"] * 32)
    )

    assert (entry.name, entry.users, entry.login, entry.search) == ("work", "*@a", "{local}", "UNSEEN")
    assert entry.pin == "9f" * 32


def test_a_pop3_upstream_deletes_what_is_deleted_and_has_its_own_uidls() -> None:
    """Other defaults than those of IMAP, and the same where somebody writes them."""
    by_pop3 = {"upstream": "pop3s://pop.example.org"}

    assert (passthrough(**by_pop3).delete, passthrough(**by_pop3).uidl) == ("expunge", "upstream")
    written = passthrough(**by_pop3, delete="keep", uidl="upstream")
    assert (written.delete, written.uidl) == ("keep", "upstream")
    assert source(**by_pop3).source[0].uidl == "upstream"


def test_what_an_account_says_holds_for_its_source_but_where_that_says_otherwise() -> None:
    entry = account({**SOURCE, "delete": "hide"}, delete="trash", newest=5)
    [mailbox] = entry.source

    assert (entry.user, mailbox.login, mailbox.delete, mailbox.newest) == ("ann", "ann@work.example", "hide", 5)
    assert str(mailbox.secret) == "env:WORK"


def test_what_an_account_says_of_its_sources_holds_for_each() -> None:
    second = {**SOURCE, "name": "b", "upstream": "imaps://imap.b.example", "unavailable": "fail"}
    shared = {"unavailable": "remembered", "origin_header": "X-Source"}
    entry = account(SOURCE, {**second, "origin_header": "X-From"}, **shared, duplicates="hide")

    assert entry.duplicates == "hide"
    assert [(one.unavailable, one.origin_header) for one in entry.source] == [
        ("remembered", "X-Source"),
        ("fail", "X-From"),
    ]
