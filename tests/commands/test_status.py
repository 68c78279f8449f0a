"""`popbridge status`: what is remembered, and what waits."""

import pytest

from bridge.commands.status import age, status
from bridge.config import PassThrough
from bridge.maildrop.journal import Entry, Stage
from bridge.maildrop.retention import Policy
from bridge.names import AccountName, SourceKey, SourceName
from tests.commands.house import UPSTREAM, House, done


def said(house: House) -> list[str]:
    lines: list[str] = []
    done(status(house.store, lines.append, house.now))
    return lines


def test_nothing_yet() -> None:
    assert said(House([])) == ["0 mailboxes remembered", "no deletions wait"]


def test_a_mailbox_and_its_waiting_deletions_are_named_with_their_age() -> None:
    house = House(["one", "two"])
    house.source.messages[1].deleted = True
    house.log_in()
    entry = Entry(viewer="", incarnation=1, uid=2, size=1, date=0, policy=Policy.FLAG)
    done(house.store.write_down(house.account.key, [entry]))
    house.now += 2 * 3600

    assert said(house) == [
        "1 mailbox remembered",
        "  imaps://imap.example.org:993/INBOX ann: 2 messages, 1 hidden",
        "1 deletion of imaps://imap.example.org:993/INBOX ann waits, the oldest for 2 hours",
    ]


def test_what_waits_for_its_purge_is_no_deletion_that_waits() -> None:
    house = House(["one", "two", "three"])
    house.log_in()
    entries = [Entry(viewer="", incarnation=1, uid=uid, size=1, date=0, policy=Policy.FLAG) for uid in (1, 2, 3)]
    written = done(house.store.write_down(house.account.key, entries))
    done(house.store.advance([entry._replace(stage=Stage.FLAGGED) for entry in written[:2]]))
    flagged = "2 flagged messages of imaps://imap.example.org:993/INBOX ann to be expunged later"

    assert said(house)[-2:] == [
        "1 deletion of imaps://imap.example.org:993/INBOX ann waits, the oldest for less than a second",
        flagged,
    ]
    done(house.store.strike(written[2:]))
    assert said(house)[-2:] == ["no deletions wait", flagged]


def test_a_mailbox_with_a_name_of_its_own_says_where_it_was_last_seen() -> None:
    house = House(["one"], PassThrough(upstream=UPSTREAM, name="mail"))
    house.log_in()

    assert said(house)[1] == "  mail ann: 1 message, last seen at imaps://imap.example.org:993/INBOX ann"


def test_a_renumbering_that_waits_is_named() -> None:
    house = House([f"m{n}" for n in range(20)])
    house.log_in()
    house.renumber()

    assert "renumbered upstream: UIDVALIDITY changed" in said(house)[2]
    assert said(house)[2].endswith("logins are refused until popbridge uidl accept")
    done(house.store.accept(house.account.key))
    assert said(house)[2].endswith("accepted, and taken at the next login")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "less than a second"), (1, "1 second"), (119, "1 minute"), (7200, "2 hours"), (3 * 86400, "3 days")],
)
def test_an_age_is_told_in_its_largest_unit(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_a_source_that_could_not_be_opened_is_named_with_its_reason() -> None:
    house = House([])
    key = SourceKey(AccountName("alice"), SourceName("work"))
    done(house.store.note_trouble(key, "imap.work.example refuses the password in vault:work"))
    house.now += 3 * 3600

    assert said(house)[1] == (
        "alice/work could not be opened since 3 hours: imap.work.example refuses the password in vault:work"
    )
    done(house.store.note_trouble(key, ""))
    assert len(said(house)) == 2
