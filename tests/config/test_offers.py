"""What is announced works for every login there is, whoever comes (S24)."""

import pytest

from bridge.config.offers import not_working, offered, working
from bridge.config.values import Device, Endpoint, Listener, Mechanism, OwnAccount, PassThrough, Upstream
from bridge.passwords.scram import make_keys
from bridge.passwords.scrypt import Cost, make_hash
from bridge.secret import Secret

HASH = make_hash(Secret(b"x"), b"s" * 16, Cost(10, 1, 1))
KEYS = make_keys(Secret(b"x"), b"s" * 16, 4096)
PASSTHROUGH = (PassThrough(upstream=Upstream("imap", "tls", "imap.example.org", 993)),)
WITH = OwnAccount(user="ann", password=HASH, scram=KEYS)
WITHOUT = OwnAccount(user="bob", password=HASH)
BY_DEVICE = OwnAccount(user="cid", device=(Device(name="fax", password=HASH, scram=KEYS),))
HALF = OwnAccount(user="dan", password=HASH, scram=KEYS, device=(Device(name="fax", password=HASH),))


@pytest.mark.parametrize(
    ("passthrough", "accounts", "names"),
    [
        (PASSTHROUGH, (), "PLAIN LOGIN XOAUTH2 OAUTHBEARER"),
        ((), (WITH, BY_DEVICE), "SCRAM-SHA-256 PLAIN LOGIN"),
        ((), (WITH, WITHOUT), "PLAIN LOGIN"),
        ((), (HALF,), "PLAIN LOGIN"),
        (PASSTHROUGH, (WITH,), "PLAIN LOGIN"),
    ],
)
def test_only_what_works_for_all_is_offered(
    passthrough: tuple[PassThrough, ...], accounts: tuple[OwnAccount, ...], names: str
) -> None:
    assert " ".join(working(passthrough, accounts)) == names


def test_the_owner_may_offer_less_in_an_order_of_his_own_and_hears_what_does_not_work() -> None:
    listener = Listener(pop3=Endpoint("", 110), sasl=("LOGIN", "XOAUTH2", "SCRAM-SHA-256"))

    assert offered(listener, PASSTHROUGH, ()) == ("LOGIN", "XOAUTH2", "SCRAM-SHA-256")
    assert [name for name, _ in not_working(listener, PASSTHROUGH, ())] == ["SCRAM-SHA-256"]
    assert [name for name, _ in not_working(listener, (), (WITH,))] == ["XOAUTH2"]
    bearer: tuple[Mechanism, ...] = ("OAUTHBEARER",)
    [(_, why)] = not_working(Listener(pop3=Endpoint("", 110), sasl=bearer), (), (WITH,))
    assert "no token" in why
