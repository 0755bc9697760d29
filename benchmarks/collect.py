"""`collect`: the whole inventory of an estate of size L through `vtapweb.cloud`, against bare aiohttp + orjson on the same pages.

    [server process: prebuilt pages] <--http-- [client process: AzureCloud, frozen types and raw]
                                     <--http-- [client process: aiohttp + orjson.loads]

Each client is a process of its own that reports its CPU seconds (imports not counted: a worker pays them once) and its peak memory. Two rounds,
the better one counts. The pages are built in the server's process, so no client sees another's work.
"""

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks import Result

SUBSCRIPTIONS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(20)]
VNETS, NICS, VMS, PAGE = 50, 2_500, 2_500, 1_000  # in each subscription: 1,000 VNets, 50,000 NICs, 5,000 peerings in all
MEMORY_LIMIT_MIB = 300
ROUNDS = 2


def run() -> Iterator[Result]:
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.collect", "server"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        base_url = server.stdout.readline().strip()
        rounds = [(_client("cloud", base_url), _client("bare", base_url)) for _ in range(ROUNDS)]
    finally:
        server.terminate()
        server.wait()
    ours = min((ours for ours, _ in rounds), key=lambda figures: figures["cpu_s"])
    bare = min((bare for _, bare in rounds), key=lambda figures: figures["cpu_s"])
    if ours["items"] != bare["items"]:
        raise RuntimeError(f"the two clients read different numbers of items: {ours['items']} and {bare['items']}")
    yield Result(
        name="collect: client CPU", value=ours["cpu_s"], unit="s", limit=4.0, reference="aiohttp + orjson, the same pages",
        reference_value=bare["cpu_s"], limit_on_ratio=True,
    )  # fmt: skip
    peak_mib = max(ours["peak_mib"] for ours, _ in rounds)
    yield Result(
        name="collect: peak memory",
        value=peak_mib,
        unit="MiB",
        limit=MEMORY_LIMIT_MIB,
        reference="aiohttp + orjson",
        reference_value=bare["peak_mib"],
    )


def _client(name: str, base_url: str) -> dict[str, Any]:
    output = subprocess.run([sys.executable, "-m", "benchmarks.collect", name, base_url], check=True, capture_output=True, text=True).stdout
    figures: dict[str, Any] = json.loads(output)
    return figures


def _paths() -> list[str]:
    from vtapweb.cloud.versions import LISTINGS

    return [
        f"/subscriptions/{subscription_id}{listing.path}?api-version={listing.api_version}" + (f"&{listing.query}" if listing.query else "")
        for subscription_id in SUBSCRIPTIONS
        for listing in LISTINGS.values()
    ]


def _report(items: int, started_cpu_s: float) -> None:
    cpu_s = time.process_time() - started_cpu_s
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"items": items, "cpu_s": cpu_s, "peak_mib": peak_kib / (1024 * 1024 if sys.platform == "darwin" else 1024)}))


def _read_with_cloud(base_url: str) -> None:
    from vtapweb.cloud import pipeline  # noqa: F401 (imported before the clock starts)
    from vtapweb.cloud.connect import cloud_from_settings
    from vtapweb.cloud.port import ReadKind

    started_cpu_s = time.process_time()
    cloud = cloud_from_settings(cloud="custom", endpoint=base_url, token="benchmark")  # noqa: S106 (any token will do)
    items = 0
    for subscription_id in SUBSCRIPTIONS:
        for kind in ReadKind:
            # A sync holds a whole list before it compares; so does this.
            held = [item for page in cloud.pages(kind, subscription_id) for item in page.items]
            items += len(held)
    cloud.close()
    _report(items, started_cpu_s)


def _read_bare(base_url: str) -> None:
    import aiohttp
    import orjson

    async def read() -> int:
        items = 0
        async with aiohttp.ClientSession() as session:
            for path in _paths():
                url, held = base_url + path, []
                while url:
                    async with session.get(url, headers={"Authorization": "Bearer benchmark"}) as response:
                        page = orjson.loads(await response.read())
                    held += page["value"]
                    url = page.get("nextLink", "")
                items += len(held)
        return items

    started_cpu_s = time.process_time()
    _report(asyncio.run(read()), started_cpu_s)


def _nic(prefix: str, number: int) -> dict[str, Any]:
    arm_id, vnet = f"{prefix}/networkInterfaces/nic-{number}", number % VNETS
    taps = [
        {
            "name": "to-collector",
            "id": f"{arm_id}/tapConfigurations/to-collector",
            "etag": 'W/"00000000-0000-4000-8000-000000000000"',
            "type": "Microsoft.Network/networkInterfaces/tapConfigurations",
            "properties": {"provisioningState": "Succeeded", "virtualNetworkTap": {"id": f"{prefix}/virtualNetworkTaps/tap-0"}},
        }
    ]
    return {
        "name": f"nic-{number}",
        "id": arm_id,
        "etag": 'W/"00000000-0000-4000-8000-000000000000"',
        "type": "Microsoft.Network/networkInterfaces",
        "location": "germanywestcentral",
        "kind": "Regular",
        "tags": {"owner": f"team-{number % 9}", "environment": "production"},
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": f"00000000-0000-4000-9000-{number:012d}",
            "ipConfigurations": [
                {
                    "name": "ipconfig1",
                    "id": f"{arm_id}/ipConfigurations/ipconfig1",
                    "etag": 'W/"00000000-0000-4000-8000-000000000000"',
                    "type": "Microsoft.Network/networkInterfaces/ipConfigurations",
                    "properties": {
                        "provisioningState": "Succeeded",
                        "privateIPAddress": f"10.{vnet}.{number // 250}.{number % 250 + 4}",
                        "privateIPAllocationMethod": "Dynamic",
                        "subnet": {"id": f"{prefix}/virtualNetworks/vnet-{vnet}/subnets/apps"},
                        "primary": True,
                        "privateIPAddressVersion": "IPv4",
                    },
                }
            ],
            "dnsSettings": {"dnsServers": [], "appliedDnsServers": [], "internalDomainNameSuffix": "lab.internal.example"},
            "macAddress": "00-0D-3A-00-00-01",
            "enableAcceleratedNetworking": True,
            "vnetEncryptionSupported": False,
            "enableIPForwarding": False,
            "disableTcpStateTracking": False,
            "networkSecurityGroup": {"id": f"{prefix}/networkSecurityGroups/nsg-0"},
            "hostedWorkloads": [],
            "tapConfigurations": taps if number % 10 == 0 else [],
            "nicType": "Standard",
            "allowPort25Out": True,
            "auxiliaryMode": "None",
            "auxiliarySku": "None",
            "primary": True,
            "virtualMachine": {"id": f"{prefix.replace('Network', 'Compute')}/virtualMachines/vm-{number}"},
        },
    }


def _vnet(prefix: str, number: int) -> dict[str, Any]:
    arm_id = f"{prefix}/virtualNetworks/vnet-{number}"
    subnets = [
        {
            "name": name,
            "id": f"{arm_id}/subnets/{name}",
            "properties": {"provisioningState": "Succeeded", "addressPrefix": f"10.{number}.{third}.0/20"},
        }
        for name, third in (("apps", 0), ("data", 16), ("infra", 32))
    ]
    peerings = [
        {
            "name": f"to-{other}",
            "id": f"{arm_id}/virtualNetworkPeerings/to-{other}",
            "properties": {
                "provisioningState": "Succeeded",
                "peeringState": "Connected",
                "peeringSyncLevel": "FullyInSync",
                "remoteVirtualNetwork": {"id": f"{prefix}/virtualNetworks/vnet-{other}"},
                "allowVirtualNetworkAccess": True,
                "allowForwardedTraffic": True,
                "remoteAddressSpace": {"addressPrefixes": [f"10.{other}.0.0/16"]},
            },
        }
        for other in range(5)
    ]
    properties: dict[str, Any] = {"provisioningState": "Succeeded", "addressSpace": {"addressPrefixes": [f"10.{number}.0.0/16"]}}
    properties |= {"subnets": subnets, "virtualNetworkPeerings": peerings, "enableDdosProtection": False}
    return {"name": f"vnet-{number}", "id": arm_id, "location": "germanywestcentral", "properties": properties}


def _vm(prefix: str, number: int, *, is_status: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {"provisioningState": "Succeeded", "vmId": f"00000000-0000-4000-9000-{number:012d}"}
    if is_status:
        properties["instanceView"] = {"statuses": [{"code": "PowerState/running", "level": "Info", "displayStatus": "VM running"}]}
    else:
        properties |= {
            "hardwareProfile": {"vmSize": "Standard_D4s_v5"},
            "storageProfile": {"imageReference": {"publisher": "p", "offer": "o", "sku": "s", "version": "latest"}, "osDisk": {"osType": "Linux"}},
            "osProfile": {"computerName": f"vm-{number}", "adminUsername": "ops"},
            "networkProfile": {"networkInterfaces": [{"id": f"{prefix}/networkInterfaces/nic-{number}", "properties": {"primary": True}}]},
        }
    arm_id = f"{prefix.replace('Network', 'Compute')}/virtualMachines/vm-{number}"
    return {"name": f"vm-{number}", "id": arm_id, "location": "germanywestcentral", "properties": properties}


def _tap(prefix: str, number: int) -> dict[str, Any]:
    destination = {"id": f"{prefix}/networkInterfaces/nic-1/ipConfigurations/ipconfig1"}
    sources = [{"id": f"{prefix}/networkInterfaces/nic-{nic}/tapConfigurations/to-collector"} for nic in range(0, NICS, 10)]
    properties: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "destinationNetworkInterfaceIPConfiguration": destination,
        "destinationPort": 4789,
    }
    properties["networkInterfaceTapConfigurations"] = sources
    return {"name": f"tap-{number}", "id": f"{prefix}/virtualNetworkTaps/tap-{number}", "location": "germanywestcentral", "properties": properties}


def _items(path: str) -> list[dict[str, Any]]:
    prefix = f"/subscriptions/{path.split('/')[2]}/resourceGroups/rg-estate/providers/Microsoft.Network"
    collection = path.partition("?")[0].rsplit("/", 1)[-1]
    match collection:
        case "networkInterfaces":
            return [_nic(prefix, number) for number in range(NICS)]
        case "virtualNetworks":
            return [_vnet(prefix, number) for number in range(VNETS)]
        case "virtualMachines":
            return [_vm(prefix, number, is_status="statusOnly" in path) for number in range(VMS)]
        case "virtualNetworkTaps":
            return [_tap(prefix, 0)]
        case _:
            return []


def _serve() -> None:
    import orjson

    pages: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            body = pages[self.path]
            self.send_response(200)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    base_url = f"http://127.0.0.1:{server.server_address[1]}"
    for path in _paths():
        items = _items(path)
        for start in range(0, max(len(items), 1), PAGE):
            has_next = start + PAGE < len(items)
            link = {"nextLink": f"{base_url}{path}&$skiptoken={start + PAGE}"} if has_next else {}
            pages[f"{path}&$skiptoken={start}" if start else path] = orjson.dumps({"value": items[start : start + PAGE]} | link)
    print(base_url, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["server"]:
            _serve()
        case ["cloud", address]:
            _read_with_cloud(address)
        case ["bare", address]:
            _read_bare(address)
