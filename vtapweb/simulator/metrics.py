"""Azure Monitor's batch read of metrics, from the same account of traffic that the agents on collectors count (`flows`).

Values are totals, not rates: octets or packets of a bucket. A collector's NIC and the frontend of its load balancer receive what mirrors bring,
envelopes included; a mirrored NIC's own totals know nothing of its mirror. A bucket without data omits the aggregation's key, as Azure's do.
Without data are NICs that no VM carries, VMs that do not run, every sixth NIC by its id unless it is a collector's, the last minutes, because
Azure Monitor lags, and what is older than eight days.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from vtapweb.simulator import errors
from vtapweb.simulator.curve import seed_of
from vtapweb.simulator.documents import Json, Kind
from vtapweb.simulator.estate import Document, Estate, fold
from vtapweb.simulator.flows import Flows

IDS_AT_MOST = 50
POINTS_AT_MOST = 1_440 * 8  # of one metric and resource
LAG_MINUTES, KEPT_MINUTES = 3, 1_440 * 8
SILENT_EVERY = 6
# What each namespace measures: unit, and where in (octets received, octets sent, packets received, packets sent) it stands; load balancers sum.
METRICS: dict[Kind, dict[str, tuple[str, tuple[int, ...]]]] = {
    Kind.NETWORK_INTERFACES: {
        "BytesReceivedRate": ("Bytes", (0,)),
        "BytesSentRate": ("Bytes", (1,)),
        "PacketsReceivedRate": ("Count", (2,)),
        "PacketsSentRate": ("Count", (3,)),
    },
    Kind.LOAD_BALANCERS: {"ByteCount": ("Bytes", (0, 1)), "PacketCount": ("Count", (2, 3))},
    Kind.VIRTUAL_MACHINES: {"Network In Total": ("Bytes", (0,)), "Network Out Total": ("Bytes", (1,))},
}
Totals = tuple[int, int, int, int]
NAMESPACES = {f"microsoft.network/{kind.lower()}": kind for kind in (Kind.NETWORK_INTERFACES, Kind.LOAD_BALANCERS)} | {
    "microsoft.compute/virtualmachines": Kind.VIRTUAL_MACHINES
}
SPLIT = re.compile(r"(?i)\s*FrontendIPAddress eq '\*'\s*")  # the one filter that is understood
INTERVALS = {"PT1M": 1, "PT5M": 5, "PT15M": 15, "PT30M": 30, "PT1H": 60, "PT6H": 360, "PT12H": 720, "P1D": 1_440}
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,7})?)?Z?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a batch asks for. Minutes are whole ones since 1970, `end_minute` is not in it."""

    kind: Kind
    names: tuple[str, ...]
    start_minute: int
    end_minute: int
    interval: str
    is_split: bool = False  # by the addresses of frontends

    @property
    def step(self) -> int:
        return INTERVALS[self.interval]


def batch(estate: Estate, flows: Flows, subscription_id: str, query: dict[str, str], body: bytes, now_unix_s: float) -> bytes:
    """The answer to `metrics:getBatch`. Raises ArmError 400 and 403."""
    if (subscription_id, "*") in estate.denied:
        raise errors.forbidden("Microsoft.Insights/metrics/read", f"/subscriptions/{subscription_id}")
    wanted = _wanted({name.lower(): value for name, value in query.items()}, now_unix_s)
    held = [one for arm_id in _ids(body) if (one := _resource(estate, subscription_id, wanted.kind, arm_id)) is not None]
    regions = {one.json()["location"] for one in held}
    if len(regions) > 1:
        raise errors.invalid_metrics(f"The resources are of several regions: {', '.join(sorted(regions))}.")
    now_minute = int(now_unix_s // 60)
    flows.refresh(int(now_unix_s))
    return orjson.dumps({"values": [_values_of(estate, flows, one, wanted, now_minute) for one in held]})


def _values_of(estate: Estate, flows: Flows, held: Document, wanted: Wanted, now_minute: int) -> Json:
    series = []
    if _is_measured(flows, held):
        parts = _frontends(held) if wanted.is_split else {"": ""}
        series = [(address, _totals(estate, flows, held, wanted, now_minute, key)) for key, address in parts.items()]
    return {
        "cost": len(wanted.names) * ((wanted.end_minute - wanted.start_minute) // wanted.step),
        "timespan": f"{_iso(wanted.start_minute)}/{_iso(wanted.end_minute)}",
        "interval": wanted.interval,
        "value": [_metric(held, wanted, name, series) for name in wanted.names],
        "namespace": next(name for name, kind in NAMESPACES.items() if kind is wanted.kind),
        "resourceregion": held.json()["location"],
        "resourceid": held.arm_id,
    }


def _frontends(held: Document) -> dict[str, str]:
    """The private addresses of a load balancer's frontends, by folded id."""
    frontends = held.json()["properties"]["frontendIPConfigurations"]
    return {fold(one["id"]): address for one in frontends if (address := one["properties"].get("privateIPAddress"))}


def _totals(estate: Estate, flows: Flows, held: Document, wanted: Wanted, now_minute: int, frontend_key: str) -> list[tuple[str, Totals | None]]:
    """(when a bucket begins, what was moved in it) of every bucket, None where nothing is known of it."""
    is_running = _runs(estate, held)
    first, last = now_minute - KEPT_MINUTES, now_minute - LAG_MINUTES
    found: list[tuple[str, Totals | None]] = []
    for minute in range(wanted.start_minute, wanted.end_minute, wanted.step):
        end = min(minute + wanted.step, last)
        is_known = is_running and minute >= first and end > minute
        totals = None
        if is_known:
            sums = zip(*(_minute_of(flows, held, at, frontend_key) for at in range(minute, end)), strict=True)
            octets_in, octets_out, packets_in, packets_out = (sum(values) for values in sums)
            totals = (octets_in, octets_out, packets_in, packets_out)
        found.append((_iso(minute), totals))
    return found


def _minute_of(flows: Flows, held: Document, minute: int, frontend_key: str) -> Totals:
    """What a resource, or one frontend of it, moved in one minute."""
    if held.kind is Kind.LOAD_BALANCERS and (frontend_key or flows.is_collector(held.key)):
        packets, octets = flows.mirrored(held.key, minute, frontend_key=frontend_key)
        return octets, 0, packets, 0
    keys = [held.key]
    if held.kind is Kind.VIRTUAL_MACHINES:
        keys = [fold(nic["id"]) for nic in held.json()["properties"]["networkProfile"]["networkInterfaces"]]
    loads = [flows.nic_load(key, minute) for key in keys]
    return (
        sum(load.received_octets for load in loads),
        sum(load.sent_octets for load in loads),
        sum(load.received_packets for load in loads),
        sum(load.sent_packets for load in loads),
    )


def _metric(held: Document, wanted: Wanted, name: str, series: list[tuple[str, list[tuple[str, Totals | None]]]]) -> Json:
    unit, places = METRICS[wanted.kind][name]
    timeseries: list[Json] = []
    for address, totals in series:
        data: list[Json] = [
            {"timeStamp": at} if moved is None else {"timeStamp": at, "total": sum(moved[place] for place in places)} for at, moved in totals
        ]
        named = [{"name": {"value": "frontendipaddress", "localizedValue": "frontendipaddress"}, "value": address}] if address else []
        timeseries.append({"metadatavalues": named, "data": data})
    return {
        "id": f"{held.arm_id}/providers/Microsoft.Insights/metrics/{name}",
        "type": "Microsoft.Insights/metrics",
        "name": {"value": name, "localizedValue": name},
        "unit": unit,
        "timeseries": timeseries,
        "errorCode": "Success",
    }


def _is_measured(flows: Flows, held: Document) -> bool:
    if held.kind is not Kind.NETWORK_INTERFACES or flows.is_collector(held.key):
        return True
    return seed_of(held.key) % SILENT_EVERY != 0 and "virtualMachine" in held.json()["properties"]


def _runs(estate: Estate, held: Document) -> bool:
    """Whether the machine behind it runs; a load balancer always does."""
    machine: Document | None = held
    if held.kind is Kind.NETWORK_INTERFACES:
        machine = estate.get(held.json()["properties"]["virtualMachine"]["id"])
    return held.kind is Kind.LOAD_BALANCERS or (machine is not None and machine.power_state == "running")


def _resource(estate: Estate, subscription_id: str, kind: Kind, arm_id: str) -> Document | None:
    """One of the batch's resources, None where it does not exist. Raises ArmError 400 for what the batch cannot hold."""
    words = arm_id.lower().split("/")
    if len(words) != 9 or words[1] != "subscriptions":
        raise errors.invalid_metrics(f"{arm_id[:200]} is no resource id.")
    if words[2] != subscription_id:
        raise errors.invalid_metrics(f"{arm_id[:200]} is not in the subscription of the batch.")
    if words[7] != kind.value.lower():
        raise errors.invalid_metrics(f"{arm_id[:200]} is not of the batch's namespace.")
    held = estate.get(arm_id)
    return held if held is not None and held.kind is kind else None


def _wanted(query: dict[str, str], now_unix_s: float) -> Wanted:
    kind = NAMESPACES.get(query.get("metricnamespace", "").lower())
    if kind is None:
        raise errors.invalid_metrics("metricnamespace is missing, or of a type that is not measured here.")
    names = {name.lower(): name for name in METRICS[kind]}
    asked = [name.strip().lower() for name in query.get("metricnames", "").split(",") if name.strip()]
    if not asked or not set(asked) <= set(names):
        raise errors.invalid_metrics(f"metricnames are of: {', '.join(METRICS[kind])}.")
    if query.get("aggregation", "total").lower() != "total":
        raise errors.invalid_metrics("The only aggregation here is total.")
    interval = query.get("interval", "PT1M").upper()
    if interval not in INTERVALS:
        raise errors.invalid_metrics(f"interval is one of {', '.join(INTERVALS)}.")
    now_minute = int(now_unix_s // 60)
    start, end = _minute(query.get("starttime"), now_minute - 60), _minute(query.get("endtime"), now_minute)
    if not start < end or (end - start) // INTERVALS[interval] > POINTS_AT_MOST or end - start > 1_440 * 93:
        raise errors.invalid_metrics("starttime lies before endtime, by 93 days at most and not too many buckets.")
    by = query.get("filter", "")
    if by and (kind is not Kind.LOAD_BALANCERS or not SPLIT.fullmatch(by)):
        raise errors.invalid_metrics("The only filter here is FrontendIPAddress eq '*', of load balancers.")
    return Wanted(kind, tuple(names[name] for name in dict.fromkeys(asked)), start, end, interval, bool(by))


def _ids(body: bytes) -> list[str]:
    try:
        value: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise errors.invalid_metrics("The body is no JSON.") from error
    ids = value.get("resourceids") if isinstance(value, dict) else None
    if not isinstance(ids, list) or not 0 < len(ids) <= IDS_AT_MOST or not all(isinstance(one, str) for one in ids):
        raise errors.invalid_metrics(f"resourceids are 1 to {IDS_AT_MOST} resource ids.")
    return ids


def _minute(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not ISO.fullmatch(text):
        raise errors.invalid_metrics("A time is written as 2026-01-05T06:00:00Z.")
    try:
        at = datetime.fromisoformat(text.rstrip("Z")[:19]).replace(tzinfo=UTC)
    except ValueError as error:
        raise errors.invalid_metrics("A time is written as 2026-01-05T06:00:00Z.") from error
    return int(at.timestamp() // 60)


def _iso(minute: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
