"""Which time somebody asks for: `from`, `to` and `step_s` of an address, checked."""

from datetime import datetime

from vtapweb.traffic.history.series import MINUTE, POINTS_WANTED, STEPS, Grid, step_for

LENGTH_S = 15 * MINUTE
LONGEST_S = 400 * 86_400


def moment(text: str, otherwise_s: float) -> float:
    """Unix seconds of "2026-11-23T03:12:00Z", "1795400000" or, below 0, seconds ago; `otherwise_s` of "". Raises ValueError for anything else."""
    if not text:
        return otherwise_s
    try:
        value = float(text)
    except ValueError:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text[:40]!r} is no time. Say 2026-11-23T03:12:00Z, unix seconds, or -900 for 15 minutes ago.") from None
        if at.tzinfo is None:
            raise ValueError(f"{text[:40]!r} names no time zone. Add Z for UTC.") from None
        return at.timestamp()
    if not abs(value) < 1e11:
        raise ValueError(f"{text[:40]!r} is no time.")
    return value


def grid_of(from_text: str, to_text: str, step_s: int, *, now_s: float, finest_s: int = 1) -> Grid:
    """The points to answer: the last 15 minutes unless told else. A `step_s` that is finer than what is kept of that time becomes the one that is.

    Raises ValueError, with a sentence, for a time that cannot be answered.
    """
    to_s = moment(to_text, now_s)
    to_s = now_s + to_s if to_s < 0 else to_s
    from_s = moment(from_text, to_s - LENGTH_S)
    from_s = now_s + from_s if from_s < 0 else from_s
    if step_s < 0:
        raise ValueError("A step is longer than nothing.")
    if not 0 <= from_s < to_s or to_s - from_s > LONGEST_S:
        raise ValueError("The time must end after it begins, and not be longer than 400 days.")
    wanted = max(POINTS_WANTED, int((to_s - from_s) / step_s)) if step_s else POINTS_WANTED
    least = max(step_s, step_for(from_s, to_s, now_s=now_s, finest_s=finest_s, wanted=wanted))
    chosen = next((one for one in STEPS if one >= least), STEPS[-1])
    return Grid.covering(from_s, to_s, chosen)
