"""The scripted server says what a login, and the next one, need: the bridge itself is content with it."""

from bench.growth import _with_sessions
from bench.scripted_imap import MESSAGES, answer


def test_it_lists_all_and_afterwards_only_what_is_asked_for() -> None:
    everything, last = answer(b"A1 UID FETCH 1:* (UID RFC822.SIZE)\r\n")
    assert (everything.count(b" FETCH (UID "), last) == (MESSAGES, False)
    assert answer(b"A2 UID FETCH 1,50,101:* (UID)\r\n")[0].count(b" FETCH (UID ") == 2
    assert answer(b"A3 LOGOUT\r\n") == (b"* BYE\r\nA3 OK done\r\n", True)


def test_sessions_before_it_are_real_ones() -> None:
    [one, many] = list(_with_sessions((1, 60)))

    assert (one[0], many[0]) == ("1", "60")
    assert many[2].endswith(" kB")
    assert many[3].endswith(" ms")
