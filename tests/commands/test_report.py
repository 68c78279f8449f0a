"""The report names what was not recognised, and never rounds a doubt away."""

from bridge.commands.comparison import compare
from bridge.commands.old_message import OldMessage
from bridge.commands.report import report
from tests.commands.house import House, done, old


def said(house: House, messages: list[OldMessage]) -> list[str]:
    found = done(compare(house.account, house.store, house.source, messages, house.terminal.terminal()))
    report(found, house.account, house.terminal.terminal())
    return house.terminal.said


def test_all_that_an_owner_must_know_before_he_says_yes() -> None:
    house = House(["one", "two", "three"])
    house.source.messages[3].deleted = True
    messages = [*old(["one", "lost"]), OldMessage(uidl="b\u00e4d\x1b"), OldMessage(uidl="x"), OldMessage(uidl="x")]

    assert said(house, messages) == [
        "old server: 5 messages",
        "upstream imaps://imap.example.org:993/INBOX: 3 messages, 1 of them hidden from POP3",
        "recognised: 1 of 5 (20.0 %)",
        f"not found upstream: 1: old-lost ({messages[1].size} octets)",
        "with a UIDL that POP3 does not allow, left out: 1: b?d?",
        "with a UIDL that the old server gives to several, left out: 2: x, x",
        "upstream only: 2; they have the UIDLs that the bridge gives them",
    ]


def test_nearly_all_is_not_all() -> None:
    names = [f"m{n}" for n in range(3000)]
    house = House(names[:2999])

    assert "recognised: 2,999 of 3,000 (99.9 %)" in said(house, old(names))
