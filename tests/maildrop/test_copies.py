"""Of one message in several mailboxes the first is shown; two messages are never taken for one without a reason."""

from collections.abc import Mapping

import pytest
from attrs import evolve

from bridge.maildrop.copies import Identity, Mailbox, Sieve, identity
from bridge.maildrop.memory import Fingerprint
from bridge.names import SourceName

ONE = Fingerprint(b"one", b"header", "")
GMAIL = "imaps://imap.gmail.example ann"


def known(server: str = "", stable_id: str = "", *, message_id: bytes = b"one", size: int = 10) -> Identity:
    return identity(server, size, Fingerprint(message_id, b"header", stable_id))


def mailbox(name: str, messages: Mapping[int, Identity], server: str = "") -> Mailbox:
    return Mailbox(name=SourceName(name), server=server, messages=messages)


def shown(*mailboxes: Mailbox, before: Mapping[bytes, SourceName] | None = None) -> list[tuple[str, int]]:
    """Asked in the order of the mailboxes."""
    sieve = Sieve(mailboxes, before or {})
    return [
        (box.name, uid) for place, box in enumerate(mailboxes) for uid in box.messages if not sieve.is_copy(place, uid)
    ]


def test_the_same_message_id_and_size_in_two_mailboxes_is_one_message() -> None:
    assert shown(mailbox("a", {1: known()}), mailbox("b", {7: known()})) == [("a", 1)]


@pytest.mark.parametrize("other", [known(size=11), known(message_id=b"other"), known(message_id=b"")])
def test_another_id_or_size_is_another_message(other: Identity) -> None:
    assert len(shown(mailbox("a", {1: known()}), mailbox("b", {1: other}))) == 2


def test_what_has_no_message_id_is_like_nothing() -> None:
    nothing = known(message_id=b"")
    assert nothing.known == []
    assert len(shown(mailbox("a", {1: nothing}), mailbox("b", {1: nothing}))) == 2


def test_two_in_one_mailbox_are_two() -> None:
    assert len(shown(mailbox("a", {1: known(), 2: known()}))) == 2


def test_the_servers_id_decides_between_mailboxes_of_one_account_there() -> None:
    inbox = mailbox("inbox", {1: known(GMAIL, "M1"), 2: known(GMAIL, "M2")}, GMAIL)
    every = mailbox("all", {5: known(GMAIL, "M1", size=99), 6: known(GMAIL, "M3"), 7: known(GMAIL, "M2")}, GMAIL)

    assert shown(inbox, every) == [("inbox", 1), ("inbox", 2), ("all", 6)]


def test_the_same_id_at_another_server_means_nothing() -> None:
    here = mailbox("a", {1: known(GMAIL, "M1")}, GMAIL)
    there = mailbox("b", {1: known("elsewhere", "M1", message_id=b"other")}, "elsewhere")

    assert len(shown(here, there)) == 2


def test_between_servers_message_id_and_size_decide() -> None:
    here = mailbox("a", {1: known(GMAIL, "M1")}, GMAIL)

    assert shown(here, mailbox("b", {1: known("elsewhere", "M2")}, "elsewhere")) == [("a", 1)]
    assert shown(here, mailbox("b", {1: known()})) == [("a", 1)]
    assert shown(mailbox("b", {1: known()}), here) == [("b", 1)]


def test_what_was_shown_first_is_remembered_also_when_it_is_gone() -> None:
    first = mailbox("a", {1: known()})
    sieve = Sieve([first], {})
    assert not sieve.is_copy(0, 1)

    assert sieve.news == {known().by_content: "a"}
    assert shown(mailbox("b", {1: known()}), before=sieve.news) == []
    assert shown(mailbox("a", {2: known()}), before=sieve.news) == [("a", 2)]


def test_of_what_nothing_is_known_it_is_shown() -> None:
    sieve = Sieve([mailbox("a", {})], {})
    assert not sieve.is_copy(0, 1)
    assert sieve.news == {}


def test_an_id_needs_a_server() -> None:
    assert known("", "M1").by_server == b""
    assert identity(GMAIL, 1, evolve(ONE, stable_id="M1")) == identity(GMAIL, 1, evolve(ONE, stable_id="M1"))
