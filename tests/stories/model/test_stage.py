"""What the model takes for granted of sessions, tried step by step."""

from collections.abc import Iterator

import pytest

from tests.peers.servers.dovecot import Dovecot
from tests.stories.model.stage import NO_REPLACEMENT, Stage, Visit, stage
from tests.stories.model.world import ASK, World, running

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def world(dovecot_by_index: Dovecot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(World(dovecot_by_index, tmp_path_factory.mktemp("stage"))) as world:
        yield world


@pytest.fixture
def made(world: World) -> Iterator[Stage]:
    made = stage(world, "expunge")
    yield made
    made.close()


def mail_comes(made: Stage) -> None:
    made.post(made.new_letter(size=0, date=0, with_id=True), frozenset())


def test_a_session_that_quits_teaches_what_it_has_listed_and_no_later_mail(made: Stage) -> None:
    mail_comes(made)
    older = made.enter(retrieve_all=False)
    mail_comes(made)
    newer = made.enter(retrieve_all=False)
    made.leave(older)
    made.replace(list(made.truth.copies.values()), order=1, flags_too=True)
    visit = made.enter(retrieve_all=False)
    assert [copy.due for copy in visit.copies] == [older.copies[0].uidl, None]
    assert visit.copies[0].uidl == older.copies[0].uidl
    made.leave(visit)
    made.leave(newer)


def replaced_with_a_mark(made: Stage) -> Visit:
    """A session that has marked the first of three; under the UIDs it knows others are there now."""
    for _ in range(3):
        mail_comes(made)
    made.leave(made.enter(retrieve_all=False))
    visit = made.enter(retrieve_all=False)
    visit.client.do("DELE 1")
    visit.marks.add(1)
    made.replace(list(made.truth.copies.values()), order=-1, flags_too=True)
    return visit


@pytest.mark.parametrize("command", ["RETR 3", "TOP 3 0"])
def test_a_session_whose_mailbox_was_replaced_is_told_so(command: str, made: Stage) -> None:
    """Or gets its own message, where the bridge holds it already, and never another. Without its QUIT nothing goes."""
    visit = replaced_with_a_mark(made)
    line = visit.client.ask(command)
    if line.startswith(b"+OK"):
        assert visit.copies[2].letter.octets.startswith(visit.client.body())
    else:
        assert line.startswith(b"-ERR [SYS/TEMP] the mailbox was replaced")
        assert visit.client.ended()
    made.gone(visit)
    visit = made.enter(retrieve_all=True)
    assert len(visit.copies) == 3
    made.leave(visit)


def test_its_quit_deletes_the_message_that_was_marked_under_whatever_uid_it_has_now(made: Stage) -> None:
    visit = replaced_with_a_mark(made)
    marked = visit.copies[0].letter
    assert visit.client.ask("QUIT").startswith(b"+OK")
    made.gone(visit)
    made.truth.quit_begun(visit.marked(), promised=True, replaced=True)
    visit = made.enter(retrieve_all=True)
    assert len(visit.copies) == 2
    assert marked not in [copy.letter for copy in made.truth.copies.values()], "it is gone for IMAP users, too"
    made.leave(visit)


def test_an_owner_who_wants_to_be_asked_is_when_a_replaced_mailbox_is_emptied_before_anybody_saw_it(
    world: World,
) -> None:
    made = stage(world, "expunge", ASK)
    mail_comes(made)
    made.leave(made.enter(retrieve_all=True))
    made.replace(list(made.truth.copies.values()), order=1, flags_too=True)
    made.user.expunge(1)
    made.truth.copies.clear()
    made.refused(NO_REPLACEMENT)
    visit = made.enter(retrieve_all=True)
    assert len(visit.copies) == 1, "mail has come"
    made.leave(visit)
    made.close()
