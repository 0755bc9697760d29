"""Reads behind the tables and the API: rows of one kind, filtered, counted, with what stands around them. Query counts do not grow with rows."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db.models import BooleanField, Count, F, Func, Model, Q, QuerySet, Value
from django.db.models.functions import Lower

from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.scope import Scope
from vtapweb.domain.search_terms import TermKind, classify
from vtapweb.inventory import selectors
from vtapweb.inventory.kinds import KINDS, Kind
from vtapweb.inventory.models import (
    FrontendIpConfiguration,
    IpConfiguration,
    KindState,
    LoadBalancer,
    NetworkInterface,
    Resource,
    Subnet,
    Subscription,
    TapConfiguration,
    VirtualMachine,
    VirtualNetwork,
)

_KEY = re.compile(r"[a-z2-7]{26}")
CHUNK = 2000


def in_scope(scope: Scope, path: str = "subscription_id") -> Q:
    """The condition that a row's subscription may be read."""
    return Q() if scope.subscription_ids is None else Q(**{f"{path}__in": sorted(scope.subscription_ids)})


@dataclass(frozen=True, slots=True)
class RowFilter:
    """What rows are wanted. "" or None: no condition. `keys`: only these (a selection)."""

    q: str = ""
    subscription: str = ""
    region: str = ""
    vnet: str = ""
    tag: str = ""
    state: str = ""
    mirrored: bool | None = None
    is_removed: bool = False
    keys: frozenset[str] | None = None


def _text_condition(kind: Kind, q: str, scope: Scope) -> Q:
    """A row matches by its name, or by an address, prefix, MAC or ARM id where `q` is one."""
    term = classify(q)
    name = Q(name__icontains=q.strip())
    if term.kind is TermKind.ARM_ID:
        return Q(key=term.value)
    if term.kind is TermKind.MAC:
        return name | Q(mac_hex=term.value) if kind.model is NetworkInterface else name
    if term.kind in (TermKind.ADDRESS, TermKind.PREFIX):
        low, high = term.value, term.last or term.value
        inside = {"private_ip_hex__gte": low, "private_ip_hex__lte": high}
        present = IpConfiguration.objects.filter(in_scope(scope), **inside)
        if kind.model is NetworkInterface:
            return Q(key__in=present.values("network_interface_id"))
        if kind.model is VirtualMachine:
            return Q(
                key__in=NetworkInterface.objects.filter(in_scope(scope), key__in=present.values("network_interface_id")).values("virtual_machine_key")
            )
        if kind.model is LoadBalancer:
            return Q(key__in=FrontendIpConfiguration.objects.filter(in_scope(scope), **inside).values("load_balancer_id"))
        if kind.slug in ("vnets", "subnets"):
            return name | Q(address_prefixes__icontains=q.strip())
    return name


def _vnet_keys(vnet: str, scope: Scope) -> Q:
    """A VNet by key, ARM id or name (a name may stand for several)."""
    if _KEY.fullmatch(vnet):
        return Q(key=vnet)
    return Q(key=arm_key(vnet)) if vnet.startswith("/") else Q(name__iexact=vnet) & in_scope(scope)


def _vnet_condition(kind: Kind, vnets: QuerySet[Any], scope: Scope) -> Q:
    """In one of these VNets: by its own field; a VM by its NICs, a load balancer by its frontends' subnets, a TAP by its destination's place."""
    if kind.vnet_field:
        return Q(**{f"{kind.vnet_field}__in": vnets})
    frontends = FrontendIpConfiguration.objects.filter(
        in_scope(scope), removed_at=None, subnet_key__in=Subnet.objects.filter(virtual_network__in=vnets)
    )
    match kind.slug:
        case "virtual-machines":
            nics = NetworkInterface.objects.filter(in_scope(scope), removed_at=None, virtual_network_key__in=vnets)
            return Q(key__in=nics.values("virtual_machine_key"))
        case "load-balancers":
            return Q(key__in=frontends.values("load_balancer_id"))
        case "taps":
            addresses = IpConfiguration.objects.filter(
                in_scope(scope), removed_at=None, subnet_key__in=Subnet.objects.filter(virtual_network__in=vnets)
            )
            return Q(destination_ip_configuration_key__in=addresses.values("key")) | Q(destination_frontend_key__in=frontends.values("key"))
    return Q()


class HasTag(Func):
    """Whether a row has a tag of this name, in whatever case (Azure's tag names are case-insensitive), and exactly this value unless it is None."""

    output_field = BooleanField()

    def __init__(self, name: str, value: str | None) -> None:
        self.has_value = value is not None
        super().__init__(F("tags"), Value(name.lower()), *([Value(value)] if self.has_value else []))

    def as_sqlite(self, compiler: Any, connection: Any, **_context: Any) -> Any:  # noqa: ARG002 (Django calls it so)
        value = " AND one.value = %(value)s" if self.has_value else ""
        return self._each(compiler, "json_each(%(tags)s) AS one WHERE lower(one.key) = %(name)s" + value)

    def as_postgresql(self, compiler: Any, connection: Any, **_context: Any) -> Any:  # noqa: ARG002 (Django calls it so)
        value = " AND one.value = %(value)s" if self.has_value else ""
        return self._each(compiler, "jsonb_each_text(%(tags)s) AS one(key, value) WHERE lower(one.key) = %(name)s" + value)

    def _each(self, compiler: Any, what: str) -> tuple[str, list[Any]]:
        parts = [compiler.compile(one) for one in self.get_source_expressions()]
        sql = what % dict(zip(("tags", "name", "value"), (sql for sql, _ in parts), strict=False))
        return f"EXISTS(SELECT 1 FROM {sql})", [one for _, given in parts for one in given]  # noqa: S608 (every value is a parameter)


def rows(kind: Kind, scope: Scope, wanted: RowFilter) -> QuerySet[Any]:
    """The rows of `kind` in `scope` that `wanted` describes, unordered, without `raw` and `digest`."""
    manager: QuerySet[Any] = kind.model._default_manager.all()
    heavy = [one.name for one in kind.model._meta.concrete_fields if one.name in ("raw", "digest")]
    found = manager.defer(*heavy).filter(in_scope(scope), removed_at__isnull=not wanted.is_removed)
    if wanted.subscription:
        sub = wanted.subscription.lower()
        found = found.filter(Q(subscription_id=sub) | Q(subscription_id__in=Subscription.objects.filter(name__iexact=sub).values("subscription_id")))
    if wanted.region:
        found = found.filter(location=wanted.region.lower().replace(" ", ""))
    if wanted.vnet:
        found = found.filter(_vnet_condition(kind, VirtualNetwork.objects.filter(_vnet_keys(wanted.vnet, scope)).values("key"), scope))
    if wanted.tag:
        name, has_value, value = wanted.tag.partition(":")
        found = found.filter(HasTag(name, value if has_value else None))
    if wanted.state:
        found = found.filter(**{f"{kind.state_field}__iexact": wanted.state})
    if wanted.mirrored is not None and kind.mirrored_field:
        found = found.filter(**{kind.mirrored_field: wanted.mirrored})
    if wanted.q:
        found = found.filter(_text_condition(kind, wanted.q, scope))
    if wanted.keys is not None:
        found = found.filter(key__in=sorted(wanted.keys))
    return found


def chunks(found: QuerySet[Any]) -> Iterator[list[Any]]:
    """All rows in the order of their keys, in portions that each take one short query; rows written meanwhile do not repeat or hide others."""
    last = ""
    while portion := list(found.filter(key__gt=last).order_by("key")[:CHUNK]):
        yield portion
        last = portion[-1].key


def stale_since(scope: Scope, slug: str) -> dict[str, datetime]:
    """Subscription id → since when its rows of this kind may be untrue; those up to date do not appear. Two queries."""
    return {subscription_id: since for (subscription_id, kind), since in selectors.stale_since(scope).items() if kind == slug}


def subscription_names(scope: Scope) -> dict[str, str]:
    """Subscription id → its name (the id where it has none). One query."""
    return {one: name or one for one, name in Subscription.objects.filter(in_scope(scope)).values_list("subscription_id", "name")}


def present_keys(model: type[Model], scope: Scope, keys: Iterable[str]) -> frozenset[str]:
    """Which of these resources the viewer can open: stored and in scope, removed ones too. One query, none for no keys."""
    wanted = sorted({key for key in keys if key})
    return frozenset(model._default_manager.filter(in_scope(scope), key__in=wanted).values_list("key", flat=True)) if wanted else frozenset()


def count_by(model: type[Resource], path: str, scope: Scope, keys: Iterable[str], **conditions: object) -> dict[str, int]:
    """How many present rows of `model` point at each key by `path`, in scope; keys without any are absent. One query."""
    found = model._default_manager.filter(in_scope(scope), removed_at=None, **{f"{path}__in": sorted(set(keys))}, **conditions)
    return {row[path]: row["n"] for row in found.values(path).annotate(n=Count("key")).order_by()}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why one subscription's rows of a kind may not be the whole truth of now."""

    subscription_id: str
    subscription: str
    status: str
    failure: str
    code: str
    message: str
    last_complete_at: datetime | None
    last_attempt_at: datetime | None
    not_understood_count: int


def troubles(scope: Scope, read_kind: str) -> list[Trouble]:
    """The subscriptions whose list of this kind is not complete or holds what could not be understood, in the order of their names. One query.

    Those that failed alike are one trouble: its subscription is named "a, b and 3 more", its last complete read is the oldest.
    """
    states = (
        KindState.objects.filter(in_scope(scope), kind=read_kind)
        .filter(Q(status__in=[*KindState.INCOMPLETE_STATUSES, KindState.Status.NOT_AVAILABLE]) | Q(not_understood_count__gt=0))
        .select_related("subscription")
        .order_by("subscription__name", "subscription_id")
    )
    found = [
        Trouble(one.subscription_id, str(one.subscription), one.status, one.failure, one.code, one.message, one.last_complete_at,
                one.last_attempt_at, one.not_understood_count)
        for one in states
    ]  # fmt: skip
    alike: dict[tuple[str, str, bool, str], list[Trouble]] = {}
    for one in found:
        own = one.subscription_id if one.not_understood_count else ""
        alike.setdefault((one.status, one.code, one.last_complete_at is None, own), []).append(one)
    return [_together(some) for some in alike.values()]


def _together(alike: list[Trouble]) -> Trouble:
    names = [one.subscription for one in alike]
    shown = names if len(names) < 4 else [*names[:2], f"{len(names) - 2} more"]
    words = " and ".join(part for part in (", ".join(shown[:-1]), shown[-1]) if part)
    oldest = min((one.last_complete_at for one in alike if one.last_complete_at), default=None)
    return replace(alike[0], subscription=words, last_complete_at=oldest)


@dataclass(frozen=True, slots=True)
class Options:
    """What the filters above a table offer: only values that occur."""

    subscriptions: list[tuple[str, str]]
    regions: list[str]
    states: list[str]
    vnets: list[tuple[str, str]] = field(default_factory=list)


OPTIONS_KEPT_S = 20


def options(kind: Kind, scope: Scope) -> Options:
    """What `options_now` found at most OPTIONS_KEPT_S ago for the same kind and scope."""
    name = f"inventory:options:{kind.slug}:{scope.digest}"
    kept = cache.get(name)
    if not isinstance(kept, Options):
        kept = options_now(kind, scope)
        cache.set(name, kept, OPTIONS_KEPT_S)
    return kept


def options_now(kind: Kind, scope: Scope) -> Options:
    """The values to choose from; a VNet whose name is not unique shows its subscription; none are listed beyond 500. Four queries."""
    names = subscription_names(scope)
    # Values of removed rows are offered, too: so an index alone answers where everything may be read.
    present: QuerySet[Any] = kind.model._default_manager.filter(in_scope(scope)).order_by()
    regions = sorted(one for one in present.values_list("location", flat=True).distinct() if one)
    states = sorted(one for one in present.values_list(kind.state_field, flat=True).distinct() if one)
    vnets: list[tuple[str, str]] = []
    if kind.has_vnet and kind.slug != "vnets":
        found = list(
            VirtualNetwork.objects.filter(in_scope(scope), removed_at=None).order_by("name").values_list("key", "name", "subscription_id")[:501]
        )
        seen = [name.lower() for _, name, _ in found]
        vnets = (
            [(key, name if seen.count(name.lower()) == 1 else f"{name} ({names.get(sub, sub)})") for key, name, sub in found]
            if len(found) <= 500
            else []
        )
    return Options(sorted(names.items(), key=lambda one: one[1].lower()), regions, states, vnets)


def kind_counts(scope: Scope) -> dict[str, int]:
    """Slug → how many present rows the viewer can see, for the tabs. One cheap query a kind."""
    found = {slug: kind.model._default_manager.filter(in_scope(scope), removed_at=None).count() for slug, kind in KINDS.items()}
    return {"subscriptions": Subscription.objects.filter(in_scope(scope)).count()} | found


def subscriptions(scope: Scope, wanted: RowFilter) -> QuerySet[Subscription]:
    """The subscriptions in scope; `removed` are those that a complete list no longer held."""
    found = Subscription.objects.defer("raw").filter(in_scope(scope), not_listed_since__isnull=not wanted.is_removed)
    if wanted.q:
        found = found.filter(Q(name__icontains=wanted.q.strip()) | Q(subscription_id__icontains=wanted.q.strip()))
    if wanted.subscription:
        found = found.filter(Q(subscription_id=wanted.subscription.lower()) | Q(name__iexact=wanted.subscription))
    if wanted.state:
        found = found.filter(state__iexact=wanted.state)
    if wanted.keys is not None:
        found = found.filter(key__in=sorted(wanted.keys))
    return found


def source_counts(scope: Scope, keys: Iterable[str]) -> dict[str, int]:
    """TAP key → how many NICs in scope are mirrored to it. One query."""
    found = TapConfiguration.objects.filter(in_scope(scope), removed_at=None, virtual_network_tap_key__in=sorted(set(keys)))
    counted = found.values("virtual_network_tap_key").annotate(n=Count("network_interface_id", distinct=True)).order_by()
    return {row["virtual_network_tap_key"]: row["n"] for row in counted}


def ordered(found: QuerySet[Any], sorts: Mapping[str, str], sort: str, *, is_descending: bool) -> QuerySet[Any]:
    """Sorted by one of `sorts` (else by name), ties by key, so that no row stands on two pages."""
    path = sorts.get(sort, "name")
    by = Lower("name") if path == "name" else F(path)  # names have an index in lower case
    return found.order_by(by.desc() if is_descending else by.asc(), "pk")


def page_of(found: QuerySet[Any], first: int, size: int) -> list[Any]:
    """`size` rows from the `first` on. Two queries: the keys are sorted alone, so that a large table's wide rows stay out of the sorting."""
    keys = list(found.values_list("pk", flat=True)[first : first + size])
    by_key = {row.pk: row for row in found.order_by().filter(pk__in=keys)}
    return [by_key[key] for key in keys if key in by_key]
