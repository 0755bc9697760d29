"""What receives mirrored traffic, as the inventory tells it: destinations of TAPs with the machines behind them, and which lists can be believed.

Rows of `domain.graph`, for the map and for the room that measures. Queries: a fixed number, and one more for every 900 keys.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Model, Q, QuerySet

from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.graph import AddressDoc, FrontendDoc, TapDoc
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import BackendAddressPool, FrontendIpConfiguration, IpConfiguration, KindState, LoadBalancingRule, VirtualNetworkTap

# Lists that must have been read to their ends before something missing in them is called gone.
LISTS = {"virtual_networks": "vnets", "network_interfaces": "nics", "virtual_network_taps": "taps", "load_balancers": "load-balancers"}
KEYS_A_QUERY = 900  # SQLite's oldest limit of variables is 999


def present(model: type[Model], scope: Scope) -> "QuerySet[Any]":
    """The rows of a resource's table that are there and may be read."""
    rows: QuerySet[Any] = model._default_manager.filter(removed_at=None)
    return rows if scope.subscription_ids is None else rows.filter(subscription_id__in=sorted(scope.subscription_ids))


def taps_of(scope: Scope, wanted: Q | None = None) -> list[TapDoc]:
    """The TAPs that are there, with their destinations. One query."""
    rows = present(VirtualNetworkTap, scope).filter(wanted or Q()).values_list(
        "key", "subscription_id", "location", "destination_ip_configuration_id", "destination_ip_configuration_key", "destination_frontend_id",
        "destination_frontend_key",
    )  # fmt: skip
    return [TapDoc(key, sub, where, ip or front, ip_key or front_key) for key, sub, where, ip, ip_key, front, front_key in rows]


def frontends_of(scope: Scope, wanted: set[str]) -> dict[str, FrontendDoc]:
    """The load balancers' frontends that TAPs name, with the members of the pools that their rules lead to."""
    rows = [
        row
        for keys in chunks(wanted)
        for row in present(FrontendIpConfiguration, scope).filter(key__in=keys).values_list(
            "key", "load_balancer_id", "load_balancer__name", "subnet_key", "private_ip_address"
        )
    ]  # fmt: skip
    balancers = {row[1] for row in rows}
    pools_of: dict[str, set[str]] = {}
    members_of: dict[str, list[str]] = {}
    for keys in chunks(balancers):
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


def addresses_of(scope: Scope, wanted: set[str]) -> dict[str, AddressDoc]:
    """The ipConfigurations of these keys. One query for every 900."""
    return {
        key: AddressDoc(*row)
        for keys in chunks(wanted)
        for key, *row in present(IpConfiguration, scope).filter(key__in=keys).values_list(
            "key", "network_interface_id", "subnet_key", "private_ip_address"
        )
    }  # fmt: skip


def chunks(keys: Iterable[str]) -> list[list[str]]:
    """The keys in lists that a query can take."""
    ordered = sorted(keys)
    return [ordered[start : start + KEYS_A_QUERY] for start in range(0, len(ordered), KEYS_A_QUERY)]


def lists_state(scope: Scope) -> tuple[dict[tuple[str, str], int], frozenset[str]]:
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
            stale[(sub, LISTS[kind])] = unix_s(completed or attempted)
    return stale, frozenset(sub for sub, count in read.items() if count == len(LISTS))


def subscriptions_read_whole(scope: Scope) -> frozenset[str]:
    """The subscriptions whose lists were all read to their ends the last time: what is missing there is gone. One query."""
    return lists_state(scope)[1]


def unix_s(at: datetime | None) -> int:
    """At least 1: 0 would say fresh."""
    return max(1, int(at.timestamp())) if at else 1
