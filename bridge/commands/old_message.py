"""One message as an old POP3 server, or a list made from one, names it: what is needed to find it again upstream."""

from attrs import frozen

from bridge.maildrop.memory import Fingerprint


@frozen(kw_only=True)
class OldMessage:
    """What is unknown is None. A list may name the message by its UID upstream, then nothing else is needed.

    `uidvalidity`: where it is known, the UID counts only under it (RFC 9051, section 2.3.1.1).
    """

    uidl: str
    size: int | None = None
    fingerprint: Fingerprint | None = None
    uid: int | None = None
    uidvalidity: int | None = None
