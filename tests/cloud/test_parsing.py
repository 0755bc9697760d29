"""Pages become values: nothing is lost, the strict and the lenient reader agree, and nothing a server sends makes them raise."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cloud.samples import SAMPLES, nic, page_of, vnet
from vtapweb.cloud.parsing import NETWORK_INTERFACES, READERS, SUBSCRIPTIONS, BrokenPageError, Reader, parse_page
from vtapweb.cloud.port import ReadKind
from vtapweb.cloud.types import NetworkInterface, NotUnderstood, VirtualNetwork


def read_nic(document: Any) -> NetworkInterface:
    item = NETWORK_INTERFACES.read(json.dumps(document).encode())
    assert isinstance(item, NetworkInterface)
    return item


def read_vnet(document: Any) -> VirtualNetwork:
    item = READERS[ReadKind.VIRTUAL_NETWORKS].read(json.dumps(document).encode())
    assert isinstance(item, VirtualNetwork)
    return item


@pytest.mark.parametrize("kind", ReadKind)
def test_a_sample_of_each_kind_is_read_strictly_and_both_readers_agree(kind: ReadKind) -> None:
    raw = json.dumps(SAMPLES[kind]).encode()
    reader = READERS[kind]
    strictly = reader.convert_strictly(raw)
    assert not isinstance(strictly, NotUnderstood)
    assert strictly.raw == raw
    assert reader.read_leniently(raw) == strictly
    defaults = type(strictly)(arm_id=strictly.arm_id, name=strictly.name)
    own = [
        field for field in type(strictly).__struct_fields__ if field not in {"arm_id", "name", "raw", "managed_by", "scale_set_id", "tags", "etag"}
    ]
    told = [field for field in own if getattr(strictly, field) != getattr(defaults, field)]
    assert len(told) > len(own) / 2, f"the sample of {kind} says too little: {told}"


def test_a_nic_as_azure_sends_it() -> None:
    found = read_nic(nic("nic-01", subnet="/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/a", tap="tap-1"))
    assert found.location == "germanywestcentral"
    assert found.ip_configurations[0].private_ip_address == "10.0.2.4"
    assert found.ip_configurations[0].is_primary is True
    assert found.tap_configurations[0].virtual_network_tap_id.endswith("/virtualNetworkTaps/tap-1")
    assert found.virtual_machine_id.endswith("/virtualMachines/vm-nic-01")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: {key.upper(): value for key, value in d.items()},
        lambda d: {**d, "properties": {key.lower(): value for key, value in d["properties"].items()}},
        lambda d: {**{key: value for key, value in d.items() if key != "properties"}, **d["properties"]},
        lambda d: {"properties": {**d["properties"], **{key: value for key, value in d.items() if key != "properties"}}},
        lambda d: {**d, "somethingNew": {"deep": [1, 2]}, "tags": {**d["tags"], "cost": None, "year": 2024}},
        lambda d: {**d, "properties": {**d["properties"], "hostedWorkloads": None, "dnsSettings": 7, "brandNew": True}},
        lambda d: {**d, "properties": {**d["properties"], "primary": "True", "ipConfigurations": [None, *d["properties"]["ipConfigurations"], 5]}},
        lambda d: {**d, "properties": {**d["properties"], "ipConfigurations": d["properties"]["ipConfigurations"][0]}},
    ],
    ids=["upper-case", "lower-case", "flat", "all inside", "new fields", "odd unread fields", "odd list", "one for a list"],
)
def test_odd_shapes_say_the_same_as_the_plain_one(spoil: Any) -> None:
    plain = nic("nic-01", tap="tap-1")
    expected, found = read_nic(plain), read_nic(spoil(plain))
    assert msgspec.structs.replace(found, raw=b"", tags={}) == msgspec.structs.replace(expected, raw=b"", tags={})
    assert set(expected.tags.items()) <= set(found.tags.items())


def test_nulls_and_holes_are_unknown_not_false() -> None:
    bare = read_nic({"id": nic("x")["id"]})
    assert (bare.name, bare.location, bare.is_primary, bare.ip_configurations, bare.virtual_machine_id) == ("x", "", None, (), "")
    nulls = read_nic({"id": nic("x")["id"], "name": None, "properties": {"primary": None, "ipConfigurations": None, "virtualMachine": None}})
    assert nulls == msgspec.structs.replace(bare, raw=nulls.raw)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (4789, 4789),
        ("4789", 4789),
        (4789.0, 4789),
        (" 80 ", 80),
        (2**31, None),
        (10**40, None),
        (1e300, None),
        (4789.5, None),
        (True, None),
        ("", None),
        ([], None),
    ],
)
def test_numbers_are_whole_and_fit_a_column(sent: Any, expected: int | None) -> None:
    document = json.loads(json.dumps(SAMPLES[ReadKind.VIRTUAL_NETWORK_TAPS]))
    document["properties"]["destinationPort"] = sent
    found = READERS[ReadKind.VIRTUAL_NETWORK_TAPS].read(json.dumps(document).encode())
    assert not isinstance(found, NotUnderstood)
    assert found.destination_port == expected


def test_a_child_without_an_id_gets_the_one_its_name_gives_it() -> None:
    document = vnet("hub")
    document["properties"]["subnets"] = [{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}}, {"properties": {}}]
    found = read_vnet(document)
    assert [subnet.arm_id for subnet in found.subnets] == [f"{found.arm_id}/subnets/a"]
    assert found.subnets[0].address_prefixes == ("10.0.0.0/24",)


@pytest.mark.parametrize(("sent", "expected"), [("West Europe", "westeurope"), ("eastus2", "eastus2"), (" UK South ", "uksouth")])
def test_locations_are_one_spelling(sent: str, expected: str) -> None:
    assert read_nic({**nic("x"), "location": sent}).location == expected


def test_a_member_of_a_uniform_scale_set_names_its_set() -> None:
    scale_set = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/vmss-1"
    assert read_nic({**nic("x"), "id": f"{scale_set}/virtualMachines/0/networkInterfaces/nic"}).scale_set_id == scale_set


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (b"null", "it is no JSON object but null"),
        (b'"text"', "it is no JSON object but a text"),
        (b"[1]", "it is no JSON object but a list"),
        (b"12", "it is no JSON object but a number"),
        (b"{}", "it has no id"),
        (b'{"id": null, "name": "n"}', "it has no id"),
        (b'{"id": "nic-01"}', "its id is no ARM resource id"),
        (b'{"id": "/subscriptions/s"}', "its id is no ARM resource id"),
    ],
)
def test_only_an_item_without_a_usable_id_is_not_understood(item: bytes, reason: str) -> None:
    page = parse_page(NETWORK_INTERFACES, b'{"value": [' + item + b"," + json.dumps(nic("x")).encode() + b"]}")
    assert [(lost.reason, lost.raw) for lost in page.not_understood] == [(reason, item)]
    assert [found.name for found in page.items] == ["x"]


def test_raw_is_what_was_sent_byte_by_byte() -> None:
    item = json.dumps(nic("x")).encode().replace(b'"location": "', b'"location" :\t"').replace(b"10.0.2.4", b"\\u0031\\u0030.0.2.4")
    page = parse_page(NETWORK_INTERFACES, b' { "nextLink" : null , "value" : [ ' + item + b" ] } ")
    assert page.items[0].raw == item
    assert page.items[0].ip_configurations[0].private_ip_address == "10.0.2.4"


@pytest.mark.parametrize("broken", [b'"\\ud800"', b'"\xff\xfe"', b'"\\u0000"', b"NaN", b"1e999"])
def test_an_item_with_broken_text_costs_only_that_text(broken: bytes) -> None:
    item = json.dumps({**nic("x"), "etag": "@"}).encode().replace(b'"@"', broken)
    page = parse_page(NETWORK_INTERFACES, b'{"value": [' + item + b"," + json.dumps(nic("y")).encode() + b'], "nextLink": "n"}')
    assert ([found.name for found in page.items], page.next_link) == (["x", "y"], "n")
    assert page.items[0].raw == item
    page.items[0].etag.encode()
    assert "\0" not in page.items[0].etag


@pytest.mark.parametrize("name", ["value", "Value", "VALUE"])
@pytest.mark.parametrize("link", ["nextLink", "NextLink", "nextlink", "@odata.nextLink"])
def test_the_envelope_in_any_casing_with_anything_beside(name: str, link: str) -> None:
    body = b"\xef\xbb\xbf" + json.dumps({"count": 1, name: [nic("x")], link: "https://example.com/2", "more": [1, {"a": "]"}]}).encode()
    page = parse_page(NETWORK_INTERFACES, body)
    assert (len(page.items), page.next_link) == (1, "https://example.com/2")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"<html>busy</html>",
        b"{}",
        b'{"value": null}',
        b'{"value": {}}',
        b'{"error": {"code": "X"}}',
        b'{"value": [], "nextLink": {"href": "x"}}',
        b'{"value": []} trailing',
        b"[" * 100_000,
        page_of([nic("a"), nic("b")])[:-1],
        page_of([nic("a"), nic("b")])[:300],
        page_of([nic("a"), nic("b")])[:-400],
    ],
)
def test_what_is_no_page_is_broken_never_an_empty_list(body: bytes) -> None:
    with pytest.raises(BrokenPageError):
        parse_page(NETWORK_INTERFACES, body)


@given(st.integers(1, 5), st.data())
def test_no_prefix_of_a_page_passes_for_a_page(count: int, data: st.DataObject) -> None:
    body = page_of([vnet(f"v{number}") for number in range(count)])
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(BrokenPageError):
        parse_page(READERS[ReadKind.VIRTUAL_NETWORKS], body[:cut])


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def _paths(document: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    return [at, *(path for key, value in children for path in _paths(value, (*at, key)))]


@st.composite
def holed(draw: st.DrawFn, document: Any) -> Any:
    """The document with a few of its values replaced, dropped or renamed."""
    copied = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(0, 4))):
        path = draw(st.sampled_from(_paths(copied)))
        if not path:
            continue
        parent = copied
        for step in path[:-1]:
            parent = parent[step]
        last, how = path[-1], draw(st.sampled_from(["replace", "drop", "recase", "add"]))
        if how == "replace":
            parent[last] = draw(anything)
        elif how == "drop":
            del parent[last]
        elif how == "add" and isinstance(parent, dict):
            parent[draw(st.sampled_from(["brandNew", "Properties", "provisioningState", "ID", "location"]))] = draw(anything)
        elif isinstance(last, str):
            parent[last.swapcase()] = parent.pop(last)
    return copied


@settings(max_examples=40)
@pytest.mark.parametrize("kind", ReadKind)
@given(data=st.data())
def test_json_with_holes_is_read_or_marked_and_both_readers_agree(kind: ReadKind, data: st.DataObject) -> None:
    documents = data.draw(st.lists(holed(SAMPLES[kind]), max_size=3))
    page = parse_page(READERS[kind], json.dumps({"value": documents}).encode())
    assert len(page.items) + len(page.not_understood) == len(documents)
    assert sorted(one.raw for one in [*page.items, *page.not_understood]) == sorted(json.dumps(one).encode() for one in documents)
    for item in page.items:
        assert READERS[kind].read_leniently(item.raw) == item
    msgspec.json.encode(page.items)  # no text that an encoder refuses


@given(anything)
def test_any_json_as_an_item(document: Any) -> None:
    readers: list[Reader[Any]] = [NETWORK_INTERFACES, SUBSCRIPTIONS, *READERS.values()]
    for reader in readers:
        assert reader.read(json.dumps(document).encode()) is not None


@given(st.binary(max_size=200))
def test_any_bytes_as_a_page(body: bytes) -> None:
    try:
        page = parse_page(NETWORK_INTERFACES, body)
    except BrokenPageError:
        return
    assert len(page.items) + len(page.not_understood) >= 0


def test_a_subscription() -> None:
    found = SUBSCRIPTIONS.read(
        b'{"id": "/subscriptions/AAAAAAAA-0000-0000-0000-000000000001", "tenantId": "BBBBBBBB-0000-0000-0000-000000000002",'
        b' "displayName": "Contoso \\u2014 prod", "state": "Warned", "managedByTenants": [{"tenantId": "CC"}, null]}'
    )
    assert not isinstance(found, NotUnderstood)
    assert (found.subscription_id, found.tenant_id) == ("aaaaaaaa-0000-0000-0000-000000000001", "bbbbbbbb-0000-0000-0000-000000000002")
    assert (found.display_name, found.state, found.managed_by_tenants) == ("Contoso — prod", "Warned", ("cc",))
