"""The forecast of a plan: what load its NICs bring, on top of what the collector receives already; worked out in a task, kept with the change.

What collectors measured goes first: of yesterday, where all of it is known, else of the last 24 hours. NICs that no collector has measured are
asked of Azure Monitor.

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
from vtapweb.domain.forecast import (
    ENVELOPE_OCTETS,
    HOURS_A_MONTH,
    Forecast,
    NicLoad,
    PeakLoad,
    forecast,
    load_text,
    nic_hours_a_month,
    nic_load,
    peak_load,
    rate_text,
)
from vtapweb.domain.scope import Scope
from vtapweb.events.bus import announce
from vtapweb.events.jobs import enqueue_on_commit
from vtapweb.events.types import ChangeProgress
from vtapweb.inventory.clouds import open_metrics
from vtapweb.inventory.models import NetworkInterface, VirtualNetworkTap
from vtapweb.taps.actions.measured_load import KNOWN_ENOUGH, Measured, Window, last_hours, measured_load, yesterday_of
from vtapweb.taps.models import Change
from vtapweb.traffic.capacity import NEAR_SHARE, OVER_SHARE, Capacity, CapacitySource, capacities_of
from vtapweb.traffic.selectors.collectors import collector_of
from vtapweb.traffic.showing import now_of

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
    from, to, capacity_bits_per_s, nic_hours_a_month, price_a_month, load: None or {sentence, before_bits_per_s, after_bits_per_s, at, share, band:
    near|over|None, known_share}}. Safe to run twice: the last one stays. Never raises for Azure's refusals.
    """
    change = Change.objects.filter(pk=change_id).first()
    if change is None or change.is_finished or change.action not in (ChangeAction.TAP, ChangeAction.MOVE):
        return False
    wanted = dict(change.steps.filter(action=StepAction.PUT).exclude(nic_key="").values_list("nic_key", "nic_id"))
    at = now or timezone.now()
    end = at.replace(second=0, microsecond=0) - LAG
    goal = _goal(change)
    window, measured = _measured(goal, wanted, at, end)
    own = {key for key in wanted if window.is_yesterday or measured.nic_shares.get(key, 0.0) >= KNOWN_ENOUGH}
    read = _read({key: arm_id for key, arm_id in wanted.items() if key not in own | measured.inside}, opener, end - LOOK_BACK, end)
    # What a collector measured for a short while only is better than nothing.
    loads = {key: measured.nics[key] if key in own else read.loads.get(key) or measured.nics.get(key) for key in wanted if key not in measured.inside}
    return _keep(change_id, _told(_Known(change, goal, window, measured, read, loads)))


@dataclass(frozen=True, slots=True)
class _Goal:
    """The collector that the change mirrors to. `key` "" where its numbers are not for everybody who sees the change."""

    key: str
    name: str
    capacity: Capacity | None
    is_estimate: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    """All that the forecast is made of. `loads`: of each NIC that comes on top, None where nobody knows."""

    change: Change
    goal: _Goal
    window: Window
    measured: Measured
    read: _Read
    loads: dict[str, NicLoad | None]


def _measured(goal: _Goal, wanted: dict[str, str], now: datetime, end: datetime) -> tuple[Window, Measured]:
    """Yesterday where the collector and all NICs are known of it, else the last hours, as far as they are known."""
    yesterday = yesterday_of(now)
    whole = measured_load(goal.key, wanted, yesterday.grid, now_s=now.timestamp())
    if goal.key and whole.is_whole(wanted):
        return yesterday, whole
    latest = last_hours(end, LOOK_BACK)
    return latest, measured_load(goal.key, wanted, latest.grid, now_s=now.timestamp())


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


def _told(known: _Known) -> dict[str, Any]:
    change, goal, read = known.change, known.goal, known.read
    found = forecast(list(known.loads.values()))
    capacity = goal.capacity.bits_per_s if goal.capacity else None
    count = len(known.loads) + len(known.measured.inside)
    hours = nic_hours_a_month(count) if change.action == ChangeAction.TAP else 0
    price = settings.TAP_PRICE_PER_NIC_HOUR
    status = "read" if found.measured_count == found.nic_count else "partial" if found.measured_count else "failed" if read.problems else "none"
    peak = peak_load(known.measured.base, list(known.loads.values()))
    start, end = (_moment(one).isoformat() for one in (known.window.grid.start_s, known.window.grid.end_s))
    return {
        "status": status,
        "sentence": _sentence(found, known),
        "notes": [*_gaps(found, known), *(_of_base(known) if peak else _compared(found, goal, capacity)), *_bill(count, hours, price)],
        "nic_count": found.nic_count,
        "measured_count": found.measured_count,
        "median_bits_per_s": found.median_bits_per_s,
        "peak_bits_per_s": found.peak_bits_per_s,
        "peak_at": _moment(found.peak_at_unix_s).isoformat() if found.peak_at_unix_s is not None else None,
        "from": start,
        "to": end,
        "capacity_bits_per_s": capacity,
        "nic_hours_a_month": hours,
        "price_a_month": round(hours * price, 2) if price is not None and hours else None,
        "load": _load(peak, found, known, capacity),
    }


def _load(peak: PeakLoad | None, found: Forecast, known: _Known, capacity: int | None) -> dict[str, Any] | None:
    """The collector's load before and after, against what it takes; None where its own is not known."""
    if peak is None:
        return None
    share = peak.after_bits_per_s / capacity if capacity else None
    at = _moment(peak.at_unix_s) if peak.at_unix_s is not None else None
    most = "" if found.measured_count == found.nic_count else " at least" if at else ""
    text = load_text(peak.before_bits_per_s, peak.after_bits_per_s, capacity)
    when = (
        f" At {at:%H:%M} UTC"
        if known.window.is_yesterday and at
        else f" At {at:%d %b %H:%M} UTC"
        if at
        else " At most: the two peaks are of different times"
    )
    return {
        "sentence": f"{known.window.peak_words}: {text}{most}.{when}{_verdict(share)}.",
        "before_bits_per_s": peak.before_bits_per_s,
        "after_bits_per_s": peak.after_bits_per_s,
        "at": at.isoformat() if at else None,
        "share": share,
        "band": band_of(share),
        "known_share": known.measured.base_share,
    }


def band_of(share: float | None) -> str | None:
    """ "over" above 95 % of the capacity, "near" above 75 %; None below, and where nobody knows."""
    return None if share is None or share <= NEAR_SHARE else "over" if share > OVER_SHARE else "near"


def _verdict(share: float | None) -> str:
    if share is None:
        return ""
    text = f"; that is {100 * share:.0f} % of what it takes"
    return text + {"over": ", above 95 %", "near": ", above 75 %", None: ""}[band_of(share)] if share <= 1 else f"{text}, more than it takes"


def _sentence(found: Forecast, known: _Known) -> str:
    if not known.loads and known.measured.inside:
        return "Nothing comes on top: these NICs are mirrored to the same collector already."
    if found.median_bits_per_s is None or found.peak_bits_per_s is None or found.peak_at_unix_s is None:
        if known.read.problems:
            return f"No forecast: {known.read.problems[0][1].words}"
        return f"No forecast: Azure Monitor has no figures of {_nics(found.nic_count)} for the last 24 hours."
    peak_at = _moment(found.peak_at_unix_s).strftime("%d %b %H:%M UTC")
    bucket = "median minute" if known.window.bucket_words == "minute" else f"median {known.window.bucket_words}"
    return (
        f"About {rate_text(found.median_bits_per_s)} in the {bucket} and {rate_text(found.peak_bits_per_s)} at the peak ({peak_at}), "
        f"from {known.window.words} of {_nics(found.measured_count)}."
    )


def _gaps(found: Forecast, known: _Known) -> list[str]:
    """What the figures do not hold, and who measured them."""
    notes = []
    if found.measured_count:
        lacking = found.nic_count - found.measured_count
        if lacking:
            notes.append(f"No data for {lacking} of {found.nic_count}: what they will bring comes on top.")
        notes += [f"{_nics(count)} could not be asked about: {problem.words}" for count, problem in known.read.problems]
        own = [key for key, load in known.loads.items() if load is not None and load is known.measured.nics.get(key)]
        if own:
            others = "" if len(own) == found.measured_count else "; the others as Azure Monitor counted them"
            notes.append(f"{_nics(len(own))} as collectors measured {'it' if len(own) == 1 else 'them'}{others}.")
        short = sum(known.measured.nic_shares[key] < KNOWN_ENOUGH for key in own)
        if short:
            notes.append(f"Of {_nics(short)} only a part of that time is known.")
        if found.is_envelope_known:
            notes.append(f"With {ENVELOPE_OCTETS} octets a packet for the VXLAN envelope; both directions.")
        else:
            notes.append(f"Packets were not counted everywhere, so the VXLAN envelope ({ENVELOPE_OCTETS} octets a packet) is in it only in part.")
    if known.loads and known.measured.inside:
        notes.append(f"{_nics(len(known.measured.inside))} of the plan: mirrored to the same collector already, so nothing comes on top.")
    return notes


def _of_base(known: _Known) -> list[str]:
    """How well the collector's own load is known, and against what it stands."""
    notes, name = [], known.goal.name or "the collector"
    if known.measured.base_share < KNOWN_ENOUGH:
        minutes = round(known.measured.base_share * known.window.grid.count * known.window.grid.step_s / 60)
        notes.append(f"Of what {name} receives already only {_time(minutes)} of that time are known: its peak may have been higher.")
    if known.goal.is_estimate:
        notes.append(f"What {name} receives is an estimate: all that its network card receives.")
    capacity = known.goal.capacity
    if capacity is None or capacity.bits_per_s is None:
        notes.append(NOT_EVALUATED)
    else:
        notes.append(f"What {name} takes: {rate_text(capacity.bits_per_s)}, {capacity.words}.")
    return notes


def _time(minutes: int) -> str:
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


NOT_EVALUATED: Final = "Not evaluated against the collector: nobody said how much it takes. An admin can, on the page of collectors."


def _compared(found: Forecast, goal: _Goal, capacity: int | None) -> list[str]:
    """The NICs alone against what the collector takes, where its own load is not known."""
    if found.peak_bits_per_s is None:
        return []
    if capacity is None:
        return [NOT_EVALUATED]
    share = found.peak_bits_per_s / capacity
    verdict = "more than it takes" if share > 1 else f"{share:.0%} of that"
    said = "said" if goal.capacity and goal.capacity.source is CapacitySource.ASSIGNED else "expected"
    name = goal.name or "The collector"
    return [f"{name} is {said} to take {rate_text(capacity)}: the peak is {verdict}. What others mirror to it already is not in the figure."]


def _bill(count: int, hours: int, price: float | None) -> list[str]:
    if not hours:
        return []
    text = f"TAPs are billed per NIC and hour: {_nics(count)} × {HOURS_A_MONTH} hours = {hours:,} NIC-hours a month"
    if price is None:
        return [f"{text}; the price is not known (VTAPWEB_TAP_PRICE_PER_NIC_HOUR)."]
    return [f"{text}, {hours * price:,.2f} at {price:g} a NIC-hour."]


def _goal(change: Change) -> _Goal:
    """The collector. Its numbers go into the plan only where everybody who sees the plan may see them: who may read its subscription."""
    tap = VirtualNetworkTap.objects.filter(key=change.tap_key, removed_at=None).first() if change.tap_key else None
    facts = collector_of(Scope.everything(), tap.destination_key or tap.key) if tap is not None else None
    if tap is None or facts is None:
        return _Goal("", "", None)
    capacity = capacities_of(Scope.everything(), [facts])[facts.key]
    named = capacity.assignment.name if capacity.assignment else facts.name
    if not facts.is_resolved or facts.subscription_id not in change.subscription_ids:
        return _Goal("", named, capacity)
    now = now_of([facts.key]).get(facts.key)
    return _Goal(facts.key, named, capacity, is_estimate=bool(now and now.is_estimate))


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
