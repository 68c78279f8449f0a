"""Sets of UIDs as IMAP writes them, and sources as people do."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.names import AccountName, SourceKey, SourceName, to_ranges, uid_set


def test_neighbours_become_ranges() -> None:
    assert uid_set([7, 1, 3, 2, 2]) == "1:3,7"
    assert uid_set([5]) == "5"
    assert uid_set([]) == ""


@given(st.sets(st.integers(1, 2**32 - 1)) | st.sets(st.integers(1, 60)))
def test_ranges_cover_exactly_what_was_given(uids: set[int]) -> None:
    ranges = list(to_ranges(uids))
    assert {uid for first, last in ranges for uid in range(first, last + 1)} == uids
    # As few as can be: between two ranges at least one number is missing.
    assert all(ranges[i][1] + 1 < ranges[i + 1][0] for i in range(len(ranges) - 1))


def test_a_source_is_called_by_its_account_and_its_name() -> None:
    assert SourceKey(AccountName("alice"), SourceName("work")).label == "alice/work"
    assert SourceKey(AccountName("imaps://h ann")).label == "imaps://h ann"
