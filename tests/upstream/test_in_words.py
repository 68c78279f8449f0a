"""A refusal whose words are known is told in ours, and upstream's stay behind them."""

from bridge.imap.wordings import known
from bridge.maildrop.errors import UpstreamUnavailable, UpstreamUnsuitable
from bridge.upstream.in_words import trouble


def test_what_may_pass_and_what_needs_a_person() -> None:
    for text, kind in (("Server Unavailable. 15", UpstreamUnavailable), ("Unsafe Login", UpstreamUnsuitable)):
        wording = known(text)
        assert wording is not None
        told = trouble(wording, text)
        assert (type(told), str(told), told.detail) == (kind, wording.says, text)
