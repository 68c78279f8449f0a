"""What DELE and QUIT leave behind, seen by an IMAP user of the same mailbox (S16-S21; faults 10, 11, 13, 14, 22)."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.peers.servers.courier import Courier
from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.peers.servers.hoodiecrow import hoodiecrow
from tests.peers.servers.imap_server import ImapServer
from tests.peers.servers.imap_server import session as imap_session
from tests.stories.deletions import ALL, HIDDEN, MESSAGES, MOVING, Deleting, deleting, in_folder, ten
from tests.stories.pop3 import Pop3, Refused

pytestmark = pytest.mark.story

SERVERS = ["dovecot", pytest.param("cyrus", marks=pytest.mark.slow), pytest.param("courier", marks=pytest.mark.slow)]

DeletingOn = Callable[[ImapServer], Deleting]


@pytest.fixture(scope="module")
def deleting_on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeletingOn]:
    with contextlib.ExitStack() as running:
        bridges: dict[int, Deleting] = {}

        def on(server: ImapServer) -> Deleting:
            if server.port not in bridges:
                bridges[server.port] = running.enter_context(deleting(tmp_path_factory.mktemp("deleting"), server))
            return bridges[server.port]

        yield on


def of(request: pytest.FixtureRequest, name: str) -> ImapServer:
    server = request.getfixturevalue(f"{name}_server")
    assert isinstance(server, ImapServer)
    return server


# Each policy, on each server.


@pytest.mark.parametrize("name", SERVERS)
def test_flag_marks_and_removes_nothing(name: str, request: pytest.FixtureRequest, deleting_on: DeletingOn) -> None:
    server = of(request, name)
    mail = ten(server)
    with deleting_on(server).session("flag", mail.mailbox) as client:
        assert all(line.startswith(b"+OK") for line in client.many(["DELE 2", "DELE 3", "DELE 9"]))
        assert mail.flagged() == set(), "nothing happens before QUIT"
        assert client.quit().startswith(b"+OK")
    assert mail.left() == ALL
    assert mail.flagged() == {2, 3, 9}
    with deleting_on(server).session("flag", mail.mailbox) as client:
        assert client.count() == 7


@pytest.mark.parametrize("name", SERVERS)
def test_expunge_removes_exactly_the_marked_ones(
    name: str, request: pytest.FixtureRequest, deleting_on: DeletingOn
) -> None:
    """The message that an IMAP user flagged and has not expunged survives (S19; fault 11)."""
    server = of(request, name)
    mail = ten(server)
    mail.flag(5)
    with deleting_on(server).session("expunge", mail.mailbox) as client:
        assert client.count() == 9, "the flagged one is hidden"
        assert all(line.startswith(b"+OK") for line in client.many(["DELE 1", "DELE 2", "DELE 9"]))
        assert client.quit().startswith(b"+OK")
    assert mail.left() == ALL - {1, 2, 10}
    assert mail.flagged() == {5}


@pytest.mark.parametrize("policy", MOVING)
@pytest.mark.parametrize("name", SERVERS)
def test_trash_and_archive_move_exactly_the_marked_ones(
    policy: str, name: str, request: pytest.FixtureRequest, deleting_on: DeletingOn
) -> None:
    server = of(request, name)
    mail = ten(server)
    mail.flag(5)
    variant, folder = policy, MOVING[policy]
    if name == "courier":
        variant, folder = f"courier-{policy}", f"INBOX.{folder}"
        with imap_session(mail.mailbox) as imap:
            imap.create(folder)
    with deleting_on(server).session(variant, mail.mailbox) as client:
        assert all(line.startswith(b"+OK") for line in client.many(["DELE 1", "DELE 2", "DELE 9"]))
        assert client.quit().startswith(b"+OK")
    assert mail.left() == ALL - {1, 2, 10}
    assert mail.flagged() == {5}
    assert in_folder(mail, folder) == [MESSAGES[0], MESSAGES[1], MESSAGES[9]]


@pytest.mark.parametrize("name", SERVERS)
def test_hide_takes_mail_from_pop3_and_from_nobody_else(
    name: str, request: pytest.FixtureRequest, deleting_on: DeletingOn
) -> None:
    """An IMAP user sees a keyword; when he takes it away the message is back, under its old UIDL (S18)."""
    server = of(request, name)
    mail = ten(server)
    mail.flag(5)
    before = mail.mailbox.flags()
    with deleting_on(server).session("hide", mail.mailbox) as client:
        uidls = list(client.uidls().values())
        assert all(line.startswith(b"+OK") for line in client.many(["DELE 1", "DELE 2", "DELE 9"]))
        assert client.quit().startswith(b"+OK")
    hidden = {mail.uids[number] for number in (1, 2, 10)}
    assert mail.mailbox.flags() == {
        uid: flags | ({HIDDEN} if uid in hidden else set()) for uid, flags in before.items()
    }
    with deleting_on(server).session("hide", mail.mailbox) as client:
        assert list(client.uidls().values()) == uidls[2:8]
    with imap_session(mail.mailbox) as imap:
        imap.uid("STORE", str(mail.uids[2]), "-FLAGS", f"({HIDDEN})")
    with deleting_on(server).session("hide", mail.mailbox) as client:
        assert list(client.uidls().values()) == uidls[1:8]


def test_keep_changes_nothing_upstream(dovecot_server: Dovecot, deleting_on: DeletingOn) -> None:
    mail = ten(dovecot_server)
    mail.flag(5)
    before = mail.mailbox.flags()
    with deleting_on(dovecot_server).session("keep", mail.mailbox) as client:
        uidls = list(client.uidls().values())
        assert all(line.startswith(b"+OK") for line in client.many(["DELE 1", "DELE 9"]))
        assert client.quit().startswith(b"+OK")
    assert mail.mailbox.flags() == before
    with deleting_on(dovecot_server).session("keep", mail.mailbox) as client:
        assert list(client.uidls().values()) == uidls[1:8]
    assert (in_folder(mail), in_folder(mail, "Archive")) == ([], [])


@pytest.mark.slow
@pytest.mark.parametrize("policy", MOVING)
def test_where_no_mailbox_is_marked_for_it_the_login_is_refused(
    policy: str, courier_server: Courier, deleting_on: DeletingOn
) -> None:
    """Courier knows no SPECIAL-USE, so nobody says which mailbox it is: the owner has to (S18)."""
    mail = ten(courier_server)
    with pytest.raises(Refused, match=rf"-ERR \[SYS/PERM\] .*name one with {policy}"):
        deleting_on(courier_server).session(policy, mail.mailbox)


# Servers that lack something.

BASE = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ NAMESPACE UNSELECT ESEARCH CONDSTORE"
LESS = {
    "no UIDPLUS": f"{BASE} MOVE SPECIAL-USE",
    "no MOVE": f"{BASE} UIDPLUS SPECIAL-USE",
    "neither": f"{BASE} SPECIAL-USE",
    "bare": "IMAP4rev1",
}


@pytest.fixture(scope="module", params=LESS)
def lesser(request: pytest.FixtureRequest) -> Iterator[tuple[str, Dovecot]]:
    with dovecot(capability=LESS[request.param]) as server:
        yield request.param, server


def test_expunge_without_uidplus_flags_and_never_touches_what_others_flagged(
    lesser: tuple[str, Dovecot], deleting_on: DeletingOn
) -> None:
    what, server = lesser
    mail = ten(server)
    mail.flag(5)
    with deleting_on(server).session("expunge", mail.mailbox) as client:
        client.do("DELE 1")
        assert client.quit().startswith(b"+OK")
    if what == "no MOVE":
        assert (mail.left(), mail.flagged()) == (ALL - {1}, {5})
    else:
        assert (mail.left(), mail.flagged()) == (ALL, {1, 5})
    with deleting_on(server).session("expunge", mail.mailbox) as client:
        assert client.count() == 8


@pytest.mark.parametrize("variant", ["trash", "named-trash", "archive", "named-archive"])
def test_moved_by_whatever_the_server_has(variant: str, lesser: tuple[str, Dovecot], deleting_on: DeletingOn) -> None:
    """MOVE, else COPY, look, flag, and UID EXPUNGE where it is there: the copy is certain, and others' flags stay."""
    what, server = lesser
    mail = ten(server)
    mail.flag(5)
    with deleting_on(server).session(variant, mail.mailbox) as client:
        client.do("DELE 1")
        client.do("DELE 3")
        assert client.quit().startswith(b"+OK")
    policy = variant.rpartition("-")[2]
    for other, folder in MOVING.items():
        assert in_folder(mail, folder) == ([MESSAGES[0], MESSAGES[2]] if other == policy else [])
    if what in {"no UIDPLUS", "no MOVE"}:
        assert (mail.left(), mail.flagged()) == (ALL - {1, 3}, {5})
    else:
        assert (mail.left(), mail.flagged()) == (ALL, {1, 3, 5})


def test_the_owner_may_accept_the_race_of_a_bare_expunge(lesser: tuple[str, Dovecot], deleting_on: DeletingOn) -> None:
    """Even then it is sent only while nobody else's message is flagged (S19)."""
    what, server = lesser
    mail = ten(server)
    with deleting_on(server).session("race", mail.mailbox) as client:
        client.do("DELE 1")
        assert client.quit().startswith(b"+OK")
    assert (mail.left(), mail.flagged()) == (ALL - {1}, set())
    mail.flag(5)
    with deleting_on(server).session("race", mail.mailbox) as client:
        client.do("DELE 1")
        assert client.quit().startswith(b"+OK")
    if what == "no MOVE":
        assert (mail.left(), mail.flagged()) == (ALL - {1, 2}, {5})
    else:
        assert (mail.left(), mail.flagged()) == (ALL - {1}, {2, 5})


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["flag", "expunge", "named-trash"])
def test_a_server_without_any_extension_keeps_every_policy_as_far_as_it_can(
    variant: str, tmp_path: Path, deleting_on: DeletingOn
) -> None:
    with hoodiecrow(tmp_path) as server:
        mail = ten(server)
        mail.flag(5)
        with deleting(tmp_path, server) as running, Pop3(running.bridge.port) as client:
            client.do(f"USER {mail.mailbox.user}@{variant}")
            client.do(f"PASS {mail.mailbox.password}")
            client.do("DELE 1")
            assert client.quit().startswith(b"+OK")
        assert (mail.left(), mail.flagged()) == (ALL, {1, 5})
        if variant == "named-trash":
            assert in_folder(mail) == [MESSAGES[0]]


# Sessions that end otherwise.


@pytest.mark.parametrize("policy", ["flag", "expunge", "trash"])
@pytest.mark.parametrize("how", ["close", "reset", "RSET", "RSET and DELE", "half a QUIT", "too long a line"])
def test_only_a_quit_deletes(policy: str, how: str, dovecot_server: Dovecot, deleting_on: DeletingOn) -> None:
    """A dropped connection deletes nothing and leaves no flag; RSET takes all marks back (S16; faults 13, 14)."""
    mail = ten(dovecot_server)
    mail.flag(5)
    running = deleting_on(dovecot_server)
    expected: set[int] = set()
    with running.session(policy, mail.mailbox) as client:
        client.do("DELE 1")
        client.do("DELE 2")
        match how:
            case "close":
                client.sock.close()
            case "reset":
                client.reset()
            case "RSET":
                client.do("RSET")
                client.quit()
            case "RSET and DELE":
                client.do("RSET")
                client.do("DELE 3")
                client.quit()
                expected = {3}
            case "half a QUIT":
                client.send(b"QUIT")
                client.sock.close()
            case "too long a line":
                client.send(b"NOOP " + b"x" * 300 + b"\r\nQUIT\r\n")
                assert client.rest().count(b"\r\n") == 1, "QUIT behind a broken line is not heard"
    running.until_left(mail.mailbox)
    if policy == "flag":
        assert (mail.left(), mail.flagged()) == (ALL, {5} | expected)
    else:
        assert (mail.left(), mail.flagged()) == (ALL - expected, {5})
    assert in_folder(mail) == ([MESSAGES[2]] if expected and policy == "trash" else [])


def test_a_session_in_one_burst_deletes_what_it_says(dovecot_server: Dovecot, deleting_on: DeletingOn) -> None:
    """USER to QUIT in a single segment: every reply comes, in order, and the deletion is done (fault 22)."""
    mail = ten(dovecot_server)
    login = [f"USER {mail.mailbox.user}@expunge", f"PASS {mail.mailbox.password}"]
    with Pop3(deleting_on(dovecot_server).bridge.port) as client:
        commands = [*login, "STAT", "DELE 1", "DELE 1", "DELE 2", "RSET", "DELE 4", "DELE 99", "NOOP", "QUIT"]
        replies = [reply[:3] for reply in client.many(commands)]
        wanted = {command: b"-ER" if command == "DELE 99" else b"+OK" for command in commands}
        assert replies == [b"-ER" if n == 4 else wanted[command] for n, command in enumerate(commands)]
        assert client.ended()
    assert mail.left() == ALL - {4}


def test_a_burst_with_mail_before_quit_deletes_only_what_the_client_took(
    dovecot_server: Dovecot, deleting_on: DeletingOn
) -> None:
    """RETR, DELE and QUIT pipelined, and the client crashes before it took the message: nothing is lost (S16)."""
    mailbox = dovecot_server.new_mailbox()
    large = b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * 400_000
    dovecot_server.drop_into_maildir(mailbox.user, [large])
    running = deleting_on(dovecot_server)
    with running.session("expunge", mailbox, receive_buffer=4096) as client:
        client.send(b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
        assert client.line().startswith(b"+OK")
        client.reset()
    running.until_left(mailbox)
    assert mailbox.flags() == {1: set()}


def test_messages_that_are_gone_already_are_deleted_as_wished(dovecot_server: Dovecot, deleting_on: DeletingOn) -> None:
    mail = ten(dovecot_server)
    with deleting_on(dovecot_server).session("expunge", mail.mailbox) as client:
        client.do("DELE 1")
        client.do("DELE 2")
        mail.flag(1)
        with imap_session(mail.mailbox) as imap:
            imap.expunge()
        assert client.quit().startswith(b"+OK")
    assert mail.left() == ALL - {1, 2}


def test_more_deletions_than_allowed_delete_nothing(dovecot_server: Dovecot, deleting_on: DeletingOn) -> None:
    """A program gone wild is stopped (S21)."""
    mail = ten(dovecot_server)
    with deleting_on(dovecot_server).session("two-at-most", mail.mailbox) as client:
        client.do("DELE 1")
        client.do("DELE 2")
        assert client.ask("DELE 3").startswith(b"-ERR [SYS/PERM]")
        assert client.quit().startswith(b"-ERR [SYS/PERM] ")
    assert (mail.left(), mail.flagged()) == (ALL, set())
