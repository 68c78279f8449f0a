"""A login waits its turn, finds its account and opens the mailbox, all within the time allowed."""

from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from bridge.accounts.directory import Directory
from bridge.config import PassThrough
from bridge.downstream.crowd import PER_ACCOUNT, PER_WELCOME_ACCOUNT
from bridge.downstream.login import PATIENCE, Logins, Opened
from bridge.downstream.throttle import PENALTIES, Throttle
from bridge.maildrop.errors import CredentialsRefused, UpstreamUnavailable
from bridge.names import SessionId
from bridge.postoffice.opening import PostOffice
from bridge.postoffice.visit import Visit
from bridge.sasl import Credentials
from bridge.secret import Secret
from bridge.state.memory import MemoryStore
from tests.downstream.memory_upstream import Upstream
from tests.downstream.stage import ELSEWHERE, HELLO


@define
class Ground:
    login_wait: float = 50.0
    users: str = "*"
    clock: Clock = field(factory=Clock)
    upstream: Upstream = field(init=False)
    logins: Logins = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.upstream = Upstream(self.clock, [HELLO])
        directory = Directory((PassThrough(upstream=ELSEWHERE, users=self.users, login="{local}"),))
        throttle = Throttle(self.clock)
        office = PostOffice(MemoryStore(), self.clock, lambda _: None, quit_wait=2.5, deletion_wait=50)
        self.logins = Logins(directory, self.upstream.make, office, throttle, self.clock, login_wait=self.login_wait)

    def log_in(
        self, password: bytes = b"right password", login: bytes = b"ann@example.org", address: str = "192.0.2.1"
    ) -> "Deferred[Opened]":
        credentials = Credentials(login, Secret(password), "USER", bearer=False)
        return Deferred.fromCoroutine(self.logins.log_in(address, credentials, SessionId("s")))


def outcome(login: "Deferred[Opened]") -> Any:
    """The opened maildrop, the exception, or None: not yet."""
    outcomes: list[Any] = []
    login.addBoth(outcomes.append)
    if not outcomes:
        return None
    return outcomes[0].visit if isinstance(outcomes[0], Opened) else outcomes[0].value


def test_the_right_password_opens_the_mailbox_of_its_account() -> None:
    opened = outcome(Ground().log_in())

    assert opened.account.login == b"ann"
    assert opened.maildrop.count == 1


def test_a_login_that_no_account_takes_is_refused_and_nobody_upstream_is_asked() -> None:
    ground = Ground(users="*@example.com")

    assert isinstance(outcome(ground.log_in()), CredentialsRefused)
    assert isinstance(outcome(ground.log_in(login=b"a*b@example.com")), CredentialsRefused)
    assert isinstance(outcome(ground.log_in(login=b"a\tb@example.com")), CredentialsRefused)
    assert not ground.upstream.sources


def test_upstream_has_fifty_seconds() -> None:
    ground = Ground()
    gate = ground.upstream.hold("list")
    login = ground.log_in()
    ground.clock.advance(49)
    assert not gate.called
    ground.clock.advance(1)

    error = outcome(login)
    assert isinstance(error, UpstreamUnavailable)
    assert str(error) == "upstream did not let us in within 50 seconds; try again later"
    assert ground.upstream.sources[0].ended == ["abandoned"]
    assert not ground.clock.getDelayedCalls()


def guess(ground: Ground, *passwords: bytes) -> None:
    for password in passwords:
        assert isinstance(outcome(ground.log_in(password)), CredentialsRefused)


def test_after_three_wrong_guesses_the_next_waits_before_upstream_is_asked() -> None:
    ground = Ground()
    guess(ground, b"1", b"2", b"3")
    asked = len(ground.upstream.sources)
    first, second = ground.log_in(b"4"), ground.log_in(b"5")
    assert len(ground.upstream.sources) == asked + 1
    ground.clock.advance(1.9)
    assert len(ground.upstream.sources) == asked + 1
    ground.clock.advance(0.2)

    assert len(ground.upstream.sources) == asked + 2
    assert outcome(first) is not None
    assert outcome(second) is not None


def test_the_time_for_its_turn_is_part_of_the_fifty_seconds() -> None:
    ground = Ground()
    guess(ground, b"1", b"2", b"3")
    ground.log_in(b"4").addErrback(lambda _: None)
    ground.upstream.hold("list")
    login = ground.log_in()
    ground.clock.advance(2)
    ground.clock.advance(47.9)
    assert not login.called
    ground.clock.advance(0.2)

    assert isinstance(outcome(login), UpstreamUnavailable)


def test_who_would_wait_too_long_is_told_to_come_back() -> None:
    ground = Ground()
    guess(ground, b"1", b"2", b"3")
    waiting = [outcome(ground.log_in(b"4")) for _ in range(40)]

    told = waiting[-1]
    assert isinstance(told, UpstreamUnavailable)  # and not a wrong password: the right one would fare the same
    assert str(told) == "too many failed logins lately; try again in some minutes"
    assert waiting[5] is None
    assert len(ground.upstream.sources) == 4


def test_the_owner_gets_in_after_a_minute_however_many_were_told_to_come_back() -> None:
    ground = Ground()
    guess(ground, b"1", b"2", b"3")
    for number in range(500):
        ground.log_in(b"guess", address=f"198.51.100.{number % 250}").addErrback(lambda _: None)
    ground.clock.pump([0.5] * 120)

    assert isinstance(outcome(ground.log_in(address="203.0.113.5")), Visit)


def test_a_client_that_leaves_while_it_waits_asks_nobody() -> None:
    ground = Ground()
    guess(ground, b"1", b"2", b"3")
    ground.log_in(b"4").addErrback(lambda _: None)
    login = ground.log_in()
    login.cancel()

    assert isinstance(outcome(login), CancelledError)
    assert len(ground.upstream.sources) == 4
    assert not ground.clock.getDelayedCalls()


def test_what_is_no_wrong_password_is_no_guess() -> None:
    ground = Ground()
    ground.upstream.faults["list"] = UpstreamUnavailable("down")
    for _ in range(20):
        assert isinstance(outcome(ground.log_in()), UpstreamUnavailable)


@pytest.mark.parametrize("other", ["192.0.2.1", "198.51.100.9"])
def test_who_got_in_lately_is_not_kept_out_by_what_others_guess_on_his_account(other: str) -> None:
    ground = Ground()
    assert outcome(ground.log_in(address="203.0.113.5"))
    for number in range(8):
        login = ground.log_in(b"%d" % number, address=other)
        ground.clock.advance(20)
        assert isinstance(outcome(login), CredentialsRefused)

    assert isinstance(outcome(ground.log_in(address="203.0.113.5")), Visit)
    assert isinstance(outcome(ground.log_in(address="203.0.113.6")), Visit)
    assert outcome(ground.log_in(address="203.0.113.7")) is None


def test_guesses_sent_at_once_are_asked_upstream_few_by_few_and_the_failures_among_them_count() -> None:
    ground = Ground()
    ground.upstream.slow = True
    logins = [ground.log_in(b"guess %d" % guess, address=f"192.0.2.{guess}") for guess in range(200)]

    assert len(ground.upstream.sources) == PER_ACCOUNT
    ground.clock.pump([0.5] * 100)
    assert all(isinstance(outcome(login), CredentialsRefused | UpstreamUnavailable) for login in logins)
    assert len(ground.upstream.sources) < 2 * PER_ACCOUNT + PATIENCE / PENALTIES[3]


def test_who_got_in_lately_has_no_more_guesses_than_his_places() -> None:
    """One's own old password, or a stolen laptop's address, opens no door to guessing."""
    ground = Ground()
    assert isinstance(outcome(ground.log_in()), Visit)
    ground.upstream.slow = True
    logins = [ground.log_in(b"guess %d" % guess) for guess in range(200)]

    assert len(ground.upstream.sources) == 1 + PER_WELCOME_ACCOUNT
    ground.clock.pump([0.5] * 100)
    assert all(isinstance(outcome(login), CredentialsRefused | UpstreamUnavailable) for login in logins)
    assert len(ground.upstream.sources) < 1 + PER_WELCOME_ACCOUNT + PER_ACCOUNT + PATIENCE / PENALTIES[3]


def test_strangers_do_not_take_the_places_of_who_got_in_lately() -> None:
    ground = Ground()
    assert isinstance(outcome(ground.log_in()), Visit)
    ground.upstream.slow = True
    for guess in range(200):
        ground.log_in(b"guess %d" % guess, address=f"198.51.100.{guess}").addErrback(lambda _: None)
    login = ground.log_in()
    ground.clock.advance(0)

    assert isinstance(outcome(login), Visit)


@pytest.mark.parametrize(
    "logins", [(b"ann@a.example", b"ann@b.example", b"ann@c.example"), (b"Ann", b"aNn", b"anN@x"), (b"ANN",) * 3]
)
def test_however_a_login_is_spelt_its_guesses_count_for_one_account(logins: tuple[bytes, ...]) -> None:
    """Case, and with `{local}` any domain, name the same account upstream, and come from a thousand addresses."""
    ground = Ground()
    for number, login in enumerate(logins):
        refused = ground.log_in(b"%d" % number, login, f"192.0.2.{number}")
        assert isinstance(outcome(refused), CredentialsRefused)
    asked = len(ground.upstream.sources)
    assert isinstance(outcome(ground.log_in(b"next", b"ann", "198.51.100.1")), CredentialsRefused)

    assert outcome(ground.log_in(b"last", b"aNN@example.com", "198.51.100.2")) is None
    assert len(ground.upstream.sources) == asked + 1


def test_a_login_that_no_account_takes_waits_as_if_there_were_one() -> None:
    """Else the waiting would tell which names exist."""
    ground = Ground(users="*@example.org")
    for number, login in enumerate([b"bob@example.net", b"Bob@example.net", b"BOB@EXAMPLE.NET", b"bob@Example.net"]):
        assert isinstance(outcome(ground.log_in(b"%d" % number, login, f"192.0.2.{number}")), CredentialsRefused)

    assert outcome(ground.log_in(b"last", b"bob@example.net", "198.51.100.2")) is None
    assert not ground.upstream.sources


def test_who_got_in_lately_may_come_with_all_his_programs_at_once() -> None:
    ground = Ground()
    assert isinstance(outcome(ground.log_in()), Visit)
    ground.upstream.slow = True
    logins = [ground.log_in() for _ in range(50)]

    assert len(ground.upstream.sources) == 1 + PER_WELCOME_ACCOUNT
    ground.clock.pump([0, 0, 0])  # one after the other, and nobody waits longer than upstream takes
    assert all(isinstance(outcome(login), Visit) for login in logins)
