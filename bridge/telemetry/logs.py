"""What the owner reads afterwards: one line a session, and one for each thing that went wrong.

No line holds a secret or a mail's text; foreign text cannot forge a line or a field of one, and no line is endless.
"""

from typing import assert_never

from twisted.logger import Logger

from bridge.events import (
    ApopWithheld,
    BugMet,
    CertificateKept,
    CertificateMade,
    CommandFailed,
    ConsentWanted,
    DeletionRefused,
    DeletionsAbandoned,
    DeletionsCarriedOut,
    Event,
    ListenerOpened,
    LoginRefused,
    LoginSucceeded,
    MailboxRenumbered,
    MessageLooping,
    QuirkMet,
    SeenNotMarked,
    SessionClosed,
    SessionOpened,
    SourceAway,
    StateTroubled,
    TokenDelayed,
    UpstreamLost,
    WireTraced,
)

LONGEST_TEXT = 500
LONGEST_TRACEBACK = 20_000


class LogReader:
    """Takes every event; `trace` lets protocol lines and named tolerances through."""

    def __init__(self, log: Logger, *, trace: bool) -> None:
        self._log = log
        self._trace = trace

    def __call__(self, event: Event) -> None:  # noqa: PLR0915  # one case an event reads better whole
        match event:
            case ListenerOpened():
                self._log.info("{line}", line=f"listening on {shown(event.address)}{' with TLS' if event.tls else ''}")
            case CertificateMade():
                self._log.info(
                    "{line}", line=f"self-signed certificate {shown(event.path)}, SHA-256 {event.fingerprint}"
                )
            case CertificateKept():
                self._log.warn("{line}", line=f"the certificate before stays in use: {shown(event.reason)}")
            case ApopWithheld():
                self._log.warn("{line}", line=f"APOP is not offered: {shown(event.reason)}")
            case SessionOpened() | LoginSucceeded():
                pass  # the session's one line comes when it ends
            case SessionClosed():
                self._log.info("{line}", line=_session_line(event))
            case LoginRefused():
                kind = "for now" if event.temporary else "for good"
                self._warn(event, f"login refused {kind}", login=event.login, by=event.mechanism, why=event.reason)
            case DeletionRefused():
                self._warn(event, f"{event.messages} messages not deleted", login=event.login, why=event.reason)
            case DeletionsCarriedOut():
                self._log.info(
                    "{line}", line=f"account {shown(event.account)}: {event.messages} promised deletions are done"
                )
            case DeletionsAbandoned():
                self._account(event.account, f"{event.messages} promised deletions are given up", why=event.reason)
            case SeenNotMarked():
                self._account(event.account, f"{event.messages} messages not marked as read", why=event.reason)
            case MailboxRenumbered():
                what = f"mailbox renumbered upstream, {event.recognised} of {event.before} messages recognised"
                asks = {"remedy": "popbridge uidl show, then popbridge uidl accept"} if event.asks else {}
                self._account(event.account, what, why=event.reason, **asks)
            case MessageLooping():
                self._account(event.account, f"one message retrieved {event.times} times by one login", uidl=event.uidl)
            case StateTroubled():
                self._log.warn("{line}", line=f"state not stored: {shown(event.reason)}")
            case ConsentWanted():
                remedy = f"popbridge authorise {event.grant}"
                self._grant(event.grant, "the provider wants consent again", why=event.reason, remedy=remedy)
            case TokenDelayed():
                self._grant(
                    event.grant, f"no access token, none is asked for in {event.seconds:.0f} s", why=event.reason
                )
            case CommandFailed():
                self._grant(event.grant, "the command for missing consent failed", why=event.reason)
            case UpstreamLost():
                self._warn(event, "upstream lost", upstream=event.upstream, why=event.reason)
            case SourceAway():
                self._account(event.account, "out of reach, its last listing is served", why=event.reason)
            case QuirkMet():
                if self._trace:
                    self._log.info("{line}", line=f"session {event.session}: tolerated {shown(event.quirk)}")
            case WireTraced():
                if self._trace:
                    self._log.info("{line}", line=f"session {event.session}: {event.direction}: {_clean(event.line)}")
            case BugMet():
                text = "\n".join(map(_clean, event.traceback[-LONGEST_TRACEBACK:].splitlines()))
                self._log.critical(
                    "{line}", line=f"session {event.session}: a fault in the bridge, please report:\n{text}"
                )
            case _:
                assert_never(event)

    def _account(self, account: str, what: str, **fields: str) -> None:
        self._log.warn("{line}", line=f"account {shown(account)}: {what}: {_fields(fields)}")

    def _grant(self, grant: str, what: str, **fields: str) -> None:
        self._log.warn("{line}", line=f"oauth2 {shown(grant)}: {what}: {_fields(fields)}")

    def _warn(self, event: LoginRefused | DeletionRefused | UpstreamLost, what: str, **fields: str) -> None:
        self._log.warn("{line}", line=f"session {event.session}: {what}: {_fields(fields)}")


def _fields(fields: dict[str, str]) -> str:
    return " ".join(f"{name}={shown(text)}" for name, text in fields.items())


def shown(text: str) -> str:
    """Foreign text in quotes, so that a login with blanks or quotes stays one field."""
    escaped = _clean(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _clean(text: str) -> str:
    """Nothing that moves a cursor, ends a line, or turns the reading direction."""
    cut = text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"
    return cut if cut.isprintable() else "".join(c if c.isprintable() else "?" for c in cut)


def _session_line(event: SessionClosed) -> str:
    login = "none" if event.login is None else shown(event.login)
    return (
        f"session {event.session}: peer={shown(event.peer)} login={login} tls={shown(event.tls or 'none')}"
        f" how={shown(event.how)} seconds={event.seconds:.1f} retrieved={event.retrieved} topped={event.topped}"
        f" octets={event.octets} marked={event.marked} deleted={event.deleted}"
    )
