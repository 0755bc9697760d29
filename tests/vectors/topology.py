"""Writes the vectors of the topology: `python -m tests.vectors.topology`. A test holds that the files are what this makes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.domain.estates import APPS, PLATFORM, EstateBuilder, nic_id, story, subnet_id, vnet_id
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.graph import Stamp, graph_of, nodes_in_order, snapshot_of, wanted_blocks
from vtapweb.domain.layout import GEOMETRY, Layout, layout
from vtapweb.domain.topology import Snapshot, diff, encode

FOLDER = Path(__file__).parent


class Town:
    """An estate as it grows: places stick and ids are never used twice, as the product's own refresh does it."""

    def __init__(self) -> None:
        self.layout: Layout | None = None
        self.ids: dict[str, int] = {}
        self.revision = 0
        self.series_revision = 0
        self.last: Snapshot | None = None

    def look(self, estate: EstateBuilder) -> Snapshot:
        graph = graph_of(estate.documents())
        self.layout = layout(wanted_blocks(graph), self.layout)
        for _, key in nodes_in_order(graph, self.layout):
            self.ids.setdefault(key, len(self.ids) + 1)
        self.revision += 1
        snapshot = snapshot_of(
            graph, self.layout, self.ids, Stamp(f"r{self.revision}", self.series_revision, True, f"2026-01-01T00:00:{self.revision:02d}Z")
        )
        if self.last is None or self.last.series != snapshot.series:
            self.series_revision += 1
        self.last = replace(snapshot, series_revision=self.series_revision)
        return self.last


def sent(snapshot: Snapshot, seq: int) -> dict[str, Any]:
    """As `GET /api/v1/topology` answers."""
    return {**encode(snapshot, GEOMETRY), "seq": seq}


def event(before: Snapshot, after: Snapshot, seq: int) -> dict[str, Any]:
    """As the socket brings it."""
    return {"kind": "topology", "seq": seq, "revision": after.revision, "delta": diff(before, after), "is_refetch": False}


def add_nic(estate: EstateBuilder) -> None:
    estate.nic(APPS, "web-07", "uksouth", subnet_id(APPS, "spoke-crm", "snet-web"))


def drop_mirror(estate: EstateBuilder) -> None:
    gone = arm_key(nic_id(APPS, "web-02") + "/tapConfigurations/tap1")
    estate.mirrors = [doc for doc in estate.mirrors if doc.key != gone]


def mend_peering(estate: EstateBuilder) -> None:
    estate.peerings = [doc._replace(state="Connected") for doc in estate.peerings]


def add_vnet(estate: EstateBuilder) -> None:
    estate.vnet(APPS, "spoke-lab", "uksouth", "10.9.0.0/16", {"snet-lab": ["lab-01", "lab-02"]})
    estate.peer(vnet_id(PLATFORM, "hub-uks"), vnet_id(APPS, "spoke-lab"))


def go_stale(estate: EstateBuilder) -> None:
    estate.subscriptions = [row._replace(stale_since=1_767_225_600) if row.id == APPS else row for row in estate.subscriptions]


def fill_subnet(estate: EstateBuilder) -> None:
    for number in range(1, 11):
        estate.nic(APPS, f"batch-{number:02d}", "uksouth", subnet_id(APPS, "spoke-crm", "snet-web"))


def drop_vnet(estate: EstateBuilder) -> None:
    gone = arm_key(vnet_id(APPS, "vnet-branch"))
    subnets = {doc.key for doc in estate.subnets if doc.vnet_key == gone}
    estate.vnets = [doc for doc in estate.vnets if doc.key != gone]
    estate.nics = [doc for doc in estate.nics if doc.subnet_key not in subnets]
    estate.subnets = [doc for doc in estate.subnets if doc.vnet_key != gone]


CASES = {
    "a NIC is added": (add_nic,),
    "a mirror is removed": (drop_mirror,),
    "a peering is mended": (mend_peering,),
    "a VNet is added": (add_vnet,),
    "a subscription could not be read": (go_stale,),
    "a subnet outgrows its box": (fill_subnet,),
    "a VNet is removed": (drop_vnet,),
    "several events in a row": (add_nic, drop_mirror, add_vnet, drop_vnet),
    "nothing but the time": (lambda _: None,),
}


def snapshot_s() -> dict[str, Any]:
    return sent(Town().look(story()), 123)


def deltas() -> list[dict[str, Any]]:
    """Cases {name, before, events, after}: whoever applies the events to `before` has `after`."""
    result = []
    for name, steps in CASES.items():
        town, estate, seq = Town(), story(), 123
        before = last = town.look(estate)
        events = []
        for step in steps:
            step(estate)
            seq += 1
            after = town.look(estate)
            events.append(event(last, after, seq))
            last = after
        result.append({"name": name, "before": sent(before, 123), "events": events, "after": sent(last, seq)})
    return result


FILES = {"snapshot_s.json": snapshot_s, "topology_deltas.json": deltas}


def text_of(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=False).replace('},"', '},\n"').replace('],"', '],\n"') + "\n"


if __name__ == "__main__":
    for file_name, make in FILES.items():
        (FOLDER / file_name).write_text(text_of(make()), encoding="utf-8")
