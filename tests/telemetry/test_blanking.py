"""A trace shows what was said, and never a password, whatever the client does with it."""

import base64

from hypothesis import example, given
from hypothesis import strategies as st

from bridge.telemetry.blanking import trace_client_line

PASSWORDS = st.binary(min_size=4, max_size=40).map(lambda octets: b"Pw%" + octets)
CASES = st.sampled_from([bytes.upper, bytes.lower, bytes.title, bytes.swapcase])


def test_ordinary_commands_are_shown_as_they_came() -> None:
    for line in (b"RETR 3", b"top 1 0", b"UIDL", b"USER ann@example.org", b"capa"):
        assert trace_client_line(line, sasl=False) == line.decode()


def test_foreign_octets_are_shown_as_question_marks_and_long_lines_are_cut() -> None:
    assert trace_client_line(b"USER \xffn\x1b", sasl=False) == "USER ?n?"
    assert len(trace_client_line(b"LIST " + b"1" * 5000, sasl=False)) <= 200


def test_of_a_command_with_a_secret_only_the_verb_is_shown() -> None:
    assert trace_client_line(b"pass x", sasl=False) == "PASS (blanked)"
    assert trace_client_line(b"AUTH", sasl=False) == "AUTH"
    assert trace_client_line(b"AUTH PLAIN AGFubgBwdw==", sasl=False) == "AUTH (blanked)"


def test_a_sasl_exchange_shows_no_more_than_that_it_was_cancelled() -> None:
    assert trace_client_line(b"AGFubgBwdw==", sasl=True) == "(SASL response)"
    assert trace_client_line(b"*", sasl=True) == "*"


@given(
    PASSWORDS,
    CASES,
    st.sampled_from([b"", b" ", b"\t", b"\0"]),
    st.sampled_from([b" ", b"  ", b"\t", b"", b"\r", b"\n"]),
)
@example(b"Pw% with blanks", bytes.lower, b"", b" ")
def test_no_password_is_shown_whatever_the_form(password: bytes, case: object, before: bytes, between: bytes) -> None:
    assert callable(case)
    encoded = base64.b64encode(password)
    plain = base64.b64encode(b"\0ann\0" + password)
    said = [
        before + case(b"pass") + between + password,
        before + case(b"apop") + b" ann" + between + password,
        before + case(b"auth") + b" plain" + between + plain,
        before + case(b"auth") + between + case(b"login") + b" " + encoded,
        before + case(b"xpass") + between + password,
        password,
        encoded,
        plain,
    ]
    for line in said:
        traced = trace_client_line(line, sasl=False)
        for secret in (password, encoded, plain):
            assert secret.decode("latin-1") not in traced
            assert "Pw%" not in traced
    for line in (password, encoded, plain):
        assert trace_client_line(line, sasl=True) == "(SASL response)"
