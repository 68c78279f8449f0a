"""One message in several mailboxes: which of them is shown, and which are copies of it that stay hidden.

A server's own id (EMAILID, X-GM-MSGID) decides between mailboxes of one account there; anything else Message-ID and
size together. Two messages in one mailbox are never copies: whoever put both there wanted both.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from attrs import field, frozen

from bridge.maildrop.memory import Fingerprint
from bridge.names import SourceName


@frozen
class Identity:
    """Hashes of 16 octets; b"" where a message has no such id."""

    by_server: bytes
    by_content: bytes

    @property
    def known(self) -> list[bytes]:
        return [each for each in (self.by_server, self.by_content) if each]


def identity(server: str, size: int, fingerprint: Fingerprint) -> Identity:
    """`server`: within which ids mean something, "" where they mean nothing elsewhere. `size`: RFC822.SIZE."""
    stable, message = fingerprint.stable_id, fingerprint.message_id
    return Identity(
        _hashed(f"{server} {stable}".encode("utf-8", "surrogateescape")) if server and stable else b"",
        _hashed(b"%d " % size + message) if message else b"",
    )


@frozen(kw_only=True)
class Mailbox:
    """`server` as for `identity`; `messages` by UID."""

    name: SourceName
    server: str
    messages: Mapping[int, Identity]


@frozen
class Sieve:
    """Asked about one new message after the other, in the order of their numbers.

    `shown`: of which source the message was by which each of these ids was seen first; what is shown now is added to
    `news`.
    """

    mailboxes: Sequence[Mailbox]
    shown: Mapping[bytes, SourceName]
    news: dict[bytes, SourceName] = field(factory=dict)

    def is_copy(self, source: int, uid: int) -> bool:
        mailbox = self.mailboxes[source]
        message = mailbox.messages.get(uid)
        if message is None:
            return False
        if self._is_elsewhere(message.by_server, mailbox) or self._is_alike(message, mailbox):
            return True
        for known in message.known:
            self.news.setdefault(known, mailbox.name)
        return False

    def _is_elsewhere(self, known: bytes, mailbox: Mailbox) -> bool:
        return self._first(known) not in {None, mailbox.name}

    def _is_alike(self, message: Identity, mailbox: Mailbox) -> bool:
        """Between mailboxes where ids decide, other ids mean another message."""
        if not self._is_elsewhere(message.by_content, mailbox):
            return False
        first = self._first(message.by_content)
        beside = any(other.name == first and other.server == mailbox.server for other in self.mailboxes)
        return not (message.by_server and beside)

    def _first(self, known: bytes) -> SourceName | None:
        return self.shown.get(known, self.news.get(known))


def _hashed(octets: bytes) -> bytes:
    return blake2b(octets, digest_size=16).digest()
