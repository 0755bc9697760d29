"""What visitors may see: the same documents without a name, an address, a person, a sentence or a key of the estate.

Rule 1: a masked document is built from the values that may be told, field by field; nothing is searched for and taken out, so a field that somebody
adds later is missing here until somebody thinks of it. Rule 2: a thing has one alias everywhere, made of its number on the map: "Collector 2", key
"c2"; it is the same tomorrow, and says nothing of the name. Rule 3: numbers and times are told as they are.
"""

from collections.abc import Mapping
from itertools import accumulate
from typing import Any, Final

from vtapweb.domain.topology import COLUMNS
from vtapweb.traffic.words import STATES
from vtapweb.wall.rule_words import hop_words, rule_words

_STATE_WORDS: Final = {state.value: words for state, (_, _, words) in STATES.items()} | {"none": "nothing was ever heard of it"}
_SUBJECTS: Final = {
    "source": "A source", "address": "An address", "member": "A machine of a collector", "collector": "A collector", "hop": "On the way",
    "sources": "Several sources", "intake": "vtapweb's own intake",
}  # fmt: skip
_INVENTORY: Final = {"live": "Inventory synced", "warn": "Inventory incomplete", "stale": "Inventory not read yet"}

_COLLECTOR_NUMBERS: Final = (
    "id", "is_muted", "since_ms", "capacity_bits_per_s", "drops_per_s", "drops_share", "interval_s", "stale_after_s", "lag_s", "measured_ms",
    "heard_ms", "bits_per_s", "wire_bits_per_s", "packets_per_s", "share", "is_estimate", "has_sources", "members", "members_missing", "mirrors",
    "spark", "spark_step_s",
)  # fmt: skip
_ALARM_NUMBERS: Final = (
    "number", "spoken", "severity", "rules", "subject", "opened_ms", "changed_ms", "is_taken", "is_acknowledged", "is_muted", "muted_until_ms",
    "child_count",
)  # fmt: skip
_WHOLE: Final = ("kind", "at_ms", "counts", "more_alarms", "collector_counts", "totals", "meter", "unread")
_TRAFFIC_NUMBERS: Final = (
    "id", "state", "rules", "alarm", "capacity_bits_per_s", "drops_per_s", "interval_s", "lag_s", "arrived_ms", "has_sources", "is_estimate",
    "members", "members_missing",
)  # fmt: skip


def collector_alias(node_id: int | None) -> str:
    return f"Collector {node_id}" if node_id else "A collector"


def collector_alias_key(node_id: int | None) -> str:
    """What stands for a collector's key."""
    return f"c{node_id}" if node_id else ""


def masked_picture(picture: Mapping[str, Any], node_of: Mapping[str, int]) -> dict[str, Any]:
    """A picture as `vtapweb.wall.picture.Pictures` makes it, for visitors. `node_of`: the number on the map of each collector's key."""
    alarms, collectors, events = picture["alarms"], picture["collectors"], picture["events"]
    inventory, judging = picture["inventory"], picture["judging"]
    return {name: picture[name] for name in _WHOLE} | {
        "is_masked": True,
        "alarms": None if alarms is None else [_alarm(one, node_of) for one in alarms],
        "collectors": None if collectors is None else [_collector(one) for one in collectors],
        "sources": _sources(picture["sources"]),
        "sources_of": {collector_alias_key(node_of.get(key)): _sources(some) for key, some in picture["sources_of"].items()},
        "inventory": inventory and {
            "synced_ms": inventory["synced_ms"], "state": inventory["state"], "words": _INVENTORY.get(inventory["state"], ""),
        },
        "judging": judging and {name: judging[name] for name in ("evaluated_ms", "settled_ms", "blind_since_ms")} | {"blind_reason": ""},
        "events": None if events is None else [
            {"at_ms": one["at_ms"], "kind": one["kind"], "severity": one["severity"], "words": one["plain"]} for one in events
        ],
    }  # fmt: skip


def _alarm(one: Mapping[str, Any], node_of: Mapping[str, int]) -> dict[str, Any]:
    hop, collector_id = one["broken_hop"], node_of.get(one["collector"])
    title = collector_alias(collector_id) if one["subject"] == "collector" and collector_id else _SUBJECTS.get(one["subject"], "Something")
    return {name: one[name] for name in _ALARM_NUMBERS} | {
        "title": title,
        "sentence": rule_words(one["rules"]),
        "owner": "",
        "broken_hop": hop and {"kind": hop["kind"], "name": "", "words": hop_words(hop["kind"]), "since_ms": hop["since_ms"]},
        "happened_before": [],
        "collector": collector_alias_key(collector_id),
        "qr": "",
    }


def _collector(one: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one[name] for name in _COLLECTOR_NUMBERS} | {
        "key": collector_alias_key(one["id"]),
        "name": collector_alias(one["id"]),
        "state": one["state"],
        "words": _STATE_WORDS.get(one["state"], ""),
        "rules": one["rules"],
        "alarm": one["alarm"],
        "origin": "",
    }


def _sources(some: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    return None if some is None else [
        {
            "nic": f"NIC {one['nic_id']}", "nic_id": one["nic_id"], "vnet": f"VNet {one['vnet_id']}" if one["vnet_id"] else "",
            "vnet_id": one["vnet_id"], "collector": collector_alias(one["collector_id"]), "collector_id": one["collector_id"],
            "collector_key": collector_alias_key(one["collector_id"]), "bits_per_s": one["bits_per_s"], "packets_per_s": one["packets_per_s"],
            "measured_ms": one["measured_ms"],
        }
        for one in some
    ]  # fmt: skip


def masked_traffic(traffic: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of `GET topology/traffic` for visitors."""
    return {
        "collectors": [
            {name: one[name] for name in _TRAFFIC_NUMBERS} | {"words": _STATE_WORDS.get(one["state"], ""), "origin": ""}
            for one in traffic["collectors"]
        ],
        "silent": [{"id": one["id"], "words": rule_words(["H3"])} for one in traffic["silent"]],
    }


# What stands in place of a column's values on the masked map. A column that stands neither here nor in _TOLD is "" in every row.
_ALIASED: Final = {
    "regions.name": "Region {}", "vnets.name": "VNet {}", "vnets.key": "v{}", "subnets.name": "Subnet {}", "nics.name": "NIC {}",
    "collectors.name": "Collector {}", "collectors.key": "c{}",
}  # fmt: skip
_TOLD: Final = frozenset(
    f"{table}.{name}"
    for table, names in {
        "regions": "id x y w h",
        "vnets": "id region subscription role x y w h nics mirrored stale_since",
        "subnets": "id vnet x y w h columns nics mirrored",
        "nics": "id subnet slot state",
        "peerings": "id a b state is_global",
        "collectors": "id kind vnet subnet x y w h taps unaccounted mirrors members state",
        "mirrors": "id nic collector state",
    }.items()
    for name in names.split()
)
_HEAD: Final = ("v", "revision", "series_revision", "is_demo", "built_at", "counts", "world", "geometry", "encoding")
_PROVISIONING_STATES: Final = frozenset({"Succeeded", "Updating", "Deleting", "Failed", ""})
_PEERING_STATES: Final = frozenset({"Connected", "Disconnected", "Initiated", "half", "unknown"})


def masked_topology(wire: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of `GET topology` for visitors, without `seq`. `wire` is the JSON that it was made from."""
    delta = set(wire["encoding"]["delta"])
    tables = {table: _table(table, wire["columns"][table], delta) for table in COLUMNS}
    ids = {table: list(_ids(table, wire["columns"][table], delta)) for table in ("mirrors", "collectors")}
    return {name: wire[name] for name in _HEAD} | {
        "subscriptions": [
            {"id": f"s{place}", "name": f"Subscription {place}", "stale_since": one["stale_since"]}
            for place, one in enumerate(wire["subscriptions"], 1)
        ],
        "series": [*(f"m{one}" for one in ids["mirrors"]), *(f"c{one}" for one in ids["collectors"])],
        "columns": tables,
    }


def _ids(table: str, columns: Mapping[str, Any], delta: set[str]) -> list[int]:
    return list(accumulate(columns["id"])) if f"{table}.id" in delta else columns["id"]


def _table(table: str, columns: Mapping[str, Any], delta: set[str]) -> dict[str, Any]:
    ids = _ids(table, columns, delta)
    told: dict[str, Any] = {}
    for name in COLUMNS[table]:
        place = f"{table}.{name}"
        if place in _ALIASED:
            told[name] = [_ALIASED[place].format(one) for one in ids]
        elif place in _TOLD:
            told[name] = columns[name]
        else:
            told[name] = [""] * len(ids)
    if table in {"peerings", "mirrors"}:  # Azure's own words may be any text
        known = _PEERING_STATES if table == "peerings" else _PROVISIONING_STATES
        told["state"] = [one if one in known else "unknown" for one in told["state"]]
    return told
