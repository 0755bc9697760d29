"""What the ledger has to learn from a reading of Azure: which lives begin, and how those that are over ended.

Rule 1: absence counts only where a complete read said so (`gone`); what was merely not seen goes on. Rule 2: what a change of ours is just
doing (`busy`) is judged when it is done. Rule 3: of what somebody answers for, an end that was not ours is drift; of the rest it is an end.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Final

NOT_FLUX: Final = frozenset({"", "succeeded"})  # provisioning states in which a resource is what it says it is
DEALLOCATED: Final = "deallocated"
RUNNING: Final = "running"


@dataclass(frozen=True, slots=True)
class Known:
    """An open life: `pair` is what it is bound to (a mirror's TAP, a TAP's destination); `is_answered_for`: by a change, or adopted."""

    pair: str
    is_answered_for: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Keys of lives that begin, and {key: state} of those that are over: `changed`, `vanished` (both drift) or `ended`."""

    begun: frozenset[str]
    over: Mapping[str, str]


def compare(*, seen: Mapping[str, str], known: Mapping[str, Known], busy: Set[str], gone: Set[str]) -> Comparison:
    """What differs between Azure (`seen`: {key: pair}) and the open lives. A key that is in `seen` is not gone, whatever `gone` says."""
    begun = {key for key, pair in seen.items() if key not in busy and (key not in known or known[key].pair != pair)}
    over = {key: "changed" if life.is_answered_for else "ended" for key, life in known.items() if key in begun and life.pair != seen[key]}
    for key in gone - busy - seen.keys():
        if key in known:
            over[key] = "vanished" if known[key].is_answered_for else "ended"
    return Comparison(frozenset(begun), over)


def prepared_at(sightings: Iterable[tuple[datetime, str]], *, tap_since: datetime) -> datetime | None:
    """When the VM was seen running after it had been seen deallocated while the TAP was there; None: not seen, so unknown.

    `sightings` are (when, power state), each in force until the next. A VM that was already stopped when the TAP came counts if it was
    started later: what matters is that it was placed anew while the TAP existed [2025].
    """
    stopped = False
    for at, state in sorted(sightings):
        name = state.lower()
        if name == DEALLOCATED:
            stopped = True
        elif name == RUNNING:
            if stopped and at > tap_since:
                return at
            stopped = False
    return None


def stopped_since(sightings: Sequence[tuple[datetime, str]]) -> datetime | None:
    """Since when the VM is seen deallocated, where that is the last that was seen of it."""
    last = max(sightings, default=None)
    return last[0] if last is not None and last[1].lower() == DEALLOCATED else None
