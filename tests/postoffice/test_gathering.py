"""Several mailboxes in one session: read, marked, left and given up as if they were one."""

from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail

from bridge.events import MessageLooping, SourceAway
from bridge.maildrop.errors import (
    CredentialsRefused,
    ListingIncomplete,
    MaildropInUse,
    Renumbered,
    StateUnavailable,
    Trouble,
    UpstreamUnavailable,
    UpstreamUnsuitable,
)
from bridge.maildrop.readahead import Way
from bridge.maildrop.source import Deletion
from bridge.names import MessageNumber
from bridge.postoffice.gathering import Gathering
from bridge.postoffice.loops import ALARM
from bridge.postoffice.together import NotInTime
from bridge.state.store import Overtaken
from tests.postoffice.kit import result
from tests.postoffice.several import PATIENCE, Street, mark, uidls_of
from tests.upstream.session import Taken


@pytest.fixture
def street() -> Street:
    """Messages come alternately: a1 b1 a2 b2."""
    street = Street("a", "b", delete="expunge")
    for n, name in enumerate("abab", 1):
        street.box(name).put(b"Subject: %b%d\r\n\r\n" % (name.encode(), n), date=n)
    return street


def gathered(street: Street) -> Gathering:
    visit = street.open()
    assert isinstance(visit, Gathering)
    return visit


def number(n: int) -> MessageNumber:
    return MessageNumber(n)


def read(visit: Any, n: int) -> bytes:
    taken = Taken()
    result(visit.stream(number(n), taken))
    return taken.octets


def test_each_message_is_read_where_it_lies(street: Street) -> None:
    visit = gathered(street)

    assert [read(visit, n) for n in (1, 2, 3, 4)] == [b"Subject: %b\r\n\r\n" % w for w in (b"a1", b"b2", b"a3", b"b4")]
    top = Taken(enough=1)
    result(visit.top(number(2), top))
    assert top.octets.startswith(b"Subject: b2")
    assert [visit.upstream(number(n)) for n in (1, 2)] == ["imaps://a.example:993/INBOX", "imaps://b.example:993/INBOX"]
    assert visit.user == "alice"


def test_each_source_is_read_ahead_in_its_own_steps(street: Street) -> None:
    visit = gathered(street)
    for n in (1, 2):
        assert visit.read_ahead(number(n), Way.WHOLE, lambda: [number(3), number(4)]) is None
        result(visit.stream(number(n), Taken()))

    held = visit.read_ahead(number(3), Way.WHOLE, list)
    assert held is not None
    assert held.octets == b"Subject: a3\r\n\r\n"
    assert [box.sources[0].ahead.asked for box in street.boxes] == [[(2,)], [(2,)]]


def test_what_is_learned_is_learned_of_the_right_source(street: Street) -> None:
    visit = gathered(street)
    visit.topped(500)
    assert not visit.has_work([])
    visit.delivered(number(2), 99, by_top=False)
    assert visit.has_work([])
    assert result(visit.quit([])).asked == 0
    visit.leave()

    assert list(gathered(street).maildrop.sizes()) == [(1, 15), (2, 99), (3, 15), (4, 15)]


def test_messages_of_two_sources_are_no_loop_though_their_uids_are_alike(street: Street) -> None:
    visit = gathered(street)
    for _ in range(ALARM - 1):
        for n in (1, 2):
            visit.delivered(number(n), 15, by_top=False)
    assert not street.told(MessageLooping)
    visit.delivered(number(2), 15, by_top=False)
    [loop] = street.told(MessageLooping)
    assert (loop.account, loop.uidl) == ("alice/b", "b.00000007-00000001")


def test_quit_deletes_in_each_source_what_was_marked_there(street: Street) -> None:
    visit = gathered(street)
    mark(visit, 1, 2, 4)
    outcome = result(visit.quit(visit.maildrop.marked()))
    visit.leave()

    assert (outcome.asked, outcome.done, outcome.promised, outcome.refused) == (3, 3, 0, 0)
    assert list(street.box("a").messages) == [2]
    assert list(street.box("b").messages) == []
    assert len(street.listed()) == 1


def test_sources_are_deleted_from_side_by_side_and_what_takes_long_is_promised(street: Street) -> None:
    visit = gathered(street)
    mark(visit, 1, 2)
    for box in street.boxes:
        box.sources[0].held = Deferred()
    quitting = Deferred.fromCoroutine(visit.quit(visit.maildrop.marked()))
    street.box("b").sources[0].held.callback(None)  # type: ignore[union-attr]  # it was just made
    street.clock.advance(2.5)

    outcome = result(quitting)
    assert (outcome.asked, outcome.done, outcome.promised) == (2, 1, 1)


@pytest.mark.parametrize(("passing", "both"), [(True, True), (False, False)])
def test_what_was_refused_is_said_of_its_source(street: Street, passing: bool, both: bool) -> None:
    street.boxes[0].settings["delete"] = "trash"
    visit = gathered(street)
    mark(visit, 1, 2)
    a = street.box("a").sources[0]
    a.refuses = Deletion(1, frozenset({1}), "no Trash", temporary=passing, detail="upstream's words")
    if both:
        street.store.broken = True  # type: ignore[attr-defined]  # the durable one
    outcome = result(visit.quit(visit.maildrop.marked()))

    assert outcome.refused
    assert outcome.why_not.startswith("alice/a: ")
    assert outcome.temporary is passing
    assert ("upstream's words" in outcome.detail) or not passing


def test_who_goes_without_quit_leaves_nothing_open(street: Street) -> None:
    visit = gathered(street)
    mark(visit, 1, 2)
    visit.abandon()
    assert not any(box.connected for box in street.boxes)
    assert len(street.box("a").messages) == 2

    gathered(street).leave()
    assert not any(box.connected for box in street.boxes)


# Opening.


TROUBLES: Sequence[Trouble] = (
    UpstreamUnavailable("upstream closed the connection", detail="BYE"),
    ListingIncomplete("not all is listed"),
    UpstreamUnsuitable("alice/b: the password is refused"),
    MaildropInUse("in use"),
    Renumbered("asks"),
)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_with_one_fails_the_login_names_it_and_leaves_nothing_connected(
    street: Street, trouble: Trouble
) -> None:
    street.box("b").fails = trouble
    with pytest.raises(type(trouble)) as raised:
        street.open()

    assert str(raised.value) == f"alice/b: {str(trouble).removeprefix('alice/b: ')}"
    assert raised.value.detail == trouble.detail
    assert not any(box.connected for box in street.boxes)


def test_who_gives_up_waiting_hears_for_whom(street: Street) -> None:
    street.box("b").silent = True
    opening = street.opening()
    opening.cancel()

    with pytest.raises(NotInTime, match=r"^alice/b$"):
        result(opening)
    assert not any(box.connected for box in street.boxes)


def test_all_are_opened_at_once(street: Street) -> None:
    for box in street.boxes:
        box.silent = True
    opening = street.opening()

    assert all(box.connected for box in street.boxes)
    opening.cancel()
    with pytest.raises(NotInTime, match=r"^alice/a, alice/b$"):
        result(opening)


@pytest.mark.parametrize("unavailable", ["fail", "remembered"])
def test_a_first_listing_goes_on_when_its_login_was_given_up(street: Street, unavailable: str) -> None:
    """S31: the next login finds it done."""
    b = street.box("b")
    b.settings["unavailable"] = unavailable
    listing: Deferred[None] = Deferred()
    b.lists_when = listing
    opening = street.opening()
    street.clock.advance(PATIENCE)
    opening.cancel()
    with pytest.raises(NotInTime if unavailable == "fail" else UpstreamUnavailable, match="alice/b"):
        result(opening)
    assert [box.name for box in street.boxes if box.connected] == ["b"]
    b.lists_when = None
    listing.callback(None)

    assert not any(box.connected for box in street.boxes)
    assert len(street.listed()) == 4


def test_two_first_logins_at_once_both_stand_alone() -> None:
    street = Street("a")
    street.box("a").put(b"x")
    show = street.store.show

    async def overtaken(*args: Any) -> None:
        await show(*args)
        raise Overtaken

    street.store.show = overtaken  # type: ignore[method-assign, assignment]  # another was quicker
    assert len(street.listed()) == 1


def test_where_the_order_cannot_be_stored_nothing_is_shown_and_nothing_stays_open(street: Street) -> None:
    street.listed()
    street.box("a").put(b"new")
    street.store.broken = True  # type: ignore[attr-defined]  # the durable one
    with pytest.raises(StateUnavailable):
        street.open()
    assert not any(box.connected for box in street.boxes)


def test_one_source_is_opened_as_ever_but_that_it_has_stood_alone_is_known() -> None:
    street = Street("a")
    for n in (3, 1, 2):
        street.box("a").put(b"x", date=n)
    before = street.listed()
    assert before == [f"00000007-{n:08x}" for n in (1, 2, 3)]
    street.boxes.append(Street("b").boxes[0])
    street.box("b").put(b"y", date=0)
    street.box("a").put(b"new", date=-1)

    assert street.listed() == [*before, "00000007-00000004", "b.00000007-00000001"]


def test_that_it_stands_alone_is_worth_no_failure() -> None:
    street = Street("a")
    street.store.show = _unstored  # type: ignore[method-assign, assignment]  # as on a full disk
    street.box("a").put(b"x")
    assert len(street.listed()) == 1


async def _unstored(*_: Any) -> None:
    raise StateUnavailable("the disk is full")


def test_a_source_has_its_line_at_the_top_of_each_message_and_in_its_size(street: Street) -> None:
    street.boxes[0].settings["origin_header"] = "X-Source"
    for _ in range(2):
        visit = gathered(street)
        assert list(visit.maildrop.sizes()) == [(1, 15 + 13), (2, 15), (3, 15 + 13), (4, 15)]
        assert read(visit, 1) == b"X-Source: a\r\nSubject: a1\r\n\r\n"
        visit.read_ahead(number(1), Way.WHOLE, lambda: [number(3)])
        result(visit.stream(number(1), Taken()))
        held = visit.read_ahead(number(3), Way.WHOLE, list)
        assert held is not None
        assert held.octets == b"X-Source: a\r\nSubject: a3\r\n\r\n"
        visit.delivered(number(1), 28, by_top=False)
        result(visit.quit([]))
        visit.leave()
    visit = gathered(street)
    visit.delivered(number(1), 30, by_top=False)
    result(visit.quit([]))
    street.boxes[0].settings["origin_header"] = "X-Longer-Name"
    assert gathered(street).maildrop.size(number(1)) == 17 + len(b"X-Longer-Name: a\r\n")


# One that cannot be reached, where its last listing is served.


@pytest.fixture
def remembering(street: Street) -> Street:
    for box in street.boxes:
        box.settings["unavailable"] = "remembered"
    return street


@pytest.mark.parametrize("trouble", [TROUBLES[0], TROUBLES[1], TROUBLES[3]])
def test_what_was_listed_last_is_served(remembering: Street, trouble: Trouble) -> None:
    before = remembering.listed()
    remembering.box("b").fails = trouble
    remembering.box("b").put(b"unseen")
    remembering.box("a").put(b"new")
    visit = gathered(remembering)

    assert uidls_of(visit) == [*before, "00000007-00000003"]
    [away] = remembering.told(SourceAway)
    assert away.account == "alice/b"
    visit.leave()
    assert not any(box.connected for box in remembering.boxes)


def test_one_that_is_silent_is_waited_for_so_long_and_no_longer(remembering: Street) -> None:
    before = remembering.listed()
    remembering.box("b").silent = True
    opening = remembering.opening()
    remembering.clock.advance(PATIENCE)

    visit = result(opening)
    assert uidls_of(visit) == before
    visit.leave()
    assert not any(box.connected for box in remembering.boxes)


@pytest.mark.parametrize("trouble", [TROUBLES[2], TROUBLES[4]])
def test_what_needs_a_person_is_not_bridged(remembering: Street, trouble: Trouble) -> None:
    remembering.listed()
    remembering.box("b").fails = trouble
    with pytest.raises(type(trouble), match="alice/b"):
        remembering.open()


def test_where_nothing_was_ever_listed_there_is_nothing_to_serve(remembering: Street) -> None:
    remembering.box("b").fails = TROUBLES[0]
    with pytest.raises(UpstreamUnavailable, match="alice/b"):
        remembering.open()


def test_what_was_deleted_is_not_served_again(remembering: Street) -> None:
    before = remembering.listed()
    visit = gathered(remembering)
    mark(visit, 2)
    remembering.box("b").sources[-1].down = True
    quitting = Deferred.fromCoroutine(visit.quit(visit.maildrop.marked()))
    remembering.clock.advance(2.5)
    assert result(quitting).promised == 1
    visit.leave()
    remembering.box("b").fails = TROUBLES[0]
    assert remembering.listed() == [before[0], *before[2:]]

    remembering.box("b").fails = None
    for source in remembering.box("b").sources:
        source.down = False
    visit = gathered(remembering)
    mark(visit, 3)
    assert result(visit.quit(visit.maildrop.marked())).done == 1
    visit.leave()
    remembering.box("b").fails = TROUBLES[0]
    assert len(remembering.listed()) == len(before) - 2


def test_what_somebody_has_taken_back_since_is_served(remembering: Street) -> None:
    for box in remembering.boxes:
        box.settings["delete"] = "flag"
    before = remembering.listed()
    visit = gathered(remembering)
    mark(visit, 2)
    assert result(visit.quit(visit.maildrop.marked())).done == 1
    visit.leave()
    assert len(remembering.listed()) == 3
    remembering.box("b").messages[1].deleted = False
    assert remembering.listed() == before
    remembering.box("b").fails = TROUBLES[0]

    assert remembering.listed() == before


def test_a_search_finds_again_what_it_has_ever_found(remembering: Street) -> None:
    for box in remembering.boxes:
        box.settings["search"] = "UNSEEN"
    remembering.box("b").messages[1].seen = True
    before = remembering.listed()
    remembering.box("b").fails = TROUBLES[0]

    assert remembering.listed() == before
    assert len(before) == 3


def test_a_password_that_nobody_could_have_guessed_is_no_guess(street: Street) -> None:
    """Whatever goes wrong behind the login, it is not the client's password."""
    street.box("b").fails = UpstreamUnsuitable("alice/b: imap refuses the password in env:X")
    with pytest.raises(Trouble) as raised:
        street.open()
    assert not isinstance(raised.value, CredentialsRefused)


def troubles(street: Street) -> list[tuple[str, str]]:
    return [(one.key.label, one.text) for one in result(street.store.troubles())]


@pytest.mark.parametrize(
    ("trouble", "text"),
    [
        (UpstreamUnavailable("upstream closed the connection", detail="BYE"), "upstream closed the connection (BYE)"),
        (ListingIncomplete("half of it"), "half of it"),
        (UpstreamUnsuitable("refuses the password"), "refuses the password"),
        (MaildropInUse("another session"), None),
        (StateUnavailable("the disk is full"), None),
        (Renumbered("replaced"), None),
    ],
)
def test_the_owner_can_look_up_which_source_is_in_trouble_until_it_is_not(
    street: Street, trouble: Trouble, text: str | None
) -> None:
    street.box("b").fails = trouble
    with pytest.raises(type(trouble)):
        street.open()
    assert troubles(street) == ([("alice/b", text)] if text else [])

    street.restart()  # another process knows of it from the store alone
    street.box("b").fails = None
    street.open()
    assert troubles(street) == []


def test_a_source_that_gives_no_answer_in_time_is_in_trouble_too(street: Street) -> None:
    street.box("b").silent = True
    opening = street.opening()
    opening.cancel()
    with pytest.raises(NotInTime):
        result(opening)
    assert troubles(street) == [("alice/b", "no answer in time; it is tried again at each login")]


def test_what_cannot_be_noted_costs_the_login_nothing(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> "Deferred[None]":
        return fail(StateUnavailable("the disk is full"))

    monkeypatch.setattr(street.store, "note_trouble", full)
    assert len(gathered(street).maildrop) == 4
