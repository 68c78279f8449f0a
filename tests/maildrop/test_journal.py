"""An entry is a value: what it says of a message does not change behind anybody's back."""

import pytest

from bridge.maildrop.journal import Entry, Stage
from bridge.maildrop.retention import Policy


def test_an_entry_is_written_before_it_is_anything_else_and_due_at_once() -> None:
    entry = Entry(viewer="", incarnation=1, uid=7, size=100, date=5, policy=Policy.FLAG)
    assert (entry.id, entry.stage, entry.due, entry.modseq) == (0, Stage.WRITTEN, 0.0, 0)


def test_an_entry_does_not_change() -> None:
    entry = Entry(viewer="", incarnation=1, uid=7, size=100, date=5, policy=Policy.FLAG)
    with pytest.raises(AttributeError):
        entry.uid = 8  # type: ignore[misc]  # the very thing that must fail
