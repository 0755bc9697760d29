"""What of a wall's picture changes only with the inventory: collectors, what they take, and who is behind each number of a frame. Kept by the caller.

Rule 1: read once for a revision of the map, and again after a minute, because VM sizes and what operators say are not on the map. Rule 2: names
stand here once, as they were read; who writes them makes them safe to look at.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import orjson

from vtapweb.domain.scope import Scope
from vtapweb.topology.picture import Revision, picture_of
from vtapweb.traffic.capacity import Capacity, capacities_of
from vtapweb.traffic.selectors.collectors import CollectorFacts, collectors_of


@dataclass(frozen=True, slots=True)
class Source:
    """One mirror of the map: whose NIC, in which VNet (0: not known), to which collector; numbers of nodes."""

    nic_id: int
    nic: str
    vnet_id: int
    vnet: str
    collector_id: int
    collector_key: str
    collector: str


@dataclass(frozen=True, slots=True)
class Column:
    """Rows of one table of the map by id: `ids` ascend."""

    ids: Sequence[int]
    values: Mapping[str, Sequence[Any]]

    def find(self, node_id: int) -> int | None:
        """The row of this id."""
        at = bisect_left(self.ids, node_id)
        return at if at < len(self.ids) and self.ids[at] == node_id else None


@dataclass(frozen=True, slots=True)
class Standing:
    """`facts`, `capacities` and `mirror_counts` by collector key, of collectors whose subscription is in scope only; `node_of` likewise."""

    revision: Revision
    series_revision: int
    counts: Mapping[str, int]
    facts: Mapping[str, CollectorFacts]
    capacities: Mapping[str, Capacity]
    node_of: Mapping[str, int]
    mirror_counts: Mapping[str, int]
    name_of_tap: Mapping[str, str]  # of a TAP's key, the name of its collector
    places_of: Mapping[int, Sequence[int]]  # of a collector's node, the places of its mirrors in a frame
    _vnets: Column
    _subnets: Column
    _nics: Column
    _collectors: Column
    _mirrors: Column

    @property
    def mirror_count(self) -> int:
        return len(self._mirrors.ids)

    @property
    def series_count(self) -> int:
        return len(self._mirrors.ids) + len(self._collectors.ids)

    def source(self, place: int) -> Source:
        """What the mirror at this place of a frame is."""
        nic_id, collector_id = self._mirrors.values["nic"][place], self._mirrors.values["collector"][place]
        nic, collector = self._nics.find(nic_id), self._collectors.find(collector_id)
        subnet = None if nic is None else self._subnets.find(self._nics.values["subnet"][nic])
        vnet_id = 0 if subnet is None else self._subnets.values["vnet"][subnet]
        vnet = self._vnets.find(vnet_id)
        return Source(
            nic_id=nic_id,
            nic="" if nic is None else self._nics.values["name"][nic],
            vnet_id=vnet_id,
            vnet="" if vnet is None else self._vnets.values["name"][vnet],
            collector_id=collector_id,
            collector_key="" if collector is None else self._collectors.values["key"][collector],
            collector="" if collector is None else self._collectors.values["name"][collector],
        )


def standing_of(scope: Scope, revision: Revision) -> Standing:
    """At a revision of the map. Eleven queries, one more of some for every 900 collectors, and the map's own where nobody has asked for it yet."""
    wire = orjson.loads(picture_of(revision, scope).plain(0))
    delta = set(wire["encoding"]["delta"])

    def column(table: str, *names: str) -> Column:
        sent = wire["columns"][table]
        told = {name: list(accumulate(sent[name])) if f"{table}.{name}" in delta else sent[name] for name in ("id", *names)}
        return Column(told.pop("id"), told)

    facts = {one.key: one for one in collectors_of(scope) if one.is_in_scope}
    collectors = column("collectors", "key", "name", "mirrors")
    mirrors = column("mirrors", "nic", "collector")
    places_of: dict[int, list[int]] = {}
    for place, node_id in enumerate(mirrors.values["collector"]):
        places_of.setdefault(node_id, []).append(place)
    node_of = dict(zip(collectors.values["key"], collectors.ids, strict=True))
    return Standing(
        revision=revision,
        series_revision=wire["series_revision"],
        counts=wire["counts"],
        facts=facts,
        capacities=capacities_of(scope, facts.values()),
        node_of={key: node_of[key] for key in facts if key in node_of},
        mirror_counts={key: count for key, count in zip(collectors.values["key"], collectors.values["mirrors"], strict=True) if key in facts},
        name_of_tap={tap: one.name for one in facts.values() for tap in one.tap_keys},
        places_of=places_of,
        _vnets=column("vnets", "name"),
        _subnets=column("subnets", "vnet"),
        _nics=column("nics", "subnet", "name"),
        _collectors=collectors,
        _mirrors=mirrors,
    )
