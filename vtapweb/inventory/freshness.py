"""How old the inventory is, in one sentence for the top bar. One query."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Min, Q

from vtapweb.domain.scope import Scope
from vtapweb.inventory.browse import in_scope
from vtapweb.inventory.models import KindState


@dataclass(frozen=True, slots=True)
class Freshness:
    """`state` is the pill's: "live" (all lists complete), "warn" (some not), "stale" (nothing read). `at`: the oldest complete read that counts."""

    state: str
    words: str
    sentence: str
    at: datetime | None
    is_empty: bool


def freshness(scope: Scope) -> Freshness:
    """What the viewer's part of the inventory is worth now."""
    found = KindState.objects.filter(in_scope(scope)).aggregate(
        lists=Count("id"),
        lacking=Count("id", filter=Q(status__in=KindState.INCOMPLETE_STATUSES)),
        oldest=Min("last_complete_at", filter=Q(status=KindState.Status.COMPLETE)),
        newest=Max("last_complete_at"),
    )
    if not found["lists"]:
        return Freshness("stale", "Inventory not read yet", "vtapweb has not read any subscription yet. Start a sync.", None, is_empty=True)
    if found["lacking"]:
        words = f"{found['lacking']} of {found['lists']} lists are incomplete; what was known of them stays, marked stale."
        return Freshness("warn", "Inventory incomplete", words, found["newest"], is_empty=found["newest"] is None)
    return Freshness(
        "live", "Inventory synced", "Every list of every subscription that you may see was read to its end.", found["oldest"], is_empty=False
    )
