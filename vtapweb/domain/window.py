"""Change windows: times of the week, as the wall clock of one zone shows them, in which changes may be sent.

Rule 1: a window is named in local time, and every week's occurrence is worked out anew, so it moves in UTC with summer time. Rule 2: a local time
that the clock skips (spring) counts as the moment it skips; one that it shows twice (autumn) counts as the first. So an occurrence may be an
hour shorter or longer than its neighbours, and one that lies wholly in what is skipped does not take place. Rule 3: `closes` is outside.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LOOK_AHEAD_DAYS: Final = 16  # a week, and another one for an occurrence that does not take place


class UnknownZoneError(ValueError):
    """No zone of that name in the IANA database."""


@dataclass(frozen=True, slots=True)
class WeeklyWindow:
    """Opens on each of `weekdays` (0 is Monday) at `opens`, and closes at `closes`: the next day when that is not later than `opens`."""

    weekdays: frozenset[int]
    opens: time
    closes: time
    zone: str

    def __str__(self) -> str:
        days = ", ".join(WEEKDAYS[one] for one in sorted(self.weekdays))
        return f"{days} {self.opens:%H:%M}–{self.closes:%H:%M} ({self.zone})"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that a window is open, in UTC: from `opens_at` on, and before `closes_at`."""

    opens_at: datetime
    closes_at: datetime

    def holds(self, at: datetime) -> bool:
        return self.opens_at <= at < self.closes_at


def zone_of(name: str) -> ZoneInfo:
    """The zone. Raises UnknownZoneError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:  # OSError: a name that is a directory of the database
        raise UnknownZoneError(f"There is no time zone {name!r}. Say one like Europe/London.") from problem


def moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """When the wall clock of `zone` shows that, in UTC: the first time if it does twice, the moment it skips it if it never does."""
    early = datetime.combine(day, at.replace(tzinfo=None, fold=0), tzinfo=zone).astimezone(UTC)
    if early.astimezone(zone).replace(tzinfo=None) == datetime.combine(day, at.replace(tzinfo=None)):
        return early
    # Skipped: by the offset before, `early` lies as long after the leap as the time lies inside of what is skipped.
    low, high = early - timedelta(hours=26), early
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def occurrences(window: WeeklyWindow, *, start: date, days: int) -> tuple[Occurrence, ...]:
    """Every time it opens on `days` local days from `start` on, in order; those that follow each other without a gap are one.

    Raises UnknownZoneError.
    """
    zone = zone_of(window.zone)
    found: list[Occurrence] = []
    for number in range(days):
        day = start + timedelta(days=number)
        if day.weekday() not in window.weekdays:
            continue
        last_day = day if window.closes > window.opens else day + timedelta(days=1)
        one = Occurrence(moment(day, window.opens, zone), moment(last_day, window.closes, zone))
        if one.closes_at <= one.opens_at:
            continue
        if found and found[-1].closes_at >= one.opens_at:
            one = Occurrence(found.pop().opens_at, one.closes_at)
        found.append(one)
    return tuple(found)


def next_occurrence(windows: Iterable[WeeklyWindow], *, now: datetime) -> Occurrence | None:
    """The occurrence that is open now, or else the one that opens next; None when no window opens at all.

    Raises UnknownZoneError, ValueError when `now` has no zone.
    """
    if now.tzinfo is None:
        raise ValueError("A moment needs its zone.")
    start = now.astimezone(UTC).date() - timedelta(days=9)  # so that what began before and has no gap is found whole
    ahead = [one for window in windows for one in occurrences(window, start=start, days=9 + LOOK_AHEAD_DAYS) if one.closes_at > now]
    return min(ahead, key=lambda one: (max(one.opens_at, now), -one.closes_at.timestamp()), default=None)
