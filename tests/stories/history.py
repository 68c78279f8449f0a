"""All that POP3 sessions ever showed of one account, and what may never be true of it (S2).

A UIDL names one message for ever: whenever it is shown again, it is shown with the same octets.
"""

from tests.stories.pop3 import Pop3


class History:
    def __init__(self) -> None:
        self.octets: dict[str, bytes] = {}
        """By UIDL, of every message that was ever listed."""
        self.listings: list[list[str]] = []
        """The UIDLs of each session in the order of their numbers."""

    def look(self, client: Pop3) -> dict[str, bytes]:
        """Everything that this session lists, read whole; in its order."""
        uidls = client.uidls()
        assert list(uidls) == list(range(1, len(uidls) + 1)), "numbers without gaps"
        assert len(set(uidls.values())) == len(uidls), "one UIDL, two messages in one listing"
        shown = dict(zip(uidls.values(), client.retr_all(uidls), strict=True))
        for uidl, octets in shown.items():
            assert self.octets.setdefault(uidl, octets) == octets, f"{uidl} was another message before"
        self.listings.append(list(shown))
        return shown
