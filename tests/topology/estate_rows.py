"""An estate made by number as rows of the inventory, written in bulk: for benchmarks and for tests at size."""

from typing import Any

from tests.domain.estates import EstateBuilder, nic_id
from tests.inventory.factories import NOW, make_subscription
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.graph import NicDoc
from vtapweb.inventory.models import (
    IpConfiguration,
    NetworkInterface,
    Subnet,
    TapConfiguration,
    VirtualMachine,
    VirtualNetwork,
    VirtualNetworkPeering,
    VirtualNetworkTap,
)

BATCH = 1_000


def fill(estate: EstateBuilder) -> list[str]:
    """Store the estate; returns its subscriptions' ids."""
    for row in estate.subscriptions:
        make_subscription(row.id, name=row.name)
    regions = {vnet.key: (vnet.region, vnet.subscription_id) for vnet in estate.vnets}
    nic_docs = {doc.key: doc for doc in estate.nics}

    def address_key(doc: NicDoc) -> str:
        return arm_key(nic_id(doc.subscription_id, doc.name) + "/ipConfigurations/ipconfig1")

    def common(key: str, name: str, subscription_id: str, region: str) -> dict[str, Any]:
        return {
            "key": key, "name": name, "subscription_id": subscription_id, "location": region, "arm_id": f"/subscriptions/{subscription_id}/{name}",
            "provisioning_state": "Succeeded", "first_seen_at": NOW,
        }  # fmt: skip

    VirtualNetwork.objects.bulk_create(
        [VirtualNetwork(**common(doc.key, doc.name, doc.subscription_id, doc.region), address_prefixes=[doc.prefix]) for doc in estate.vnets],
        batch_size=BATCH,
    )
    Subnet.objects.bulk_create(
        [
            Subnet(**common(doc.key, doc.name, regions[doc.vnet_key][1], ""), virtual_network_id=doc.vnet_key, address_prefixes=[doc.prefix])
            for doc in estate.subnets
        ],
        batch_size=BATCH,
    )
    VirtualNetworkPeering.objects.bulk_create(
        [
            VirtualNetworkPeering(
                **common(arm_key(f"{doc.vnet_key}/{doc.remote_key}/{number}"), "peering", regions[doc.vnet_key][1], ""),
                virtual_network_id=doc.vnet_key, remote_virtual_network_id=doc.remote_id, remote_virtual_network_key=doc.remote_key,
                peering_state=doc.state, peering_sync_level=doc.sync_level,
            )
            for number, doc in enumerate(estate.peerings)
        ],
        batch_size=BATCH,
    )  # fmt: skip
    VirtualMachine.objects.bulk_create(
        [VirtualMachine(**common(arm_key(f"vm/{doc.key}"), doc.name, doc.subscription_id, doc.region), power_state="running") for doc in estate.nics],
        batch_size=BATCH,
    )
    NetworkInterface.objects.bulk_create(
        [
            NetworkInterface(
                **common(doc.key, doc.name, doc.subscription_id, doc.region), subnet_id=doc.subnet_id, subnet_key=doc.subnet_key,
                virtual_machine_key=arm_key(f"vm/{doc.key}"),
            )
            for doc in estate.nics
        ],
        batch_size=BATCH,
    )  # fmt: skip
    IpConfiguration.objects.bulk_create(
        [
            IpConfiguration(
                **common(address_key(doc), "ipconfig1", doc.subscription_id, doc.region),
                network_interface_id=doc.key, subnet_key=doc.subnet_key, private_ip_address="10.0.0.4",
            )
            for doc in estate.nics
        ],
        batch_size=BATCH,
    )  # fmt: skip
    VirtualNetworkTap.objects.bulk_create(
        [
            VirtualNetworkTap(
                **common(doc.key, "tap", doc.subscription_id, doc.region), destination_ip_configuration_id=doc.destination_id,
                destination_ip_configuration_key=doc.destination_key,
            )
            for doc in estate.taps
        ],
        batch_size=BATCH,
    )  # fmt: skip
    TapConfiguration.objects.bulk_create(
        [
            TapConfiguration(
                **common(doc.key, "tap1", nic_docs[doc.nic_key].subscription_id, ""), network_interface_id=doc.nic_key,
                virtual_network_tap_id=doc.tap_id, virtual_network_tap_key=doc.tap_key,
            )
            for doc in estate.mirrors
        ],
        batch_size=BATCH,
    )  # fmt: skip
    return [row.id for row in estate.subscriptions]
