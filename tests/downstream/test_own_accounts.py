"""Accounts of the bridge's own: what is offered, who gets in how, and that no guess goes further than the bridge."""

from base64 import b64decode, b64encode

import pytest
from twisted.internet.defer import Deferred

from bridge.config import Device, OwnAccount, OwnSource, Reference, Upstream
from bridge.credentials.passwords import apop_name
from bridge.credentials.workers import TooManyAtOnce
from bridge.events import LoginRefused, LoginSucceeded
from bridge.maildrop.errors import CredentialsRefused
from bridge.names import SessionId
from bridge.passwords.apop import digest_of
from bridge.passwords.scram import make_keys
from bridge.passwords.scrypt import Cost, PasswordHash, make_hash
from bridge.sasl import Credentials
from bridge.secret import Secret
from tests.contracts.fake_vault import FakeVault
from tests.downstream.scram_client import ScramClient
from tests.downstream.stage import ELSEWHERE, HELLO, THREE, Client, Stage

AUTH = b"-ERR [AUTH] user name or password is wrong\r\n"
IN = b"+OK logged in, 1 message (33 octets)\r\n"
SALT = b"0123456789abcdef"
WORDS = {"": b"of ann", "scanner": b"k3mw-x8qd-7rfn-htb4", "fax": b"of the fax"}


def made(word: bytes) -> PasswordHash:
    return make_hash(Secret(word), SALT, Cost(10, 1, 1))


def source(upstream: Upstream = ELSEWHERE) -> OwnSource:
    return OwnSource(name="work", upstream=upstream, login="ann@work.example", secret=Reference("env", "WORK"))


def account(user: str = "ann", *, scram: bool = True, **device: object) -> OwnAccount:
    keys = {name: make_keys(Secret(word), SALT, 4096) if scram else None for name, word in WORDS.items()}
    return OwnAccount(
        user=user,
        password=made(WORDS[""]),
        scram=keys[""],
        device=(
            Device(name="scanner", password=made(WORDS["scanner"]), scram=keys["scanner"], **device),  # type: ignore[arg-type]
            Device(name="fax", password=made(WORDS["fax"]), scram=keys["fax"]),
        ),
        source=(source(),),
    )


def sealed() -> FakeVault:
    """What it holds where an owner wants APOP for each device."""
    vault = FakeVault()
    for word in WORDS.values():
        vault.put(apop_name(made(word)), Secret(word))
    return vault


def base64(octets: bytes) -> bytes:
    return b64encode(octets) + b"\r\n"


def challenge(heard: bytes) -> bytes:
    assert heard.startswith(b"+ "), heard
    return b64decode(heard[2:])


def refused_later(client: Client, stage: Stage, said: bytes) -> bytes:
    """The answer two seconds later: none comes before."""
    assert client.say(said) in (b"", b"+OK send PASS\r\n")
    stage.clock.advance(1.9)
    assert client.settle() == b""
    stage.clock.advance(0.2)
    return client.settle()


# What is offered (S24, S25, S26).


def sasl(client: Client) -> bytes:
    lines = client.say(b"CAPA\r\n").split(b"\r\n")
    return next((line for line in lines if line.startswith(b"SASL")), b"")


def test_scram_is_offered_where_every_password_has_its_keys_and_tokens_nowhere() -> None:
    assert sasl(Stage(accounts=(account(),)).connect()) == b"SASL SCRAM-SHA-256 PLAIN LOGIN"
    assert sasl(Stage(accounts=(account(), account("bob", scram=False))).connect()) == b"SASL PLAIN LOGIN"


def test_what_shows_no_password_is_offered_in_clear_too() -> None:
    client = Stage(accounts=(account(),), tls=True).connect("192.0.2.1")

    assert sasl(client) == b"SASL SCRAM-SHA-256"
    assert client.say(b"USER ann\r\n").startswith(b"-ERR [SYS/PERM] no login without encryption")


def test_the_greeting_invites_to_apop_only_where_it_works_for_everybody_each_time_anew() -> None:
    stage = Stage(accounts=(account(),), vault=sealed())
    greetings = [stage.connect().heard for _ in range(2)]

    assert all(heard.startswith(b"+OK Popbridge ready <") and heard.endswith(b"@popbridge>\r\n") for heard in greetings)
    assert greetings[0] != greetings[1]
    assert Stage(accounts=(account(),)).connect().heard == b"+OK Popbridge ready\r\n"


# Who gets in.


@pytest.mark.parametrize("device", WORDS)
def test_each_device_gets_in_with_its_own_password_in_every_way(device: str) -> None:
    word = WORDS[device]
    stage = Stage(HELLO, accounts=(account(),), vault=sealed())
    plain, login, user, apop, scram = (stage.connect() for _ in range(5))
    timestamp = apop.heard.split()[-1]
    client = ScramClient(b"ann", word)

    assert plain.say(b"AUTH PLAIN " + base64(b"\0ann\0" + word)) == IN
    assert login.say(b"AUTH LOGIN\r\n" + base64(b"ann") + base64(word)).endswith(IN)
    assert user.say(b"USER ann\r\nPASS " + word + b"\r\n").endswith(IN)
    assert apop.say(b"APOP ann " + digest_of(timestamp, Secret(word)) + b"\r\n") == IN
    asked = challenge(scram.say(b"AUTH SCRAM-SHA-256 " + base64(client.first())))
    assert client.trusts(challenge(scram.say(base64(client.final(asked)))))
    assert scram.say(b"\r\n") == IN
    assert scram.say(b"STAT\r\n") == b"+OK 1 33\r\n"
    shown = f"ann ({device})" if device else "ann"
    assert [(event.login, event.mechanism) for event in stage.told(LoginSucceeded)] == [
        (shown, name) for name in ("PLAIN", "LOGIN", "USER", "APOP", "SCRAM-SHA-256")
    ]
    assert stage.derivations == 1
    assert not stage.upstream.credentials


def test_upstream_hears_nothing_of_the_password_and_the_log_neither() -> None:
    stage = Stage(HELLO, accounts=(account(),), trace=True)
    client = stage.connect()
    client.say(b"USER ann\r\nPASS " + WORDS["scanner"] + b"\r\nQUIT\r\n")

    assert not stage.upstream.credentials
    assert not any(WORDS["scanner"].decode() in line for line in stage.log)
    assert any("ann (scanner)" in line for line in stage.log)
    stage.nothing_left()


def test_a_trace_shows_nothing_with_which_passwords_could_be_tried() -> None:
    stage = Stage(HELLO, accounts=(account(),), vault=sealed(), trace=True)
    apop, scram, client = stage.connect(), stage.connect(), ScramClient(b"ann", WORDS["fax"])
    digest = digest_of(apop.heard.split()[-1], Secret(WORDS["fax"]))
    assert apop.say(b"APOP ann " + digest + b"\r\n") == IN
    first = scram.say(b"AUTH SCRAM-SHA-256 " + base64(client.first()))
    final = base64(client.final(challenge(first)))
    last = scram.say(final)
    assert scram.say(b"\r\n") == IN

    assert any("Apop" in line for line in stage.log)
    for said in (digest, first[2:-2], final[:-2], last[2:-2]):
        assert not any(said.decode() in line for line in stage.log)


def test_each_device_has_its_own_policy_and_its_own_view() -> None:
    stage = Stage(*THREE, accounts=(account(delete="keep", newest=1),))
    scanner, fax = stage.connect(), stage.connect()

    assert b"1 message " in scanner.say(b"USER ann\r\nPASS " + WORDS["scanner"] + b"\r\n")
    scanner.say(b"DELE 1\r\nQUIT\r\n")
    again = stage.connect()
    assert b"0 messages" in again.say(b"USER ann\r\nPASS " + WORDS["scanner"] + b"\r\n")
    assert b"3 messages" in fax.say(b"USER ann\r\nPASS " + WORDS["fax"] + b"\r\n")


def test_scram_may_be_said_step_by_step() -> None:
    stage, client = Stage(HELLO, accounts=(account(),)), ScramClient(b"ann", WORDS["fax"])
    session = stage.connect()

    assert session.say(b"AUTH SCRAM-SHA-256\r\n") == b"+ \r\n"
    asked = challenge(session.say(base64(client.first())))
    session.say(base64(client.final(asked)))
    assert session.say(b"\r\n") == IN


def test_a_client_that_does_not_trust_the_answer_is_not_in_and_leaves_nothing_open() -> None:
    for word in (b"*\r\n", b"???\r\n"):
        stage, client = Stage(HELLO, accounts=(account(),)), ScramClient(b"ann", WORDS["fax"])
        session = stage.connect()
        asked = challenge(session.say(b"AUTH SCRAM-SHA-256 " + base64(client.first())))
        session.say(base64(client.final(asked)))
        assert session.say(word).startswith(b"-ERR ")
        assert session.say(b"STAT\r\n") == b"-ERR log in first\r\n"
        assert stage.upstream.sources[0].ended == ["closed"]
        assert not stage.told(LoginSucceeded)
        assert session.say(b"AUTH PLAIN " + base64(b"\0ann\0" + WORDS["fax"])) == IN
        session.say(b"QUIT\r\n")
        stage.nothing_left()


def test_a_client_that_goes_before_its_last_word_leaves_nothing_open() -> None:
    stage, client = Stage(HELLO, accounts=(account(),)), ScramClient(b"ann", WORDS["fax"])
    session = stage.connect()
    asked = challenge(session.say(b"AUTH SCRAM-SHA-256 " + base64(client.first())))
    session.say(base64(client.final(asked)))
    session.drop()
    session.settle()
    stage.nothing_left()


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (b"p=tls-unique,,n=ann,r=x", b"channel binding"),
        (b"n,a=bob,n=ann,r=x", b"somebody else"),
        (b"nonsense", b"broken"),
    ],
)
def test_a_scram_message_that_breaks_the_rules_is_refused_with_the_reason(first: bytes, why: bytes) -> None:
    session = Stage(accounts=(account(),)).connect()

    assert why in session.say(b"AUTH SCRAM-SHA-256 " + base64(first))


# Who does not (S23).


def scram_refused(session: Client, stage: Stage, user: bytes, word: bytes) -> bytes:
    client = ScramClient(user, word)
    asked = challenge(session.say(b"AUTH SCRAM-SHA-256 " + base64(client.first())))
    return refused_later(session, stage, base64(client.final(asked)))


@pytest.mark.parametrize("user", [b"ann", b"nobody", b"a*n"])
def test_a_wrong_password_and_an_unknown_name_are_answered_alike_after_the_same_work(user: bytes) -> None:
    stage = Stage(HELLO, accounts=(account(),), vault=sealed())
    assert refused_later(stage.connect(), stage, b"AUTH PLAIN " + base64(b"\0" + user + b"\0wrong")) == AUTH
    assert stage.derivations == 1
    assert refused_later(stage.connect(), stage, b"USER " + user + b"\r\nPASS wrong\r\n") == AUTH
    assert stage.derivations == 2
    assert scram_refused(stage.connect("127.0.0.3"), stage, user, b"wrong") == AUTH
    stage.clock.advance(600)
    by_apop = stage.connect("127.0.0.4")
    digest = digest_of(by_apop.heard.split()[-1], Secret(b"wrong"))
    assert refused_later(by_apop, stage, b"APOP " + user + b" " + digest + b"\r\n") == AUTH
    assert not stage.upstream.sources
    assert {event.login for event in stage.told(LoginRefused)} == {user.decode()}


def test_a_digest_that_was_overheard_is_worth_nothing_with_another_greeting() -> None:
    stage = Stage(HELLO, accounts=(account(),), vault=sealed())
    first, second = stage.connect(), stage.connect()
    overheard = digest_of(first.heard.split()[-1], Secret(WORDS["fax"]))

    assert refused_later(second, stage, b"APOP ann " + overheard + b"\r\n") == AUTH
    assert first.say(b"APOP ann " + overheard + b"\r\n") == IN


def test_an_unknown_name_is_told_the_same_salt_each_time() -> None:
    stage = Stage(accounts=(account(),))

    def salt(user: bytes) -> bytes:
        asked = stage.connect().say(b"AUTH SCRAM-SHA-256 " + base64(ScramClient(user, b"x").first()))
        return challenge(asked).split(b",")[1]

    assert salt(b"nobody") == salt(b"nobody") != salt(b"somebody")
    assert salt(b"ann") == b"s=" + b64encode(SALT)
    assert len(salt(b"nobody")) == len(salt(b"ann"))


@pytest.mark.parametrize("user", [b"ann", b"nobody"])
def test_guesses_at_another_spelling_of_a_name_do_not_tell_whether_somebody_has_it(user: bytes) -> None:
    stage = Stage(HELLO, accounts=(account(),))
    for number in range(4):
        session = stage.connect(f"127.0.1.{number}")
        session.say(b"AUTH PLAIN " + base64(b"\0" + user.upper() + b"\0guess %d" % number))
        stage.clock.advance(10)
    derivations = stage.derivations
    stage.connect("127.0.2.1").say(b"AUTH PLAIN " + base64(b"\0" + user + b"\0wrong"))
    stage.connect("127.0.2.2").say(b"AUTH PLAIN " + base64(b"\0" + user + b"\0wrong too"))

    assert derivations == 4
    assert stage.derivations == 5  # the second of them waits for its turn


def test_where_too_many_are_checked_at_once_it_is_no_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(HELLO, accounts=(account(),))

    def full(job: object) -> "Deferred[bytes]":
        raise TooManyAtOnce("too many passwords are being checked at this moment; try again in a minute")

    monkeypatch.setattr(stage.logins._passwords, "_in_thread", full)
    heard = stage.connect().say(b"AUTH PLAIN " + base64(b"\0ann\0" + WORDS["fax"]))
    assert heard == b"-ERR [SYS/TEMP] too many passwords are being checked at this moment; try again in a minute\r\n"


def test_ten_thousand_guesses_never_reach_upstream_and_the_device_still_gets_in() -> None:
    """From as many addresses as a botnet has: each account lets one try through per penalty, the others come back."""
    stage = Stage(HELLO, accounts=(account(),))
    assert stage.connect().say(b"AUTH PLAIN " + base64(b"\0ann\0of ann")) == IN
    asked = len(stage.upstream.sources), list(stage.upstream.asked)
    outcomes: list[object] = []
    for number in range(10_000):
        guess = Credentials(b"ann", Secret(b"guess %d" % number), "PLAIN", bearer=False)
        address = f"198.{18 + number % 2}.{number // 250}.{number % 250}"
        login = Deferred.fromCoroutine(stage.logins.log_in(address, guess, SessionId(str(number))))
        login.addBoth(outcomes.append)
        stage.clock.advance(0.1)
    stage.clock.advance(60)

    assert len(outcomes) == 10_000
    assert not [outcome for outcome in outcomes if not hasattr(outcome, "value")]
    assert any(isinstance(outcome.value, CredentialsRefused) for outcome in outcomes if hasattr(outcome, "value"))
    assert (len(stage.upstream.sources), stage.upstream.asked) == asked
    assert stage.derivations < 200  # a thousand seconds of guessing
    assert stage.connect().say(b"AUTH PLAIN " + base64(b"\0ann\0of ann")) == IN
