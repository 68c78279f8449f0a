"""What IMAP users delete in a mailbox that a POP3 login shares is gone for it; what it deletes takes nothing of theirs.

Neither what they flagged and have not expunged, nor the flag itself (S7, S19, S20; fault 11).
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from tests.peers.bridge import bridge
from tests.peers.child import free_port
from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.peers.servers.imap_server import ManyUsersServer
from tests.stories import mailboxes
from tests.stories.house import CONFIG, MAIL, house_on, letters
from tests.stories.mailboxes import numbered
from tests.stories.pop3 import opened

pytestmark = pytest.mark.story

LESS = "IMAP4rev1 SASL-IR LITERAL+ UIDPLUS MOVE SPECIAL-USE"
"""Neither CONDSTORE nor QRESYNC nor ESEARCH."""


@pytest.fixture(scope="module")
def less_server() -> Iterator[Dovecot]:
    with dovecot(capability=LESS) as server:
        yield server


def server_of(request: pytest.FixtureRequest, name: str) -> ManyUsersServer:
    server = request.getfixturevalue(f"{name}_server")
    assert isinstance(server, ManyUsersServer)
    return server


# Flags between polls.


@pytest.mark.parametrize(
    "name",
    ["dovecot", "less", pytest.param("courier", marks=pytest.mark.slow), pytest.param("cyrus", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("restarted", [False, True])
def test_what_an_imap_user_flags_is_gone_at_the_next_poll_and_comes_back_unflagged(
    name: str, *, restarted: bool, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Hidden, then back under its own UIDL and in its place; nobody's flag is touched (S7, S8, S20)."""
    server = server_of(request, name)
    mailbox = server.new_mailbox()
    uids = [uid for _, uid in mailbox.seed(letters("home", 10))]
    config = CONFIG % ("", server.port, "INBOX", "")
    port = free_port()

    def listed() -> list[str]:
        with opened(port, mailbox) as client:
            return list(client.uidls().values())

    with contextlib.ExitStack() as running:

        def restart() -> None:
            if restarted:
                running.close()
                running.enter_context(bridge(tmp_path, config=config, port=port))

        running.enter_context(bridge(tmp_path, config=config, port=port))
        before = listed()
        for hidden in ([3], [3, 6, 9], [0, 6], list(range(10)), []):
            mailboxes.flag(mailbox, uids, deleted=False)
            if hidden:
                mailboxes.flag(mailbox, [uids[n] for n in hidden])
            restart()
            assert listed() == [uidl for n, uidl in enumerate(before) if n not in hidden]
            flags = mailbox.flags()
            assert [n for n, uid in enumerate(uids) if r"\Deleted" in flags[uid]] == hidden
        mailboxes.flag(mailbox, [uids[4]])
        mailbox.seed(letters("late", 1))
        assert listed()[:-1] == before[:4] + before[5:], "in one poll: one hidden, and a new one"
        mailboxes.flag(mailbox, [uids[4]], deleted=False)
        mailboxes.expunge(mailbox, [uids[0], uids[9]])
        assert listed()[:-1] == before[1:9], "in one poll: one back, two gone"


# Without UIDPLUS.

NO_UIDPLUS = {
    "no UIDPLUS": "IMAP4rev1 SASL-IR LITERAL+ ENABLE ESEARCH CONDSTORE QRESYNC MOVE SPECIAL-USE",
    "neither": "IMAP4rev1 SASL-IR LITERAL+ ENABLE ESEARCH CONDSTORE QRESYNC SPECIAL-USE",
    "bare": "IMAP4rev1 LITERAL+",
}
MORE = {
    "flag": 'delete = "flag"',
    "purge": 'delete = "flag"\npurge = "1s"',
    "expunge": 'delete = "expunge"',
    "expunge-later": 'delete = "expunge"\nafter = "1s"',
    "trash": 'delete = "trash"\ntrash = "Trash"',
    "archive": 'delete = "archive"\narchive = "Archive"',
    "hide": 'delete = "hide"',
    "keep": 'delete = "keep"',
}


@pytest.fixture(scope="module", params=NO_UIDPLUS)
def no_uidplus(request: pytest.FixtureRequest) -> Iterator[Dovecot]:
    with dovecot(capability=NO_UIDPLUS[request.param]) as server:
        yield server


@pytest.mark.parametrize("policy", MORE)
@pytest.mark.parametrize("down", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["at once", "replayed"])
def test_without_uidplus_what_others_flagged_survives_every_policy(
    policy: str, *, down: bool, no_uidplus: Dovecot, tmp_path: Path
) -> None:
    """Flagged before the session, and during it; QUIT may not expunge, now or later (S19; fault 11)."""
    with house_on(no_uidplus, tmp_path, MORE[policy]) as house:
        house.fill(numbered(letters("home", 10)))
        mailboxes.flag(house.mailbox, [5], MAIL)
        assert len(house.poll()) == 9
        with house.session() as client:
            client.do("DELE 1")
            client.do("DELE 9")  # the tenth in the mailbox, as the fifth is hidden
            mailboxes.flag(house.mailbox, [6], MAIL)
            if down:
                house.door.shut()
            assert client.quit().startswith(b"+OK")
        if down:
            house.kill()
            house.door.open()
            house.start()
        deadline = monotonic() + 2  # beyond what waits a second
        while monotonic() < deadline:
            shown = list(house.poll().values())
            assert shown == [octets for n, octets in enumerate(letters("home", 10), 1) if n not in {1, 5, 6, 10}]
            assert {5, 6} <= house.flagged()
            if policy not in {"purge", "expunge-later"}:
                break
        left = set(house.mailbox.uids(mailbox=MAIL))
        assert left >= set(range(2, 10))
