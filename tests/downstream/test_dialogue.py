"""What each command does and answers, whatever upstream does meanwhile."""

from base64 import b64encode

import pytest

from bridge.events import BugMet, DeletionRefused, LoginRefused, LoginSucceeded, UpstreamLost
from bridge.maildrop.errors import (
    CredentialsRefused,
    ListingIncomplete,
    MailboxReplaced,
    RetrievalRefused,
    UpstreamUnavailable,
    UpstreamUnsuitable,
    UpstreamUntrusted,
)
from bridge.maildrop.source import Deletion
from tests.downstream.stage import HELLO, LOGIN, Client, Stage

THREE = (HELLO, b"Subject: two\r\n\r\n", b"Subject: three\r\n\r\nbody\r\n")
AUTH = b"-ERR [AUTH] user name or password is wrong\r\n"


def base64(octets: bytes) -> bytes:
    return b64encode(octets) + b"\r\n"


# CAPA and the greeting (S24, S25, S26, fault 21).

CAPA = (
    b"+OK what this server can do\r\nTOP\r\nUIDL\r\n%sRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\n"
    b"UTF8 USER\r\nLANG\r\nIMPLEMENTATION Popbridge-test\r\n.\r\n"
)
SASL = b"SASL PLAIN LOGIN XOAUTH2 OAUTHBEARER\r\n"


def test_the_greeting_offers_no_apop() -> None:
    assert Stage().connect().heard == b"+OK Popbridge ready\r\n"


@pytest.mark.parametrize(
    ("address", "tls", "cleartext", "lines"),
    [
        ("127.0.0.1", False, False, b"USER\r\n" + SASL),
        ("::1", False, False, b"USER\r\n" + SASL),
        ("::ffff:127.0.0.1", False, False, b"USER\r\n" + SASL),
        ("127.0.0.1", True, False, b"USER\r\n" + SASL + b"STLS\r\n"),
        ("192.0.2.1", False, False, b""),
        ("::ffff:192.0.2.1", True, False, b"STLS\r\n"),
        ("2001:db8::1", True, False, b"STLS\r\n"),
        ("192.0.2.1", False, True, b"USER\r\n" + SASL),
    ],
)
def test_capa_names_exactly_what_can_be_done_here(address: str, tls: bool, cleartext: bool, lines: bytes) -> None:
    client = Stage(tls=tls, cleartext=cleartext).connect(address)

    assert client.say(b"CAPA\r\n") == CAPA % lines


def test_capa_over_tls_and_after_login() -> None:
    stage = Stage(HELLO, implicit=True)
    client = stage.connect("192.0.2.1")

    assert client.say(b"CAPA\r\n") == CAPA % (b"USER\r\n" + SASL)
    client.say(LOGIN)
    assert client.say(b"CAPA\r\n") == CAPA % b""


@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"])
@pytest.mark.parametrize(
    "command", [b"USER ann", b"PASS right password", b"AUTH PLAIN", b"AUTH LOGIN", b"AUTH XOAUTH2", b"AUTH OAUTHBEARER"]
)
def test_passwords_in_clear_text_are_refused_before_they_are_said(address: str, command: bytes) -> None:
    stage = Stage(HELLO, tls=True)

    assert stage.connect(address).say(command + b"\r\n") == (
        b"-ERR [SYS/PERM] no login without encryption: say STLS first (STARTTLS in the program's settings)\r\n"
    )
    assert not stage.upstream.sources


# Login.


def test_every_way_to_log_in_opens_the_mailbox() -> None:
    token = b"user=ann\x01auth=Bearer right\x01\x01"
    bearer = b"n,a=ann,\x01auth=Bearer right\x01\x01"
    plain, login = b"\0ann\0right", (b"ann", b"right")
    for how, said in (
        ("USER", b"USER ann\r\nPASS right\r\n"),
        ("PLAIN", b"AUTH PLAIN " + base64(plain)),
        ("PLAIN", b"AUTH PLAIN\r\n" + base64(plain)),
        ("LOGIN", b"AUTH LOGIN\r\n" + base64(login[0]) + base64(login[1])),
        ("LOGIN", b"AUTH LOGIN " + base64(login[0]) + base64(login[1])),
        ("XOAUTH2", b"AUTH XOAUTH2 " + base64(token)),
        ("OAUTHBEARER", b"AUTH OAUTHBEARER\r\n" + base64(bearer)),
    ):
        stage = Stage(HELLO)
        stage.upstream.password = b"right"
        assert stage.connect().say(said).endswith(b"+OK logged in, 1 message (33 octets)\r\n"), said
        (told,) = stage.told(LoginSucceeded)
        assert (told.login, told.mechanism, told.messages, told.octets) == ("ann", how, 1, 33)
        assert stage.upstream.credentials[0].bearer == (how in {"XOAUTH2", "OAUTHBEARER"})


def test_challenges_are_what_clients_compare() -> None:
    client = Stage(HELLO).connect()

    assert client.say(b"AUTH LOGIN\r\n") == b"+ VXNlcm5hbWU6\r\n"
    assert client.say(base64(b"ann")) == b"+ UGFzc3dvcmQ6\r\n"
    assert client.say(b"*\r\n") == b"-ERR authentication cancelled\r\n"
    assert client.say(b"AUTH PLAIN\r\n") == b"+ \r\n"  # the blank is there (fault 16)
    assert client.say(b"!!!\r\n") == b"-ERR the response is not base64\r\n"
    assert client.say(LOGIN).endswith(b"octets)\r\n")


def test_a_bare_auth_lists_the_mechanisms() -> None:
    assert Stage().connect().say(b"AUTH\r\n") == b"+OK mechanisms\r\nPLAIN\r\nLOGIN\r\nXOAUTH2\r\nOAUTHBEARER\r\n.\r\n"


@pytest.mark.parametrize("password", [b"a b  c ", b" leading", b"\xe4\xf6\xfc \xff", b"x" * 8192, b"\t"])
def test_pass_takes_any_password_to_its_last_blank(password: bytes) -> None:
    """Fault 16."""
    stage = Stage(HELLO)
    stage.upstream.password = password

    assert (
        stage.connect()
        .say(b"USER ann\r\nPASS " + password + b"\r\n")
        .endswith(b"+OK logged in, 1 message (33 octets)\r\n")
    )


def test_an_initial_response_may_have_ten_kilobytes() -> None:
    """Fault 16: tokens are long."""
    stage = Stage(HELLO)
    stage.upstream.password = b"t" * 10_240
    said = b"AUTH XOAUTH2 " + base64(b"user=ann\x01auth=Bearer " + b"t" * 10_240 + b"\x01\x01")

    assert stage.connect().say(said) == b"+OK logged in, 1 message (33 octets)\r\n"


@pytest.mark.parametrize("octet", [b"\r", b"\n", b"\0"])
def test_what_could_end_a_line_upstream_never_goes_there(octet: bytes) -> None:
    """S27, in PLAIN, LOGIN and both bearer mechanisms, in names and in secrets."""
    bad = b"x" + octet + b"y"
    exchanges = [
        b"AUTH LOGIN\r\n" + base64(bad) + base64(b"p"),
        b"AUTH LOGIN\r\n" + base64(b"ann") + base64(bad),
        b"AUTH PLAIN " + base64(b"\0" + bad + b"\0p"),
        b"AUTH PLAIN " + base64(b"\0ann\0" + bad),
        b"AUTH XOAUTH2 " + base64(b"user=" + bad + b"\x01auth=Bearer t\x01\x01"),
        b"AUTH XOAUTH2 " + base64(b"user=ann\x01auth=Bearer " + bad + b"\x01\x01"),
        b"AUTH OAUTHBEARER " + base64(b"n,a=" + bad + b",\x01auth=Bearer t\x01\x01"),
        b"AUTH OAUTHBEARER " + base64(b"n,a=ann,\x01auth=Bearer " + bad + b"\x01\x01"),
    ]
    if octet != b"\n":
        exchanges += [b"USER " + bad + b"\r\nPASS p\r\n", b"USER ann\r\nPASS " + bad + b"\r\n"]
    for said in exchanges:
        stage = Stage(HELLO)
        assert stage.connect().say(said).splitlines()[-1].startswith(b"-ERR [AUTH] "), said
        assert not stage.upstream.credentials, said


def refused_after(client: Client, stage: Stage, said: bytes) -> tuple[float, bytes]:
    client.heard = b""
    client.say(said)
    begin = stage.clock.seconds()
    while not (b"-ERR" in client.heard or b"+ " in client.heard):
        stage.clock.advance(0.25)
        client.settle()
        assert stage.clock.seconds() < begin + 60
    return stage.clock.seconds() - begin, client.heard


def test_a_wrong_password_and_an_unknown_login_are_answered_alike_after_two_seconds() -> None:
    answers = set()
    for said in (b"USER ann\r\nPASS wrong\r\n", b"USER nobody*\r\nPASS x\r\n", b"AUTH PLAIN " + base64(b"\0ann\0no")):
        stage = Stage(HELLO, users="*")
        client = stage.connect()
        seconds, heard = refused_after(client, stage, said)
        assert seconds == 2
        answers.add(heard.removeprefix(b"+OK send PASS\r\n"))
    stage = Stage(HELLO, users="*@example.org")
    answers.add(refused_after(stage.connect(), stage, b"USER ann\r\nPASS x\r\n")[1].removeprefix(b"+OK send PASS\r\n"))

    assert answers == {AUTH}


def test_upstream_s_words_about_a_refused_login_go_to_the_log_alone() -> None:
    stage = Stage(HELLO)
    client = stage.connect()
    _, heard = refused_after(client, stage, b"USER ann\r\nPASS wrong\r\n")

    assert b"who are you" not in heard
    (refused,) = stage.told(LoginRefused)
    assert refused.reason == "upstream refused the login (NO [AUTHENTICATIONFAILED] who are you)"


def test_the_third_refusal_ends_the_connection() -> None:
    stage = Stage(HELLO)
    client = stage.connect()
    for guess in (b"one", b"two"):
        assert refused_after(client, stage, b"USER ann\r\nPASS " + guess + b"\r\n")[1].endswith(AUTH)
        assert not client.gone()
    _, heard = refused_after(client, stage, b"USER ann\r\nPASS three\r\nUSER ann\r\nPASS right password\r\n")

    assert heard == b"+OK send PASS\r\n" + AUTH
    client.settle()
    assert client.gone()
    stage.nothing_left()


def test_malformed_logins_count_too() -> None:
    client = Stage(HELLO).connect()

    assert client.say((b"AUTH PLAIN " + base64(b"nonsense")) * 4).count(b"-ERR [AUTH]") == 3
    assert client.gone()


def test_after_a_refusal_user_has_to_be_said_again_and_may_succeed() -> None:
    stage = Stage(HELLO)
    client = stage.connect()
    refused_after(client, stage, b"USER ann\r\nPASS wrong\r\n")

    assert client.say(b"PASS right password\r\n") == b"-ERR say USER first\r\n"
    assert client.say(LOGIN).endswith(b"octets)\r\n")


@pytest.mark.parametrize(
    ("mechanism", "proof", "why"),
    [
        (b"XOAUTH2", b"user=ann\x01auth=Bearer expired\x01\x01", b'{"status":"401","schemes":"bearer","scope":""}'),
        (b"OAUTHBEARER", b"n,a=ann,\x01auth=Bearer expired\x01\x01", b'{"status":"invalid_token"}'),
    ],
)
@pytest.mark.parametrize("answer", [b"\r\n", b"AQ==\r\n", b"*\r\n"])
def test_a_refused_token_is_explained_in_a_challenge_and_then_refused(
    mechanism: bytes, proof: bytes, why: bytes, answer: bytes
) -> None:
    stage = Stage(HELLO)
    client = stage.connect()
    _, heard = refused_after(client, stage, b"AUTH " + mechanism + b" " + base64(proof))

    assert heard == b"+ " + base64(why)
    assert client.say(answer) == AUTH
    assert client.say(b"CAPA\r\n").startswith(b"+OK")


def test_nonsense_in_answer_to_that_challenge_is_refused_and_nothing_of_it_stays() -> None:
    stage = Stage(HELLO)
    client = stage.connect()
    refused_after(client, stage, b"AUTH XOAUTH2 " + base64(b"user=ann\x01auth=Bearer no\x01\x01"))

    assert client.say(b"???\r\n") == b"-ERR the response is not base64\r\n"
    assert client.say(b"AUTH PLAIN\r\n" + base64(b"\0ann\0right password")).endswith(b"octets)\r\n")


@pytest.mark.parametrize(
    ("trouble", "reply"),
    [
        (UpstreamUnavailable("upstream is down", detail="secret"), b"-ERR [SYS/TEMP] upstream is down\r\n"),
        (ListingIncomplete("listed 3 of 4", detail="secret"), b"-ERR [SYS/TEMP] listed 3 of 4\r\n"),
        (
            UpstreamUntrusted("the certificate has expired", detail="s"),
            b"-ERR [SYS/PERM] the certificate has expired\r\n",
        ),
        (UpstreamUnsuitable("no such mailbox", detail="secret"), b"-ERR [SYS/PERM] no such mailbox\r\n"),
    ],
)
def test_what_is_no_wrong_password_is_never_called_one(trouble: Exception, reply: bytes) -> None:
    """Fault 9: and a listing that failed is no empty maildrop."""
    stage = Stage(HELLO)
    stage.upstream.faults["list"] = trouble
    client = stage.connect()

    for _ in range(5):  # at once, and as often as one likes
        assert client.say(LOGIN) == b"+OK send PASS\r\n" + reply
    assert not client.gone()
    assert [s.ended for s in stage.upstream.sources] == [["abandoned"]] * 5


def test_utf8_before_the_login_and_tolerated_after() -> None:
    """Fault 17."""
    client = Stage(HELLO).connect()

    assert client.say(b"UTF8\r\n" + LOGIN + b"UTF8\r\n").count(b"+OK UTF-8 it is\r\n") == 2


def test_lang() -> None:
    client = Stage().connect()

    assert client.say(b"LANG\r\n") == b"+OK languages\r\ni-default English\r\nen English\r\n.\r\n"
    assert client.say(b"LANG en\r\nLANG de\r\n") == b"+OK en English it is\r\n-ERR only English is spoken here\r\n"


def test_what_needs_a_login_and_what_a_login_forbids() -> None:
    client = Stage(HELLO).connect()

    for command in (b"STAT", b"LIST", b"RETR 1", b"DELE 1", b"RSET", b"NOOP", b"LAST", b"TOP 1 1", b"UIDL"):
        assert client.say(command + b"\r\n") == b"-ERR log in first\r\n"
    client.say(LOGIN)
    for command in (b"USER x", b"PASS x", b"AUTH PLAIN", b"STLS", b"APOP a b"):
        assert client.say(command + b"\r\n").startswith(b"-ERR"), command
    assert client.say(b"STAT\r\n") == b"+OK 1 33\r\n"


def test_apop_is_refused_with_a_remedy() -> None:
    assert Stage().connect().say(b"APOP ann c4c9334bac560ecc979e58001b3e22fb\r\n") == (
        b"-ERR APOP is not available here: use USER and PASS, or AUTH\r\n"
    )


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


def test_a_size_over_four_gigabytes_is_told_whole() -> None:
    """Fault 15."""
    stage = Stage(HELLO)
    client = stage.logged_in()
    (session,) = stage.sessions.open
    opened = session._dialogue.opened
    assert opened is not None
    opened.maildrop._listing.sizes[0] = 2**33
    opened.maildrop.reset()

    assert client.say(b"STAT\r\nLIST 1\r\nLIST\r\n").count(b" 8589934592\r\n") == 3


def test_upstream_lost_before_the_first_octet_is_a_refusal() -> None:
    stage = Stage(*THREE)
    client = stage.logged_in()
    stage.upstream.faults["stream"] = UpstreamUnavailable("upstream hung up", detail="BYE")

    assert client.say(b"RETR 1\r\nSTAT\r\n") == b"-ERR [SYS/TEMP] upstream hung up (upstream says: BYE)\r\n+OK 3 73\r\n"
    assert [event.reason for event in stage.told(UpstreamLost)] == ["upstream hung up (BYE)"]


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
        (Deletion(2, 2), b"+OK 2 messages deleted, goodbye\r\n"),
        (Deletion(2, 0, "read-only upstream"), b"-ERR [SYS/PERM] 2 of 2 messages not deleted: read-only upstream\r\n"),
        (
            Deletion(2, 1, "busy", temporary=True, detail="try"),
            b"-ERR [SYS/TEMP] 1 of 2 messages not deleted: busy (upstream says: try)\r\n",
        ),
        (UpstreamUnavailable("upstream hung up"), b"-ERR [SYS/TEMP] 2 of 2 messages not deleted: upstream hung up\r\n"),
        (UpstreamUnsuitable("no trash mailbox"), b"-ERR [SYS/PERM] 2 of 2 messages not deleted: no trash mailbox\r\n"),
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
        b"-ERR [SYS/TEMP] 1 of 1 messages not deleted: upstream did not confirm within 50 seconds; look again later\r\n"
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


def test_an_account_s_refusal_keeps_no_connection() -> None:
    stage = Stage(HELLO)
    stage.upstream.faults["list"] = CredentialsRefused("no")
    client = stage.connect()
    refused_after(client, stage, LOGIN)

    assert stage.upstream.sources[0].ended == ["abandoned"]
