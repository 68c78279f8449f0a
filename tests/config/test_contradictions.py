"""Settings that cannot stand together are found; those that can are left alone."""

from pathlib import Path

import attrs
import pytest

from bridge.config.contradictions import check_listener, check_passthrough, contradictions
from bridge.config.notation import parse_endpoint, parse_upstream
from bridge.config.problems import WrongValue
from bridge.config.values import Document, Listener, PassThrough

ENTRY = PassThrough(upstream=parse_upstream("imaps://imap.example.org"))


def taken(one: str, other: str) -> bool:
    listeners = (Listener(pop3=parse_endpoint(one)), Listener(pop3s=parse_endpoint(other)))
    return ("listener", 1, "pop3s") in dict(contradictions(Document(listener=listeners, passthrough=(ENTRY,))))


def test_addresses_are_compared_as_the_system_would() -> None:
    for one, other in (("127.0.0.1:1", "0.0.0.0:1"), (":1", "[::1]:1"), ("[::]:1", "[::1]:1"), ("127.0.0.1:1",) * 2):
        assert taken(one, other)
        assert taken(other, one)
    for one, other in (("127.0.0.1:1", "127.0.0.2:1"), ("0.0.0.0:1", "[::]:1"), ("127.0.0.1:0", "127.0.0.1:0")):
        assert not taken(one, other)


def test_a_listener_needs_one_address_and_may_have_two() -> None:
    both = Listener(pop3=parse_endpoint(":110"), pop3s=parse_endpoint(":995"))
    assert check_listener(both) == both
    with pytest.raises(WrongValue):
        check_listener(Listener())


def test_the_upstream_is_told_that_clear_text_was_accepted() -> None:
    entry = PassThrough(upstream=parse_upstream("imap://imap.example.org"), cleartext=True)

    assert check_passthrough(entry).upstream.cleartext
    with pytest.raises(WrongValue, match=r"imap\.example\.org in clear"):
        check_passthrough(attrs.evolve(entry, cleartext=False))


def test_clear_text_to_this_machine_needs_no_word() -> None:
    for host in ("127.0.0.1", "[::1]", "localhost"):
        check_passthrough(PassThrough(upstream=parse_upstream(f"imap://{host}")))


def test_a_trash_mailbox_or_a_dangerous_expunge_needs_a_policy_that_uses_it() -> None:
    for unused in (attrs.evolve(ENTRY, trash="Bin"), attrs.evolve(ENTRY, expunge_without_uidplus=True)):
        with pytest.raises(WrongValue):
            check_passthrough(unused)
        assert check_passthrough(attrs.evolve(unused, delete="trash"))
    assert check_passthrough(attrs.evolve(ENTRY, expunge_without_uidplus=True, purge=60.0))
    assert check_passthrough(attrs.evolve(ENTRY, delete="archive", archive="Old", expunge_without_uidplus=True))


def test_one_name_may_stand_for_one_upstream_with_several_patterns() -> None:
    def misnamed(*entries: PassThrough) -> list[int | str]:
        listener = Listener(pop3=parse_endpoint(":110"))
        found = contradictions(Document(listener=(listener,), passthrough=entries))
        return [path[1] for path, _ in found if path[-1] == "name"]

    other = attrs.evolve(ENTRY, upstream=parse_upstream("imaps://mail.example.org"), users="*@b")
    first, second = attrs.evolve(ENTRY, name="work", users="*@a"), attrs.evolve(ENTRY, name="work")
    assert misnamed(first, second) == []
    assert misnamed(first, attrs.evolve(other, name="home"), attrs.evolve(ENTRY, users="*@c"), other) == []
    assert misnamed(first, attrs.evolve(other, name="work"), second) == [1]


def test_without_a_store_nothing_is_promised_that_must_be_remembered() -> None:
    def forgotten(entry: PassThrough, state: Path | None = None) -> list[int | str]:
        listener = Listener(pop3=parse_endpoint(":110"))
        return [
            path[-1] for path, _ in contradictions(Document(state=state, listener=(listener,), passthrough=(entry,)))
        ]

    plain = attrs.evolve(ENTRY, delete="trash", seen="deleted", max_deletions=5, uidl="dovecot", renumbered="accept")
    demanding = attrs.evolve(
        ENTRY, delete="keep", since=60.0, newest=5, search="UNSEEN", login_views=True, uidl="courier-old"
    )
    assert forgotten(plain) == []
    assert forgotten(attrs.evolve(ENTRY, uidl="upstream")) == [], "they are the same tomorrow"
    assert forgotten(demanding, Path("x")) == []
    assert forgotten(demanding) == ["delete", "since", "newest", "search", "login_views", "uidl"]
    assert forgotten(attrs.evolve(ENTRY, after=60.0, purge=60.0)) == ["after", "purge"]


def test_a_pin_and_an_authority_are_one_too_many() -> None:
    with pytest.raises(WrongValue):
        check_passthrough(attrs.evolve(ENTRY, ca=Path("/ca.pem"), pin="9f" * 32))


def test_narrow_patterns_before_wide_ones_are_all_reached() -> None:
    def unreached(*patterns: str) -> list[int | str]:
        entries = tuple(attrs.evolve(ENTRY, users=pattern) for pattern in patterns)
        listener = Listener(pop3=parse_endpoint(":110"))
        return [path[1] for path, _ in contradictions(Document(listener=(listener,), passthrough=entries))]

    assert unreached("*@a", "ann@*", "*") == []
    assert unreached("*@a", "*", "*@b") == [2]
    assert unreached("*@a", "*@b", "*@a") == [2]
