# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""Logging in upstream: with what the server offers, and a wrong password told apart from a server in trouble (S23)."""

import base64

from bridge.imap.responses import StatusKind
from bridge.maildrop.errors import (
    CredentialsRefused,
    Trouble,
    UpstreamUnavailable,
    UpstreamUnsuitable,
)
from bridge.sasl import Credentials
from bridge.secret import Secret
from tests.upstream.mailserver import BARE, DOVECOT, Store
from tests.upstream.network import NetworkTestCase
from tests.upstream.scripted import Scripted
from tests.upstream.session import ALICE, Session

OPENED = """
    C: SELECT "INBOX"
    C: UID FETCH 1:* (UID RFC822.SIZE FLAGS INTERNALDATE)
    S: * 0 EXISTS
    S: * OK [UIDVALIDITY 7]
    S: . OK
    S: . OK
"""
TOKEN = Credentials(b"alice", Secret(b"t0ken"), "XOAUTH2", bearer=True)


def encoded(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


PLAIN = encoded(b"\0alice\0wonder")
XOAUTH2 = encoded(b"user=alice\1auth=Bearer t0ken\1\1")


class Case(NetworkTestCase):
    def play(self, script: str, credentials: Credentials = ALICE) -> Session:
        """The script up to the login; the mailbox is opened behind it."""
        self.server = Scripted(script + OPENED)
        session = Session(answering=lambda: self.server, credentials=credentials)
        session.list()
        self.assertTrue(self.server.over, self.server.left)
        return session

    def refuse(self, script: str, credentials: Credentials = ALICE) -> Trouble:
        self.server = Scripted(script)
        session = Session(answering=lambda: self.server, credentials=credentials)
        running = session.network.start(session.source.list())
        session.network.wait(31)
        trouble = running.trouble()
        assert isinstance(trouble, Trouble), repr(trouble)
        self.assertTrue(self.server.over, self.server.left)
        self.assertEqual(session.network.open, 0)
        return trouble


class MechanismTest(Case):
    def test_plain_in_one_step(self) -> None:
        self.play(f"""
            S: * OK [CAPABILITY {BARE} SASL-IR AUTH=PLAIN] hello
            C: AUTHENTICATE PLAIN {PLAIN}
            S: . OK [CAPABILITY {BARE}] in
        """)

    def test_login_where_nothing_else_is_offered(self) -> None:
        self.play(f"""
            S: * OK [CAPABILITY {BARE}] hello
            C: LOGIN "alice" "wonder"
            S: . OK [CAPABILITY {BARE}] in
        """)

    def test_plain_in_two_steps_where_login_is_disabled(self) -> None:
        self.play(f"""
            S: * OK [CAPABILITY {BARE} LOGINDISABLED AUTH=PLAIN] hello
            C: AUTHENTICATE PLAIN
            S: +{" "}
            C-raw: {PLAIN}
            S: . OK [CAPABILITY {BARE}] in
        """)

    def test_the_login_mechanism_where_login_is_disabled(self) -> None:
        self.play(f"""
            S: * OK [CAPABILITY {BARE} LOGINDISABLED AUTH=LOGIN] hello
            C: AUTHENTICATE LOGIN
            S: + VXNlcm5hbWU6
            C-raw: {encoded(b"alice")}
            S: + UGFzc3dvcmQ6
            C-raw: {encoded(b"wonder")}
            S: . OK [CAPABILITY {BARE}] in
        """)

    def test_a_server_that_asks_a_third_time_gets_no_answer(self) -> None:
        self.refuse(f"""
            S: * OK [CAPABILITY {BARE} LOGINDISABLED AUTH=LOGIN] hello
            C: AUTHENTICATE LOGIN
            S: +{" "}
            C-raw: {encoded(b"alice")}
            S: +{" "}
            C-raw: {encoded(b"wonder")}
            S: +{" "}
            C-raw: *
            S: . BAD cancelled
        """)

    def test_a_challenge_to_plain_gets_no_second_password(self) -> None:
        self.refuse(f"""
            S: * OK [CAPABILITY {BARE} SASL-IR AUTH=PLAIN] hello
            C: AUTHENTICATE PLAIN {PLAIN}
            S: + AAAA
            C-raw:{" "}
            S: . NO [AUTHENTICATIONFAILED] wrong
        """)

    def test_a_token(self) -> None:
        self.play(
            f"""
            S: * OK [CAPABILITY {BARE} SASL-IR AUTH=PLAIN AUTH=XOAUTH2] hello
            C: AUTHENTICATE XOAUTH2 {XOAUTH2}
            S: . OK [CAPABILITY {BARE}] in
            """,
            TOKEN,
        )

    def test_a_token_in_the_way_the_server_knows(self) -> None:
        self.play(
            f"""
            S: * OK [CAPABILITY {BARE} SASL-IR AUTH=OAUTHBEARER] hello
            C: AUTHENTICATE OAUTHBEARER …
            S: . OK [CAPABILITY {BARE}] in
            """,
            TOKEN,
        )

    def test_a_refused_token_is_told_in_a_challenge(self) -> None:
        for mechanism, answer in (("XOAUTH2", ""), ("OAUTHBEARER", encoded(b"\1"))):
            trouble = self.refuse(
                f"""
                S: * OK [CAPABILITY {BARE} SASL-IR AUTH={mechanism}] hello
                C: AUTHENTICATE {mechanism} …
                S: + {encoded(b'{"status":"401"}')}
                C-raw: {answer}
                S: . NO [AUTHENTICATIONFAILED] expired
                """,
                TOKEN,
            )
            self.assertIsInstance(trouble, CredentialsRefused)

    def test_a_token_is_never_sent_as_a_password(self) -> None:
        trouble = self.refuse(f"S: * OK [CAPABILITY {DOVECOT}] hello", TOKEN)
        self.assertIsInstance(trouble, UpstreamUnsuitable)
        self.assertIn("takes no bearer tokens", str(trouble))

    def test_no_password_where_none_is_taken(self) -> None:
        trouble = self.refuse(f"S: * OK [CAPABILITY {BARE} LOGINDISABLED STARTTLS] hello")
        self.assertIsInstance(trouble, UpstreamUnsuitable)
        self.assertIn("LOGINDISABLED", str(trouble))

    def test_capabilities_are_asked_for_where_the_login_tells_none(self) -> None:
        """Courier; those from before the login do not count."""
        self.play(f"""
            S: * OK [CAPABILITY {BARE} ID ENABLE MOVE] hello
            C: LOGIN "alice" "wonder"
            S: . OK in
            C: CAPABILITY
            S: * CAPABILITY {BARE}
            S: . OK
        """)

    def test_a_server_that_does_not_tell_its_capabilities_is_taken_at_its_least(self) -> None:
        self.play("""
            S: * OK hello
            C: CAPABILITY
            S: . BAD what
            C: LOGIN "alice" "wonder"
            S: . OK in
            C: CAPABILITY
            S: . NO not now
        """)

    def test_passwords_of_every_kind(self) -> None:
        for password in (b"with space", b'"quoted\\"', "grün".encode(), b"\xff\xfe", b"{5}", b"x" * 8192):
            credentials = Credentials(b"alice", Secret(password), "PLAIN", bearer=False)
            for capabilities in (DOVECOT, BARE, BARE + " LITERAL+"):
                store = Store(capabilities=capabilities, password=password)
                if b'"' not in password or "SASL-IR" in capabilities:  # the server in memory knows no escapes
                    self.assertEqual(len(Session(store, credentials=credentials).list()), 0)

    def test_the_password_is_in_no_trace(self) -> None:
        """S30."""
        for capabilities in (DOVECOT, BARE, BARE + " LOGINDISABLED AUTH=LOGIN"):
            session = Session(Store(capabilities=capabilities))
            session.network.start(session.source.list())
            text = "\n".join(session.trace)
            self.assertIn("A1", text)
            self.assertNotIn("wonder", text)
            self.assertNotIn(PLAIN, text)


class RefusalTest(Case):
    """[AUTH] makes a mail program throw a password away: only what is truly refused may say so."""

    def answered(self, status: str) -> Trouble:
        return self.refuse(f"""
            S: * OK [CAPABILITY {BARE}] hello
            C: LOGIN "alice" "wonder"
            S: . {status}
        """)

    def test_what_each_answer_means(self) -> None:
        table: dict[str, type[Trouble]] = {
            "NO wrong password": CredentialsRefused,
            "NO": CredentialsRefused,
            "NO [AUTHENTICATIONFAILED] no": CredentialsRefused,
            "NO [AUTHORIZATIONFAILED] no": CredentialsRefused,
            "NO [EXPIRED] no": CredentialsRefused,
            "NO [UNKNOWN-CODE] no": CredentialsRefused,
            "NO [UNAVAILABLE] the user database is down": UpstreamUnavailable,
            "NO [unavailable] in small letters": UpstreamUnavailable,
            "NO [INUSE] another session": UpstreamUnavailable,
            "NO [LIMIT] too many connections": UpstreamUnavailable,
            "NO [SERVERBUG] oops": UpstreamUnavailable,
            "NO [THROTTLED] slow down": UpstreamUnavailable,
            "NO [OVERQUOTA] full": UpstreamUnavailable,
            "NO User is authenticated but not connected.": UpstreamUnavailable,
            "BAD what": UpstreamUnavailable,
            "BAD [AUTHENTICATIONFAILED] what": UpstreamUnavailable,
            "NO [PRIVACYREQUIRED] TLS first": UpstreamUnsuitable,
            "NO [CONTACTADMIN] blocked": UpstreamUnsuitable,
        }
        for status, kind in table.items():
            self.assertIs(type(self.answered(status)), kind, status)

    def test_what_upstream_said_is_kept_apart_from_our_words(self) -> None:
        trouble = self.answered("NO [UNAVAILABLE] +OK welcome")
        self.assertNotIn("welcome", str(trouble))
        self.assertEqual(trouble.detail, "+OK welcome")

    def test_a_lost_connection_is_no_refusal(self) -> None:
        for end in ("--- close", "--- reset", "S: * BYE no more tries\n--- close", "S: . XX\n--- close", ""):
            trouble = self.refuse(f'S: * OK [CAPABILITY {BARE}] hello\nC: LOGIN "alice" "wonder"\n{end}')
            self.assertIsInstance(trouble, UpstreamUnavailable)
            self.assertTrue(trouble.temporary)

    def test_the_kinds_of_a_status_are_all_known_here(self) -> None:
        self.assertEqual({kind.name for kind in StatusKind}, {"OK", "NO", "BAD", "BYE", "PREAUTH"})
