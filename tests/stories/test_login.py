"""Who gets in, and what everybody else is told: [AUTH] only for what was truly refused (S23, S27; faults 16, 20)."""

import base64
from collections.abc import Iterator
from pathlib import Path
from random import randrange
from time import monotonic

import pytest

from tests.peers.bridge import Bridge, bridge
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.hoodiecrow import TRASH, Hoodiecrow
from tests.peers.servers.imap_server import Mailbox
from tests.stories.conftest import BridgeTo
from tests.stories.pop3 import Pop3, Refused, opened

pytestmark = pytest.mark.story

MESSAGE = b"Subject: hello\r\n\r\nhello\r\n"


@pytest.fixture
def guarded(dovecot_server: Dovecot, tmp_path: Path) -> Iterator[Bridge]:
    """A bridge of the test's own: it remembers who failed."""
    with bridge(tmp_path, upstream=dovecot_server) as running:
        yield running


HASTY = """
[[listener]]
pop3 = "127.0.0.1:{port}"
[[passthrough]]
upstream = "imap://127.0.0.1:%d"
[timeouts]
refused_login_delay = "0.1s"
"""


@pytest.fixture(scope="module")
def hasty(dovecot_server: Dovecot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """It refuses without the usual delay."""
    with bridge(tmp_path_factory.mktemp("hasty"), config=HASTY % dovecot_server.port) as running:
        yield running


def somewhere() -> str:
    """An address nobody has failed from yet."""
    return f"127.{randrange(1, 255)}.{randrange(255)}.{randrange(1, 255)}"


def encoded(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


PASSWORDS = {
    "blank": "two words",
    "blanks": "  leading, two  within and trailing  ",
    "quotes": 'say "hello" and \\"bye\\"',
    "backslashes": "\\a\\\\b\\",
    "quote-last": 'end"',
    "literal": "{5}",
    "literal-plus": "pass{5+}",
    "literal-last": "x {1000000}",
    "percent": "100%s %d %% %u",
    "parentheses": "(a) NIL [b] *",
    "star": "*",
    "tilde": "~{12}",
    "umlauts": "Grüße",
    "japanese": "パスワード",
    "nothing special": "x",
    # Dovecot 2.3 takes 8,192 octets of base64.
    "6,000 octets": "0123456789abcde " * 375,
    "6,000 octets not ASCII": "ä" * 3000,
}
EIGHT_KIB = "0123456789abcdef" * 512


@pytest.mark.parametrize("kind", PASSWORDS)
@pytest.mark.parametrize("way", ["USER", "PLAIN", "PLAIN at once", "LOGIN"])
def test_any_password_gets_in_by_any_way(kind: str, way: str, dovecot_server: Dovecot, bridge_to: BridgeTo) -> None:
    mailbox = dovecot_server.new_mailbox(PASSWORDS[kind])
    user, password = mailbox.user.encode(), PASSWORDS[kind].encode()
    with Pop3(bridge_to(dovecot_server).port) as client:
        match way:
            case "USER":
                client.do(f"USER {mailbox.user}")
                client.do(f"PASS {PASSWORDS[kind]}")
            case "PLAIN":
                assert client.ask("AUTH PLAIN") == b"+ "
                client.do(encoded(b"\0" + user + b"\0" + password))
            case "PLAIN at once":
                client.do("AUTH PLAIN " + encoded(b"\0" + user + b"\0" + password))
            case "LOGIN":
                assert base64.b64decode(client.ask("AUTH LOGIN").removeprefix(b"+ ")).lower().startswith(b"user")
                assert base64.b64decode(client.ask(encoded(user)).removeprefix(b"+ ")).lower().startswith(b"pass")
                client.do(encoded(password))
        assert client.count() == 0


class LongWord(Hoodiecrow):
    """Its user has the password that Dovecot, Cyrus and Courier are all too small for."""

    password = EIGHT_KIB


@pytest.mark.slow
def test_a_password_of_8_kib_where_upstream_takes_it(tmp_path: Path) -> None:
    server = LongWord(tmp_path, (), TRASH)
    try:
        with bridge(tmp_path, upstream=server) as running, opened(running.port, server) as client:
            assert client.count() == 0
    finally:
        server.stop()


def test_a_password_too_long_for_upstream_is_not_called_wrong(dovecot_server: Dovecot, bridge_to: BridgeTo) -> None:
    mailbox = dovecot_server.new_mailbox(EIGHT_KIB)
    with pytest.raises(Refused, match=r"-ERR \[SYS/TEMP\] upstream closed the connection"):
        opened(bridge_to(dovecot_server).port, mailbox)


def test_a_password_of_other_octets_than_utf_8(dovecot_server: Dovecot, bridge_to: BridgeTo) -> None:
    """Old programs send Latin-1; what arrives goes upstream as it is, and only the right octets get in."""
    mailbox = dovecot_server.new_mailbox()
    password = "Grüße".encode("latin-1")
    line = f"{mailbox.user}:{{PLAIN.b64}}{encoded(password)}::::::\n"
    dovecot_server._file(f"users/{mailbox.user}", line.encode())
    with Pop3(bridge_to(dovecot_server).port) as client:
        client.do(f"USER {mailbox.user}")
        client.send(b"PASS " + password + b"\r\n")
        assert client.line().startswith(b"+OK")


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_bearer_token_is_handed_on(
    mechanism: str, at_once: bool, dovecot_server: Dovecot, bridge_to: BridgeTo
) -> None:
    mailbox = dovecot_server.new_mailbox()
    mailbox.seed([MESSAGE])
    with Pop3(bridge_to(dovecot_server).port) as client:
        response = bearer(mechanism, mailbox.user, dovecot_server.token(mailbox.user))
        if at_once:
            client.do(f"AUTH {mechanism} {response}")
        else:
            assert client.ask(f"AUTH {mechanism}") == b"+ "
            client.do(response)
        assert client.retr(1) == MESSAGE


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize("fault", ["run out", "of somebody else", "garbage"])
def test_a_bad_token_is_refused_in_the_mechanism_s_own_way(
    mechanism: str, fault: str, dovecot_server: Dovecot, hasty: Bridge
) -> None:
    """First a challenge with the error (RFC 7628, section 3.2.3), then, answered, -ERR [AUTH]."""
    mailbox = dovecot_server.new_mailbox()
    token = {
        "run out": dovecot_server.token(mailbox.user, seconds=-60),
        "of somebody else": dovecot_server.token("user"),
        "garbage": "bm90IGEgdG9rZW4",
    }[fault]
    with Pop3(hasty.port, source=somewhere()) as client:
        challenge = client.ask(f"AUTH {mechanism} {bearer(mechanism, mailbox.user, token)}")
        assert b"status" in base64.b64decode(challenge.removeprefix(b"+ "))
        assert client.ask("AQ==" if mechanism == "OAUTHBEARER" else "").startswith(b"-ERR [AUTH]")
        client.do(f"AUTH {mechanism} {bearer(mechanism, mailbox.user, dovecot_server.token(mailbox.user))}")


def bearer(mechanism: str, user: str, token: str) -> str:
    if mechanism == "XOAUTH2":
        return encoded(f"user={user}\1auth=Bearer {token}\1\1".encode())
    return encoded(f"n,a={user},\1auth=Bearer {token}\1\1".encode())


def test_a_wrong_password_is_refused_late_and_the_third_ends_the_connection(mailbox: Mailbox, guarded: Bridge) -> None:
    times = []
    with Pop3(guarded.port) as client:
        for word in ("wrong", "also wrong", "wrong again"):
            client.do(f"USER {mailbox.user}")
            start = monotonic()
            assert client.ask(f"PASS {word}").startswith(b"-ERR [AUTH]")
            times.append(monotonic() - start)
        assert client.ended()
    assert min(times) >= 2
    print(f"refused after {', '.join(f'{seconds:.2f}' for seconds in times)} s")


def test_a_wrong_password_then_the_right_one(mailbox: Mailbox, hasty: Bridge) -> None:
    mailbox.seed([MESSAGE])
    with Pop3(hasty.port, source=somewhere()) as client:
        client.do(f"USER {mailbox.user}")
        assert client.ask("PASS wrong").startswith(b"-ERR [AUTH]")
        client.log_in(mailbox)
        assert client.retr(1) == MESSAGE


def test_nobody_learns_whether_a_name_exists(mailbox: Mailbox, hasty: Bridge) -> None:
    """The same reply to a wrong password and to an unknown name."""
    replies = set()
    for user in (mailbox.user, "no-such-user"):
        with Pop3(hasty.port, source=somewhere()) as client:
            replies.add((client.ask(f"USER {user}"), client.ask("PASS wrong")))
    assert len(replies) == 1, replies


@pytest.mark.slow
def test_guessing_gets_slower_and_the_owner_still_gets_in(
    mailbox: Mailbox, dovecot_server: Dovecot, tmp_path: Path
) -> None:
    """Each further guess waits for its turn; upstream is asked no faster than that (S23)."""
    with bridge(tmp_path, upstream=dovecot_server) as running:
        opened(running.port, mailbox).quit()  # known here
        start = monotonic()
        for number in range(4):
            with Pop3(running.port) as client:
                client.do(f"USER {mailbox.user}")
                assert client.ask(f"PASS guess {number}").startswith(b"-ERR [AUTH]")
        guessed = monotonic() - start
        with opened(running.port, mailbox) as client:
            assert client.count() == 0
    print(f"four guesses one after the other took {guessed:.1f} s")
    assert guessed >= 8


@pytest.mark.parametrize(
    "login",
    [b"user\rname", b"user\nname", b"user\0name"],
)
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "XOAUTH2"])
def test_nothing_that_breaks_a_line_goes_upstream(
    login: bytes, mechanism: str, dovecot_server: Dovecot, hasty: Bridge
) -> None:
    """CR, LF or NUL inside a name or a password is refused here (S27)."""
    before = dovecot_server.log()
    with Pop3(hasty.port, source=somewhere()) as client:
        match mechanism:
            case "PLAIN":
                line = client.ask("AUTH PLAIN " + encoded(b"\0" + login + b"\0x"))
            case "LOGIN":
                client.ask("AUTH LOGIN " + encoded(login))
                line = client.ask(encoded(b"x"))
            case _:
                line = client.ask("AUTH XOAUTH2 " + encoded(b"user=" + login + b"\1auth=Bearer x\1\1"))
    assert line.startswith(b"-ERR"), line
    assert b"name" not in dovecot_server.log().encode()[len(before) :]


# Configuration files.

GLOBS = """
state = "memory:"
[[listener]]
pop3 = "127.0.0.1:{port}"
[[passthrough]]
users = "*@local.example"
login = "{local}"
upstream = "imap://127.0.0.1:%(port)d"
[[passthrough]]
users = "*@trash.example"
login = "{local}"
upstream = "imap://127.0.0.1:%(port)d/Trash"
[[passthrough]]
users = "user*"
upstream = "imap://127.0.0.1:%(port)d"
"""


def test_the_first_entry_that_fits_decides(mailbox: Mailbox, dovecot_server: Dovecot, tmp_path: Path) -> None:
    """{local} is the part before the last @, {user} all of it; a mailbox other than INBOX is a path of the URL."""
    mailbox.seed([MESSAGE])
    mailbox.seed([MESSAGE] * 3, "Trash")
    counts = {}
    with bridge(tmp_path, config=GLOBS % {"port": dovecot_server.port}) as running:
        for login in (f"{mailbox.user}@local.example", f"{mailbox.user}@TRASH.example", mailbox.user):
            with Pop3(running.port) as client:
                client.do(f"USER {login}")
                client.do(f"PASS {mailbox.password}")
                counts[login.partition("@")[2]] = client.count()
        with Pop3(running.port) as client:
            client.do("USER nobody@elsewhere.example")
            assert client.ask(f"PASS {mailbox.password}").startswith(b"-ERR [AUTH]"), "no entry takes it"
    assert counts == {"local.example": 1, "TRASH.example": 3, "": 1}


def test_master_users_only_where_the_owner_allows_them(
    mailbox: Mailbox, dovecot_server: Dovecot, tmp_path: Path
) -> None:
    """Dovecot's "user*master" opens anybody's mailbox; it does not even go upstream (S22)."""
    with bridge(tmp_path, upstream=dovecot_server) as running, Pop3(running.port) as client:
        client.do(f"USER {mailbox.user}*user")
        with pytest.raises(Refused, match=r"-ERR \[AUTH\]"):
            client.do(f"PASS {mailbox.password}")
    assert f"{mailbox.user}*user" not in dovecot_server.log()


def test_no_password_and_no_mail_is_in_the_log(dovecot_server: Dovecot, tmp_path: Path) -> None:
    """Not even with --trace, and not of those who failed either (S30; fault 20)."""
    secret, wrong, text = "tr0mbone-secret", "w0mbat-wrong", "xyl0phone-text"
    mailbox = dovecot_server.new_mailbox(secret)
    mailbox.seed([f"Subject: {text}\r\n\r\n{text}\r\n".encode()])
    token = dovecot_server.token(mailbox.user)
    with bridge(tmp_path, "--trace", upstream=dovecot_server) as running:
        with Pop3(running.port) as client:
            client.do(f"USER {mailbox.user}")
            assert client.ask(f"PASS {wrong}").startswith(b"-ERR")
            plain = encoded(f"\0{mailbox.user}\0{secret}".encode())
            client.do(f"AUTH PLAIN {plain}")
            assert text.encode() in client.retr(1)
            assert text.encode() in client.top(1, 0)
            client.quit()
        with Pop3(running.port) as client:
            client.do(f"AUTH XOAUTH2 {bearer('XOAUTH2', mailbox.user, token)}")
            client.quit()
        with opened(running.port, mailbox) as client:
            client.quit()
        log = running.log()
    assert "RETR" in log.upper(), "the trace is there"
    for hidden in (secret, wrong, text, token, plain, encoded(secret.encode())):
        assert hidden not in log
