"""The seam itself holds nothing but shapes; the contract suite in tests/contracts holds their meaning."""

from bridge.maildrop.source import Deletion


def test_a_deletion_without_trouble_needs_no_reason() -> None:
    assert Deletion(asked=3, done=3).why_not == ""
