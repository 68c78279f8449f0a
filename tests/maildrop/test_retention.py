"""A policy that a mailbox cannot keep is named before anything is promised (S18, S19)."""

import pytest
from attrs import evolve

from bridge.maildrop.retention import Mailbox, Policy, refusal, same_mailbox, shortfall, unkeepable

GOOD = Mailbox(
    read_only=False,
    flags_kept=frozenset({"\\deleted", "\\seen", "\\*"}),
    rights=None,
    can_move=True,
    can_expunge_by_uid=True,
    targets={Policy.TRASH: "Trash", Policy.ARCHIVE: "Archive"},
)
MOVING = (Policy.TRASH, Policy.ARCHIVE)
UPSTREAM = [policy for policy in Policy if policy is not Policy.KEEP]


@pytest.mark.parametrize("policy", Policy)
def test_an_ordinary_mailbox_takes_every_policy(policy: Policy) -> None:
    assert unkeepable(policy, GOOD) == ""
    assert refusal(policy, GOOD) == ""
    assert refusal(policy, evolve(GOOD, rights="lrswite")) == ""
    assert shortfall(policy, GOOD) == ""


@pytest.mark.parametrize("policy", UPSTREAM)
def test_a_read_only_mailbox_takes_none(policy: Policy) -> None:
    """It can be read all the same, so the login is let in; PERMANENTFLAGS is empty there and says nothing."""
    examined = evolve(GOOD, read_only=True, flags_kept=frozenset())

    assert "read-only" in refusal(policy, examined)
    assert unkeepable(policy, examined) == ""


def test_keep_asks_nothing_of_the_mailbox() -> None:
    nothing = Mailbox(read_only=True, flags_kept=frozenset(), rights="lr", can_move=False, can_expunge_by_uid=False)

    assert (unkeepable(Policy.KEEP, nothing), refusal(Policy.KEEP, nothing)) == ("", "")


@pytest.mark.parametrize("policy", [policy for policy in UPSTREAM if policy is not Policy.HIDE])
def test_without_the_right_to_delete_nothing_is_promised(policy: Policy) -> None:
    assert "right to delete" in refusal(policy, evolve(GOOD, rights="lrsw"))
    assert refusal(policy, evolve(GOOD, rights="lrsd")) == ""


def test_the_right_to_flag_alone_is_enough_for_flag_only() -> None:
    """RFC 4314: t flags, e expunges; a d beside them is for clients that know neither."""
    flags_only = evolve(GOOD, rights="lrstd")

    assert refusal(Policy.FLAG, flags_only) == ""
    assert "right to delete" in refusal(Policy.EXPUNGE, flags_only)
    assert refusal(Policy.EXPUNGE, evolve(flags_only, can_expunge_by_uid=False)) == ""
    for policy in MOVING:
        assert "right to delete" in refusal(policy, flags_only)
        assert refusal(policy, evolve(GOOD, rights="lrse")) == ""
        assert "right to delete" in refusal(policy, evolve(GOOD, rights="lrse", can_move=False))
        assert refusal(policy, evolve(GOOD, rights="lrste", can_move=False)) == ""


def test_hiding_needs_the_right_to_set_keywords_and_no_other() -> None:
    """RFC 4314: w is for all flags but \\Seen and \\Deleted."""
    assert refusal(Policy.HIDE, evolve(GOOD, rights="lrw")) == ""
    assert "right to set keywords" in refusal(Policy.HIDE, evolve(GOOD, rights="lrsdte"))


def test_hiding_needs_a_mailbox_that_keeps_keywords() -> None:
    """A keyword that ends with the session would let every message come back."""
    for kept in (frozenset({"\\deleted"}), frozenset[str](), None):
        flagless = evolve(GOOD, flags_kept=kept)
        assert 'delete = "hide"' in unkeepable(Policy.HIDE, flagless)
        assert 'delete = "hide"' in refusal(Policy.HIDE, flagless)
    for kept in (frozenset({"\\*"}), frozenset({"$pop3deleted"})):
        assert refusal(Policy.HIDE, evolve(GOOD, flags_kept=kept)) == ""


@pytest.mark.parametrize("policy", MOVING)
def test_the_mailbox_itself_is_no_place_for_what_is_deleted_from_it(policy: Policy) -> None:
    """It would come back as new mail for ever."""
    for name, target in (("Old", "Old"), ("INBOX", "inbox")):
        itself = evolve(GOOD, name=name, targets={policy: target})
        assert f"name another with {policy.value}" in unkeepable(policy, itself)
        assert "cannot go to" in refusal(policy, itself)
        assert unkeepable(Policy.FLAG, itself) == ""
    assert unkeepable(policy, evolve(GOOD, name="old", targets={policy: "Old"})) == ""


def test_inbox_is_the_same_in_any_case_and_nothing_else_is() -> None:
    assert same_mailbox("Inbox", "INBOX")
    assert not same_mailbox("trash", "Trash")


def test_trash_never_falls_back_to_expunge_nor_archive_to_trash() -> None:
    for policy, other in (MOVING, reversed(MOVING)):
        only_other = evolve(GOOD, targets={other: "Old"})
        assert f"{policy.value} = " in unkeepable(policy, only_other)
        assert f"marked \\{policy.name.capitalize()}" in refusal(policy, only_other)
        assert unkeepable(other, only_other) == ""
        assert unkeepable(Policy.EXPUNGE, only_other) == ""


def test_where_a_flag_deletes_flag_is_no_policy() -> None:
    """Gmail's auto-expunge: RSET and an IMAP user could not undo it."""
    gmail = evolve(GOOD, flag_deletes=True)

    assert "trash" in unkeepable(Policy.FLAG, gmail)
    assert refusal(Policy.FLAG, gmail) != ""
    assert unkeepable(Policy.TRASH, gmail) == ""


def test_flag_needs_a_mailbox_that_keeps_the_flag() -> None:
    flagless = evolve(GOOD, flags_kept=frozenset({"\\seen", "\\*"}))

    assert "\\Deleted" in refusal(Policy.FLAG, flagless)
    assert "\\Deleted" in refusal(Policy.EXPUNGE, flagless)
    assert refusal(Policy.HIDE, flagless) == ""
    assert refusal(Policy.FLAG, evolve(GOOD, flags_kept=None)) == "", "a server that says nothing keeps all flags"
    for policy in MOVING:
        assert refusal(policy, flagless) == ""
        assert "\\Deleted" in refusal(policy, evolve(flagless, can_move=False))


def test_without_uidplus_the_owner_hears_what_stays_undone() -> None:
    poor = evolve(GOOD, can_expunge_by_uid=False)

    for policy in (Policy.FLAG, Policy.HIDE, Policy.KEEP):
        assert shortfall(policy, evolve(poor, can_move=False)) == ""
    assert "UIDPLUS" in shortfall(Policy.EXPUNGE, poor)
    for policy in MOVING:
        assert shortfall(policy, poor) == ""
        assert f"copied to the {policy.value}" in shortfall(policy, evolve(poor, can_move=False))
