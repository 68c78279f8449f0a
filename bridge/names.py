"""The identifiers of the field as types, so that one cannot be taken for another."""

from collections.abc import Iterable, Iterator
from typing import NewType

from attrs import frozen

MessageNumber = NewType("MessageNumber", int)
"""1..n in one POP3 session (RFC 1939's message-number). Never an IMAP sequence number."""

SequenceNumber = NewType("SequenceNumber", int)
"""1..EXISTS in one IMAP connection; it moves with every EXPUNGE, so it never names a message (S1)."""

Uid = NewType("Uid", int)
"""IMAP's unique identifier, 1..2^32-1, within one mailbox and UIDVALIDITY."""

UidValidity = NewType("UidValidity", int)
Uidl = NewType("Uidl", str)
"""1..70 characters of A-Z a-z 0-9 . - _ in our own formats, 0x21-0x7E in compatibility ones (S2)."""

AccountName = NewType("AccountName", str)
SourceName = NewType("SourceName", str)
"""Which of an account's sources."""

ALONE = SourceName("")
"""That of pass-through, which has one."""

SessionId = NewType("SessionId", str)
"""Names one POP3 session in every log line about it."""


@frozen
class SourceKey:
    """Under which a source's memory is kept."""

    account: AccountName
    source: SourceName = ALONE

    @property
    def label(self) -> str:
        """As a person is told of it."""
        return f"{self.account}/{self.source}" if self.source else str(self.account)


def to_ranges(uids: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Ascending, distinct (first, last) pairs that cover exactly these numbers."""
    ordered = sorted(set(uids))
    if not ordered:
        return
    first = last = ordered[0]
    for number in ordered:
        if number > last + 1:
            yield first, last
            first = number
        last = number
    yield first, last


def uid_set(uids: Iterable[int]) -> str:
    """IMAP's sequence-set for these UIDs, such as "1:4,7" (RFC 9051, section 9). Empty for none."""
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in to_ranges(uids))
