"""What the meter reads of the inventory to name sources. A fixed number of queries, however many NICs there are."""

from django.db.models import Max

from vtapweb.domain.attribution import Attribution, Claim, CollectorPlace, MirrorFact, attribution, vnet_key_in
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import IpConfiguration, NetworkInterface, ResourceChange, Subnet, TapConfiguration, VirtualNetworkPeering
from vtapweb.inventory.receiving import present
from vtapweb.inventory.selectors import in_scope
from vtapweb.traffic.selectors.collectors import collectors_of

STOPPED = frozenset({"stopped", "deallocated", "deallocating"})


def attribution_mark(scope: Scope) -> int:
    """A number that grows whenever the inventory changes: that of the newest change. One query, from an index."""
    return in_scope(ResourceChange.objects.all(), scope).aggregate(newest=Max("pk"))["newest"] or 0


def attribution_tables(scope: Scope) -> Attribution:
    """Who sends from which address to which collector, by what `scope` may read. Five queries, and those of `collectors_of`."""
    facts = collectors_of(scope)
    collector_of_tap = {tap_key: one.key for one in facts for tap_key in one.tap_keys}
    vnet_of = dict(present(Subnet, scope).values_list("key", "virtual_network_id"))
    mirrors = [
        MirrorFact(key, nic_key, collector_of_tap.get(tap_key, tap_key))
        for key, nic_key, tap_key in present(TapConfiguration, scope)
        .exclude(virtual_network_tap_key="")
        .values_list("key", "network_interface_id", "virtual_network_tap_key")
    ]
    return attribution(
        collectors=[
            CollectorPlace(one.key, one.vnet_key, tuple(member.nic_key for member in one.members if member.power_state not in STOPPED))
            for one in facts
        ],
        peerings=present(VirtualNetworkPeering, scope).values_list("virtual_network_id", "remote_virtual_network_key"),
        claims=[
            Claim(address, vnet_of[subnet_key] if subnet_key in vnet_of else vnet_key_in(subnet_id), nic_key)
            for address, subnet_key, subnet_id, nic_key in present(IpConfiguration, scope)
            .exclude(private_ip_address="")
            .values_list("private_ip_address", "subnet_key", "subnet_id", "network_interface_id")
            .iterator(chunk_size=5_000)
        ],
        mirrors=mirrors,
        macs=dict(present(NetworkInterface, scope).filter(is_mirrored=True).exclude(mac_hex="").values_list("key", "mac_hex")),
    )
