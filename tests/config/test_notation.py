"""What people write is understood, and what cannot be meant comes with a remedy."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.notation import (
    A_CENTURY,
    A_YEAR,
    check_login_template,
    check_name,
    is_loopback,
    parse_duration,
    parse_endpoint,
    parse_pin,
    parse_rest,
    parse_state,
    parse_upstream,
)
from bridge.config.problems import WrongValue
from bridge.config.values import Endpoint, Upstream

PIN = "9f" * 32


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:1110", Endpoint("127.0.0.1", 1110)),
        ("[::]:995", Endpoint("::", 995)),
        (":110", Endpoint("", 110)),
        (" 0.0.0.0:0 ", Endpoint("0.0.0.0", 0)),
        ("[2001:DB8::1]:110", Endpoint("2001:db8::1", 110)),
    ],
)
def test_addresses(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text) == endpoint


@pytest.mark.parametrize(
    ("text", "upstream"),
    [
        ("imaps://imap.example.org", Upstream("imap", "tls", "imap.example.org", 993)),
        ("imaps://imap.example.org/", Upstream("imap", "tls", "imap.example.org", 993)),
        ("imap+starttls://IMAP.example.org:1143/inbox", Upstream("imap", "starttls", "imap.example.org", 1143)),
        ("imap://[::1]:10143/Archive/2024", Upstream("imap", "none", "::1", 10143, "Archive/2024")),
        ("imaps://h/R%26D%20%3F%C3%BC", Upstream("imap", "tls", "h", 993, "R&D ?ü")),
        ("imaps://h/a@b", Upstream("imap", "tls", "h", 993, "a@b")),
        ("imaps://bücher.example", Upstream("imap", "tls", "xn--bcher-kva.example", 993)),
    ],
)
def test_upstream_urls(text: str, upstream: Upstream) -> None:
    assert parse_upstream(text) == upstream


def test_only_what_no_name_server_decides_is_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.9.10", "::1", "localhost", "imap.localhost")))
    assert not any(map(is_loopback, ("10.0.0.1", "localhost.example.org", "::", "0.0.0.0", "notlocalhost")))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("30s", 30), ("10m", 600), ("2 h", 7200), ("7d", 604800), (2, 2), (0.5, 0.5), ("1.5s", 1.5), ("2w", 1209600)],
)
def test_durations(value: object, seconds: float) -> None:
    assert parse_duration(value) == seconds


@pytest.mark.parametrize(
    "value", ["", "10 minutes", "-1s", "m", True, None, [], 0, -1, float("nan"), float("inf"), "999d"]
)
def test_what_is_no_duration(value: object) -> None:
    with pytest.raises(WrongValue):
        parse_duration(value)


def test_a_year_is_the_limit_where_nothing_else_is_said() -> None:
    assert parse_duration("1y") == 365 * 86400
    assert parse_duration("30y", longest=A_CENTURY) == 30 * 365 * 86400
    for value, longest in (("2y", A_YEAR), ("101y", A_CENTURY)):
        with pytest.raises(WrongValue):
            parse_duration(value, longest=longest)


def test_names_are_words() -> None:
    for text in ("work", "a.b-c_D9", "x" * 64):
        assert check_name(text) == text
    for text in ("", "x" * 65, "a b", "imaps://h", "ä", "a\n"):
        with pytest.raises(WrongValue):
            check_name(text)


def test_a_fingerprint_is_taken_as_tools_print_it() -> None:
    colons = ":".join(["9F"] * 32)
    for text in (PIN, colons, f"sha256:{PIN}", f"SHA256={colons}", f" {PIN}\n"):
        assert parse_pin(text) == PIN
    for text in ("", PIN[2:], "zz" * 32, "sha1:" + PIN):
        with pytest.raises(WrongValue):
            parse_pin(text)


def test_login_templates() -> None:
    for text in ("{user}", "{local}", "{local}@other.example", "DOMAIN\\{user}", "shared"):
        assert check_login_template(text) == text
    for text in ("", "{domain}", "{", "{user", "a\nb", "{{user}}"):
        with pytest.raises(WrongValue):
            check_login_template(text)


def _state(text: str) -> None:
    parse_state(text, Path("/"))
    parse_state(f"sqlite:{text}", Path("/"))


@given(st.text())
def test_no_text_makes_anything_but_a_value_or_a_remedy(text: str) -> None:
    for parse in (parse_endpoint, parse_upstream, parse_duration, parse_pin, _state):
        for candidate in (text, f"imaps://{text}", f"imaps://h/{text}", f"{text}:1"):
            try:
                parse(candidate)
            except WrongValue as error:
                assert error.text
                assert error.remedy or error.write


@given(st.text(st.characters(categories=["L", "N"]), min_size=4))
def test_a_password_in_a_url_is_never_repeated(password: str) -> None:
    for url in (
        f"imaps://ann:~{password}@imap.example.org",
        f"ann:~{password}@imap.example.org",
        f"pop3://a:~{password}@h",
    ):
        with pytest.raises(WrongValue) as caught:
            parse_upstream(url)
        assert f"~{password}" not in f"{caught.value.text} {caught.value.remedy} {caught.value.write}"


def test_how_long_a_connection_rests_is_at_most_ten_minutes_or_off() -> None:
    """Longer no password is believed without asking upstream (S22)."""
    assert (parse_rest("off"), parse_rest("5m"), parse_rest("10m")) == (0.0, 300.0, 600.0)
    for value in ("11m", 0, "never", True):
        with pytest.raises(WrongValue):
            parse_rest(value)
