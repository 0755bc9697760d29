"""A second ARM, made for disagreement: PascalCase properties, upper-case ids, fields nobody knows, gaps, relative links, and no optional APIs.

It shares nothing with the simulator but the REST specification, so what both are read alike is not one author's habit.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.cloud import samples
from tests.contract.http import Reply
from vtapweb.cloud.port import ReadKind

FIRST, SECOND = "A1B2C3D4-0000-4000-8000-00000000000A", "a1b2c3d4-0000-4000-8000-00000000000b"
OPTIONAL = frozenset({ReadKind.VIRTUAL_NETWORK_TAPS, ReadKind.SCALE_SETS, ReadKind.AVAILABILITY_SETS, ReadKind.VIRTUAL_MACHINE_STATUSES})

_COLLECTIONS = {
    "resourcegroups": ReadKind.RESOURCE_GROUPS,
    "virtualnetworks": ReadKind.VIRTUAL_NETWORKS,
    "networksecuritygroups": ReadKind.NETWORK_SECURITY_GROUPS,
    "virtualmachines": ReadKind.VIRTUAL_MACHINES,
    "loadbalancers": ReadKind.LOAD_BALANCERS,
    "networkinterfaces": ReadKind.NETWORK_INTERFACES,
}


def _estate(subscription_id: str) -> dict[ReadKind, list[Any]]:
    """What it holds, in ARM's own casing."""
    network = samples.NETWORK.replace(samples.SUBSCRIPTION, subscription_id)
    compute = samples.COMPUTE.replace(samples.SUBSCRIPTION, subscription_id)

    def own(sample: Any) -> Any:
        return json.loads(json.dumps(sample).replace(samples.SUBSCRIPTION, subscription_id))

    return {
        ReadKind.RESOURCE_GROUPS: [own(samples.SAMPLES[ReadKind.RESOURCE_GROUPS])],
        ReadKind.VIRTUAL_NETWORKS: [samples.vnet(f"vnet-{number}", prefix=network, peer=f"vnet-{number + 1}") for number in range(9)],
        ReadKind.NETWORK_SECURITY_GROUPS: [],
        ReadKind.VIRTUAL_MACHINES: [samples.vm(f"vm-{number}", prefix=compute) for number in range(8)],
        ReadKind.LOAD_BALANCERS: [own(samples.SAMPLES[ReadKind.LOAD_BALANCERS])],
        ReadKind.NETWORK_INTERFACES: [samples.nic(f"nic-{number}", prefix=network, tap="tap-x" if number % 3 == 0 else "") for number in range(20)],
    }


def recase(document: Any) -> Any:
    """The same with a capital first letter on every property (tags' names are data and stay)."""
    if isinstance(document, dict):
        return {key[:1].upper() + key[1:]: value if key == "tags" else recase(value) for key, value in document.items()}
    return [recase(item) for item in document] if isinstance(document, list) else document


@dataclass
class OtherArm:
    page_size: int = 1_000
    fault: str = ""  # drop | reset | cut | short | throttle | server_error | expired_token
    every: int = 0
    request_count: int = 0
    tokens: set[str] = field(default_factory=set)
    taps: dict[str, Any] = field(default_factory=dict)  # by folded id, in ARM's own casing
    writes: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, x-ms-client-request-id
    estates: dict[str, dict[ReadKind, list[Any]]] = field(default_factory=lambda: {one.lower(): _estate(one) for one in (FIRST, SECOND)})

    def sent(self, kind: ReadKind, subscription_id: str) -> list[Any]:
        """The items of a list as they travel: recased, with news among them, and two that nobody can understand among the NICs."""
        items = [{**recase(item), "BrandNew": {"Deep": [None, 1.5, "ü"]}} for item in self.estates[subscription_id.lower()][kind]]
        return [*items, None, {"Name": "nameless"}] if kind is ReadKind.NETWORK_INTERFACES else items

    def answer(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
        self.request_count += 1
        self.tokens.add(headers.get("authorization", ""))
        struck = self.every and self.request_count % self.every == 0
        if struck and self.fault == "throttle":
            return Reply(429, b'{"error": {"code": "TooManyRequests", "message": "slow down"}}', {"Retry-After": "2"})
        if struck and self.fault == "server_error":
            return Reply(503, b"<html>gateway</html>", {"content-type": "text/html"})
        if struck and self.fault == "expired_token":
            return Reply(
                401, b'{"error": {"code": "ExpiredAuthenticationToken", "message": "expired"}}', {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            )
        reply = self._page(url) if method == "GET" else self._write(method, url, headers, body)
        return reply._replace(fault=self.fault) if struck else reply

    def _page(self, url: str) -> Reply:
        parts = urlsplit(url)
        words, query = parts.path.strip("/").lower().split("/"), parse_qs(parts.query)
        if "api-version" not in query:
            return Reply(400, b'{"error": {"code": "MissingApiVersionParameter", "message": "say which"}}')
        if words == ["subscriptions"]:
            return self._slice(
                [{"Id": f"/subscriptions/{one.upper()}", "DisplayName": one, "State": "Enabled"} for one in self.estates], parts.path, query
            )
        if (
            len(words) in {8, 10}
            and words[4] == "providers"
            and words[5] == "microsoft.network"
            and words[6] in {"networkinterfaces", "virtualnetworktaps"}
        ):
            return self._one(parts.path)
        kind = _COLLECTIONS.get(words[-1])
        if kind is None or "statusOnly" in query:
            return Reply(404, b'{"error": {"code": "InvalidResourceType", "message": "not here"}}')
        return self._slice(self.sent(kind, words[1]), parts.path, query)

    def _slice(self, items: list[Any], path: str, query: dict[str, list[str]]) -> Reply:
        """Pages with a relative link; an empty page after every full list."""
        start = int(query.get("from", ["0"])[0])
        page: dict[str, Any] = {"Count": len(items), "Value": items[start : start + self.page_size]}
        if start < len(items):
            page["NextLink"] = f"{path}?api-version={query['api-version'][0]}&from={start + self.page_size}"
        return Reply(200, json.dumps(page, ensure_ascii=False).encode())

    # -- single resources, and writes that are done when they are answered

    def _nic(self, path: str) -> Any:
        nics = self.estates[path.split("/")[2].lower()][ReadKind.NETWORK_INTERFACES]
        return next((one for one in nics if one["id"].lower() == path.lower()), None)

    def _one(self, path: str) -> Reply:
        found = self._nic(path) or self.taps.get(path.lower())
        if found is None:
            return Reply(404, b'{"Error": {"Code": "ResourceNotFound", "Message": "nothing of that name"}}')
        return Reply(200, json.dumps({**recase(found), "BrandNew": [1]}, ensure_ascii=False).encode())

    def _write(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        path = urlsplit(url).path
        self.writes.append((method, path, headers.get("x-ms-client-request-id", "")))
        sent = json.loads(body) if body else {}
        if "/tapconfigurations/" in path.lower():
            return self._write_configuration(method, path, sent)
        if method == "DELETE":
            return Reply(200 if self.taps.pop(path.lower(), None) else 204, b"")
        kept = self.taps.get(
            path.lower(), {"id": path.upper().replace("/SUBSCRIPTIONS", "/subscriptions"), "name": path.rsplit("/", 1)[-1], "properties": {}}
        )
        self.taps[path.lower()] = {**kept, **sent}
        return Reply(200, json.dumps(recase(self.taps[path.lower()])).encode())

    def _write_configuration(self, method: str, path: str, sent: Any) -> Reply:
        nic_id, _, name = path.rsplit("/", 2)
        nic = self._nic(nic_id)
        if nic is None:
            return Reply(404, b'{"Error": {"Code": "NicUnknownHere", "Message": "no such NIC (an invented code)"}}')
        others = [one for one in nic["properties"].get("tapConfigurations", []) if one["name"].lower() != name.lower()]
        if method == "PUT" and others:
            return Reply(409, b'{"Error": {"Code": "OneIsEnough", "Message": "this NIC has a TAP configuration"}}')
        made = [{"id": path, "name": name, "properties": sent["properties"]}] if method == "PUT" else []
        nic["properties"]["tapConfigurations"] = [*others, *made]
        return Reply(200, json.dumps(recase(made[0]), ensure_ascii=False).encode() if made else b"")
