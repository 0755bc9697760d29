"""The layout's promises: boxes nest, siblings never overlap, what has a place keeps it, the same estate gives the same picture."""

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.estates import SIZES, numbered, story
from vtapweb.domain.graph import graph_of, wanted_blocks
from vtapweb.domain.layout import CELL_H, CELL_W, HUB_GUTTER, SUBNET_HEAD, SUBNET_PAD, VNET_GAP, BlockWant, Layout, SubnetWant, layout
from vtapweb.domain.pack import Box, free_place, hull, pack

REGIONS = ("eastus", "germanywestcentral", "uksouth")


@st.composite
def estates(draw: st.DrawFn) -> list[BlockWant]:
    """Blocks v0, v1, …: some hubs, some spokes, some alone, some ghosts, some free cards."""
    sizes = draw(st.lists(st.lists(st.integers(0, 25), max_size=4), min_size=1, max_size=14))
    blocks = []
    for index, subnets in enumerate(sizes):
        kind = draw(st.sampled_from(["vnet", "vnet", "vnet", "hub", "ghost", "card"]))
        group = f"v{draw(st.integers(0, len(sizes) - 1))}" if kind != "hub" else f"v{index}"
        is_small = kind in ("ghost", "card")
        blocks.append(
            BlockWant(
                key=f"v{index}", region=draw(st.sampled_from(REGIONS)), group=group, is_ghost=kind == "ghost", is_card=kind == "card",
                subnets=()
                if is_small
                else tuple(SubnetWant(f"v{index}s{at}", tuple(f"v{index}s{at}n{nic}" for nic in range(count))) for at, count in enumerate(subnets)),
                cards=tuple(f"v{index}c{at}" for at in range(draw(st.integers(0, 3)))) if kind == "hub" else (),
            )
        )  # fmt: skip
    return blocks


def check(want: list[BlockWant], found: Layout) -> None:
    """Every wanted thing has one place; children stand inside their parents; siblings are disjoint."""
    assert set(found.blocks) == {one.key for one in want}
    assert set(found.trays) == {subnet.key for one in want for subnet in one.subnets}
    assert set(found.cards) == {card for one in want for card in one.cards}
    assert set(found.slots) == {nic for one in want for subnet in one.subnets for nic in subnet.nics}
    disjoint(list(found.regions.values()))
    disjoint([place.box for place in found.blocks.values()])
    for place in found.blocks.values():
        assert found.regions[place.region].holds(place.box)
    children: dict[str, list[Box]] = {}
    for key, tray in found.trays.items():
        children.setdefault(tray.vnet, []).append(tray.box)
        assert tray.box.w >= 2 * SUBNET_PAD + tray.columns * CELL_W, key
        assert tray.box.h >= SUBNET_HEAD + tray.capacity // tray.columns * CELL_H, key
    for card in found.cards.values():
        children.setdefault(card.vnet, []).append(card.box)
    for vnet, boxes in children.items():
        disjoint(boxes)
        outer = found.blocks[vnet].box
        assert all(Box(0, 0, outer.w, outer.h).holds(box) for box in boxes)
    assert len(set(found.slots.values())) == len(found.slots)
    for slot in found.slots.values():
        assert 0 <= slot.number < found.trays[slot.subnet].capacity


def disjoint(boxes: list[Box]) -> None:
    for one, other in combinations(boxes, 2):
        assert not one.meets(other), (one, other)


@given(estates())
@settings(max_examples=150, deadline=None)
def test_boxes_nest_and_siblings_never_overlap(want: list[BlockWant]) -> None:
    found = layout(want)
    check(want, found)
    assert layout(want) == found


@given(estates(), estates())
@settings(max_examples=150, deadline=None)
def test_whatever_comes_and_goes_nothing_overlaps_and_who_fits_stays(before: list[BlockWant], after: list[BlockWant]) -> None:
    old = layout(before)
    new = layout(after, old)
    check(after, new)
    for key, place in new.blocks.items():
        was = old.blocks.get(key)
        if was is not None and was.box.w == place.box.w and was.box.h == place.box.h and was.region == place.region:
            assert place == was
    for nic, slot in new.slots.items():
        if nic in old.slots and old.slots[nic].subnet == slot.subnet:
            assert slot == old.slots[nic]


@given(estates(), st.integers(0, 40))
@settings(max_examples=100, deadline=None)
def test_a_subnet_that_grows_moves_nobody_else(want: list[BlockWant], more: int) -> None:
    growing = next((index for index, one in enumerate(want) if one.subnets), None)
    if growing is None:
        return
    first, *rest = want[growing].subnets
    grown = replace(first, nics=(*first.nics, *(f"new{number}" for number in range(more))))
    after = [replace(one, subnets=(grown, *rest)) if index == growing else one for index, one in enumerate(want)]
    old, new = layout(want), layout(after, layout(want))
    check(after, new)
    for key, place in old.blocks.items():
        if key != want[growing].key:
            assert new.blocks[key] == place
    for subnet in rest:
        assert new.trays[subnet.key] == old.trays[subnet.key]
    for nic in first.nics:
        assert new.slots[nic] == old.slots[nic]


def test_a_newcomer_takes_the_first_free_slot() -> None:
    before = layout([BlockWant("v", "uksouth", subnets=(SubnetWant("s", ("a", "b", "c")),))])
    after = layout([BlockWant("v", "uksouth", subnets=(SubnetWant("s", ("a", "c", "d")),))], before)
    assert {nic: slot.number for nic, slot in after.slots.items()} == {"a": 0, "c": 2, "d": 1}
    assert after.blocks == before.blocks


def test_every_subnet_has_a_free_slot_and_about_a_third_of_head_room() -> None:
    for count in (0, 1, 2, 3, 5, 6, 10, 50, 250):
        found = layout([BlockWant("v", "uksouth", subnets=(SubnetWant("s", tuple(f"n{number}" for number in range(count))),))])
        capacity = found.trays["s"].capacity
        assert count < capacity
        assert capacity >= int(count * 1.35)
        assert capacity <= max(3, count * 1.35 + found.trays["s"].columns)


def test_the_story_looks_like_the_picture() -> None:
    """[spoke] == [hub] == [spoke], wide enough between them for pipes, the cards above the hub's subnets."""
    graph = graph_of(story().documents())
    found = layout(wanted_blocks(graph))
    box = {vnet.name: found.blocks[key].box for key, vnet in graph.vnets.items()}
    hub = box["hub-uks"]
    left = [name for name in box if name.startswith("spoke") and box[name].right + HUB_GUTTER <= hub.x]
    right = [name for name in box if name.startswith("spoke") and box[name].x >= hub.right + HUB_GUTTER]
    assert (len(left), len(right)) == (2, 2)
    subnets = [tray.box for tray in found.trays.values() if graph.vnets[tray.vnet].name == "hub-uks"]
    assert max(card.box.bottom for card in found.cards.values()) <= min(tray.y for tray in subnets)
    world = found.world
    assert min(1836 / world.w, 957 / world.h) >= 0.95  # what a fit has on a screen of 1920 x 1080
    assert min(1356 / world.w, 777 / world.h) >= 0.75  # and on one of 1440 x 900: chips with names


def test_what_belongs_to_a_vnet_stands_beside_it() -> None:
    """Under it in its column: its ghosts and free cards beside each other, then the VNets that hang on it alone."""
    spokes = [BlockWant(f"s{number}", "uksouth", "hub", subnets=(SubnetWant(f"n{number}"),)) for number in range(4)]
    want = [
        BlockWant("hub", "uksouth", "hub", cards=("c",)),
        *spokes,
        BlockWant("leaf", "uksouth", "hub", near="s1", subnets=(SubnetWant("l"),)),
        BlockWant("ghost", "uksouth", "hub", is_ghost=True, near="s1"),
        BlockWant("card", "uksouth", "hub", is_card=True, near="s1"),
        BlockWant("other", "uksouth", "hub", is_ghost=True, near="hub"),
        BlockWant("one", "uksouth", "hub", near="two"),
        BlockWant("two", "uksouth", "hub", near="one"),  # each names the other: both are placed all the same
    ]
    found = layout(want)
    check(want, found)
    box = {key: place.box for key, place in found.blocks.items()}
    assert box["ghost"].y == box["s1"].bottom + VNET_GAP
    assert box["leaf"].y > box["card"].bottom >= box["ghost"].bottom
    assert abs(box["leaf"].x - box["s1"].x) < box["s1"].w
    assert box["other"].y > box["hub"].bottom


@pytest.mark.parametrize("size", SIZES)
def test_large_estates_pack_well(size: str) -> None:
    want = wanted_blocks(graph_of(numbered(*SIZES[size]).documents()))
    found = layout(want)
    world = found.world
    covered = sum(place.box.w * place.box.h for place in found.blocks.values())
    assert 1.3 <= world.w / world.h <= 2.1
    assert covered / (world.w * world.h) >= 0.5
    assert layout(want, found) == found


def test_boxes_pack_without_holes_where_they_can() -> None:
    assert pack([(10, 10), (10, 5), (10, 5)], 20, 0) == [Box(0, 0, 10, 10), Box(10, 0, 10, 5), Box(10, 5, 10, 5)]
    assert hull([]) == Box(0, 0, 0, 0)


def test_a_free_place_is_the_nearest_one_or_none() -> None:
    bounds, taken = Box(0, 0, 30, 10), [Box(10, 0, 10, 10)]
    assert free_place((10, 10), bounds, taken, 0) == Box(0, 0, 10, 10)
    assert free_place((10, 10), bounds, taken, 0, near=(30, 5)) == Box(20, 0, 10, 10)
    assert free_place((11, 10), bounds, taken, 0) is None
