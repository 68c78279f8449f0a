"""The first entry that fits a login says which account it is, whatever octets the login is made of."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.accounts.account import Account
from bridge.accounts.directory import Directory, LoginNotAllowed
from bridge.config import PassThrough, Upstream
from bridge.maildrop.view import PLAIN, View

DAY = 86400.0
UPSTREAM = Upstream("imap", "tls", "imap.example.org", 993)
OTHER = Upstream("imap", "tls", "imap.other.example", 993, "My Mail")


def entry(users: str = "*", login: str = "{user}", upstream: Upstream = UPSTREAM) -> PassThrough:
    return PassThrough(users=users, login=login, upstream=upstream)


def found(login: bytes, *entries: PassThrough) -> Account:
    account = Directory(entries).find(login)
    assert isinstance(account, Account)
    return account


def test_the_first_entry_that_fits_is_taken() -> None:
    entries = entry("ann@*", upstream=OTHER), entry("*@example.org"), entry("*", upstream=OTHER)

    assert found(b"bob@example.org", *entries).settings is entries[1]
    assert found(b"ann@example.org", *entries).settings is entries[0]
    assert found(b"carl", *entries).settings is entries[2]


def test_a_login_that_fits_nothing_is_nobody_s() -> None:
    assert Directory((entry("*@example.org"),)).find(b"ann@example.com") is None
    assert Directory(()).find(b"ann") is None


@pytest.mark.parametrize(
    ("pattern", "login", "fits"),
    [
        ("*@example.org", b"ann@EXAMPLE.org", True),
        ("*@Example.ORG", b"ann@example.org", True),
        ("Ann@*", b"ann@example.org", False),
        ("a[nb]?@*", b"anx@e", True),
        ("*", b"\xff\xfe", True),
        ("*@b\u00fccher.example", "ann@B\u00dcCHER.example".encode(), True),
        ("\u00fc*", "\u00fcmit".encode(), True),
        ("?@e", b"\xe4@e", True),
        ("*@example.org", b"ann@example.org@example.com", False),
        ("*.org", b"ann@example.org", True),
    ],
)
def test_a_pattern_keeps_case_but_in_the_domain(pattern: str, login: bytes, fits: bool) -> None:
    assert (Directory((entry(pattern),)).find(login) is not None) == fits


@pytest.mark.parametrize(
    ("template", "login", "sent"),
    [
        ("{user}", b"ann@example.org", b"ann@example.org"),
        ("{local}", b"ann@example.org", b"ann"),
        ("{local}", b"ann", b"ann"),
        ("{local}", b"a@b@c", b"a@b"),
        ("{local}+{local}@m\u00fcller.example", b"\xff@x", b"\xff+\xff@m\xc3\xbcller.example"),
        ("DOMAIN\\{user}", b"ann", b"DOMAIN\\ann"),
        ("{user}", b"{local}", b"{local}"),
        ("{user}!", b"{user}", b"{user}!"),
        ("shared", b"ann", b"shared"),
    ],
)
def test_the_template_makes_the_login_that_is_sent(template: str, login: bytes, sent: bytes) -> None:
    assert found(login, entry(login=template)).login == sent


def test_state_is_kept_by_upstream_and_login_as_sent() -> None:
    same = {found(b"ann@a", entry(login="{local}")).name, found(b"ann@b", entry(login="{local}")).name}
    assert same == {"imaps://imap.example.org:993/INBOX ann"}
    assert found(b"ann", entry()).name != found(b"ann", entry(upstream=OTHER)).name
    assert found(b"ann", entry()).name != found(b"Ann", entry()).name


@given(st.binary(min_size=1, max_size=30), st.binary(min_size=1, max_size=30))
def test_different_logins_are_different_accounts_with_printable_names(one: bytes, other: bytes) -> None:
    directory = Directory((attrs.evolve(entry(), master_users=True),))
    names = []
    for login in (one, other):
        try:
            account = directory.find(login)
        except LoginNotAllowed:
            return
        assert isinstance(account, Account)
        assert account.login == login
        assert account.name.isascii()
        assert account.name.isprintable()
        names.append(account.name)
    assert (names[0] == names[1]) == (one == other)


@pytest.mark.parametrize("login", [b"", b"a\rb", b"a\nb", b"a\0b", b"\x7f", b"x" * 1025])
def test_no_empty_long_or_controlling_login_goes_upstream(login: bytes) -> None:
    with pytest.raises(LoginNotAllowed):
        Directory((attrs.evolve(entry(), master_users=True),)).find(login)


def test_a_login_of_one_kibibyte_is_let_through() -> None:
    assert found(b"x" * 1024, entry()).login == b"x" * 1024


def test_a_master_user_s_star_needs_the_owner_s_word() -> None:
    with pytest.raises(LoginNotAllowed, match="master_users"):
        Directory((entry(),)).find(b"ann*admin")

    assert found(b"ann*admin", attrs.evolve(entry(), master_users=True)).login == b"ann*admin"


VIEWS = attrs.evolve(entry("*@example.org"), login_views=True)


def test_a_login_with_a_view_is_the_login_without_it() -> None:
    account = found(b"recent:ann@EXAMPLE.org#as=phone,newest=5", VIEWS)

    assert account.login == b"ann@EXAMPLE.org"
    assert account.name == found(b"ann@EXAMPLE.org", VIEWS).name
    assert account.view == View(since=2592000.0, newest=5, device="phone")
    assert account.viewer == "as=phone,newest=5,since=2592000"
    assert found(b"ann@e#as=x", attrs.evolve(VIEWS, users="*", login="{local}")).login == b"ann"


def test_where_the_owner_does_not_allow_views_a_login_is_nothing_but_a_login() -> None:
    account = found(b"recent:ann#as=phone", entry())

    assert (account.login, account.view, account.viewer) == (b"recent:ann#as=phone", PLAIN, "")


def test_the_owner_s_view_is_everybody_s_and_changes_nobody_s_name() -> None:
    owners = attrs.evolve(VIEWS, since=DAY, newest=9, search="FLAGGED")

    assert found(b"ann@example.org", owners).view == View(since=DAY, newest=9, search="FLAGGED")
    assert found(b"ann@example.org", owners).viewer == ""
    narrowed = found(b"ann@example.org#newest=5,since=2d", owners)
    assert narrowed.view == View(since=DAY, newest=5, search="FLAGGED")
    assert narrowed.viewer == "newest=5,since=172800"


def test_another_mailbox_is_another_account() -> None:
    inbox, archive = found(b"ann@example.org", VIEWS), found(b"ann@example.org#mailbox=My Mail", VIEWS)

    assert archive.settings.upstream.mailbox == "My Mail"
    assert archive.name == archive.place == "imaps://imap.example.org:993/My%20Mail ann@example.org"
    assert archive.viewer == ""
    assert found(b"ann@example.org#mailbox=INBOX", VIEWS) == attrs.evolve(inbox, view=PLAIN)

    named = attrs.evolve(VIEWS, name="work")
    assert found(b"ann@example.org", named).name == "work ann@example.org"
    assert found(b"ann@example.org#mailbox=a b/c", named).name == "work/a%20b/c ann@example.org"


def test_the_mailbox_of_the_entry_is_nothing_else_than_that_of_a_login() -> None:
    entry_of_archive = attrs.evolve(VIEWS, upstream=OTHER)

    assert found(b"ann@example.org#mailbox=My Mail", entry_of_archive).settings == entry_of_archive
    inbox = found(b"ann@example.org#mailbox=inbox", entry_of_archive)
    assert inbox.name == "imaps://imap.other.example:993/INBOX ann@example.org"


def test_a_view_that_cannot_be_meant_is_refused_where_its_login_belongs() -> None:
    plain = entry("*")
    for login in (b"ann@example.org#newest=x", b"ann@example.org#colour=red"):
        with pytest.raises(LoginNotAllowed):
            Directory((VIEWS, plain)).find(login)
    assert found(b"ann@example.com#newest=x", VIEWS, plain).login == b"ann@example.com#newest=x"


def test_a_view_is_no_login_and_hides_no_star() -> None:
    anybody = attrs.evolve(VIEWS, users="*")
    for login in (b"#as=x", b"recent:", b"ann*admin#as=x", b"ann#mailbox=%0aX"):
        with pytest.raises(LoginNotAllowed):
            Directory((anybody,)).find(login)
    assert found(b"ann#mailbox=a*b", anybody).settings.upstream.mailbox == "a*b"


def test_under_a_name_the_memory_is_the_login_s_as_typed_and_without_one_the_mailbox_s() -> None:
    """On the new server the login may have another form (S1); two logins that mean one mailbox share what is known."""
    here = PassThrough(upstream=Upstream("imap", "tls", "imap.example.org", 993), login="{local}")
    named = attrs.evolve(here, name="home")

    def keys(entry: PassThrough, *logins: bytes) -> set[str]:
        found = [Directory((entry,)).find(login) for login in logins]
        return {str(account.name) for account in found if isinstance(account, Account)}

    assert len(keys(here, b"ann@a.example", b"ann@b.example")) == 1
    assert keys(named, b"ann@a.example", b"ann@A.example") == {"home ann@a.example"}
    moved = attrs.evolve(named, login="{user}")
    assert keys(moved, b"ann@a.example") == keys(named, b"ann@a.example")
