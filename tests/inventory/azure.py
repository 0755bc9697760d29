"""A small Azure inside a test: documents in, real pages out, through the product's own parser; lists fail where the test says so."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from vtapweb.cloud import parsing
from vtapweb.cloud.port import CloudError, Failure, ReadKind
from vtapweb.cloud.types import Identity, NetworkInterface, NotUnderstood, Page, Subscription

SUBSCRIPTION = "5a000000-0000-0000-0000-000000000001"
OTHER = "5a000000-0000-0000-0000-000000000002"
TENANT = "7a000000-0000-0000-0000-000000000001"

Json = dict[str, Any]


def network_id(kind: str, name: str, subscription_id: str = SUBSCRIPTION) -> str:
    return f"/subscriptions/{subscription_id}/resourceGroups/rg-net/providers/Microsoft.Network/{kind}/{name}"


def compute_id(kind: str, name: str, subscription_id: str = SUBSCRIPTION) -> str:
    return f"/subscriptions/{subscription_id}/resourceGroups/rg-net/providers/Microsoft.Compute/{kind}/{name}"


def document(arm_id: str, *, etag: str = 'W/"1"', tags: Json | None = None, **properties: Any) -> Json:
    return {
        "id": arm_id,
        "name": arm_id.rsplit("/", 1)[-1],
        "etag": etag,
        "location": "uksouth",
        "tags": tags or {},
        "properties": {"provisioningState": "Succeeded", **properties},
    }


def child(parent_id: str, segment: str, name: str, **properties: Any) -> Json:
    return {"id": f"{parent_id}/{segment}/{name}", "name": name, "properties": {"provisioningState": "Succeeded", **properties}}


def vnet(name: str, *, subnets: tuple[str, ...] = ("apps",), peers: dict[str, str] | None = None, **given: Any) -> Json:
    """A VNet; `peers` are {name of the remote VNet: peeringState}."""
    arm_id = network_id("virtualNetworks", name)
    peerings = [
        child(
            arm_id, "virtualNetworkPeerings", f"to-{remote}", remoteVirtualNetwork={"id": network_id("virtualNetworks", remote)}, peeringState=state
        )
        for remote, state in (peers or {}).items()
    ]
    inside = [child(arm_id, "subnets", one, addressPrefix="10.0.1.0/24") for one in subnets]
    return document(arm_id, addressSpace={"addressPrefixes": ["10.0.0.0/16"]}, subnets=inside, virtualNetworkPeerings=peerings, **given)


def nic(name: str, *, address: str = "10.0.1.4", tap: str = "", subscription_id: str = SUBSCRIPTION, **given: Any) -> Json:
    arm_id = network_id("networkInterfaces", name, subscription_id)
    subnet = network_id("virtualNetworks", "hub", subscription_id) + "/subnets/apps"
    inside = [
        child(arm_id, "ipConfigurations", "ipconfig1", privateIPAddress=address, subnet={"id": subnet}, primary=True, privateIPAddressVersion="IPv4")
    ]
    mirrors = [child(arm_id, "tapConfigurations", "mirror", virtualNetworkTap={"id": network_id("virtualNetworkTaps", tap)})] if tap else []
    vm = {"id": compute_id("virtualMachines", f"vm-{name}", subscription_id)}
    values = {"macAddress": "00-0D-3A-00-00-01", "virtualMachine": vm, **given}
    return document(arm_id, ipConfigurations=inside, tapConfigurations=mirrors, **values)


def virtual_machine(name: str, **given: Any) -> Json:
    return document(compute_id("virtualMachines", name), hardwareProfile={"vmSize": "Standard_D2s_v5"}, **given)


def status(name: str, power_state: str) -> Json:
    statuses = [{"code": "ProvisioningState/succeeded"}, {"code": f"PowerState/{power_state}"}]
    return document(compute_id("virtualMachines", name), instanceView={"statuses": statuses})


@dataclass
class Fails:
    """How a list fails: after so many pages, with this."""

    failure: Failure = Failure.SERVER
    after_pages: int = 0
    code: str = "InternalServerError"
    message: str = "Try again."

    def error(self) -> CloudError:
        return CloudError(self.failure, code=self.code, message=self.message)


@dataclass
class SmallAzure:
    """Implements vtapweb.cloud.port.Cloud. `lists` is {(kind, subscription): documents}, `members` {scale set id: NIC documents}."""

    lists: dict[tuple[ReadKind, str], list[Any]] = field(default_factory=dict)
    members: dict[str, list[Any]] = field(default_factory=dict)
    fails: dict[tuple[ReadKind, str], Fails] = field(default_factory=dict)
    subscription_ids: list[str] = field(default_factory=lambda: [SUBSCRIPTION])
    subscriptions_fail: Fails | None = None
    page_size: int = 3
    uncounted: int = 0  # items that the pages say were sent, beyond what they hold
    on_page: Any = None
    name_of: Callable[[str], str] = lambda subscription_id: f"sub {subscription_id[-1]}"
    asked_for_members: list[str] = field(default_factory=list)
    members_fail: dict[str, Fails] = field(default_factory=dict)  # by scale set id
    spoiled: frozenset[str] = frozenset()  # ids of items that come, but that nobody can read

    def put(self, kind: ReadKind, *documents: Any, subscription_id: str = SUBSCRIPTION) -> None:
        self.lists[kind, subscription_id] = list(documents)

    def identity(self) -> Identity:
        return Identity(cloud="custom", endpoint="https://arm.example", tenant_id=TENANT)

    def subscriptions(self) -> Iterator[Page[Subscription]]:
        if self.subscriptions_fail:
            raise self.subscriptions_fail.error()
        found = [
            {"id": f"/subscriptions/{one}", "subscriptionId": one, "displayName": self.name_of(one), "tenantId": TENANT, "state": "Enabled"}
            for one in self.subscription_ids
        ]
        yield _page(parsing.SUBSCRIPTIONS, found)

    def pages(self, kind: ReadKind, subscription_id: str) -> Iterator[Page[Any]]:
        fails = self.fails.get((kind, subscription_id))
        for number, items in enumerate(self._cut(self.lists.get((kind, subscription_id), []))):
            if fails and number == fails.after_pages:
                raise fails.error()
            if self.on_page:
                self.on_page(kind, number)
            page = _page(parsing.READERS[kind], items)
            unread = tuple(NotUnderstood(arm_id=one.arm_id, reason="spoiled", raw=one.raw) for one in page.items if one.arm_id in self.spoiled)
            yield Page(
                items=tuple(one for one in page.items if one.arm_id not in self.spoiled),
                not_understood=(*page.not_understood, *unread),
                sent_count=page.sent_count + self.uncounted,
            )
        if fails:
            raise fails.error()

    def scale_set_network_interfaces(self, scale_set_id: str) -> Iterator[Page[NetworkInterface]]:
        self.asked_for_members.append(scale_set_id)
        if scale_set_id in self.members_fail:
            raise self.members_fail[scale_set_id].error()
        for items in self._cut(self.members.get(scale_set_id, [])):
            yield _page(parsing.NETWORK_INTERFACES, items)

    def close(self) -> None:
        """There is nothing to give back."""

    def _cut(self, items: list[Any]) -> Iterator[list[Any]]:
        for start in range(0, max(len(items), 1), self.page_size):
            yield items[start : start + self.page_size]


def _page(reader: parsing.Reader[Any], items: list[Any]) -> Page[Any]:
    parsed = parsing.parse_page(reader, json.dumps({"value": items}).encode())
    unread: tuple[NotUnderstood, ...] = tuple(parsed.not_understood)
    return Page(items=tuple(parsed.items), not_understood=unread, sent_count=len(parsed.items) + len(unread))
