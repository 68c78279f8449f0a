"""Guessing takes time, for each address and on each account; an honest program that polls does not notice."""

from twisted.internet.task import Clock

from bridge.downstream.throttle import PENALTIES, Throttle
from bridge.secret import Secret

HERE, THERE = "192.0.2.1", "198.51.100.9"


class Ground:
    def __init__(self, *, most: int = 20_000) -> None:
        self.clock = Clock()
        self.throttle = Throttle(self.clock, most=most)

    def fail(self, *passwords: str, address: str = HERE, login: str = "ann") -> None:
        for password in passwords:
            self.throttle.failed(address, login, Secret(password.encode()))

    def wait(self, address: str = HERE, login: str = "ann") -> float:
        return self.throttle.wait(address, login)


def test_nobody_waits_who_never_failed() -> None:
    ground = Ground()

    assert [ground.wait() for _ in range(100)] == [0.0] * 100


def test_each_different_guess_makes_the_next_wait_longer() -> None:
    ground, gaps = Ground(), []
    for guess in range(9):
        ground.fail(str(guess))
        ground.wait()
        gaps.append(ground.wait())
        ground.clock.advance(60)

    assert gaps == [*PENALTIES[1:], 15.0, 15.0, 15.0]


def test_tries_at_once_stand_in_a_queue() -> None:
    ground = Ground()
    ground.fail("1", "2", "3")

    assert [ground.wait() for _ in range(4)] == [0, 2, 4, 6]


def test_the_same_wrong_password_again_is_not_another_guess() -> None:
    ground = Ground()
    ground.fail(*["old password"] * 50)

    assert ground.wait() == ground.wait() == 0


def test_an_address_waits_on_every_account_and_an_account_for_every_address() -> None:
    ground = Ground()
    ground.fail("1", "2", "3")
    ground.wait()

    assert ground.wait(HERE, "ben") == 2
    ground = Ground()
    ground.fail("1", "2", "3")
    ground.wait()
    assert ground.wait(THERE, "ann") == 2
    assert ground.wait("203.0.113.1", "ben") == 0


def test_an_ipv6_host_is_its_whole_network_of_64_bits() -> None:
    ground = Ground()
    ground.fail("1", "2", "3", address="2001:db8::1")
    ground.wait("2001:db8::2", "x")

    assert ground.wait("2001:db8::ffff:3", "y") == 2
    assert ground.wait("2001:db8:0:1::1", "z") == 0


def test_addresses_of_any_kind_are_taken() -> None:
    ground = Ground()
    for address in ("fe80::1%eth0", "UNIXAddress('/run/x')", "", "::"):
        ground.fail("1", "2", "3", address=address, login=address)
        ground.wait(address, "other")
        assert ground.wait(address, "another") == 2


def test_failures_are_forgotten_after_ten_minutes() -> None:
    ground = Ground()
    ground.fail("1", "2", "3")
    ground.clock.advance(599)
    ground.wait()
    assert ground.wait() == 2
    ground.clock.advance(2)

    assert ground.wait() == ground.wait() == 0


def test_a_login_that_succeeds_is_no_licence_to_guess_at_others() -> None:
    ground = Ground()
    ground.fail("1", "2", "3")
    ground.throttle.succeeded(HERE, "my own")
    ground.wait()

    assert ground.wait(HERE, "ben") == 2


def test_a_welcome_ends_after_a_day() -> None:
    ground = Ground()
    ground.throttle.succeeded(THERE, "ann")
    ground.fail("1", "2", "3")
    ground.wait()
    assert ground.wait(THERE) == 0
    ground.clock.advance(24 * 3600 + 1)
    ground.fail("1", "2", "3")
    ground.wait()

    assert ground.wait(THERE) == 2


def test_what_is_remembered_is_bounded_and_the_oldest_goes_first() -> None:
    ground = Ground(most=10)
    ground.fail("1", "2", "3", login="first", address="198.51.100.1")
    for number in range(100):
        ground.fail("1", login=str(number), address=f"192.0.2.{number}")
        ground.throttle.succeeded(f"192.0.2.{number}", str(number))

    assert len(ground.throttle._records) == len(ground.throttle._welcome) == 10
    assert ground.wait("198.51.100.1", "first") == ground.wait("198.51.100.1", "first") == 0


def test_no_password_is_remembered() -> None:
    ground = Ground()
    ground.fail("a secret of mine")

    assert "a secret of mine" not in repr(vars(ground.throttle))


def test_who_got_in_lately_does_not_wait_for_his_neighbours_mistakes() -> None:
    """Two hundred programs behind one address go on polling while three people mistype their passwords."""
    ground = Ground()
    ground.throttle.succeeded(HERE, "ann")
    ground.fail("1", "2", "3", "4", login="bob")
    ground.wait(login="bob")

    assert ground.wait(login="ann") == 0
    assert ground.wait(login="bob") > 0


def test_a_failure_ends_the_welcome() -> None:
    """An old password opens no door to guessing the new one."""
    ground = Ground()
    ground.throttle.succeeded(HERE, "ann")
    ground.fail("old", "guess", "guess again")
    ground.wait()

    assert ground.wait() > 0


def test_who_is_turned_away_takes_no_place() -> None:
    """Else tries that cost a guesser nothing would keep the owner out for hours."""
    ground = Ground()
    ground.fail(*map(str, range(7)))
    waits = [ground.throttle.wait(HERE, "ann", at_most=20) for _ in range(200)]

    assert waits == [0, 15, *[30] * 198]
    ground.clock.advance(31)
    assert ground.wait(THERE) == 0
