"""QUIT tells the truth, and what it promised comes true: soon, after an outage, after a restart, or it is told."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from bridge.accounts.account import Account
from bridge.config import OwnSource, Reference
from bridge.events import DeletionsAbandoned, DeletionsCarriedOut
from bridge.maildrop.errors import CredentialsRefused, StateUnavailable, UpstreamUnavailable
from bridge.maildrop.journal import Stage
from bridge.maildrop.listing import Listing
from bridge.maildrop.retention import Policy
from bridge.maildrop.source import Deletion
from bridge.names import MessageNumber
from bridge.postoffice.deletions import PATIENCE
from tests.postoffice.kit import DELETION_WAIT, QUIT_WAIT, DurableStore, Ground, HeldSource, result

A, B, C = b"Message-ID: <a@x>\r\n\r\na", b"Message-ID: <b@x>\r\n\r\nbb", b"Message-ID: <c@x>\r\n\r\nccc"


@pytest.mark.parametrize("durable", [True, False])
def test_what_is_done_at_once_is_said_and_leaves_no_entry(durable: bool) -> None:
    ground = Ground(A, B, C, durable=durable, delete="expunge")
    outcome = result(ground.quit(ground.open(), 1, 3))

    assert (outcome.asked, outcome.done, outcome.promised, outcome.goes_on) == (2, 2, 0, False)
    assert list(ground.messages) == [2]
    assert ground.journal() == []


def test_the_journal_knows_before_upstream_does() -> None:
    ground = Ground(A, B, delete="flag")
    visit = ground.open()
    ground.sources[0].held = Deferred()
    quitting = ground.quit(visit, 2)

    (entry,) = ground.journal()
    assert (entry.uid, entry.stage, entry.policy) == (2, Stage.SENT, Policy.FLAG)
    ground.sources[0].held.callback(None)
    assert result(quitting).done == 1
    assert ground.journal() == []


def test_a_slow_upstream_is_waited_for_no_longer_than_clients_wait() -> None:
    ground = Ground(A, B, delete="expunge")
    visit = ground.open()
    held = ground.sources[0].held = Deferred()
    quitting = ground.quit(visit, 1)
    ground.clock.advance(QUIT_WAIT)
    outcome = result(quitting)
    assert (outcome.done, outcome.promised, outcome.refused, outcome.goes_on) == (0, 1, 0, True)

    visit.leave()
    assert [ground.sources[0].closed] == [False], "it is still needed"
    held.callback(None)
    assert list(ground.messages) == [2]
    assert [ground.sources[0].closed] == [True]
    assert ground.told(DeletionsCarriedOut) == [DeletionsCarriedOut("ann", 1)]


def test_an_outage_is_outlived_by_trying_again() -> None:
    ground = Ground(A, B, delete="expunge")
    visit = ground.open()
    ground.sources[0].down = True
    quitting = ground.quit(visit, 1)
    ground.clock.advance(QUIT_WAIT)
    assert result(quitting).promised == 1
    for _ in range(6):
        ground.clock.advance(40)
        assert 1 in ground.messages
    ground.sources[0].down = False
    ground.clock.advance(600)
    assert list(ground.messages) == [2]


def test_after_a_restart_the_next_login_does_it_before_it_lists() -> None:
    ground = Ground(A, B, delete="flag")
    visit = ground.open()
    ground.sources[0].down = ground.sources[0].broken = True
    quitting = ground.quit(visit, 1)
    ground.clock.advance(QUIT_WAIT)
    assert result(quitting).promised == 1
    ground.office.stop()

    ground.restart()
    assert ground.uids(ground.open()) == [2]
    assert ground.messages[1].deleted
    assert ground.journal() == []


@pytest.mark.parametrize(("modseq", "shown"), [(5, [2]), (6, [1, 2]), (0, [1, 2])])
def test_what_was_sent_and_never_seen_to_hold_is_done_again_where_nothing_touched_the_message(
    modseq: int, shown: list[int]
) -> None:
    """S17: after a restart nobody knows whether it arrived, unless MODSEQ tells; else somebody undid it."""
    ground = Ground(A, B, delete="flag")
    visit = ground.open(highestmodseq=5)
    ground.sources[0].down = True
    quitting = ground.quit(visit, 1)
    ground.clock.advance(QUIT_WAIT)
    assert result(quitting).promised == 1
    assert ground.journal()[0].stage is Stage.SENT
    ground.office.stop()

    ground.restart()
    ground.messages[1].modseq = modseq
    assert ground.uids(ground.open()) == shown
    assert ground.messages[1].deleted == (shown == [2])
    assert ground.journal() == []


def test_while_upstream_cannot_be_reached_the_message_stays_hidden_and_is_tried_behind_the_next_session() -> None:
    ground = Ground(A, B, delete="expunge")
    visit = ground.open()
    ground.sources[0].down = ground.sources[0].broken = True
    quitting = ground.quit(visit, 1)
    ground.clock.advance(QUIT_WAIT)
    result(quitting)
    ground.office.stop()
    ground.restart()
    source = ground.source()
    source.down = True
    second = result(ground.office.open(ground.account, source))
    assert ground.uids(second) == [2]
    assert 1 in ground.messages

    source.down = False
    second.leave()
    assert 1 not in ground.messages
    assert source.closed


def test_a_second_login_hurries_the_first_ones_deletions() -> None:
    ground = Ground(A, B, delete="expunge")
    visit = ground.open()
    ground.sources[0].down = True
    quitting = ground.quit(visit, 1)
    ground.clock.advance(QUIT_WAIT)
    result(quitting)
    ground.sources[0].down = False
    assert ground.uids(ground.open()) == [2]
    assert list(ground.messages) == [2]


def test_what_the_session_before_must_give_up_a_login_does_itself_before_it_lists() -> None:
    """Its password is another now, or its mailbox was replaced."""
    ground = Ground(A, B, delete="expunge")
    visit = ground.open()
    ground.sources[0].down = True
    quitting = ground.quit(visit, 1)
    ground.clock.advance(QUIT_WAIT)
    assert result(quitting).goes_on
    ground.sources[0].down, ground.sources[0].fails = False, CredentialsRefused("the password is another now")
    assert ground.uids(ground.open()) == [2]
    assert list(ground.messages) == [2]
    assert ground.journal() == []


def test_a_refusal_for_good_is_told_and_the_message_listed_again() -> None:
    ground = Ground(A, B, C, delete="expunge")
    visit = ground.open()
    ground.sources[0].answers = [Deletion(2, frozenset({1}), "upstream refused to flag them", detail="no right")]
    outcome = result(ground.quit(visit, 1, 2))

    assert (outcome.done, outcome.refused, outcome.why_not) == (1, 1, "upstream refused to flag them")
    assert not outcome.temporary
    assert ground.journal() == []
    assert ground.uids(ground.open())[0] == 1


def test_a_mailbox_that_allows_no_deletion_is_named_before_anything_is_written() -> None:
    ground = Ground(A, delete="expunge")
    visit = ground.open()
    ground.sources[0].refuses = Deletion(1, frozenset({1}), "the mailbox is read-only upstream")
    ground.sources[0].down = True
    outcome = result(ground.quit(visit, 1))
    assert (outcome.refused, outcome.promised) == (1, 0)


def test_a_refusal_after_the_promise_hides_the_message_from_who_deleted_it_and_tells_the_owner() -> None:
    ground = Ground(A, B, delete="expunge")
    visit = ground.open()
    held = ground.sources[0].held = Deferred()
    ground.sources[0].answers = [Deletion(1, frozenset({1}), "upstream refused to expunge them")]
    quitting = ground.quit(visit, 1)
    ground.clock.advance(QUIT_WAIT)
    result(quitting)
    held.callback(None)

    assert ground.told(DeletionsAbandoned) == [DeletionsAbandoned("ann", 1, "upstream refused to expunge them")]
    assert ground.journal() == []
    assert ground.uids(ground.open()) == [2]
    assert ground.uids(ground.open(ground.seen_as("as=other"))) == [1, 2]


def test_a_passing_refusal_is_tried_again() -> None:
    ground = Ground(A, delete="expunge")
    visit = ground.open()
    ground.sources[0].answers = [Deletion(1, frozenset({1}), "in use", temporary=True)]
    quitting = ground.quit(visit, 1)
    ground.clock.advance(1)
    assert result(quitting).done == 1


def test_a_connection_lost_on_the_way_is_looked_at_and_tried_again() -> None:
    ground = Ground(A, delete="flag")
    visit = ground.open()
    ground.sources[0].answers = [UpstreamUnavailable("lost")]
    quitting = ground.quit(visit, 1)
    ground.clock.advance(1)
    assert result(quitting).done == 1
    assert ground.messages[1].deleted


def test_without_a_durable_store_the_truth_is_waited_for() -> None:
    ground = Ground(A, B, durable=False, delete="expunge")
    visit = ground.open()
    ground.sources[0].held = Deferred()
    quitting = ground.quit(visit, 1)
    ground.clock.advance(DELETION_WAIT - 1)
    assert not quitting.called
    ground.clock.advance(1)
    outcome = result(quitting)
    assert (outcome.done, outcome.promised, outcome.refused, outcome.certain) == (0, 0, 1, False)
    assert ground.journal() == []
    visit.leave()
    assert ground.sources[0].abandoned
    assert ground.uids(ground.open()) == [1, 2], "what was told to be refused is not done later"


def test_without_a_durable_store_a_lost_connection_gets_a_second_try_and_no_third() -> None:
    ground = Ground(A, B, durable=False, delete="expunge")
    visit = ground.open()
    ground.sources[0].answers = [UpstreamUnavailable("lost")]
    assert result(ground.quit(visit, 1)).done == 1

    visit = ground.open()
    ground.sources[-1].down = True
    outcome = result(ground.quit(visit, 1))
    assert (outcome.done, outcome.promised, outcome.refused, outcome.temporary) == (0, 0, 1, True)
    assert ground.journal() == []


def test_where_the_journal_cannot_be_written_the_truth_is_waited_for_too() -> None:
    ground = Ground(A, B, delete="expunge")
    visit = ground.open()
    assert isinstance(ground.store, DurableStore)
    ground.store.broken = True
    ground.sources[0].held = Deferred()
    quitting = ground.quit(visit, 1)
    ground.clock.advance(QUIT_WAIT)
    assert not quitting.called
    ground.sources[0].held.callback(None)
    assert result(quitting).done == 1


def test_keep_deletes_for_this_login_alone_and_asks_nobody_upstream() -> None:
    ground = Ground(A, B, delete="keep")
    scanner = ground.seen_as("as=scanner")
    assert result(ground.quit(ground.open(scanner), 1)).done == 1
    assert ground.sources[0].asked == []
    assert ground.uids(ground.open(scanner)) == [2]
    assert ground.uids(ground.open(ground.seen_as("as=fax"))) == [1, 2]


def test_keep_that_cannot_be_stored_is_refused() -> None:
    ground = Ground(A, delete="keep")
    visit = ground.open()
    assert isinstance(ground.store, DurableStore)
    ground.store.broken = True
    outcome = result(ground.quit(visit, 1))
    assert (outcome.refused, outcome.temporary, outcome.why_not) == (1, True, "the disk is full")


def test_after_a_week_means_hidden_at_once_and_deleted_then() -> None:
    ground = Ground(A, B, delete="expunge", after=7 * 86400.0)
    outcome = result(ground.quit(ground.open(), 1))
    assert (outcome.promised, outcome.goes_on) == (1, False)
    assert ground.uids(ground.open()) == [2]
    assert 1 in ground.messages
    ground.clock.advance(7 * 86400 - 1)
    ground.open()
    assert 1 in ground.messages
    ground.clock.advance(1)
    assert ground.uids(ground.open()) == [2]
    assert 1 not in ground.messages


def test_after_that_cannot_be_written_down_is_refused() -> None:
    ground = Ground(A, delete="expunge", after=60.0)
    visit = ground.open()
    assert isinstance(ground.store, DurableStore)
    ground.store.broken = True
    assert result(ground.quit(visit, 1)).refused == 1
    assert 1 in ground.messages


def test_a_purge_takes_what_is_still_flagged_and_nothing_else() -> None:
    ground = Ground(A, B, C, delete="flag", purge=86400.0)
    assert result(ground.quit(ground.open(), 1, 2)).done == 2
    assert [entry.stage for entry in ground.journal()] == [Stage.FLAGGED] * 2
    assert ground.uids(ground.open()) == [3]
    ground.messages[2].deleted = False
    assert ground.uids(ground.open()) == [2, 3], "taken back, it is there again"
    ground.clock.advance(86400)
    assert ground.uids(ground.open()) == [2, 3]
    assert list(ground.messages) == [2, 3]
    assert ground.journal() == []


def test_a_device_s_purge_takes_nothing_that_another_device_has_only_flagged() -> None:
    ground = Ground(A, B, C)

    def device(name: str, **settings: Any) -> Account:
        reference = Reference("env", "WORK")
        upstream = ground.account.settings.upstream
        source = OwnSource(name="work", upstream=upstream, login="ann", secret=reference, delete="flag", **settings)
        return Account(b"ann", ground.account.name, source, viewer=name)

    phone, scanner = device("phone", after=60.0), device("scanner", purge=3600.0)
    assert result(ground.quit(ground.open(phone), 1)).promised == 1
    assert result(ground.quit(ground.open(scanner), 1)).done == 1
    ground.clock.advance(60)
    ground.open(scanner)
    assert [uid for uid, message in ground.messages.items() if message.deleted] == [1, 2]
    ground.clock.advance(86400)
    ground.open(scanner)

    assert list(ground.messages) == [1, 3]
    assert ground.journal() == []


def test_a_message_deleted_again_while_its_purge_waits_is_hidden_again() -> None:
    ground = Ground(A, B, delete="flag", purge=86400.0)
    result(ground.quit(ground.open(), 1))
    ground.messages[1].deleted = False
    assert result(ground.quit(ground.open(), 1)).done == 1
    assert ground.uids(ground.open()) == [2]


def test_two_sessions_may_delete_the_same_message() -> None:
    ground = Ground(A, B, delete="expunge")
    first, second = ground.open(), ground.open()
    assert result(ground.quit(first, 1)).done == 1
    assert result(ground.quit(second, 1)).done == 1
    assert ground.journal() == []


def test_a_session_whose_mailbox_was_replaced_deletes_nothing() -> None:
    ground = Ground(A, B, delete="expunge", renumbered="accept")
    visit = ground.open()
    ground.uidvalidity = 8
    ground.open()
    outcome = result(ground.quit(visit, 1))
    assert outcome.refused == 1
    assert "replaced" in outcome.why_not
    assert list(ground.messages) == [1, 2]


def test_more_than_a_thousand_at_once() -> None:
    ground = Ground(*[b"Message-ID: <%d@x>\r\n\r\n" % n for n in range(1500)], delete="expunge")
    visit = ground.open()
    assert result(ground.quit(visit, *range(1, 1201))).done == 1200
    assert len(ground.messages) == 300
    assert visit.maildrop.uid(MessageNumber(1201)) == 1201


def test_what_never_left_is_known_not_to_be_done() -> None:
    ground = Ground(A, durable=False, delete="expunge")
    visit = ground.open()
    ground.sources[0].down = ground.sources[0].broken = True
    outcome = result(ground.quit(visit, 1))
    assert (outcome.refused, outcome.certain) == (1, True)

    visit = ground.open()
    ground.sources[-1].answers = [UpstreamUnavailable("lost"), UpstreamUnavailable("lost")]
    outcome = result(ground.quit(visit, 1))
    assert (outcome.refused, outcome.certain) == (1, False)


def test_an_answer_that_knows_only_half_gets_a_second_try() -> None:
    ground = Ground(A, B, durable=False, delete="expunge")
    visit = ground.open()
    ground.sources[0].answers = [Deletion(2, frozenset({1, 2}), "lost", temporary=True, certain=False)]
    assert result(ground.quit(visit, 1, 2)).done == 2


def test_credentials_that_upstream_no_longer_takes_are_tried_no_more() -> None:
    ground = Ground(A, B, delete="expunge")
    visit = ground.open()
    source = ground.sources[0]
    source.broken, source.fails = True, CredentialsRefused("the password is another now")
    outcome = result(ground.quit(visit, 1))
    assert (outcome.promised, outcome.goes_on) == (1, False)
    assert not ground.clock.getDelayedCalls()
    assert len(ground.journal()) == 1
    assert ground.uids(ground.open()) == [2]
    assert list(ground.messages) == [2], "the next login did it"


def test_the_source_of_a_quit_that_is_done_is_still_the_session_s() -> None:
    ground = Ground(A, B, delete="expunge")
    visit = ground.open()
    result(ground.quit(visit, 1))
    assert not ground.sources[0].closed


def test_a_login_does_not_wait_long_for_another_s_deletions_and_shows_none_of_them() -> None:
    ground = Ground(A, B, delete="expunge")
    visit = ground.open()
    held = ground.sources[0].held = Deferred()
    quitting = ground.quit(visit, 1)
    ground.clock.advance(QUIT_WAIT)
    result(quitting)
    second = Deferred.fromCoroutine(ground.office.open(ground.account, ground.source()))
    assert not second.called
    ground.clock.advance(PATIENCE)
    assert ground.uids(result(second)) == [2]
    held.callback(None)
    assert list(ground.messages) == [2]


def test_what_was_deleted_while_it_was_listed_is_not_shown_either() -> None:
    ground = Ground(A, B, delete="expunge")
    visit = ground.open()
    held = ground.sources[0].held = Deferred()
    quitting = ground.quit(visit, 1)
    ground.clock.advance(QUIT_WAIT)
    result(quitting)

    class Slow(HeldSource):
        async def list(self, known: Listing | None = None) -> Listing:
            listing = await super().list(known)
            held.callback(None)
            return listing

    slow = Slow(ground.messages, uidvalidity=7, uidnext=3)
    assert ground.uids(result(ground.office.open(ground.account, slow))) == [2]
    assert list(ground.messages) == [2]


def test_two_sessions_of_one_account_do_not_delete_at_the_same_moment() -> None:
    ground = Ground(A, B, delete="expunge")
    first, second = ground.open(), ground.open()
    held = ground.sources[0].held = Deferred()
    one, two = ground.quit(first, 1), ground.quit(second, 2)
    assert list(ground.messages) == [1, 2]
    held.callback(None)
    assert (result(one).done, result(two).done) == (1, 1)
    assert ground.messages == {}


def test_what_has_to_wait_for_another_session_is_not_noted_as_sent() -> None:
    """A bridge that is killed meanwhile would take it for undone by somebody."""
    ground = Ground(A, B, delete="expunge")
    first, second = ground.open(), ground.open()
    held = ground.sources[0].held = Deferred()
    quitting = [ground.quit(first, 1), ground.quit(second, 2)]

    assert [(entry.uid, entry.stage) for entry in ground.journal()] == [(1, Stage.SENT), (2, Stage.WRITTEN)]
    held.callback(None)
    assert [result(one).done for one in quitting] == [1, 1]


def test_nor_is_what_another_session_overtakes_while_it_is_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    ground = Ground(A, B, delete="expunge")
    first, second = ground.open(), ground.open()
    ground.sources[1].held = Deferred()
    written: Deferred[None] = Deferred()
    write_down = ground.store.write_down

    async def slow(*args: Any) -> Any:
        monkeypatch.undo()
        await written
        return await write_down(*args)

    monkeypatch.setattr(ground.store, "write_down", slow)
    one = ground.quit(first, 1)
    two = ground.quit(second, 2)
    written.callback(None)
    assert [(entry.uid, entry.stage) for entry in ground.journal()] == [(2, Stage.SENT), (1, Stage.WRITTEN)]

    ground.sources[1].held.callback(None)
    assert (result(one).done, result(two).done) == (1, 1)
    assert ground.journal() == []


def _counted(name: str, write: Any, writes: list[str]) -> Any:
    def counted(*args: Any) -> Any:
        writes.append(name)
        return write(*args)

    return counted


def test_a_deletion_costs_one_write_before_it_and_one_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ground = Ground(A, B, delete="expunge")
    writes: list[str] = []
    for name in ("write_down", "advance", "strike"):
        monkeypatch.setattr(ground.store, name, _counted(name, getattr(ground.store, name), writes))
    result(ground.quit(ground.open(), 1))

    assert writes == ["write_down", "strike"]


def test_what_was_noted_as_sent_and_never_left_is_not_searched_for_where_it_should_have_gone() -> None:
    ground = Ground(A, B, delete="trash")
    ground.sources.clear()
    visit = ground.open()
    agains: list[bool] = []
    delete = ground.sources[0].delete

    async def noted(*args: Any, again: bool, **kwargs: Any) -> Any:
        agains.append(again)
        return await delete(*args, again=again, **kwargs)

    ground.sources[0].delete = noted  # type: ignore[method-assign]  # listened to
    ground.sources[0].down = True
    quitting = ground.quit(visit, 1)
    ground.sources[0].down = False
    ground.clock.advance(60)
    result(quitting)

    assert agains == [False, True]


def test_a_stopped_bridge_tries_nothing_more() -> None:
    ground = Ground(A, B, delete="expunge")
    visits = [ground.open(), ground.open()]
    ground.sources[0].down = True
    ground.sources[1].held = Deferred()
    quitting = [ground.quit(visit, number) for number, visit in enumerate(visits, 1)]
    ground.clock.advance(QUIT_WAIT)
    assert [result(one).promised for one in quitting] == [1, 1]
    ground.office.stop()
    assert [source.abandoned for source in ground.sources] == [True, True]
    ground.sources[1].held.errback(UpstreamUnavailable("the connection was given up"))
    assert not ground.clock.getDelayedCalls()
    assert len(ground.journal()) == 2


def test_what_a_session_learned_is_kept_though_its_source_goes_on() -> None:
    ground = Ground(b"a\n", B, delete="expunge")
    visit = ground.open()
    visit.delivered(MessageNumber(1), 3, by_top=False)
    ground.sources[0].down = True
    quitting = ground.quit(visit, 2)
    ground.clock.advance(QUIT_WAIT)
    result(quitting)
    visit.leave()
    ground.sources[0].down = False
    assert ground.open().maildrop.size(MessageNumber(1)) == 3


def test_a_mark_as_read_before_a_deletion_does_not_pass_for_somebody_s_doing() -> None:
    """It raises MODSEQ, so the entry remembers the one behind it."""
    ground = Ground(A, B, delete="flag", seen="deleted")

    class Counting(HeldSource):
        async def mark_seen(self, uids: object) -> None:
            await super().mark_seen(uids)  # type: ignore[arg-type]  # UIDs
            self.messages[1].modseq = 8

    source = Counting(ground.messages, uidvalidity=7, uidnext=3)
    source.highestmodseq, source.answers = 5, [UpstreamUnavailable("lost")]
    visit = result(ground.office.open(ground.account, source))
    quitting = ground.quit(visit, 1)
    source.down = True
    ground.clock.advance(QUIT_WAIT)
    result(quitting)
    assert ground.journal()[0].modseq == 8


def test_a_flag_taken_away_while_its_purge_was_refused_for_now_stays_away() -> None:
    ground = Ground(A, B, delete="flag", purge=60.0)
    result(ground.quit(ground.open(), 1))
    ground.clock.advance(60)
    source = ground.source()
    source.answers = [Deletion(1, frozenset({1}), "in use", temporary=True)] * 2
    visit = result(ground.office.open(ground.account, source))
    visit.leave()
    assert not source.answers
    ground.messages[1].deleted = False
    ground.clock.advance(600)
    assert list(ground.messages) == [1, 2]
    assert ground.uids(ground.open()) == [1, 2]


def test_a_replay_that_loses_its_connection_is_taken_up_again_by_the_next_one() -> None:
    """Nothing was restarted, so that this process knows what it has sent and never saw hold."""
    ground = Ground(A, B, delete="flag", after=60.0)
    result(ground.quit(ground.open(), 1))
    ground.clock.advance(60)
    source = ground.source()
    source.answers = [UpstreamUnavailable("lost")]
    visit = result(ground.office.open(ground.account, source))
    assert ground.journal()[0].stage is Stage.SENT
    visit.leave()
    ground.clock.advance(1)
    assert ground.messages[1].deleted
    assert ground.journal() == []


def test_a_refusal_is_told_though_the_journal_cannot_hear_of_it() -> None:
    class Full(DurableStore):
        async def strike(self, entries: object) -> None:  # type: ignore[override]  # awaited all the same
            raise StateUnavailable("the disk is full")

    ground = Ground(A, delete="expunge")
    ground.store = Full(ground.clock.seconds)
    ground.restart()
    visit = ground.open()
    ground.sources[0].answers = [Deletion(1, frozenset({1}), "upstream refused to flag them")]
    outcome = result(ground.quit(visit, 1))
    assert (outcome.done, outcome.promised, outcome.refused) == (0, 0, 1)
    assert not ground.clock.getDelayedCalls()


def test_one_stranger_does_not_hold_up_the_others_and_is_told() -> None:
    ground = Ground(A, B, delete="expunge", after=60.0)
    result(ground.quit(ground.open(), 1, 2))
    ground.clock.advance(60)
    ground.messages[1].octets += b"and more"

    class Late(HeldSource):
        async def list(self, known: Listing | None = None) -> Listing:
            listing = await super().list(known)
            listing.sizes[0] = len(A)
            return listing

    late = Late(ground.messages, uidvalidity=7, uidnext=3)
    late.answers = []
    visit = result(ground.office.open(ground.account, late))
    assert list(ground.messages) == [1]
    assert [(event.messages, event.reason[:15]) for event in ground.told(DeletionsAbandoned)] == [
        (1, "another message")
    ]
    assert ground.uids(visit) == []
    assert ground.journal() == []


def test_between_two_tries_no_connection_is_held() -> None:
    ground = Ground(A, delete="expunge")
    visit = ground.open()
    source = ground.sources[0]
    source.held = Deferred()
    source.answers = [Deletion(1, frozenset({1}), "in use", temporary=True)] * 3
    quitting = ground.quit(visit, 1)
    ground.clock.advance(QUIT_WAIT)
    result(quitting)
    source.held.callback(None)
    assert [source.abandoned] == [True]
    ground.clock.pump([600] * 4)
    assert ground.messages == {}


def test_a_message_whose_deletion_is_being_refused_is_not_missing_for_others() -> None:
    ground = Ground(A, B, delete="expunge")
    visit = ground.open()
    held = ground.sources[0].held = Deferred()
    ground.sources[0].answers = [Deletion(1, frozenset({1}), "upstream refused to flag them")]
    quitting = ground.quit(visit, 1)
    second = Deferred.fromCoroutine(ground.office.open(ground.account, ground.source()))
    held.callback(None)
    assert result(quitting).refused == 1
    assert ground.uids(result(second)) == [1, 2]


def test_a_stranger_met_behind_the_client_s_back_is_told_to_the_owner() -> None:
    ground = Ground(A, B, delete="expunge")
    visit = ground.open()
    ground.sources[0].down = ground.sources[0].broken = True
    quitting = ground.quit(visit, 1, 2)
    ground.clock.advance(QUIT_WAIT)
    result(quitting)
    ground.messages[1].octets += b"and more"
    ground.sources[0].down = False
    ground.clock.advance(600)
    assert list(ground.messages) == [1]
    assert [event.messages for event in ground.told(DeletionsAbandoned)] == [1]
    assert ground.journal() == []
