"""Before the login: what is offered, who gets in, and what the others hear."""

from base64 import b64encode

import pytest

from bridge.events import LoginRefused, LoginSucceeded
from bridge.maildrop.errors import (
    CredentialsRefused,
    ListingIncomplete,
    UpstreamUnavailable,
    UpstreamUnsuitable,
    UpstreamUntrusted,
)
from tests.downstream.stage import HELLO, LOGIN, Client, Stage

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


def test_an_account_s_refusal_keeps_no_connection() -> None:
    stage = Stage(HELLO)
    stage.upstream.faults["list"] = CredentialsRefused("no")
    client = stage.connect()
    refused_after(client, stage, LOGIN)

    assert stage.upstream.sources[0].ended == ["abandoned"]
