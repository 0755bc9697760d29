"""Displays as people at a desk see them: whether each is on, what it shows and why, how it is. Told from rows, reports and the clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from vtapweb.domain.playlist import Entry
from vtapweb.wall.actions.displays import UNTIL_TAKEN_BACK
from vtapweb.wall.models import Display, DisplayKey, DisplayRole, WallView
from vtapweb.wall.reports import Report
from vtapweb.wall.state import slots_of, zone_of
from vtapweb.web.tables import Cell
from vtapweb.web.text import plural

CLOCK_MATTERS_S: Final = 60.0
WHYS: Final = {"fixed": "its own view", "playlist": "from its playlist", "pushed": "shown now by {by}", "scene": "incident, by {by}"}
STATES: Final = (("on", "On"), ("off", "Off"), ("waiting", "Not let in yet"))
NO_VALUE: Final = "—"


@dataclass(frozen=True, slots=True)
class DisplayLine:
    """One display. `slot` is what it should show now, `names` are those of the views that may be told, `report` None where none is kept."""

    display: Display
    at: datetime
    slot: Mapping[str, Any]
    names: Mapping[int, str]
    report: Report | None
    is_known: bool  # whether reports could be read at all
    keys: Sequence[DisplayKey]
    ours: str  # the version that this server serves

    @property
    def state_name(self) -> str:
        """revoked, unknown, on, off or waiting (for somebody to let it in)."""
        if self.display.revoked_at is not None:
            return "revoked"
        if not any(key.kind == DisplayKey.Kind.COOKIE for key in self.keys):
            return "waiting"
        if not self.is_known:
            return "unknown"
        return "on" if self.report is not None and self.report.is_on(self.at) else "off"

    @property
    def state(self) -> Cell:
        match self.state_name:
            case "revoked":
                return Cell("revoked", tone="bad", glyph="⬢", title="It shows nothing any more.")
            case "waiting":
                has_address = any(key.kind == DisplayKey.Kind.URL and key.first_used_at is None for key in self.keys)
                title = "Its address was not opened yet." if has_address else "Pair the screen, or make a new address for it."
                return Cell("not let in yet", tone="stale", glyph="–", title=title)
            case "unknown":
                return Cell("not known", tone="stale", glyph="?", title="What displays report cannot be read now.")
            case "on":
                return Cell("on", glyph="●", title="It reported within the last 15 seconds.")
            case _:
                return Cell("off", tone="stale", glyph="◌", title="No report for more than 15 seconds: switched off, asleep, or its network is gone.")

    @property
    def is_on(self) -> bool:
        return self.state_name == "on"

    @property
    def is_stale(self) -> bool:
        return self.state_name in {"off", "unknown"}

    @property
    def is_stage(self) -> bool:
        return self.display.role == DisplayRole.STAGE and self.display.group_id is not None

    @property
    def since(self) -> datetime | None:
        """When it was heard last."""
        return None if self.report is None else self.report.at

    @property
    def shows(self) -> str:
        return self._name(self.slot["view"])

    @property
    def why(self) -> str:
        words = WHYS[self.slot["why"]].replace("{by}", self.slot["by"] or "nobody named")
        return f"{words}, until it is taken back" if self.is_pushed and not self.until else words

    @property
    def shows_title(self) -> str:
        return f"{self.shows}: {self.why}" + (f"; it says that it shows {self.differs}" if self.differs else "")

    @property
    def is_pushed(self) -> bool:
        return bool(self.slot["why"] == "pushed")

    @property
    def until(self) -> datetime | None:
        """When it goes back by itself; None where only somebody ends it, or nothing was pushed."""
        is_for_good = self.display.pushed_until is None or self.display.pushed_until >= UNTIL_TAKEN_BACK
        return None if not self.is_pushed or is_for_good else self.display.pushed_until

    @property
    def differs(self) -> str:
        """The view that an on display reports where that is another one than it should show; "" where they agree. It may be a report behind."""
        if not self.is_on or self.report is None or self.report.view in (None, self.slot["view"]):
            return ""
        return self._name(self.report.view)

    @property
    def drawn_at(self) -> datetime | None:
        """When its page was last drawn, by our clock: a screen says how long ago that was."""
        if self.report is None or self.report.drawn_ago_ms is None:
            return None
        return self.report.at - timedelta(milliseconds=self.report.drawn_ago_ms)

    @property
    def frames(self) -> str:
        if self.report is None or self.report.frames_per_s is None or not self.is_on:
            return NO_VALUE
        return f"{self.report.frames_per_s:.1f}/s"

    @property
    def heap(self) -> str:
        """In MiB; a browser that does not say is no 0."""
        return NO_VALUE if self.report is None or self.report.heap_octets is None else f"{self.report.heap_octets / 2**20:,.0f} MiB"

    @property
    def errors(self) -> int | None:
        return None if self.report is None else self.report.errors

    @property
    def last_error(self) -> str:
        return "" if self.report is None else self.report.last_error

    @property
    def version(self) -> str:
        return "" if self.report is None else self.report.version

    @property
    def is_outdated(self) -> bool:
        return bool(self.is_on and self.version and self.version != self.ours)

    @property
    def size(self) -> str:
        return "unknown" if self.report is None or self.report.size is None else "{} × {}".format(*self.report.size)

    @property
    def clock(self) -> str:
        """A word on a clock that is far off; the wall does not go by it."""
        off_s = None if self.report is None else self.report.clock_off_s
        if off_s is None or abs(off_s) < CLOCK_MATTERS_S:
            return ""
        return f"its clock is {abs(off_s):,.0f} s {'ahead' if off_s > 0 else 'behind'}; the wall goes by ours"

    def _name(self, view_id: int) -> str:
        return self.names.get(view_id, "a view that you may not see")


def line_of(
    display: Display,
    *,
    at: datetime,
    entries: Sequence[Entry],
    builtin: Mapping[str, WallView],
    names: Mapping[int, str],
    reports: Mapping[int, Report] | None,
    keys: Sequence[DisplayKey],
    ours: str,
) -> DisplayLine:
    """One line; `reports` None where they cannot be read."""
    slot = slots_of(display, entries, builtin, now=at, zone=zone_of(display), ahead_s=1)[0]
    report = None if reports is None else reports.get(display.pk)
    return DisplayLine(display, at, slot, names, report, reports is not None, keys, ours)


@dataclass(frozen=True, slots=True)
class GroupLines:
    """The displays of a group that may be seen; `row` None for those of no group."""

    row: Any
    lines: Sequence[DisplayLine]

    @property
    def words(self) -> str:
        return f"{plural(len(self.lines), 'display')}, {on_words(self.lines)}"


def on_words(lines: Sequence[DisplayLine]) -> str:
    """How many are on, in words that never take unknown for well: "4 on, 1 off"."""
    counts = {name: sum(line.state_name == name for line in lines) for name in ("on", "off", "waiting", "unknown")}
    words = {"on": "on", "off": "off", "waiting": "not let in yet", "unknown": "not known"}
    return ", ".join(f"{count:,} {words[name]}" for name, count in counts.items() if count) or "none"
