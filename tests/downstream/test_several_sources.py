"""A login with several sources, as a mail program meets it."""

import pytest
from attrs import evolve

from bridge.maildrop.errors import UpstreamUnsuitable
from tests.downstream.stage import HELLO, Client, Stage
from tests.downstream.test_own_accounts import account, source

SEVERAL = evolve(account(), source=(source(), evolve(source(), name="home", login="ann@home.example")))


def logged_in(stage: Stage) -> Client:
    client = stage.connect()
    client.say(b"USER ann\r\n")
    assert client.say(b"PASS of ann\r\n") == b"+OK logged in, 2 messages (66 octets)\r\n"
    return client


def test_it_is_one_maildrop() -> None:
    stage = Stage(HELLO, accounts=(SEVERAL,))
    client = logged_in(stage)

    assert client.say(b"LIST\r\n") == b"+OK 2 messages (66 octets)\r\n1 33\r\n2 33\r\n.\r\n"
    uidls = client.say(b"UIDL\r\n").split(b"\r\n")[1:3]
    assert uidls[1] == b"2 home." + uidls[0].removeprefix(b"1 ")
    for number in (1, 2):
        assert client.say(b"RETR %d\r\n" % number) == b"+OK 33 octets\r\n" + HELLO + b".\r\n"
    assert client.say(b"DELE 2\r\n") == b"+OK message 2 deleted\r\n"
    assert client.say(b"STAT\r\n") == b"+OK 1 33\r\n"
    assert client.say(b"LAST\r\n") == b"+OK 2\r\n"
    assert client.say(b"QUIT\r\n") == b"+OK 1 message deleted, goodbye\r\n"
    assert all(one.ended for one in stage.upstream.sources)
    assert any('login="ann"' in line and "deleted=1" in line for line in stage.log)


def test_after_the_time_for_a_login_it_is_said_who_was_waited_for() -> None:
    stage = Stage(HELLO, accounts=(SEVERAL,))
    stage.upstream.hold("list")  # of the first that asks
    client = stage.connect()
    client.say(b"USER ann\r\n")
    assert client.say(b"PASS of ann\r\n") == b""
    stage.clock.advance(50)

    assert client.settle() == b"-ERR [SYS/TEMP] ann/work did not let us in within 50 seconds; try again later\r\n"
    assert [one.ended for one in stage.upstream.sources] == [["abandoned"], ["abandoned"]]


def test_a_source_that_refuses_the_owners_password_is_no_guess_of_the_clients() -> None:
    stage = Stage(HELLO, accounts=(SEVERAL,))
    for _ in range(3):
        stage.upstream.faults["list"] = UpstreamUnsuitable(
            "ann/home: imap.home.example refuses the password in vault:x"
        )
        client = stage.connect()
        client.say(b"USER ann\r\n")
        assert client.say(b"PASS of ann\r\n").startswith(b"-ERR [SYS/PERM] ann/")
    stage.upstream.faults.clear()
    logged_in(stage)


@pytest.mark.parametrize("words", [b"RSET\r\nQUIT\r\n", b"QUIT\r\n"])
def test_without_marks_nothing_is_deleted(words: bytes) -> None:
    stage = Stage(HELLO, accounts=(SEVERAL,))
    client = logged_in(stage)
    if words.startswith(b"RSET"):
        client.say(b"DELE 1\r\n")
    assert client.say(words).endswith(b"+OK goodbye\r\n")
    assert stage.upstream.deleted_at == []
