"""Rates, shares and states in words, as pages show them; the same figures as the map's (static/js/topology/store/units.js, states.js)."""

from typing import Final

from vtapweb.domain.health import CollectorState

_PREFIXES: Final = ("", "k", "M", "G", "T")
_UNITS: Final = {"bits": "b/s", "packets": "pkt/s"}

# tone of the badge, glyph, words
STATES: Final[dict[CollectorState, tuple[str, str, str]]] = {
    CollectorState.OK: ("flow", "●", "ok"),
    CollectorState.STARTING: ("stale", "◌", "starting"),
    CollectorState.UNKNOWN: ("stale", "?", "not judged now"),
    CollectorState.MAINTENANCE: ("hub", "◇", "in maintenance"),
    CollectorState.NEAR: ("warn", "▲", "near capacity"),
    CollectorState.DEGRADED: ("warn", "◐", "a member is missing"),
    CollectorState.STALE: ("stale", "◌", "no report"),
    CollectorState.OVER: ("bad", "▲", "above 95 % of capacity"),
    CollectorState.DROPPING: ("bad", "⬢", "dropping"),
    CollectorState.EMPTY: ("warn", "∅", "no mirrored traffic"),
    CollectorState.SILENT: ("stale", "◌", "no report"),
}


def rate_words(value: float | None, unit: str = "bits") -> str:
    """8_740_000_000 → "8.74 Gb/s", (12_400, "packets") → "12.4 k pkt/s", None and NaN → "—"."""
    if value is None or value != value:
        return "—"
    step, scaled = 0, abs(value)
    while scaled >= 999.5 and step < len(_PREFIXES) - 1:
        scaled /= 1000
        step += 1
    digits = 0 if scaled >= 99.95 or (step == 0 and (unit == "packets" or scaled >= 9.95)) else 1 if scaled >= 9.995 else 2
    space = " " if unit == "packets" and step else ""
    return f"{'0' if scaled == 0 else f'{scaled:.{digits}f}'} {_PREFIXES[step]}{space}{_UNITS[unit]}"


def bytes_words(count: int) -> str:
    """1_234_567 → "1.2 MB": decimal prefixes."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}" if value < 9.95 and unit != "B" else f"{value:.0f} {unit}"


def share_words(share: float | None) -> str:
    """0.874 → "87 %"; 0.0003 → "<1 %": little is not nothing; None → "not evaluated"."""
    if share is None or share != share:
        return "not evaluated"
    return "<1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def beyond_words(beyond: int, told_apart: int) -> str:
    """(7, 20_000) → "7 sources beyond 20,000 are not told apart; totals include them."."""
    sources, are, them = ("source", "is", "it") if beyond == 1 else ("sources", "are", "them")
    return f"{beyond:,} {sources} beyond {told_apart:,} {are} not told apart; totals include {them}."
