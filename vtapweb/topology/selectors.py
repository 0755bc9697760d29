"""What the map reads: the documents of a scope, in a fixed number of queries whatever their number, as plain rows."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Model, QuerySet

from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.graph import (
    AddressDoc,
    Documents,
    FrontendDoc,
    MirrorDoc,
    NicDoc,
    PeeringDoc,
    SubnetDoc,
    TapDoc,
    VnetDoc,
)
from vtapweb.domain.scope import Scope
from vtapweb.domain.topology import SubscriptionRow
from vtapweb.inventory.models import (
    BackendAddressPool,
    FrontendIpConfiguration,
    IpConfiguration,
    KindState,
    LoadBalancingRule,
    NetworkInterface,
    ResourceChange,
    Subnet,
    Subscription,
    TapConfiguration,
    VirtualMachine,
    VirtualNetwork,
    VirtualNetworkPeering,
    VirtualNetworkTap,
)
from vtapweb.taps.selectors.ledger import unaccounted_keys, unaccounted_mirrors, unaccounted_taps

# Lists that must have been read to their ends before something missing in them is called gone.
LISTS = {"virtual_networks": "vnets", "network_interfaces": "nics", "virtual_network_taps": "taps", "load_balancers": "load-balancers"}
KEYS_A_QUERY = 900  # SQLite's oldest limit of variables is 999


def present(model: type[Model], scope: Scope) -> "QuerySet[Any]":
    """The rows of a resource's table that are there and may be read."""
    rows: QuerySet[Any] = model._default_manager.filter(removed_at=None)
    return rows if scope.subscription_ids is None else rows.filter(subscription_id__in=sorted(scope.subscription_ids))


def documents_of(scope: Scope) -> Documents:
    """Everything the map needs that `scope` may read. Fifteen queries, and one more for every 900 collectors' addresses."""
    stale, complete = _freshness(scope)
    subscriptions = (
        Subscription.objects.all() if scope.subscription_ids is None else Subscription.objects.filter(pk__in=sorted(scope.subscription_ids))
    )
    taps = [TapDoc(key, sub, where, ip or front, ip_key or front_key) for key, sub, where, ip, ip_key, front, front_key in present(
        VirtualNetworkTap, scope).values_list(
        "key", "subscription_id", "location", "destination_ip_configuration_id", "destination_ip_configuration_key", "destination_frontend_id",
        "destination_frontend_key",
    )]  # fmt: skip
    frontends = _frontends(scope, {tap.destination_key for tap in taps})
    members = {key for frontend in frontends.values() for key in frontend.members}
    keys = unaccounted_keys(scope)
    return Documents(
        subscriptions=tuple(
            SubscriptionRow(pk, name or pk, _subscription_stale(pk, not_listed, stale))
            for pk, name, not_listed in subscriptions.order_by("pk").values_list("pk", "name", "not_listed_since")
        ),
        vnets=[
            VnetDoc(key, name, sub, where, ", ".join(prefixes))
            for key, name, sub, where, prefixes in present(VirtualNetwork, scope).values_list(
                "key", "name", "subscription_id", "location", "address_prefixes"
            )
        ],
        subnets=[
            SubnetDoc(key, vnet_key, name, ", ".join(prefixes))
            for key, vnet_key, name, prefixes in present(Subnet, scope).values_list("key", "virtual_network_id", "name", "address_prefixes")
        ],
        peerings=[
            PeeringDoc._make((*row, ", ".join(prefixes)))
            for *row, prefixes in present(VirtualNetworkPeering, scope).order_by("key").values_list(
                "virtual_network_id", "remote_virtual_network_id", "remote_virtual_network_key", "peering_state", "peering_sync_level",
                "remote_address_prefixes",
            )
        ],
        nics=_nics(scope),
        taps=taps,
        mirrors=[
            MirrorDoc(*row)
            for row in present(TapConfiguration, scope).exclude(virtual_network_tap_key="").values_list(
                "key", "network_interface_id", "virtual_network_tap_id", "virtual_network_tap_key", "provisioning_state"
            )
        ],
        addresses=_addresses(scope, {tap.destination_key for tap in taps} | members),
        frontends=frontends,
        stale={place: since for place, since in stale.items() if place[1] in {"vnets", "nics"}},
        complete=complete,
        unaccounted=keys.tap_configuration_keys | keys.tap_keys,
    )  # fmt: skip


def _nics(scope: Scope) -> list[NicDoc]:
    stopped = set(present(VirtualMachine, scope).exclude(power_state__in=["running", ""]).values_list("key", flat=True))
    rows = present(NetworkInterface, scope).values_list(
        "key", "name", "subscription_id", "location", "subnet_id", "subnet_key", "virtual_machine_key", "private_endpoint_id",
        "private_link_service_id", "provisioning_state",
    )  # fmt: skip
    return [
        NicDoc(key, name, sub, where, subnet_id, subnet_key, bool(vm), vm in stopped, bool(endpoint or service), state in ("Succeeded", ""))
        for key, name, sub, where, subnet_id, subnet_key, vm, endpoint, service, state in rows.iterator(chunk_size=5_000)
    ]


def _frontends(scope: Scope, wanted: set[str]) -> dict[str, FrontendDoc]:
    """The load balancers' frontends that TAPs name, with the members of the pools that their rules lead to."""
    rows = [
        row
        for keys in _chunks(wanted)
        for row in present(FrontendIpConfiguration, scope).filter(key__in=keys).values_list(
            "key", "load_balancer_id", "load_balancer__name", "subnet_key", "private_ip_address"
        )
    ]  # fmt: skip
    balancers = {row[1] for row in rows}
    pools_of: dict[str, set[str]] = {}
    members_of: dict[str, list[str]] = {}
    for keys in _chunks(balancers):
        for frontend_key, pool_ids in (
            present(LoadBalancingRule, scope).filter(load_balancer__in=keys).values_list("frontend_key", "backend_pool_ids")
        ):
            pools_of.setdefault(frontend_key, set()).update(arm_key(one) for one in pool_ids)
        for key, members in present(BackendAddressPool, scope).filter(load_balancer__in=keys).values_list("key", "ip_configuration_ids"):
            members_of[key] = [arm_key(one) for one in members]
    return {
        key: FrontendDoc(name, subnet_key, address, tuple(sorted({one for pool in pools_of.get(key, ()) for one in members_of.get(pool, ())})))
        for key, _, name, subnet_key, address in rows
    }


def _addresses(scope: Scope, wanted: set[str]) -> dict[str, AddressDoc]:
    return {
        key: AddressDoc(*row)
        for keys in _chunks(wanted)
        for key, *row in present(IpConfiguration, scope).filter(key__in=keys).values_list(
            "key", "network_interface_id", "subnet_key", "private_ip_address"
        )
    }  # fmt: skip


def _chunks(keys: Iterable[str]) -> list[list[str]]:
    ordered = sorted(keys)
    return [ordered[start : start + KEYS_A_QUERY] for start in range(0, len(ordered), KEYS_A_QUERY)]


def _freshness(scope: Scope) -> tuple[dict[tuple[str, str], int], frozenset[str]]:
    """Since when which list of which subscription is stale (unix seconds), and the subscriptions whose lists were all read to their ends."""
    states = KindState.objects.filter(kind__in=LISTS)
    if scope.subscription_ids is not None:
        states = states.filter(subscription_id__in=sorted(scope.subscription_ids))
    stale: dict[tuple[str, str], int] = {}
    read: dict[str, int] = {}
    for sub, kind, status, completed, attempted in states.values_list("subscription_id", "kind", "status", "last_complete_at", "last_attempt_at"):
        if status in KindState.READ_STATUSES:
            read[sub] = read.get(sub, 0) + 1
        if status in KindState.INCOMPLETE_STATUSES:
            stale[(sub, LISTS[kind])] = _unix_s(completed or attempted)
    return stale, frozenset(sub for sub, count in read.items() if count == len(LISTS))


def subscriptions_read_whole(scope: Scope) -> frozenset[str]:
    """The subscriptions whose lists were all read to their ends the last time: what is missing there is gone. One query."""
    return _freshness(scope)[1]


def _subscription_stale(subscription_id: str, not_listed: datetime | None, stale: Mapping[tuple[str, str], int]) -> int:
    found = [since for (sub, _), since in stale.items() if sub == subscription_id]
    if not_listed is not None:
        found.append(_unix_s(not_listed))
    return min(found, default=0)


def _unix_s(at: datetime | None) -> int:
    """At least 1: 0 would say fresh."""
    return max(1, int(at.timestamp())) if at else 1


def inventory_mark(scope: Scope) -> str:
    """A short text that differs when the inventory has changed, or who answers for a mirror or a TAP. Five queries."""
    changes = ResourceChange.objects.aggregate(last=Max("id"))["last"]
    states = KindState.objects.aggregate(last=Max("last_attempt_at"), good=Max("last_complete_at"), count=Count("pk"))
    subscriptions = Subscription.objects.aggregate(listed=Max("last_listed_at"), lost=Max("not_listed_since"), count=Count("pk"))
    ledger = [rows.order_by().aggregate(last=Max("pk"), count=Count("pk")) for rows in (unaccounted_mirrors(scope), unaccounted_taps(scope))]
    return f"{scope.digest} {changes} {states} {subscriptions} {ledger}"
