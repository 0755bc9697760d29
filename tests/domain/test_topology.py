"""What documents mean together, and the law of deltas over any sequence of changes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.estates import APPS, PLATFORM, SHARED, arm, nic_id, story, vnet_id
from tests.vectors.topology import CASES, Town
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.graph import PeeringDoc, Vnet, graph_of, joined
from vtapweb.domain.layout import GEOMETRY
from vtapweb.domain.topology import COLLECTOR_MEMBER, MIRRORED, PRIVATE_ENDPOINT, WITHOUT_VM, apply, decode, diff, encode

STEPS = sorted({step for steps in CASES.values() for step in steps}, key=lambda step: step.__qualname__)
HUB = Vnet("a", "hub", PLATFORM, "uksouth", "", "hub", 0)
SPOKE = Vnet("b", "spoke", APPS, "uksouth", "", "spoke", 0)


@given(st.lists(st.sampled_from(STEPS), max_size=6))
@settings(max_examples=30, deadline=None)
def test_a_delta_leads_from_before_to_after_whatever_happened(steps: list) -> None:  # type: ignore[type-arg] # functions of the vectors
    town, estate = Town(), story()
    before = town.look(estate)
    shown = before
    for step in steps:
        step(estate)
        after = town.look(estate)
        shown = apply(shown, diff(shown, after))
        assert shown == after
        assert decode(encode(after, GEOMETRY)) == after


@pytest.mark.parametrize(
    ("a_says", "b_says", "b_role", "state", "detail"),
    [
        ("Connected", "Connected", "spoke", "Connected", ""),
        ("Disconnected", "Connected", "spoke", "Disconnected", "Disconnected on hub’s side."),
        ("Disconnected", "Disconnected", "spoke", "Disconnected", "Disconnected on hub’s and spoke’s sides."),
        ("Initiated", None, "spoke", "Initiated", "Initiated on hub’s side."),
        ("Connected", None, "spoke", "half", "Only hub has this peering. spoke has none back to it."),
        ("Connected", None, "ghost", "unknown", "hub says Connected; spoke cannot be read, so its side is unknown."),
        ("Resting", "Connected", "spoke", "Resting", "hub says Resting."),
        ("", "Connected", "spoke", "unknown", "hub says nothing."),
    ],
)
def test_a_peering_is_only_connected_when_both_sides_say_so(a_says: str, b_says: str | None, b_role: str, state: str, detail: str) -> None:
    def doc(here: Vnet, there: Vnet, says: str) -> PeeringDoc:
        return PeeringDoc(here.key, there.key, there.key, says, "FullyInSync", "")

    b = SPOKE._replace(role=b_role)
    assert joined(HUB, doc(HUB, b, a_says), b, None if b_says is None else doc(b, HUB, b_says)) == (state, detail)


def test_address_spaces_out_of_step_are_said() -> None:
    a, b = (PeeringDoc(one, other, other, "Connected", "RemoteNotInSync", "") for one, other in (("a", "b"), ("b", "a")))
    assert joined(HUB, a, SPOKE, b) == ("Connected", "Connected, but the address spaces are not in step (RemoteNotInSync).")


def test_the_story_is_told() -> None:
    graph = graph_of(story().documents())
    roles = {vnet.name: vnet.role for vnet in graph.vnets.values()}
    assert (roles["hub-uks"], roles["spoke-crm"], roles["corp-shared"], roles["vnet-branch"]) == ("hub", "spoke", "ghost", "spoke")
    kinds = {one.name: (one.kind, one.member_count, len(one.tap_keys)) for one in graph.collectors.values()}
    assert kinds == {"ilb-collector-uks": ("load_balancer", 2, 1), "nic-packetlog-01": ("nic", 1, 1)}
    states = {graph.nics[key].name: state for key, state in graph.states.items()}
    assert states["web-01"] == MIRRORED
    assert states["nic-collector-a"] == states["nic-packetlog-01"] == COLLECTOR_MEMBER
    assert states["pe-vault"] == PRIVATE_ENDPOINT | WITHOUT_VM
    assert states["api-old"] == WITHOUT_VM


def test_a_nic_in_a_vnet_nobody_may_read_stands_in_a_ghost_of_it() -> None:
    estate = story()
    estate.nic(APPS, "lodger", "uksouth", arm(SHARED, "rg-net", "virtualNetworks", "far", "subnets", "snet-far"))
    graph = graph_of(estate.documents())
    ghost = graph.vnets[arm_key(vnet_id(SHARED, "far"))]
    assert (ghost.name, ghost.role) == ("far", "ghost")
    assert [subnet.name for subnet in graph.subnets.values() if subnet.vnet_key == ghost.key] == ["snet-far"]
    assert arm_key(nic_id(APPS, "lodger")) in graph.nics


def test_taps_without_a_destination_lead_nowhere_each_by_itself() -> None:
    estate = story()
    taps = [estate.tap(PLATFORM, name, "uksouth", "") for name in ("tap-bare-1", "tap-bare-2")]
    estate.mirror(APPS, "web-03", taps[0])
    graph = graph_of(estate.documents())
    nowhere = {key: one for key, one in graph.collectors.items() if one.name == "no destination"}
    assert {key: (one.kind, one.tap_keys) for key, one in nowhere.items()} == {arm_key(tap): ("gone", (arm_key(tap),)) for tap in taps}
    assert {one.collector_key for one in graph.mirrors.values()} >= {arm_key(taps[0])}


def test_a_missing_destination_is_gone_only_where_all_was_read() -> None:
    estate = story()
    read = estate.tap(PLATFORM, "tap-old", "uksouth", nic_id(PLATFORM, "nic-removed") + "/ipConfigurations/ipconfig1")
    unread = arm(SHARED, "rg-tap", "virtualNetworkTaps", "tap-theirs")
    estate.mirror(APPS, "web-03", read)
    estate.mirror(APPS, "web-04", unread)
    graph = graph_of(estate.documents())
    kinds = {one.name: one.kind for one in graph.collectors.values()}
    assert (kinds["nic-removed"], kinds["tap-theirs"]) == ("gone", "unreadable")
