"""The log has one line a session, one for each trouble, and nothing in it that a stranger could have written whole."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.logger import Logger, LogLevel, formatEvent

from bridge.events import (
    ApopWithheld,
    BugMet,
    CertificateKept,
    CertificateMade,
    CommandFailed,
    ConsentWanted,
    DeletionRefused,
    Event,
    ListenerOpened,
    LoginRefused,
    LoginSucceeded,
    QuirkMet,
    SessionClosed,
    SessionOpened,
    SourceAway,
    TokenDelayed,
    UpstreamLost,
    WireTraced,
)
from bridge.names import SessionId
from bridge.pop3.server import Server
from bridge.telemetry.logs import LogReader, shown

S = SessionId("5e55")
CLOSED = SessionClosed(
    session=S, peer="192.0.2.1", login="ann@example.org", tls="TLSv1.3", how="QUIT", seconds=2.345,
    retrieved=3, topped=2, octets=4711, marked=1, deleted=1,
)  # fmt: skip


def lines(*events: Event, trace: bool = False) -> list[tuple[LogLevel, str]]:
    seen: list[dict[str, Any]] = []
    reader = LogReader(Logger("test", observer=seen.append), trace=trace)  # type: ignore[arg-type]  # a list's method does
    for event in events:
        reader(event)
    return [(record["log_level"], formatEvent(record)) for record in seen]


def test_a_session_leaves_one_line() -> None:
    opened = SessionOpened(S, "192.0.2.1", tls=True)
    succeeded = LoginSucceeded(S, "ann@example.org", "PLAIN", 3, 4711)

    expected = (
        'session 5e55: peer="192.0.2.1" login="ann@example.org" tls="TLSv1.3" how="QUIT" seconds=2.3'
        " retrieved=3 topped=2 octets=4711 marked=1 deleted=1"
    )
    assert lines(opened, succeeded, CLOSED) == [(LogLevel.info, expected)]


def test_a_session_that_never_logged_in_says_so() -> None:
    closed = SessionClosed(S, "::1", None, None, "the client left", 0.0, 0, 0, 0, 0, 0)

    assert "login=none" in lines(closed)[0][1]
    assert 'tls="none"' in lines(closed)[0][1]
    assert 'login="none"' not in lines(closed)[0][1]  # nobody can be called that and look the same


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            LoginRefused(S, "ann", "USER", "wrong password", temporary=False),
            'session 5e55: login refused for good: login="ann" by="USER" why="wrong password"',
        ),
        (
            LoginRefused(S, "ann", "PLAIN", "upstream is down", temporary=True),
            'session 5e55: login refused for now: login="ann" by="PLAIN" why="upstream is down"',
        ),
        (
            DeletionRefused(S, "ann", 3, "read-only"),
            'session 5e55: 3 messages not deleted: login="ann" why="read-only"',
        ),
        (
            UpstreamLost(S, "imaps://h:993/INBOX", "reset"),
            'session 5e55: upstream lost: upstream="imaps://h:993/INBOX" why="reset"',
        ),
        (
            SourceAway("alice/work", "no answer"),
            'account "alice/work": out of reach, its last listing is served: why="no answer"',
        ),
    ],
)
def test_what_goes_wrong_is_a_warning(event: Event, line: str) -> None:
    assert lines(event) == [(LogLevel.warn, line)]


def test_certificates_are_told_with_what_a_person_compares() -> None:
    assert lines(CertificateMade("/x.pem", "AB:CD"), CertificateKept("no key")) == [
        (LogLevel.info, 'self-signed certificate "/x.pem", SHA-256 AB:CD'),
        (LogLevel.warn, 'the certificate before stays in use: "no key"'),
    ]


def test_apop_that_is_not_offered_is_told_with_the_reason() -> None:
    assert lines(ApopWithheld("no password of ann")) == [(LogLevel.warn, 'APOP is not offered: "no password of ann"')]


def test_a_listener_is_told() -> None:
    assert lines(ListenerOpened("[::]:995", tls=True)) == [(LogLevel.info, 'listening on "[::]:995" with TLS')]


def test_a_fault_of_ours_comes_with_its_traceback() -> None:
    [(level, text)] = lines(BugMet(S, "Traceback:\n  File x\nKeyError: \x1b[31m'a'"))

    assert level is LogLevel.critical
    assert text.split("\n")[1:] == ["Traceback:", "  File x", "KeyError: ?[31m'a'"]


def test_protocol_lines_and_quirks_are_there_only_where_asked_for() -> None:
    events = WireTraced(S, "C", "USER ann"), QuirkMet(S, "TRAILING_BLANK")

    assert lines(*events) == []
    assert [text for _, text in lines(*events, trace=True)] == [
        "session 5e55: C: USER ann",
        'session 5e55: tolerated "TRAILING_BLANK"',
    ]


@given(st.text())
@example('\\" how=\\')
def test_foreign_text_never_makes_a_line_or_a_field_of_its_own(text: str) -> None:
    for event in (
        LoginRefused(S, text, text, text, temporary=False),
        UpstreamLost(S, text, text),
        SessionClosed(S, text, text, text, text, 0.0, 0, 0, 0, 0, 0),
        WireTraced(S, "C", text),
    ):
        [(_, line)] = lines(event, trace=True)
        assert line.isprintable()
        assert line.startswith("session 5e55: ")
    inner = shown(text)[1:-1]
    assert '"' not in inner.replace("\\\\", "").replace('\\"', "")


def test_no_line_is_endless() -> None:
    [(_, line)] = lines(LoginRefused(S, "a" * 10**6, "b" * 10**6, '"' * 10**6, temporary=False))
    assert len(line) < 3000
    [(_, bug)] = lines(BugMet(S, "x\n" * 10**6))
    assert len(bug) < 30_000


PASSWORDS = st.binary(min_size=4, max_size=40).map(lambda octets: b"Pw%" + octets.translate(None, b"\r\n"))
CASES = st.sampled_from([bytes.upper, bytes.lower, bytes.title, bytes.swapcase])


@given(
    PASSWORDS,
    CASES,
    st.sampled_from([b"", b" ", b"\t"]),
    st.sampled_from([b" ", b"  ", b"\t", b""]),
    st.integers(1, 60),
)
@example(b"Pw% with blanks", bytes.lower, b"", b" ", 7)
def test_no_password_is_in_a_trace_however_a_client_sends_it(
    password: bytes, case: Callable[[bytes], bytes], before: bytes, between: bytes, size: int
) -> None:
    """A trace shows requests as the POP3 island read them; what is no request at all is not repeated."""
    encoded, plain = base64.b64encode(password), base64.b64encode(b"\0ann\0" + password)
    sent = b"\r\n".join(
        [
            before + case(b"user") + b" ann",
            before + case(b"pass") + between + password,
            before + case(b"apop") + b" ann" + between + password,
            before + case(b"auth") + b" plain" + between + plain,
            before + case(b"auth") + between + case(b"login") + b" " + encoded,
            before + case(b"xpass") + between + password,
            *(password, encoded, plain, b""),
        ]
    )
    server = Server(mechanisms=("PLAIN",), implementation="x", stls=False, secure=True, cleartext=False)
    traced = ""
    for start in range(0, len(sent), size):
        server.receive(sent[start : start + size])
        while (request := server.next_request()) is not None:
            traced += "".join(text for _, text in lines(WireTraced(S, "C", repr(request)), trace=True))
    assert "User(name=b'ann')" in traced
    for secret in (password, encoded, plain, b"Pw%"):
        assert secret.decode("latin-1") not in traced


def test_braces_in_foreign_text_are_no_template() -> None:
    assert 'why="{line} {0} {"' in lines(UpstreamLost(S, "u", "{line} {0} {"))[0][1]


def test_what_is_wrong_with_a_grant_says_what_to_run_and_cannot_forge_a_line() -> None:
    """The reason is the provider's text."""
    [wanted, delayed, failed] = lines(
        ConsentWanted("work", 'invalid_grant (x"\nforged)'),
        TokenDelayed("work", "down", 4.2),
        CommandFailed("work", "1"),
    )
    level, line = wanted
    assert level == LogLevel.warn
    assert line == (
        'oauth2 "work": the provider wants consent again: '
        'why="invalid_grant (x\\"?forged)" remedy="popbridge authorise work"'
    )
    assert delayed[1] == 'oauth2 "work": no access token, none is asked for in 4 s: why="down"'
    assert failed[1] == 'oauth2 "work": the command for missing consent failed: why="1"'
