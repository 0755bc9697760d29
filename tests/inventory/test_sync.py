"""The sync's promises: what changed is written and told, what is missing is judged, what failed is said."""

import pytest

from tests.inventory.azure import (
    OTHER,
    SUBSCRIPTION,
    Fails,
    SmallAzure,
    child,
    compute_id,
    document,
    network_id,
    nic,
    status,
    virtual_machine,
    vnet,
)
from tests.inventory.factories import make_tap
from tests.inventory.syncing import state_of, sync
from vtapweb.cloud.port import Failure, ReadKind
from vtapweb.domain.scope import Scope
from vtapweb.events.models import OutboxEvent
from vtapweb.inventory.models import (
    IpConfiguration,
    NetworkInterface,
    NotUnderstoodItem,
    RemovalHold,
    ResourceChange,
    Subnet,
    Subscription,
    SubscriptionSync,
    TapConfiguration,
    VirtualMachine,
    VirtualNetwork,
    VirtualNetworkPeering,
    VirtualNetworkTap,
)
from vtapweb.inventory.selectors import stale_since

pytestmark = pytest.mark.django_db(transaction=True)

NICS, VNETS = ReadKind.NETWORK_INTERFACES, ReadKind.VIRTUAL_NETWORKS


def azure_of(*nics: object) -> SmallAzure:
    azure = SmallAzure()
    azure.put(VNETS, vnet("hub", peers={"spoke": "Connected"}), vnet("spoke", peers={"hub": "Connected"}))
    azure.put(NICS, *(nics or (nic("a"), nic("b"), nic("c", tap="tap"), nic("d"))))
    return azure


def changes_of(run_id: int) -> list[tuple[str, str, str]]:
    return sorted(ResourceChange.objects.filter(run_id=run_id).values_list("action", "kind", "name"))


def test_a_first_sync_stores_everything_and_says_so() -> None:
    run = sync(azure_of())
    assert run.state == "complete"
    assert changes_of(run.pk) == [
        ("added", "nics", "a"),
        ("added", "nics", "b"),
        ("added", "nics", "c"),
        ("added", "nics", "d"),
        ("added", "vnets", "hub"),
        ("added", "vnets", "spoke"),
    ]
    assert Subnet.objects.count() == VirtualNetworkPeering.objects.count() == 2
    mirrored = NetworkInterface.objects.get(is_mirrored=True)
    assert (mirrored.name, mirrored.tap_ids) == ("c", [network_id("virtualNetworkTaps", "tap")])
    assert TapConfiguration.objects.get().network_interface == mirrored
    assert mirrored.virtual_network_key == VirtualNetwork.objects.get(name="hub").key
    assert (mirrored.mac_hex, mirrored.private_ips) == ("000d3a000001", ["10.0.1.4"])
    assert IpConfiguration.objects.get(network_interface=mirrored).private_ip_hex == "40a000104"
    state = state_of(NICS)
    assert (state.status, state.sent_count, state.stored_count) == ("complete", 4, 4)
    assert [event.payload["state"] for event in OutboxEvent.objects.order_by("seq")] == ["queued", "running", "running", "complete"]


def test_nothing_changed_writes_nothing() -> None:
    azure = azure_of()
    sync(azure)
    before = list(NetworkInterface.objects.order_by("key").values())
    run = sync(azure)
    assert changes_of(run.pk) == []
    assert list(NetworkInterface.objects.order_by("key").values()) == before
    assert SubscriptionSync.objects.get(run=run).progress[NICS] == {"state": "complete", "sent_count": 4, "written_count": 0, "failure": ""}


def test_a_change_is_told_field_by_field() -> None:
    azure = azure_of()
    sync(azure)
    azure.put(NICS, nic("a", address="10.0.1.9"), nic("b"), nic("c", tap="tap"), nic("d", tap="tap"))
    run = sync(azure)
    assert changes_of(run.pk) == [
        ("added", "tap-configurations", "mirror"),
        ("changed", "ip-configurations", "ipconfig1"),
        ("changed", "nics", "a"),
        ("changed", "nics", "d"),
    ]
    assert ResourceChange.objects.get(run=run, name="a").fields == {"private_ips": [["10.0.1.4"], ["10.0.1.9"]]}
    assert ResourceChange.objects.get(run=run, kind="ip-configurations").fields == {"private_ip_address": ["10.0.1.4", "10.0.1.9"]}


def test_a_spelling_or_an_etag_is_no_change_but_is_kept() -> None:
    azure = azure_of(nic("a"))
    sync(azure)
    shouted = nic("a", etag='W/"2"')
    shouted["id"] = shouted["id"].replace("resourceGroups", "RESOURCEGROUPS")
    azure.put(NICS, shouted)
    run = sync(azure)
    assert changes_of(run.pk) == []
    stored = NetworkInterface.objects.get()
    assert (stored.etag, stored.arm_id) == ('W/"2"', shouted["id"])


def test_what_no_column_holds_is_told_by_its_path() -> None:
    azure = azure_of(nic("a", dnsSettings={"dnsServers": ["10.0.0.4"]}))
    sync(azure)
    azure.put(NICS, nic("a", dnsSettings={"dnsServers": ["10.0.0.5"]}))
    run = sync(azure)
    assert ResourceChange.objects.get(run=run).fields == {"properties.dnsSettings.dnsServers": [["10.0.0.4"], ["10.0.0.5"]]}


def test_a_resource_that_goes_and_comes_back() -> None:
    azure = azure_of(nic("a"), nic("b", tap="tap"))
    sync(azure)
    first_seen = NetworkInterface.objects.get(name="b").first_seen_at
    azure.put(NICS, nic("a"))
    run = sync(azure)
    assert changes_of(run.pk) == [("removed", "nics", "b")]
    gone = NetworkInterface.objects.get(name="b")
    assert gone.removed_at is not None
    assert not IpConfiguration.objects.filter(network_interface=gone, removed_at=None).exists()
    assert not TapConfiguration.objects.filter(removed_at=None).exists()
    azure.put(NICS, nic("a"), nic("b", tap="tap"))
    run = sync(azure)
    assert changes_of(run.pk) == [("added", "nics", "b")]
    assert "removed_at" in ResourceChange.objects.get(run=run).fields
    back = NetworkInterface.objects.get(name="b")
    assert (back.removed_at, back.first_seen_at) == (None, first_seen)
    assert TapConfiguration.objects.filter(removed_at=None, network_interface=back).count() == 1


def test_a_child_that_goes_is_removed_alone() -> None:
    azure = azure_of()
    sync(azure)
    azure.put(VNETS, vnet("hub"), vnet("spoke", peers={"hub": "Disconnected"}))
    run = sync(azure)
    assert changes_of(run.pk) == [("changed", "peerings", "to-hub"), ("removed", "peerings", "to-spoke")]
    assert VirtualNetwork.objects.filter(removed_at=None).count() == 2


@pytest.mark.parametrize(("after_pages", "status_text"), [(0, "failed"), (1, "partial")])
def test_a_list_that_fails_removes_nothing(after_pages: int, status_text: str) -> None:
    azure = azure_of()
    sync(azure)
    complete_at = state_of(NICS).last_complete_at
    azure.put(NICS, nic("d"), nic("e"), nic("f"), nic("g"))
    azure.fails[NICS, SUBSCRIPTION] = Fails(after_pages=after_pages, code="BadGateway", message="Upstream is away.")
    run = sync(azure)
    assert run.state == "partial"
    state = state_of(NICS)
    assert (state.status, state.failure, state.code, state.message) == (status_text, "server", "BadGateway", "Upstream is away.")
    assert state.last_complete_at == complete_at
    assert NetworkInterface.objects.filter(removed_at=None).count() == (4 if after_pages == 0 else 6)
    azure.fails.clear()
    assert sync(azure).state == "complete"
    assert set(NetworkInterface.objects.filter(removed_at=None).values_list("name", flat=True)) == {"d", "e", "f", "g"}


def test_a_child_missing_in_a_partial_list_goes_with_the_next_complete_one() -> None:
    azure = azure_of()
    azure.page_size = 1
    sync(azure)
    azure.put(VNETS, vnet("hub"), vnet("spoke", peers={"hub": "Connected"}))
    azure.fails[VNETS, SUBSCRIPTION] = Fails(after_pages=1)
    sync(azure)
    assert VirtualNetworkPeering.objects.filter(removed_at=None).count() == 2
    azure.fails.clear()
    sync(azure)
    assert VirtualNetworkPeering.objects.get(removed_at=None).name == "to-hub"


def test_a_nic_sent_twice_is_stored_once() -> None:
    azure = azure_of(nic("a"), nic("b"), nic("a"), nic("a", address="10.0.1.7"))
    assert sync(azure).state == "complete"
    state = state_of(NICS)
    assert (state.sent_count, state.stored_count, state.duplicate_count) == (4, 2, 2)
    assert NetworkInterface.objects.get(name="a").private_ips == ["10.0.1.7"]


def test_what_is_not_understood_is_kept_and_counted_and_removes_nothing() -> None:
    azure = azure_of()
    sync(azure)
    azure.put(NICS, {**nic("a"), "id": "nonsense"}, nic("a"), nic("b"), nic("c", tap="tap"), nic("d"), nic("x", subscription_id=OTHER))
    run = sync(azure)
    state = state_of(NICS)
    assert (run.state, state.status, state.sent_count, state.stored_count, state.not_understood_count) == ("complete", "complete", 6, 4, 2)
    assert NotUnderstoodItem.objects.filter(kind=NICS).count() == 2
    assert NetworkInterface.objects.filter(removed_at=None).count() == 4
    azure.put(NICS, *(nic(name) for name in "abcd"))
    sync(azure)
    assert not NotUnderstoodItem.objects.exists()


def test_items_without_an_id_stop_removals() -> None:
    azure = azure_of()
    sync(azure)
    azure.put(NICS, nic("a"), "surprise")
    assert sync(azure).state == "partial"
    assert state_of(NICS).code == "ItemsWithoutId"
    assert NetworkInterface.objects.filter(removed_at=None).count() == 4


def test_a_sum_that_is_wrong_is_said_and_removes_nothing() -> None:
    azure = azure_of()
    sync(azure)
    azure.put(NICS, nic("a"))
    azure.uncounted = 1
    assert sync(azure).state == "partial"
    assert state_of(NICS).code == "CountMismatch"
    assert NetworkInterface.objects.filter(removed_at=None).count() == 4


def test_a_removal_that_is_too_large_is_held() -> None:
    azure = azure_of(*(nic(f"n{number:02}") for number in range(40)))
    sync(azure)
    azure.put(NICS, *(nic(f"n{number:02}") for number in range(19)))
    run = sync(azure)
    assert run.state == "partial"
    assert state_of(NICS).status == "held"
    hold = RemovalHold.objects.get()
    assert (hold.state, hold.kind, hold.missing_count, hold.present_count) == ("open", "nics", 21, 40)
    assert NetworkInterface.objects.filter(removed_at=None).count() == 40
    sync(azure)
    assert RemovalHold.objects.count() == 1
    azure.put(NICS, *(nic(f"n{number:02}") for number in range(40)))
    assert sync(azure).state == "complete"
    assert RemovalHold.objects.get().state == "lapsed"


def test_twenty_may_go() -> None:
    azure = azure_of(*(nic(f"n{number:02}") for number in range(20)))
    sync(azure)
    azure.put(NICS)
    assert sync(azure).state == "complete"
    assert not NetworkInterface.objects.filter(removed_at=None).exists()


def test_power_states_join_their_machines() -> None:
    azure = azure_of()
    azure.put(ReadKind.VIRTUAL_MACHINES, virtual_machine("web"), virtual_machine("db"))
    azure.put(ReadKind.VIRTUAL_MACHINE_STATUSES, status("web", "running"), status("db", "deallocated"))
    sync(azure)
    assert dict(VirtualMachine.objects.values_list("name", "power_state")) == {"web": "running", "db": "deallocated"}
    azure.put(ReadKind.VIRTUAL_MACHINE_STATUSES, status("web", "running"), status("db", "running"))
    run = sync(azure)
    assert ResourceChange.objects.get(run=run).fields == {"power_state": ["deallocated", "running"]}


@pytest.mark.parametrize(
    ("failure", "run_state", "power_state", "status_text"),
    [
        (Failure.FORBIDDEN, "complete", "", "not_available"),
        (Failure.MISSING, "complete", "", "not_available"),
        (Failure.THROTTLED, "partial", "running", "failed"),
    ],
)
def test_power_states_that_are_refused_are_unknown(failure: Failure, run_state: str, power_state: str, status_text: str) -> None:
    azure = azure_of()
    azure.put(ReadKind.VIRTUAL_MACHINES, virtual_machine("web"))
    azure.put(ReadKind.VIRTUAL_MACHINE_STATUSES, status("web", "running"))
    sync(azure)
    azure.fails[ReadKind.VIRTUAL_MACHINE_STATUSES, SUBSCRIPTION] = Fails(failure)
    assert sync(azure).state == run_state
    assert VirtualMachine.objects.get().power_state == power_state
    assert state_of(ReadKind.VIRTUAL_MACHINE_STATUSES).status == status_text


def test_a_list_that_the_server_lacks_is_unknown_and_no_failure() -> None:
    azure = azure_of()
    azure.fails[ReadKind.VIRTUAL_NETWORK_TAPS, SUBSCRIPTION] = Fails(Failure.MISSING)
    assert sync(azure).state == "complete"
    assert state_of(ReadKind.VIRTUAL_NETWORK_TAPS).status == "not_available"
    azure.fails[NICS, SUBSCRIPTION] = Fails(Failure.MISSING)
    assert sync(azure).state == "partial"
    assert state_of(NICS).status == "failed"


def test_a_list_that_was_there_and_is_missing_now_has_failed() -> None:
    """What we hold of it may be old, so it is stale; a list that held nothing leaves nothing to be wrong about."""
    azure = azure_of()
    sync(azure)
    azure.fails = {(kind, SUBSCRIPTION): Fails(Failure.MISSING) for kind in (ReadKind.VIRTUAL_NETWORK_TAPS, ReadKind.LOAD_BALANCERS)}
    azure.lists[ReadKind.LOAD_BALANCERS, SUBSCRIPTION] = []
    azure.put(ReadKind.VIRTUAL_NETWORK_TAPS)
    make_tap(destination_id=network_id("networkInterfaces", "a") + "/ipConfigurations/ipconfig1")
    assert sync(azure).state == "partial"
    assert state_of(ReadKind.VIRTUAL_NETWORK_TAPS).status == "failed"
    assert state_of(ReadKind.LOAD_BALANCERS).status == "not_available"
    assert {slug for _, slug in stale_since(Scope.everything())} == {"taps"}
    assert VirtualNetworkTap.objects.get().removed_at is None


def test_a_subscription_that_is_denied_is_failed_and_the_other_is_not() -> None:
    azure = azure_of()
    azure.subscription_ids = [SUBSCRIPTION, OTHER]
    azure.put(NICS, nic("x", subscription_id=OTHER), subscription_id=OTHER)
    azure.fails = {(kind, OTHER): Fails(Failure.FORBIDDEN, code="AuthorizationFailed") for kind in ReadKind}
    run = sync(azure)
    assert run.state == "partial"
    assert dict(run.subscription_syncs.values_list("subscription_id", "state")) == {SUBSCRIPTION: "complete", OTHER: "failed"}
    assert run.subscription_syncs.get(subscription_id=OTHER).code == "AuthorizationFailed"


def test_a_subscription_that_is_listed_no_more_keeps_its_resources() -> None:
    azure = azure_of()
    azure.subscription_ids = [SUBSCRIPTION, OTHER]
    azure.put(NICS, nic("x", subscription_id=OTHER), subscription_id=OTHER)
    sync(azure)
    azure.subscription_ids = [SUBSCRIPTION]
    assert sync(azure).state == "complete"
    assert Subscription.objects.get(pk=OTHER).not_listed_since is not None
    assert NetworkInterface.objects.filter(subscription_id=OTHER, removed_at=None).count() == 1
    azure.subscription_ids = [SUBSCRIPTION, OTHER]
    sync(azure)
    assert Subscription.objects.get(pk=OTHER).not_listed_since is None


def test_a_list_of_subscriptions_that_fails_falls_back_to_those_known() -> None:
    azure = azure_of()
    azure.subscriptions_fail = Fails(code="Down")
    assert sync(azure).state == "failed"
    azure.subscriptions_fail = None
    sync(azure)
    azure.subscriptions_fail = Fails(code="Down")
    azure.put(NICS, nic("a"), nic("b"), nic("c"))
    run = sync(azure)
    assert (run.state, run.code) == ("partial", "Down")
    assert NetworkInterface.objects.filter(removed_at=None).count() == 3


@pytest.mark.parametrize("failure", [Failure.CONNECTION, Failure.UNAUTHENTICATED])
def test_no_way_to_azure_is_found_out_once_a_run_and_takes_nothing_away(failure: Failure) -> None:
    azure = azure_of()
    assert sync(azure).state == "complete"
    asked: list[ReadKind] = []
    azure.on_page = lambda kind, _number: asked.append(kind)
    azure.subscriptions_fail = Fails(failure=failure, code="", message="nobody answers")
    azure.put(NICS, nic("a"))
    run = sync(azure)
    assert (run.state, asked) == ("failed", []), "each subscription would cost the same retries again"
    assert state_of(NICS).status == "failed"
    assert state_of(NICS).failure == failure
    assert state_of(NICS).last_complete_at is not None
    assert NetworkInterface.objects.filter(removed_at=None).count() == 4


def test_members_of_a_scale_set_are_read_when_a_pool_names_it() -> None:
    azure = azure_of()
    named, unnamed = (compute_id("virtualMachineScaleSets", name) for name in ("vmss-collector", "vmss-other"))
    member = f"{named}/virtualMachines/0/networkInterfaces/nic0"
    balancer = network_id("loadBalancers", "ilb")
    pool = child(balancer, "backendAddressPools", "pool", backendIPConfigurations=[{"id": f"{member}/ipConfigurations/ipconfig1"}])
    azure.put(ReadKind.SCALE_SETS, document(named), document(unnamed))
    azure.put(ReadKind.LOAD_BALANCERS, document(balancer, backendAddressPools=[pool]))
    azure.members = {named: [{**nic("nic0"), "id": member}], unnamed: [nic("never")]}
    assert sync(azure).state == "complete"
    assert azure.asked_for_members == [named]
    assert NetworkInterface.objects.get(scale_set_id=named).name == "nic0"
    assert sync(azure).state == "complete"
    assert NetworkInterface.objects.filter(removed_at=None).count() == 5
    azure.put(ReadKind.SCALE_SETS, document(unnamed))
    sync(azure)
    assert not NetworkInterface.objects.filter(removed_at=None, scale_set_id=named).exists()


def test_members_of_a_scale_set_that_cannot_be_read_stay_while_those_of_another_go() -> None:
    azure = azure_of()
    sets = [compute_id("virtualMachineScaleSets", name) for name in ("vmss-a", "vmss-b")]
    members = {one: f"{one}/virtualMachines/0/networkInterfaces/nic0" for one in sets}
    balancer = network_id("loadBalancers", "ilb")
    named = [{"id": f"{one}/ipConfigurations/ipconfig1"} for one in members.values()]
    azure.put(ReadKind.SCALE_SETS, *(document(one) for one in sets))
    azure.put(
        ReadKind.LOAD_BALANCERS,
        document(balancer, backendAddressPools=[child(balancer, "backendAddressPools", "pool", backendIPConfigurations=named)]),
    )
    azure.members = {one: [{**nic("nic0"), "id": member}] for one, member in members.items()}
    assert sync(azure).state == "complete"
    azure.members = {}
    azure.members_fail = {sets[0]: Fails()}
    assert sync(azure).state == "partial"
    left = NetworkInterface.objects.filter(removed_at=None).exclude(scale_set_id="")
    assert list(left.values_list("scale_set_id", flat=True)) == [sets[0]]
    azure.members_fail = {}
    assert sync(azure).state == "complete"
    assert not left.exists()


def test_an_item_that_came_but_cannot_be_read_is_there_all_the_same() -> None:
    azure = azure_of()
    assert sync(azure).state == "complete"
    azure.spoiled = frozenset({nic("a")["id"]})
    assert sync(azure).state == "complete"
    assert state_of(NICS).not_understood_count == 1
    assert NetworkInterface.objects.filter(removed_at=None, name="a").exists()
    azure.put(NICS, *(nic(name) for name in "bcd"))
    sync(azure)
    assert not NetworkInterface.objects.filter(removed_at=None, name="a").exists()


def test_a_server_without_connection_is_not_asked_for_every_list() -> None:
    azure = azure_of()
    asked: list[ReadKind] = []
    azure.on_page = lambda kind, _number: asked.append(kind)
    azure.fails = {(kind, SUBSCRIPTION): Fails(Failure.CONNECTION, after_pages=0) for kind in ReadKind}
    assert sync(azure).state == "failed"
    assert asked == []
    assert {state_of(kind).failure for kind in ReadKind} == {"connection"}
