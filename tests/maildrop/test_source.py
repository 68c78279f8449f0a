"""The seam itself holds nothing but shapes; the contract suite in tests/contracts holds their meaning."""

from bridge.maildrop.source import Deletion


def test_a_deletion_without_trouble_needs_no_reason() -> None:
    done = Deletion(asked=3)
    assert (done.done, done.why_not) == (3, "")


def test_what_is_left_is_not_done() -> None:
    assert Deletion(3, frozenset({8}), "busy").done == 2
