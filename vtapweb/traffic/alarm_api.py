"""API v1 of alarms and maintenance. Everybody reads what lies in his scope; what acts needs the role operator."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Query, Router, Schema
from pydantic import ConfigDict

from vtapweb.access.authentication import api_auth
from vtapweb.access.role import Role
from vtapweb.access.selectors import viewer_of
from vtapweb.domain.scope import Scope
from vtapweb.inventory.api import answer, dumps, iso
from vtapweb.traffic.actions.alarms import alarm_acknowledge, alarm_mute, alarm_note, alarm_release, alarm_take, alarm_unmute
from vtapweb.traffic.actions.maintenance import maintenance_end, maintenance_plan
from vtapweb.traffic.models import Alarm, CollectorMaintenance
from vtapweb.traffic.selectors.alarms import (
    AlarmFilter,
    AlarmView,
    alarm_counts,
    alarm_of,
    alarm_view,
    alarms,
    collectors_readable,
    maintenance_by_id,
    maintenance_of,
)
from vtapweb.traffic.selectors.collectors import collector_of
from vtapweb.web.paging import LIMIT_DEFAULT, cursor_of, limit_of, number_in
from vtapweb.web.problem import ProblemError

router = Router(tags=["alarms"])
OPERATOR = api_auth(Role.OPERATOR)


class AlarmsQuery(Schema):
    state: str = Field("", description="open or cleared; empty: both, open ones first.")
    severity: str = Field("", description="alarm, warning or notice.")
    muted: bool | None = Field(None, description="Only those that are muted now, or only the others.")
    collector: str = Field("", description="The key of a collector.")
    q: str = Field("", description="Part of the title or the sentence, or a number.")
    limit: int = Field(LIMIT_DEFAULT, description="1 to 1,000.")
    cursor: str = Field("", description="`next` of the page before.")


class AlarmItem(Schema):
    """One alarm. Spans in `sentence` are as of the answer."""

    number: int = Field(description="117 of A-117.")
    name: str = Field(description="A-117.")
    state: str
    severity: str
    rule_ids: list[str] = Field(description="Of docs/health.md, the worst first.")
    subject: str = Field(description="collector, member, source, sources, hop or intake.")
    title: str
    sentence: str
    is_hidden: bool = Field(description="What it is about lies outside of the caller's scope; only his own sources are told.")
    collector_key: str
    opened_at: datetime
    cleared_at: datetime | None
    owner: str
    acknowledged_by: str
    note: str
    muted_until: datetime | None
    affected: int = Field(description="Children that have not ended and that the caller may see.")
    children: list[dict[str, Any]]
    path: list[dict[str, Any]] = Field(description="The hops of one affected source: kind, name, state (ok, broken, unknown), words, since, seen_at.")
    happened_before: list[dict[str, Any]] = Field(description="Changes of the inventory within 15 minutes: beside it, not its reason.")


class AlarmPage(Schema):
    items: list[AlarmItem]
    next: str | None
    total: int
    open: int = Field(description="Of severity alarm or warning, and not muted.")
    muted: int
    next_mute_ends_at: datetime | None


class Strict(Schema):
    model_config = ConfigDict(extra="forbid")


class NoteBody(Strict):
    text: str


class MuteBody(Strict):
    reason: str
    until: datetime | None = Field(None, description="ISO 8601 with an offset; or `hours`.")
    hours: float | None = None


class MaintenanceBody(Strict):
    owner: str
    reason: str
    ends_at: datetime
    starts_at: datetime | None = Field(None, description="null: now.")
    member_key: str = Field("", description="The NIC's key of one member; empty: the whole collector.")
    ticket: str = ""


class MaintenanceItem(Schema):
    id: int
    collector_key: str
    member_key: str
    starts_at: datetime
    ends_at: datetime
    ended_at: datetime | None
    owner: str
    reason: str
    ticket: str


def _items(views: Sequence[AlarmView], scope: Scope) -> list[dict[str, Any]]:
    """One query, where the scope is limited."""
    named = {child["collector_key"] for view in views for child in view.children} | {view.alarm.collector_key for view in views}
    readable = collectors_readable(scope, named)
    return [_item(view, readable) for view in views]


def _item(view: AlarmView, readable: set[str]) -> dict[str, Any]:
    one = view.alarm
    children = [{**child, "collector_key": child["collector_key"] if child["collector_key"] in readable else ""} for child in view.children]
    return {
        "number": one.number, "name": one.spoken, "state": one.state, "severity": one.severity, "rule_ids": one.rule_ids,
        "subject": one.subject_kind, "title": view.title, "sentence": view.sentence, "is_hidden": view.is_hidden,
        "collector_key": one.collector_key if one.collector_key in readable and not view.is_hidden else "",
        "opened_at": iso(one.opened_at), "cleared_at": iso(one.cleared_at),
        "owner": one.owner, "acknowledged_by": one.acknowledged_by, "note": "" if view.is_hidden else one.note,
        "muted_until": iso(one.muted_until) if view.is_muted else None, "affected": sum(not child["ended"] for child in view.children),
        "children": children, "path": view.path, "happened_before": view.happened_before,
    }  # fmt: skip


def _alarm(request: HttpRequest, number: int) -> Alarm:
    found = alarm_of(viewer_of(request).scope, number) if 0 < number < 2**31 else None
    if found is None:
        raise ProblemError(404, "No such alarm", "No alarm has this number, or it lies outside what you may see.")
    return found


def _told(request: HttpRequest, alarm: Alarm) -> HttpResponse:
    scope = viewer_of(request).scope
    return answer(_items([alarm_view(scope, alarm, now=timezone.now())], scope)[0])


def _done(request: HttpRequest, number: int, act: Callable[..., Alarm], **given: Any) -> HttpResponse:
    """What the action made of the alarm. Raises ProblemError 422 for what was typed."""
    alarm = _alarm(request, number)
    try:
        return _told(request, act(alarm=alarm, acting_user=viewer_of(request), request=request, **given))
    except ValidationError as error:
        raise ProblemError(422, "Not understood", " ".join(error.messages)) from error


@router.get("/alarms", response=AlarmPage, summary="Alarms, open ones first")
def alarm_list(request: HttpRequest, query: Query[AlarmsQuery]) -> HttpResponse:
    now, scope = timezone.now(), viewer_of(request).scope
    wanted = AlarmFilter(state=query.state, severity=query.severity, is_muted=query.muted, collector_key=query.collector, q=query.q)
    found = alarms(scope, wanted, now=now)
    limit, start = limit_of(query.limit), number_in(query.cursor) or 0
    rows = list(found[start : start + limit + 1])
    counts = alarm_counts(scope, now=now)
    return answer({
        "items": _items([alarm_view(scope, one, now=now) for one in rows[:limit]], scope),
        "next": cursor_of(str(start + limit)) if len(rows) > limit else None,
        "total": found.count(), "open": counts.open, "muted": counts.muted, "next_mute_ends_at": iso(counts.next_ends_at),
    })  # fmt: skip


@router.get("/alarms/{int:number}", response=AlarmItem, summary="One alarm")
def alarm_one(request: HttpRequest, number: int) -> HttpResponse:
    return _told(request, _alarm(request, number))


@router.post("/alarms/{int:number}/take", auth=OPERATOR, response=AlarmItem, summary="I have it")
def take(request: HttpRequest, number: int) -> HttpResponse:
    return _done(request, number, alarm_take)


@router.post("/alarms/{int:number}/release", auth=OPERATOR, response=AlarmItem, summary="Nobody has it any more")
def release(request: HttpRequest, number: int) -> HttpResponse:
    return _done(request, number, alarm_release)


@router.post("/alarms/{int:number}/acknowledge", auth=OPERATOR, response=AlarmItem, summary="Somebody has seen it")
def acknowledge(request: HttpRequest, number: int) -> HttpResponse:
    return _done(request, number, alarm_acknowledge)


@router.post("/alarms/{int:number}/note", auth=OPERATOR, response=AlarmItem, summary="Write a note beside it")
def note(request: HttpRequest, number: int, body: NoteBody) -> HttpResponse:
    return _done(request, number, alarm_note, text=body.text)


@router.post("/alarms/{int:number}/mute", auth=OPERATOR, response=AlarmItem, summary="Say nothing more about it until then")
def mute(request: HttpRequest, number: int, body: MuteBody) -> HttpResponse:
    if (body.until is None) == (body.hours is None):
        raise ProblemError(422, "Not understood", "Give `until` or `hours`.")
    if body.until is not None and body.until.tzinfo is None:
        raise ProblemError(422, "Not understood", "`until` needs an offset from UTC, like 2026-11-20T05:00:00Z.")
    until = body.until or timezone.now() + timedelta(hours=min(max(body.hours or 0.0, 0.0), 24 * 400))
    return _done(request, number, alarm_mute, until=until, reason=body.reason)


@router.post("/alarms/{int:number}/unmute", auth=OPERATOR, response=AlarmItem, summary="End its mute")
def unmute(request: HttpRequest, number: int) -> HttpResponse:
    return _done(request, number, alarm_unmute)


def _maintenance_item(one: CollectorMaintenance) -> dict[str, Any]:
    return {
        "id": one.pk, "collector_key": one.collector_key, "member_key": one.member_key, "starts_at": iso(one.starts_at), "ends_at": iso(one.ends_at),
        "ended_at": iso(one.ended_at), "owner": one.owner, "reason": one.reason, "ticket": one.ticket,
    }  # fmt: skip


@router.get("/collectors/{key}/maintenance", response=list[MaintenanceItem], summary="What is planned for a collector")
def maintenance_list(request: HttpRequest, key: str) -> HttpResponse:
    return answer([_maintenance_item(one) for one in maintenance_of(viewer_of(request).scope, key, now=timezone.now())])


@router.post("/collectors/{key}/maintenance", auth=OPERATOR, response={201: MaintenanceItem}, summary="Plan maintenance of a collector")
def maintenance_post(request: HttpRequest, key: str, body: MaintenanceBody) -> HttpResponse:
    collector = collector_of(viewer_of(request).scope, key)
    if collector is None or not collector.is_in_scope:
        raise ProblemError(404, "No such collector", "No collector has this key, or it lies outside what you may see.")
    if body.ends_at.tzinfo is None or (body.starts_at is not None and body.starts_at.tzinfo is None):
        raise ProblemError(422, "Not understood", "Times need an offset from UTC, like 2026-11-20T05:00:00Z.")
    try:
        row = maintenance_plan(collector=collector, acting_user=viewer_of(request), request=request, **body.model_dump())
    except ValidationError as error:
        raise ProblemError(422, "Not understood", " ".join(error.messages)) from error
    return HttpResponse(dumps(_maintenance_item(row)), content_type="application/json", status=201)


@router.post("/collectors/{key}/maintenance/{int:pk}/end", auth=OPERATOR, response=MaintenanceItem, summary="End it before its time")
def maintenance_finish(request: HttpRequest, key: str, pk: int) -> HttpResponse:
    row = maintenance_by_id(viewer_of(request).scope, pk)
    if row is None or row.collector_key != key:
        raise ProblemError(404, "No such maintenance", "There is none of this number at this collector.")
    return answer(_maintenance_item(maintenance_end(maintenance=row, acting_user=viewer_of(request), request=request)))
