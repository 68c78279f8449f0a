"""A UIDL that was given stays in the table, whatever becomes of its message."""

import pytest

from bridge.maildrop.memory import News
from bridge.state import sql_sources, sql_uidls
from bridge.state.store import UidlTaken
from tests.state.rows import KEY, memory, rows, with_source


def test_what_a_message_had_before_stays_taken() -> None:
    db = with_source((1, 2), News(given={1: "a"}, computed=["7.2"]))
    sql_sources.import_uidls(db, KEY, 1, {1: "A", 2: "B"})
    assert rows(db, "SELECT uidl, uid, gone FROM uidl ORDER BY uidl") == [
        ("7.2", 2, 1),
        ("A", 1, 0),
        ("B", 2, 0),
        ("a", 1, 1),
    ]
    assert sql_uidls.stored(db, 1, 1) == {1: "A", 2: "B"}


def test_what_is_taken_is_found_among_many() -> None:
    many = {uid: f"u{uid}" for uid in range(1, 2001)}
    db = with_source(range(1, 2001), News(given=many))
    new = memory(range(1, 4001), version=1)
    with pytest.raises(UidlTaken) as refused:
        sql_sources.remember(db, KEY, new, News(given={uid: f"u{uid - 1999}" for uid in range(2001, 4001)}))
    assert len(refused.value.uidls) == 1999  # all but "u2001"


def test_a_wild_uidl_is_only_text() -> None:
    wild = "';--\"\\%_"
    db = with_source((1,), News(given={1: wild}))
    with pytest.raises(UidlTaken) as refused:
        sql_sources.remember(db, KEY, memory((1, 2), version=1), News(given={2: wild}))
    assert refused.value.uidls == {wild}
