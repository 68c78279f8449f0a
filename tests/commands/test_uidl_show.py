"""`popbridge uidl show`: every message with its number and UIDL, and of a hidden one the reason."""

from array import array

import pytest

from bridge.commands.terminal import CommandRefused
from bridge.commands.uidl_show import show
from bridge.config import PassThrough
from bridge.maildrop.journal import Entry, Stage
from bridge.maildrop.memory import Viewing
from bridge.maildrop.retention import Policy
from bridge.state.store import Showing
from tests.commands.house import UPSTREAM, House, done
from tests.commands.old_pop3_server import RecordingTerminal
from tests.postoffice.several import Street

DAY = 86400.0


def shown(house: House) -> list[str]:
    house.terminal.said.clear()
    done(show(house.account, house.store, house.terminal.terminal(), house.now))
    return house.terminal.text.splitlines()


def entry(uid: int, *, stage: Stage = Stage.WRITTEN, due: float = 0.0, viewer: str = "") -> Entry:
    return Entry(viewer=viewer, incarnation=1, uid=uid, size=1, date=0, policy=Policy.FLAG, stage=stage, due=due)


def test_a_message_is_shown_with_number_uidl_origin_and_size() -> None:
    house = House(["one", "two"])
    house.log_in()
    size = len(house.source.messages[1].octets)

    lines = shown(house)

    assert lines == [
        "imaps://imap.example.org:993/INBOX ann",
        "number  UIDL               origin  size",
        f"     1  00000007-00000001  1.7.1   {size:>4}",
        f"     2  00000007-00000002  1.7.2   {size:>4}",
        "2 messages, 2 of them listed",
    ]


def test_a_true_size_is_shown_where_it_was_learned() -> None:
    house = House(["one"])
    house.log_in()
    done(house.store.learn(house.account.key, 1, true_sizes={1: 4711}, fingerprints={}, learned_to=0))

    assert shown(house)[2].endswith("4711")


def test_each_hidden_message_says_why() -> None:
    house = House(["flagged", "kept", "waiting", "later", "purge", "plain"])
    house.source.messages[1].deleted = True
    house.log_in()
    key = house.account.key
    done(house.store.keep(key, "", 1, [2]))
    done(
        house.store.write_down(
            key,
            [
                entry(3),
                entry(4, due=house.now + 2.5 * DAY, viewer="as=phone"),
                entry(5, stage=Stage.FLAGGED, due=house.now + 3600),
            ],
        )
    )

    rows = {line.split("1.7.")[1][0]: line for line in shown(house) if "1.7." in line}

    assert "hidden: somebody has set \\Deleted or $POP3Deleted upstream" in rows["1"]
    assert "hidden: deleted by this login (keep)" in rows["2"]
    assert "hidden: deleted, waits for upstream (flag)" in rows["3"]
    assert "hidden: deleted by as=phone, to be carried out (flag) in 2 days" in rows["4"]
    assert "listed when last looked at; to be expunged in 1 hour if it is flagged then" in rows["5"]
    assert rows["6"].split()[0] == "2"


def test_of_what_waits_for_its_purge_is_told_whether_it_is_flagged_still() -> None:
    house = House(
        ["flagged", "listed again", "flagged since", "outside", "unknown"], PassThrough(upstream=UPSTREAM, newest=3)
    )
    house.source.messages[1].deleted = True
    house.source.highestmodseq = 7
    house.log_in()
    ranks = Viewing(incarnation=1, ranks=array("I", [2, 3, 5]), floor=2)
    done(house.store.show("", [Showing(house.account.key, ranks, None)], {}))
    waits = [entry(uid, stage=Stage.FLAGGED, due=house.now + 3600) for uid in (1, 2, 3, 4, 5)]
    waits = [one._replace(modseq={3: 7, 5: 0}.get(one.uid, 5)) for one in waits]
    done(house.store.write_down(house.account.key, waits))
    house.settings = PassThrough(upstream=UPSTREAM, search="FLAGGED")

    rows = {line.split("1.7.")[1][0]: line for line in shown(house) if "1.7." in line}

    assert rows["1"].endswith("hidden: deleted, to be expunged in 1 hour")
    assert rows["2"].endswith("listed again; not expunged unless it is flagged again")
    for uid in "35":
        assert rows[uid].endswith("listed when last looked at; to be expunged in 1 hour if it is flagged then")
    assert rows["4"].endswith("hidden: outside the view")


def test_a_view_shows_what_it_sees_and_in_its_own_order() -> None:
    house = House(["one", "two", "three"], PassThrough(upstream=UPSTREAM, login_views=True), b"ann#newest=2")
    house.log_in()
    viewing = Viewing(incarnation=1, ranks=array("I", [3, 2]), floor=2)
    done(house.store.show(house.account.viewer, [Showing(house.account.key, viewing, None)], {}))

    lines = shown(house)

    assert lines[0].endswith("ann, seen as newest=2")
    assert [line.split()[:2] for line in lines[2:4]] == [["1", "00000007-00000003"], ["2", "00000007-00000002"]]
    assert "00000007-00000001" in lines[4]
    assert lines[4].endswith("hidden: outside the view")
    assert lines[-1] == "3 messages, 2 of them listed"


def test_of_a_search_only_what_it_found_before_is_known() -> None:
    house = House(["one", "two"], PassThrough(upstream=UPSTREAM, search="UNSEEN"))
    house.log_in()
    done(house.store.show("", [Showing(house.account.key, Viewing(incarnation=1, ranks=array("I", [2])), None)], {}))

    lines = shown(house)

    assert "the search of this view is asked upstream at each login" in lines[1]
    assert [line.split()[1] for line in lines if line.split()[0] == "1"] == ["00000007-00000002"]
    assert lines[-1] == "2 messages, 1 of them listed"


def test_a_renumbering_that_waits_for_an_answer_is_told() -> None:
    house = House([f"m{n}" for n in range(20)])
    house.log_in()
    house.renumber()

    assert "renumbered upstream: UIDVALIDITY changed from 7 to 8" in shown(house)[1]
    assert "logins are refused until popbridge uidl accept" in shown(house)[1]

    done(house.store.accept(house.account.key))
    assert "accepted, and taken at the next login" in shown(house)[1]


def test_an_account_that_points_elsewhere_now_is_told() -> None:
    house = House(["one"], PassThrough(upstream=UPSTREAM, name="mail"))
    house.log_in()
    house.settings = PassThrough(upstream=type(UPSTREAM)("imap", "tls", "new.example.org", 993), name="mail")

    assert "last seen at imaps://imap.example.org:993/INBOX ann" in shown(house)[1]


def test_a_login_that_never_was_is_a_sentence() -> None:
    with pytest.raises(CommandRefused, match="has not logged in yet"):
        shown(House(["one"]))


def test_of_several_sources_the_numbers_are_those_of_the_whole_login() -> None:
    street = Street("a", "b", "never")
    for n, name in enumerate("abbab"):
        street.box(name).put(b"Message-ID: <%d@x>\r\n\r\n" % (n % 4), date=n)
    street.hides_copies = True
    never = street.boxes.pop()
    listed = street.listed()
    street.boxes.append(never)
    accounts, terminal = street.accounts(), RecordingTerminal()
    done(show(accounts[1], street.store, terminal.terminal(), street.clock.seconds(), accounts))

    text = terminal.text
    assert text.startswith("alice/b\n")
    rows = [line.split() for line in text.splitlines() if "b.0000" in line]
    assert {row[1]: int(row[0]) for row in rows[:2]} == {
        uidl: n for n, uidl in enumerate(listed, 1) if uidl.startswith("b.")
    }
    assert text.count("hidden: a copy of another source's message") == 1
