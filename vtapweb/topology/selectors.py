"""What the map reads: the documents of a scope, in a fixed number of queries whatever their number, as plain rows."""

from collections.abc import Mapping
from datetime import datetime

from django.db.models import Count, Max

from vtapweb.domain.graph import (
    Documents,
    MirrorDoc,
    NicDoc,
    PeeringDoc,
    SubnetDoc,
    VnetDoc,
)
from vtapweb.domain.scope import Scope
from vtapweb.domain.topology import SubscriptionRow
from vtapweb.inventory.models import (
    KindState,
    NetworkInterface,
    ResourceChange,
    Subnet,
    Subscription,
    TapConfiguration,
    VirtualMachine,
    VirtualNetwork,
    VirtualNetworkPeering,
)
from vtapweb.inventory.receiving import addresses_of, frontends_of, lists_state, present, taps_of, unix_s
from vtapweb.taps.selectors.ledger import unaccounted_keys, unaccounted_mirrors, unaccounted_taps


def documents_of(scope: Scope) -> Documents:
    """Everything the map needs that `scope` may read. Fifteen queries, and one more for every 900 collectors' addresses."""
    stale, complete = lists_state(scope)
    subscriptions = (
        Subscription.objects.all() if scope.subscription_ids is None else Subscription.objects.filter(pk__in=sorted(scope.subscription_ids))
    )
    taps = taps_of(scope)
    frontends = frontends_of(scope, {tap.destination_key for tap in taps})
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
        addresses=addresses_of(scope, {tap.destination_key for tap in taps} | members),
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


def _subscription_stale(subscription_id: str, not_listed: datetime | None, stale: Mapping[tuple[str, str], int]) -> int:
    found = [since for (sub, _), since in stale.items() if sub == subscription_id]
    if not_listed is not None:
        found.append(unix_s(not_listed))
    return min(found, default=0)


def inventory_mark(scope: Scope) -> str:
    """A short text that differs when the inventory has changed, or who answers for a mirror or a TAP. Five queries."""
    changes = ResourceChange.objects.aggregate(last=Max("id"))["last"]
    states = KindState.objects.aggregate(last=Max("last_attempt_at"), good=Max("last_complete_at"), count=Count("pk"))
    subscriptions = Subscription.objects.aggregate(listed=Max("last_listed_at"), lost=Max("not_listed_since"), count=Count("pk"))
    ledger = [rows.order_by().aggregate(last=Max("pk"), count=Count("pk")) for rows in (unaccounted_mirrors(scope), unaccounted_taps(scope))]
    return f"{scope.digest} {changes} {states} {subscriptions} {ledger}"
