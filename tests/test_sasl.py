"""Who one is, as clients say it and as it is said upstream: nothing dangerous passes, nothing honest is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.sasl import (
    SERVER_MECHANISMS,
    Challenge,
    Credentials,
    SaslError,
    check_credential,
    client_steps,
    failure_answer,
    failure_challenge,
    initial_response,
    start,
)
from bridge.secret import Secret

sound = st.binary(min_size=1, max_size=40).filter(lambda octets: not set(octets) & {0, 10, 13})
names = sound.filter(lambda octets: 1 not in octets)
tokens = st.from_regex(rb"[\x21-\x7e]{1,60}", fullmatch=True)
LONG_TOKEN = b"ya29." + b"x" * 10240


def password(login: bytes, secret: bytes, mechanism: str) -> Credentials:
    return Credentials(login, Secret(secret), mechanism, bearer=False)


def token(login: bytes, secret: bytes, mechanism: str) -> Credentials:
    return Credentials(login, Secret(secret), mechanism, bearer=True)


def converse(mechanism: str, answers: list[bytes], *, initial: bool) -> tuple[list[bytes], Credentials]:
    """The challenges, and what came of it."""
    exchange = start(mechanism)
    waiting = list(answers)
    step = exchange.step(waiting.pop(0) if initial else None)
    challenges = []
    while isinstance(step, Challenge):
        challenges.append(step.octets)
        step = exchange.step(waiting.pop(0))
    assert not waiting
    return challenges, step


def refusal(mechanism: str, *answers: bytes) -> str:
    with pytest.raises(SaslError) as caught:
        converse(mechanism, list(answers), initial=True)
    return str(caught.value)


@given(names, sound, st.booleans())
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_what_a_client_says_is_what_a_server_hears(mechanism: str, login: bytes, secret: bytes, initial: bool) -> None:
    said = password(login, secret, mechanism)
    _, heard = converse(mechanism, [step.reveal() for step in client_steps(mechanism, said)], initial=initial)
    assert heard == said


@given(names, tokens, st.booleans())
@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_what_a_client_says_with_a_token(mechanism: str, login: bytes, secret: bytes, initial: bool) -> None:
    said = token(login, secret, mechanism)
    steps = client_steps(mechanism, said, host="imap.example.org", port=993)
    assert converse(mechanism, [step.reveal() for step in steps], initial=initial)[1] == said


@pytest.mark.parametrize("mechanism", [*SERVER_MECHANISMS, "SCRAM-SHA-256", ""])
@given(answers=st.lists(st.binary(max_size=60) | st.sampled_from([b"a\0b\0c", b"n,a=x,\x01auth=Bearer x\x01\x01"])))
def test_any_octets_are_heard_or_refused(mechanism: str, answers: list[bytes]) -> None:
    try:
        exchange = start(mechanism)
        for answer in answers:
            step = exchange.step(answer)
            if isinstance(step, Credentials):
                check_credential(step.login, step.secret.reveal())
    except SaslError as refused:
        assert str(refused)


def test_mechanisms_in_any_case_and_none_but_those() -> None:
    for mechanism in SERVER_MECHANISMS:
        assert isinstance(start(mechanism.lower()).step(None), Challenge)
    with pytest.raises(SaslError):
        start("CRAM-MD5")


@pytest.mark.parametrize("forbidden", [b"\r", b"\n", b"\0", b"\r\nA1 DELETE INBOX"])
def test_line_ends_and_nul_go_nowhere(forbidden: bytes) -> None:
    """S27: upstream they would be a second command (Twisted's IMAP client sends them as they are)."""
    for login, secret in ((b"al" + forbidden + b"ice", b"x"), (b"alice", b"x" + forbidden)):
        with pytest.raises(SaslError):
            check_credential(login, secret)
        for mechanism in SERVER_MECHANISMS:
            with pytest.raises(SaslError):
                client_steps(mechanism, password(login, secret, mechanism))
        refusal("PLAIN", b"\0" + login + b"\0" + secret)
        refusal("LOGIN", login, secret)
        refusal("XOAUTH2", b"user=" + login + b"\x01auth=Bearer " + secret + b"\x01\x01")
        refusal("OAUTHBEARER", b"n,a=" + login + b",\x01auth=Bearer " + secret + b"\x01\x01")


@pytest.mark.parametrize(("login", "secret"), [(b"", b"x"), (b"alice", b"")])
def test_an_empty_name_or_password_is_none(login: bytes, secret: bytes) -> None:
    with pytest.raises(SaslError, match="empty"):
        check_credential(login, secret)


def test_refusals_repeat_nothing_secret() -> None:
    """S30."""
    for text in (refusal("PLAIN", b"\0alice\0hunter2\0"), refusal("XOAUTH2", b"user=a\x01auth=hunter2\x01\x01")):
        assert "hunter2" not in text


# PLAIN


def test_plain_in_two_turns_begins_with_an_empty_challenge() -> None:
    """Q7, Q8: c-client and curl."""
    challenges, heard = converse("PLAIN", [b"\0alice\0two words \xc3\xbc"], initial=False)
    assert challenges == [b""]
    assert heard == password(b"alice", b"two words \xc3\xbc", "PLAIN")


def test_plain_for_oneself_by_name() -> None:
    assert converse("PLAIN", [b"alice\0alice\0x"], initial=True)[1] == password(b"alice", b"x", "PLAIN")


def test_plain_for_somebody_else_is_refused() -> None:
    """S22."""
    assert "somebody else" in refusal("PLAIN", b"bob\0alice\0x")


@pytest.mark.parametrize("response", [b"", b"alice", b"alice\0x", b"\0alice\0x\0", b"\0\0x", b"\0alice\0"])
def test_a_plain_response_of_another_shape_is_refused(response: bytes) -> None:
    refusal("PLAIN", response)


# LOGIN


def test_login_asks_for_both() -> None:
    challenges, heard = converse("LOGIN", [b"alice", b"x"], initial=False)
    assert challenges == [b"Username:", b"Password:"]
    assert heard == password(b"alice", b"x", "LOGIN")


def test_login_with_the_name_in_front() -> None:
    assert converse("LOGIN", [b"alice", b"x"], initial=True)[0] == [b"Password:"]


# XOAUTH2 and OAUTHBEARER


def test_xoauth2() -> None:
    """Fault 16: tokens of ten kilobytes."""
    response = b"user=alice@example.org\x01auth=Bearer " + LONG_TOKEN + b"\x01\x01"
    assert converse("XOAUTH2", [response], initial=True) == ([], token(b"alice@example.org", LONG_TOKEN, "XOAUTH2"))
    assert converse("XOAUTH2", [response], initial=False)[0] == [b""]


def test_the_scheme_in_any_case() -> None:
    response = b"user=a\x01auth=bearer x\x01\x01"
    assert converse("XOAUTH2", [response], initial=True)[1] == token(b"a", b"x", "XOAUTH2")


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"\x01\x01",
        b"user=a\x01auth=Bearer token",
        b"user=a\x01auth=Bearer token\x01",
        b"user=a\x01auth=Basic x\x01\x01",
        b"user=a\x01auth=Bearer \x01\x01",
        b"user=a\x01auth=Bearer x y\x01\x01",
        b"user=a\x01auth=Bearer \xff\x01\x01",
        b"user=a\x01user=b\x01auth=Bearer token\x01\x01",
        b"user\x01auth=Bearer token\x01\x01",
        b"user=\x01auth=Bearer token\x01\x01",
        b"auth=Bearer token\x01\x01",
        b"user=a\x01\x01",
    ],
)
def test_an_xoauth2_response_of_another_shape_is_refused(response: bytes) -> None:
    refusal("XOAUTH2", response)


@pytest.mark.parametrize(
    ("header", "login"),
    [
        (b"n,a=alice@example.org,", b"alice@example.org"),
        (b"y,a=alice,", b"alice"),
        (b"n,a=a=2Cb=3Dc,", b"a,b=c"),
        (b"n,a==3D=2C,", b"=,"),
    ],
)
def test_oauthbearer(header: bytes, login: bytes) -> None:
    """RFC 7628, RFC 5801."""
    response = header + b"\x01host=pop.example.org\x01port=110\x01auth=Bearer " + LONG_TOKEN + b"\x01\x01"
    assert converse("OAUTHBEARER", [response], initial=True) == ([], token(login, LONG_TOKEN, "OAUTHBEARER"))
    assert converse("OAUTHBEARER", [response], initial=False)[0] == [b""]


@pytest.mark.parametrize("header", [b"n,,", b"y,,", b"n,a=,"])
def test_oauthbearer_without_a_name_says_what_is_missing(header: bytes) -> None:
    assert "(a=)" in refusal("OAUTHBEARER", header + b"\x01auth=Bearer x\x01\x01")


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"\x01",
        b"n,a=alice,",
        b"n,a=alice,\x01",
        b"n,a=alice,\x01\x01",
        b"n,a=alice,\x01auth=Bearer token\x01",
        b"n,a=alice,\x01auth=Bearer token",
        b"p=tls-unique,a=alice,\x01auth=Bearer x\x01\x01",
        b"x,a=alice,\x01auth=Bearer x\x01\x01",
        b"n,b=alice,\x01auth=Bearer x\x01\x01",
        b"n,a=alice\x01auth=Bearer x\x01\x01",
        b"n,a=alice,x\x01auth=Bearer x\x01\x01",
        b"n,a=al=ice,\x01auth=Bearer x\x01\x01",
        b"n,a=alice=,\x01auth=Bearer x\x01\x01",
        b"n,a=alice=2c,\x01auth=Bearer x\x01\x01",
        b"n,a=alice,\x01host\x01auth=Bearer x\x01\x01",
    ],
)
def test_an_oauthbearer_response_of_another_shape_is_refused(response: bytes) -> None:
    refusal("OAUTHBEARER", response)


def test_a_refused_token_is_followed_by_a_challenge_and_an_empty_answer() -> None:
    """RFC 7628, section 3.2, and XOAUTH2 alike: the client answers ^A or nothing, and then comes -ERR."""
    for mechanism in ("XOAUTH2", "OAUTHBEARER"):
        challenge = failure_challenge(mechanism)
        assert challenge is not None
        assert json.loads(challenge)["status"]
    assert failure_challenge("PLAIN") is None
    assert failure_challenge("LOGIN") is None
    assert failure_answer("OAUTHBEARER") == b"\x01"
    assert failure_answer("XOAUTH2") == b""


# The client's half


def test_what_is_said_upstream() -> None:
    assert initial_response("PLAIN", password(b"alice", b"x", "LOGIN")).reveal() == b"\0alice\0x"
    bearer = token(b"a,b=c", b"tok", "XOAUTH2")
    assert initial_response("XOAUTH2", bearer).reveal() == b"user=a,b=c\x01auth=Bearer tok\x01\x01"
    assert initial_response("OAUTHBEARER", bearer).reveal() == b"n,a=a=2Cb=3Dc,\x01auth=Bearer tok\x01\x01"
    assert (
        initial_response("OAUTHBEARER", bearer, host="imap.example.org", port=993).reveal()
        == b"n,a=a=2Cb=3Dc,\x01host=imap.example.org\x01port=993\x01auth=Bearer tok\x01\x01"
    )
    with pytest.raises(SaslError):
        initial_response("LOGIN", bearer)


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize(("login", "secret"), [(b"a\x01b", b"x"), (b"a", b"x\x01auth=Bearer y")])
def test_no_field_is_smuggled_into_what_is_said_upstream(mechanism: str, login: bytes, secret: bytes) -> None:
    with pytest.raises(SaslError, match="control character"):
        initial_response(mechanism, token(login, secret, mechanism))


def test_secrets_do_not_show() -> None:
    """S30."""
    said = password(b"alice", b"hunter2", "PLAIN")
    assert "hunter2" not in repr(said)
    assert "hunter2" not in repr(client_steps("LOGIN", said))
    assert "hunter2" not in repr(initial_response("PLAIN", said))
