# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""Reaching an upstream: in time or with a reason, and trusted before a credential is sent (S29, S31)."""

import tempfile
from pathlib import Path
from typing import ClassVar

from twisted.internet.defer import CancelledError
from twisted.internet.protocol import Protocol
from twisted.protocols import tls as twisted_tls

from bridge.config import Upstream
from bridge.maildrop.errors import Trouble, UpstreamUnavailable, UpstreamUntrusted
from bridge.tls import ServerContext
from tests.tls.authority import Authority
from tests.upstream.mailserver import BARE, DOVECOT, MailServer, Store
from tests.upstream.network import Answering, NetworkTestCase, Refusal, Silence
from tests.upstream.scripted import Scripted
from tests.upstream.session import CLEAR, Session, mail, with_messages

HOST = "imap.example.org"
STARTTLS = Upstream("imap", "starttls", HOST, 143)
TLS = Upstream("imap", "tls", HOST, 993)


class ReachingTest(NetworkTestCase):
    def refused(self, answering: Answering, seconds: float = 0, **how: object) -> Trouble:
        """The Trouble, which must come after so many seconds and not before."""
        session = Session(answering=answering, **how)  # type: ignore[arg-type]  # Session's own
        running = session.network.start(session.source.list())
        if seconds:
            session.network.wait(seconds - 1)
            self.assertFalse(running.over)
            session.network.wait(1)
        trouble = running.trouble()
        assert isinstance(trouble, Trouble), repr(trouble)
        session.network.settle()
        self.assertEqual((session.network.open, session.network.getDelayedCalls()), (0, []))
        self.assertTrue(trouble.temporary != isinstance(trouble, UpstreamUntrusted))
        return trouble

    def test_the_host_and_port_of_the_configuration_are_dialled(self) -> None:
        session = Session(with_messages(mail("a")))
        session.list()
        self.assertEqual(session.network.dialled, [(HOST, 143)])

    def test_a_name_that_nobody_knows(self) -> None:
        self.assertIn("is unknown; check it", str(self.refused(Silence, known=False)))

    def test_a_name_server_that_does_not_answer(self) -> None:
        """Ten seconds for name and connection together, and no word that the name were wrong."""
        self.assertIn("does not answer: no answer in time", str(self.refused(Silence, 10, known=None)))

    def test_nobody_listens(self) -> None:
        self.assertIn("port 143 does not answer: Connection was refused", str(self.refused(Refusal, 1)))

    def test_a_host_that_does_not_answer(self) -> None:
        self.assertIn("port 143 does not answer: no answer in time", str(self.refused(Silence, 10)))

    def test_no_greeting(self) -> None:
        self.assertIn("did not greet within 10 seconds", str(self.refused(Protocol, 10)))

    def test_a_greeting_that_turns_away(self) -> None:
        trouble = self.refused(lambda: Scripted("S: * BYE too many connections"))
        self.assertIn("turned the connection away", str(trouble))
        self.assertEqual(trouble.detail, "too many connections")

    def test_hung_up_at_once(self) -> None:
        self.assertIn("closed the connection", str(self.refused(lambda: Scripted("--- close"))))

    def test_another_protocol(self) -> None:
        for greeting in (
            "S: 220 smtp.example.org ESMTP",
            "S: +OK pop",
            "S: HTTP/1.1 400 Bad Request",
            "S: * NO",
            "S-raw: \\0\\0",
        ):
            trouble = self.refused(lambda greeting=greeting: Scripted(f"{greeting}\nS: x"))  # type: ignore[misc]  # a default
            self.assertIn("broke the IMAP protocol", str(trouble))

    def test_capabilities_are_asked_for_where_the_greeting_has_none(self) -> None:
        store = Store(capabilities=BARE, greeting="* OK ready")
        Session(store).list()
        self.assertEqual(store.verbs()[:2], ["CAPABILITY", "LOGIN"])

    def test_a_login_given_up_at_each_step_leaves_nothing_behind(self) -> None:
        """No connection, no clock, no error for the log; and nothing is dialled again."""
        cases: list[tuple[Answering, bool | None]] = [(Silence, None), (Silence, True), (Protocol, True)]
        for answering, known in cases:
            session = Session(answering=answering, known=known)
            running = session.network.start(session.source.list())
            self.assertFalse(running.over)
            running.deferred.cancel()
            session.network.settle()
            self.assertEqual(session.network.open, 0)
            if known:
                self.assertIsInstance(running.trouble(), CancelledError)
            else:
                self.assertIsInstance(running.trouble(), Trouble)  # Twisted has no other word for it
            session.network.wait(60)
            self.assertEqual((session.network.open, session.network.getDelayedCalls()), (0, []))
            self.assertLessEqual(len(session.network.clients), 1)


class TrustTest(NetworkTestCase):
    """Real TLS, in memory. Each row of S29."""

    directory: ClassVar[Path]
    authority: ClassVar[Authority]

    @classmethod
    def setUpClass(cls) -> None:
        cls.directory = Path(tempfile.mkdtemp())
        cls.authority = Authority(cls.directory)

    def context(self, *names: str, expired: bool = False, authority: Authority | None = None) -> ServerContext:
        certificate, key = (authority or self.authority).issue(names or [HOST], expired=expired)
        return ServerContext(certificate, key, lambda _: None)

    def tls_session(self, answering: Answering, upstream: Upstream, **settings: object) -> Session:
        session = Session(answering=answering, upstream=upstream, **{"ca": self.authority.ca, **settings})  # type: ignore[arg-type]  # Session's own
        self.patch(twisted_tls, "_get_default_clock", lambda: session.network)  # it would take the real reactor
        return session

    def refused(self, answering: Answering, upstream: Upstream, seconds: float = 0, **settings: object) -> Trouble:
        session = self.tls_session(answering, upstream, **settings)
        running = session.network.start(session.source.list())
        session.network.wait(seconds)
        trouble = running.trouble()
        assert isinstance(trouble, Trouble), repr(trouble)
        session.network.settle()
        self.assertEqual(session.network.open, 0)
        return trouble

    def secure(self, store: Store, context: ServerContext) -> Answering:
        """A server that speaks TLS from the first octet."""

        class Secure(MailServer):
            def connectionMade(self) -> None:
                self.transport.startTLS(context)
                super().connectionMade()

        return lambda: Secure(store)

    def starttls(self, script: str, context: ServerContext | None = None) -> tuple[list[Scripted], Answering]:
        servers: list[Scripted] = []

        def answering() -> Scripted:
            servers.append(Scripted(script, tls=context))
            return servers[-1]

        return servers, answering

    def assertNothingSecretSent(self, servers: list[Scripted]) -> None:  # noqa: N802  # as trial's own
        said = [line for server in servers for line in server.said]
        self.assertFalse([line for line in said if "LOGIN" in line or "AUTHENTICATE" in line], said)

    def test_a_verified_certificate(self) -> None:
        store = with_messages(mail("a"))
        session = self.tls_session(self.secure(store, self.context()), TLS)
        self.assertEqual(list(session.list().uids), [1])
        session.source.close()
        session.network.wait(11)
        self.assertEqual(session.network.open, 0)

    def test_a_session_that_ends_after_its_connection_was_lost(self) -> None:
        session = self.tls_session(self.secure(with_messages(mail("a")), self.context()), TLS)
        session.list()
        session.network.clients[0].other.abortConnection()
        session.network.settle()
        session.source.close()
        session.source.abandon()
        session.network.wait(11)
        self.assertEqual(session.network.open, 0)

    def test_certificates_that_prove_nothing(self) -> None:
        other = Authority(self.directory, "another authority")
        for context in (self.context("other.example"), self.context(expired=True), self.context(authority=other)):
            store = Store()
            trouble = self.refused(self.secure(store, context), TLS)
            self.assertIsInstance(trouble, UpstreamUntrusted)
            self.assertIn("is not trusted", str(trouble))
            self.assertEqual(store.commands, [])

    def test_a_pinned_certificate_needs_no_authority_and_another_one_is_refused(self) -> None:
        store = with_messages(mail("a"))
        wrong = "0" * 64
        trouble = self.refused(self.secure(store, self.context()), TLS, pin=wrong)
        shown = str(trouble).split("SHA-256 is ")[1][:64]
        self.assertIsInstance(trouble, UpstreamUntrusted)
        self.assertEqual(store.commands, [])
        context = self.context("unrelated.example")
        trouble = self.refused(self.secure(store, context), TLS, pin=wrong)
        shown = str(trouble).split("SHA-256 is ")[1][:64]
        self.assertEqual(len(self.tls_session(self.secure(store, context), TLS, pin=shown, ca=None).list()), 1)

    def test_no_tls_where_tls_was_meant(self) -> None:
        trouble = self.refused(Store().answering, TLS)
        self.assertIsInstance(trouble, UpstreamUntrusted)
        self.assertIn("does not speak TLS there; try imap+starttls://", str(trouble))

    def test_a_handshake_that_never_comes(self) -> None:
        self.assertIn("did not greet within 10 seconds", str(self.refused(Protocol, TLS, 10)))

    def test_a_handshake_that_breaks_off(self) -> None:
        trouble = self.refused(lambda: Scripted("--- close"), TLS)
        self.assertIsInstance(trouble, UpstreamUnavailable)

    def test_a_handshake_that_is_refused(self) -> None:
        """A TLS alert: the server knows no name or no version of ours."""
        trouble = self.refused(lambda: Scripted("S-raw: \\x15\\x03\\x01\\x00\\x02\\x02\\x28\n--- close"), TLS)
        self.assertIsInstance(trouble, UpstreamUnavailable)
        self.assertIn("TLS with imap.example.org port 993 failed", str(trouble))

    def test_starttls_and_what_was_learned_in_clear_is_forgotten(self) -> None:
        context = self.context()
        servers, answering = self.starttls(
            f"""
            S: * OK [CAPABILITY {BARE} STARTTLS AUTH=PLAIN SASL-IR X-LIE MOVE] hello
            C: STARTTLS
            S: . OK go on
            --- tls
            C: CAPABILITY
            S: * CAPABILITY {BARE}
            S: . OK
            C: LOGIN "alice" "wonder"
            S: . OK [CAPABILITY {BARE}] in
            C: SELECT "INBOX"
            C: UID FETCH 1:* (UID RFC822.SIZE FLAGS INTERNALDATE)
            S: * 0 EXISTS
            S: * OK [UIDVALIDITY 7]
            S: . OK
            S: . OK
            """,
            context,
        )
        session = self.tls_session(answering, STARTTLS)
        self.assertEqual(len(session.list()), 0)
        self.assertTrue(servers[0].over, servers[0].left)
        self.assertTrue(session.network.ends[0].is_secure)

    def test_starttls_where_the_greeting_has_no_capabilities(self) -> None:
        servers, answering = self.starttls("""
            S: * OK hello
            C: CAPABILITY
            S: * CAPABILITY IMAP4rev1 STARTTLS
            S: . OK
            C: STARTTLS
            S: . NO not today
        """)
        self.assertIsInstance(self.refused(answering, STARTTLS), UpstreamUntrusted)
        self.assertTrue(servers[0].over, servers[0].left)

    def test_a_certificate_that_proves_nothing_behind_starttls(self) -> None:
        servers, answering = self.starttls(
            """
            S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hello
            C: STARTTLS
            S: . OK
            --- tls
            """,
            self.context("other.example"),
        )
        self.assertIn("is not trusted", str(self.refused(answering, STARTTLS)))
        self.assertNothingSecretSent(servers)

    def test_no_starttls_on_offer(self) -> None:
        """Somebody on the way may have taken it out."""
        servers, answering = self.starttls(f"S: * OK [CAPABILITY {DOVECOT}] hello")
        trouble = self.refused(answering, STARTTLS)
        self.assertIsInstance(trouble, UpstreamUntrusted)
        self.assertIn("offers no STARTTLS", str(trouble))
        self.assertNothingSecretSent(servers)

    def test_starttls_refused(self) -> None:
        for answer in ("NO", "BAD"):
            servers, answering = self.starttls(
                f"S: * OK [CAPABILITY {DOVECOT} STARTTLS] hello\nC: STARTTLS\nS: . {answer} not now"
            )
            self.assertIsInstance(self.refused(answering, STARTTLS), UpstreamUntrusted)
            self.assertNothingSecretSent(servers)

    def test_octets_slipped_in_behind_the_answer_to_starttls(self) -> None:
        """CVE-2021-38371 and its kin: a forged answer that would be believed after the handshake."""
        for slipped in ("* CAPABILITY IMAP4rev1 LOGINDISABLED\\r\\n", "A2 OK forged\\r\\n", "x"):
            servers, answering = self.starttls(
                f"""
                S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hello
                C: STARTTLS
                S-raw: . OK go on\\r\\n{slipped}
                --- tls
                """,
                self.context(),
            )
            trouble = self.refused(answering, STARTTLS)
            self.assertIn("octets behind the answer to STARTTLS", trouble.detail)
            self.assertNothingSecretSent(servers)

    def test_preauth_is_refused_with_and_without_tls(self) -> None:
        """No password would be checked: the bridge would let everybody in."""
        for upstream in (CLEAR, STARTTLS):
            servers, answering = self.starttls(f"S: * PREAUTH [CAPABILITY {DOVECOT} STARTTLS] welcome")
            trouble = self.refused(answering, upstream)
            self.assertIsInstance(trouble, UpstreamUntrusted)
            self.assertIn("PREAUTH", str(trouble))
            self.assertEqual(servers[0].said, [])

    def test_a_greeting_only_behind_tls(self) -> None:
        """A clear-text greeting on a TLS port is not believed."""
        store = Store(greeting="* PREAUTH you are root")
        trouble = self.refused(self.secure(store, self.context()), TLS)
        self.assertIsInstance(trouble, UpstreamUntrusted)
        self.assertEqual(store.commands, [])
