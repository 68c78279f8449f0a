"""The mailbox as the server tells it: counts follow the news, and silence is not zero."""

from bridge.imap.responses import Code, Exists, Expunged, Flags, Vanished
from bridge.names import SequenceNumber
from bridge.upstream.selected import Selected


def test_nothing_is_known_before_it_was_said() -> None:
    assert Selected().exists is None
    assert Selected().uidvalidity is None


def test_counts_follow_the_news() -> None:
    mailbox = Selected()

    assert mailbox.hear(Exists(2))
    assert mailbox.hear(Expunged(SequenceNumber(1)))
    assert mailbox.hear(Vanished([(7, 9)], earlier=True))
    assert (mailbox.exists, mailbox.expunges) == (1, 1)
    assert mailbox.hear(Vanished([(7, 7)], earlier=False))
    assert mailbox.expunges == 2
    assert not mailbox.hear(Flags(frozenset()))


def test_an_expunge_of_nothing_counts_nothing_below_zero() -> None:
    mailbox = Selected()
    mailbox.hear(Expunged(SequenceNumber(1)))

    assert mailbox.exists == 0


def test_codes_of_select_are_kept_and_others_are_not() -> None:
    mailbox = Selected()
    codes = (("UIDVALIDITY", 7), ("UIDNEXT", 9), ("PERMANENTFLAGS", frozenset({"\\Deleted"})), ("ALERT", b"x"))
    for name, said in codes:
        mailbox.hear_code(Code(name, said))

    assert mailbox == Selected(None, 7, 9, frozenset({"\\deleted"}), 0)
