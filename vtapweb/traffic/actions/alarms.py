"""Alarms: what the watch keeps of its judgement, and what people do about them. Shape: check, write, audit, announce after commit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Min
from django.http import HttpRequest
from django.utils import timezone

from vtapweb.access.actions import audit_record
from vtapweb.access.guards import role_check
from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer
from vtapweb.domain.causes import Cause, Finding, HopKind, HopState, Open, Subject, match
from vtapweb.domain.health import Level
from vtapweb.domain.plain_text import storable
from vtapweb.events.bus import record_event
from vtapweb.events.types import HealthEvent
from vtapweb.inventory.models import NetworkInterface, ResourceChange, SubscriptionSync, VirtualNetworkPeering
from vtapweb.inventory.receiving import chunks
from vtapweb.traffic.actions.deliveries import deliveries_add
from vtapweb.traffic.alarm_words import facts_of, hop_row, sentence, title
from vtapweb.traffic.models import Alarm, AlarmEvent, CollectorHealth, HealthLease
from vtapweb.web.problem import ProblemError

AROUND: Final = timedelta(minutes=15)
RAISED_AGAIN_WITHIN: Final = timedelta(minutes=5)  # the same cause shortly after it ended is the same alarm
MUTE_MOST: Final = timedelta(days=30)
CHANGES_SHOWN: Final = 30
PEERINGS_LOOKED_AT: Final = 500  # changes of them, the newest: those on the way are among them unless all peerings moved at once
FIGURES_KEPT: Final = timedelta(minutes=1)
SEVERITIES: Final = {Level.NOTICE: Alarm.Severity.NOTICE, Level.WARNING: Alarm.Severity.WARNING, Level.ALARM: Alarm.Severity.ALARM}
_RANK: Final = {severity.value: int(level) for level, severity in SEVERITIES.items()}


class LeadershipLostError(Exception):
    """Another process judges by now: write nothing."""


@dataclass(frozen=True, slots=True)
class CollectorRow:
    """The state of one collector as the watch judged it."""

    key: str
    subscription_id: str
    name: str
    state: str
    rule_ids: Sequence[str]
    sentence: str
    heard_at: datetime | None


def alarms_reconcile(
    *,
    fence: int,
    causes: Sequence[Cause],
    rows: Sequence[CollectorRow],
    all_subscription_ids: Sequence[str],
    memory: bytes | None,
    now: datetime,
    settled_at: datetime | None = None,
) -> list[Alarm]:
    """Brings alarms and states to what was judged, in one transaction under the lease; returns the alarms that moved.

    `memory` None: the successor's copy stays as it is. `settled_at`: until when rules wait as we have only just begun; None: nothing is measured.

    Queries: a fixed number, and a few for each alarm that moved. Raises LeadershipLostError where the fence is another one.
    """
    with transaction.atomic():
        lease = HealthLease.objects.select_for_update().filter(pk=1, fence=fence).first()
        if lease is None:
            raise LeadershipLostError(f"fence {fence} no longer holds")
        open_ones = {one.number: one for one in Alarm.objects.filter(state=Alarm.State.OPEN)}
        matched = match(causes, [Open(one.number, one.cause_key, frozenset(one.finding_keys)) for one in open_ones.values()])
        moved: list[Alarm] = []
        for number in matched.over:
            _clear(open_ones[number], matched.joined.get(number), now)
            moved.append(open_ones[number])
        # Those whose key moves to another cause first let go of it.
        for cause in causes:
            if cause.key in matched.of and _go_on(open_ones[matched.of[cause.key]], cause, all_subscription_ids, now):
                moved.append(open_ones[matched.of[cause.key]])
        for cause in causes:
            if cause.key not in matched.of:
                moved.append(_raise(cause, all_subscription_ids, lease, now))
        _look_around([*open_ones.values(), *moved], now)
        _states(rows, now)
        lease.evaluated_at = now
        if memory is not None:
            lease.memory = memory
        lease.settled_at = settled_at
        lease.blind_since, lease.blind_reason = None, ""
        lease.save(update_fields=["evaluated_at", "memory", "settled_at", "blind_since", "blind_reason", "last_number"])
    return moved


def _raise(cause: Cause, all_subscription_ids: Sequence[str], lease: HealthLease, now: datetime) -> Alarm:
    """A new alarm, or the one that the same cause had a moment ago; one that was muted longer is muted still."""
    before = Alarm.objects.filter(cause_key=cause.key, state=Alarm.State.CLEARED).order_by("-number").first()
    if before is not None and before.cleared_at is not None and now - before.cleared_at <= RAISED_AGAIN_WITHIN:
        alarm, kind = before, AlarmEvent.Kind.RAISED_AGAIN
        alarm.state, alarm.cleared_at = Alarm.State.OPEN, None
    else:
        lease.last_number += 1
        alarm, kind = Alarm(number=lease.last_number, opened_at=now, is_demo=settings.CLOUD == "simulator"), AlarmEvent.Kind.RAISED
        if before is not None and before.muted_until is not None and before.muted_until > now:
            alarm.muted_until, alarm.muted_by, alarm.mute_reason = before.muted_until, before.muted_by, before.mute_reason
    _describe(alarm, cause, all_subscription_ids, now)
    alarm.save()
    AlarmEvent.objects.create(alarm=alarm, at=now, kind=kind, text=alarm.sentence)
    _tell(alarm, "raised")
    deliveries_add(alarm=alarm, what=kind.value, now=now)
    return alarm


def _go_on(alarm: Alarm, cause: Cause, all_subscription_ids: Sequence[str], now: datetime) -> bool:
    """Whether something moved: its level, its cause, its children."""
    key_before, severity_before = alarm.cause_key, alarm.severity
    before = (alarm.cause_key, alarm.severity, sorted(alarm.finding_keys), alarm.broken_hop and alarm.broken_hop["words"])
    nics_before = {one["key"]: one.get("nic_key", "") for one in alarm.children if one["kind"] == Subject.ADDRESS and not one["ended"]}
    names_before = {one["key"]: one["name"] for one in alarm.children if not one["ended"]}
    keys = sorted(one.key for one in cause.findings)
    is_same = before == (cause.key, SEVERITIES[cause.level], keys, cause.hop.words if cause.hop else None)
    if is_same and nics_before == {one.subject_key: _nic_of(one) for one in cause.findings if one.subject is Subject.ADDRESS}:
        way = _way_of(cause)
        if [_as_read(row) for row in way] != [_as_read(row) for row in alarm.path]:
            alarm.path = way
            alarm.save(update_fields=["path"])
        _refresh(alarm, cause, now)
        return False
    _describe(alarm, cause, all_subscription_ids, now)
    alarm.save()
    events = []
    if key_before != cause.key and cause.hop is not None:
        events.append(AlarmEvent(alarm=alarm, at=now, kind=AlarmEvent.Kind.CAUSE_FOUND, text=alarm.sentence))
    if severity_before != alarm.severity:
        worse = _RANK[alarm.severity] > _RANK[severity_before]
        events.append(AlarmEvent(alarm=alarm, at=now, kind=AlarmEvent.Kind.WORSE if worse else AlarmEvent.Kind.BETTER, text=alarm.sentence))
        if worse:
            deliveries_add(alarm=alarm, what=AlarmEvent.Kind.WORSE.value, now=now)
    names = {one["key"]: one["name"] for one in alarm.children if not one["ended"]}
    joined, left = sorted(names[key] for key in names.keys() - names_before), sorted(names_before[key] for key in names_before.keys() - names)
    if joined or left:
        events.append(AlarmEvent(alarm=alarm, at=now, kind=AlarmEvent.Kind.CHILDREN, detail={"joined": joined, "left": left}))
    AlarmEvent.objects.bulk_create(events)
    _tell(alarm, "changed")
    return True


def _refresh(alarm: Alarm, cause: Cause, now: datetime) -> None:
    """Brings the figures of its sentence up to date, once in FIGURES_KEPT: a load of an hour ago is not what it is about now. No event."""
    facts = _facts(alarm, cause)
    if now - alarm.changed_at >= FIGURES_KEPT and facts != alarm.facts:
        alarm.facts, alarm.sentence, alarm.changed_at = facts, sentence(cause.subject, facts, now=now), now
        alarm.save(update_fields=["facts", "sentence", "changed_at"])


def _clear(alarm: Alarm, joined: int | None, now: datetime) -> None:
    alarm.state, alarm.cleared_at, alarm.changed_at = Alarm.State.CLEARED, now, now
    alarm.finding_keys, alarm.child_count = [], 0
    alarm.children = [{**one, "ended": one["ended"] or now.isoformat()} for one in alarm.children]
    alarm.save()
    text = f"It is part of A-{joined} now." if joined is not None else ""
    AlarmEvent.objects.create(alarm=alarm, at=now, kind=AlarmEvent.Kind.CLEARED, text=text)
    _tell(alarm, "cleared")
    deliveries_add(alarm=alarm, what=AlarmEvent.Kind.CLEARED.value, now=now)


def _describe(alarm: Alarm, cause: Cause, all_subscription_ids: Sequence[str], now: datetime) -> None:
    """Puts what is known of the cause into the alarm."""
    main, facts = cause.main, _facts(alarm, cause)
    alarm.cause_key, alarm.severity, alarm.rule_ids = cause.key, SEVERITIES[cause.level], cause.rule_ids
    alarm.subject_kind, alarm.facts, alarm.title = cause.subject.value, facts, title(cause.subject, facts)
    alarm.sentence = sentence(cause.subject, facts, now=now)
    collectors = {one.collector_key for one in cause.findings}
    is_one = len(collectors) == 1 and cause.subject is not Subject.INTAKE
    alarm.collector_key, alarm.collector_name = (main.collector_key, main.collector_name[:200]) if is_one else ("", "")
    alarm.nic_key = main.subject_key if cause.subject is Subject.SOURCE else ""
    alarm.broken_hop = hop_row(cause.hop) if cause.hop else None
    alarm.path = _way_of(cause)
    alarm.children = _children(alarm.children, cause, now)
    alarm.child_count = sum(not one["ended"] for one in alarm.children)
    alarm.finding_keys = sorted(one.key for one in cause.findings)
    alarm.related_keys = sorted(_related(cause))
    subject = {cause.hop.subscription_id} if cause.hop else {one.collector_subscription_id for one in cause.findings}
    if cause.hop is not None and main.rule_id in {"H1", "H2"}:
        subject.add(main.collector_subscription_id)  # its sentence names the collector
    if cause.subject in {Subject.SOURCE, Subject.SOURCES}:
        subject |= {one.subscription_id for one in cause.sources}
    elif main.subject is Subject.SOURCE and cause.hop is None:
        subject.add(main.subscription_id)  # its sentence names the source
    alarm.subject_subscription_ids = [] if cause.subject is Subject.INTAKE else sorted(subject - {""})
    of_children = {one["subscription_id"] for one in alarm.children}
    everybody = set(all_subscription_ids) if cause.subject is Subject.INTAKE else set()
    alarm.subscription_ids = sorted((subject | of_children | everybody | {one.collector_subscription_id for one in cause.findings}) - {""})
    alarm.changed_at = now


def _facts(alarm: Alarm, cause: Cause) -> dict[str, Any]:
    """What its sentence needs. The figures are those of when it was true: it must not end as one about a loss of 0 %."""
    main, facts = cause.main, facts_of(cause)
    if main.is_settling and alarm.facts.get("rule") == main.rule_id and alarm.facts.get("name") == main.name:
        facts |= {key: alarm.facts[key] for key in main.facts.keys() & alarm.facts.keys() - {"sources"}}
    return facts


def _way_of(cause: Cause) -> list[dict[str, Any]]:
    """The hops of one of the ways that it breaks, as they are kept."""
    main = cause.main
    path = next((one.path for one in cause.findings if one.path and one.subject is Subject.SOURCE), main.path)
    if main.rule_id == "H2" and main.source_paths:
        keys = [way for way in main.source_paths if cause.hop is None or cause.hop in way]
        path = (keys or main.source_paths)[0]
    return [hop_row(hop) for hop in path]


def _as_read(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """A hop without what moves with every turn: an agent, or our intake, that works was seen just now."""
    moves = row["state"] == HopState.OK and row["kind"] in {HopKind.AGENT, HopKind.INTAKE}
    return row["kind"], row["key"], row["state"], row["words"], row["since"], None if moves else row["seen_at"]


def _children(before: Iterable[Mapping[str, Any]], cause: Cause, now: datetime) -> list[dict[str, Any]]:
    """Every source, member or collector that it touches, also those for which it is over.

    An address is of the subscription whose NIC has it, or had it when it became a child; where no NIC is known for it, of the collector's.
    """
    before = list(before)
    found: dict[str, dict[str, Any]] = {}
    nics = {_nic_of(one) for one in cause.findings if one.subject is Subject.ADDRESS} - {""}
    owners: dict[str, str] = {}
    for some in chunks(nics):
        owners.update(NetworkInterface.objects.filter(key__in=some).values_list("key", "subscription_id"))
    known = {one["key"]: one["subscription_id"] for one in before if one["kind"] == Subject.ADDRESS}

    def child(rule_id: str, kind: str, key: str, name: str, subscription_id: str, collector_key: str, since: datetime, **more: str) -> None:
        found.setdefault(
            key,
            {
                "rule_id": rule_id, "kind": kind, "key": key, "name": name, "subscription_id": subscription_id, "collector_key": collector_key,
                "since": since.isoformat(), "ended": None, **more,
            },
        )  # fmt: skip

    for one in cause.findings:
        if one.subject is Subject.ADDRESS and cause.subject is not Subject.INTAKE:
            nic_key = _nic_of(one)
            owner = owners.get(nic_key) or known.get(one.subject_key) or one.subscription_id
            child(one.rule_id, one.subject.value, one.subject_key, one.name, owner, one.collector_key, one.since, nic_key=nic_key)
        elif one.subject in {Subject.SOURCE, Subject.ADDRESS, Subject.MEMBER} or (cause.subject is Subject.INTAKE and one.collector_key):
            kind = "collector" if cause.subject is Subject.INTAKE else one.subject.value
            child(one.rule_id, kind, one.subject_key, one.name, one.subscription_id, one.collector_key, one.since)
    for one in cause.findings:
        for key, name, subscription_id in one.facts.get("sources", ()) if cause.subject is not Subject.INTAKE else ():
            child(one.rule_id, "source", key, name, subscription_id, one.collector_key, one.since)
    gone = [{**one, "ended": one["ended"] or now.isoformat()} for one in before if one["key"] not in found]
    return [*sorted(found.values(), key=lambda one: one["name"]), *gone[-100:]]


def _nic_of(finding: Finding) -> str:
    """The NIC that has the address of a finding; "" where none is known, or several have it."""
    return str(finding.facts.get("nic_key") or "")


def _related(cause: Cause) -> set[str]:
    """Keys of the resources that the cause's ways lead over."""
    keys = {one.subject_key for one in cause.findings if one.subject is Subject.SOURCE}
    for path in [one.path for one in cause.findings] + [way for one in cause.findings for way in one.source_paths]:
        keys |= {part for hop in path for part in hop.key.split()}
    return {one for one in keys if len(one) == 26}


def _look_around(alarms: Iterable[Alarm], now: datetime) -> None:
    """ "Happened before": changes that syncs saw from 15 minutes before to 15 minutes after it was raised, those on its ways first.

    One query for each 900 keys, and two for peerings.
    """
    young = {one.number: one for one in alarms if one.is_open and now - one.opened_at <= AROUND + timedelta(minutes=1)}
    if not young:
        return
    first = min(one.opened_at for one in young.values()) - AROUND
    keys = {key for one in young.values() for key in one.related_keys}
    seen = [change for some in chunks(keys) for change in ResourceChange.objects.filter(key__in=some, at__gte=first, at__lte=now)]
    # A peering is known by its VNets on the way, and changes under a key of its own.
    peered = ResourceChange.objects.filter(kind="peerings", at__gte=first, at__lte=now).exclude(pk__in=[one.pk for one in seen])
    seen = _without_first_readings([*seen, *peered.order_by("-pk")[:PEERINGS_LOOKED_AT]])
    peerings = [one.key for one in seen if one.kind == "peerings"]
    ends = VirtualNetworkPeering.objects.filter(key__in=peerings).values_list("key", "virtual_network_id", "remote_virtual_network_key")
    vnets = {key: {here, there} for key, here, there in (ends if peerings else ())}
    for alarm in young.values():
        wanted = set(alarm.related_keys)
        around = [one for one in seen if abs(one.at - alarm.opened_at) <= AROUND and (one.key in wanted or one.kind == "peerings")]
        on_way = {one.pk for one in around if one.key in wanted or (one.key in vnets and vnets[one.key] <= wanted)}
        around.sort(key=lambda change: (change.pk not in on_way, change.at))
        told = [{**change_row(one), "on_way": one.pk in on_way} for one in around[:CHANGES_SHOWN]]
        if told != alarm.happened_before:
            alarm.happened_before = told
            alarm.save(update_fields=["happened_before"])


def _without_first_readings(seen: Sequence[ResourceChange]) -> list[ResourceChange]:
    """What the first reading of a subscription added did not change then: nobody had looked before. One query, where anything was added."""
    owners = {one.subscription_id for one in seen if one.action == ResourceChange.Action.ADDED}
    syncs = SubscriptionSync.objects.filter(subscription__in=owners).values_list("subscription").annotate(Min("run")) if owners else ()
    first = dict(syncs)
    return [one for one in seen if one.action != ResourceChange.Action.ADDED or one.run_id is None or one.run_id != first.get(one.subscription_id)]


BECAME: Final = ("peering_state", "power_state", "provisioning_state")


def change_row(change: ResourceChange) -> dict[str, Any]:
    """A change of the inventory as it stands beside an alarm."""
    kind = change.get_kind_display()
    became = next((change.fields[name][1] for name in BECAME if name in change.fields and change.fields[name][1]), None)
    what = f"became {became}" if became else change.action if change.action != "changed" else f"changed ({', '.join(sorted(change.fields))})"
    return {
        "at": change.at.isoformat(), "kind": change.kind, "key": change.key, "name": change.name, "action": change.action,
        "words": f"{kind} {change.name} {what}", "subscription_id": change.subscription_id,
    }  # fmt: skip


def _states(rows: Sequence[CollectorRow], now: datetime) -> None:
    """The states of collectors, written where they changed, and once a minute where something was heard. Two or three queries."""
    before = {one.collector_key: one for one in CollectorHealth.objects.all()}
    new, changed, told = [], [], []
    for row in rows:
        old = before.get(row.key)
        if old is None:
            fields = {"state": row.state, "rule_ids": list(row.rule_ids), "sentence": row.sentence, "since": now, "heard_at": row.heard_at}
            new.append(CollectorHealth(collector_key=row.key, subscription_id=row.subscription_id, name=row.name[:200], **fields))
            told.append(row)
            continue
        is_other = (old.state, old.rule_ids, old.name, old.subscription_id) != (row.state, list(row.rule_ids), row.name[:200], row.subscription_id)
        is_old = row.heard_at is not None and (old.heard_at is None or row.heard_at - old.heard_at > timedelta(minutes=1))
        if not (is_other or is_old):
            continue
        if old.state != row.state:
            old.since = now
            told.append(row)
        old.state, old.rule_ids, old.sentence, old.heard_at = row.state, list(row.rule_ids), row.sentence, row.heard_at
        old.name, old.subscription_id = row.name[:200], row.subscription_id
        changed.append(old)
    gone = set(before) - {row.key for row in rows}
    if new:
        CollectorHealth.objects.bulk_create(new)
    if changed:
        CollectorHealth.objects.bulk_update(
            changed, ["state", "rule_ids", "sentence", "since", "heard_at", "name", "subscription_id"], batch_size=200
        )
    if gone:
        CollectorHealth.objects.filter(collector_key__in=gone).delete()
    if len(told) > 50:  # at a start: whoever looks reads all of it again anyway
        record_event(HealthEvent(deed="state"), subscription_ids=None)
    else:
        for row in told:
            event = HealthEvent(deed="state", collector_key=row.key, state=row.state)
            record_event(event, subscription_ids=[row.subscription_id] if row.subscription_id else [])


def _tell(alarm: Alarm, deed: Any) -> None:
    record_event(HealthEvent(alarm=alarm.number, deed=deed, collector_key=alarm.collector_key), subscription_ids=alarm.subscription_ids)


# -- what people do


def _text(value: str, most: int) -> str:
    return storable(value).strip()[:most]


def _locked(alarm: Alarm, acting_user: Viewer) -> Alarm:
    """The alarm's row, locked. Raises ProblemError 403 for a viewer."""
    role_check(acting_user, Role.OPERATOR)
    return Alarm.objects.select_for_update().get(pk=alarm.pk)


def _done(
    alarm: Alarm, kind: AlarmEvent.Kind, acting_user: Viewer, request: HttpRequest | None, *, text: str = "", detail: Mapping[str, Any] | None = None
) -> Alarm:
    """Saves it with its event and its audit entry, and tells others."""
    now = timezone.now()
    alarm.changed_at = now
    alarm.save()
    AlarmEvent.objects.create(alarm=alarm, at=now, kind=kind, by=acting_user.name[:200], text=text, detail=dict(detail or {}))
    audit_record(
        action=f"traffic.alarm_{kind.value}",
        acting_user=acting_user,
        target=f"{alarm.spoken} {alarm.title}"[:500],
        reason=text,
        detail=detail,
        request=request,
    )
    _tell(alarm, "deed")
    return alarm


@transaction.atomic
def alarm_take(*, alarm: Alarm, acting_user: Viewer, request: HttpRequest | None = None) -> Alarm:
    """Says that somebody has it. Taking it from another is allowed, and both stand in its history."""
    one = _locked(alarm, acting_user)
    if one.owner == acting_user.name[:200]:
        return one
    before = one.owner
    one.owner, one.taken_at = acting_user.name[:200], timezone.now()
    if not one.acknowledged_by:
        one.acknowledged_by, one.acknowledged_at = one.owner, one.taken_at
    return _done(one, AlarmEvent.Kind.TAKEN, acting_user, request, detail={"before": before} if before else None)


@transaction.atomic
def alarm_release(*, alarm: Alarm, acting_user: Viewer, request: HttpRequest | None = None) -> Alarm:
    """Gives it back: nobody has it any more."""
    one = _locked(alarm, acting_user)
    if not one.owner:
        return one
    before, one.owner, one.taken_at = one.owner, "", None
    return _done(one, AlarmEvent.Kind.RELEASED, acting_user, request, detail={"before": before})


@transaction.atomic
def alarm_acknowledge(*, alarm: Alarm, acting_user: Viewer, request: HttpRequest | None = None) -> Alarm:
    """Says that somebody has seen it. The first one counts."""
    one = _locked(alarm, acting_user)
    if one.acknowledged_by:
        return one
    one.acknowledged_by, one.acknowledged_at = acting_user.name[:200], timezone.now()
    return _done(one, AlarmEvent.Kind.ACKNOWLEDGED, acting_user, request)


@transaction.atomic
def alarm_note(*, alarm: Alarm, text: str, acting_user: Viewer, request: HttpRequest | None = None) -> Alarm:
    """Writes a note beside it; older ones stay in its history. Raises ValidationError for an empty one."""
    one = _locked(alarm, acting_user)
    one.note = _text(text, 4000)
    if not one.note:
        raise ValidationError("Write what the next one should know.", code="text")
    return _done(one, AlarmEvent.Kind.NOTED, acting_user, request, text=one.note)


@transaction.atomic
def alarm_mute(*, alarm: Alarm, until: datetime, reason: str, acting_user: Viewer, request: HttpRequest | None = None) -> Alarm:
    """Sends nothing about it and counts it apart until then; it stays in the list.

    Raises ValidationError without a reason or a sensible end, ProblemError 403 for who may not read all that it is about: others rely on it.
    """
    one = _locked(alarm, acting_user)
    if not acting_user.scope.covers(one.subject_subscription_ids):
        raise ProblemError(403, "Not allowed", f"{one.spoken} is about a subscription that {acting_user.name} may not read.")
    kept, now = _text(reason, 1000), timezone.now()
    if not kept:
        raise ValidationError("Say why: whoever reads “muted” in the night wants to know.", code="reason")
    if not now < until <= now + MUTE_MOST:
        raise ValidationError(f"A mute ends: in the future, and within {MUTE_MOST.days} days.", code="until")
    one.muted_until, one.muted_by, one.mute_reason = until, acting_user.name[:200], kept
    return _done(one, AlarmEvent.Kind.MUTED, acting_user, request, text=kept, detail={"until": until.isoformat()})


@transaction.atomic
def alarm_unmute(*, alarm: Alarm, acting_user: Viewer, request: HttpRequest | None = None) -> Alarm:
    """Ends a mute before its time. Whom it touches may, as well: nothing is kept from others by it."""
    one = _locked(alarm, acting_user)
    if one.muted_until is None or one.muted_until <= timezone.now():
        return one
    one.muted_until, one.muted_by, one.mute_reason = None, "", ""
    return _done(one, AlarmEvent.Kind.UNMUTED, acting_user, request)
