"""What is not known of an old message stays unknown, and is not taken for nothing."""

from bridge.commands.old_message import OldMessage


def test_only_the_uidl_is_always_known() -> None:
    message = OldMessage(uidl="UID1-7")

    assert (message.size, message.fingerprint, message.uid) == (None, None, None)
