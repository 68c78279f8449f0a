"""An account is a value: two sessions of one login mean the same account."""

from bridge.accounts.directory import Directory
from bridge.config import PassThrough, Upstream

ENTRY = PassThrough(upstream=Upstream("imap", "tls", "imap.example.org", 993))


def test_the_same_login_is_the_same_account() -> None:
    directory = Directory((ENTRY,))

    assert directory.find(b"ann") == directory.find(b"ann")
    assert directory.find(b"ann") != directory.find(b"bob")
