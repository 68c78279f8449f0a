"""An account is a value: two sessions of one login mean the same account."""

import attrs

from bridge.accounts.account import Account, folded
from bridge.accounts.directory import Directory
from bridge.config import PassThrough, Upstream
from bridge.names import AccountName, SourceKey

ENTRY = PassThrough(upstream=Upstream("imap", "tls", "imap.example.org", 993))


def test_the_same_login_is_the_same_account() -> None:
    directory = Directory((ENTRY,))

    assert directory.find(b"ann") == directory.find(b"ann")
    assert directory.find(b"ann") != directory.find(b"bob")


def test_guesses_at_a_login_are_counted_in_whatever_case_it_is_typed() -> None:
    directory = Directory((ENTRY,))
    names = [directory.find(login) for login in (b"ann@b\xc3\xbccher", b"Ann@B\xc3\x9cCHER", b"bob", b"\xff", b"\xfe")]

    first, same, *others = [account.guessed for account in names if isinstance(account, Account)]
    assert first == same
    assert len({first, *others}) == 4
    assert folded(b"x" * 65536).isascii()
    assert len(folded(b"x" * 65536)) == 64  # what is remembered of a thousand guesses takes little memory


def test_what_is_kept_is_kept_by_account_and_what_is_listed_belongs_to_a_place() -> None:
    account = Directory((attrs.evolve(ENTRY, name="work"),)).find(b"ann b")

    assert isinstance(account, Account)
    assert account.key == SourceKey(AccountName("work ann%20b"))
    assert account.place == "imaps://imap.example.org:993/INBOX ann%20b"


def test_no_view_and_no_mailbox_gives_another_guess() -> None:
    directory = Directory((attrs.evolve(ENTRY, login_views=True),))
    logins = (b"ann", b"recent:Ann", b"ann#as=a", b"ann#mailbox=A", b"ann#mailbox=B,as=b")
    accounts = [directory.find(login) for login in logins]

    assert len({account.guessed for account in accounts if isinstance(account, Account)}) == 1
    assert (
        len({account.name for account in accounts if isinstance(account, Account)}) == 4
    )  # ann, Ann, and the mailboxes A and B
