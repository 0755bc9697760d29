"""How asking for a collector's numbers went, for pages and API."""

from dataclasses import dataclass
from datetime import UTC, datetime

from vtapweb.domain.scope import Scope
from vtapweb.traffic.pulling.notes import AZURE_MONITOR, PROMETHEUS, Note, field_of, notes_of
from vtapweb.traffic.selectors.collectors import CollectorFacts
from vtapweb.traffic.selectors.pulled import prometheus_sources
from vtapweb.traffic.showing import ORIGIN_WORDS
from vtapweb.web.text import span


@dataclass(frozen=True, slots=True)
class NoteLine:
    """One question."""

    note: Note

    @property
    def origin_words(self) -> str:
        return ORIGIN_WORDS[self.note.origin]

    @property
    def asked_at(self) -> datetime | None:
        return _at(self.note.asked_ms)

    @property
    def told_at(self) -> datetime | None:
        return _at(self.note.told_ms)

    @property
    def lag(self) -> str:
        """How late the newest value was, "" where none ever came."""
        return "" if self.note.lag_s is None or not self.note.told_ms else f"{span(self.note.lag_s)} late"


def asked_lines(scope: Scope, collector: CollectorFacts) -> list[NoteLine]:
    """What is asked for this collector's numbers, Azure Monitor first; nothing out of scope. One query, one call of Redis."""
    if not collector.is_in_scope:
        return []
    names = [f"{AZURE_MONITOR}:{nic_key}" for nic_key in [*(one.nic_key for one in collector.members), ""]]
    names += [f"{PROMETHEUS}:{pk}" for pk in prometheus_sources(scope, collector.key).values_list("pk", flat=True)]
    fields = [field_of(collector.key, one) for one in names]
    found = notes_of(fields)
    return [NoteLine(found[name]) for name in fields if name in found]


def _at(unix_ms: int) -> datetime | None:
    return datetime.fromtimestamp(unix_ms / 1000, UTC) if unix_ms else None
