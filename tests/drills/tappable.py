"""The contract suite's second ARM with an estate in which NICs may be mirrored: a VNet, a collector with a TAP, sources; writes end when answered.

It lists TAPs and power states in its own casing, and has none of the APIs of permissions, locks and features.
"""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.cloud import samples
from tests.contract.http import Reply
from tests.contract.other_arm import FIRST, SECOND, OtherArm, recase
from vtapweb.cloud.port import ReadKind

SOURCES = 4
REGION = "uksouth"


def _prefix(subscription_id: str, provider: str = "Network") -> str:
    return f"/subscriptions/{subscription_id}/resourceGroups/rg-Lab/providers/Microsoft.{provider}"


def nic_id(subscription_id: str, name: str) -> str:
    return f"{_prefix(subscription_id)}/networkInterfaces/{name}"


def tap_id(subscription_id: str) -> str:
    return f"{_prefix(subscription_id)}/virtualNetworkTaps/tap-lab"


def _estate(subscription_id: str) -> dict[ReadKind, list[Any]]:
    network, compute = _prefix(subscription_id), _prefix(subscription_id, "Compute")
    vnet = samples.vnet("vnet-lab", prefix=network)
    vnet["location"], vnet["properties"]["virtualNetworkPeerings"] = REGION, []
    (subnet,) = vnet["properties"]["subnets"]
    subnet["properties"] = {"provisioningState": "Succeeded", "addressPrefix": "10.0.2.0/24"}
    nics, vms = [], []
    for place, name in enumerate(("collector", *(f"source-{number}" for number in range(SOURCES)))):
        nic = samples.nic(name, prefix=network, subnet=subnet["id"])
        nic["location"] = REGION
        inside = nic["properties"]
        inside["networkSecurityGroup"] = None
        (configuration,) = inside["ipConfigurations"]
        configuration["properties"]["loadBalancerBackendAddressPools"] = []
        configuration["properties"]["privateIPAddress"] = f"10.0.2.{place + 4}"
        vm = samples.vm(f"vm-{name}", prefix=compute)
        vm["properties"]["availabilitySet"] = None
        vm["properties"]["networkProfile"] = {"networkInterfaces": [{"id": nic["id"]}]}
        nics.append(nic)
        vms.append(vm)
    group = {**samples.SAMPLES[ReadKind.RESOURCE_GROUPS], "id": network.partition("/providers")[0]}
    return {
        ReadKind.RESOURCE_GROUPS: [group],
        ReadKind.VIRTUAL_NETWORKS: [vnet],
        ReadKind.NETWORK_SECURITY_GROUPS: [],
        ReadKind.VIRTUAL_MACHINES: vms,
        ReadKind.LOAD_BALANCERS: [],
        ReadKind.NETWORK_INTERFACES: nics,
    }


def _tap(subscription_id: str) -> dict[str, Any]:
    collector = f"{nic_id(subscription_id, 'collector')}/ipConfigurations/ipconfig1"
    inside = {"provisioningState": "Succeeded", "destinationPort": 4789, "destinationNetworkInterfaceIPConfiguration": {"id": collector}}
    return {"id": tap_id(subscription_id), "name": "tap-lab", "location": REGION, "properties": inside}


@dataclass
class TappableArm(OtherArm):
    """`refusals` are (status, code, message) by the name of a NIC: what a write to it is answered, in codes that nobody else has."""

    estates: dict[str, dict[ReadKind, list[Any]]] = field(default_factory=lambda: {one.lower(): _estate(one) for one in (FIRST, SECOND)})
    taps: dict[str, Any] = field(default_factory=lambda: {tap_id(one).lower(): _tap(one) for one in (FIRST, SECOND)})
    refusals: dict[str, tuple[int, str, str]] = field(default_factory=dict)

    def sent(self, kind: ReadKind, subscription_id: str) -> list[Any]:
        return [one for one in super().sent(kind, subscription_id) if one and (one.get("Id") or one.get("id"))]

    def _page(self, url: str) -> Reply:
        parts = urlsplit(url)
        words = parts.path.strip("/").lower().split("/")
        if words[-1] == "virtualnetworktaps":
            mine = [recase(one) for one in self.taps.values() if one["id"].split("/")[2].lower() == words[1]]
            return Reply(200, json.dumps({"Value": mine}).encode())
        if words[-1] == "virtualmachines" and "statusonly=true" in parts.query.lower():
            running = {"instanceView": {"statuses": [{"code": "PowerState/running"}]}}
            statuses = [{"id": vm["id"], "name": vm["name"], "properties": running} for vm in self.estates[words[1]][ReadKind.VIRTUAL_MACHINES]]
            return Reply(200, json.dumps({"Value": [recase(one) for one in statuses]}).encode())
        return super()._page(url)

    def _write_configuration(self, method: str, path: str, sent: Any) -> Reply:
        refusal = self.refusals.get(path.split("/")[8])
        if refusal is None:
            return super()._write_configuration(method, path, sent)
        status, code, message = refusal
        return Reply(status, json.dumps({"Error": {"Code": code, "Message": message}}).encode())
