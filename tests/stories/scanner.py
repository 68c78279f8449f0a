"""A scanner's login of the bridge's own, and behind it one mailbox whose password the scanner does not have."""

from bridge.credentials.passwords import hashed
from bridge.secret import Secret
from tests.config.entries import account_text
from tests.peers.servers.imap_server import Mailbox


def scanner(mailbox: Mailbox, password: bytes, *, secret: str) -> str:
    """The configuration; `secret` is where the bridge has the mailbox's own password from."""
    account = account_text(
        user="scanner",
        password=str(hashed(Secret(password))),
        upstream=f"imap://127.0.0.1:{mailbox.port}",
        login=mailbox.user,
        secret=secret,
    )
    return f'[[listener]]\npop3 = "127.0.0.1:{{port}}"\n{account}[timeouts]\nrefused_login_delay = "0.1s"\n'
