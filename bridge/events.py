"""Everything worth telling, as frozen values: one closed list that logs and counters read.

An event holds no password, no token and no text of a mail (S30). Names of logins are shown as the client
typed them, cleaned of control characters where they are printed.
"""

from collections.abc import Callable

from attrs import frozen

from bridge.names import SessionId


@frozen
class ListenerOpened:
    address: str
    tls: bool


@frozen
class CertificateMade:
    """A self-signed certificate is in use; `fingerprint` is its SHA-256, to be compared by whoever first trusts it."""

    path: str
    fingerprint: str


@frozen
class CertificateKept:
    """A renewed certificate cannot be used; the one before stays."""

    reason: str


@frozen
class ApopWithheld:
    """Some passwords are in the vault for APOP, and it is not offered all the same."""

    reason: str


@frozen
class SessionOpened:
    session: SessionId
    peer: str
    tls: bool


@frozen
class LoginSucceeded:
    session: SessionId
    login: str
    mechanism: str
    messages: int
    octets: int


@frozen
class LoginRefused:
    """`reason` is ours or upstream's, bounded; `temporary` says whether trying again may help."""

    session: SessionId
    login: str
    mechanism: str
    reason: str
    temporary: bool


@frozen
class SessionClosed:
    """The one line that a session leaves behind. Octets are those of messages sent, before dot-stuffing."""

    session: SessionId
    peer: str
    login: str | None
    tls: str | None
    how: str
    seconds: float
    retrieved: int
    topped: int
    octets: int
    marked: int
    deleted: int


@frozen
class DeletionRefused:
    session: SessionId
    login: str
    messages: int
    reason: str


@frozen
class DeletionsCarriedOut:
    """What QUIT had only promised is done; `account` here and below is the name under which its memory is kept."""

    account: str
    messages: int


@frozen
class DeletionsAbandoned:
    """Upstream refuses for good what QUIT had promised; the messages stay hidden from the login that deleted them."""

    account: str
    messages: int
    reason: str


@frozen
class SeenNotMarked:
    account: str
    messages: int
    reason: str


@frozen
class MailboxRenumbered:
    """Another mailbox, or another numbering, stands where one was remembered: of `before` messages so many were
    recognised. `asks`: too few, and logins are refused until the owner says go on.
    """

    account: str
    reason: str
    recognised: int
    before: int
    asks: bool


@frozen
class MessageLooping:
    """One login fetches one message over and over."""

    account: str
    uidl: str
    times: int


@frozen
class StateTroubled:
    """Something could not be stored; no promise depended on it."""

    reason: str


@frozen
class ConsentWanted:
    """No access token is to be had for this grant until a person has said yes again; nothing more is asked before."""

    grant: str
    reason: str


@frozen
class TokenDelayed:
    """An authorization server gave no access token; none is asked for in the next `seconds`."""

    grant: str
    reason: str
    seconds: float


@frozen
class CommandFailed:
    """What the owner wants run when consent is wanted did not run well."""

    grant: str
    reason: str


@frozen
class UpstreamLost:
    """An upstream connection ended while it was needed."""

    session: SessionId
    upstream: str
    reason: str


@frozen
class SourceAway:
    """A source cannot be reached, and what it listed last is served in its place."""

    account: str
    reason: str


@frozen
class QuirkMet:
    """A peer was met with a tolerance that has a name (see `imap/quirks` and `pop3/commands`)."""

    session: SessionId
    quirk: str


@frozen
class WireTraced:
    """One protocol line, only when the owner asked for a trace; credentials are blanked.

    `direction` is one of C S (downstream) c s (upstream).
    """

    session: SessionId
    direction: str
    line: str


@frozen
class BugMet:
    """An exception that nobody foresaw; `traceback` is for the log alone."""

    session: SessionId
    traceback: str


Event = (
    ListenerOpened
    | CertificateMade
    | CertificateKept
    | ApopWithheld
    | SessionOpened
    | LoginSucceeded
    | LoginRefused
    | SessionClosed
    | DeletionRefused
    | DeletionsCarriedOut
    | DeletionsAbandoned
    | SeenNotMarked
    | MailboxRenumbered
    | MessageLooping
    | StateTroubled
    | ConsentWanted
    | TokenDelayed
    | CommandFailed
    | UpstreamLost
    | SourceAway
    | QuirkMet
    | WireTraced
    | BugMet
)

Emit = Callable[[Event], None]
