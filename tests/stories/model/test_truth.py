"""The model itself: each thing that must never be seen is called broken, and what may be is not."""

from collections.abc import Iterable, Mapping

import pytest

from tests.stories.model.letters import Letter, letter
from tests.stories.model.truth import DELETED, HIDDEN, Broken, Copy, Fate, Row, Seen, Truth

REMOVES = {"expunge", "trash"}
MARKS = {"hide": frozenset({HIDDEN}), "keep": frozenset[str]()}


def note(key: str) -> Letter:
    return letter(key, size=0, date=0, with_id=True)


class Scene:
    """A mailbox with UIDs from 1, and a login whose UIDLs are `u1`, `u2` and so on."""

    def __init__(self, policy: str = "expunge", letters: str = "abc") -> None:
        self.truth = Truth(policy, policy in REMOVES, MARKS.get(policy, frozenset({DELETED})))
        self.work: dict[int, Seen] = {}
        for key in letters:
            self.add(key)

    def add(self, key: str, *flags: str) -> Copy:
        self.work[max(self.work, default=0) + 1] = Seen(note(key).octets, frozenset(flags))
        return self.truth.appeared(self.work, note(key), flags)

    def flag(self, uid: int, *flags: str) -> None:
        self.work[uid] = Seen(self.work[uid].octets, frozenset(flags))

    def look(self, trash: str = "") -> None:
        self.truth.seen(self.work, [note(key).octets for key in trash])

    def login(self, rows: Mapping[str, str] | Iterable[str] = ("u1", "u2", "u3"), *, sizes: int = 400) -> list[Copy]:
        """UIDLs and the letters they give; without letters those of the UIDs they end in."""
        if not isinstance(rows, Mapping):
            octets = {uidl: self.work[int(uidl[1:])].octets for uidl in rows}
        else:
            octets = {uidl: note(key).octets for uidl, key in rows.items()}
        return self.truth.listed([Row(uidl, sizes, text) for uidl, text in octets.items()])

    def quit(self, *uids: int, promised: bool = True) -> None:
        self.truth.quit_begun([self.truth.copies[uid] for uid in uids], promised=promised, replaced=False)

    def replace(self, order: str, *, learned: bool = True) -> None:
        for copy in self.truth.copies.values():
            copy.learned = learned
        old = {copy.letter.key: copy for copy in self.truth.copies.values()}
        self.work = {10 + n: Seen(note(key).octets, frozenset()) for n, key in enumerate(order)}
        self.truth.replaced([(old[key], Copy(10 + n, old[key].letter)) for n, key in enumerate(order)])


def test_what_nobody_deleted_stays() -> None:
    scene = Scene()
    del scene.work[2]
    with pytest.raises(Broken, match="nobody deleted"):
        scene.look()


def test_no_more_goes_than_was_marked() -> None:
    scene = Scene()
    scene.login()
    scene.quit(1)
    del scene.work[1]
    scene.look()
    del scene.work[2]
    with pytest.raises(Broken, match="nobody deleted"):
        scene.look()


def test_what_was_promised_waits_until_it_is_gone() -> None:
    scene = Scene()
    scene.login()
    scene.quit(1)
    assert [copy.uid for copy in scene.truth.waiting] == [1]
    scene.look()
    assert scene.truth.waiting
    del scene.work[1]
    scene.look()
    assert not scene.truth.waiting


def test_where_a_deletion_flags_nothing_may_be_gone() -> None:
    scene = Scene("flag")
    scene.login()
    scene.quit(1)
    del scene.work[1]
    with pytest.raises(Broken, match="removes nothing"):
        scene.look()


@pytest.mark.parametrize(("policy", "mark"), [("flag", DELETED), ("hide", HIDDEN)])
def test_a_deletion_gives_its_own_mark(policy: str, mark: str) -> None:
    scene = Scene(policy)
    scene.login()
    scene.quit(1)
    scene.flag(1, mark)
    scene.look()
    assert not scene.truth.waiting
    scene.login(("u2", "u3"))
    with pytest.raises(Broken, match="should not be"):
        scene.login()


def test_a_deletion_gives_no_other_mark() -> None:
    scene = Scene("hide")
    scene.quit(1)
    scene.flag(1, DELETED)
    with pytest.raises(Broken, match="a deletion gives"):
        scene.look()


def test_nobody_else_s_flags_change() -> None:
    scene = Scene()
    scene.flag(1, r"\Seen")
    with pytest.raises(Broken, match="from nobody"):
        scene.look()
    scene = Scene()
    scene.add("d", r"\Flagged")
    scene.flag(4)
    with pytest.raises(Broken, match="lost"):
        scene.look()


def test_nothing_appears_by_itself_or_changes() -> None:
    scene = Scene()
    scene.work[9] = Seen(b"x", frozenset())
    with pytest.raises(Broken, match="by themselves"):
        scene.look()
    scene = Scene()
    scene.work[1] = Seen(b"x", frozenset())
    with pytest.raises(Broken, match="another text"):
        scene.look()


def test_what_leaves_for_the_trash_is_there_and_nothing_else() -> None:
    scene = Scene("trash")
    scene.login()
    with pytest.raises(Broken, match="no session"):
        scene.look(trash="b")
    scene.quit(1)
    del scene.work[1]
    with pytest.raises(Broken, match="is not there"):
        scene.look()
    scene = Scene("trash")
    scene.quit(1)
    del scene.work[1]
    scene.look(trash="a")


def test_a_quit_without_an_answer_may_come_true_until_a_login() -> None:
    scene = Scene()
    scene.login()
    scene.quit(1, promised=False)
    scene.look()
    assert not scene.truth.waiting
    scene.login()
    assert scene.truth.copies[1].fate is Fate.STAYS
    del scene.work[1]
    with pytest.raises(Broken, match="nobody deleted"):
        scene.look()


def test_what_a_login_leaves_out_behind_such_a_quit_has_to_go() -> None:
    scene = Scene()
    scene.login()
    scene.quit(1, promised=False)
    scene.login(("u2", "u3"))
    assert [copy.uid for copy in scene.truth.waiting] == [1]


def test_a_listing_is_complete() -> None:
    with pytest.raises(Broken, match="short of"):
        Scene().login(("u1", "u3"))


def test_a_listing_shows_nothing_deleted() -> None:
    scene = Scene()
    scene.add("d", DELETED)
    with pytest.raises(Broken, match="should not be"):
        scene.login(("u1", "u2", "u3", "u4"))
    scene = Scene()
    scene.login()
    scene.quit(2)
    with pytest.raises(Broken, match="should not be"):
        scene.login()


def test_what_is_kept_from_a_login_is_not_shown_to_it_again() -> None:
    scene = Scene("keep")
    scene.login()
    scene.quit(2)
    scene.look()
    scene.login(("u1", "u3"))
    with pytest.raises(Broken, match="should not be"):
        scene.login()


def test_a_uidl_stays() -> None:
    scene = Scene()
    scene.login()
    with pytest.raises(Broken):
        scene.login({"u1": "a", "other": "b", "u3": "c"})


def test_a_uidl_never_names_another_message() -> None:
    scene = Scene()
    scene.login()
    with pytest.raises(Broken, match="gave"):
        scene.login({"u1": "a", "u2": "c", "u3": "b"})
    scene = Scene()
    scene.login()
    scene.quit(3)
    del scene.work[3]
    scene.look()
    scene.add("d")
    with pytest.raises(Broken, match="which is gone"):
        scene.login({"u1": "a", "u2": "b", "u3": "d"})


def test_two_messages_have_two_uidls() -> None:
    scene = Scene()
    rows = [Row(uidl, 400, seen.octets) for uidl, seen in zip("uuv", scene.work.values(), strict=True)]
    with pytest.raises(Broken, match="two messages have one UIDL"):
        scene.truth.listed(rows)


def test_copies_of_one_letter_have_uidls_of_their_own() -> None:
    scene = Scene(letters="aa")
    scene.login({"u1": "a", "u2": "a"})
    with pytest.raises(Broken):
        scene.login({"u1": "a", "u3": "a"})


def test_sizes_are_true() -> None:
    with pytest.raises(Broken, match="octets"):
        Scene().login(sizes=399)


def test_no_text_is_made_up() -> None:
    with pytest.raises(Broken, match="no letter"):
        Scene().truth.listed([Row("u1", 400, b"made up")])


def test_numbers_rise_with_uids() -> None:
    with pytest.raises(Broken, match="listed behind"):
        Scene().login(("u2", "u1", "u3"))


def test_numbers_keep_their_order() -> None:
    scene = Scene()
    scene.login()
    scene.truth.shuffled = True
    with pytest.raises(Broken, match="was listed before"):
        scene.login(("u1", "u3", "u2"))


def test_they_keep_it_in_a_mailbox_made_anew_in_another_order() -> None:
    for shown, good in [({"u1": "a", "u2": "b", "u3": "c"}, True), ({"u3": "c", "u2": "b", "u1": "a"}, False)]:
        scene = Scene()
        scene.login()
        scene.replace("cba")
        if good:
            scene.login(shown)
        else:
            with pytest.raises(Broken, match="was listed before"):
                scene.login(shown)


def test_what_is_new_in_a_mailbox_made_anew_comes_last() -> None:
    scene = Scene()
    scene.login()
    scene.replace("cab")
    scene.add("d")
    with pytest.raises(Broken, match="is new"):
        scene.login({"n1": "d", "u1": "a", "u2": "b", "u3": "c"})
    assert [copy.letter.key for copy in scene.login({"u1": "a", "u2": "b", "u3": "c", "n1": "d"})] == list("abcd")


def test_what_would_be_recognised_keeps_its_uidl() -> None:
    scene = Scene()
    scene.login()
    scene.replace("abc")
    with pytest.raises(Broken, match="downloaded again"):
        scene.login({"u1": "a", "u2": "b", "n3": "c"})


def test_what_could_not_be_recognised_may_have_a_new_one_but_none_of_another() -> None:
    scene = Scene()
    scene.login()
    scene.replace("abc", learned=False)
    scene.login({"n1": "a", "n2": "b", "n3": "c"})
    scene = Scene()
    scene.login()
    scene.replace("abc", learned=False)
    with pytest.raises(Broken, match="named b"):
        scene.login({"u2": "a", "n2": "b", "n3": "c"})


def test_what_was_hidden_in_between_keeps_its_uidl_too() -> None:
    for learned in (True, False):
        for shown in ("u1", "n1"):
            scene = Scene("flag")
            scene.login()
            scene.replace("abc")
            scene.flag(10, DELETED)
            scene.truth.copies[10].flags.add(DELETED)
            scene.login({"u2": "b", "u3": "c"})
            scene.replace("abc", learned=learned)
            rows = {shown: "a", "u2": "b", "u3": "c"}
            if learned and shown == "n1":
                with pytest.raises(Broken, match="downloaded again"):
                    scene.login(rows)
            else:
                scene.login(rows if shown == "u1" else {"u2": "b", "u3": "c", shown: "a"})
