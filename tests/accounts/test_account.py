"""An account is a value: two sessions of one login mean the same account."""

from bridge.accounts.account import folded
from bridge.accounts.directory import Directory
from bridge.config import PassThrough, Upstream

ENTRY = PassThrough(upstream=Upstream("imap", "tls", "imap.example.org", 993))


def test_the_same_login_is_the_same_account() -> None:
    directory = Directory((ENTRY,))

    assert directory.find(b"ann") == directory.find(b"ann")
    assert directory.find(b"ann") != directory.find(b"bob")


def test_guesses_at_a_login_are_counted_in_whatever_case_it_is_typed() -> None:
    directory = Directory((ENTRY,))
    names = [directory.find(login) for login in (b"ann@b\xc3\xbccher", b"Ann@B\xc3\x9cCHER", b"bob", b"\xff", b"\xfe")]

    first, same, *others = [account.guessed for account in names if account is not None]
    assert first == same
    assert len({first, *others}) == 4
    assert folded(b"x" * 65536).isascii()
    assert len(folded(b"x" * 65536)) == 64  # what is remembered of a thousand guesses takes little memory
