"""The journal in the file is in the owner's words, and no entry's number is used twice."""

from math import inf

from bridge.maildrop.journal import Entry, Stage
from bridge.maildrop.retention import Policy
from bridge.state import sql_journal
from tests.state.rows import KEY, rows, with_source


def entry(uid: int) -> Entry:
    return Entry(viewer="v", incarnation=1, uid=uid, size=2**64 - 1, date=-1, policy=Policy.TRASH, stage=Stage.SENT)


def test_an_owner_reads_what_waits() -> None:
    db = with_source()
    sql_journal.write_down(db, KEY, [entry(1)], 1700000000.5)
    seen = rows(db, "SELECT viewer, uid, policy, stage, written FROM journal")
    assert seen == [("v", 1, "trash", "sent", 1700000000.5)]


def test_a_struck_entrys_number_is_never_anothers() -> None:
    db = with_source()
    numbers = set()
    for _ in range(3):
        written = sql_journal.write_down(db, KEY, [entry(1)], 1.0)
        numbers.add(written[0].id)
        sql_journal.strike(db, written)
    assert len(numbers) == 3


def test_any_size_that_a_server_may_say() -> None:
    db = with_source()
    written = sql_journal.write_down(db, KEY, [entry(1)], 1.0)
    assert sql_journal.journal(db, KEY, inf) == written
    assert written[0].size == 2**64 - 1
