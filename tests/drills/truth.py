"""What an ARM server holds, read by nothing but the standard library, in the fields of our API: what a sync has to come to.

It shares no line with `vtapweb.cloud`: names of properties are compared whatever their case, a list is followed by its nextLinks, and a
refused list counts as refused, never as empty.
"""

import http.client
import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

Rows = dict[str, dict[str, object]]  # folded ARM id -> fields
NETWORK, COMPUTE = "/providers/Microsoft.Network", "/providers/Microsoft.Compute"
LISTS = {
    "vnets": f"{NETWORK}/virtualNetworks?api-version=2024-05-01",
    "nics": f"{NETWORK}/networkInterfaces?api-version=2024-05-01",
    "load-balancers": f"{NETWORK}/loadBalancers?api-version=2024-05-01",
    "taps": f"{NETWORK}/virtualNetworkTaps?api-version=2024-05-01",
    "virtual-machines": f"{COMPUTE}/virtualMachines?api-version=2024-03-01",
    "power states": f"{COMPUTE}/virtualMachines?api-version=2024-03-01&statusOnly=true",
}
CHILDREN = {"vnets": ("subnets", "peerings"), "nics": ("tap-configurations",)}
SLUGS = ("vnets", "subnets", "nics", "peerings", "virtual-machines", "load-balancers", "taps", "tap-configurations")


@dataclass
class Truth:
    """`rows` by slug; `refused` are the (subscription, slug) whose list the server did not give."""

    rows: dict[str, Rows] = field(default_factory=lambda: {slug: {} for slug in SLUGS})
    refused: set[tuple[str, str]] = field(default_factory=set)
    scale_sets: set[str] = field(default_factory=set)  # folded ARM ids of uniform ones that a backend pool or a TAP names

    def counts(self) -> dict[str, int]:
        return {slug: len(rows) for slug, rows in self.rows.items()}


def truth_of(endpoint: str) -> Truth:
    """Everything that the server lists at this moment. Its faults must have ended: a broken answer raises."""
    truth = Truth()
    with closing(http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=60)) as own:
        listed = _list(own, endpoint, "/subscriptions?api-version=2021-01-01")
        assert listed is not None
        for subscription in listed:
            subscription_id = str(_get(subscription, "id")).rsplit("/", 1)[1].lower()
            found = {slug: _list(own, endpoint, f"/subscriptions/{subscription_id}{path}") for slug, path in LISTS.items()}
            for slug, items in found.items():
                if items is None:
                    truth.refused |= {(subscription_id, one) for one in (slug, *CHILDREN.get(slug, ()))}
            _take(truth, {slug: [item for item in items or [] if _get(item, "id")] for slug, items in found.items()})
        for set_id in sorted(truth.scale_sets):
            _take(truth, {"nics": _list(own, endpoint, f"{set_id}/networkInterfaces?api-version=2018-10-01") or []})
    return truth


def _list(own: http.client.HTTPConnection, endpoint: str, path: str) -> list[Any] | None:
    """All items of a list; None where the server refuses it."""
    items: list[Any] = []
    url = urljoin(endpoint, path)
    while url:
        assert urlsplit(url).netloc == urlsplit(endpoint).netloc
        own.request("GET", url[len(f"http://{urlsplit(url).netloc}") :], headers={"Authorization": "Bearer another"})
        with own.getresponse() as response:
            body = json.loads(response.read())
        if response.status != 200:
            assert response.status in {403, 404}, body
            return None
        items += _get(body, "value")
        link = _get(body, "nextLink")
        url = urljoin(endpoint, link) if link else ""
    return items


def _get(document: Any, *path: str) -> Any:
    """The value at a path of property names in any case; None where there is none."""
    for name in path:
        if not isinstance(document, dict):
            return None
        document = next((value for key, value in document.items() if key.lower() == name.lower()), None)
    return document


def _texts(values: Any) -> list[str]:
    return sorted(str(value).lower() for value in values or [])


def _text(value: Any) -> str:
    return str(value or "").lower()


def _common(item: Any) -> dict[str, object]:
    location = _text(_get(item, "location")).replace(" ", "")
    return {"name": _get(item, "name") or _get(item, "id").rsplit("/", 1)[1], "location": location, "tags": _get(item, "tags") or {}}


def _state(item: Any) -> dict[str, object]:
    return {"provisioning_state": _get(item, "properties", "provisioningState") or ""}


def _take(truth: Truth, found: Mapping[str, list[Any]]) -> None:
    """Lists of one subscription into rows."""
    rows = truth.rows
    power = {_text(_get(one, "id")): _power(one) for one in found.get("power states", [])}
    for vnet in found.get("vnets", []):
        vnet_id, inside = _text(_get(vnet, "id")), _get(vnet, "properties")
        rows["vnets"][vnet_id] = {**_common(vnet), **_state(vnet), "address_prefixes": _texts(_get(inside, "addressSpace", "addressPrefixes"))}
        for subnet in _get(inside, "subnets") or []:
            prefixes = _get(subnet, "properties", "addressPrefixes") or [_get(subnet, "properties", "addressPrefix")]
            rows["subnets"][_text(_get(subnet, "id"))] = {**_state(subnet), "vnet_id": vnet_id, "address_prefixes": _texts(filter(None, prefixes))}
        for peering in _get(inside, "virtualNetworkPeerings") or []:
            rows["peerings"][_text(_get(peering, "id"))] = {
                "vnet_id": vnet_id,
                "remote_vnet_id": _text(_get(peering, "properties", "remoteVirtualNetwork", "id")),
                "state": _get(peering, "properties", "peeringState") or "",
                "sync_level": _get(peering, "properties", "peeringSyncLevel") or "",
            }
    for nic in found.get("nics", []):
        nic_id, inside = _text(_get(nic, "id")), _get(nic, "properties")
        addresses = [_get(one, "properties", "privateIPAddress") for one in _get(inside, "ipConfigurations") or []]
        taps = _get(inside, "tapConfigurations") or []
        rows["nics"][nic_id] = {
            **_common(nic),
            **_state(nic),
            "private_ips": _texts(filter(None, addresses)),
            "mac_address": _text(_get(inside, "macAddress")),
            "vm_id": _text(_get(inside, "virtualMachine", "id")),
            "tap_ids": _texts(_get(one, "properties", "virtualNetworkTap", "id") for one in taps),
            "network_security_group_id": _text(_get(inside, "networkSecurityGroup", "id")),
        }
        for one in taps:
            tap_id = _text(_get(one, "properties", "virtualNetworkTap", "id"))
            rows["tap-configurations"][_text(_get(one, "id"))] = {**_state(one), "nic_id": nic_id, "tap_id": tap_id}
    for vm in found.get("virtual-machines", []):
        vm_id = _text(_get(vm, "id"))
        size = _get(vm, "properties", "hardwareProfile", "vmSize") or ""
        rows["virtual-machines"][vm_id] = {**_common(vm), **_state(vm), "vm_size": size, "power_state": power.get(vm_id, "")}
    for balancer in found.get("load-balancers", []):
        _note_scale_sets(truth, _get(balancer, "properties", "backendAddressPools"))
        rows["load-balancers"][_text(_get(balancer, "id"))] = {**_common(balancer), **_state(balancer), "sku": _get(balancer, "sku", "name") or ""}
    for tap in found.get("taps", []):
        inside = _get(tap, "properties")
        ends = ("destinationNetworkInterfaceIPConfiguration", "destinationLoadBalancerFrontEndIPConfiguration")
        destination = next(filter(None, (_get(inside, end, "id") for end in ends)), "")
        _note_scale_sets(truth, destination)
        rows["taps"][_text(_get(tap, "id"))] = {
            **_common(tap),
            **_state(tap),
            "destination_id": _text(destination),
            "port": _get(inside, "destinationPort"),
        }


def _power(status: Any) -> str:
    codes = [str(_get(one, "code")) for one in _get(status, "properties", "instanceView", "statuses") or []]
    return next((code.split("/", 1)[1].lower() for code in codes if code.lower().startswith("powerstate/")), "")


def _note_scale_sets(truth: Truth, named: Any) -> None:
    """Remembers the sets of members like …/virtualMachineScaleSets/<set>/virtualMachines/…, wherever in `named` their ids stand."""
    for text in json.dumps(named).lower().split('"'):
        if "/virtualmachinescalesets/" in text and "/virtualmachines/" in text:
            truth.scale_sets.add(text.split("/virtualmachines/")[0])


Ask = Callable[[str], Any]  # a path below /api/v1/ -> the answer's JSON


def shown_by(ask: Ask, *, limit: int = 1_000) -> dict[str, Rows]:
    """Everything our API lists, page by page, in the same form."""
    shown: dict[str, Rows] = {}
    for slug in SLUGS:
        rows = shown[slug] = {}
        cursor: str | None = ""
        total = 0
        while cursor is not None:
            page = ask(f"{slug}?limit={limit}&cursor={cursor}")
            rows.update((item["id"].lower(), item) for item in page["items"])
            cursor, total = page["next"], page["total"]
        assert total == len(rows), f"{slug}: the API says {total} and lists {len(rows)}"
    return shown


def differences(truth: Truth, shown: Mapping[str, Rows]) -> list[str]:
    """One sentence for each row or field that is not as the server has it; empty: counts and all fields are equal."""
    found = []
    for slug, rows in truth.rows.items():
        found += [f"{slug}: {one} is missing" for one in sorted(rows.keys() - shown[slug].keys())]
        found += [f"{slug}: {one} is too much" for one in sorted(shown[slug].keys() - rows.keys())]
        for arm_id in sorted(rows.keys() & shown[slug].keys()):
            ours = shown[slug][arm_id]
            found += [
                f"{slug}: {arm_id} has {name} {ours[name]!r}, not {value!r}"
                for name, value in rows[arm_id].items()
                if _plain(name, ours[name]) != _plain(name, value)
            ]
    return found


def _plain(name: str, value: Any) -> object:
    """A value without what may differ: the case of ids and addresses, the order of sets."""
    if isinstance(value, list):
        return _texts(value)
    if name == "mac_address":
        return str(value).lower().replace("-", "").replace(":", "")
    return value.lower() if isinstance(value, str) and (name.endswith("_id") or name in {"location", "power_state"}) else value
