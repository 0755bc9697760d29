"""What a wall has to show, the same in every run: an estate and a condition become what the server would tell a display.

All times are relative to `START_MS`, all rates come from places in lists. Documents as docs/wall.md has them; visitors' ones go through the product's
own masking.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from typing import Any, Final

from tests.domain.estates import SIZES, EstateBuilder, numbered, story
from tests.e2e.wall_stand import GBIT, HOUR_MS, MINUTE_MS, START_MS, alarm, collector, slot, wall_picture, wall_state
from tests.vectors.topology import Town, sent
from vtapweb.wall.masking import masked_picture, masked_topology, masked_traffic

CONDITIONS: Final = ("healthy", "alarmed", "stale", "lost", "empty", "visitors")
VIEW_NUMBERS: Final = {"overview": 1, "map": 2, "sources": 3, "alarms": 4, "collector": 5}
LONG_NAME: Final = "ilb-packet-broker-production-westeurope-availability-zone-1-collector-blue-01"  # Azure allows 80 signs
TOLD_SOURCES: Final = 30
TOLD_COLLECTORS: Final = 40
SPARKS: Final = 12


@dataclass(slots=True)
class Scene:
    """What the stand is given. `bits`: a second of rates in the order of the snapshot's series, NaN: not measured."""

    state: dict[str, Any]
    picture: dict[str, Any]
    snapshot: dict[str, Any]
    traffic: dict[str, Any]
    bits: list[float] = field(default_factory=list)
    is_cut: bool = False


@cache
def _estate(size: str) -> dict[str, Any]:
    """The snapshot of an estate, as made; never written to."""
    if size == "none":
        return sent(Town().look(EstateBuilder()), 1)
    if size == "S":
        return sent(Town().look(story()), 1)
    return sent(Town().look(numbered(*SIZES[size])), 1)


def _column(snapshot: Mapping[str, Any], table: str, name: str) -> list[Any]:
    told = snapshot["columns"][table][name]
    return list(accumulate(told)) if f"{table}.{name}" in snapshot["encoding"]["delta"] else list(told)


def _snapshot(size: str, condition: str) -> dict[str, Any]:
    made = dict(_estate(size))
    made["columns"] = {table: dict(columns) for table, columns in made["columns"].items()}
    collectors, peerings, vnets = made["columns"]["collectors"], made["columns"]["peerings"], made["columns"]["vnets"]
    if size == "L":
        collectors["name"] = [LONG_NAME, *collectors["name"][1:]]
    if condition not in {"alarmed", "visitors"}:  # the story has one that is cut
        peerings["state"] = ["Connected"] * len(peerings["state"])
    if condition == "stale":
        since_s = (START_MS - 3 * HOUR_MS) // 1000
        made["subscriptions"] = [
            {**one, "stale_since": since_s if place == 0 else one["stale_since"]} for place, one in enumerate(made["subscriptions"])
        ]
        vnets["stale_since"] = [since_s if place == 0 else 0 for place in vnets["subscription"]]
    return made


def _collectors(snapshot: Mapping[str, Any], condition: str) -> list[dict[str, Any]]:
    """In the order in which the server tells them: broken first, then by share. All but broken ones from 68 % down."""
    told = []
    names, ids = snapshot["columns"]["collectors"]["name"], snapshot["columns"]["collectors"]["id"]
    mirrors, members = snapshot["columns"]["collectors"]["mirrors"], snapshot["columns"]["collectors"]["members"]
    for place, (name, node) in enumerate(zip(names, ids, strict=True)):
        share = 0.68 * (1 - place / (1.3 * max(len(names), 4))) + 0.03 * math.sin(place * 2.4)
        more: dict[str, Any] = {"bits_per_s": share * 10 * GBIT}
        if condition in {"alarmed", "visitors"} and place == 0:
            more = {"bits_per_s": 11.6 * GBIT, "state": "dropping", "drops_share": 0.021, "drops_per_s": 29_000.0, "alarm": "A-117"}
            more["words"] = "2.1 % of the packets are dropped"
        elif condition in {"alarmed", "visitors"} and place == 1:
            more = {"bits_per_s": 9.3 * GBIT, "state": "near", "words": "93 % of its capacity", "alarm": "A-118"}
        if (condition in {"alarmed", "visitors"} and place == 2) or (condition == "stale" and place == 0):
            more = {
                "bits_per_s": None,
                "state": "silent",
                "heard_ms": START_MS - 6 * MINUTE_MS,
                "measured_ms": START_MS - 6 * MINUTE_MS,
                "alarm": "A-116",
            }
            more["words"] = "has not reported for 6 min"
        one = collector(name, id=node, **more)
        one |= {"mirrors": mirrors[place], "members": members[place], "is_muted": False, "since_ms": None, "has_sources": True}
        if one["bits_per_s"] is None:
            one["spark"] = [6.1 * GBIT * (1 + 0.06 * math.sin(step / 5)) if step < 36 else None for step in range(60)]
        told.append(one)
    return told


def _alarms(condition: str, collectors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = [one["name"] for one in collectors]
    mute = names[2 if len(names) > 2 and condition != "stale" else 0]
    silent = alarm(
        116, severity="alarm", title=f"{mute} does not report", subject="collector", rules=["H1"],
        sentence="No report for 6 min from an agent that reports every second. Whether packets arrive is not known.",
        opened_ms=START_MS - 5 * MINUTE_MS, changed_ms=START_MS - 5 * MINUTE_MS, child_count=0, happened_before=[],
        broken_hop={"kind": "agent", "name": "vm-collector-02", "words": "its agent does not answer", "since_ms": START_MS - 6 * MINUTE_MS},
        collector=mute, is_taken=True, owner="j.okafor",
    )  # fmt: skip
    if condition == "stale":
        return [silent | {"is_acknowledged": True}]
    if condition not in {"alarmed", "visitors"}:
        return []
    opened = START_MS - 14 * MINUTE_MS
    dropping = alarm(117, rules=["H9"], title=f"{names[0]} drops packets", collector=names[0], opened_ms=opened, changed_ms=opened)
    near = alarm(
        118, severity="warning", title=f"{names[1]} above 90 % of capacity", rules=["H8"], collector=names[1], broken_hop=None, child_count=0,
        sentence="It receives 9.3 Gb/s; its two members take 10 Gb/s. At this rate of growth it is full in 40 min.",
        opened_ms=START_MS - 31 * MINUTE_MS, changed_ms=START_MS - 31 * MINUTE_MS, is_taken=True, owner="m.ortiz",
    )  # fmt: skip
    taken = alarm(
        112, severity="warning", title="data-0087 sends nothing", subject="source", rules=["H3"], collector=names[0], broken_hop=None, child_count=0,
        sentence="Nothing of what it sends arrives, though the machine runs.", opened_ms=START_MS - 3 * HOUR_MS, changed_ms=START_MS - 3 * HOUR_MS,
        is_taken=True, is_acknowledged=True, owner="m.ortiz",
    )  # fmt: skip
    muted = taken | {
        "number": 109,
        "spoken": "A-109",
        "title": "lab-0003 sends nothing",
        "is_muted": True,
        "muted_until_ms": START_MS + 108 * MINUTE_MS,
    }
    return [dropping, *([silent] if len(names) > 2 else []), near, taken, muted]


def _sources(snapshot: Mapping[str, Any], condition: str, bits: Mapping[int, float]) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    """The busiest mirrors of all, and those of the collector that the view is about."""
    nics = dict(
        zip(_column(snapshot, "nics", "id"), zip(snapshot["columns"]["nics"]["name"], _column(snapshot, "nics", "subnet"), strict=True), strict=True)
    )
    subnets = dict(zip(_column(snapshot, "subnets", "id"), _column(snapshot, "subnets", "vnet"), strict=True))
    vnets = dict(zip(_column(snapshot, "vnets", "id"), snapshot["columns"]["vnets"]["name"], strict=True))
    collectors = dict(zip(snapshot["columns"]["collectors"]["id"], snapshot["columns"]["collectors"]["name"], strict=True))
    rows = zip(_column(snapshot, "mirrors", "nic"), _column(snapshot, "mirrors", "collector"), bits.values(), strict=True)
    told = []
    for nic, to, rate in rows:
        if nic not in nics or math.isnan(rate):
            continue
        name, subnet = nics[nic]
        vnet = subnets[subnet]
        told.append({
            "nic": name, "nic_id": nic, "vnet": vnets[vnet], "vnet_id": vnet, "collector": collectors[to], "collector_id": to,
            "collector_key": collectors[to], "bits_per_s": rate, "packets_per_s": rate / 8000, "measured_ms": START_MS,
        })  # fmt: skip
    told.sort(key=lambda one: -one["bits_per_s"])
    first = next(iter(collectors.values()), "")
    return told[:TOLD_SOURCES], {first: [one for one in told if one["collector"] == first][:TOLD_SOURCES]}


def _mirror_rates(snapshot: Mapping[str, Any], rate_of: Mapping[int, float | None]) -> dict[int, float]:
    """Bits a second of each mirror, by its id: what its collector receives, shared unevenly; NaN where that is not known."""
    ids, to = _column(snapshot, "mirrors", "id"), _column(snapshot, "mirrors", "collector")
    weights = [1 / (1 + (place * 7919) % 97) for place in range(len(ids))]
    sums: dict[int, float] = {}
    for node, weight in zip(to, weights, strict=True):
        sums[node] = sums.get(node, 0) + weight
    rates = {}
    for mirror, node, weight in zip(ids, to, weights, strict=True):
        rate = rate_of.get(node)
        rates[mirror] = math.nan if rate is None else rate * weight / sums[node]
    return rates


EVENTS: Final[tuple[tuple[int, str, str, str, str], ...]] = (
    (9, "change", "", "12 mirrors added by m.ortiz → ilb-collector-uks", "Mirrors were added."),
    (31, "cleared", "warning", "A-115 nic-packetlog-01 is below 75 % again", "An alarm ended."),
    (40, "alarm", "warning", "A-115 nic-packetlog-01 above 75 % of capacity", "An alarm began."),
    (120, "sync", "", "inventory read: 1 VNet more", "The inventory was read."),
)


def scene(view: str, size: str, condition: str, *, theme: str = "dark") -> Scene:
    """Everything that a stand needs. `size`: S, M or L, "none" with the condition "empty"."""
    snapshot = _snapshot(size, condition)
    collectors = _collectors(snapshot, condition)
    rates = _mirror_rates(snapshot, {one["id"]: one["bits_per_s"] for one in collectors})
    alarms = _alarms(condition, collectors) if collectors else []
    sources, sources_of = _sources(snapshot, condition, rates)
    states = [one["state"] for one in collectors]
    rank = {"dropping": 0, "silent": 1, "near": 2}
    ordered = sorted(collectors, key=lambda one: (rank.get(one["state"], 9), -(one["bits_per_s"] or 0)))
    for one in ordered[SPARKS:]:
        one["spark"] = []
    known = [one["bits_per_s"] for one in collectors if one["bits_per_s"] is not None]
    muted = [one for one in alarms if one["is_muted"]]
    silent = 3 if condition == "stale" else 1 if alarms else 0
    newest = sorted(alarms, key=lambda one: -one["opened_ms"])[:3]
    begun = [(one["opened_ms"], "alarm", one["severity"], f"{one['spoken']} {one['title']}", f"{one['spoken']} began.") for one in newest]
    lately = [(START_MS - ago * MINUTE_MS, *rest) for ago, *rest in EVENTS]
    events = [dict(zip(("at_ms", "kind", "severity", "words", "plain"), one, strict=True)) for one in [*begun, *lately]]
    picture = wall_picture(
        alarms=alarms, collectors=ordered[:TOLD_COLLECTORS], sources=sources, sources_of=sources_of, events=events if collectors else [],
        collector_counts={"total": len(collectors), **{state: states.count(state) for state in set(states)}},
        counts={
            "alarms": sum(not one["is_muted"] for one in alarms), "untaken": sum(not one["is_taken"] and not one["is_muted"] for one in alarms),
            "notices": 0, "muted": len(muted), "muted_next_ends_ms": START_MS + 108 * MINUTE_MS if muted else None,
        },
        totals={
            "bits_per_s": sum(known), "packets_per_s": sum(known) / 8000, "known": len(known), "of": len(collectors),
            "mirrors": snapshot["counts"]["mirrors"], "nics": snapshot["counts"]["nics"], "silent": silent,
        },
    )  # fmt: skip
    if condition == "stale":
        picture["inventory"] = {
            "synced_ms": START_MS - 3 * HOUR_MS,
            "state": "warn",
            "words": "Inventory incomplete: 1 subscription could not be read",
        }
    facts = [
        {
            "id": one["id"], "state": one["state"], "words": one["words"], "rules": [], "alarm": one["alarm"],
            "capacity_bits_per_s": one["capacity_bits_per_s"], "drops_per_s": one["drops_per_s"], "origin": "agent",
            "interval_s": 1, "lag_s": 0, "arrived_ms": one["heard_ms"], "has_sources": True,
            "is_estimate": False, "members": one["members"], "members_missing": 0,
        }
        for one in collectors
    ]  # fmt: skip
    traffic = {"collectors": facts, "silent": [{"id": node, "words": "sends nothing"} for node in list(rates)[-silent:]] if silent else []}
    state = wall_state(slots=[slot(VIEW_NUMBERS[view])])
    state["display"] |= {"theme": theme, "group": None}
    state["views"]["5"]["options"] = {"collector": collectors[0]["key"] if collectors else "ilb-collector-uks"}
    made = Scene(state, picture, snapshot, traffic, is_cut=condition == "lost")
    if condition == "visitors":
        _mask(made, {one["key"]: one["id"] for one in collectors})
    by_id = {**rates, **{one["id"]: math.nan if one["bits_per_s"] is None else one["bits_per_s"] for one in collectors}}
    ids = [*_column(snapshot, "mirrors", "id"), *snapshot["columns"]["collectors"]["id"]]
    made.bits = [by_id[node] for node in ids]
    return made


def _mask(made: Scene, node_of: Mapping[str, int]) -> None:
    masked: Callable[[Any], Any] = masked_topology
    seq = made.snapshot["seq"]
    made.picture = masked_picture(made.picture, node_of)
    made.snapshot = {**masked(made.snapshot), "seq": seq}
    made.traffic = masked_traffic(made.traffic)
    made.state |= {"scene": "visitors", "is_masked": True}
    made.state["views"]["5"]["options"] = {"collector": f"c{next(iter(node_of.values()))}"}
