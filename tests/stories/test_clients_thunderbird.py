"""What Thunderbird remembers of an account when it is closed and opened again, and what a listing does to that."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.bridge import Bridge, bridge
from tests.peers.clients.promises import NEWCOMER, SAMPLE, Maildrop, require, same
from tests.peers.clients.roster import THUNDERBIRD
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import new_mailbox

pytestmark = [pytest.mark.story, pytest.mark.slow]


@pytest.fixture(scope="module")
def plain_bridge(tmp_path_factory: pytest.TempPathFactory, dovecot_server: Dovecot) -> Iterator[Bridge]:
    require(THUNDERBIRD)
    with bridge(tmp_path_factory.mktemp("bridge"), upstream=dovecot_server) as running:
        yield running


@pytest.fixture
def drop(plain_bridge: Bridge, dovecot_server: Dovecot, tmp_path: Path) -> Maildrop:
    mailbox = new_mailbox(dovecot_server)
    mailbox.seed(SAMPLE)
    return Maildrop(mailbox, plain_bridge.port, 0, tmp_path)


def test_gets_nothing_twice_after_it_was_closed_and_opened_again(drop: Maildrop, tmp_path: Path) -> None:
    assert len(THUNDERBIRD.fetch(drop.account(), keep=True, state=tmp_path)) == len(SAMPLE)
    THUNDERBIRD.restart()
    drop.mailbox.seed([NEWCOMER])
    same(THUNDERBIRD, THUNDERBIRD.fetch(drop.account(), keep=True, state=tmp_path), [NEWCOMER])


def test_gets_nothing_twice_after_the_bridge_was_started_again(
    drop: Maildrop, dovecot_server: Dovecot, tmp_path: Path
) -> None:
    """Without a store the ids come from the mailbox, so they survive (S3)."""
    assert len(THUNDERBIRD.fetch(drop.account(), keep=True, state=tmp_path)) == len(SAMPLE)
    drop.mailbox.seed([NEWCOMER])
    with bridge(tmp_path, upstream=dovecot_server) as another:
        moved = Maildrop(drop.mailbox, another.port, 0, tmp_path)
        same(THUNDERBIRD, THUNDERBIRD.fetch(moved.account(), keep=True, state=tmp_path), [NEWCOMER])


def test_gets_nothing_twice_when_somebody_deletes_by_imap(drop: Maildrop, tmp_path: Path) -> None:
    """What is gone from the listing is forgotten, and only that."""
    assert len(THUNDERBIRD.fetch(drop.account(), keep=True, state=tmp_path)) == len(SAMPLE)
    with drop.mailbox.connect() as imap:
        imap.select()
        imap.store("2:3", "+FLAGS.SILENT", r"(\Deleted)")
        imap.expunge()
    assert THUNDERBIRD.fetch(drop.account(), keep=True, state=tmp_path) == []
    drop.mailbox.seed([NEWCOMER])
    same(THUNDERBIRD, THUNDERBIRD.fetch(drop.account(), keep=True, state=tmp_path), [NEWCOMER])
