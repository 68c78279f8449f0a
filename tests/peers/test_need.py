"""Nothing is missing silently."""

import pytest

from tests.peers.need import need


def test_a_missing_peer_skips_the_test_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="Dovecot is missing: apt-get install dovecot-imapd"):
        need("Dovecot", "apt-get install dovecot-imapd")


def test_on_ci_a_missing_peer_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="Dovecot is missing"):
        need("Dovecot", "apt-get install dovecot-imapd")


def test_what_is_no_part_of_the_project_is_skipped_on_ci_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.skip.Exception, match="the mail corpus"):
        need("the mail corpus", "unpack it", optional=True)
