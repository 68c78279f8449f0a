"""INTERNALDATE becomes seconds, and what is no date is unknown, never a wrong time and never an error."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.imap.internaldate import Memo, read_date


def test_the_rfc_s_example() -> None:
    expected = datetime(1996, 7, 17, 2, 44, 25, tzinfo=timezone(timedelta(hours=-7)))
    assert read_date(b'"17-Jul-1996 02:44:25 -0700"') == expected.timestamp()


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)), st.integers(-840, 840))  # noqa: DTZ001  # the zone is drawn beside it
def test_every_date_and_zone(moment: datetime, minutes: int) -> None:
    moment = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)), microsecond=0)
    text = f'"{moment.day:2d}-{moment:%b}-{moment.year:04d} {moment:%H:%M:%S %z}"'
    assert read_date(text.encode()) == (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)


@pytest.mark.parametrize(
    "text", [b'" 1-Feb-2020 00:00:00 +0000"', b'"1-FEB-2020 00:00:00 +0000"', b'"01-feb-2020 00:00:00 +0000"']
)
def test_a_one_digit_day_and_any_case_of_the_month(text: bytes) -> None:
    assert read_date(text) == 1580515200


@pytest.mark.parametrize(
    "text",
    [
        b'"31-Feb-2020 00:00:00 +0000"',
        b'"01-Foo-2020 00:00:00 +0000"',
        b'"01-Feb-0000 00:00:00 +0000"',
        b'"01-Feb-2020 24:00:00 +0000"',
        b'"01-Feb-2020 00:60:00 +0000"',
        b'"01-Feb-2020 00:00:61 +0000"',
        b'"01-Feb-2020 00:00:00 +0060"',
        b'"01-Feb-2020 00:00:00"',
        b'""',
        b'"Mon, 1 Feb 2020"',
    ],
)
def test_what_is_no_date_is_unknown(text: bytes) -> None:
    assert read_date(text) is None


def test_what_is_remembered_is_bounded() -> None:
    memo = Memo(len, bound=3)
    assert [memo[b"x" * length] for length in (1, 2, 3, 2, 4, 1)] == [1, 2, 3, 2, 4, 1]
    assert len(memo) <= 3
