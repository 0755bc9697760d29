"""Evidence: which mirrors of a place there were between two days, who made them, why, from when to when.

Rule 1: days are days of one zone, both included; a day of 23 or 25 hours is one day. Rule 2: a life counts when any moment of it lies in the
span. Rule 3: of what was there when it was first seen nobody knows since when; where that matters, it is said and counted, never guessed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from vtapweb.domain.arm_id import KEY_PATTERN, arm_key
from vtapweb.domain.plain_text import storable
from vtapweb.domain.scope import Scope
from vtapweb.domain.window import moment, zone_of
from vtapweb.inventory.models import NetworkInterface, Subnet, Subscription, VirtualNetwork, VirtualNetworkTap
from vtapweb.inventory.selectors import in_scope
from vtapweb.taps.models import Mirror

PORTION = 1000
PLACES = ("nic_key", "vnet_key", "subnet_key", "tap_key")


@dataclass(frozen=True, slots=True)
class EvidenceFilter:
    """`of`: the key, ARM id or name of a NIC, VNet, subnet or TAP, or a subscription's id or name; "" = everything. Days None: no limit."""

    of: str = ""
    since: date | None = None
    until: date | None = None
    zone: str = "UTC"

    @property
    def starts_at(self) -> datetime | None:
        """The first moment of the span. Raises UnknownZoneError."""
        return None if self.since is None else moment(self.since, time.min, zone_of(self.zone))

    @property
    def ends_at(self) -> datetime | None:
        """The first moment after the span. Raises UnknownZoneError."""
        if self.until is None or self.until == date.max:
            return None
        return moment(self.until + timedelta(days=1), time.min, zone_of(self.zone))


@dataclass(frozen=True, slots=True)
class Place:
    """What the words in the filter were found to be: sentences for the reader, and the condition."""

    found: tuple[str, ...]
    condition: Q


def evidence(scope: Scope, wanted: EvidenceFilter) -> QuerySet[Mirror]:
    """The lives that fit, newest first. One query; up to five more before it where `of` is a name. Raises UnknownZoneError."""
    zone_of(wanted.zone)  # a wrong one is told also where no day needs it
    rows = _in_place(scope, wanted)
    if (ends_at := wanted.ends_at) is not None:
        rows = rows.filter(from_at__lt=ends_at)
    if (starts_at := wanted.starts_at) is not None:
        rows = rows.filter(Q(ended_at=None) | Q(ended_at__gt=starts_at))
    return rows.order_by("-from_at", "-pk")


def evidence_unknown_count(scope: Scope, wanted: EvidenceFilter) -> int:
    """Lives first seen after the span that may have been there in it: nobody knows since when. One query, none without a last day."""
    ends_at = wanted.ends_at
    return 0 if ends_at is None else _in_place(scope, wanted).filter(began_at=None, first_seen_at__gte=ends_at).count()


def place_of(scope: Scope, of: str) -> Place:
    """What `of` names in scope; a name may be several things, then all of them count. At most five queries."""
    text = storable(of).strip()
    if not text:
        return Place(("all that you may see",), Q())
    key = arm_key(text) if text.startswith("/") else text.lower() if KEY_PATTERN.fullmatch(text.lower()) else ""
    if key:
        names = Q(subscription_id=text.lower().rstrip("/").removeprefix("/subscriptions/"))
        return Place((text,), reduce(or_, (Q(**{name: key}) for name in PLACES), names))
    condition, found = Q(pk=None), []
    for model, name, word in (
        (VirtualNetwork, "vnet_key", "VNet"),
        (Subnet, "subnet_key", "subnet"),
        (NetworkInterface, "nic_key", "NIC"),
        (VirtualNetworkTap, "tap_key", "TAP"),
    ):
        rows: QuerySet[Any] = in_scope(model._default_manager.filter(name__iexact=text), scope)
        for key, arm_id in rows.order_by("arm_id").values_list("key", "arm_id")[:PORTION]:
            condition |= Q(**{name: key})
            found.append(f"{word} {arm_id}")
    named = in_scope(Subscription.objects.filter(Q(name__iexact=text) | Q(subscription_id=text.lower())), scope)
    for subscription_id in named.order_by("subscription_id").values_list("subscription_id", flat=True):
        condition |= Q(subscription_id=subscription_id)
        found.append(f"subscription {subscription_id}")
    return Place(tuple(found), condition)


def _in_place(scope: Scope, wanted: EvidenceFilter) -> QuerySet[Any]:
    rows = in_scope(Mirror.objects.filter(place_of(scope, wanted.of).condition), scope)
    return rows.annotate(from_at=Coalesce("began_at", "first_seen_at"))


def evidence_portions(scope: Scope, wanted: EvidenceFilter) -> Iterator[list[Mirror]]:
    """All that `evidence` finds, a thousand at a time, each portion by its own query when it is wanted."""
    rows: QuerySet[Any] = evidence(scope, wanted)
    after: Any = None
    while True:
        part = rows if after is None else rows.filter(Q(from_at__lt=after.from_at) | Q(from_at=after.from_at, pk__lt=after.pk))
        portion = list(part[:PORTION])
        if not portion:
            return
        yield portion
        after = portion[-1]
