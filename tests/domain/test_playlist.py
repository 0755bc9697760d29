"""Playlists: no gaps, everybody in step, and clocks that go forward and back."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vtapweb.domain.playlist import MOST_SLOTS, Entry, Slot, slots, stretches

LONDON, LORD_HOWE = ZoneInfo("Europe/London"), ZoneInfo("Australia/Lord_Howe")  # the latter's summer time is half an hour
ZONES = [UTC, LONDON, LORD_HOWE, ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/St_Johns"), ZoneInfo("Pacific/Apia")]
HOUR = 3600


def unix(text: str, zone: ZoneInfo | None = None, fold: int = 0) -> int:
    at = datetime.fromisoformat(text).replace(tzinfo=zone or UTC, fold=fold)
    return int(at.timestamp())


def view_at(entries: list[Entry], at: int, zone: ZoneInfo) -> int | None:
    return slots(entries, now=at, until=at + 1, zone=zone)[0].view


def test_views_go_round_from_the_epoch_on_so_a_group_is_in_step() -> None:
    entries = [Entry(view=1, seconds=40), Entry(view=2, seconds=20)]
    start = unix("2026-03-02T12:00:00")
    assert slots(entries, now=start + 10, until=start + 120, zone=UTC)[:3] == [
        Slot(start + 10, start + 40, 1), Slot(start + 40, start + 60, 2), Slot(start + 60, start + 100, 1),
    ]  # fmt: skip
    later = slots(entries, now=start + 55, until=start + 120, zone=UTC)
    assert later[0] == Slot(start + 55, start + 60, 2)


def test_one_entry_alone_does_not_begin_anew() -> None:
    start = unix("2026-03-02T12:00:00")
    assert slots([Entry(view=1, seconds=30)], now=start, until=start + HOUR, zone=UTC) == [Slot(start, start + HOUR, 1)]


def test_by_hour_and_weekday_and_nothing_where_none_is_active() -> None:
    """Monday 2 March 2026. Office hours on weekdays; nights belong to the evening on which they begin."""
    office = Entry(view=1, seconds=60, weekdays=frozenset(range(5)), from_hour=8, until_hour=18)
    night = Entry(view=2, seconds=60, weekdays=frozenset({4}), from_hour=22, until_hour=6)  # Friday's
    entries = [office, night]
    for text, view in (
        ("2026-03-02T07:59:59", None), ("2026-03-02T08:00:00", 1), ("2026-03-02T17:59:59", 1), ("2026-03-02T18:00:00", None),
        ("2026-03-07T12:00:00", None), ("2026-03-06T22:00:00", 2), ("2026-03-07T05:59:59", 2), ("2026-03-07T06:00:00", None),
        ("2026-03-05T23:00:00", None), ("2026-03-06T03:00:00", None),
    ):  # fmt: skip
        assert view_at(entries, unix(text, LONDON), LONDON) == view, text


def test_when_the_clock_goes_forward_the_hour_that_is_not_there_is_left_out() -> None:
    """London, 29 March 2026: after 00:59:59 comes 02:00:00."""
    entries = [Entry(view=1, seconds=60, from_hour=0, until_hour=1), Entry(view=2, seconds=60, from_hour=1, until_hour=2)]
    entries.append(Entry(view=3, seconds=60, from_hour=2, until_hour=3))
    midnight = unix("2026-03-29T00:00:00")
    found = slots(entries, now=midnight, until=midnight + 3 * HOUR, zone=LONDON)
    assert found == [
        Slot(midnight, midnight + HOUR, 1),
        Slot(midnight + HOUR, midnight + 2 * HOUR, 3),
        Slot(midnight + 2 * HOUR, midnight + 3 * HOUR, None),
    ]


def test_when_the_clock_goes_back_the_hour_that_is_there_twice_counts_twice() -> None:
    """London, 25 October 2026: 01:00 to 02:00 is there twice."""
    entries = [Entry(view=1, seconds=60, from_hour=1, until_hour=2), Entry(view=2, seconds=60, from_hour=2, until_hour=3)]
    first = unix("2026-10-25T01:00:00", LONDON)
    assert slots(entries, now=first, until=first + 3 * HOUR, zone=LONDON) == [
        Slot(first, first + 2 * HOUR, 1), Slot(first + 2 * HOUR, first + 3 * HOUR, 2),
    ]  # fmt: skip


def test_a_summer_time_of_half_an_hour() -> None:
    """Lord Howe, 5 April 2026: at 02:00 the clock goes back to 01:30."""
    entry = Entry(view=1, seconds=60, from_hour=1, until_hour=2)
    begin = unix("2026-04-05T01:00:00", LORD_HOWE)
    assert slots([entry], now=begin, until=begin + 2 * HOUR, zone=LORD_HOWE)[0] == Slot(begin, begin + 5400, 1)


def test_a_day_that_was_left_out() -> None:
    """Apia had no 30 December 2011, a Friday."""
    friday = Entry(view=1, seconds=60, weekdays=frozenset({4}))
    start = unix("2011-12-29T00:00:00", ZoneInfo("Pacific/Apia"))
    assert {view_at([friday], start + hour * HOUR, ZoneInfo("Pacific/Apia")) for hour in range(47)} == {None}


def test_an_entry_without_a_length_is_refused() -> None:
    with pytest.raises(ValueError, match="a second"):
        slots([Entry(view=1, seconds=0)], now=0, until=1, zone=UTC)


def test_night_dimming_goes_over_midnight() -> None:
    noon = unix("2026-03-02T12:00:00", LONDON)
    found = stretches(from_hour=20, until_hour=6, now=noon, until=noon + 24 * HOUR, zone=LONDON)
    assert found == [(noon + 8 * HOUR, noon + 18 * HOUR)]
    short = unix("2026-03-28T12:00:00", LONDON)  # that night has an hour less
    assert stretches(from_hour=20, until_hour=6, now=short, until=short + 24 * HOUR, zone=LONDON) == [(short + 8 * HOUR, short + 17 * HOUR)]


entries_drawn = st.lists(
    st.builds(
        Entry,
        view=st.integers(1, 3),
        seconds=st.sampled_from([5, 20, 61, 700, 5000]),
        weekdays=st.frozensets(st.integers(0, 6), min_size=1),
        from_hour=st.integers(0, 23),
        until_hour=st.integers(1, 24),
    ).filter(lambda one: one.from_hour != one.until_hour),
    max_size=5,
)


@given(entries=entries_drawn, now=st.integers(unix("2024-01-01T00:00:00"), unix("2028-01-01T00:00:00")), zone=st.sampled_from(ZONES))
@example(entries=[Entry(1, 61), Entry(2, 5, from_hour=1, until_hour=2)], now=unix("2026-10-25T00:30:00"), zone=LONDON)
def test_slots_have_no_gaps_and_say_what_every_display_would_say_at_that_second(entries: list[Entry], now: int, zone: ZoneInfo) -> None:
    found = slots(entries, now=now, until=now + HOUR, zone=zone)
    assert found[0].from_s == now
    assert all(before.until_s == after.from_s and before.view != after.view for before, after in pairwise(found))
    assert found[-1].until_s >= now + HOUR or len(found) == MOST_SLOTS
    for slot in found:
        for at in (slot.from_s, slot.until_s - 1):
            assert view_at(entries, at, zone) == slot.view  # who was switched on at that second shows the same
            local = datetime.fromtimestamp(at, UTC).astimezone(zone)
            active = [entry.view for entry in entries if entry.is_active(local)]
            assert (slot.view is None and not active) or slot.view in active


@given(at=st.integers(unix("2024-01-01T00:00:00"), unix("2028-01-01T00:00:00")), zone=st.sampled_from(ZONES))
def test_what_is_active_changes_at_quarters_of_an_hour_only(at: int, zone: ZoneInfo) -> None:
    quarter = at // 900 * 900
    begin, end = (datetime.fromtimestamp(one, UTC).astimezone(zone) for one in (quarter, quarter + 899))
    assert (begin.hour, begin.date()) == (end.hour, end.date())
    assert end - begin < timedelta(minutes=15)
