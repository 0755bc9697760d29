"""Steps about a TAP itself, and what a read of its target says in every case that the simulator does not play."""

from typing import Any

import pytest

from tests.taps.stage import ILB, PACKETLOG, Stage, add_step, states, tap_change
from vtapweb.cloud.types import NetworkInterface, TapConfiguration, VirtualNetworkTap
from vtapweb.domain.arm_id import arm_key, parse
from vtapweb.domain.change import Heard
from vtapweb.inventory.models import VirtualNetworkTap as TapRow
from vtapweb.simulator.faults import FaultKind
from vtapweb.taps.models import Change, ChangeStep, TapLife
from vtapweb.taps.reading import Order, seen_on_nic, seen_tap

NEW = f"{ILB.rpartition('/')[0]}/tap-new"
NIC = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkInterfaces/nic-1"
OWN, OTHER = f"{NIC}/tapConfigurations/vtapweb", f"{NIC}/tapConfigurations/theirs"


def tap_step(change: Change, tap_id: str, action: str, body: Any = None, **fields: Any) -> ChangeStep:
    return ChangeStep.objects.create(
        change=change,
        ordinal=change.steps.count() + 1,
        target_id=tap_id,
        target_key=arm_key(tap_id),
        subscription_id=parse(tap_id).subscription_id.lower(),
        action=action,
        method=action.upper(),
        path=tap_id,
        body=body,
        **fields,
    )


def frontend_of(azure: Stage, tap_id: str) -> tuple[str, str]:
    """(location, frontend) of a TAP that leads to a load balancer."""
    found = azure.server.estate.get(tap_id)
    assert found is not None
    document = found.json()
    return document["location"], document["properties"]["destinationLoadBalancerFrontEndIPConfiguration"]["id"]


@pytest.mark.django_db(transaction=True)
def test_a_tap_knows_at_once_that_its_sources_came_and_went(azure: Stage) -> None:
    nics = azure.add_nics(2)
    change = tap_change(nics, tap_id=PACKETLOG)
    azure.run(change)

    def listed() -> set[str]:
        return {arm_key(one.rsplit("/", 2)[0]) for one in TapRow.objects.get(key=arm_key(PACKETLOG)).tap_configuration_ids}

    keys = {arm_key(nic) for nic in nics}
    assert keys <= listed(), "without a sync"
    undo = tap_change([], tap_id=PACKETLOG, action="untap")
    for step in change.steps.order_by("ordinal"):
        add_step(undo, step.nic_id, action="delete", before={"tap_id": PACKETLOG})
    azure.run(undo)
    assert states(undo) == ["verified"] * 2
    assert not keys & listed()


@pytest.mark.django_db(transaction=True)
def test_a_tap_is_made_first_and_then_gets_its_sources(azure: Stage) -> None:
    location, frontend = frontend_of(azure, ILB)
    nics = azure.add_nics(2)
    change = tap_change([], tap_id=NEW, action="create_tap")
    body = {"location": location, "tags": {"owner": "noc"}, "properties": {"destinationLoadBalancerFrontEndIPConfiguration": {"id": frontend}}}
    making = tap_step(change, NEW, "put", body)
    for nic in nics:
        add_step(change, nic, after=making, wave=2)
    azure.run(change)
    assert states(change) == ["verified"] * 3
    assert [azure.configurations(nic)[0][1] for nic in nics] == [NEW] * 2
    assert TapRow.objects.get(key=arm_key(NEW)).tags == {"owner": "noc"}
    assert TapLife.objects.get(tap_key=arm_key(NEW)).began_change == change


@pytest.mark.django_db(transaction=True)
def test_without_its_tap_no_source_is_sent(azure: Stage) -> None:
    location, frontend = frontend_of(azure, ILB)
    change = tap_change([], tap_id=NEW, action="create_tap")
    body = {"location": location, "properties": {"destinationLoadBalancerFrontEndIPConfiguration": {"id": frontend}}}
    making = tap_step(change, NEW, "put", body)
    add_step(change, azure.add_nics(1)[0], after=making, wave=2)
    azure.fault(FaultKind.FAILED_OPERATION, path_part="/virtualNetworkTaps/tap-new")
    azure.run(change)
    assert states(change) == ["failed", "skipped"]
    assert Change.objects.get(pk=change.pk).state == "failed"


@pytest.mark.django_db(transaction=True)
def test_tags_are_changed_and_a_tap_is_deleted_once_nothing_leads_to_it(azure: Stage) -> None:
    location, frontend = frontend_of(azure, ILB)
    making = tap_change([], tap_id=NEW, action="create_tap")
    body = {"location": location, "properties": {"destinationLoadBalancerFrontEndIPConfiguration": {"id": frontend}}}
    tap_step(making, NEW, "put", body)
    azure.run(making)

    tagging = tap_change([], tap_id=NEW, action="update_tap_tags")
    tap_step(tagging, NEW, "patch", {"tags": {"owner": "secops"}})
    azure.run(tagging)
    assert states(tagging) == ["verified"]
    assert TapRow.objects.get(key=arm_key(NEW)).tags == {"owner": "secops"}

    (nic,) = azure.add_nics(1)
    azure.order("tap-configurations/create", nic=nic, tap=NEW, name="theirs")
    deleting = tap_change([], tap_id=NEW, action="delete_tap")
    tap_step(deleting, NEW, "delete")
    azure.run(deleting)
    assert [(one.state, one.error_code) for one in deleting.steps.all()] == [("failed", "in_use")]

    azure.order("tap-configurations/delete", nic=nic, name="theirs")
    again = tap_change([], tap_id=NEW, action="delete_tap")
    tap_step(again, NEW, "delete")
    azure.run(again)
    assert states(again) == ["verified"]
    assert azure.server.estate.get(NEW) is None
    assert TapRow.objects.get(key=arm_key(NEW)).removed_at is not None
    assert not TapLife.objects.filter(tap_key=arm_key(NEW), ended_at=None).exists()


def nic(*configurations: tuple[str, str, str], vm: str = "/vm") -> NetworkInterface:
    """A NIC with these (id, TAP, provisioning state)."""
    found = tuple(
        TapConfiguration(arm_id=one, name=one.rpartition("/")[2], virtual_network_tap_id=tap, provisioning_state=state)
        for one, tap, state in configurations
    )
    return NetworkInterface(arm_id=NIC, name="nic-1", virtual_machine_id=vm, tap_configurations=found)


PUT = Order("put", arm_key(OWN), arm_key(NIC), {"properties": {"virtualNetworkTap": {"id": ILB.upper()}}}, {})
DELETE = Order("delete", arm_key(OWN), arm_key(NIC), {}, {})


@pytest.mark.parametrize(
    ("order", "document", "heard", "code"),
    [
        (PUT, None, Heard.TAKEN, "nic_gone"),
        (PUT, nic(), Heard.NOT_YET, ""),
        (PUT, nic(vm=""), Heard.TAKEN, "not_attached"),
        (PUT, nic((OWN.upper(), ILB, "Succeeded")), Heard.AS_WANTED, ""),
        (PUT, nic((OWN, ILB, "")), Heard.AS_WANTED, ""),
        (PUT, nic((OWN, ILB, "Updating")), Heard.UNDER_WAY, ""),
        (PUT, nic((OWN, ILB, "Rehydrating")), Heard.UNDER_WAY, ""),
        (PUT, nic((OWN, ILB, "Failed")), Heard.NOT_YET, ""),
        (PUT, nic((OWN, PACKETLOG, "Succeeded")), Heard.TAKEN, "another_configuration"),
        (PUT, nic((OTHER, ILB, "Succeeded")), Heard.TAKEN, "another_configuration"),
        (PUT, nic((OWN, ILB, "Succeeded"), (OTHER, ILB, "Succeeded")), Heard.TAKEN, "another_configuration"),
        (DELETE, None, Heard.AS_WANTED, ""),
        (DELETE, nic(), Heard.AS_WANTED, ""),
        (DELETE, nic((OTHER, ILB, "Succeeded")), Heard.AS_WANTED, ""),
        (DELETE, nic((OWN, ILB, "Deleting")), Heard.UNDER_WAY, ""),
        (DELETE, nic((OWN, ILB, "Succeeded")), Heard.NOT_YET, ""),
        (DELETE, nic((OWN, ILB, "Failed")), Heard.NOT_YET, ""),
        (Order("delete", arm_key(OWN), "", {}, {"tap_id": ILB.upper()}), nic((OWN, ILB, "Succeeded")), Heard.NOT_YET, ""),
        (Order("delete", arm_key(OWN), "", {}, {"tap_id": PACKETLOG}), nic((OWN, ILB, "Succeeded")), Heard.TAKEN, "mirror_moved"),
    ],
    ids=lambda one: str(one) if isinstance(one, str) else "",
)
def test_what_a_nic_says_of_a_step(order: Order, document: NetworkInterface | None, heard: Heard, code: str) -> None:
    seen = seen_on_nic(order, document)
    assert (seen.heard, seen.code) == (heard, code)
    assert bool(seen.message) == bool(code)


FRONTEND, IP = "/lb/frontendIPConfigurations/f", "/nic/ipConfigurations/i"


def tap(state: str = "Succeeded", *, frontend: str = FRONTEND, sources: tuple[str, ...] = (), **given: Any) -> VirtualNetworkTap:
    return VirtualNetworkTap(
        arm_id=NEW, name="tap-new", destination_frontend_id=frontend, provisioning_state=state, tap_configuration_ids=sources, **given
    )


def order(action: str, body: Any = None) -> Order:
    return Order(action, arm_key(NEW), "", body or {}, {})


MAKE = order("put", {"properties": {"destinationLoadBalancerFrontEndIPConfiguration": {"id": FRONTEND.upper()}}})
TAG = order("patch", {"tags": {"a": "1"}})


@pytest.mark.parametrize(
    ("wanted", "document", "heard", "code"),
    [
        (MAKE, None, Heard.NOT_YET, ""),
        (MAKE, tap(), Heard.AS_WANTED, ""),
        (MAKE, tap("Updating"), Heard.UNDER_WAY, ""),
        (MAKE, tap("Failed"), Heard.NOT_YET, ""),
        (MAKE, tap(frontend="/elsewhere"), Heard.TAKEN, "another_tap"),
        (MAKE, tap(frontend="", destination_ip_configuration_id=IP), Heard.TAKEN, "another_tap"),
        (TAG, None, Heard.TAKEN, "tap_gone"),
        (TAG, tap(tags={"a": "1"}), Heard.AS_WANTED, ""),
        (TAG, tap("Updating", tags={"a": "1"}), Heard.AS_WANTED, ""),
        (TAG, tap(tags={"a": "1", "b": "2"}), Heard.NOT_YET, ""),
        (order("delete"), None, Heard.AS_WANTED, ""),
        (order("delete"), tap("Deleting"), Heard.UNDER_WAY, ""),
        (order("delete"), tap(), Heard.NOT_YET, ""),
        (order("delete"), tap(sources=(OWN,)), Heard.TAKEN, "in_use"),
    ],
    ids=lambda one: str(one) if isinstance(one, str) else "",
)
def test_what_a_tap_says_of_a_step(wanted: Order, document: VirtualNetworkTap | None, heard: Heard, code: str) -> None:
    seen = seen_tap(wanted, document)
    assert (seen.heard, seen.code) == (heard, code)
    assert bool(seen.message) == bool(code)
