"""The forecast of a plan: what load its NICs brought in the last 24 hours, read from Azure Monitor in a task and kept with the change.

A plan does not wait for it and is not refused by it: what could not be read is said in the same place.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from vtapweb.cloud.port import CloudError, Failure, MetricsCloud
from vtapweb.cloud.types import MetricSeries
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.change import ChangeAction, ChangeState, StepAction
from vtapweb.domain.forecast import ENVELOPE_OCTETS, HOURS_A_MONTH, Forecast, NicLoad, forecast, nic_hours_a_month, nic_load, rate_text
from vtapweb.events.bus import announce
from vtapweb.events.jobs import enqueue_on_commit
from vtapweb.events.types import ChangeProgress
from vtapweb.inventory.clouds import open_metrics
from vtapweb.inventory.models import NetworkInterface, VirtualNetworkTap
from vtapweb.taps.models import Change
from vtapweb.traffic.models import CollectorAssignment

LOOK_BACK: Final = timedelta(hours=24)
LAG: Final = timedelta(minutes=3)  # Azure Monitor's newest minutes are not whole yet
INTERVAL: Final = "PT1M"
INTERVAL_S: Final = 60.0
NICS_A_CALL: Final = 25  # Azure takes 50; a day of 25 NICs is 144,000 totals, some 10 MB of JSON
RECEIVED, SENT, PACKETS_RECEIVED, PACKETS_SENT = METRICS = ("BytesReceivedRate", "BytesSentRate", "PacketsReceivedRate", "PacketsSentRate")
HOPELESS: Final = frozenset({Failure.UNAUTHENTICATED, Failure.MISSING, Failure.CONNECTION})  # what one call says of all


# A message that got lost is sent again for plans of this age: the youngest have theirs under way, in older ones nobody waits for it.
MISSED_AFTER, MISSED_UNTIL = timedelta(seconds=60), timedelta(hours=1)


def forecasts_mend(*, now: datetime) -> int:
    """Ask again for the forecasts of plans that should have theirs by now; how many. Two queries at most."""
    waiting = Change.objects.filter(
        state=ChangeState.PLANNED,
        action__in=[ChangeAction.TAP, ChangeAction.MOVE],
        created_at__gt=now - MISSED_UNTIL,
        created_at__lte=now - MISSED_AFTER,
    )
    missing = [pk for pk, plan in waiting.order_by("pk").values_list("pk", "plan") if not plan.get("forecast")]
    for pk in missing:
        enqueue_on_commit("taps.forecast", change_id=pk)
    return len(missing)


@dataclass
class _Read:
    """What Azure Monitor said: {NIC's key: load}, and the problems with those that could not be asked, by NIC count."""

    loads: dict[str, NicLoad] = field(default_factory=dict)
    problems: list[tuple[int, CloudError]] = field(default_factory=list)


def change_forecast(*, change_id: int, opener: Callable[[], MetricsCloud] = open_metrics, now: datetime | None = None) -> bool:
    """Work out the forecast of a planned tap or move and keep it as `plan["forecast"]`; whether it was kept.

    The forecast: {sentence, notes, status: read|partial|none|failed, nic_count, measured_count, median_bits_per_s, peak_bits_per_s, peak_at,
    from, to, capacity_bits_per_s, nic_hours_a_month, price_a_month}. Safe to run twice: the last one stays. Never raises for Azure's refusals.
    """
    change = Change.objects.filter(pk=change_id).first()
    if change is None or change.is_finished or change.action not in (ChangeAction.TAP, ChangeAction.MOVE):
        return False
    wanted = dict(change.steps.filter(action=StepAction.PUT).exclude(nic_key="").values_list("nic_key", "nic_id"))
    end = (now or timezone.now()).replace(second=0, microsecond=0) - LAG
    read = _read(wanted, opener, end - LOOK_BACK, end)
    told = _told(change, forecast([read.loads.get(key) for key in wanted]), read, end)
    return _keep(change_id, told)


def _read(wanted: dict[str, str], opener: Callable[[], MetricsCloud], start: datetime, end: datetime) -> _Read:
    read = _Read()
    places: dict[tuple[str, str], list[str]] = {}
    stored = NetworkInterface.objects.filter(key__in=list(wanted), removed_at=None).order_by("key")
    for subscription_id, location, arm_id in stored.values_list("subscription_id", "location", "arm_id"):
        places.setdefault((subscription_id, location), []).append(arm_id)
    calls = [(place, ids[at : at + NICS_A_CALL]) for place, ids in places.items() for at in range(0, len(ids), NICS_A_CALL)]
    if not calls:
        return read
    try:
        cloud = opener()
    except CloudError as problem:
        read.problems.append((len(wanted), problem))
        return read
    try:
        for number, ((subscription_id, region), ids) in enumerate(calls):
            try:
                read.loads.update(_loads(cloud.metric_totals(subscription_id, region, ids, METRICS, start, end, INTERVAL)))
            except CloudError as problem:
                is_hopeless = problem.failure in HOPELESS
                read.problems.append((sum(len(one) for _, one in calls[number:]) if is_hopeless else len(ids), problem))
                if is_hopeless:
                    break
    finally:
        cloud.close()
    return read


def _loads(series: Iterable[MetricSeries]) -> dict[str, NicLoad]:
    by_nic: dict[str, dict[str, dict[float, float | None]]] = {}
    for one in series:
        by_nic.setdefault(arm_key(one.resource_id), {})[one.name.lower()] = dict(one.totals)
    found = {}
    for key, totals in by_nic.items():
        given = [totals.get(name.lower(), {}) for name in METRICS]
        load = nic_load(*given, bucket_s=INTERVAL_S)
        if load is not None:
            found[key] = load
    return found


def _told(change: Change, found: Forecast, read: _Read, end: datetime) -> dict[str, Any]:
    destination, capacity = _capacity(change)
    hours = nic_hours_a_month(found.nic_count) if change.action == ChangeAction.TAP else 0
    price = settings.TAP_PRICE_PER_NIC_HOUR
    status = "read" if found.measured_count == found.nic_count else "partial" if found.measured_count else "failed" if read.problems else "none"
    return {
        "status": status,
        "sentence": _sentence(found, read),
        "notes": [*_gaps(found, read), *_compared(found, destination, capacity), *_bill(found, hours, price)],
        "nic_count": found.nic_count,
        "measured_count": found.measured_count,
        "median_bits_per_s": found.median_bits_per_s,
        "peak_bits_per_s": found.peak_bits_per_s,
        "peak_at": _moment(found.peak_at_unix_s).isoformat() if found.peak_at_unix_s is not None else None,
        "from": (end - LOOK_BACK).isoformat(),
        "to": end.isoformat(),
        "capacity_bits_per_s": capacity,
        "nic_hours_a_month": hours,
        "price_a_month": round(hours * price, 2) if price is not None and hours else None,
    }


def _sentence(found: Forecast, read: _Read) -> str:
    if found.median_bits_per_s is None or found.peak_bits_per_s is None or found.peak_at_unix_s is None:
        if read.problems:
            return f"No forecast: {read.problems[0][1].words}"
        return f"No forecast: Azure Monitor has no figures of {_nics(found.nic_count)} for the last 24 hours."
    peak_at = _moment(found.peak_at_unix_s).strftime("%d %b %H:%M UTC")
    return (
        f"About {rate_text(found.median_bits_per_s)} in the median minute and {rate_text(found.peak_bits_per_s)} at the peak ({peak_at}), "
        f"from the last 24 hours of {_nics(found.measured_count)}."
    )


def _gaps(found: Forecast, read: _Read) -> list[str]:
    """What the figures do not hold."""
    notes = []
    if found.measured_count:
        lacking = found.nic_count - found.measured_count
        if lacking:
            notes.append(f"No data for {lacking} of {found.nic_count}: what they will bring comes on top.")
        notes += [f"{_nics(count)} could not be asked about: {problem.words}" for count, problem in read.problems]
        if found.is_envelope_known:
            notes.append(f"With {ENVELOPE_OCTETS} octets a packet for the VXLAN envelope; both directions.")
        else:
            notes.append(f"Packets were not counted everywhere, so the VXLAN envelope ({ENVELOPE_OCTETS} octets a packet) is in it only in part.")
    return notes


def _compared(found: Forecast, destination: str, capacity: int | None) -> list[str]:
    if found.peak_bits_per_s is None:
        return []
    if capacity is None:
        return ["Not evaluated against the collector: nobody said how much it takes. An admin can, on the page of collectors."]
    share = found.peak_bits_per_s / capacity
    verdict = "more than it takes" if share > 1 else f"{share:.0%} of that"
    name = destination or "The collector"
    return [f"{name} is said to take {rate_text(capacity)}: the peak is {verdict}. What others mirror to it already is not in the figure."]


def _bill(found: Forecast, hours: int, price: float | None) -> list[str]:
    if not hours:
        return []
    text = f"TAPs are billed per NIC and hour: {_nics(found.nic_count)} × {HOURS_A_MONTH} hours = {hours:,} NIC-hours a month"
    if price is None:
        return [f"{text}; the price is not known (VTAPWEB_TAP_PRICE_PER_NIC_HOUR)."]
    return [f"{text}, {hours * price:,.2f} at {price:g} a NIC-hour."]


def _capacity(change: Change) -> tuple[str, int | None]:
    """(name, bits a second) of the collector that the change mirrors to, as the operator set it."""
    tap = VirtualNetworkTap.objects.filter(key=change.tap_key, removed_at=None).first() if change.tap_key else None
    assigned = CollectorAssignment.objects.filter(destination_key=tap.destination_key).first() if tap is not None and tap.destination_key else None
    return (assigned.name, assigned.capacity_bits_per_s) if assigned is not None else ("", None)


@transaction.atomic
def _keep(change_id: int, told: dict[str, Any]) -> bool:
    change = Change.objects.select_for_update().filter(pk=change_id).first()
    if change is None or change.is_finished:
        return False
    change.plan = {**change.plan, "forecast": told}
    change.save(update_fields=["plan"])
    counts: Any = dict(change.steps.order_by().values_list("state").annotate(n=Count("pk")))
    progress = ChangeProgress(change_id=change.pk, state=change.state, counts=counts, at=timezone.now())  # type: ignore[arg-type] # a state of the table
    transaction.on_commit(lambda: announce(progress, subscription_ids=change.subscription_ids))
    return True


def _nics(count: int) -> str:
    return f"{count} NIC" if count == 1 else f"{count:,} NICs"


def _moment(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, tz=UTC)
