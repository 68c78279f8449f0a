# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""Reaching a POP3 server and logging in: trusted before a credential is sent, and a refusal told for what it is."""

import base64
import tempfile
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import CancelledError
from twisted.protocols import tls as twisted_tls

from bridge.maildrop.errors import (
    CredentialsRefused,
    MaildropInUse,
    Trouble,
    UpstreamUnavailable,
    UpstreamUnsuitable,
    UpstreamUntrusted,
)
from bridge.sasl import Credentials
from bridge.secret import Secret
from bridge.tls import ServerContext
from tests.tls.authority import Authority
from tests.upstream.network import NetworkTestCase, Refusal, Silence
from tests.upstream.pop3_server import POP3, Drop, drop_of, session_at
from tests.upstream.scripted import Scripted
from tests.upstream.session import ALICE, Session, mail

EMPTY = """
    C-raw: STAT
    S: +OK 0 0
    C-raw: LIST
    S-raw: +OK\\r\\n.\\r\\n
    C-raw: UIDL
    S-raw: +OK\\r\\n.\\r\\n
"""
GREETED = """
    S: +OK ready
    C-raw: CAPA
    S-raw: +OK\\r\\n{}.\\r\\n
"""
OLD = """
    S: +OK ready
    C-raw: CAPA
    S: -ERR what
"""
TOKEN = Credentials(b"alice", Secret(b"t0ken"), "XOAUTH2", bearer=True)
STLS = evolve(POP3, security="starttls")


def greeted(*capabilities: str) -> str:
    return GREETED.format("".join(f"{one}\\r\\n" for one in capabilities))


def encoded(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


class Case(NetworkTestCase):
    def session(self, script: str, tls: Any = None, **how: Any) -> Session:
        self.server = Scripted(script, tls=tls)
        session = session_at(Drop(), answering=lambda: self.server, **how)
        self.patch(twisted_tls, "_get_default_clock", lambda: session.network)  # it would take the real reactor
        return session

    def play(self, script: str, credentials: Credentials = ALICE) -> Session:
        """The script up to the login; the mailbox is listed behind it."""
        session = self.session(script + EMPTY, credentials=credentials)
        self.assertEqual(len(session.list()), 0)
        self.assertTrue(self.server.over, self.server.left)
        return session

    def refuse(self, script: str, seconds: float = 31, **how: Any) -> Trouble:
        session = self.session(script, **how)
        running = session.network.start(session.source.list())
        session.network.wait(seconds)
        trouble = running.trouble()
        assert isinstance(trouble, Trouble), repr(trouble)
        self.assertTrue(self.server.over, self.server.left)
        self.assertEqual((session.network.open, session.network.getDelayedCalls()), (0, []))
        return trouble


class LoginTest(Case):
    def test_user_and_pass_where_they_are_announced(self) -> None:
        self.play(greeted("USER", "SASL PLAIN") + "C-raw: USER alice\nS: +OK\nC-raw: PASS wonder\nS: +OK")

    def test_and_where_nothing_is(self) -> None:
        self.play(OLD + "C-raw: USER alice\nS: +OK\nC-raw: PASS wonder\nS: +OK")

    def test_sasl_where_user_is_missing(self) -> None:
        self.play(
            greeted("SASL LOGIN PLAIN")
            + f"C-raw: AUTH PLAIN\nS: + \nC-raw: {encoded(b'%calice%cwonder' % (0, 0))}\nS: +OK"
        )
        self.play(
            greeted("SASL LOGIN")
            + f"C-raw: AUTH LOGIN\nS: + {encoded(b'Username:')}\nC-raw: {encoded(b'alice')}\n"
            + f"S: + {encoded(b'Password:')}\nC-raw: {encoded(b'wonder')}\nS: +OK"
        )

    def test_a_token_in_two_steps(self) -> None:
        """Exchange Online hangs up where it comes in AUTH's own line."""
        response = encoded(b"user=alice\1auth=Bearer t0ken\1\1")
        self.play(greeted("SASL PLAIN XOAUTH2") + f"C-raw: AUTH XOAUTH2\nS: + \nC-raw: {response}\nS: +OK", TOKEN)

    def test_a_token_refused_is_answered_to_its_end(self) -> None:
        for mechanism, answer in (("XOAUTH2", ""), ("OAUTHBEARER", "AQ==")):
            trouble = self.refuse(
                greeted(f"SASL {mechanism}")
                + f"C-raw: AUTH {mechanism}\nS: + \nC-raw: …\nS: + {encoded(b'{}')}\nC-raw: {answer}\n"
                + "S: -ERR [AUTH] no",
                credentials=TOKEN,
            )
            self.assertIsInstance(trouble, CredentialsRefused)

    def test_a_token_where_none_is_taken(self) -> None:
        trouble = self.refuse(greeted("USER", "SASL PLAIN"), credentials=TOKEN)
        self.assertIsInstance(trouble, UpstreamUnsuitable)

    def test_utf8_is_asked_for_wherever_it_is_offered(self) -> None:
        """S11: Courier shows a stand-in for messages with 8-bit headers without it."""
        self.play(
            greeted("UTF8 USER", "USER") + "C-raw: UTF8\nS: +OK\nC-raw: USER alice\nS: +OK\nC-raw: PASS wonder\nS: +OK"
        )

    def test_a_refusal_is_told_for_what_it_is(self) -> None:
        """S23: only a wrong password is called one."""
        cases = {
            "-ERR [AUTH] Authentication failed.": CredentialsRefused,
            "-ERR [AUTH] try again later": CredentialsRefused,
            "-ERR Unable to log on": CredentialsRefused,
            "-ERR": CredentialsRefused,
            "-ERR [IN-USE] Do you have another POP session running?": MaildropInUse,
            "-ERR [LOGIN-DELAY] minimum time between mail checks violation": UpstreamUnavailable,
            "-ERR [SYS/TEMP] database down": UpstreamUnavailable,
            "-ERR [AUTH] Application-specific password required: https://example.org": UpstreamUnsuitable,
            "-ERR [AUTH] Web login required: https://example.org": UpstreamUnsuitable,
            "-ERR [SYS/PERM] POP is not enabled for this account": UpstreamUnsuitable,
            "-ERR maildrop already locked": UpstreamUnavailable,
            "-ERR Mailbox in use, wait 5 minutes": UpstreamUnavailable,
            "-ERR too many connections": UpstreamUnavailable,
        }
        for said, kind in cases.items():
            trouble = self.refuse(greeted("USER") + f"C-raw: USER alice\nS: +OK\nC-raw: PASS wonder\nS: {said}")
            self.assertIs(type(trouble), kind, said)
        trouble = self.refuse(greeted("USER") + "C-raw: USER alice\nS: -ERR [SYS/PERM] use TLS")
        self.assertIsInstance(trouble, UpstreamUnsuitable)

    def test_what_the_server_quotes_of_our_password_is_blanked(self) -> None:
        """S30."""
        trouble = self.refuse(
            greeted("USER") + "C-raw: USER alice\nS: +OK\nC-raw: PASS wonder\nS: -ERR no: PASS wonder"
        )
        self.assertEqual(trouble.detail, "no: PASS …")
        trouble = self.refuse(greeted("USER") + "C-raw: USER alice\nS: +OK\nC-raw: PASS wonder\nS: what is wonder")
        self.assertNotIn("wonder", f"{trouble} {trouble.detail}")

    def test_a_challenge_that_nobody_expects(self) -> None:
        trouble = self.refuse(greeted("SASL PLAIN") + "C-raw: AUTH PLAIN" + "\nS: + \nC-raw: …" * 5 + "\nS: + ")
        self.assertIsInstance(trouble, UpstreamUnavailable)


class ReachingTest(Case):
    def test_a_server_that_turns_us_away(self) -> None:
        trouble = self.refuse("S: -ERR too many connections")
        self.assertIsInstance(trouble, UpstreamUnavailable)
        self.assertEqual(trouble.detail, "too many connections")

    def test_one_that_does_not_greet(self) -> None:
        self.assertIn("did not greet within 10 seconds", str(self.refuse("", 10)))

    def test_one_that_speaks_another_protocol(self) -> None:
        self.assertIn("broke the POP3 protocol", str(self.refuse("S: * OK IMAP4rev1")))

    def test_nobody_there(self) -> None:
        for answering, seconds in ((Refusal, 1), (Silence, 10)):
            session = session_at(Drop(), answering=answering)
            running = session.network.start(session.source.list())
            session.network.wait(seconds)
            self.assertIn("pop.example.org port 110 does not answer", str(running.trouble()))

    def test_a_login_given_up_at_every_step_leaves_nothing(self) -> None:
        for verb in ("CAPA", "USER", "PASS", "STAT", "UIDL"):
            session = session_at(drop_of(mail("a"), deaf=(verb,)))
            running = session.network.start(session.source.list())
            running.deferred.cancel()
            session.network.settle()
            self.assertIsInstance(running.trouble(), CancelledError)
            self.assertEqual((session.network.open, session.network.getDelayedCalls()), (0, []))
            self.assertEqual(session._opener._turns._held, {}, "somebody else may have it now")


class TlsTest(Case):
    def setUp(self) -> None:
        authority = Authority(Path(tempfile.mkdtemp()))
        self.ca = authority.ca
        certificate, key = authority.issue(["pop.example.org"])
        self.tls = ServerContext(certificate, key, self.fail)

    def test_nothing_that_was_said_in_clear_is_believed(self) -> None:
        session = self.session(
            "S: +OK ready\nC-raw: STLS\nS: +OK\n--- tls\n"
            + greeted("USER").replace("    S: +OK ready\n", "")
            + "C-raw: USER alice\nS: +OK\nC-raw: PASS wonder\nS: +OK"
            + EMPTY,
            tls=self.tls,
            upstream=STLS,
            ca=self.ca,
        )
        session.list()
        self.assertTrue(self.server.over, self.server.left)
        self.assertTrue(self.server.transport.is_secure)

    def test_without_stls_no_password_is_sent(self) -> None:
        """S29."""
        trouble = self.refuse("S: +OK ready\nC-raw: STLS\nS: -ERR what", upstream=STLS)
        self.assertIsInstance(trouble, UpstreamUntrusted)
        self.assertIn("offers no STLS", str(trouble))

    def test_octets_between_the_answer_and_the_handshake_end_it(self) -> None:
        trouble = self.refuse("S: +OK ready\nC-raw: STLS\nS-raw: +OK\\r\\n+OK injected\\r\\n", upstream=STLS)
        self.assertIn("broke the POP3 protocol", str(trouble))

    def test_a_certificate_that_nobody_vouches_for(self) -> None:
        trouble = self.refuse("S: +OK ready\nC-raw: STLS\nS: +OK\n--- tls", tls=self.tls, upstream=STLS)
        self.assertIsInstance(trouble, UpstreamUntrusted)
        self.assertIn("is not trusted", str(trouble))
