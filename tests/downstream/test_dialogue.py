"""What each command does and answers after the login, whatever upstream does meanwhile."""

import pytest

from bridge.events import BugMet, DeletionRefused, UpstreamLost
from bridge.maildrop.errors import (
    MailboxReplaced,
    RetrievalRefused,
    Trouble,
    UpstreamUnavailable,
    UpstreamUnsuitable,
)
from bridge.maildrop.source import Deletion
from tests.downstream.stage import HELLO, THREE, Stage

# The listing and its marks (faults 1-3, 5, 13).


def test_a_deleted_message_leaves_a_gap_in_list_and_uidl_and_is_not_counted() -> None:
    client = Stage(*THREE).logged_in()

    assert client.say(b"DELE 2\r\nSTAT\r\nLIST\r\nUIDL\r\n") == (
        b"+OK message 2 deleted\r\n+OK 2 57\r\n+OK 2 messages (57 octets)\r\n1 33\r\n3 24\r\n.\r\n"
        b"+OK 2 messages\r\n1 00000007-0000000b\r\n3 00000007-0000000d\r\n.\r\n"
    )


def test_a_deleted_message_is_gone_for_every_command_that_names_it() -> None:
    client = Stage(*THREE).logged_in()
    client.say(b"DELE 2\r\n")

    for command in (b"LIST 2", b"UIDL 2", b"RETR 2", b"TOP 2 0", b"DELE 2"):
        assert client.say(command + b"\r\n") == b"-ERR message 2 is deleted\r\n"


def test_rset_takes_back_the_marks_and_renumbers_nothing() -> None:
    stage = Stage(*THREE)
    client = stage.logged_in()
    before = client.say(b"LIST\r\nUIDL\r\n")
    client.say(b"DELE 1\r\nDELE 3\r\n")

    assert client.say(b"RSET\r\n") == b"+OK 3 messages (73 octets)\r\n"
    assert client.say(b"LIST\r\nUIDL\r\n") == before
    assert client.say(b"QUIT\r\n") == b"+OK goodbye\r\n"
    assert "delete" not in stage.upstream.asked


@pytest.mark.parametrize("verb", [b"LIST", b"UIDL", b"RETR", b"DELE", b"TOP"])
@pytest.mark.parametrize("number", [b"0", b"-1", b"4", b"4294967297", b"1 1 1", b"x", b"+1", b"1.0", b"\xb2"])
def test_numbers_that_name_no_message_are_refused_and_harm_nothing(verb: bytes, number: bytes) -> None:
    stage = Stage(*THREE)
    client = stage.logged_in()
    rest = b" 0" if verb == b"TOP" else b""

    assert client.say(verb + b" " + number + rest + b"\r\n").startswith(b"-ERR ")
    assert client.say(b"STAT\r\n") == b"+OK 3 73\r\n"
    assert not stage.told(BugMet)


def test_leading_zeros_and_stray_blanks_are_taken() -> None:
    client = Stage(*THREE).logged_in()

    assert client.say(b"LIST 002\r\n list  2 \r\n") == b"+OK 2 16\r\n" * 2


@pytest.mark.parametrize(
    "command", [b"STAT 1", b"RETR", b"TOP 1", b"DELE", b"NOOP x", b"QUIT now", b"RSET 1", b"LIST 1 2"]
)
def test_a_wrong_count_of_arguments_is_an_error_and_no_disconnect(command: bytes) -> None:
    client = Stage(*THREE).logged_in()

    assert client.say(command + b"\r\n").startswith(b"-ERR ")
    assert client.say(b"NOOP\r\n") == b"+OK still here\r\n"


def test_an_empty_maildrop_is_logged_in_all_the_same() -> None:
    client = Stage().logged_in()

    assert client.say(b"STAT\r\nLIST\r\nUIDL\r\nLIST 1\r\n") == (
        b"+OK 0 0\r\n+OK 0 messages (0 octets)\r\n.\r\n+OK 0 messages\r\n.\r\n-ERR no message 1, there are 0\r\n"
    )


def test_last_is_refused_until_something_was_read() -> None:
    client = Stage(*THREE).logged_in()

    assert client.say(b"LAST\r\n").startswith(b"-ERR ")
    client.say(b"RETR 2\r\nRETR 1\r\n")
    assert client.say(b"LAST\r\n") == b"+OK 2\r\n"


# Messages (faults 4, 6, 7, 8, 18; S14, S15).


def test_a_message_of_no_octets_is_a_message() -> None:
    client = Stage(b"").logged_in()

    assert client.say(b"RETR 1\r\nTOP 1 0\r\n") == b"+OK 0 octets\r\n.\r\n+OK top of the message\r\n.\r\n"


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        (b".\r\n..\r\n.x\r\n", b"..\r\n...\r\n..x\r\n"),
        (b"a\n.\nb\n", b"a\r\n..\r\nb\r\n"),
        (b"a\r\nno end", b"a\r\nno end\r\n"),
        (b"a\rb\r\n", b"a\rb\r\n"),
        (b"a\0b\r\n", b"a\0b\r\n"),
        (b"S: x\r\n" + b"y" * 3000 + b"\r\n", b"S: x\r\n" + b"y" * 3000 + b"\r\n"),
        (b"Subject: \xe4\xff\r\n\r\n", b"Subject: \xe4\xff\r\n\r\n"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 2, 1000])
def test_a_message_comes_octet_for_octet_and_cannot_end_its_reply(message: bytes, sent: bytes, chunk: int) -> None:
    stage = Stage(message, chunk=chunk)

    assert stage.logged_in().say(b"RETR 1\r\n") == b"+OK %d octets\r\n" % len(message) + sent + b".\r\n"
    assert stage.upstream.asked == ["list", "stream"] + ["inside"] * (-(-len(message) // chunk) - 1)


def test_nul_is_replaced_where_the_owner_says_so() -> None:
    assert b"a\x80b" in Stage(b"a\0b\r\n", nul=b"\x80").logged_in().say(b"RETR 1\r\n")


@pytest.mark.parametrize(
    ("count", "end"),
    [
        (b"0", b"\r\n"),
        (b"1", b"\r\nfirst\r\n"),
        (b"2", b"\r\nfirst\r\nsecond\r\n"),
        (b"99999999", b"\r\nfirst\r\nsecond\r\n"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_top_gives_the_header_and_so_many_lines(count: bytes, end: bytes, chunk: int) -> None:
    client = Stage(HELLO, chunk=chunk).logged_in()

    assert client.say(b"TOP 1 " + count + b"\r\n") == b"+OK top of the message\r\nSubject: hello\r\n" + end + b".\r\n"


@pytest.mark.parametrize("message", [b"Subject: x\r\n", b"Subject: x\r\n\r\n", b"Subject: x"])
def test_top_of_a_message_without_body_or_header_end_ends_with_the_empty_line(message: bytes) -> None:
    client = Stage(message).logged_in()

    assert client.say(b"TOP 1 0\r\n") == b"+OK top of the message\r\nSubject: x\r\n\r\n.\r\n"


def test_top_counts_lines_also_where_they_end_in_lf_alone() -> None:
    client = Stage(b"S: x\n\n" + b"\n" * 94).logged_in()

    assert client.say(b"TOP 1 60\r\n") == b"+OK top of the message\r\nS: x\r\n\r\n" + b"\r\n" * 60 + b".\r\n"


def test_a_top_that_covers_the_message_is_fetched_like_a_retr() -> None:
    stage = Stage(HELLO)
    stage.logged_in().say(b"TOP 1 99999999\r\n")

    assert stage.upstream.asked[1:] == ["stream"]


class Huge(bytes):
    """A message that is listed with more than it has."""

    def __len__(self) -> int:
        return 2**33


def test_a_size_over_four_gigabytes_is_told_whole() -> None:
    """Fault 15."""
    client = Stage(Huge(HELLO)).logged_in()

    assert client.say(b"STAT\r\nLIST 1\r\nLIST\r\n").count(b" 8589934592\r\n") == 3


def test_upstream_lost_before_the_first_octet_is_a_refusal() -> None:
    stage = Stage(*THREE)
    client = stage.logged_in()
    stage.upstream.faults["stream"] = UpstreamUnavailable("upstream hung up", detail="BYE")

    assert client.say(b"RETR 1\r\nSTAT\r\n") == b"-ERR [SYS/TEMP] upstream hung up (upstream says: BYE)\r\n+OK 3 73\r\n"
    assert [event.reason for event in stage.told(UpstreamLost)] == ["upstream hung up (BYE)"]


@pytest.mark.parametrize("trouble", [RetrievalRefused("not now"), MailboxReplaced("the mailbox was replaced")])
def test_a_message_that_is_refused_on_a_good_connection_is_not_logged_as_upstream_lost(trouble: Trouble) -> None:
    stage = Stage(*THREE)
    client = stage.logged_in()
    stage.upstream.faults["stream"] = trouble

    assert client.say(b"RETR 1\r\n") == b"-ERR [SYS/TEMP] %s\r\n" % str(trouble).encode()
    assert not stage.told(UpstreamLost)


def test_upstream_lost_in_a_message_closes_and_writes_no_terminator() -> None:
    """Fault 7, S15."""
    stage = Stage(b"Subject: long\r\n\r\n" + b"line\r\n" * 1000, *THREE)
    client = stage.logged_in()
    first = stage.upstream.hold("inside")
    client.say(b"DELE 2\r\nRETR 1\r\nQUIT\r\n")
    second = stage.upstream.hold("inside")
    first.callback(None)
    second.errback(UpstreamUnavailable("upstream hung up"))
    client.settle()

    assert client.gone()
    assert client.heard.startswith(b"+OK message 2 deleted\r\n+OK 6017 octets\r\nSubject: long\r\n\r\nline\r\n")
    assert not client.heard.endswith(b"\r\n.\r\n")
    assert b"-ERR" not in client.heard
    assert stage.closed.how == "upstream was lost inside a message"
    assert stage.closed.retrieved == 0
    assert len(stage.upstream.messages) == 4  # the QUIT that was behind it does nothing
    stage.nothing_left()


def test_a_message_lost_before_anything_of_it_left_is_still_a_proper_refusal() -> None:
    stage = Stage(b"x" * 1500)
    client = stage.logged_in()
    stage.upstream.faults["inside"] = UpstreamUnavailable("upstream hung up")

    assert client.say(b"RETR 1\r\nNOOP\r\n") == b"-ERR [SYS/TEMP] upstream hung up\r\n+OK still here\r\n"


def test_a_fetch_refused_for_now_is_not_called_gone() -> None:
    """Fault 8."""
    stage = Stage(*THREE)
    client = stage.logged_in()
    stage.upstream.faults["stream"] = RetrievalRefused("not now", detail="NO [INUSE] locked")

    for _ in range(5):
        assert client.say(b"RETR 1\r\n") == b"-ERR [SYS/TEMP] not now (upstream says: NO [INUSE] locked)\r\n"


def test_a_vanished_message_keeps_its_number_and_asked_again_and_again_ends_the_session() -> None:
    """S14."""
    stage = Stage(*THREE)
    client = stage.logged_in()
    del stage.upstream.messages[12]
    gone = b"-ERR this message was removed from the mailbox\r\n"

    assert client.say(b"RETR 2\r\n") == gone
    assert client.say(b"LIST 2\r\nSTAT\r\n") == b"+OK 2 16\r\n+OK 3 73\r\n"
    assert client.say(b"RETR 1\r\nTOP 2 0\r\n").endswith(gone)
    assert not client.gone()
    assert client.say(b"RETR 2\r\nNOOP\r\n") == gone
    assert client.gone()
    stage.nothing_left()


def test_different_vanished_messages_do_not_end_the_session() -> None:
    stage = Stage(*[HELLO] * 9)
    client = stage.logged_in()
    stage.upstream.messages.clear()
    for number in range(1, 10):
        client.say(b"RETR %d\r\n" % number)

    assert not client.gone()


def test_a_mailbox_replaced_under_the_session_ends_it_and_deletes_nothing() -> None:
    """Fault 12: its numbers mean nothing any more."""
    stage = Stage(*THREE)
    client = stage.logged_in()
    stage.upstream.faults["stream"] = MailboxReplaced("the mailbox was replaced")

    assert client.say(b"DELE 1\r\nRETR 2\r\nQUIT\r\n") == (
        b"+OK message 1 deleted\r\n-ERR [SYS/TEMP] the mailbox was replaced\r\n"
    )
    assert client.gone()
    assert len(stage.upstream.messages) == 3


def test_what_was_done_is_counted() -> None:
    stage = Stage(*THREE)
    stage.logged_in().say(b"RETR 1\r\nTOP 3 1\r\nRETR 3\r\nRETR 9\r\nDELE 1\r\nDELE 1\r\nQUIT\r\n")
    closed = stage.closed

    assert (closed.retrieved, closed.topped, closed.octets, closed.marked, closed.deleted) == (2, 1, 33 + 24 + 24, 1, 1)
    assert closed.how == "QUIT"
    assert closed.login == "ann"


# QUIT tells the truth (S17, S21, fault 10).


BOTH, ONE = frozenset({11, 12}), frozenset({12})


def quit_after(deletion: Deletion | Exception) -> tuple[bytes, Stage]:
    stage = Stage(*THREE)
    client = stage.logged_in()
    if isinstance(deletion, Deletion):
        stage.upstream.deletion = deletion
    else:
        stage.upstream.faults["delete"] = deletion
    client.say(b"DELE 1\r\nDELE 2\r\n")
    heard = client.say(b"QUIT\r\n")
    assert client.gone()
    stage.nothing_left()
    return heard, stage


@pytest.mark.parametrize(
    ("deletion", "reply"),
    [
        (Deletion(2), b"+OK 2 messages deleted, goodbye\r\n"),
        (
            Deletion(2, BOTH, "read-only upstream"),
            b"-ERR [SYS/PERM] 2 of 2 messages not deleted: read-only upstream\r\n",
        ),
        (
            Deletion(2, ONE, "busy", temporary=True, detail="try"),
            b"-ERR [SYS/TEMP] 1 of 2 messages not deleted: busy (upstream says: try)\r\n",
        ),
        (UpstreamUnavailable("hung up"), b"-ERR [SYS/TEMP] 2 of 2 deletions not confirmed: hung up\r\n"),
        (UpstreamUnsuitable("no trash"), b"-ERR [SYS/PERM] 2 of 2 deletions not confirmed: no trash\r\n"),
    ],
)
def test_quit_says_how_many_were_not_deleted_and_whether_that_may_pass(
    deletion: Deletion | Exception, reply: bytes
) -> None:
    heard, stage = quit_after(deletion)

    assert heard == reply
    refused = stage.told(DeletionRefused)
    assert len(refused) == (reply[:1] == b"-")
    assert stage.closed.deleted == (deletion.done if isinstance(deletion, Deletion) else 0)


def test_quit_waits_fifty_seconds_for_upstream_and_then_says_that_it_does_not_know() -> None:
    stage = Stage(*THREE)
    client = stage.logged_in()
    gate = stage.upstream.hold("delete")
    assert client.say(b"DELE 1\r\nQUIT\r\n") == b"+OK message 1 deleted\r\n"
    stage.clock.advance(49)
    assert not gate.called
    stage.clock.advance(2)

    assert client.settle() == (
        b"-ERR [SYS/TEMP] 1 of 1 deletions not confirmed: no answer within 50 seconds; look again later\r\n"
    )
    stage.nothing_left()


def test_more_marks_than_allowed_delete_nothing_at_all() -> None:
    """S21."""
    stage = Stage(*THREE, max_deletions=2)
    client = stage.logged_in()
    heard = client.say(b"DELE 1\r\nDELE 2\r\nDELE 3\r\nQUIT\r\n")

    assert heard.splitlines()[2] == (
        b"-ERR [SYS/PERM] more than 2 deletions in one session are not allowed; nothing will be deleted"
    )
    assert heard.splitlines()[3] == b"-ERR [SYS/PERM] 2 of 2 messages not deleted: more were marked than allowed"
    assert len(stage.upstream.messages) == 3
    assert "delete" not in stage.upstream.asked


def test_rset_forgives_marks_beyond_the_limit() -> None:
    stage = Stage(*THREE, max_deletions=1)
    client = stage.logged_in()

    heard = client.say(b"DELE 1\r\nDELE 2\r\nRSET\r\nDELE 3\r\nQUIT\r\n")

    assert heard.endswith(b"+OK 1 message deleted, goodbye\r\n")
    assert list(stage.upstream.messages) == [11, 12]


def test_quit_before_the_login_is_polite() -> None:
    client = Stage().connect()

    assert client.say(b"QUIT\r\n") == b"+OK goodbye\r\n"
    assert client.gone()


def test_a_session_that_deletes_hangs_up_upstream_in_good_order() -> None:
    stage = Stage(*THREE)
    stage.logged_in().say(b"DELE 1\r\nQUIT\r\n")

    assert stage.upstream.sources[0].ended == ["closed"]
    assert isinstance(stage.closed.seconds, float)


def test_no_reply_is_longer_than_512_octets() -> None:
    stage = Stage(*THREE)
    client = stage.logged_in()
    stage.upstream.faults["stream"] = RetrievalRefused("not now", detail="long\r\n+OK forged " * 300 + "[AUTH]")

    heard = client.say(b"RETR 1\r\n")
    assert heard.count(b"\n") == 1
    assert len(heard) <= 512
    assert heard.startswith(b"-ERR [SYS/TEMP] not now (upstream says: long +OK forged")
