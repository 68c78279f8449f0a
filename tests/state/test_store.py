"""The seam holds nothing but shapes; the contract suite in tests/contracts holds their meaning."""

from bridge.state.store import UidlTaken


def test_a_refusal_names_no_uidl_in_the_log_but_has_them() -> None:
    refusal = UidlTaken(frozenset({"a", "b"}))
    assert str(refusal) == "2 UIDLs are taken"
    assert refusal.uidls == {"a", "b"}
