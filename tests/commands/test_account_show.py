"""What the owner sees of an account: its mailboxes, and what each of its passwords may do to them."""

from pathlib import Path

from bridge.commands.account_show import list_accounts, show_account
from bridge.config import load
from tests.config.entries import HASH, LISTENER, account_text

DEVICE = f"""
seen = "retrieved"
  [[account.device]]
  name = "scanner"
  password = "{HASH}"
  delete = "archive"
  after = "7d"
  newest = 100
  search = "UNSEEN"
"""
CONFIG = LISTENER + account_text(DEVICE, upstream="imaps://imap.example.org/Scans", login="ann@example.org")


def test_each_password_is_shown_with_its_policy_and_view(tmp_path: Path) -> None:
    (tmp_path / "popbridge.toml").write_text(CONFIG)
    config, said = load(tmp_path / "popbridge.toml"), list[str]()

    show_account(config.accounts[0], said.append)
    list_accounts(config, said.append)

    assert said == [
        "ann",
        "  work: imaps://imap.example.org:993/Scans as ann@example.org, secret in env:WORK",
        "  its own password, without SCRAM keys",
        '    work: delete = "flag"; seen = "retrieved"',
        "  device scanner, without SCRAM keys",
        '    work: delete = "archive"; after = 604800 s; seen = "retrieved"; newest = 100; search = UNSEEN',
        "ann: its own password, scanner; 1 mailbox",
        "ways to log in that work for all: USER and PASS, PLAIN, LOGIN",
    ]
