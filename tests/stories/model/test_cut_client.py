"""The client's connection fails at every reply, and at every command, of a burst from RETR 1 to QUIT (S16).

Either all that was marked is deleted, or nothing; and nothing where the client cannot have got its mail.
"""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.peers.servers.dovecot import Dovecot
from tests.stories.model.letters import Letter
from tests.stories.model.stage import Stage, Visit, stage
from tests.stories.model.world import World, running
from tests.stories.pop3 import Pop3

POLICIES = ["flag", "expunge", "trash", "hide", "keep"]
SMALL = 400
LARGE = 8_000_000
"""Octets; more than the kernel holds for a client that does not read (tcp_wmem, 4 MiB)."""


@pytest.fixture(scope="module")
def world(dovecot_server: Dovecot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(World(dovecot_server, tmp_path_factory.mktemp("client"))) as made:
        yield made


def prepared(world: World, policy: str, octets: int) -> Stage:
    made = stage(world, policy)
    for number in range(3):
        made.post(_letter(made, octets if number < 2 else SMALL), frozenset())
    if octets == SMALL:
        made.leave(made.enter(retrieve_all=True))
    return made


def _letter(made: Stage, octets: int) -> Letter:
    small = made.new_letter(size=0, date=0, with_id=True)
    line = b"x" * 70 + b"\r\n"
    return Letter(small.key, small.octets + line * ((octets - len(small.octets)) // len(line)), small.date)


BURST = ["RETR 1", "DELE 1", "RETR 2", "DELE 2", "QUIT"]
MARKED = (1, 2)


def tried(made: Stage, replies: int, *, reset: bool, commands: str | None = None, whole: bool = True) -> bool:
    """The burst, cut behind so many replies; whether its QUIT came true. `whole`: the body of the last one is read."""
    client = Pop3(made.world.bridge.port, receive_buffer=4096, seconds=20)
    client.do(f"USER {made.mailbox.user}@{made.policy}")
    client.do(f"PASS {made.mailbox.password}")
    copies = list(made.truth.copies.values())
    visit = Visit(client, copies, marks=set(MARKED))
    made.visits.append(visit)
    client.send((commands if commands is not None else "".join(f"{each}\r\n" for each in BURST)).encode())
    answered = False
    for number, command in enumerate(BURST[:replies], 1):
        line = client.line()
        assert line.startswith(b"+OK"), line
        answered = command == "QUIT"
        if command.startswith("RETR") and (whole or number < replies):
            assert client.body() == copies[int(command[5:]) - 1].letter.octets
    whole_burst = commands is None or commands.endswith("QUIT\r\n")
    if whole_burst:
        made.truth.quit_begun(visit.marked(), promised=answered, replaced=False)
    if reset:
        client.reset()
    made.gone(visit)
    made.settle()
    before = len(made.truth.copies)
    visit = made.enter(retrieve_all=False)
    left = before - len(visit.copies)
    assert left in {0, len(MARKED)}, f"{left} of {len(MARKED)} are deleted"
    assert not (left and not whole_burst)
    listed = len(visit.copies)
    made.leave(visit)
    assert listed == before - left
    return bool(left)


def points(policy: str, world: World) -> Counter[str]:
    told: Counter[str] = Counter()
    for reset in (False, True):
        for replies in range(len(BURST) + 1):
            made = prepared(world, policy, SMALL)
            told["deleted" if tried(made, replies, reset=reset) else "not deleted"] += 1
            made.close()
        for heard in range(len(BURST)):
            for half in (False, True):
                sent = "".join(f"{each}\r\n" for each in BURST[:heard]) + (BURST[heard] if half else "")
                made = prepared(world, policy, SMALL)
                assert not tried(made, 0, reset=reset, commands=sent)
                told["not deleted"] += 1
                made.close()
    return told


@pytest.mark.story
@pytest.mark.parametrize(
    "policy", [policy if policy == "expunge" else pytest.param(policy, marks=pytest.mark.slow) for policy in POLICIES]
)
def test_cut_at_every_reply_and_command(policy: str, world: World) -> None:
    told = points(policy, world)
    print(f"{policy}: {told.total()} cut points tried, {dict(told)}")
    assert told["deleted"] >= 2, "QUIT was answered"


@pytest.mark.slow
@pytest.mark.parametrize("reset", [False, True], ids=["close", "reset"])
@pytest.mark.parametrize("replies", range(4))
def test_mail_that_was_not_taken_is_not_deleted(replies: int, reset: bool, world: World) -> None:
    """The second of two large messages is still on its way."""
    made = prepared(world, "expunge", LARGE)
    assert not tried(made, replies, reset=reset, whole=replies < 3)
    made.close()
