"""Where everything stands on the map: regions > hub groups > VNets > subnets > NIC slots. Pure, deterministic and sticky.

Rule 1: boxes nest and siblings never overlap. Rule 2: what has a place keeps it: a newcomer takes the first free place, a subnet or VNet that
outgrew its box moves alone, nothing else moves. Rule 3: only `layout(want)` without stored places packs from scratch ("Re-arrange").
Rule 4: a place says nothing about names or states: those may change without anything moving.

World units: at a zoom of 1 px a unit a NIC chip with its name is readable. VNets and region-level cards stand in absolute coordinates, subnets and
cards inside a VNet relative to their VNet, NICs in numbered slots of their subnet.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from vtapweb.domain.pack import Box, Size, frame_size, free_place, hull, pack, pack_to_shape

CELL_W, CELL_H = 112, 30
SUBNET_PAD, SUBNET_HEAD = 8, 24
VNET_PAD, VNET_HEAD = 14, 42
REGION_PAD, REGION_HEAD = 16, 34
SUBNET_GAP = 8
CARD = (3 * CELL_W + 2 * SUBNET_PAD, 120)  # a collector's card, as wide as a subnet of three columns
FREE_CARD = (180, 56)  # of a collector that is gone or cannot be read: there is little to say
GHOST = (180, 56)
VNET_GAP = 26
SMALL_GAP = 20  # between ghosts and free cards in a row
PIPE_GAP = 48  # above and below a hub: room for a short pipe and its words
HUB_GUTTER = 112  # room for the pipes between a hub and its spokes
ROW_GUTTER = 52
GROUP_GAP = 64
REGION_GAP, REGION_GAP_SHARE = 36, 0.014  # at least so many units, and so much of the side of a square world
HEAD_ROOM = 1.35  # slots a NIC that is there
FEWEST_COLUMNS, USUAL_COLUMNS = 2, 3  # of a subnet with up to four slots, of all others
SUBNET_SHAPE, VNET_SHAPE, HUB_SHAPE, WORLD_SHAPE = 1.6, 1.05, 0.62, 1.8  # width : height
REGION_SHAPES = (0.45, 0.6, 0.8, 1.0, 1.25, 1.6, 2.0, 2.6, 3.2)  # tried when the world is packed
FEW_SPOKES = 4  # so many keep the middle column for the hub alone
MOST_IN_COLUMNS = 8  # spokes beside their hub; more stand in rows around it
MOST_SINGLE_NEWCOMERS = 12  # more VNets at once in one region are packed as a block of their own

GEOMETRY = {
    "cell_w": CELL_W, "cell_h": CELL_H, "subnet_pad": SUBNET_PAD, "subnet_head": SUBNET_HEAD, "vnet_pad": VNET_PAD, "vnet_head": VNET_HEAD,
    "region_pad": REGION_PAD, "region_head": REGION_HEAD,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SubnetWant:
    """A subnet to place, with the keys of its NICs in the order in which newcomers take slots."""

    key: str
    nics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BlockWant:
    """What stands free in a region: a VNet, a ghost, or the card of a collector whose VNet is not known (`is_card`).

    `group` is the key of the hub it hangs on ("" = none; a hub names itself), `near` the key of the VNet beside which it belongs.
    """

    key: str
    region: str
    group: str = ""
    subnets: tuple[SubnetWant, ...] = ()
    cards: tuple[str, ...] = ()
    is_ghost: bool = False
    is_card: bool = False
    near: str = ""

    @property
    def is_small(self) -> bool:
        return self.is_ghost or self.is_card


class Tray(NamedTuple):
    """A subnet's place: its box relative to its VNet, and its slots."""

    vnet: str
    box: Box
    columns: int
    capacity: int


class Card(NamedTuple):
    """A collector card's place, relative to its VNet."""

    vnet: str
    box: Box


class Block(NamedTuple):
    """The place of a VNet, ghost or free card in the world, and the key of the region box it stands in."""

    region: str
    box: Box


class Slot(NamedTuple):
    subnet: str
    number: int


@dataclass(frozen=True, slots=True)
class Layout:
    """All places. A region that could not grow has more than one box: `uksouth`, `uksouth#2`."""

    regions: Mapping[str, Box] = field(default_factory=dict)
    blocks: Mapping[str, Block] = field(default_factory=dict)
    trays: Mapping[str, Tray] = field(default_factory=dict)
    cards: Mapping[str, Card] = field(default_factory=dict)
    slots: Mapping[str, Slot] = field(default_factory=dict)

    @property
    def world(self) -> Box:
        return hull(self.regions.values())


def region_name(region_key: str) -> str:
    """`uksouth` for `uksouth` and for its second box `uksouth#2`."""
    return region_key.partition("#")[0]


def columns_for(nic_count: int) -> int:
    """Slots in a row for that many NICs, so that the subnet is wider than high."""
    slots = _slots_for(nic_count)
    fewest = FEWEST_COLUMNS if slots <= 2 * FEWEST_COLUMNS else USUAL_COLUMNS
    return max(fewest, round(math.sqrt(slots * SUBNET_SHAPE * CELL_H / CELL_W)))


def rows_for(nic_count: int, columns: int) -> int:
    """Rows of slots for that many NICs with head-room, at least one slot free."""
    return -(-_slots_for(nic_count) // columns)


def _slots_for(nic_count: int) -> int:
    return max(nic_count + 1, int(nic_count * HEAD_ROOM))


def _tray_size(columns: int, rows: int) -> Size:
    return columns * CELL_W + 2 * SUBNET_PAD, SUBNET_HEAD + rows * CELL_H + SUBNET_PAD


def layout(want: Sequence[BlockWant], stored: Layout | None = None) -> Layout:
    """Places for all that is wanted, keeping those of `stored`. The order of `want` decides only where newcomers go."""
    insides = _insides(want, stored or Layout())
    slots = _slots(want, insides, stored.slots if stored else {})
    outside = _Outside(insides, stored or Layout())
    outside.place(want)
    return Layout(
        regions=outside.regions,
        blocks=outside.blocks,
        trays={key: tray for inside in insides.values() for key, tray in inside.trays.items()},
        cards={key: card for inside in insides.values() for key, card in inside.cards.items()},
        slots=slots,
    )


# --- inside a VNet ---------------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Inside:
    trays: dict[str, Tray]
    cards: dict[str, Card]
    size: Size


def _insides(want: Sequence[BlockWant], stored: Layout) -> dict[str, _Inside]:
    trays_of: dict[str, dict[str, Tray]] = {}
    for key, tray in stored.trays.items():
        trays_of.setdefault(tray.vnet, {})[key] = tray
    cards_of: dict[str, dict[str, Card]] = {}
    for key, card in stored.cards.items():
        cards_of.setdefault(card.vnet, {})[key] = card
    result = {}
    for one in want:
        if one.is_card:
            result[one.key] = _Inside({}, {}, FREE_CARD)
            continue
        place = stored.blocks.get(one.key)
        had_trays, had_cards = trays_of.get(one.key, {}), cards_of.get(one.key, {})
        is_known = place is not None and (had_trays or had_cards or not (one.subnets or one.cards))
        result[one.key] = _inside_kept(one, place.box, had_trays, had_cards) if place and is_known else _inside_packed(one)
    return result


def _inside_packed(want: BlockWant) -> _Inside:
    if want.is_ghost and not want.subnets and not want.cards:
        return _Inside({}, {}, GHOST)
    own = {subnet.key: columns_for(len(subnet.nics)) for subnet in want.subnets}
    level = {subnet.key: max(own[subnet.key], min(USUAL_COLUMNS, _slots_for(len(subnet.nics)))) for subnet in want.subnets}
    return min((_inside_of(want, columns) for columns in (own, level)), key=lambda inside: _cost(inside.size, want))


def _cost(size: Size, want: BlockWant) -> tuple[float, int]:
    return frame_size(Box(0, 0, *size), HUB_SHAPE if want.cards else VNET_SHAPE), size[0] * size[1]


def _inside_of(want: BlockWant, columns_of: Mapping[str, int]) -> _Inside:
    shapes = [(subnet, columns := columns_of[subnet.key], rows_for(len(subnet.nics), columns)) for subnet in want.subnets]
    if len(shapes) > 4:
        shapes.sort(key=lambda shape: -shape[2])  # tall ones first: fewer holes
    sizes = [_tray_size(columns, rows) for _, columns, rows in shapes]
    best: tuple[tuple[float, int], list[Box], list[Box]] | None = None
    for trays in _packings(sizes):
        width = max(hull(trays).w, CARD[0] if want.cards or not trays else 0)
        cards = pack([CARD] * len(want.cards), width, SUBNET_GAP)
        top = hull(cards).h + SUBNET_GAP if cards else 0
        moved = [box.moved(0, top) for box in trays]
        whole = hull([*cards, *moved])
        cost = _cost((whole.w, whole.h), want)
        if best is None or cost < best[0]:
            best = (cost, cards, moved)
    cards, trays = (best[1], best[2]) if best else ([], [])
    content = hull([*cards, *trays])
    width, height = max(content.w, _tray_size(FEWEST_COLUMNS, 1)[0]), content.h
    return _Inside(
        {
            subnet.key: Tray(want.key, box.moved(VNET_PAD, VNET_HEAD), columns, columns * rows)
            for (subnet, columns, rows), box in zip(shapes, trays, strict=True)
        },
        {key: Card(want.key, box.moved(VNET_PAD, VNET_HEAD)) for key, box in zip(want.cards, cards, strict=True)},
        (width + 2 * VNET_PAD, VNET_HEAD + height + VNET_PAD),
    )


def _packings(sizes: Sequence[Size]) -> list[list[Box]]:
    """Candidate arrangements of a VNet's subnets, from one column to one row."""
    if not sizes:
        return [[]]
    widest, total = max(w for w, _ in sizes), sum(w + SUBNET_GAP for w, _ in sizes) - SUBNET_GAP
    ideal = (sum((w + SUBNET_GAP) * (h + SUBNET_GAP) for w, h in sizes) * VNET_SHAPE) ** 0.5
    widths = {widest, total, *(min(max(widest, int(ideal * factor)), total) for factor in (0.85, 1.0, 1.2, 1.45))}
    return [pack(sizes, width, SUBNET_GAP) for width in sorted(widths)]


def _inside_kept(want: BlockWant, box: Box, trays: Mapping[str, Tray], cards: Mapping[str, Card]) -> _Inside:
    """Keep each subnet and card where it is; what is new or outgrew its box takes a free place, and the VNet grows downwards if there is none."""
    inner = Box(VNET_PAD, VNET_HEAD, box.w - 2 * VNET_PAD, box.h - VNET_HEAD - VNET_PAD)
    kept_cards = {key: Card(want.key, cards[key].box) for key in want.cards if key in cards}
    kept_trays: dict[str, Tray] = {}
    homeless: list[tuple[SubnetWant, int, int]] = []
    grown: list[tuple[SubnetWant, Tray, int]] = []
    for subnet in want.subnets:
        tray = trays.get(subnet.key)
        if tray is None:
            columns = columns_for(len(subnet.nics))
            homeless.append((subnet, columns, rows_for(len(subnet.nics), columns)))
        elif len(subnet.nics) <= tray.capacity:
            kept_trays[subnet.key] = tray
        else:
            grown.append((subnet, tray, rows_for(len(subnet.nics), tray.columns)))

    def taken() -> list[Box]:
        return [*(tray.box for tray in kept_trays.values()), *(card.box for card in kept_cards.values())]

    for index, (subnet, tray, rows) in enumerate(grown):  # the same columns and more rows: its NICs keep their slots
        w, h = _tray_size(tray.columns, rows)
        taller = Box(tray.box.x, tray.box.y, w, h)
        waiting = [other.box for _, other, _ in grown[index + 1 :]]
        if inner.holds(taller) and not any(taller.meets(other, SUBNET_GAP) for other in [*taken(), *waiting]):
            kept_trays[subnet.key] = Tray(want.key, taller, tray.columns, tray.columns * rows)
        else:
            homeless.append((subnet, tray.columns, rows))

    def place_for(size: Size) -> Box:
        nonlocal inner
        place = free_place(size, inner, taken(), SUBNET_GAP)
        if place is None:
            bottom = max([inner.y, *(other.bottom + SUBNET_GAP for other in taken())])
            place = Box(inner.x, bottom, *size)
            inner = Box(inner.x, inner.y, max(inner.w, place.w), max(inner.h, place.bottom - inner.y))
        return place

    for key in want.cards:
        if key not in kept_cards:
            kept_cards[key] = Card(want.key, place_for(CARD))
    for subnet, columns, rows in homeless:
        kept_trays[subnet.key] = Tray(want.key, place_for(_tray_size(columns, rows)), columns, columns * rows)
    return _Inside(kept_trays, kept_cards, (inner.w + 2 * VNET_PAD, VNET_HEAD + inner.h + VNET_PAD))


def _slots(want: Sequence[BlockWant], insides: Mapping[str, _Inside], stored: Mapping[str, Slot]) -> dict[str, Slot]:
    result: dict[str, Slot] = {}
    for block in want:
        trays = insides[block.key].trays
        for subnet in block.subnets:
            key, capacity = subnet.key, trays[subnet.key].capacity
            if not stored:
                for number, nic in enumerate(subnet.nics):
                    result[nic] = Slot(key, number)
                continue
            used: set[int] = set()
            newcomers = []
            for nic in subnet.nics:
                slot = stored.get(nic)
                if slot is not None and slot.subnet == key and slot.number < capacity and slot.number not in used:
                    result[nic] = slot
                    used.add(slot.number)
                else:
                    newcomers.append(nic)
            if newcomers:
                free = (number for number in range(capacity) if number not in used)
                result.update((nic, Slot(key, next(free))) for nic in newcomers)
    return result


# --- VNets in regions, regions in the world ----------------------------------------------------------------------------------------------------


class _Outside:
    """Places blocks in regions and regions in the world, beginning with what is stored."""

    def __init__(self, insides: Mapping[str, _Inside], stored: Layout) -> None:
        self.insides = insides
        self.stored = stored
        self.regions: dict[str, Box] = {}
        self.blocks: dict[str, Block] = {}

    def place(self, want: Sequence[BlockWant]) -> None:
        homeless = self._keep(want)
        of_region: dict[str, list[BlockWant]] = {}
        for one in homeless:
            of_region.setdefault(one.region, []).append(one)
        if not self.regions:
            self._pack_world(of_region)
            return
        for region, newcomers in sorted(of_region.items()):
            known = [key for key in self.regions if region_name(key) == region]
            if not known or len(newcomers) > MOST_SINGLE_NEWCOMERS:
                self._add_region(self._free_region_key(region), newcomers)
                continue
            for one in newcomers:
                self._place_one(one, sorted(known))

    def _keep(self, want: Sequence[BlockWant]) -> list[BlockWant]:
        """Take over the stored places that still fit; return who needs a new one."""
        here = {one.key: place for one in want if (place := self.stored.blocks.get(one.key)) and region_name(place.region) == one.region}
        for region_key, box in self.stored.regions.items():
            if any(place.region == region_key for place in here.values()):
                self.regions[region_key] = box
        of_region: dict[str, list[str]] = {}
        for key, place in here.items():
            of_region.setdefault(place.region, []).append(key)
        homeless: list[BlockWant] = []
        outgrown = []
        for one in want:
            known = here.get(one.key)
            w, h = self.insides[one.key].size
            if known is None:
                homeless.append(one)
            elif w <= known.box.w and h <= known.box.h:
                self.blocks[one.key] = known
            else:
                outgrown.append(one)
        for one in outgrown:
            place = here[one.key]
            bigger = Box(place.box.x, place.box.y, *self._size(one.key, place.box))
            others = [here[key].box if key not in self.blocks else self.blocks[key].box for key in of_region[place.region] if key != one.key]
            if _inner(self.regions[place.region]).holds(bigger) and not any(bigger.meets(other, SUBNET_GAP) for other in others):
                self.blocks[one.key] = Block(place.region, bigger)
            else:
                homeless.append(one)
                of_region[place.region].remove(one.key)
        return homeless

    def _size(self, key: str, before: Box | None = None) -> Size:
        w, h = self.insides[key].size
        return (max(w, before.w), max(h, before.h)) if before else (w, h)

    def _place_one(self, one: BlockWant, region_keys: Sequence[str]) -> None:
        size = self._size(one.key)
        beside = self.blocks.get(one.near) or self.blocks.get(one.group)
        near = (beside.box.x + beside.box.w // 2, beside.box.y + beside.box.h // 2) if beside and beside.region in region_keys else None
        for region_key in region_keys:
            place = free_place(size, _inner(self.regions[region_key]), self._boxes_in(region_key), VNET_GAP, near)
            if place:
                self.blocks[one.key] = Block(region_key, place)
                return
        for region_key in region_keys:
            grown = self._grown(region_key, size)
            if grown:
                self.regions[region_key] = grown
                place = free_place(size, _inner(grown), self._boxes_in(region_key), VNET_GAP, near)
                if place:
                    self.blocks[one.key] = Block(region_key, place)
                    return
        self._add_region(self._free_region_key(one.region), [one])

    def _boxes_in(self, region_key: str) -> list[Box]:
        return [place.box for place in self.blocks.values() if place.region == region_key]

    def _grown(self, region_key: str, size: Size) -> Box | None:
        """The region made larger, downwards or to the right, so that a box of `size` surely fits; None where other regions are in the way."""
        box = self.regions[region_key]
        w, h = size
        inside = hull(self._boxes_in(region_key))
        down = Box(box.x, box.y, max(box.w, w + 2 * REGION_PAD), max(box.h, inside.bottom + VNET_GAP + h + REGION_PAD - box.y))
        right = Box(box.x, box.y, max(box.w, inside.right + VNET_GAP + w + REGION_PAD - box.x), max(box.h, h + REGION_HEAD + REGION_PAD))
        others = [other for key, other in self.regions.items() if key != region_key]
        possible = [grown for grown in (down, right) if not any(grown.meets(other, REGION_GAP) for other in others)]
        return min(possible, key=lambda grown: frame_size(hull([grown, *others]), WORLD_SHAPE), default=None)

    def _free_region_key(self, region: str) -> str:
        number, key = 1, region
        while key in self.regions:
            number += 1
            key = f"{region}#{number}"
        return key

    def _add_region(self, region_key: str, members: Sequence[BlockWant]) -> None:
        """A new region box with these blocks, beside or below the world: where the whole stays nearer to its shape."""
        size, places = min((self._pack_region(members, shape) for shape in (0.7, 1.2, 1.8, 2.6)), key=lambda packed: packed[0][0] * packed[0][1])
        world = hull(self.regions.values())
        beside, below = Box(world.right + REGION_GAP, world.y, *size), Box(world.x, world.bottom + REGION_GAP, *size)
        self._set_region(region_key, min(beside, below, key=lambda box: frame_size(hull([world, box]), WORLD_SHAPE)), places)

    def _set_region(self, region_key: str, box: Box, places: Iterable[tuple[str, Box]]) -> None:
        self.regions[region_key] = box
        for key, place in places:
            self.blocks[key] = Block(region_key, place.moved(box.x + REGION_PAD, box.y + REGION_HEAD))

    def _pack_world(self, of_region: Mapping[str, Sequence[BlockWant]]) -> None:
        if not of_region:
            return
        regions = [members for _, members in sorted(of_region.items())]
        ways = [[self._pack_region(members, shape) for shape in REGION_SHAPES] for members in regions]
        area = sum(w * h for (w, h), _ in (way[REGION_SHAPES.index(1.0)] for way in ways))
        gap = max(REGION_GAP, int(REGION_GAP_SHARE * area**0.5))  # far away a region's name stands in it

        def boxes_of(chosen: Sequence[int]) -> list[Box]:
            sizes = [ways[index][way][0] for index, way in enumerate(chosen)]
            order = sorted(range(len(sizes)), key=lambda index: (-sizes[index][1], index))
            boxes = pack_to_shape([sizes[index] for index in order], WORLD_SHAPE, gap)
            return [box for _, box in sorted(zip(order, boxes, strict=True))]

        def cost(chosen: Sequence[int]) -> tuple[float, int]:
            sizes = [ways[index][way][0] for index, way in enumerate(chosen)]
            return frame_size(hull(boxes_of(chosen)), WORLD_SHAPE), sum(w * h for w, h in sizes)

        best = min(([way] * len(regions) for way in range(len(REGION_SHAPES))), key=cost)
        for index in [*range(len(regions))] * 2:  # then each region by itself: it fills the corner that the others leave
            best = min(([*best[:index], way, *best[index + 1 :]] for way in range(len(REGION_SHAPES))), key=cost)
        for (region, _), index, box in zip(sorted(of_region.items()), range(len(regions)), boxes_of(best), strict=True):
            self._set_region(region, box, ways[index][best[index]][1])

    def _pack_region(self, members: Sequence[BlockWant], shape: float) -> tuple[Size, list[tuple[str, Box]]]:
        """The size of a region box of about that shape, and its blocks relative to its inner corner."""
        keys = {one.key for one in members}
        groups: dict[str, list[BlockWant]] = {}
        alone: list[BlockWant] = []
        for one in members:
            if one.group in keys:
                groups.setdefault(one.group, []).append(one)
            else:
                alone.append(one)
        parts: list[list[tuple[str, Box]]] = []
        for hub_key, group in sorted(groups.items()):
            parts.append(self._pack_group(hub_key, [one for one in group if one.key != hub_key], shape))
        parts.extend([(one.key, Box(0, 0, *self._size(one.key)))] for one in alone)
        hulls = [hull(box for _, box in part) for part in parts]
        order = sorted(range(len(parts)), key=lambda index: (-hulls[index].h, index))
        gap = GROUP_GAP if len(groups) > 1 else VNET_GAP
        at = pack_to_shape([(hulls[index].w, hulls[index].h) for index in order], shape, gap)
        places = [(key, box.moved(spot.x, spot.y)) for index, spot in zip(order, at, strict=True) for key, box in parts[index]]
        whole = hull(box for _, box in places)
        return (whole.w + 2 * REGION_PAD, whole.h + REGION_HEAD + REGION_PAD), places

    def _pack_group(self, hub_key: str, spokes: Sequence[BlockWant], shape: float) -> list[tuple[str, Box]]:
        hub = self._size(hub_key)
        if sum(not one.is_small for one in spokes) <= MOST_IN_COLUMNS:
            return _in_columns((hub_key, hub), [(one, self._size(one.key)) for one in spokes])
        return _in_rows((hub_key, hub), [(one.key, self._size(one.key)) for one in sorted(spokes, key=lambda one: one.is_small)], shape)


def _inner(region: Box) -> Box:
    return Box(region.x + REGION_PAD, region.y + REGION_HEAD, region.w - 2 * REGION_PAD, region.h - REGION_HEAD - REGION_PAD)


_Item = tuple[str, Size]


def _in_columns(hub: _Item, spokes: Sequence[tuple[BlockWant, Size]]) -> list[tuple[str, Box]]:
    """A hub between two columns of spokes; spokes beyond the fourth, and what is small, may stand above and below the hub too.

    [s1]        ==         == [s2]
    [its ghost]    == [hub] ==
    [s4]        ==            == [s3]

    What is small stands under the VNet it belongs to, beside others of its kind; what belongs to the hub or to nobody, under the hub.
    """
    sizes = {one.key: size for one, size in spokes}
    keys = {one.key for one, _ in spokes if not one.is_small}
    roots = {one.key for one, _ in spokes if one.key in keys and (one.near not in keys or one.near == one.key)}
    small_of: dict[str, list[_Item]] = {}
    followers: dict[str, list[str]] = {}
    for one, size in spokes:
        if one.is_small:
            small_of.setdefault(one.near if one.near in keys else hub[0], []).append((one.key, size))
        elif one.key not in roots and one.near in roots:
            followers.setdefault(one.near, []).append(one.key)
    widest = max([hub[1][0], *(sizes[key][0] for key in keys)])

    def rows_of(key: str, size: Size) -> list[_Row]:
        return [[(key, size)], *_shelves(small_of.get(key, []), widest)]

    led = {key for some in followers.values() for key in some}
    clusters = [
        [row for key in (one.key, *followers.get(one.key, ())) for row in rows_of(key, sizes[key])]
        for one, _ in spokes
        if one.key in keys and one.key not in led
    ]
    left, middle, right = columns = _Column(), _Column(PIPE_GAP), _Column()
    middle.add(rows_of(*hub))
    for cluster in sorted(clusters, key=lambda rows: -_Column.height_of(rows, VNET_GAP)):
        open_ones = columns if len(clusters) > FEW_SPOKES else (left, right)
        min(open_ones, key=lambda column: (column.height, column is right)).add(cluster)
    with_hub, *others = middle.clusters  # the hub in the middle of its column
    middle.clusters = [*others[0::2], with_hub, *others[1::2]]
    whole = max(column.height for column in columns)
    places: list[tuple[str, Box]] = []
    x = 0
    for column in columns:
        if not column.clusters:
            continue
        width = max(_row_width(row) for row in column.rows)
        free = whole - column.height
        gaps = len(column.clusters) - 1
        more = min(3 * VNET_GAP, free // gaps) if gaps and column is not middle else 0
        y = (free - more * gaps) // 2
        for cluster in column.clusters:
            for row in cluster:
                row_x = x + {id(left): width - _row_width(row), id(middle): (width - _row_width(row)) // 2}.get(id(column), 0)  # towards the hub
                for key, (w, h) in row:
                    places.append((key, Box(row_x, y, w, h)))
                    row_x += w + SMALL_GAP
                y += max(size[1] for _, size in row) + column.gap
            y += more
        x += width + HUB_GUTTER
    return places


_Row = list[_Item]


def _row_width(row: Sequence[_Item]) -> int:
    return sum(size[0] for _, size in row) + SMALL_GAP * (len(row) - 1)


def _shelves(items: Sequence[_Item], width: int) -> list[_Row]:
    """Small things beside each other, as many in a row as fit."""
    rows: list[_Row] = []
    for item in items:
        if not rows or _row_width([*rows[-1], item]) > width:
            rows.append([])
        rows[-1].append(item)
    return rows


class _Column:
    """Clusters above each other, each some rows of boxes; `height` counts the gaps between them."""

    def __init__(self, gap: int = VNET_GAP) -> None:
        self.gap = gap
        self.clusters: list[list[_Row]] = []

    @staticmethod
    def height_of(rows: Sequence[_Row], gap: int) -> int:
        return sum(max(size[1] for _, size in row) for row in rows) + gap * max(0, len(rows) - 1)

    @property
    def rows(self) -> list[_Row]:
        return [row for cluster in self.clusters for row in cluster]

    @property
    def height(self) -> int:
        return self.height_of(self.rows, self.gap)

    def add(self, cluster: list[_Row]) -> None:
        self.clusters.append(cluster)


def _in_rows(hub: _Item, spokes: Sequence[_Item], shape: float) -> list[tuple[str, Box]]:
    """Rows of spokes around the row that holds the hub, the tallest beside it."""
    ordered = sorted(enumerate(spokes), key=lambda pair: (-pair[1][1][1], pair[0]))
    waiting = [spoke for _, spoke in ordered]
    area = sum((w + VNET_GAP) * (h + ROW_GUTTER) for _, (w, h) in [hub, *spokes])
    width = max(int((area * shape) ** 0.5), hub[1][0] + 2 * HUB_GUTTER)
    middle_left: list[_Item] = []
    middle_right: list[_Item] = []
    used = hub[1][0] + 2 * HUB_GUTTER
    while waiting and used + waiting[0][1][0] + VNET_GAP <= width:
        spoke = waiting.pop(0)
        used += spoke[1][0] + VNET_GAP
        (middle_left if len(middle_left) <= len(middle_right) else middle_right).append(spoke)
    rows: list[list[_Item]] = []
    run = 0
    for spoke in waiting:
        if not rows or run + spoke[1][0] > width:
            rows.append([])
            run = 0
        rows[-1].append(spoke)
        run += spoke[1][0] + VNET_GAP
    above, below = rows[1::2][::-1], rows[0::2]
    places: list[tuple[str, Box]] = []
    y = 0
    for row in [*above, [*middle_left, hub, *middle_right], *below]:
        height = max(size[1] for _, size in row)
        gaps = [HUB_GUTTER if hub in row[at : at + 2] else VNET_GAP for at in range(len(row) - 1)]
        x = (width - sum(size[0] for _, size in row) - sum(gaps)) // 2
        for (key, (w, h)), gap in zip(row, [*gaps, 0], strict=True):
            places.append((key, Box(x, y + (height - h) // 2, w, h)))
            x += w + gap
        y += height + ROW_GUTTER
    left = min(box.x for _, box in places)
    return [(key, box.moved(-left, 0)) for key, box in places]
