"""An account is a value: two sessions of one login mean the same account."""

import attrs

from bridge.accounts.account import Account, OwnLogin, folded
from bridge.accounts.directory import Directory
from bridge.config import OwnAccount, OwnSource, PassThrough, Reference, Upstream
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Memory
from bridge.names import AccountName, SourceKey, UidValidity

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


def own(*names: str, uidl: str = "bridge") -> tuple[Account, ...]:
    sources = tuple(
        OwnSource(upstream=ENTRY.upstream, name=name, login=name, secret=Reference("env", "X"), uidl=uidl)
        for name in names
    )
    found = Directory((), (OwnAccount(user="Alice@B", source=sources),)).find(b"Alice@b")
    assert isinstance(found, OwnLogin)
    return found.sources


def remembered(account: Account) -> Memory:
    return Memory(place="p", listing=Listing(UidValidity(7)), template=account.uidl_format(None).template)


def test_uidls_of_the_first_source_have_no_tag_and_the_others_have() -> None:
    first, second = own("work", "home")

    assert first.uidl_format(None).uidl(UidValidity(7), 1) == "00000007-00000001"
    assert second.uidl_format(None).uidl(UidValidity(7), 1) == "home.00000007-00000001"
    assert (first.label, second.label, first.user) == ("Alice@b/work", "Alice@b/home", "Alice@b")


def test_in_another_order_each_source_keeps_the_uidls_that_it_has() -> None:
    for account, before in zip(reversed(own("home", "work")), own("work", "home"), strict=True):
        memory = remembered(before)
        assert account.source == before.source
        assert account.uidl_format(memory).template == memory.template
        assert account.uidl_format(None).template != memory.template


def test_another_format_is_the_owners_word_also_for_what_is_remembered() -> None:
    memory = remembered(own("work", "home")[1])
    assert own("work", "home", uidl="uw")[1].uidl_format(memory).uidl(UidValidity(7), 1) == "home.0000000700000001"


def test_pass_through_has_neither_tag_nor_origin_line_and_fails_with_its_upstream() -> None:
    account = Directory((ENTRY,)).find(b"ann")
    assert isinstance(account, Account)
    assert account.uidl_format(None).uidl(UidValidity(7), 1) == "00000007-00000001"
    assert (account.origin_header, account.is_remembered, account.user) == (None, False, "ann")
