"""A UIDL once computed or stored is never another message's, and every message may have its own again."""

from collections.abc import Mapping

from bridge.state.computed import Computed, Known, Owner, Wish, taken

NOW = Computed("inbox", 2, "{uidvalidity}.{uid}", 8, 20)
BEFORE = Computed("inbox", 1, "{uidvalidity}.{uid}", 7, 10)
UID_ONLY = Computed("work", 1, "UID{uid}", 5, 30)


def asked(
    *,
    given: Mapping[int, str] | None = None,
    carried: Mapping[int, str] | None = None,
    computed: tuple[str, ...] = (),
    stored: Mapping[str, Owner[str]] | None = None,
    exempt: frozenset[int] = frozenset(),
) -> frozenset[str]:
    """With message 10 gone in the incarnation before."""
    wish = Wish("inbox", 2, NOW, given or {}, carried or {}, computed, before=1)
    known = Known(stored or {}, [BEFORE, UID_ONLY], lambda _: exempt, listed=range(1, 10))
    return taken(wish, known)


def test_of_a_computed_uidl_the_message_is_known() -> None:
    assert [NOW.uid(uidl) for uidl in ("8.1", "8.20", "8.21", "7.1", "8.01", "8.0x1", "", "x")] == [1, 20, *[0] * 6]
    assert [UID_ONLY.uid(uidl) for uidl in ("UID30", "UID31", "30")] == [30, 0, 0]
    assert NOW.uidl(20) == "8.20"


def test_what_nobody_had_is_free() -> None:
    assert asked(given={1: "a", 2: "7.11"}, carried={3: "b"}, computed=("8.4", "UID31")) == frozenset()


def test_what_was_computed_for_others_is_taken() -> None:
    assert asked(given={1: "7.1", 2: "UID1"}, computed=("7.2", "UID2")) == {"7.1", "UID1", "7.2", "UID2"}


def test_a_message_with_a_stored_uidl_never_had_the_computed_one() -> None:
    assert asked(given={1: "7.1", 2: "7.2"}, exempt=frozenset({1})) == {"7.2"}


def test_only_a_listed_message_of_the_incarnation_before_hands_its_uidl_on() -> None:
    assert asked(carried={1: "7.1", 2: "7.10", 3: "UID3"}) == {"7.10", "UID3"}
    owners = {
        "a": Owner("inbox", 1, 1),
        "b": Owner("inbox", 1, 2, present=False),
        "c": Owner("work", 1, 3),
        "d": Owner("inbox", 3, 4),
    }
    assert asked(carried={1: "a", 2: "b", 3: "c", 4: "d"}, stored=owners) == {"b", "c", "d"}


def test_a_messages_own_is_never_taken() -> None:
    owners = {"a": Owner("inbox", 2, 1, present=False), "8.2": Owner("inbox", 2, 2)}
    assert asked(given={1: "a"}, computed=("8.2",), stored=owners) == frozenset()
    assert asked(given={2: "a"}, computed=("8.2", "8.1"), stored=owners) == {"a"}
    assert asked(computed=("8.2",), stored={"8.2": Owner("inbox", 2, 3)}) == {"8.2"}


def test_nothing_is_given_twice_at_once() -> None:
    assert asked(given={1: "a", 2: "a"}, carried={3: "b"}, computed=("b", "c")) == {"a", "b"}
