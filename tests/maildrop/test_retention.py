"""A policy that a mailbox cannot keep is named before anything is promised (S18, S19)."""

import pytest
from attrs import evolve

from bridge.maildrop.retention import Mailbox, Policy, refusal, shortfall, unkeepable

GOOD = Mailbox(
    read_only=False,
    flags_kept=frozenset({"\\deleted", "\\seen"}),
    rights=None,
    can_move=True,
    can_expunge_by_uid=True,
    trash="Trash",
)


@pytest.mark.parametrize("policy", Policy)
def test_an_ordinary_mailbox_takes_every_policy(policy: Policy) -> None:
    assert refusal(policy, GOOD) == ""
    assert refusal(policy, evolve(GOOD, flags_kept=None, rights="lrswite")) == ""
    assert shortfall(policy, GOOD) == ""


@pytest.mark.parametrize("policy", Policy)
def test_a_read_only_mailbox_takes_none(policy: Policy) -> None:
    assert "read-only" in refusal(policy, evolve(GOOD, read_only=True))


@pytest.mark.parametrize("policy", Policy)
def test_without_the_right_to_delete_nothing_is_promised(policy: Policy) -> None:
    assert "right to delete" in refusal(policy, evolve(GOOD, rights="lrs"))
    assert refusal(policy, evolve(GOOD, rights="lrsd")) == ""


def test_the_right_to_flag_alone_is_enough_for_flag_only() -> None:
    """RFC 4314: t flags, e expunges; a d beside them is for clients that know neither."""
    flags_only = evolve(GOOD, rights="lrstd")

    assert refusal(Policy.FLAG, flags_only) == ""
    assert "right to delete" in refusal(Policy.EXPUNGE, flags_only)
    assert "right to delete" in refusal(Policy.TRASH, flags_only)
    assert refusal(Policy.EXPUNGE, evolve(flags_only, can_expunge_by_uid=False)) == ""
    assert refusal(Policy.TRASH, evolve(GOOD, rights="lrse")) == ""


def test_the_mailbox_itself_is_no_trash() -> None:
    """It would come back as new mail for ever."""
    assert "cannot go to" in unkeepable(Policy.TRASH, evolve(GOOD, trash_is_itself=True))
    assert unkeepable(Policy.FLAG, evolve(GOOD, trash_is_itself=True)) == ""


def test_trash_never_falls_back_to_expunge() -> None:
    assert "trash = " in unkeepable(Policy.TRASH, evolve(GOOD, trash=None))
    assert unkeepable(Policy.EXPUNGE, evolve(GOOD, trash=None)) == ""


def test_where_a_flag_deletes_flag_is_no_policy() -> None:
    """Gmail's auto-expunge: RSET and an IMAP user could not undo it."""
    gmail = evolve(GOOD, flag_deletes=True)

    assert "trash" in unkeepable(Policy.FLAG, gmail)
    assert unkeepable(Policy.TRASH, gmail) == ""


def test_flag_needs_a_mailbox_that_keeps_the_flag() -> None:
    flagless = evolve(GOOD, flags_kept=frozenset({"\\seen"}))

    assert "\\Deleted" in refusal(Policy.FLAG, flagless)
    assert "\\Deleted" in refusal(Policy.EXPUNGE, flagless)
    assert refusal(Policy.TRASH, flagless) == ""
    assert "\\Deleted" in refusal(Policy.TRASH, evolve(flagless, can_move=False))


def test_without_uidplus_the_owner_hears_what_stays_undone() -> None:
    poor = evolve(GOOD, can_expunge_by_uid=False)

    assert shortfall(Policy.FLAG, poor) == ""
    assert "UIDPLUS" in shortfall(Policy.EXPUNGE, poor)
    assert shortfall(Policy.TRASH, poor) == ""
    assert "not expunged" in shortfall(Policy.TRASH, evolve(poor, can_move=False))
