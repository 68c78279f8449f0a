"""Happenings show what happened, never the mail itself."""

from bridge.imap.happenings import BodyOctets, Challenged


def test_the_text_of_a_mail_is_never_shown() -> None:
    assert "secret" not in repr(BodyOctets(b"secret"))
    assert "secret" not in repr(Challenged(b"secret"))
