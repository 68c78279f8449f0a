"""Every tolerance has a name, and says where it was seen."""

from bridge.imap.quirks import Quirk, ignore


def test_each_quirk_says_what_and_where() -> None:
    for quirk in Quirk:
        what, _, where = quirk.value.partition(";")
        assert what, quirk
        assert where.strip(), quirk


def test_names_and_texts_are_distinct() -> None:
    assert len({quirk.value for quirk in Quirk}) == len(list(Quirk.__members__))


def test_nobody_need_listen() -> None:
    for quirk in Quirk:
        ignore(quirk)
