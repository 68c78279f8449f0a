"""One consent for several folders and fifty sessions: its token ends, and is renewed once and in silence."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.peers.servers.courier import Courier
from tests.peers.servers.cyrus import Cyrus
from tests.stories.gate import Gate, gate
from tests.stories.pop3 import Gone, Pop3, Refused
from tests.stories.providers import Tenants, providers, tenants
from tests.stories.sources import Behind, letter

pytestmark = pytest.mark.story

SESSIONS = 50
SHORT = 20
"""Seconds: on a busy machine fifty logins with two folders take some."""

KILLED_AFTER = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.3)
"""Seconds after the authorization server's answer has left; a bridge takes some milliseconds to seal what it says."""


@contextlib.contextmanager
def folders(tmp_path: Path, cyrus: Cyrus, courier: Courier, lifetimes: Sequence[int] = (3600,)) -> Iterator[Tenants]:
    """INBOX and Archive of the account that takes tokens; POP3 opens a mailbox for one at a time, and stays out."""
    with providers(tmp_path, cyrus, courier, lifetimes=lifetimes) as of, tenants(of, order=["work"]) as house:
        work = house.behind["work"]
        house.behind["archive"] = Behind(work.mailbox, work.door, "imap", "Archive", work.secret)
        for name in ("work", "archive"):
            house.behind[name].seed(letter(f"{name}-1"), letter(f"{name}-2"))
        house.again("work", "archive")
        yield house


def all_at_once(work: Callable[[int], object]) -> Sequence[object]:
    with ThreadPoolExecutor(SESSIONS) as pool:
        return list(pool.map(work, range(SESSIONS)))


def after(seconds: float, what: Callable[[], None]) -> None:
    threading.Timer(seconds, what).start()


def until(there: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # noqa: TID251  what it waits for is another process


def finishes(session: Pop3) -> list[bytes]:
    bodies = [session.retr(number) for number in session.uidls()]
    assert session.quit().startswith(b"+OK")
    return bodies


@pytest.mark.slow
def test_a_token_of_several_folders_is_renewed_by_one_request_between_and_in_fifty_sessions(
    tmp_path: Path, cyrus_server: Cyrus, courier_server: Courier
) -> None:
    lifetimes = (3600, 3600, SHORT, SHORT, 3600)
    with folders(tmp_path, cyrus_server, courier_server, lifetimes) as house, contextlib.ExitStack() as ends:
        before = list(house.poll().values())
        assert len(before) == 4
        assert house.refreshes() == 1
        time.sleep(SHORT)  # noqa: TID251  the token's own life, at a server with a clock of its own
        sessions: list[Pop3] = []

        def opened(_: int) -> None:
            sessions.append(ends.enter_context(house.session()))

        all_at_once(opened)
        assert len(sessions) == SESSIONS
        assert house.refreshes() == 2

        time.sleep(SHORT)  # noqa: TID251  as above
        door = house.behind["work"].door
        door.shut()  # upstream cuts everybody off
        door.open()
        assert all(bodies == before for bodies in all_at_once(lambda number: finishes(sessions[number])))
        assert house.refreshes() == 3
        assert house.providers is not None
        assert all(request["ok"] for request in house.providers.authority.requests())


@pytest.fixture
def token_door(tmp_path: Path, cyrus_server: Cyrus, courier_server: Courier) -> Iterator[tuple[Tenants, Gate]]:
    """The bridge, and the door through which it gets its tokens."""
    with folders(tmp_path, cyrus_server, courier_server) as house:
        assert house.providers is not None
        with gate(house.providers.authority.port) as door:
            asked = f'token = "http://127.0.0.1:{house.providers.authority.port}'
            assert asked in house.head
            house.head = house.head.replace(asked, f'token = "http://127.0.0.1:{door.port}')
            yield house, door


@pytest.mark.slow
def test_a_bridge_that_is_killed_while_its_refresh_token_is_replaced_shows_none_twice(
    token_door: tuple[Tenants, Gate],
) -> None:
    """What reached the vault is used; where the kill came before that, the owner is told what to do, and once."""
    house, door = token_door
    kept = 0
    for seconds in KILLED_AFTER:
        house.again("work", "archive")

        def killed(said: bytes, seconds: float = seconds) -> bytes:
            if b"refresh_token" in said:
                after(seconds, house.bridge.kill)
            return said

        door.edit = killed
        with contextlib.suppress(Gone, OSError), house.session() as session:
            session.uidls()
        until(lambda: not house.bridge.running())
        door.edit = lambda said: said
        house.again("work", "archive")
        try:
            assert len(house.poll()) == 4
            kept += 1
        except Refused as refused:
            assert str(refused).startswith("-ERR [SYS/PERM] alice/")
            assert "popbridge authorise consent" in str(refused)
            assert "the provider wants consent again" in house.command("status")
            assert "consent: authorised" in house.authorise()
            assert len(house.poll()) == 4
        print(f"killed {seconds:g} s after the answer: {kept} kept so far")
    assert kept, "not once was it sealed in time"
