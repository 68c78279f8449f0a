"""A login may say what it wants to see; whatever else is in it stays the login, or is refused with a reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.accounts.login_view import parse_login, without_view
from bridge.maildrop.view import PLAIN, View

DAY = 86400.0


@pytest.mark.parametrize(
    ("login", "name", "view"),
    [
        (b"ann", b"ann", PLAIN),
        (b"recent:ann@example.org", b"ann@example.org", View(since=30 * DAY)),
        (b"Recent:ann#as=pc", b"ann", View(since=30 * DAY, device="pc")),
        (b"recent:ann#since=1w", b"ann", View(since=7 * DAY)),
        (b"ann@e#newest=500", b"ann@e", View(newest=500)),
        (b"ann#since=1y,search=unseen Flagged", b"ann", View(since=365 * DAY, search="UNSEEN FLAGGED")),
        (b"ann#since=12h", b"ann", View(since=DAY / 2)),
        (b"ann#search=KEYWORD $Work UNKEYWORD x", b"ann", View(search="KEYWORD $Work UNKEYWORD x")),
        (b"ann#mailbox=inbox", b"ann", View(mailbox="INBOX")),
        (b"ann#mailbox=Archive/2024", b"ann", View(mailbox="Archive/2024")),
        (b"ann#mailbox=a%2Cb%23%3D%25,newest=1", b"ann", View(mailbox="a,b#=%", newest=1)),
        ("ann#mailbox=Entwürfe".encode(), b"ann", View(mailbox="Entwürfe")),
        (b"ann#mailbox=%C3%9C", b"ann", View(mailbox="Ü")),
        (b"ann#1", b"ann#1", PLAIN),
        (b"ann#home@example.org", b"ann#home@example.org", PLAIN),
        (b"a#b#as=x", b"a#b", View(device="x")),
        (b"recentann", b"recentann", PLAIN),
        (b"\xff#as=x", b"\xff", View(device="x")),
        (b"#as=x", b"", View(device="x")),
    ],
)
def test_logins_and_what_they_ask_for(login: bytes, name: bytes, view: View) -> None:
    assert parse_login(login) == (name, view)
    assert without_view(login) == name


@pytest.mark.parametrize(
    ("suffix", "says"),
    [
        (b"colour=red", "mailbox, since, newest"),
        (b"as=x,", "mailbox, since, newest"),
        (b"as=x,as=y", "twice"),
        (b"since=30", "30d"),
        (b"since=0d", "30d"),
        (b"since=101y", "30d"),
        (b"since=\xd9\xa3d", "30d"),
        (b"newest=0", "from 1"),
        (b"newest=-1", "from 1"),
        (b"newest=1000000000", "from 1"),
        (b"newest=\xc2\xb2", "from 1"),
        (b"search=FROM x", "flags and keywords"),
        (b"search=", "flags and keywords"),
        (b"as=", "device"),
        (b"as=" + b"x" * 33, "device"),
        (b"as=a b", "device"),
        (b"mailbox=", "mailbox"),
        (b"mailbox=50%", "%25"),
        (b"mailbox=%0d%0aLOGOUT", "mailbox"),
        (b"mailbox=%ff", "mailbox"),
        (b"mailbox=\xff", "mailbox"),
        (b"mailbox=a/", "mailbox"),
        (b"mailbox=" + b"x" * 256, "mailbox"),
    ],
)
def test_a_view_that_cannot_be_meant_is_refused_with_a_reason(suffix: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_login(b"ann#" + suffix)


_PIECES = st.sampled_from([b"recent:", b"#", b"=", b",", b"as", b"since", b"search", b"mailbox", b"1d", b"%", b"\xff"])


@given(st.lists(st.one_of(_PIECES, st.binary(max_size=3)), max_size=12).map(b"".join))
def test_any_login_is_read_or_refused_and_its_name_is_a_piece_of_it(login: bytes) -> None:
    assert without_view(login) in login
    try:
        name, view = parse_login(login)
    except ValueError as error:
        assert str(error)
    else:
        assert name == without_view(login)
        assert view.viewer.isascii()
        assert view.mailbox is None or view.mailbox.isprintable()
