"""The server's half of the conversation: order, legality, announcements, and bounded patience."""

from base64 import b64encode
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.names import MessageNumber
from bridge.pop3.commands import (
    Apop,
    Auth,
    Capa,
    Command,
    Dele,
    Lang,
    Last,
    List,
    Noop,
    Pass,
    Quit,
    Retr,
    Rset,
    Stat,
    Stls,
    Top,
    Uidl,
    User,
    Utf8,
    encode,
)
from bridge.pop3.replies import ResponseCode
from bridge.pop3.server import LANGUAGES, LEGAL, Refused, Request, SaslCancelled, SaslResponse, Server, State
from bridge.secret import Secret
from bridge.violation import ProtocolViolation

ONE = MessageNumber(1)
MECHANISMS = ("PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER")

DIGEST = b"c4c9334bac560ecc979e58001b3e22fb"
EVERY_COMMAND: list[Command] = [
    Capa(),
    Stls(),
    User(b"alice"),
    Pass(Secret(b"x")),
    Auth("PLAIN"),
    Quit(),
    Noop(),
    Stat(),
    List(),
    Uidl(),
    Retr(ONE),
    Top(ONE, 0),
    Dele(ONE),
    Rset(),
    Last(),
    Utf8(),
    Lang(),
    Apop(b"alice", DIGEST),
]


def server(
    *,
    stls: bool = True,
    secure: bool = False,
    cleartext: bool = True,
    mechanisms: tuple[str, ...] = MECHANISMS,
    timestamp: bytes | None = None,
) -> Server:
    return Server(
        mechanisms=mechanisms,
        implementation="popbridge-1.0",
        stls=stls,
        secure=secure,
        cleartext=cleartext,
        timestamp=timestamp,
    )


def in_state(state: State) -> Server:
    it = server()
    if state is not State.AUTHORIZATION:
        it.log_in_succeeded()
    if state is State.UPDATE:
        it.receive(b"QUIT\r\n")
        assert it.next_request() == Quit()
    return it


def said(it: Server, octets: bytes) -> Request | None:
    it.receive(octets)
    return it.next_request()


def refused(it: Server, octets: bytes) -> Refused:
    request = said(it, octets)
    assert isinstance(request, Refused), request
    return request


def all_requests(it: Server) -> list[Request]:
    """Everything that waits, answered as a dialogue would: logins succeed, AUTH is answered by a challenge."""
    requests = []
    while (request := it.next_request()) is not None:
        requests.append(request)
        match request:
            case Pass() | SaslResponse():
                it.log_in_succeeded()
            case Auth(str(), None):
                it.expect_response()
            case _:
                pass
    return requests


# Order


def test_pipelined_commands_come_one_by_one_in_their_order() -> None:
    """Fault 22, Q22: USER, PASS, RETR, QUIT in one segment; what PASS makes legal is legal at once."""
    it = server()
    it.receive(b"USER alice\r\nPASS x\r\nSTAT\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n")
    assert all_requests(it) == [User(b"alice"), Pass(Secret(b"x")), Stat(), Retr(ONE), Dele(ONE), Quit()]


def test_a_burst_behind_a_failed_login_is_refused_command_by_command() -> None:
    """Angus and Camel pipeline; one answer for each, so that nobody is out of step."""
    it = server()
    it.receive(b"USER alice\r\nPASS wrong\r\nSTAT\r\nUIDL\r\nQUIT\r\n")
    assert it.next_request() == User(b"alice")
    assert it.next_request() == Pass(Secret(b"wrong"))
    it.log_in_failed()
    assert it.next_request() == Refused("log in first")
    assert it.next_request() == Refused("log in first")
    assert it.next_request() == Quit()


@given(st.data())
def test_any_split_of_the_octets_gives_the_same_requests(data: st.DataObject) -> None:
    """Fault 22: CRLF split over segments."""
    stream = b"CAPA\r\nNONSENSE\n\r\nuser a b\r\nPASS  x \r\nSTAT\r\nTOP 1 0\r\nRETR 0\r\nCAPA\r\nQUIT\r\nSTAT\r\n"
    whole = server()
    whole.receive(stream)
    expected = all_requests(whole)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)))))
    split = server()
    found = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        split.receive(stream[begin:end])
        found += all_requests(split)
    assert found == expected


def test_nothing_is_taken_before_it_is_asked_for() -> None:
    it = server()
    it.receive(b"CAPA\r\nQUIT\r\n")
    assert it.buffered == 12
    assert it.next_request() == Capa()
    assert it.buffered == 6
    assert it.state is State.AUTHORIZATION


def test_after_quit_nothing_is_taken_any_more() -> None:
    """S16: what comes behind QUIT is thrown away (cyrus's pop3test says QUIT twice)."""
    it = server()
    it.log_in_succeeded()
    assert said(it, b"QUIT\r\nDELE 1\r\n") == Quit()
    assert it.state is State.UPDATE
    assert it.buffered == 0
    assert said(it, b"QUIT\r\n" * 100_000) is None
    assert it.buffered == 0


# Legality


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("command", EVERY_COMMAND, ids=lambda command: type(command).__name__)
def test_each_command_in_each_state(state: State, command: Command) -> None:
    """The table is the truth: what is in it is taken, all else is refused in words, after QUIT nothing is heard."""
    it = in_state(state)
    if isinstance(command, Pass) and state is State.AUTHORIZATION:
        assert said(it, b"USER alice\r\n") == User(b"alice")
    request = said(it, encode(command) + b"\r\n")
    if state is State.UPDATE:
        assert request is None
    elif type(command) in LEGAL[state] and not isinstance(command, Apop):
        assert request == command
    else:
        assert isinstance(request, Refused)
        assert request.code is None
        assert not request.fatal


def test_the_table_says_what_the_rfcs_say() -> None:
    before, after = LEGAL[State.AUTHORIZATION], LEGAL[State.TRANSACTION]
    assert {type(command) for command in EVERY_COMMAND} == before | after
    assert before & after == {Capa, Quit, Utf8, Lang}
    assert Noop not in before
    assert not LEGAL[State.UPDATE]


def test_pass_needs_a_user_before_it() -> None:
    it = server()
    assert refused(it, b"PASS x\r\n").text == "say USER first"


def test_a_second_user_replaces_the_first() -> None:
    it = server()
    said(it, b"USER alice\r\n")
    assert said(it, b"USER bob\r\n") == User(b"bob")
    assert it.login == b"bob"


def test_a_failed_login_forgets_the_name_and_the_next_try_works() -> None:
    it = server()
    it.receive(b"USER alice\r\nPASS x\r\nPASS y\r\nUSER alice\r\nPASS z\r\n")
    assert [it.next_request(), it.next_request()] == [User(b"alice"), Pass(Secret(b"x"))]
    it.log_in_failed()
    assert it.login is None
    assert it.next_request() == Refused("say USER first")
    assert [it.next_request(), it.next_request()] == [User(b"alice"), Pass(Secret(b"z"))]
    it.log_in_succeeded()
    assert it.state is State.TRANSACTION
    assert it.login == b"alice"


def test_apop_is_refused_with_the_way_out() -> None:
    """Q1, S25: there is no timestamp in the greeting; a client that tries all the same can go on."""
    it = server()
    assert "USER" in refused(it, b"APOP alice c4c9334bac560ecc979e58001b3e22fb\r\n").text
    assert said(it, b"USER alice\r\n") == User(b"alice")


def test_apop_is_taken_where_the_greeting_offered_it_also_without_tls() -> None:
    """It shows no password to who listens (S26)."""
    it = server(timestamp=b"<1@popbridge>", cleartext=False)
    assert said(it, b"APOP alice C4C9334BAC560ECC979E58001B3E22FB\r\n") == Apop(b"alice", DIGEST)
    assert said(it, b"apop  alice in chains " + DIGEST + b"\r\n") == Apop(b"alice in chains", DIGEST)
    assert it.tolerated == {"blanks-in-name", "stray-blanks"}
    for broken in (b"APOP", b"APOP alice", b"APOP " + DIGEST, b"APOP alice " + DIGEST[1:]):
        assert "MD5" in refused(it, broken + b"\r\n").text


# SASL


def test_sasl_turn_by_turn() -> None:
    """Q8: without an initial response, with several turns."""
    it = server()
    assert said(it, b"AUTH LOGIN\r\n") == Auth("LOGIN")
    it.expect_response()
    assert said(it, b"YWxpY2U=\r\n") == SaslResponse(Secret(b"alice"))
    it.expect_response()
    assert said(it, b" c2VjcmV0 \r\n") == SaslResponse(Secret(b"secret"))
    assert said(it, b"CAPA\r\n") == Capa()


def test_an_empty_response_is_one() -> None:
    """The answer to a refused XOAUTH2 token."""
    it = server()
    it.expect_response()
    assert said(it, b"\r\n") == SaslResponse(Secret(b""))


def test_a_star_cancels_and_the_session_goes_on() -> None:
    """Q8: curl cancels a mechanism and tries the next one on the same connection."""
    it = server()
    assert said(it, b"AUTH PLAIN\r\n") == Auth("PLAIN")
    it.expect_response()
    assert said(it, b"*\r\n") == SaslCancelled()
    assert said(it, b"AUTH LOGIN\r\n") == Auth("LOGIN")


def test_a_response_that_is_not_base64_ends_the_exchange() -> None:
    it = server()
    it.expect_response()
    assert "base64" in refused(it, b"not base64!\r\n").text
    assert said(it, b"CAPA\r\n") == Capa()


@pytest.mark.parametrize("initial", [b"=", b"AGFsaWNlAHg="])
def test_an_initial_response_passes_as_received(initial: bytes) -> None:
    it = server()
    assert said(it, b"AUTH PLAIN " + initial + b"\r\n") == Auth("PLAIN", Secret(initial))


def test_an_initial_response_that_is_not_base64_is_refused() -> None:
    assert "base64" in refused(server(), b"AUTH PLAIN a\r\n").text


def test_a_mechanism_that_was_not_announced_is_refused() -> None:
    """wmbiff tries CRAM-MD5 unasked; nmap NTLM, and then its base64 as if it were a command."""
    it = server()
    assert "CAPA" in refused(it, b"AUTH CRAM-MD5\r\n").text
    assert refused(it, b"AUTH NTLM\r\n").code is None
    assert refused(it, b"TlRMTVNTUAABAAAAB4IIogAA\r\n").text == "unknown command"
    assert said(it, b"CAPA\r\n") == Capa()


@pytest.mark.parametrize("line", [b"AUTH\r\n", b"AUTH \r\n"])
def test_bare_auth_asks_for_the_mechanisms_that_capa_lists(line: bytes) -> None:
    """Q6."""
    it = server()
    assert said(it, line) == Auth(None)
    assert it.mechanisms == MECHANISMS
    assert it.tolerated == {"bare-auth"}


# TLS


def test_stls_starts_over_with_tls_on() -> None:
    it = server(cleartext=False)
    assert said(it, b"STLS\r\n") == Stls()
    it.start_tls()
    assert it.secure
    assert said(it, b"USER alice\r\n") == User(b"alice")


def test_stls_forgets_the_name_said_before() -> None:
    it = server()
    said(it, b"USER mallory\r\n")
    assert said(it, b"STLS\r\n") == Stls()
    it.start_tls()
    assert it.login is None
    assert refused(it, b"PASS x\r\n").text == "say USER first"


@pytest.mark.parametrize("behind", [b"USER mallory\r\n", b"\r\n", b"C", b"\x16\x03\x01"])
def test_input_behind_stls_ends_the_session(behind: bytes) -> None:
    """Fault 22, Q23, S27: it came before the encryption, so anybody may have written it."""
    it = server()
    assert said(it, b"STLS\r\n" + behind) == Stls()
    with pytest.raises(ProtocolViolation, match="STLS"):
        it.start_tls()
    assert not it.secure


def test_stls_only_where_it_can_be_done() -> None:
    assert "not available" in refused(server(stls=False), b"STLS\r\n").text
    assert "already" in refused(server(secure=True), b"STLS\r\n").text


@pytest.mark.parametrize(
    "line",
    [b"USER alice\r\n", b"PASS x\r\n", b"AUTH PLAIN\r\n", b"AUTH PLAIN AGEAYg==\r\n", b"AUTH XOAUTH2\r\n"],
)
@pytest.mark.parametrize("stls", [True, False])
def test_no_password_over_an_unencrypted_line(line: bytes, stls: bool) -> None:
    """S26, Q9: USER already is refused, before the password is sent, and the text says what to do."""
    request = refused(server(cleartext=False, stls=stls), line)
    assert request.code is ResponseCode.SYS_PERM
    assert ("STLS" in request.text) == stls
    assert "TLS" in request.text
    assert not request.fatal


def test_a_mechanism_that_shows_no_password_needs_no_encryption() -> None:
    it = server(cleartext=False, mechanisms=("SCRAM-SHA-256", "PLAIN"))
    assert it.mechanisms == ("SCRAM-SHA-256",)
    assert said(it, b"AUTH SCRAM-SHA-256\r\n") == Auth("SCRAM-SHA-256")


# CAPA, UTF8, LANG

COMMON = [b"RESP-CODES", b"AUTH-RESP-CODE", b"PIPELINING", b"EXPIRE NEVER", b"UTF8 USER", b"LANG"]
LAST_LINE = b"IMPLEMENTATION popbridge-1.0"
SASL = b"SASL PLAIN LOGIN XOAUTH2 OAUTHBEARER"


@pytest.mark.parametrize(
    ("it", "lines"),
    [
        (server(), [b"TOP", b"UIDL", b"USER", SASL, b"STLS", *COMMON, LAST_LINE]),
        (server(stls=False), [b"TOP", b"UIDL", b"USER", SASL, *COMMON, LAST_LINE]),
        (server(cleartext=False), [b"TOP", b"UIDL", b"STLS", *COMMON, LAST_LINE]),
        (server(secure=True, cleartext=False), [b"TOP", b"UIDL", b"USER", SASL, *COMMON, LAST_LINE]),
        (server(mechanisms=()), [b"TOP", b"UIDL", b"USER", b"STLS", *COMMON, LAST_LINE]),
        (in_state(State.TRANSACTION), [b"TOP", b"UIDL", *COMMON, LAST_LINE]),
    ],
    ids=["clear", "no certificate", "clear, no passwords", "TLS", "no SASL", "after login"],
)
def test_capa_is_exact(it: Server, lines: list[bytes]) -> None:
    """Fault 21, S24, Q3, Q4: what works is announced, before login and after, and nothing else; JavaMail asks once."""
    assert it.capabilities() == lines


def test_capa_changes_with_tls() -> None:
    it = server(cleartext=False)
    said(it, b"STLS\r\n")
    it.start_tls()
    assert it.capabilities() == server(secure=True).capabilities()


def test_capa_announces_no_implementation_with_line_ends() -> None:
    it = Server(mechanisms=(), implementation="ä", stls=False, secure=True, cleartext=False)
    assert it.capabilities()[-1] == b"IMPLEMENTATION ?"


def test_utf8_before_login_and_tolerated_after() -> None:
    """Fault 17, Q36."""
    it = server()
    assert said(it, b"UTF8\r\n") == Utf8()
    assert it.tolerated == set()
    it.log_in_succeeded()
    assert said(it, b"UTF8\r\n") == Utf8()
    assert it.tolerated == {"utf8-after-login"}


@pytest.mark.parametrize("state", [State.AUTHORIZATION, State.TRANSACTION])
def test_languages(state: State) -> None:
    """RFC 6856, section 3; Q36."""
    it = in_state(state)
    assert said(it, b"LANG\r\n") == Lang(None)
    for tag in ("en", "EN", "*", "i-default"):
        assert said(it, f"LANG {tag}\r\n".encode()) == Lang(tag)
    assert "English" in refused(it, b"LANG de\r\n").text
    assert [line.split(b" ")[0] for line in LANGUAGES] == [b"i-default", b"en"]


# Patience


def test_twenty_lines_of_nonsense_in_a_row_end_the_session() -> None:
    """S27."""
    it = server()
    for _ in range(19):
        assert not refused(it, b"GET / HTTP/1.1\r\n").fatal
    assert refused(it, b"\r\n").fatal


def test_a_real_command_renews_the_patience() -> None:
    """nmap begins with two empty lines; people mistype."""
    it = server()
    for _ in range(19):
        refused(it, b"HELP\r\n")
    assert said(it, b"CAPA\r\n") == Capa()
    assert not refused(it, b"HELP\r\n").fatal


def test_commands_out_of_turn_are_no_nonsense() -> None:
    """mpop pipelines 99 RETRs; after a failed login each gets its answer."""
    it = server()
    it.receive(b"RETR 1\r\n" * 99)
    assert all_requests(it) == [Refused("log in first")] * 99


def test_guesses_at_base64_count_as_nonsense() -> None:
    it = server()
    assert [refused(it, b"AUTH PLAIN !\r\n").fatal for _ in range(20)] == [False] * 19 + [True]


@pytest.mark.parametrize("verb", [b"STAT", b"RETR", b"NOOP", b"XYZZY"])
def test_a_line_over_255_octets_ends_the_session(verb: bytes) -> None:
    """S27, RFC 2449."""
    it = server()
    with pytest.raises(ProtocolViolation):
        said(it, verb + b" " + b"x" * 255 + b"\r\n")


@pytest.mark.parametrize("verb", [b"USER", b"PASS", b"AUTH PLAIN", b" pass"])
def test_names_passwords_and_tokens_may_be_long_before_login(verb: bytes) -> None:
    """Fault 16, S27, Q8: 8 KiB passwords, 10 KiB tokens, in whatever segments."""
    it = server()
    said(it, b"USER alice\r\n")
    text = b64encode(b"x" * 10240)
    for octet in (verb + b" ")[:6]:
        assert said(it, bytes([octet])) is None
    assert said(it, (verb + b" ")[6:] + text + b"\r\n") in (
        User(text),
        Pass(Secret(text)),
        Auth("PLAIN", Secret(text)),
    )


def test_a_long_response_passes_too() -> None:
    it = server()
    it.expect_response()
    assert said(it, b64encode(b"x" * 10240) + b"\r\n") == SaslResponse(Secret(b"x" * 10240))


@pytest.mark.parametrize("before", [b"PASS ", b"AUTH PLAIN "])
def test_64_kib_are_enough_for_anybody(before: bytes) -> None:
    it = server()
    with pytest.raises(ProtocolViolation, match="65536"):
        said(it, before + b"x" * 65536)


def test_after_login_no_line_may_be_long() -> None:
    it = in_state(State.TRANSACTION)
    with pytest.raises(ProtocolViolation, match="255"):
        said(it, b"USER " + b"x" * 300 + b"\r\n")


def test_tolerances_are_noticed() -> None:
    """Q35; the architecture's rule that tolerance has a name."""
    it = in_state(State.TRANSACTION)
    it.receive(b"RETR 007\n STAT\r\n")
    assert all_requests(it) == [Retr(MessageNumber(7)), Stat()]
    assert it.tolerated == {"leading-zeros", "stray-blanks", "lf-line-end"}


@given(
    st.lists(st.binary(max_size=80) | st.sampled_from([b"\r\n", b"USER a", b"PASS x", b"AUTH PLAIN", b"STLS", b"*"]))
)
def test_random_octets_give_requests_or_a_violation(pieces: list[bytes]) -> None:
    it = server(stls=False)
    try:
        for piece in pieces:
            it.receive(piece)
            all_requests(it)
    except ProtocolViolation:
        pass
    assert it.state in State


def test_what_was_said_behind_the_command_that_is_answered_can_be_seen_and_is_answered_all_the_same() -> None:
    """Read-ahead asks upstream for what a client has pipelined before it is due."""
    it = in_state(State.TRANSACTION)
    it.receive(b"RETR 1\r\nRETR 2\r\nDELE 1\r\ntop 3 0\nQUIT\r\n")
    assert it.next_request() == Retr(ONE)
    said_behind = [Retr(MessageNumber(2)), Dele(ONE), Top(MessageNumber(3), 0), Quit()]
    for _ in range(2):
        assert list(it.pipelined()) == said_behind
    assert it.tolerated == set(), "a look is no answer"
    assert all_requests(it) == said_behind
    assert list(it.pipelined()) == []


@given(
    st.lists(
        st.sampled_from(
            [b"RETR 1\r\n", b"top 2 3\r\n", b"TOP 2 3\n", b"DELE x\r\n", b"NOOP\r\n", b"LIST 4\r\n", b"QUIT\r\n"]
        ),
        max_size=12,
    ),
    st.sets(st.integers(0, 12)),
    st.integers(0, 12),
)
def test_a_look_changes_no_answer(lines: list[bytes], looks: set[int], at_most: int) -> None:
    looked, blind = in_state(State.TRANSACTION), in_state(State.TRANSACTION)
    for place, line in enumerate(lines):
        for it in (looked, blind):
            it.receive(line)
        if place in looks:
            list(islice(looked.pipelined(), at_most))
            assert looked.next_request() == blind.next_request()
    assert all_requests(looked) == all_requests(blind)
    assert looked.tolerated == blind.tolerated


def test_half_a_line_is_not_said_yet_and_what_is_no_command_ends_the_look() -> None:
    it = in_state(State.TRANSACTION)
    it.receive(b"RETR 1\r\nRETR 2")
    assert list(it.pipelined()) == [Retr(ONE)]
    it.receive(b"2\r\nRETR x\r\nRETR 3\r\n")
    assert list(it.pipelined()) == [Retr(ONE), Retr(MessageNumber(22))]
    first, second, bad, last = all_requests(it)
    assert (first, second, last) == (Retr(ONE), Retr(MessageNumber(22)), Retr(MessageNumber(3)))
    assert isinstance(bad, Refused)
