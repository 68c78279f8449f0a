"""A login that sees a part of its mailbox: since, newest, search, another mailbox, `recent:` (S8).

Whatever the view, numbering is append-only: what was listed keeps its place, what comes into sight comes last, and
what comes back has the UIDL it had.
"""

import datetime as dt
import random
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from attrs import define, field

from tests.peers.servers.dovecot import Dovecot
from tests.stories import mailboxes
from tests.stories.house import MAIL, House, house_on, letters, octets
from tests.stories.mailboxes import Kept, numbered
from tests.stories.pop3 import Refused

pytestmark = pytest.mark.story

SEEN = r"\Seen"


@define
class Viewer:
    """One POP3 login with its view, and the order in which it first saw each message."""

    house: House
    suffix: str = ""
    ranks: list[str] = field(factory=list)

    def sees(self) -> list[bytes]:
        """The texts of the messages that this session lists, in its order."""
        shown = self.house.poll(self.suffix)
        new = [uidl for uidl in shown if uidl not in self.ranks]
        assert list(shown) == [uidl for uidl in self.ranks if uidl in shown] + new, "append-only"
        self.ranks += new
        return list(shown.values())


def aged(days: Sequence[float], word: str = "home") -> list[Kept]:
    """So many days old each."""
    now = dt.datetime.now(dt.UTC)
    dates = [(now - dt.timedelta(days=age)).strftime("%d-%b-%Y %H:%M:%S +0000") for age in days]
    return [Kept(0, text, date, "") for text, date in zip(letters(word, len(days)), dates, strict=True)]


def again(house: House) -> None:
    house.close()
    house.start()


# since


@pytest.mark.parametrize("where", ["entry", "login"])
def test_since_shows_what_is_young_enough(where: str, dovecot_server: Dovecot, tmp_path: Path) -> None:
    more = 'since = "30d"' if where == "entry" else "login_views = true"
    with house_on(dovecot_server, tmp_path, more) as house:
        mail = aged([400, 31, 29, 35, 1, 0])
        house.fill(mail)
        viewer = Viewer(house, "" if where == "entry" else "#since=30d")
        young = [mail[2], mail[4], mail[5]]
        assert viewer.sees() == octets(young)
        late = aged([90, 2], "late")
        mailboxes.put(house.mailbox, late, MAIL)
        again(house)
        assert viewer.sees() == octets([*young, late[1]])
        mailboxes.flag(house.mailbox, [3], MAIL)
        assert viewer.sees() == octets([*young[1:], late[1]])
        mailboxes.flag(house.mailbox, [3], MAIL, deleted=False)
        assert viewer.sees() == octets([*young, late[1]])
        if where == "login":
            assert Viewer(house).sees() == octets([*mail, *late])
            assert Viewer(house, "#since=1y").sees() == octets([*mail[1:], *late])


def test_what_grows_too_old_leaves_and_its_uidl_is_not_used_again(dovecot_server: Dovecot, tmp_path: Path) -> None:
    """Until the owner lets it show again: then it has the UIDL it had."""
    with house_on(dovecot_server, tmp_path, 'since = "3s"') as house:
        house.fill([])
        house.mailbox.seed(letters("home", 3), MAIL)
        viewer = Viewer(house)
        assert viewer.sees() == letters("home", 3)
        deadline = monotonic() + 10
        while viewer.sees():
            assert monotonic() < deadline
            Event().wait(0.2)
        house.mailbox.seed(letters("late", 1), MAIL)
        assert viewer.sees() == letters("late", 1)
        house.more = ""
        again(house)
        everything = house.poll()
        assert list(everything) == viewer.ranks, "in the order of old, under their old UIDLs"


# newest


@pytest.mark.parametrize("where", ["entry", "login"])
def test_newest_never_slides_over_what_was_shown(where: str, dovecot_server: Dovecot, tmp_path: Path) -> None:
    more = "newest = 3" if where == "entry" else "login_views = true"
    with house_on(dovecot_server, tmp_path, more) as house:
        home = letters("home", 10)
        house.fill(numbered(home))
        viewer = Viewer(house, "" if where == "entry" else "#newest=3")
        assert viewer.sees() == home[7:]
        late = letters("late", 5)
        mailboxes.put(house.mailbox, numbered(late, 2025), MAIL)
        assert viewer.sees() == home[7:] + late, "everything newer comes, and nothing that was shown goes"
        again(house)
        assert viewer.sees() == home[7:] + late
        mailboxes.expunge(house.mailbox, [8, 9, 11], MAIL)
        assert viewer.sees() == [home[9], *late[1:]]
        mailboxes.rebuild(house.mailbox, MAIL, mailboxes.kept(house.mailbox, MAIL))
        assert viewer.sees() == [home[9], *late[1:]], "after a renumbering too"
        mailboxes.expunge(house.mailbox, house.mailbox.uids(mailbox=MAIL)[-5:], MAIL)
        assert viewer.sees() == [], "older mail that was not shown does not come instead"
        again(house)
        assert viewer.sees() == []
        mailboxes.put(house.mailbox, numbered(letters("last", 5), 2025), MAIL)
        assert viewer.sees() == letters("last", 5)


def test_newest_of_an_empty_mailbox_is_everything_that_comes(dovecot_server: Dovecot, tmp_path: Path) -> None:
    with house_on(dovecot_server, tmp_path, "newest = 2") as house:
        house.fill([])
        viewer = Viewer(house)
        assert viewer.sees() == []
        mailboxes.put(house.mailbox, numbered(letters("late", 5), 2025), MAIL)
        assert viewer.sees() == letters("late", 5)


# search


@pytest.mark.parametrize("where", ["entry", "login"])
def test_search_shows_what_is_found_and_remembers_what_was(where: str, dovecot_server: Dovecot, tmp_path: Path) -> None:
    more = 'search = "UNSEEN"' if where == "entry" else "login_views = true"
    with house_on(dovecot_server, tmp_path, more) as house:
        home = letters("home", 6)
        house.fill(numbered(home))
        mailboxes.store(house.mailbox, [2, 5], SEEN, MAIL)
        viewer = Viewer(house, "" if where == "entry" else "#search=UNSEEN")
        assert viewer.sees() == [home[0], home[2], home[3], home[5]]
        mailboxes.store(house.mailbox, [3], SEEN, MAIL)
        assert viewer.sees() == [home[0], home[3], home[5]]
        mailboxes.store(house.mailbox, [2, 3], SEEN, MAIL, on=False)
        again(house)
        assert viewer.sees() == [home[0], home[2], home[3], home[5], home[1]], "back at its place; the other is new"
        mailboxes.put(house.mailbox, numbered(letters("late", 1), 2025), MAIL)
        mailboxes.rebuild(house.mailbox, MAIL, mailboxes.kept(house.mailbox, MAIL))
        wanted = [home[0], home[2], home[3], home[5], home[1], *letters("late", 1)]
        assert viewer.sees() == wanted, "a renumbering changes no order"


def test_any_search_of_the_owners_is_upstreams_to_answer(dovecot_server: Dovecot, tmp_path: Path) -> None:
    more = 'search = "OR SUBJECT \\"004\\" (SMALLER 20 SEEN)"'
    with house_on(dovecot_server, tmp_path, more) as house:
        house.fill(numbered(letters("home", 6)))
        assert Viewer(house).sees() == [letters("home", 6)[4]]


def test_a_search_that_upstream_does_not_know_refuses_the_login(dovecot_server: Dovecot, tmp_path: Path) -> None:
    """It is never taken for an empty maildrop (S6)."""
    with house_on(dovecot_server, tmp_path, 'search = "SNOOZED"') as house:
        house.fill(numbered(letters("home", 6)))
        with pytest.raises(Refused, match=r"-ERR \[SYS/(PERM|TEMP)\] "):
            house.session()


# mailbox, recent:


def test_another_mailbox_by_the_logins_suffix(dovecot_server: Dovecot, tmp_path: Path) -> None:
    with house_on(dovecot_server, tmp_path, 'login_views = true\ndelete = "expunge"') as house:
        house.fill(numbered(letters("home", 3)))
        mailboxes.put(house.mailbox, numbered(letters("shed", 2)), "Archive")
        shed = Viewer(house, "#mailbox=Archive")
        assert shed.sees() == letters("shed", 2)
        assert Viewer(house, "#mailbox=Archive,newest=1").sees() == letters("shed", 2)[1:]
        assert Viewer(house).sees() == letters("home", 3)
        with house.session("#mailbox=Archive") as client:
            client.do("DELE 1")
            assert client.quit().startswith(b"+OK")
        again(house)
        assert shed.sees() == letters("shed", 2)[1:]
        assert Viewer(house).sees() == letters("home", 3)
        assert len(house.mailbox.uids(mailbox=MAIL)) == 3
        with pytest.raises(Refused, match=r"-ERR \[SYS/(TEMP|PERM)\] "):
            house.session("#mailbox=Attic")


def test_recent_is_the_last_thirty_days_for_this_login_alone(dovecot_server: Dovecot, tmp_path: Path) -> None:
    with house_on(dovecot_server, tmp_path, "login_views = true") as house:
        mail = aged([300, 29, 31, 3])
        house.fill(mail)
        recent = Viewer(house)
        assert recent.sees() == octets(mail)
        shown = house.poll(before="recent:")
        assert list(shown.values()) == octets([mail[1], mail[3]])
        assert set(shown) < set(recent.ranks), "the same UIDLs"


def test_without_the_owners_word_a_suffix_is_part_of_the_login(dovecot_server: Dovecot, tmp_path: Path) -> None:
    with house_on(dovecot_server, tmp_path) as house:
        house.fill(numbered(letters("home", 3)))
        with pytest.raises(Refused, match=r"-ERR \[AUTH\] "):
            house.session("#mailbox=Archive")


# By chance.


@pytest.mark.parametrize("suffix", ["#newest=4", "#search=UNSEEN", "#newest=4,search=UNFLAGGED", "#as=scanner", ""])
def test_whatever_happens_numbers_are_append_only(suffix: str, dovecot_server: Dovecot, tmp_path: Path) -> None:
    rng = random.Random(suffix)
    with house_on(dovecot_server, tmp_path, 'login_views = true\nrenumbered = "accept"') as house:
        house.fill(numbered(letters("home", 8)))
        viewer, delivered = Viewer(house, suffix), 0
        for _ in range(25):
            viewer.sees()
            uids = house.mailbox.uids(mailbox=MAIL)
            some = rng.sample(uids, min(len(uids), 2))
            match rng.choice(["mail", "mail", "seen", "flagged", "hidden", "gone", "delete", "restart", "rebuild"]):
                case "mail":
                    delivered += 1
                    mailboxes.put(house.mailbox, numbered(letters(f"late{delivered}", 2), 2025), MAIL)
                case "seen":
                    mailboxes.store(house.mailbox, some or [1], SEEN, MAIL, on=rng.random() < 0.5)
                case "flagged":
                    mailboxes.store(house.mailbox, some or [1], r"\Flagged", MAIL, on=rng.random() < 0.5)
                case "hidden":
                    mailboxes.flag(house.mailbox, some or [1], MAIL, deleted=rng.random() < 0.5)
                case "gone" if some:
                    mailboxes.expunge(house.mailbox, some[:1], MAIL)
                case "delete":
                    with house.session(suffix) as client:
                        if client.count():
                            client.do("DELE 1")
                        assert client.quit().startswith(b"+OK")
                case "restart":
                    house.kill()
                    house.start()
                case "rebuild":
                    mailboxes.rebuild(house.mailbox, MAIL, mailboxes.kept(house.mailbox, MAIL))
        assert len(viewer.ranks) > 4
