"""Recorded answers, played back: through the SDK's own pipeline as they were recorded, and through the readers with nothing lost."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.mgmt.network import NetworkManagementClient

from tests.cloud.samples import SUBSCRIPTION, nic, vnet
from tests.contract import examples
from tests.contract.http import InProcess, Reply
from vtapweb.cloud import metrics, parsing
from vtapweb.cloud.connect import cloud_from_settings
from vtapweb.cloud.parsing import READERS, SUBSCRIPTIONS, Reader, parse_page
from vtapweb.cloud.pipeline import Pipeline, StaticToken
from vtapweb.cloud.port import CloudError, Failure, ReadKind
from vtapweb.cloud.retry import parse_retry_after
from vtapweb.cloud.types import NetworkInterface, VirtualNetwork, VirtualNetworkTap

HOME = "https://management.azure.com"
OWN_LISTS = {
    "network_interfaces_two_pages.json": ReadKind.NETWORK_INTERFACES,
    "virtual_networks.json": ReadKind.VIRTUAL_NETWORKS,
    "virtual_network_taps.json": ReadKind.VIRTUAL_NETWORK_TAPS,
}
EXCHANGES = [examples.OWN / "tap_create.json", examples.OWN / "tap_delete.json", *examples.present(examples.EXCHANGES)]


class Replay:
    """Answers each request with what was recorded for it, in order; a request that is not in the recording fails the test."""

    def __init__(self, exchanges: list[Any]) -> None:
        self.left = list(exchanges)

    def __call__(self, method: str, url: str, headers: Mapping[str, str]) -> Reply:
        assert headers["authorization"] == "Bearer replay"
        for exchange in self.left:
            request, response = exchange["request"], exchange["response"]
            if request["method"] == method and urlsplit(request["path"]).path == urlsplit(url).path:
                self.left.remove(exchange)
                body = b"" if response["body"] is None else json.dumps(response["body"]).encode()
                return Reply(response["status"], body, response["headers"])
        raise AssertionError(f"{method} {url} is not in the recording")


def reader_of(kind: str) -> Reader[Any]:
    return SUBSCRIPTIONS if kind == "subscriptions" else READERS[ReadKind(kind)]


def test_every_file_is_there_where_it_must_be() -> None:
    assert [path.name for path in examples.present(examples.ALL) if not path.is_file()] == []
    unknown = {path.name for path in examples.FOLDER.glob("*.json")} - set(examples.ALL) if examples.is_here() else set()
    assert not unknown, f"files that no test names: {sorted(unknown)}"


@pytest.mark.parametrize("path", EXCHANGES, ids=lambda path: path.stem)
def test_each_get_comes_back_as_it_was_recorded(path: Path) -> None:
    exchanges = [one for one in examples.load(path) if one["request"]["method"] == "GET"]
    pipeline = Pipeline(endpoint=HOME, scope=f"{HOME}/.default", credential=StaticToken("replay"), transport=InProcess(Replay(exchanges)))
    for exchange in exchanges:
        url = exchange["request"]["path"]
        answer = pipeline.send("GET", url if url.startswith("https:") else f"{HOME}{url}", request_id="replay")
        expected = exchange["response"]
        assert (answer.status, answer.headers) == (expected["status"], {name.lower(): value for name, value in expected["headers"].items()})
        assert (json.loads(answer.body) if answer.body else None) == expected["body"]


@pytest.mark.parametrize("path", EXCHANGES, ids=lambda path: path.stem)
def test_each_write_runs_through_the_sdk_as_it_was_recorded(path: Path) -> None:
    exchanges = examples.load(path)
    replay = Replay(exchanges)
    words = urlsplit(exchanges[0]["request"]["path"]).path.split("/")
    client = NetworkManagementClient(StaticToken("replay"), words[2], base_url=HOME, transport=InProcess(replay), polling_interval=0)
    is_configuration, is_put = words[-2] == "tapConfigurations", exchanges[0]["request"]["method"] == "PUT"
    operations: Any = client.network_interface_tap_configurations if is_configuration else client.virtual_network_taps
    names = (words[4], words[-3], words[-1]) if is_configuration else (words[4], words[-1])
    if not is_put:
        assert operations.begin_delete(*names, polling_interval=0).result() is None
        assert [one["request"]["path"] for one in replay.left if "/operationResults/" not in one["request"]["path"]] == []
        return
    result = operations.begin_create_or_update(*names, exchanges[0]["request"]["body"], polling_interval=0).result()
    assert result.as_dict() == exchanges[-1]["response"]["body"]
    assert replay.left == []


def read_whole(name: str, kind: ReadKind) -> tuple[list[Any], list[Any]]:
    exchanges = examples.load(examples.OWN / name)
    sent = [item for exchange in exchanges for item in exchange["response"]["body"]["value"]]
    cloud = cloud_from_settings(cloud="custom", endpoint=HOME, token="replay", transport=InProcess(Replay(exchanges)))
    pages = list(cloud.pages(kind, SUBSCRIPTION))
    assert sum(page.sent_count for page in pages) == len(sent)
    assert not any(page.not_understood for page in pages)
    return [item for page in pages for item in page.items], sent


@pytest.mark.parametrize("name", OWN_LISTS)
def test_recorded_lists_are_whole(name: str) -> None:
    items, sent = read_whole(name, OWN_LISTS[name])
    assert [json.loads(item.raw) for item in items] == sent


def test_what_the_recorded_nics_say() -> None:
    items, _ = read_whole("network_interfaces_two_pages.json", ReadKind.NETWORK_INTERFACES)
    attached, spare, endpoint, dual, legacy = items
    assert attached.tap_configurations[0].virtual_network_tap_id.endswith("/tap-lab")
    assert (spare.virtual_machine_id, spare.mac_address, spare.is_primary, spare.tags) == ("", "", None, {})
    assert endpoint.private_endpoint_id.endswith("/pe-sql")
    assert [one.private_ip_address_version for one in dual.ip_configurations] == ["IPv4", "IPv6"]
    assert (legacy.provisioning_state, legacy.tags) == ("Frobnicating", {"Ключ": "значение 🛰"})
    assert "/RESOURCEGROUPS/RG-LAB/" in legacy.arm_id


def test_what_the_recorded_taps_say() -> None:
    (whole, fresh), _ = read_whole("virtual_network_taps.json", ReadKind.VIRTUAL_NETWORK_TAPS)
    assert (bool(whole.destination_frontend_id), whole.destination_ip_configuration_id) == (True, "")
    assert (fresh.resource_guid, fresh.tap_configuration_ids, fresh.provisioning_state) == ("", (), "Updating")


def check_page(kind: str, documents: list[Any]) -> list[Any]:
    """The documents as one page: all understood, nothing lost, both readers of one mind."""
    reader = reader_of(kind)
    page = parse_page(reader, json.dumps({"value": documents}).encode())
    assert page.not_understood == []
    assert [json.loads(item.raw) for item in page.items] == documents
    assert [reader.read_leniently(item.raw) for item in page.items] == page.items
    return page.items


def test_real_resources_are_read_whole() -> None:
    seen: Counter[str] = Counter()
    for path in [*examples.present(examples.RESOURCES)]:
        document = examples.load(path)
        (item,) = check_page(examples.RESOURCES[path.name], [document])
        seen[type(item).__name__] += 1
        match item:
            case NetworkInterface():
                sent = document["properties"]
                assert [one.private_ip_address for one in item.ip_configurations] == [
                    one["properties"]["privateIPAddress"] for one in sent["ipConfigurations"]
                ]
                assert [one.virtual_network_tap_id for one in item.tap_configurations] == [
                    one["properties"]["virtualNetworkTap"]["id"] for one in sent["tapConfigurations"]
                ]
            case VirtualNetwork():
                assert item.subnets[0].address_prefixes == (document["properties"]["subnets"][0]["properties"]["addressPrefix"],)
    assert len(examples.RESOURCES) == sum(seen.values()) or not examples.is_complete_wanted()


def test_the_specifications_lists_are_read_whole() -> None:
    for path in examples.present(examples.LISTS):
        check_page(examples.LISTS[path.name], examples.load(path)["responses"]["200"]["body"]["value"])


def test_the_specifications_children_are_read_inside_their_parents() -> None:
    for path in examples.present(examples.CHILDREN):
        kind, name = examples.CHILDREN[path.name]
        parent = vnet("v") if kind == "virtual_networks" else nic("n")
        for response in examples.load(path)["responses"].values():
            children = response["body"].get("value") or [response["body"]]
            parent["id"] = children[0]["id"].rsplit("/", 2)[0]
            parent["properties"][name] = children
            (item,) = check_page(kind, [parent])
            found = item.peerings if kind == "virtual_networks" else item.tap_configurations
            assert [one.arm_id for one in found] == [one["id"] for one in children]


def test_a_tap_of_a_recorded_creation_is_read() -> None:
    for path in [examples.OWN / "tap_create.json", *examples.present(["real_vtap_create_lro.json"])]:
        bodies = [one["response"]["body"] for one in examples.load(path) if "id" in (one["response"]["body"] or {})]
        taps: list[VirtualNetworkTap] = check_page("virtual_network_taps", bodies)
        assert [tap.provisioning_state for tap in taps] == ["Updating", "Succeeded"]
        assert {tap.destination_port for tap in taps} == {4789}
        assert all(tap.destination_ip_configuration_id for tap in taps)


def test_recorded_refusals_keep_their_code_and_message() -> None:
    recorded: dict[str, Any] = {
        "own": {
            "status": 404,
            "headers": {"x-ms-failure-cause": "gateway"},
            "body": {"error": {"code": "NotFound", "message": "Gone.", "details": []}},
        }
    }
    for path in examples.present(["real_errors_404.json"]):
        recorded |= examples.load(path)
    for answer in recorded.values():
        exchange = {"request": {"method": "GET", "path": "/subscriptions"}, "response": {"headers": {}, **answer}}
        cloud = cloud_from_settings(cloud="custom", endpoint=HOME, token="replay", transport=InProcess(Replay([exchange])))
        with pytest.raises(CloudError) as caught:
            list(cloud.subscriptions())
        error = answer["body"]["error"]
        assert (caught.value.failure, caught.value.code, caught.value.message) == (Failure.MISSING, error["code"], error["message"])


def test_recorded_waits_are_understood() -> None:
    waits = ["10", "3"]
    for path in examples.present(["real_retry_after_headers_2019.json"]):
        waits += [headers["Retry-After"] for headers in examples.load(path).values()]
    assert {parse_retry_after(wait, now_unix_s=0.0) for wait in waits} == {10.0, 3.0}


def body_of(path: Path) -> Any:
    """The answer's body: the file itself, or what the specification shows as the answer 200."""
    found = examples.load(path)
    return found["responses"]["200"]["body"] if "responses" in found else found


def test_features_permissions_and_metrics_are_read() -> None:
    for path in examples.present(examples.FEATURES):
        document = body_of(path)
        assert parsing.feature_state(json.dumps(document).encode()) == document["properties"]["state"]
    for path in examples.present(examples.PERMISSIONS):
        document = body_of(path)
        page = parse_page(parsing.PERMISSIONS, json.dumps(document).encode())
        assert [list(one.actions) for one in page.items] == [one["actions"] for one in document["value"]]
        assert [list(one.not_actions) for one in page.items] == [one["notActions"] for one in document["value"]]
    for path in examples.present(examples.METRICS):
        document = body_of(path)
        (series,) = metrics.series(json.dumps(document).encode())
        assert (series.resource_id, series.name) == (document["values"][0]["resourceid"], "Ingress")
        assert [total for _, total in series.totals] == [1_737_897.0]


def test_the_other_files_are_json() -> None:
    for path in examples.present([*examples.NOT_READ_YET, *examples.ANSWERS]):
        assert examples.load(path)
