"""Which view of a playlist is due when. Pure: instants come in as unix seconds, hours and weekdays are those of a time zone.

Of the entries that are active at an instant those seconds go round from the epoch on (unix seconds modulo their sum), so every display with the same
playlist and zone shows the same view at the same time, whenever it was switched on. Which entries are active changes only where a quarter of an hour
begins in UTC: every zone's hour does, in summer and winter.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

QUARTER_S = 900
MOST_SLOTS = 60


@dataclass(frozen=True, slots=True)
class Entry:
    """One view for `seconds`, on `weekdays` (Monday is 0) from `from_hour` until `until_hour`; until before from goes over midnight, and such a
    night belongs to the day on which it began."""

    view: int
    seconds: int
    weekdays: frozenset[int] = frozenset(range(7))
    from_hour: int = 0
    until_hour: int = 24

    def is_active(self, local: datetime) -> bool:
        """Whether it is due at this local time, by what the clock on the wall shows."""
        if self.from_hour < self.until_hour:
            return self.from_hour <= local.hour < self.until_hour and local.weekday() in self.weekdays
        if local.hour >= self.from_hour:
            return local.weekday() in self.weekdays
        return local.hour < self.until_hour and (local.date() - timedelta(days=1)).weekday() in self.weekdays


@dataclass(frozen=True, slots=True)
class Slot:
    """From `from_s` until before `until_s`, in unix seconds. `view` None: no entry is active, the display's own view is due."""

    from_s: int
    until_s: int
    view: int | None


def slots(entries: Sequence[Entry], *, now: int, until: int, zone: tzinfo) -> list[Slot]:
    """What is due from `now` until at least `until` (unix seconds), without gaps; ends sooner after 60 slots.

    The first slot begins at `now`, however long its view stands already. Neighbours that show the same are one. Raises ValueError for an entry
    without a length.
    """
    if any(entry.seconds < 1 for entry in entries):
        raise ValueError("An entry of a playlist takes a second at least.")
    found: list[Slot] = []
    for one in _pieces(entries, now, until, zone):
        if found and found[-1].view == one.view:
            found[-1] = Slot(found[-1].from_s, one.until_s, one.view)
        elif len(found) == MOST_SLOTS:
            break
        else:
            found.append(one)
    return found


def _pieces(entries: Sequence[Entry], now: int, until: int, zone: tzinfo) -> Iterator[Slot]:
    at = now
    while at < until:
        quarter_end = (at // QUARTER_S + 1) * QUARTER_S
        local = datetime.fromtimestamp(at, UTC).astimezone(zone)
        active = [entry for entry in entries if entry.is_active(local)]
        if not active:
            yield Slot(at, quarter_end, None)
            at = quarter_end
            continue
        cycle_s = sum(entry.seconds for entry in active)
        while at < quarter_end:
            into = at % cycle_s
            for entry in active:
                if into < entry.seconds:
                    break
                into -= entry.seconds
            end = min(quarter_end, at + entry.seconds - into)
            yield Slot(at, end, entry.view)
            at = end


def stretches(*, from_hour: int, until_hour: int, now: int, until: int, zone: tzinfo) -> list[tuple[int, int]]:
    """When, between `now` and `until` (unix seconds), the clock of the zone stands between these hours; over midnight where until is before from."""
    daily = Entry(view=0, seconds=1, from_hour=from_hour, until_hour=until_hour)
    found: list[tuple[int, int]] = []
    at = now
    while at < until:
        end = (at // QUARTER_S + 1) * QUARTER_S
        if daily.is_active(datetime.fromtimestamp(at, UTC).astimezone(zone)):
            if found and found[-1][1] == at:
                found[-1] = (found[-1][0], end)
            else:
                found.append((at, end))
        at = end
    return found
