"""Whatever IMAP users, POP3 sessions and SIGKILL do to one mailbox, nobody loses or gets back a message (S1-S21).

The model is three lines a promise (`truth.py`); the servers and the bridge are real. POPBRIDGE_EXAMPLES sets how many
examples are tried on each server, then other ones at each run: that is `make soak`.
"""

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.peers.servers.cyrus import Cyrus
from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.peers.servers.imap_server import ManyUsersServer
from tests.stories.model.imap_user import WORK
from tests.stories.model.machine import ModelTest
from tests.stories.model.world import INBOX, Abilities, World, running

SHRINK = "POPBRIDGE_SHRINK" in os.environ
SOAK = int(os.environ.get("POPBRIDGE_EXAMPLES", "0"))
STEPS = 12
TIMEOUTS = 'quit_wait = "0.5s"'
LESSER = "IMAP4rev1 SASL-IR LITERAL+ SPECIAL-USE"
"""Neither CONDSTORE nor UIDPLUS, MOVE, ESEARCH."""


def tried(
    server: ManyUsersServer, folder: Path, examples: int, abilities: Abilities | None = None, work: str = WORK
) -> Counter[str]:
    told: Counter[str] = Counter()
    with running(World(server, folder, abilities or Abilities(), timeouts=TIMEOUTS, work=work)) as here:
        machine = type("Model", (ModelTest,), {"world": here, "told": told})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=SOAK or examples,
                stateful_step_count=STEPS,
                derandomize=not SOAK,
                database=None,
                deadline=None,
                phases=[Phase.generate, Phase.shrink] if SHRINK else [Phase.generate],
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
    print(f"{server.name}: " + ", ".join(f"{count} {what}" for what, count in told.items()))
    return told


@pytest.mark.story
def test_a_few_on_dovecot(dovecot_by_index: Dovecot, tmp_path: Path) -> None:
    told = tried(dovecot_by_index, tmp_path, 15)
    assert told["kills in QUIT"]
    assert told["mailboxes replaced"]


@pytest.mark.story
def test_a_few_where_connections_are_parked(dovecot_by_index: Dovecot, tmp_path: Path) -> None:
    before = dovecot_by_index.log().count("Login: ")
    told = tried(dovecot_by_index, tmp_path, 10, work=INBOX)

    assert told["kills in QUIT"]
    people = 2 * told["examples"]
    upstream = dovecot_by_index.log().count("Login: ") - before - people
    assert 0 < upstream < told["logins"], "no connection waited for the next session"


@pytest.mark.slow
@pytest.mark.hundreds
def test_many_where_connections_are_parked(dovecot_by_index: Dovecot, tmp_path: Path) -> None:
    assert tried(dovecot_by_index, tmp_path, 200, work=INBOX)["examples"] >= (SOAK or 200)


@pytest.mark.slow
@pytest.mark.hundreds
def test_on_cyrus_where_connections_are_parked(cyrus_server: Cyrus, tmp_path: Path) -> None:
    tried(cyrus_server, tmp_path, 30, work=INBOX)


@pytest.mark.slow
@pytest.mark.hundreds
def test_many_on_dovecot(dovecot_by_index: Dovecot, tmp_path: Path) -> None:
    assert tried(dovecot_by_index, tmp_path, 500)["examples"] >= (SOAK or 500)


@pytest.mark.slow
@pytest.mark.hundreds
def test_on_cyrus(cyrus_server: Cyrus, tmp_path: Path) -> None:
    tried(cyrus_server, tmp_path, 60)


@pytest.mark.slow
@pytest.mark.hundreds
def test_on_a_server_without_extensions(tmp_path: Path) -> None:
    with dovecot(capability=LESSER, layout="index") as server:
        tried(server, tmp_path, 40, Abilities(expunges_by_uid=False, moves=False))
