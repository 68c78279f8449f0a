"""Responses are plain values: equal when they say the same, and unchangeable."""

import attrs
import pytest

from bridge.imap.responses import Code, Copied, Exists, Fetched, Status, StatusKind


def test_values_compare_by_what_they_say() -> None:
    assert Status(StatusKind.OK, Code("UIDNEXT", 5), "x") == Status(StatusKind.OK, Code("UIDNEXT", 5), "x")
    assert Fetched(1, uid=2) != Fetched(1, uid=3)


def test_values_do_not_change() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Exists(1).count = 2  # type: ignore[misc]  # that is the point


def test_copyuid_can_be_taken_apart() -> None:
    uidvalidity, sources, targets = Copied(7, [1, 2], [5, 6])
    assert (uidvalidity, dict(zip(sources, targets, strict=True))) == (7, {1: 5, 2: 6})
