"""The stored places as the layout's values, and back."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from django.db import transaction

from vtapweb.domain.graph import Graph, nodes_in_order, region_key
from vtapweb.domain.layout import Block, Card, Layout, Slot, Tray
from vtapweb.domain.pack import Box
from vtapweb.topology.models import Placement

Row = TypeVar("Row")

FREE = "@"  # before the region of a card that stands in no VNet
BATCH = 2_000


class Place(NamedTuple):
    """A row of Placement without its id and key."""

    kind: str
    parent: str
    owners: str
    x: int
    y: int
    w: int
    h: int
    slot: int
    columns: int
    capacity: int


class Stored(NamedTuple):
    """All rows of Placement."""

    places: dict[str, Place]
    ids: dict[str, int]

    @property
    def layout(self) -> Layout:
        regions: dict[str, Box] = {}
        blocks: dict[str, Block] = {}
        trays: dict[str, Tray] = {}
        cards: dict[str, Card] = {}
        slots: dict[str, Slot] = {}
        for key, (kind, parent, _, x, y, w, h, slot, columns, capacity) in self.places.items():
            if kind == "nic":
                slots[key] = Slot(parent, slot)
            elif kind == "subnet":
                trays[key] = Tray(parent, Box(x, y, w, h), columns, capacity)
            elif kind == "vnet" or (kind == "collector" and parent.startswith(FREE)):
                blocks[key] = Block(parent.removeprefix(FREE), Box(x, y, w, h))
            elif kind == "collector" and w:
                cards[key] = Card(parent, Box(x, y, w, h))
            elif kind == "region":
                regions[parent] = Box(x, y, w, h)
        return Layout(regions, blocks, trays, cards, slots)


def stored_places() -> Stored:
    """Every place there is: one query. Places tell nothing of anybody's resources; who may see a node is for the caller to decide."""
    places: dict[str, Place] = {}
    ids: dict[str, int] = {}
    rows = Placement.objects.values_list("id", "key", "kind", "parent", "owners", "x", "y", "w", "h", "slot", "columns", "capacity")
    for node, key, *rest in rows.iterator(chunk_size=5_000):
        ids[key] = node
        places[key] = Place._make(rest)
    return Stored(places, ids)


def places_of(graph: Graph, layout: Layout) -> dict[str, Place]:
    """What should be stored, in the order in which new nodes get their ids."""
    owners = _owners(graph)
    names = {region_key(name): name for name in layout.regions}
    result: dict[str, Place] = {}
    for kind, key in nodes_in_order(graph, layout):
        parent, box, slot, columns, capacity = "", Box(0, 0, 0, 0), 0, 0, 0
        if kind == "nic":
            parent, slot = layout.slots[key]
        elif kind == "subnet":
            parent, box, columns, capacity = layout.trays[key]
        elif kind == "vnet":
            parent, box = layout.blocks[key]
        elif kind == "region":
            parent, box = names[key], layout.regions[names[key]]
        elif kind == "collector" and key in layout.cards:
            parent, box = layout.cards[key]
        elif kind == "collector" and key in layout.blocks:
            parent, box = FREE + layout.blocks[key].region, layout.blocks[key].box
        elif kind == "peering":
            parent = f"{graph.peerings[key].a}|{graph.peerings[key].b}"
        result[key] = Place(kind, parent, owners.get(key, ""), *box, slot, columns, capacity)
    return result


def _owners(graph: Graph) -> dict[str, str]:
    owners = {key: nic.subscription_id for key, nic in graph.nics.items()}
    owners |= {key: vnet.subscription_id for key, vnet in graph.vnets.items()}
    owners |= {key: owners.get(subnet.vnet_key, "") for key, subnet in graph.subnets.items()}
    for key, peering in graph.peerings.items():
        owners[key] = " ".join(sorted({owners[peering.a], owners[peering.b]} - {""}))
    owners |= {key: " ".join(collector.subscription_ids) for key, collector in graph.collectors.items()}
    owners |= {key: owners[mirror.nic_key] for key, mirror in graph.mirrors.items()}
    for key, vnet in graph.vnets.items():
        if vnet.role == "ghost":  # who told of it
            tellers = {owners[pair] for pair, peering in graph.peerings.items() if key in (peering.a, peering.b)}
            owners[key] = " ".join(sorted({one for teller in tellers for one in teller.split()}))
    return owners


def store_places(wanted: dict[str, Place], stored: Stored) -> dict[str, int]:
    """Write the differences in short transactions; returns the ids of all wanted nodes. Safe to run again after a half-done run."""
    new = [(key, place) for key, place in wanted.items() if key not in stored.ids]
    ids = {key: stored.ids[key] for key in wanted if key in stored.ids}
    for batch in _batches(new):
        with transaction.atomic():
            Placement.objects.bulk_create([Placement(key=key, **place._asdict()) for key, place in batch], ignore_conflicts=True)
            ids.update(Placement.objects.filter(key__in=[key for key, _ in batch]).values_list("key", "id"))
    changed = [(key, place) for key, place in wanted.items() if key in stored.places and stored.places[key] != place]
    for batch in _batches(changed, 200):
        with transaction.atomic():
            rows = [Placement(pk=stored.ids[key], key=key, **place._asdict()) for key, place in batch]
            Placement.objects.bulk_update(rows, Place._fields, batch_size=50)
    gone = [stored.ids[key] for key in stored.ids if key not in wanted]
    for numbers in _batches(gone, 500):
        with transaction.atomic():
            Placement.objects.filter(pk__in=numbers).delete()
    return ids


def _batches(rows: Sequence[Row], size: int = BATCH) -> Iterable[Sequence[Row]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
