"""What can go wrong, in the user's words; each passing or lasting. `downstream/refusals` turns them into replies."""


class Trouble(Exception):
    """Something went wrong for the user. `str(trouble)` says what, and what to do about it.

    `temporary`: trying again later may help. `detail`: upstream's own words, foreign and unbounded by us,
    shown only after login and only behind our own text (S23).
    """

    temporary = True

    def __init__(self, text: str, *, detail: str = "") -> None:
        super().__init__(text)
        self.detail = detail


class Lasting(Trouble):
    """Trouble that stays until a person changes something."""

    temporary = False


class CredentialsRefused(Lasting):
    """Upstream refused the user name or password; nothing else is called so (S23)."""


class UpstreamUnavailable(Trouble):
    """Upstream could not be reached, was too slow, hung up or broke its protocol."""


class LoginsSlowed(UpstreamUnavailable):
    """So many logins failed lately that this one did not even reach upstream (S23)."""


class MaildropInUse(Trouble):
    """Another session has the maildrop open, and a POP3 server opens it for one at a time (RFC 1939, section 4).

    Said only to whoever has proved the password.
    """


class UpstreamUntrusted(Lasting):
    """Upstream did not prove who it is, or would take the password in clear: nothing was sent (S29)."""


class UpstreamUnsuitable(Lasting):
    """Upstream lacks what the account asks of it; the owner has to change one of the two."""


class ListingIncomplete(Trouble):
    """Upstream did not list everything it has; a shorter maildrop is never shown (S6)."""


class MailboxReplaced(Trouble):
    """UIDVALIDITY changed under an open session: its numbers mean nothing any more (S1)."""


class Renumbered(Lasting):
    """The mailbox was replaced upstream and too few messages could be recognised; the owner decides (S4)."""


class TooManyViews(Lasting):
    """A login asks for one more view of a mailbox than are remembered."""


class StateUnavailable(Trouble):
    """The bridge's own memory cannot be read or written now; nothing was promised on its account."""


class NoSuchMessage(Lasting):
    """The number is not in this maildrop."""


class MessageMarked(Lasting):
    """The message was deleted in this session."""


class MessageGone(Lasting):
    """The message vanished upstream; its number stays (S14)."""


class RetrievalRefused(Trouble):
    """Upstream would not give the message now; it is still there (S14)."""


class TooManyDeletions(Lasting):
    """More messages marked than `max_deletions` allows (S21)."""


class DeletionRefused(Trouble):
    """At QUIT: `refused` of `marked` messages were not deleted; the others were (S17).

    `confirmed=False`: nobody knows how many of them were, because upstream was lost or too slow meanwhile.
    """

    def __init__(
        self, refused: int, marked: int, why: str, *, temporary: bool, detail: str = "", confirmed: bool = True
    ) -> None:
        what = "messages not deleted" if confirmed else "deletions not confirmed"
        super().__init__(f"{refused} of {marked} {what}: {why}", detail=detail)
        self.refused = refused
        self.marked = marked
        self.why = why
        self.temporary = temporary
