"""The mailbox as the server tells it: counts follow the news, and silence is not zero."""

from bridge.imap.responses import Code, Exists, Expunged, Flags, Vanished
from bridge.names import SequenceNumber
from bridge.upstream.selected import Selected


def test_nothing_is_known_before_it_was_said() -> None:
    assert Selected().exists is None
    assert Selected().uidvalidity is None


def test_counts_follow_the_news() -> None:
    mailbox = Selected()

    assert mailbox.hear(Exists(5))
    assert mailbox.hear(Expunged(SequenceNumber(1)))
    assert (mailbox.exists, mailbox.changes) == (4, 1)
    assert mailbox.hear(Vanished([(7, 8), (10, 10)], earlier=False))
    assert (mailbox.exists, mailbox.changes) == (1, 2)
    assert not mailbox.hear(Flags(frozenset()))


def test_each_change_of_the_count_is_a_change_and_the_first_count_is_none() -> None:
    mailbox = Selected()
    for count, changes in ((5, 0), (5, 0), (6, 1), (6, 1), (5, 2)):
        assert mailbox.hear(Exists(count))
        assert mailbox.changes == changes


def test_what_vanished_before_select_is_no_news_and_not_counted_by_exists() -> None:
    mailbox = Selected(exists=5)

    assert not mailbox.hear(Vanished([(7, 9)], earlier=True))
    assert (mailbox.exists, mailbox.changes) == (5, 0)


def test_an_expunge_of_nothing_counts_nothing_below_zero() -> None:
    mailbox = Selected()
    mailbox.hear(Expunged(SequenceNumber(1)))
    mailbox.hear(Vanished([(1, 2**32 - 1)], earlier=False))

    assert mailbox.exists == 0


def test_codes_of_select_are_kept_and_others_are_not() -> None:
    mailbox = Selected()
    codes = (
        ("UIDVALIDITY", 7),
        ("UIDNEXT", 9),
        ("HIGHESTMODSEQ", 2**40),
        ("MAILBOXID", b"(F2212ea87-6097)"),
        ("PERMANENTFLAGS", frozenset({"\\Deleted"})),
        ("ALERT", b"x"),
    )
    for name, said in codes:
        mailbox.hear_code(Code(name, said))

    assert mailbox == Selected(None, 7, 9, frozenset({"\\deleted"}), 0, 2**40, "F2212ea87-6097")
