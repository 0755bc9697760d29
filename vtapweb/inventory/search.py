"""Finding resources by whatever was pasted: each term ends as matched, ambiguous, not found or removed; none is dropped, all keep their order.

The number of queries is fixed: all terms of a kind are asked for at once.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.db.models.functions import Lower

from vtapweb.domain.plain_text import storable
from vtapweb.domain.scope import Scope
from vtapweb.domain.search_terms import Term, TermKind, terms
from vtapweb.inventory import browse
from vtapweb.inventory.cells import name_of, vnet_id_of
from vtapweb.inventory.kinds import KINDS
from vtapweb.inventory.models import FrontendIpConfiguration, IpConfiguration, NetworkInterface, Subscription
from vtapweb.web.problem import ProblemError

SEARCH_MAX = 5000  # terms at once: more is refused in words, never cut
SUGGESTIONS_MAX = 50
PREFIX_RANGES_MAX = 200  # more prefixes are compared here instead of by the database, whose conditions may not nest deeper
_NAMED = ("nics", "virtual-machines", "vnets", "subnets", "load-balancers", "taps", "network-security-groups", "scale-sets", "availability-sets")
_BY_ID = (*_NAMED, "peerings", "tap-configurations", "resource-groups")


@dataclass(frozen=True, slots=True)
class Hit:
    """A resource that a term may mean. `place` tells twins apart (VNet and subscription); `selection`: the NICs it stands for, else itself."""

    slug: str
    key: str
    name: str
    arm_id: str
    place: str
    detail: str = ""
    selection: tuple[str, ...] = ()
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one term: state "matched", "ambiguous", "not_found" or "removed". A prefix matches all that lies in it."""

    term: Term
    state: str
    hits: tuple[Hit, ...] = ()

    @property
    def selection(self) -> list[str]:
        return list(dict.fromkeys(key for hit in self.hits for key in hit.selection or (hit.key,)))


@dataclass(slots=True)
class Result:
    """All outcomes in the order of the terms, and the keys that are selected without a choice."""

    outcomes: list[Outcome] = field(default_factory=list)

    def of(self, state: str) -> list[Outcome]:
        return [one for one in self.outcomes if one.state == state]

    @property
    def matched(self) -> list[Outcome]:
        return self.of("matched")

    @property
    def ambiguous(self) -> list[Outcome]:
        return self.of("ambiguous")

    @property
    def not_found(self) -> list[Outcome]:
        return self.of("not_found")

    @property
    def removed(self) -> list[Outcome]:
        return self.of("removed")

    @property
    def selection(self) -> list[str]:
        return list(dict.fromkeys(key for one in self.matched for key in one.selection))


@dataclass(slots=True)
class _Found:
    """Rows by what was asked for: (kind of term, value) → hits."""

    names: dict[str, str]  # subscription id → name
    hits: dict[tuple[TermKind, str], list[Hit]] = field(default_factory=lambda: defaultdict(list))

    def hit(self, slug: str, row: Any, detail: str = "") -> Hit:
        where = vnet_id_of(row.arm_id) if slug in ("subnets", "peerings") else getattr(row, "virtual_network_id", "") if slug == "nics" else ""
        parts = [name_of(where)] if where else []
        if "/virtualmachinescalesets/" in row.arm_id.lower():  # its members' NICs have all one name
            words = row.arm_id.split("/")
            parts.append(f"{words[8]} no. {words[10]}" if len(words) > 10 else words[-1])
        parts.append(self.names.get(row.subscription_id, row.subscription_id))
        return Hit(slug, row.key, row.name, row.arm_id, " · ".join(parts), detail, removed_at=row.removed_at)


def find(scope: Scope, pasted: str) -> Result:
    """What each term of `pasted` means to this viewer. Raises ProblemError 413 beyond SEARCH_MAX terms."""
    wanted = terms(storable(pasted))
    if len(wanted) > SEARCH_MAX:
        raise ProblemError(
            413, "Too many at once", f"{len(wanted):,} terms were pasted; up to {SEARCH_MAX:,} fit. Nothing was searched: send them in parts."
        )
    found = _Found(browse.subscription_names(scope))
    by_kind: dict[TermKind, list[Term]] = defaultdict(list)
    for term in wanted:
        by_kind[term.kind].append(term)
    if by_kind[TermKind.ARM_ID]:
        _by_id(found, scope, {term.value for term in by_kind[TermKind.ARM_ID]})
    if by_kind[TermKind.NAME]:
        _by_name(found, scope, {term.value for term in by_kind[TermKind.NAME]})
    if by_kind[TermKind.MAC]:
        _by_mac(found, scope, {term.value for term in by_kind[TermKind.MAC]})
    addresses = [*by_kind[TermKind.ADDRESS], *by_kind[TermKind.PREFIX]]
    if addresses:
        _by_address(found, scope, addresses)
    if len(wanted) == 1 and wanted[0].kind is TermKind.NAME and not found.hits.get((TermKind.NAME, wanted[0].value)):
        _containing(found, scope, wanted[0].value)
    _resolve_machines(found, scope)
    return Result([_outcome(term, found.hits.get((term.kind, _asked(term)), [])) for term in wanted])


def _asked(term: Term) -> str:
    return f"{term.value}-{term.last}" if term.kind is TermKind.PREFIX else term.value


def _outcome(term: Term, hits: list[Hit]) -> Outcome:
    """Present ones come before removed ones; several that select the same are one (a VM and its only NIC)."""
    present = [hit for hit in hits if hit.removed_at is None]
    if not present:
        return Outcome(term, "removed" if hits else "not_found", tuple(hits))
    if term.kind is TermKind.PREFIX:
        return Outcome(term, "matched", tuple(present))
    meanings = {hit.selection or (hit.key,) for hit in present}
    return Outcome(term, "matched" if len(meanings) == 1 else "ambiguous", tuple(present))


def _rows(slug: str, scope: Scope, condition: Q) -> Iterable[Any]:
    model = KINDS[slug].model
    heavy = [one.name for one in model._meta.concrete_fields if one.name in ("raw", "digest", "tags")]
    return model._default_manager.defer(*heavy).filter(browse.in_scope(scope), condition).order_by("name", "key")


def _by_id(found: _Found, scope: Scope, keys: set[str]) -> None:
    for slug in _BY_ID:
        for row in _rows(slug, scope, Q(key__in=keys)):
            found.hits[TermKind.ARM_ID, row.key].append(found.hit(slug, row))
    for sub in Subscription.objects.defer("raw").filter(browse.in_scope(scope), key__in=keys):
        found.hits[TermKind.ARM_ID, sub.key].append(Hit("subscriptions", sub.key, str(sub), sub.arm_id, "", removed_at=sub.not_listed_since))


def _by_name(found: _Found, scope: Scope, names: set[str]) -> None:
    for slug in _NAMED:
        model = KINDS[slug].model
        heavy = [one.name for one in model._meta.concrete_fields if one.name in ("raw", "digest", "tags")]
        lowered = model._default_manager.defer(*heavy).annotate(_low=Lower("name")).filter(browse.in_scope(scope), _low__in=names)
        for row in lowered.order_by("name", "key"):
            found.hits[TermKind.NAME, row.name.lower()].append(found.hit(slug, row))


def _by_mac(found: _Found, scope: Scope, macs: set[str]) -> None:
    for row in _rows("nics", scope, Q(mac_hex__in=macs)):
        found.hits[TermKind.MAC, row.mac_hex].append(found.hit("nics", row, row.mac_address))


def _by_address(found: _Found, scope: Scope, wanted: list[Term]) -> None:
    """Addresses by equality, prefixes by range; on NICs and on load balancers' frontends. Four queries."""
    exact = {term.value for term in wanted if term.kind is TermKind.ADDRESS}
    ranges = {(term.value, term.last) for term in wanted if term.kind is TermKind.PREFIX}
    condition = Q(private_ip_hex__in=exact) if exact else Q()
    if len(ranges) <= PREFIX_RANGES_MAX:
        for low, high in ranges:
            condition |= Q(private_ip_hex__gte=low, private_ip_hex__lte=high)
    else:
        condition |= Q(private_ip_hex__gte=min(low for low, _ in ranges), private_ip_hex__lte=max(high for _, high in ranges))

    noted: set[tuple[str, str]] = set()  # (prefix, key): a NIC with two addresses in a prefix is one hit of it

    def note(hex_: str, hit: Hit) -> None:
        if hex_ in exact:
            found.hits[TermKind.ADDRESS, hex_].append(hit)
        for low, high in ranges:
            prefix = f"{low}-{high}"
            if low <= hex_ <= high and (prefix, hit.key) not in noted:
                noted.add((prefix, hit.key))
                found.hits[TermKind.PREFIX, prefix].append(hit)

    pairs = list(
        IpConfiguration.objects.filter(browse.in_scope(scope), condition)
        .order_by("private_ip_hex")
        .values_list("private_ip_hex", "private_ip_address", "network_interface_id")
    )
    nics = {row.key: row for row in _rows("nics", scope, Q(key__in={nic for _, _, nic in pairs}))} if pairs else {}
    for hex_, address, nic in pairs:
        if nic in nics:
            note(hex_, found.hit("nics", nics[nic], address))
    fronts = list(
        FrontendIpConfiguration.objects.filter(browse.in_scope(scope), condition)
        .order_by("private_ip_hex")
        .values_list("private_ip_hex", "private_ip_address", "load_balancer_id")
    )
    balancers = {row.key: row for row in _rows("load-balancers", scope, Q(key__in={lb for _, _, lb in fronts}))} if fronts else {}
    for hex_, address, lb in fronts:
        if lb in balancers:
            note(hex_, found.hit("load-balancers", balancers[lb], address))


def _containing(found: _Found, scope: Scope, text: str) -> None:
    """For one word alone: names that hold it."""
    for slug in _NAMED:
        for row in list(_rows(slug, scope, Q(name__icontains=text, removed_at=None)))[:SUGGESTIONS_MAX]:
            found.hits[TermKind.NAME, text].append(found.hit(slug, row))


def _resolve_machines(found: _Found, scope: Scope) -> None:
    """A VM stands for its NICs in a selection. One query for all VMs."""
    keys = {hit.key for hits in found.hits.values() for hit in hits if hit.slug == "virtual-machines"}
    if not keys:
        return
    nics: dict[str, list[str]] = defaultdict(list)
    attached = NetworkInterface.objects.filter(browse.in_scope(scope), removed_at=None, virtual_machine_key__in=keys)
    for vm, nic in attached.order_by("name", "key").values_list("virtual_machine_key", "key"):
        nics[vm].append(nic)
    for asked, hits in found.hits.items():
        found.hits[asked] = [
            Hit(hit.slug, hit.key, hit.name, hit.arm_id, hit.place, hit.detail, tuple(nics.get(hit.key, ())), hit.removed_at)
            if hit.slug == "virtual-machines"
            else hit
            for hit in hits
        ]
