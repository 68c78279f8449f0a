"""The defaults are the contract's, and values show themselves as a person would write them."""

from pathlib import Path

from bridge.config.notation import parse_endpoint, parse_upstream
from bridge.config.values import Config, Document, Endpoint, Limits, Timeouts, Upstream


def test_the_defaults_are_those_of_the_contract() -> None:
    times = Timeouts()

    assert (times.connect, times.greeting, times.client_handshake, times.upstream_silence) == (10, 10, 15, 30)
    assert (times.login_wait, times.quit_wait, times.deletion_wait, times.close_abort) == (50, 2.5, 50, 10)
    assert (times.idle, times.login_idle, times.client_stall, times.refused_login_delay) == (600, 60, 600, 2)
    limits = Limits()
    assert (limits.refused_logins, limits.unknown_commands, limits.line, limits.login_line) == (3, 20, 255, 65536)


def test_a_file_without_a_word_about_state_keeps_it_and_a_value_made_by_hand_does_not() -> None:
    assert Document().state == Path("popbridge.sqlite")
    assert Config(base=Path("/"), listeners=(), passthrough=()).state is None


def test_what_is_shown_can_be_written_again() -> None:
    for endpoint in (Endpoint("127.0.0.1", 110), Endpoint("::1", 995), Endpoint("", 110)):
        assert parse_endpoint(str(endpoint)) == endpoint
    for upstream in (
        Upstream("imap", "tls", "imap.example.org", 993),
        Upstream("imap", "starttls", "::1", 143, "Archive/2024"),
        Upstream("imap", "none", "127.0.0.1", 10143, "Größe 100%? #1"),
        Upstream("pop3", "tls", "pop.example.org", 995),
        Upstream("pop3", "starttls", "::1", 110),
    ):
        assert parse_upstream(str(upstream)) == upstream
