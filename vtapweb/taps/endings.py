"""What is said of a mirror whose time is up or soon will be: how long, and what becomes of it. Asks the database nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from vtapweb.domain.change import ChangeState
from vtapweb.domain.window import zone_of
from vtapweb.taps.models import Change, Mirror, TapLife
from vtapweb.web.text import span


@dataclass(frozen=True, slots=True)
class Ending:
    """A mirror with its end: `words` in a sentence, `change_number` of the change that sees to it (None: there is none)."""

    life: Mirror
    is_overdue: bool
    words: str
    change_number: int | None


def is_overdue(life: Mirror | TapLife | None, now: datetime) -> bool:
    """Whether it was to end before now."""
    return life is not None and life.expires_at is not None and life.expires_at <= now


def endings(lives: Iterable[Mirror], by_key: Mapping[str, Change], now: datetime) -> list[Ending]:
    """Of mirrors that have an end; `by_key` are the changes that see to it, by the key of the TAP configuration."""
    return [_ending(one, by_key.get(one.tap_configuration_key), now) for one in lives if one.expires_at is not None]


def _ending(life: Mirror, change: Change | None, now: datetime) -> Ending:
    if change is not None and change.is_finished and change.created_at < (life.began_at or life.first_seen_at):
        change = None  # it ended an earlier mirror of this NIC
    if life.expires_at is None:
        return Ending(life, False, "It has no end.", None)
    left_s = (life.expires_at - now).total_seconds()
    when = f"Overdue for {span(-left_s)}" if left_s <= 0 else f"Expires in {span(left_s)}"
    return Ending(life, left_s <= 0, f"{when}: {_what_follows(change, left_s, now)}.", None if change is None else change.pk)


def _what_follows(change: Change | None, left_s: float, now: datetime) -> str:
    if change is None:
        return "it could not be planned to untap it, so it stays" if left_s <= 0 else "the change that untaps it is planned a day before"
    number = f"change {change.pk}"
    match ChangeState(change.state):
        case ChangeState.PLANNED if change.window_opens_at is not None and change.window_opens_at > now:
            return f"it will be untapped by {number} in the window {window_words(change)}"
        case ChangeState.PLANNED:
            return f"{number} could not begin to untap it yet, so it stays until it can"
        case ChangeState.APPLYING:
            return f"{number} is untapping it"
        case ChangeState.PAUSED:
            return f"{number}, which untaps it, is paused"
        case ChangeState.HANDED_OVER:
            return f"{number}, which untaps it, was handed over"
        case ChangeState.CANCELLED:
            return f"{number}, which would have untapped it, was cancelled, so it stays until somebody decides"
        case _:
            return f"{number} has not untapped it; it is planned again an hour later"


def window_words(change: Change) -> str:
    """ "2026-12-05 22:00 – 2026-12-06 02:00 Europe/London": the change's window in its own zone; "" for none."""
    if change.window_opens_at is None or change.window_closes_at is None:
        return ""
    zone = change.window_zone or "UTC"
    opens, closes = (one.astimezone(zone_of(zone)) for one in (change.window_opens_at, change.window_closes_at))
    return f"{opens:%Y-%m-%d %H:%M} – {closes:%Y-%m-%d %H:%M} {zone}"
