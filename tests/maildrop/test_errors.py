"""Every trouble says in a user's words what happened, and whether waiting helps."""

from bridge.maildrop.errors import CredentialsRefused, DeletionRefused, UpstreamUnavailable


def test_refused_credentials_are_lasting_and_a_lost_server_is_not() -> None:
    assert not CredentialsRefused("no").temporary
    assert UpstreamUnavailable("later").temporary


def test_a_refused_deletion_counts_what_stayed() -> None:
    refused = DeletionRefused(2, 5, "the mailbox is read-only upstream", temporary=False)

    assert str(refused) == "2 of 5 messages not deleted: the mailbox is read-only upstream"
    assert not refused.temporary


def test_a_deletion_that_nobody_confirmed_is_not_said_to_have_been_refused() -> None:
    refused = DeletionRefused(5, 5, "upstream hung up", temporary=True, confirmed=False)

    assert str(refused) == "5 of 5 deletions not confirmed: upstream hung up"
