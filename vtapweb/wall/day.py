"""What is shown when, for people at a desk: the hours of a display's day with the entries that are due, and the next changes to the second. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from vtapweb.domain.playlist import Entry
from vtapweb.web.text import span

SLOTS_SHOWN: Final = 8
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of the day; two may bear the same words where clocks go back."""

    words: str
    is_now: bool
    is_on: bool = False


@dataclass(frozen=True, slots=True)
class EntryLine:
    name: str
    length: str
    hours: Sequence[Hour]


@dataclass(frozen=True, slots=True)
class SlotLine:
    """One view from an instant until another; `until_words` is "for good" where nothing ends it."""

    from_words: str
    from_utc: str
    until_words: str
    until_utc: str
    view: str
    why: str


@dataclass(frozen=True, slots=True)
class Day:
    """Today in a zone: `words` say what is due now, `lines` which entry is due in which hour, `slots` what comes next."""

    zone: str
    date: str
    weekday: str
    words: str
    hours: Sequence[Hour]
    lines: Sequence[EntryLine]
    slots: Sequence[SlotLine]


def day_of(entries: Sequence[Entry], names: Mapping[int, str], *, otherwise: str, zone: ZoneInfo, now: datetime, slots: Sequence[SlotLine]) -> Day:
    """Today around `now` in `zone`. `names` are those of views, `otherwise` the view that stands while no entry is due."""
    local = now.astimezone(zone)
    begins = _hours(local)
    hours = [Hour(f"{at.astimezone(zone):%H}", at <= now < at + timedelta(hours=1)) for at in begins]
    lines = [
        EntryLine(
            names.get(one.view, "a view of others"),
            span(one.seconds),
            [Hour(hour.words, hour.is_now, one.is_active(at.astimezone(zone))) for hour, at in zip(hours, begins, strict=True)],
        )
        for one in entries
    ]
    words = _words([one for one in entries if one.is_active(local)], names, bool(entries), otherwise)
    return Day(zone.key, f"{local:%Y-%m-%d}", WEEKDAYS[local.weekday()], words, hours, lines, slots)


def _hours(local: datetime) -> list[datetime]:
    """When each hour of the local day begins, in UTC: 23 of them or 25 where clocks change."""
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    at, end = midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC)
    found = []
    while at < end:
        found.append(at)
        at += timedelta(hours=1)
    return found


def _words(due: Sequence[Entry], names: Mapping[int, str], has_entries: bool, otherwise: str) -> str:
    if not has_entries:
        return f"{otherwise}, all day."
    if not due:
        return f"No entry is due now: {otherwise} is shown."
    turns = ", ".join(f"{names.get(one.view, 'a view of others')} for {span(one.seconds)}" for one in due)
    return f"{turns}; then again from the first." if len(due) > 1 else f"{names.get(due[0].view, 'a view of others')} alone is due now."


def slot_lines(
    slots: Iterable[Mapping[str, Any]], names: Mapping[int, str], whys: Mapping[str, str], *, zone: ZoneInfo, now: datetime
) -> list[SlotLine]:
    """The first slots of `GET /wall/state` in words; `whys` are words for each reason ("{by}" stands for who did it)."""
    found = []
    for slot in list(slots)[:SLOTS_SHOWN]:
        begin, begin_utc = moment_words(slot["from_ms"], zone, now)
        end, end_utc = ("for good", "") if slot["until_ms"] is None else moment_words(slot["until_ms"], zone, now)
        why = whys.get(slot["why"], slot["why"]).replace("{by}", slot["by"] or "nobody named")
        found.append(SlotLine(begin, begin_utc, end, end_utc, names.get(slot["view"], "a view of others"), why))
    return found


def moment_words(at_ms: int, zone: ZoneInfo, now: datetime) -> tuple[str, str]:
    """An instant in the zone, with its day where that is not today's, and in UTC."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    local = at.astimezone(zone)
    words = f"{local:%H:%M:%S}" if local.date() == now.astimezone(zone).date() else f"{local:%Y-%m-%d %H:%M:%S}"
    return words, f"{at:%Y-%m-%d %H:%M:%S} UTC"
