"""Who may take over whose connection, and what a client hears when it is the owner's secret that is wrong."""

import pytest
from attrs import evolve

from bridge.accounts.account import Account
from bridge.config import OwnSource, PassThrough, Reference, Upstream
from bridge.credentials.oauth2 import Granted
from bridge.credentials.proof import Given, Kept, proof_of
from bridge.maildrop.errors import CredentialsRefused, UpstreamUnsuitable
from bridge.names import AccountName, SourceName
from bridge.sasl import Credentials
from bridge.secret import Secret
from tests.contracts.fake_vault import FakeVault
from tests.credentials.house import House

UPSTREAM = Upstream("imap", "tls", "imap.work.example", 993)
SOURCE = OwnSource(upstream=UPSTREAM, name="work", login="ann@work.example", secret=Reference("env", "WORK"))
OWN = Account(b"ann@work.example", AccountName("ann"), SOURCE, source=SourceName("work"))
GRANTS = House().grants
PASSED = Account(b"ann", AccountName("imaps://… ann"), PassThrough(upstream=UPSTREAM))


def credentials(login: bytes, secret: bytes, *, bearer: bool = False) -> Credentials:
    return Credentials(login, Secret(secret), "PLAIN", bearer)


def test_what_the_client_sent_is_what_upstream_gets() -> None:
    given = Given(credentials(b"ann", b"secret"))

    refusal = CredentialsRefused("no")
    assert given.refused(refusal) is refusal
    assert not given.renew(given.given)
    assert given.parks
    assert not Given(credentials(b"ann", b"token", bearer=True)).parks


def test_no_two_pairs_of_login_and_password_are_one() -> None:
    assert Given(credentials(b"ann", b"b")).identity != Given(credentials(b"an", b"nb")).identity


def test_an_owner_s_secret_that_is_wrong_is_nobody_s_guess() -> None:
    proof = proof_of(OWN, None, FakeVault(), GRANTS)

    trouble = proof.refused(CredentialsRefused("no", detail="LOGIN failed"))
    assert isinstance(trouble, UpstreamUnsuitable)
    assert "ann/work: imap.work.example refuses the password in env:WORK" in str(trouble)
    assert trouble.detail == "LOGIN failed"


def test_a_source_has_its_own_secret_whatever_the_client_sent() -> None:
    assert isinstance(proof_of(OWN, credentials(b"ann", b"of the device"), FakeVault(), GRANTS), Kept)
    assert isinstance(proof_of(PASSED, credentials(b"ann", b"secret"), FakeVault(), GRANTS), Given)
    by_token = evolve(OWN, settings=evolve(SOURCE, secret=Reference("oauth2", "work")))
    assert isinstance(proof_of(by_token, None, FakeVault(), GRANTS), Granted)
    with pytest.raises(ValueError, match="nothing to pass"):
        proof_of(PASSED, None, FakeVault(), GRANTS)
