"""A refusal whose words are known, as the trouble that it is."""

from bridge.imap.wordings import Wording
from bridge.maildrop.errors import Trouble, UpstreamUnavailable, UpstreamUnsuitable


def trouble(wording: Wording, text: str) -> Trouble:
    """`text`: the server's own, shown behind ours and only after the login."""
    if wording.temporary:
        return UpstreamUnavailable(wording.says, detail=text)
    return UpstreamUnsuitable(wording.says, detail=text)
