"""What the port promises, kept through the real SDK by every server we can put behind it."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.arms import ARMS, FAULTS, Arm, read
from vtapweb.cloud.port import CloudError, Failure, ReadKind
from vtapweb.cloud.types import LoadBalancer, NetworkInterface, VirtualMachine, VirtualMachineStatus, VirtualNetwork, VirtualNetworkTap

PAGE_SIZES = (1, 7, 1_000)


@pytest.fixture(params=ARMS)
def arm(request: pytest.FixtureRequest) -> Iterator[Arm]:
    with ARMS[request.param](7) as found:
        yield found


def canonical(document: Any) -> str:
    return json.dumps(document, sort_keys=True)


def assert_complete_or_says_why(arm: Arm, kind: ReadKind, subscription_id: str, *, may_fail: bool) -> bool:
    """Whether the list was complete. Everything the server sends is there, byte for byte as JSON."""
    expected, found = arm.sent(kind, subscription_id), read(arm, kind, subscription_id)
    if isinstance(found, CloudError):
        if isinstance(expected, Failure) and found.failure is expected:
            return False
        assert may_fail, f"{kind} of {subscription_id}: {found}"
        assert found.message
        assert found.correlation_id
        return False
    assert not isinstance(expected, Failure), f"{kind} of {subscription_id} was read where the server refuses it ({expected})"
    items, lost, sent = found
    assert sent == len(items) + len(lost) == len(expected)
    assert Counter(canonical(json.loads(one.raw)) for one in [*items, *lost]) == Counter(map(canonical, expected))
    return True


@pytest.mark.parametrize("name", ARMS)
@pytest.mark.parametrize("page_size", PAGE_SIZES)
def test_every_list_is_whole_at_any_page_size(name: str, page_size: int) -> None:
    with ARMS[name](page_size) as arm:
        complete = [
            assert_complete_or_says_why(arm, kind, subscription_id, may_fail=False) for subscription_id in arm.subscription_ids for kind in ReadKind
        ]
    assert sum(complete) >= 12


@pytest.mark.parametrize("every", [2, 3])
@pytest.mark.parametrize("fault", FAULTS)
def test_with_every_nth_request_failing_lists_are_whole_or_say_what_is_missing(arm: Arm, fault: str, every: int) -> None:
    arm.spoil(fault, every)
    outcomes = [
        assert_complete_or_says_why(arm, kind, subscription_id, may_fail=True) for subscription_id in arm.subscription_ids for kind in ReadKind
    ]
    assert sum(outcomes) >= 12, "single faults are mended by trying again"


@pytest.mark.parametrize("fault", ["reset", "cut"])
def test_connections_that_break_on_the_wire_cost_no_item(fault: str) -> None:
    with ARMS["other ARM over HTTP"](7) as arm:
        arm.spoil(fault, 2)
        outcomes = [
            assert_complete_or_says_why(arm, kind, subscription_id, may_fail=True) for subscription_id in arm.subscription_ids for kind in ReadKind
        ]
    assert sum(outcomes) == 12


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("throttle", Failure.THROTTLED),
        ("server_error", Failure.SERVER),
        ("drop", Failure.CONNECTION),
        ("short", Failure.BROKEN_BODY),
        ("expired_token", Failure.UNAUTHENTICATED),
    ],
)
def test_a_fault_that_lasts_is_reported_in_its_class(arm: Arm, fault: str, expected: Failure) -> None:
    arm.spoil(fault, 1)
    found = read(arm, ReadKind.VIRTUAL_NETWORKS, arm.subscription_ids[0])
    assert isinstance(found, CloudError)
    assert found.failure is expected
    assert found.attempts == (2 if expected is Failure.UNAUTHENTICATED else 8)
    assert found.correlation_id
    assert "contract-token" not in f"{found} {found!r} {found.message}"
    arm.spoil("", 0)
    assert not isinstance(read(arm, ReadKind.VIRTUAL_NETWORKS, arm.subscription_ids[0]), CloudError)


def _get(document: Any, *path: str) -> Any:
    """A value by names that may be in any casing."""
    for name in path:
        folded = {key.lower(): value for key, value in (document or {}).items()}
        document = folded.get(name.lower())
    return document


def _names(items: Any) -> list[str]:
    return [_get(item, "name") for item in items or []]


def test_fields_are_those_of_the_servers_documents(arm: Arm) -> None:
    """The values people see, against the raw document read by other code than the product's."""
    checked: Counter[str] = Counter()
    for subscription_id in arm.subscription_ids:
        for kind in ReadKind:
            found = read(arm, kind, subscription_id)
            if isinstance(found, CloudError):
                continue
            for item in found[0]:
                document = json.loads(item.raw)
                assert item.arm_id == _get(document, "id")
                assert item.location == (_get(document, "location") or "").replace(" ", "").lower()
                assert item.tags == (_get(document, "tags") or {})
                assert item.provisioning_state == (_get(document, "properties", "provisioningState") or "")
                _check_own_fields(item, document)
                checked[type(item).__name__] += 1
    assert checked["NetworkInterface"] > 20
    assert checked["VirtualNetwork"] > 5


def _check_own_fields(item: Any, document: Any) -> None:
    properties = _get(document, "properties")
    match item:
        case NetworkInterface():
            configurations = _get(properties, "ipConfigurations") or []
            expected = [_get(one, "properties", "privateIPAddress") or "" for one in configurations]
            assert [one.private_ip_address for one in item.ip_configurations] == expected
            assert [one.subnet_id for one in item.ip_configurations] == [_get(one, "properties", "subnet", "id") or "" for one in configurations]
            assert [one.name for one in item.tap_configurations] == _names(_get(properties, "tapConfigurations"))
            assert item.virtual_machine_id == (_get(properties, "virtualMachine", "id") or "")
            assert item.mac_address == (_get(properties, "macAddress") or "")
            assert item.is_primary == _get(properties, "primary")
        case VirtualNetwork():
            assert list(item.address_prefixes) == _get(properties, "addressSpace", "addressPrefixes")
            assert [one.name for one in item.subnets] == _names(_get(properties, "subnets"))
            peerings = _get(properties, "virtualNetworkPeerings") or []
            assert [one.peering_state for one in item.peerings] == [_get(one, "properties", "peeringState") for one in peerings]
            assert [one.remote_virtual_network_id for one in item.peerings] == [
                _get(one, "properties", "remoteVirtualNetwork", "id") for one in peerings
            ]
        case VirtualNetworkTap():
            assert item.destination_ip_configuration_id == (_get(properties, "destinationNetworkInterfaceIPConfiguration", "id") or "")
            assert item.destination_frontend_id == (_get(properties, "destinationLoadBalancerFrontEndIPConfiguration", "id") or "")
            assert item.destination_port == _get(properties, "destinationPort")
        case LoadBalancer():
            assert item.sku == _get(document, "sku", "name")
            assert [one.name for one in item.frontends] == _names(_get(properties, "frontendIPConfigurations"))
            assert [one.name for one in item.rules] == _names(_get(properties, "loadBalancingRules"))
        case VirtualMachineStatus():
            codes = [_get(one, "code") for one in _get(properties, "instanceView", "statuses") or []]
            assert f"PowerState/{item.power_state}" in codes or not item.power_state
        case VirtualMachine():
            assert item.vm_size == (_get(properties, "hardwareProfile", "vmSize") or "")
            references = _get(properties, "networkProfile", "networkInterfaces") or []
            assert list(item.network_interface_ids) == [_get(one, "id") for one in references]


def test_subscriptions(arm: Arm) -> None:
    pages = list(arm.cloud.subscriptions())
    assert [one.subscription_id for page in pages for one in page.items] == [one.lower() for one in arm.subscription_ids]
    assert not any(page.not_understood for page in pages)


def test_a_subscription_that_is_not_there_is_no_empty_one() -> None:
    with ARMS["simulator in process"](7) as arm:
        found = read(arm, ReadKind.VIRTUAL_NETWORKS, "00000000-dead-4000-8000-000000000000")
    assert isinstance(found, CloudError)
    assert (found.failure, found.code) == (Failure.REFUSED, "SubscriptionNotFound")


def test_scale_set_members_are_read_by_their_sets_name() -> None:
    with ARMS["simulator in process"](7) as arm:
        sets = [one for sub in arm.subscription_ids if not isinstance(found := read(arm, ReadKind.SCALE_SETS, sub), CloudError) for one in found[0]]
        members = [nic for one in sets for page in arm.cloud.scale_set_network_interfaces(one.arm_id) for nic in page.items]
    assert members
    assert {nic.scale_set_id.lower() for nic in members} <= {one.arm_id.lower() for one in sets}


def test_a_missing_optional_api_is_missing_not_broken() -> None:
    with ARMS["other ARM over HTTP"](7) as arm:
        found = read(arm, ReadKind.VIRTUAL_NETWORK_TAPS, arm.subscription_ids[0])
    assert isinstance(found, CloudError)
    assert (found.failure, found.code, found.status, found.attempts) == (Failure.MISSING, "InvalidResourceType", 404, 1)
