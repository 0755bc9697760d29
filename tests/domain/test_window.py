"""Change windows across the days on which the clock is moved."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtapweb.domain.window import Occurrence, UnknownZoneError, WeeklyWindow, moment, next_occurrence, occurrences

SATURDAY, SUNDAY = 5, 6
ZONES = ["UTC", "Europe/London", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Chatham"]


def window(opens: str, closes: str, *weekdays: int, zone: str = "Europe/London") -> WeeklyWindow:
    return WeeklyWindow(frozenset(weekdays), time.fromisoformat(opens), time.fromisoformat(closes), zone)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def between(opens: str, closes: str) -> Occurrence:
    return Occurrence(utc(opens), utc(closes))


def test_a_night_window_closes_on_the_next_day() -> None:
    nights = window("22:00", "02:00", SATURDAY)
    assert str(nights) == "Saturday 22:00–02:00 (Europe/London)"
    open_one = between("2026-11-21 22:00", "2026-11-22 02:00")
    assert next_occurrence([nights], now=utc("2026-11-18 12:00")) == open_one
    assert next_occurrence([nights], now=utc("2026-11-21 22:00")) == open_one
    assert next_occurrence([nights], now=utc("2026-11-22 01:59:59")) == open_one
    assert next_occurrence([nights], now=utc("2026-11-22 02:00")) == between("2026-11-28 22:00", "2026-11-29 02:00")
    assert open_one.holds(utc("2026-11-21 22:00"))
    assert not open_one.holds(utc("2026-11-22 02:00"))


@pytest.mark.parametrize(
    ("opens", "closes", "expected"),
    [
        # 28 March 2027: Berlin's clock goes from 02:00 to 03:00, which is 01:00 UTC.
        ("01:00", "05:00", between("2027-03-28 00:00", "2027-03-28 03:00")),  # an hour shorter
        ("02:30", "05:00", between("2027-03-28 01:00", "2027-03-28 03:00")),  # opens when the clock leaps
        ("01:00", "02:30", between("2027-03-28 00:00", "2027-03-28 01:00")),  # closes when it leaps
        ("02:10", "02:40", between("2027-04-04 00:10", "2027-04-04 00:40")),  # never comes that day: the week after
    ],
)
def test_in_spring_an_hour_is_missing(opens: str, closes: str, expected: Occurrence) -> None:
    assert next_occurrence([window(opens, closes, SUNDAY, zone="Europe/Berlin")], now=utc("2027-03-27 12:00")) == expected


@pytest.mark.parametrize(
    ("opens", "closes", "expected"),
    [
        # 25 October 2026: Berlin's clock goes from 03:00 back to 02:00, which is 01:00 UTC.
        ("01:00", "05:00", between("2026-10-24 23:00", "2026-10-25 04:00")),  # an hour longer
        ("02:30", "05:00", between("2026-10-25 00:30", "2026-10-25 04:00")),  # opens the first time that it is half past two
        ("01:00", "02:30", between("2026-10-24 23:00", "2026-10-25 00:30")),  # closes the first time
        ("02:10", "02:40", between("2026-10-25 00:10", "2026-10-25 00:40")),
    ],
)
def test_in_autumn_an_hour_comes_twice(opens: str, closes: str, expected: Occurrence) -> None:
    assert next_occurrence([window(opens, closes, SUNDAY, zone="Europe/Berlin")], now=utc("2026-10-24 12:00")) == expected


def test_what_follows_without_a_gap_is_one() -> None:
    weekend = window("00:00", "00:00", SATURDAY, SUNDAY, zone="UTC")
    whole = between("2026-11-21 00:00", "2026-11-23 00:00")
    assert next_occurrence([weekend], now=utc("2026-11-20 00:00")) == whole
    assert next_occurrence([weekend], now=utc("2026-11-22 12:00")) == whole


def test_of_several_windows_the_one_that_is_open_or_opens_next() -> None:
    early, late = window("01:00", "02:00", SATURDAY), window("01:30", "04:00", SATURDAY)
    assert next_occurrence([late, early], now=utc("2026-11-20 00:00")) == between("2026-11-21 01:00", "2026-11-21 02:00")
    assert next_occurrence([early, late], now=utc("2026-11-21 01:45")) == between("2026-11-21 01:30", "2026-11-21 04:00")
    assert next_occurrence([], now=utc("2026-11-20 00:00")) is None
    assert next_occurrence([window("01:00", "02:00")], now=utc("2026-11-20 00:00")) is None


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc", "Europe"])
def test_a_zone_that_does_not_exist_is_named(name: str) -> None:
    with pytest.raises(UnknownZoneError, match="Europe/London"):
        occurrences(window("01:00", "02:00", SATURDAY, zone=name), start=date(2026, 1, 1), days=7)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        next_occurrence([], now=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


weekly = st.builds(
    WeeklyWindow,
    st.frozensets(st.integers(0, 6), max_size=7),
    st.times().map(lambda one: one.replace(second=0, microsecond=0)),
    st.times().map(lambda one: one.replace(second=0, microsecond=0)),
    st.sampled_from(ZONES),
)


@given(weekly, st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis adds the zone
def test_the_next_one_has_not_closed_and_shows_the_named_times_where_the_clock_has_them(found: WeeklyWindow, now: datetime) -> None:
    one = next_occurrence([found], now=now)
    if one is None:
        assert not found.weekdays
        return
    assert one.opens_at < one.closes_at
    assert now < one.closes_at
    zone = ZoneInfo(found.zone)
    opens, closes = one.opens_at.astimezone(zone), one.closes_at.astimezone(zone)
    assert opens.weekday() in found.weekdays
    for shown, named in ((opens, found.opens), (closes, found.closes)):
        assert shown.time() == named or moment(shown.date(), named, zone) == shown
    for other in occurrences(found, start=now.date() - timedelta(days=2), days=9):
        assert other.opens_at >= one.opens_at or other.closes_at <= one.closes_at


@given(st.dates(date(2026, 1, 1), date(2030, 1, 1)), st.times(), st.times(), st.sampled_from(ZONES))
def test_moments_of_a_day_keep_their_order(day: date, one: time, other: time, zone: str) -> None:
    """Also on days on which the clock skips an hour or shows one twice."""
    early, late = sorted((one.replace(microsecond=0), other.replace(microsecond=0)))
    first, second = moment(day, early, ZoneInfo(zone)), moment(day, late, ZoneInfo(zone))
    assert first <= second
