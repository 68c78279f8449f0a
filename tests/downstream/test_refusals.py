"""What a client hears when something goes wrong: our words first, the right code, one line."""

import pytest

from bridge.downstream.refusals import REFUSED, refused, refused_login
from bridge.maildrop import errors
from bridge.maildrop.errors import CredentialsRefused, DeletionRefused, Trouble, UpstreamUnavailable, UpstreamUnsuitable

KINDS = [
    (errors.CredentialsRefused("x"), b"[SYS/PERM] "),
    (errors.UpstreamUnavailable("x"), b"[SYS/TEMP] "),
    (errors.LoginsSlowed("x"), b"[SYS/TEMP] "),
    (errors.MaildropInUse("x"), b"[IN-USE] "),
    (errors.UpstreamUntrusted("x"), b"[SYS/PERM] "),
    (errors.UpstreamUnsuitable("x"), b"[SYS/PERM] "),
    (errors.ListingIncomplete("x"), b"[SYS/TEMP] "),
    (errors.MailboxReplaced("x"), b"[SYS/TEMP] "),
    (errors.Renumbered("x"), b"[SYS/PERM] "),
    (errors.TooManyViews("x"), b"[SYS/PERM] "),
    (errors.StateUnavailable("x"), b"[SYS/TEMP] "),
    (errors.NoSuchMessage("x"), b""),
    (errors.MessageMarked("x"), b""),
    (errors.MessageGone("x"), b""),
    (errors.RetrievalRefused("x"), b"[SYS/TEMP] "),
    (errors.TooManyDeletions("x"), b"[SYS/PERM] "),
]


@pytest.mark.parametrize(("trouble", "code"), KINDS)
def test_every_trouble_has_its_code_after_the_login(trouble: Trouble, code: bytes) -> None:
    assert refused(trouble) == b"-ERR " + code + b"x\r\n"


def test_no_trouble_is_forgotten_here() -> None:
    tested = {type(trouble) for trouble, _ in KINDS} | {Trouble, errors.Lasting, DeletionRefused}

    assert {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Trouble)} == tested


def test_a_deletion_says_of_how_many() -> None:
    assert refused(DeletionRefused(2, 5, "busy", temporary=True)) == (
        b"-ERR [SYS/TEMP] 2 of 5 messages not deleted: busy\r\n"
    )
    assert refused(DeletionRefused(1, 1, "read-only", temporary=False, detail="NO")) == (
        b"-ERR [SYS/PERM] 1 of 1 messages not deleted: read-only (upstream says: NO)\r\n"
    )


def test_all_refused_logins_get_one_answer() -> None:
    for text in ("no account takes this login", "upstream refused the login", "a control character in the login"):
        assert refused_login(CredentialsRefused(text, detail="user unknown")) == f"-ERR [AUTH] {REFUSED}\r\n".encode()


def test_before_the_login_upstream_s_words_are_kept_back() -> None:
    assert refused_login(UpstreamUnavailable("down", detail="on fire")) == b"-ERR [SYS/TEMP] down\r\n"
    assert refused_login(UpstreamUnsuitable("no INBOX", detail="really")) == b"-ERR [SYS/PERM] no INBOX\r\n"


@pytest.mark.parametrize("detail", ["a\r\n+OK forged", "\0\x1b[2J", "[AUTH] wrong", "ü" * 600, "x" * 5000, "\u202e"])
def test_upstream_s_words_stay_behind_ours_in_one_bounded_ascii_line(detail: str) -> None:
    line = refused(UpstreamUnavailable("down", detail=detail))

    assert line.startswith(b"-ERR [SYS/TEMP] down (upstream says: ")
    assert line.count(b"\n") == line.count(b"\r") == 1
    assert len(line) <= 512
    assert all(0x20 <= octet < 0x7F for octet in line[:-2])
