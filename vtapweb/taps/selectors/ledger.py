"""Reads of the ledger: what nobody here answers for, what drifted, and how many of each. `evidence` reads it over time."""

from dataclasses import dataclass

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from vtapweb.domain.scope import Scope
from vtapweb.inventory.selectors import in_scope
from vtapweb.taps.models import LedgerEntry, Mirror, TapLife
from vtapweb.taps.selectors.expiry import expiry_counts

Origin, State = LedgerEntry.Origin, LedgerEntry.State

_UNACCOUNTED = Q(origin=Origin.OUTSIDE, ended_at=None)
_DRIFT = Q(state__in=[State.VANISHED, State.CHANGED], drift_decision="")


@dataclass(frozen=True, slots=True)
class UnaccountedKeys:
    """Keys of what is there without a change of ours, for glyphs: TAP configurations, their NICs, and TAPs."""

    tap_configuration_keys: frozenset[str]
    nic_keys: frozenset[str]
    tap_keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class LedgerCounts:
    """How much waits for somebody."""

    unaccounted_mirrors: int
    unaccounted_taps: int
    drift: int
    overdue: int = 0  # mirrors that were to end and are still there
    soon: int = 0  # mirrors that expire within a day: nobody has to do anything

    @property
    def unaccounted(self) -> int:
        return self.unaccounted_mirrors + self.unaccounted_taps

    @property
    def total(self) -> int:
        return self.unaccounted + self.drift + self.overdue


def open_mirrors(scope: Scope) -> QuerySet[Mirror]:
    """Mirrors that are there, whoever made them; one query."""
    return in_scope(Mirror.objects.filter(ended_at=None), scope)


def unaccounted_mirrors(scope: Scope) -> QuerySet[Mirror]:
    """Open mirrors that nobody here made or adopted, by TAP and NIC; one query."""
    return in_scope(Mirror.objects.filter(_UNACCOUNTED), scope).select_related("replaces").order_by("tap_name", "tap_key", "nic_name", "pk")


def unaccounted_taps(scope: Scope) -> QuerySet[TapLife]:
    """The same of TAPs, by name; one query."""
    return in_scope(TapLife.objects.filter(_UNACCOUNTED), scope).order_by("tap_name", "pk")


def unaccounted_keys(scope: Scope) -> UnaccountedKeys:
    """The keys that the map marks with the glyph of its own; two queries."""
    mirrors = list(unaccounted_mirrors(scope).order_by().values_list("tap_configuration_key", "nic_key"))
    taps = frozenset(unaccounted_taps(scope).order_by().values_list("tap_key", flat=True))
    return UnaccountedKeys(frozenset(key for key, _ in mirrors), frozenset(nic for _, nic in mirrors), taps)


def drifted_mirrors(scope: Scope) -> QuerySet[Mirror]:
    """Mirrors that somebody answered for and that ended or changed in Azure without us, undecided, newest first, with where they point now."""
    rows = in_scope(Mirror.objects.filter(_DRIFT), scope).select_related("began_change")
    return rows.prefetch_related("replaced_by").order_by("-ended_at", "-pk")


def drifted_taps(scope: Scope) -> QuerySet[TapLife]:
    """The same of TAPs; one query."""
    return in_scope(TapLife.objects.filter(_DRIFT), scope).select_related("began_change").order_by("-ended_at", "-pk")


def ledger_counts(scope: Scope) -> LedgerCounts:
    """Three queries."""
    counted = {
        model: in_scope(model._default_manager.filter(_UNACCOUNTED | _DRIFT), scope).aggregate(
            unaccounted=Count("pk", filter=_UNACCOUNTED), drift=Count("pk", filter=_DRIFT)
        )
        for model in (Mirror, TapLife)
    }
    mirrors, taps = counted[Mirror], counted[TapLife]
    return LedgerCounts(mirrors["unaccounted"], taps["unaccounted"], mirrors["drift"] + taps["drift"], *expiry_counts(scope, now=timezone.now()))


def first_review_count(scope: Scope) -> int:
    """How many unaccounted mirrors were there when their subscription was looked at for the first time; one query."""
    first = Mirror.objects.filter(subscription_id=OuterRef("subscription_id")).order_by("first_seen_at").values("first_seen_at")[:1]
    return in_scope(Mirror.objects.filter(_UNACCOUNTED, began_at=None), scope).filter(first_seen_at=Subquery(first)).count()
