# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""Servers that tell more, less or something else than was asked: nothing is lost, and nothing false is claimed."""

import re
from base64 import b64encode
from typing import Any

from bridge.config import Upstream
from bridge.maildrop.errors import ListingIncomplete, RetrievalRefused, Trouble, UpstreamUnavailable
from bridge.maildrop.source import Deletion
from bridge.upstream import imap_answers, imap_connection, imap_deletion
from tests.upstream.mailserver import BARE, DOVECOT, Fault, Folder, Store
from tests.upstream.network import NetworkTestCase
from tests.upstream.session import Session, Taken, hurried, mail, with_messages

SEEN = b"* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n"


def opened(store: Store, **settings: Any) -> Session:
    session = Session(store, **settings)
    session.list()
    return session


class OthersNewsTest(NetworkTestCase):
    """Another user's change of flags is told to everybody, at any time, also in the middle of an answer."""

    def test_news_of_another_message_changes_no_deletion_and_no_count(self) -> None:
        for delete in ("flag", "expunge", "trash"):
            for capabilities in (DOVECOT, BARE):
                same = mail("a-list-sent-it-twice")
                store = with_messages(same, same, capabilities=capabilities, copyuid=False)
                session = opened(store, delete=delete, trash="Trash" if delete == "trash" else None)
                store.edit = lambda text, answer: SEEN + answer if text.startswith("UID FETCH") else answer

                self.assertEqual(session.delete(1), Deletion(1), (delete, capabilities))
                self.assertEqual(store.inbox.messages[2].flags, set())


class RetrievalTest(NetworkTestCase):
    def test_a_body_that_the_server_takes_back_at_its_end_is_no_message(self) -> None:
        """Delivered as a whole one, a client would delete it."""
        store = with_messages(mail("a"))
        session = opened(store)
        store.edit = lambda text, answer: answer.replace(b" OK ", b" NO [SERVERBUG] read error: ")
        for running in (session.streaming(1, Taken()), session.topping(1, Taken(10**6))):
            trouble = running.trouble()
            assert isinstance(trouble, RetrievalRefused)
            self.assertIn("read error", trouble.detail)

    def test_parts_that_are_smaller_than_asked_for_are_no_end(self) -> None:
        message = mail("a", 100_000)
        store = with_messages(message)
        session = opened(store)

        def less(text: str, answer: bytes) -> bytes:
            asked = re.search(r"BODY.PEEK\[\]<(\d+)\.", text)
            if asked is None:
                return answer
            part = message[int(asked[1]) :][:9000]
            head = b"* 1 FETCH (UID 1 BODY[]<%b> {%d}\r\n" % (asked[1].encode(), len(part))
            return head + part + b")\r\n" + answer.splitlines(keepends=True)[-1]

        store.edit = less
        self.assertEqual(session.top(1, 10**6), message)


class ListingTest(NetworkTestCase):
    def test_a_mailbox_that_never_says_how_many_messages_it_has_is_not_empty(self) -> None:
        store = with_messages(mail("a"), mail("b"))

        def quiet(text: str, answer: bytes) -> bytes:
            if text.startswith("UID FETCH"):
                return answer.splitlines()[-1].split()[0] + b" NO [UNAVAILABLE] later\r\n"
            return re.sub(rb"\* \d+ EXISTS\r\n", b"", answer)

        store.edit = quiet
        running = (session := Session(store)).network.start(session.source.list())
        self.assertIsInstance(running.trouble(), ListingIncomplete)

    def test_rows_that_are_refused_once_are_asked_for_by_their_uids(self) -> None:
        store = with_messages(mail("a"), mail("b"))

        def refuse(text: str, answer: bytes) -> bytes:
            refused = text.startswith("UID FETCH 1:*")
            return answer.splitlines()[-1].replace(b"OK", b"NO") + b"\r\n" if refused else answer

        store.edit = refuse
        self.assertEqual(list(Session(store).list().uids), [1, 2])

    def test_a_name_beyond_ascii_is_written_as_the_server_was_told_it_would_be(self) -> None:
        """RFC 6855, section 3: UTF-8 from the answer to ENABLE on, modified UTF-7 before."""
        store = Store(capabilities=f"{DOVECOT} UTF8=ACCEPT")
        heard = "Büro".encode().decode("latin-1")
        store.folders[heard] = store.folders["B&APw-ro"] = Folder()
        Session(store, upstream=Upstream("imap", "none", "imap.example.org", 143, mailbox="Büro")).list()

        selected = next(text for text in store.commands if text.startswith("SELECT"))
        self.assertIn(heard, selected)


class AfterAnOutageTest(NetworkTestCase):
    def test_what_was_done_before_the_connection_was_lost_is_counted(self) -> None:
        self.patch(imap_deletion, "MOST_AT_ONCE", 2)
        store = with_messages(*(mail(f"m{number}") for number in range(4)))
        session = opened(store, delete="expunge")

        def lose(text: str, answer: bytes) -> bytes:
            if text.startswith("UID FETCH 1:2 "):
                store.faults[store.exchanges] = Fault.CUT_BEFORE
            return answer

        store.edit = lose
        outcome = session.delete(1, 2, 3, 4)
        self.assertEqual((outcome.asked, outcome.done, outcome.certain), (4, 2, False))

    def test_a_mailbox_that_is_busy_at_the_new_connection_is_not_called_replaced(self) -> None:
        store = with_messages(mail("a"))
        session = opened(store)
        session.network.ends[1].loseConnection()
        session.network.settle()
        store.edit = lambda text, answer: answer.replace(b"OK", b"NO [INUSE]") if "SELECT" in text else answer
        for _ in range(2):
            self.assertIsInstance(session.streaming(1, Taken()).trouble(), UpstreamUnavailable)
        store.edit = lambda _, answer: answer
        self.assertEqual(session.stream(1), mail("a"))


class SecretTest(NetworkTestCase):
    def test_a_server_that_quotes_our_line_tells_nobody_the_password(self) -> None:
        """S30: its words go to the log, and after the login to the client."""
        for capabilities in (BARE, DOVECOT):
            for quoting in (b"%b BAD unknown: %b\r\n", b"%b NO failed: %b\r\n", b"* BYE %b %b\r\n", b"%b %b\r\n"):
                store = with_messages(mail("a"), capabilities=capabilities)

                def quote(text: str, answer: bytes, quoting: bytes = quoting) -> bytes:
                    if not text.startswith(("LOGIN", "AUTHENTICATE")):
                        return answer
                    return quoting % (answer.splitlines()[-1].split()[0], text.encode())

                store.edit = quote
                session = Session(store, timeouts=hurried(upstream_silence=1))
                running = session.network.start(session.source.list())
                session.network.wait(2)
                trouble = running.trouble()
                assert isinstance(trouble, Trouble)
                shown = f"{trouble} {trouble.detail} {session.trace}"
                for form in ("wonder", b64encode(b"wonder").decode(), b64encode(b"\0alice\0wonder").decode()):
                    self.assertNotIn(form, shown)


class BoundsTest(NetworkTestCase):
    def failing(self, store: Store) -> str:
        running = (session := Session(store)).network.start(session.source.list())
        trouble = running.trouble()
        assert isinstance(trouble, UpstreamUnavailable)
        return trouble.detail

    def test_a_short_line_that_stands_for_two_million_messages(self) -> None:
        store = with_messages(mail("a"), mail("b"))

        def lie(text: str, answer: bytes) -> bytes:
            if text.startswith("UID FETCH 1:*"):
                return answer.splitlines(keepends=True)[-1]
            search = b'* ESEARCH (TAG "A9") UID ALL 1:2000000\r\n'
            return search + answer if text.startswith("UID SEARCH") else answer

        store.edit = lie
        self.assertIn("numbers", self.failing(store))

    def test_answers_that_never_end(self) -> None:
        self.patch(imap_answers, "KEPT_AT_MOST", 10_000)
        store = with_messages(mail("a"))
        row = b'* ID ("name" "%b")\r\n' % (b"x" * 900)
        store.edit = lambda text, answer: row * 20 + answer if text.startswith("ID") else answer
        self.assertIn("octets of answers", self.failing(store))

    def test_chatter_that_never_ends(self) -> None:
        self.patch(imap_connection, "CHATTER_AT_MOST", 100)
        store = with_messages(mail("a"))
        store.edit = lambda text, answer: b"* 5 EXISTS\r\n" * 200 + answer if text.startswith("SELECT") else answer
        self.assertIn("nobody asked for", self.failing(store))

    def test_challenges_that_never_end(self) -> None:
        store = with_messages(mail("a"), capabilities="IMAP4rev1 LOGINDISABLED AUTH=LOGIN")
        store.edit = lambda text, answer: b"+ \r\n" * 50 if text.startswith("AUTHENTICATE") else answer
        self.assertEqual(self.failing(store), "")  # before the login nothing of the server's is quoted


class ExpungeTest(NetworkTestCase):
    def test_an_expunge_that_says_ok_and_leaves_some_is_asked_again(self) -> None:
        """Dovecot 2.3 with several sessions at one mailbox; otherwise they would be hidden, and stay for ever."""
        store = with_messages(mail("a"), mail("b"))
        session = opened(store, delete="expunge")
        row = b"* 1 FETCH (UID 1 FLAGS (\\Deleted))\r\n"

        def leave(text: str, answer: bytes) -> bytes:
            left = text.startswith("UID FETCH") and store.verbs().count("UID EXPUNGE") == 1
            return row + answer if left else answer

        store.edit = leave
        self.assertEqual(session.delete(1), Deletion(1))
        self.assertEqual(store.verbs().count("UID EXPUNGE"), 2)


class CopyTest(NetworkTestCase):
    def test_a_target_that_cannot_be_looked_into_confirms_nothing(self) -> None:
        """With the mailbox itself still selected, its originals would pass for copies."""
        store = with_messages(mail("a"), capabilities=BARE, copyuid=False)
        session = opened(store, delete="trash", trash="Trash")
        folder = store.folders["Trash"]

        def lie(text: str, answer: bytes) -> bytes:
            if text.startswith("UID COPY"):
                folder.messages.clear()
            if text.startswith("EXAMINE"):
                return answer.splitlines()[-1].replace(b"OK", b"NO") + b"\r\n"
            return answer

        store.edit = lie
        self.assertEqual(session.delete(1).done, 0)
        self.assertEqual(store.inbox.messages[1].flags, set())
