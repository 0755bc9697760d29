"""API v1 of changes, reading: the list, one with its requests and steps, the plan as a script. What acts on them is in `acts`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from vtapweb.access.actions import export_record
from vtapweb.access.selectors import viewer_of
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.change import ChangeAction, ChangeState
from vtapweb.domain.scope import Scope
from vtapweb.domain.takeaway import MEDIA_SUFFIX, TakeawayFormat, TakeawayPlan, TakeawayStep, takeaway
from vtapweb.inventory.api import answer, iso
from vtapweb.taps.gaps import gaps_of
from vtapweb.taps.models import Change, ChangeStep
from vtapweb.taps.selectors.changes import ChangeFilter, PlanView, changes, plan_view, step_counts
from vtapweb.taps.selectors.flowing import flows_of_steps
from vtapweb.taps.selectors.rejudge import rejudge
from vtapweb.traffic.selectors.flowing import Flow
from vtapweb.web.paging import LIMIT_DEFAULT, cursor_of, limit_of, number_in
from vtapweb.web.problem import ProblemError

router = Router(tags=["changes"])


class Request(Schema):
    """One request to Azure, exactly as it is sent."""

    method: str = Field(description="PUT, PATCH or DELETE.")
    path: str = Field(description="Below the ARM endpoint, with the api-version.")
    body: dict[str, Any] | None = Field(description="null: none.")


class FlowItem(Schema):
    """The third tick of a mirror."""

    state: str = Field(description="flowing, not_yet or cannot_be_seen.")
    configured_at: datetime | None = Field(description="Read back as made; else since when it is in the inventory.")
    first_packet_at: datetime | None = Field(description="Seen at the collector after that; null: none was.")
    last_packet_at: datetime | None
    why: str | None = Field(description="With cannot_be_seen: nothing_reports, stale, no_sources, ambiguous or away (docs/changes.md).")


class Step(Schema):
    """One request of a change and what came of it. Times are null until they are."""

    id: int
    ordinal: int
    wave: int
    target: str = Field(description="ARM id of what is written.")
    action: str = Field(description="put, patch or delete.")
    state: str = Field(description="pending, sent, polling, verified, failed or skipped.")
    error_code: str = Field(description="Azure's code, as it came; empty for none.")
    error_message: str
    nic: str | None = Field(description="ARM id of the NIC whose mirror is written; null for a step about a TAP itself.")
    nic_name: str
    vm_name: str
    after: int | None = Field(description="The step that must be verified before.")
    attempts: int
    sent_at: datetime | None
    answered_at: datetime | None
    verified_at: datetime | None
    http_status: int | None
    correlation_id: str
    client_request_id: str = Field(description="Sent to Azure as x-ms-client-request-id.")
    wait: str = Field(description="Why it waits, in a sentence; empty when it does not.")
    skip_reason: str
    flow: FlowItem | None = Field(description="Of a mirror that was made and is there; else null.")


class LeftOutItem(Schema):
    nic: str = Field(description="ARM id.")
    name: str
    rules: list[dict[str, str]] = Field(description="What decided: id, outcome, message, remedy, source.")


class ChangeSummary(Schema):
    """A change as a list shows it."""

    id: int
    state: str = Field(description="planned, applying, paused, applied, partly_applied, failed, cancelled or handed_over.")
    action: str
    sentence: str = Field(description="The plan in one line.")
    reason: str
    ticket: str
    tap: str | None = Field(description="ARM id of the TAP it is about; null where it is about several.")
    tap_name: str
    counts: dict[str, int] = Field(description="Steps by state; absent ones are 0.")
    subscription_ids: list[str]
    expires_at: datetime | None
    created_at: datetime
    created_by: str
    applied_at: datetime | None
    applied_by: str
    started_at: datetime | None
    finished_at: datetime | None
    stop: dict[str, str] | None = Field(description="Why it paused or ended early: code and message.")
    undo_of: int | None
    retry_of: int | None
    expiry_of: int | None


class ChangeItem(ChangeSummary):
    """A change with everything it plans and did."""

    steps: list[Step]
    requests: list[Request] = Field(description="Every request in the order it is sent.")
    left_out: list[LeftOutItem]
    warnings: list[dict[str, Any]] = Field(description="code, message, names of the NICs it is about.")
    downtime: dict[str, Any] = Field(description="sentence, vm_count, and together: VMs that back each other up.")
    forecast: dict[str, Any] | None = Field(description="null: not worked out.")
    differences: list[dict[str, Any]] = Field(description="How the world moved since the plan: of a planned change now, else as it was found last.")
    differences_digest: str = Field(description="Names these differences: `accepted_digest` of apply and continue. Empty where there are none.")
    expiry: dict[str, Any] = Field(description="state none, ahead, announced, overdue or done; at; mirrors: how many of its mirrors are there.")
    window: dict[str, Any] | None = Field(description="opens_at, closes_at, zone; null: now.")
    pace: dict[str, Any] = Field(description="first, wave, settle_s, keep_apart.")
    wave_count: int
    duration_s: float = Field(description="About how long it takes, in seconds.")
    gaps: list[dict[str, Any]] = Field(description="NICs that a move left without a mirror: nic, name, since, until (null: still), back_at (a TAP).")
    followers: list[dict[str, Any]] = Field(description="Changes that undo, retry or end this one: id, action, state, as.")


class ChangePage(Schema):
    items: list[ChangeSummary]
    next: str | None
    total: int


class ChangeQuery(Schema):
    """What narrows the list."""

    state: str = ""
    action: str = ""
    q: str = Field("", description="Part of the reason, ticket, TAP's name or who planned it; or a change's number.")
    nic: str = Field("", description="ARM id of a NIC.")
    tap: str = Field("", description="ARM id of a TAP.")
    limit: int = Field(LIMIT_DEFAULT, description="1 to 1,000.")
    cursor: str = ""


def summary(change: Change, counts: dict[str, int]) -> dict[str, object]:
    """The change as a list shows it."""
    return {
        "id": change.pk,
        "state": change.state,
        "action": change.action,
        "sentence": change.plan.get("sentence", ""),
        "reason": change.reason,
        "ticket": change.ticket,
        "tap": change.tap_id or None,
        "tap_name": change.tap_name,
        "counts": counts,
        "subscription_ids": change.subscription_ids,
        "expires_at": iso(change.expires_at),
        "created_at": iso(change.created_at),
        "created_by": change.created_by_name,
        "applied_at": iso(change.applied_at),
        "applied_by": change.applied_by_name,
        "started_at": iso(change.started_at),
        "finished_at": iso(change.finished_at),
        "stop": {"code": change.stop_code, "message": change.stop_reason} if change.stop_code else None,
        "undo_of": change.undo_of_id,
        "retry_of": change.retry_of_id,
        "expiry_of": change.expiry_of_id,
    }


def step_item(step: ChangeStep, flow: Flow | None) -> dict[str, object]:
    """A step as the API tells it."""
    return {
        "id": step.pk,
        "ordinal": step.ordinal,
        "wave": step.wave,
        "target": step.target_id,
        "action": step.action,
        "state": step.state,
        "error_code": step.error_code,
        "error_message": step.error_message,
        "nic": step.nic_id or None,
        "nic_name": step.nic_name,
        "vm_name": step.vm_name,
        "after": step.after_id,
        "attempts": step.attempts,
        "sent_at": iso(step.sent_at),
        "answered_at": iso(step.answered_at),
        "verified_at": iso(step.verified_at),
        "http_status": step.http_status,
        "correlation_id": step.correlation_id,
        "client_request_id": str(step.client_request_id),
        "wait": step.wait_reason,
        "skip_reason": step.skip_reason,
        "flow": None if flow is None else flow_item(flow),
    }


def flow_item(flow: Flow) -> dict[str, object]:
    """The flow as FlowItem."""
    return {
        "state": flow.state.value,
        "configured_at": iso(flow.since),
        "first_packet_at": iso(flow.first_at),
        "last_packet_at": iso(flow.last_at),
        "why": flow.blind.value if flow.blind else None,
    }


def refused(one: Mapping[str, str]) -> dict[str, Any]:
    """Something left out, as `Change.left_out` stores it, with its rule in the shape of a verdict's."""
    rule = {"id": one["rule_id"], **{name: one.get(name, "") for name in ("outcome", "message", "remedy", "source")}}
    return {"nic": one["nic"], "name": one["name"], "rules": [rule]}


def change_item(view: PlanView, scope: Scope, *, now: datetime) -> dict[str, object]:
    """A change with everything it plans and did. One that is planned is judged again, so that a plan that grew old says so."""
    flows = flows_of_steps(scope, view.steps)
    change, plan = view.change, view.change.plan
    moved = rejudge(change, scope=change.planner_scope) if change.state == ChangeState.PLANNED else None
    window = {"opens_at": iso(change.window_opens_at), "closes_at": iso(change.window_closes_at), "zone": change.window_zone}
    relations = (("undo", "undo_of_id"), ("retry", "retry_of_id"), ("expiry", "expiry_of_id"))
    return {
        **summary(change, dict(view.counts)),
        "steps": [step_item(step, flows.get(step.target_key) if step.has_mirror else None) for step in view.steps],
        "requests": view.requests,
        "left_out": [refused(one) for one in change.left_out],
        "warnings": plan.get("warnings", []),
        "downtime": {"sentence": plan.get("downtime", ""), "vm_count": plan.get("vm_count", 0), "together": plan.get("together", [])},
        "forecast": plan.get("forecast"),
        "differences": [one.as_json() for one in moved.differences] if moved else change.differences,
        "differences_digest": moved.digest if moved and moved.differences else "",
        "expiry": {"state": view.expiry_state(now), "at": iso(change.expires_at), "mirrors": view.mirror_count},
        "window": window if change.window_opens_at or change.window_closes_at else None,
        "pace": {"first": change.pace_first, "wave": change.pace_wave, "settle_s": change.settle_s, "keep_apart": change.keep_apart or None},
        "wave_count": plan.get("wave_count", 0),
        "duration_s": plan.get("duration_s", 0),
        "gaps": [
            {"nic": one.nic_id, "name": one.nic_name, "since": iso(one.since), "until": iso(one.until), "back_at": one.back_at or None}
            for one in (gaps_of(view.steps) if change.action == ChangeAction.MOVE else ())
        ],
        "followers": [
            {"id": one.pk, "action": one.action, "state": one.state, "as": name}
            for one in view.followers
            for name, field in relations
            if getattr(one, field) == change.pk
        ],
    }


def no_such_change() -> ProblemError:
    return ProblemError(404, "No such change", "There is no such change, or some of its subscriptions may not be seen by you.")


def view_of(scope: Scope, change_id: int) -> PlanView:
    """The change's view. Raises ProblemError 404 out of scope."""
    view = plan_view(scope, change_id)
    if view is None:
        raise no_such_change()
    return view


def wanted_of(query: ChangeQuery) -> ChangeFilter:
    """The checked filters. Raises ProblemError 400 for a state or action that there is not."""
    for name, known in (("state", list(ChangeState)), ("action", list(ChangeAction))):
        given = getattr(query, name)
        if given and given not in known:
            raise ProblemError(400, "Filter not understood", f"`{name}` is {given[:40]!r}; there are {', '.join(known)}.")
    return ChangeFilter(query.state, query.action, query.q, arm_key(query.nic) if query.nic else "", arm_key(query.tap) if query.tap else "")


@router.get("/changes", response=ChangePage, summary="Changes, newest first")
def change_list(request: HttpRequest, query: Query[ChangeQuery]) -> HttpResponse:
    scope, limit, last = viewer_of(request).scope, limit_of(query.limit), number_in(query.cursor)
    found = changes(scope, wanted_of(query))
    rows = list((found if last is None else found.filter(pk__lt=last))[: limit + 1])
    counts = step_counts(scope, [row.pk for row in rows[:limit]])
    return answer({
        "items": [summary(row, counts.get(row.pk, {})) for row in rows[:limit]],
        "next": cursor_of(str(rows[limit - 1].pk)) if len(rows) > limit else None,
        "total": found.count(),
    })  # fmt: skip


@router.get("/changes/{change_id}", response=ChangeItem, summary="One change with its requests, steps and what came of them")
def change_get(request: HttpRequest, change_id: int) -> HttpResponse:
    scope = viewer_of(request).scope
    return answer(change_item(view_of(scope, change_id), scope, now=timezone.now()))


@router.get("/changes/{change_id}/export", summary="The whole plan as az CLI, Bicep or REST text; only its syntax was checked")
def change_export(request: HttpRequest, change_id: int, format: str = "az") -> HttpResponse:
    if format not in list(TakeawayFormat):
        raise ProblemError(400, "No such format", f"`format` is {format[:20]!r}; there are {', '.join(TakeawayFormat)}.")
    view = view_of(viewer_of(request).scope, change_id)
    export_record(request=request, what=f"change {change_id}", detail={"format": format})
    name = f"change-{change_id}.{MEDIA_SUFFIX[TakeawayFormat(format)]}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(takeaway(takeaway_plan(view), format), content_type="text/plain; charset=utf-8", headers=headers)


def takeaway_plan(view: PlanView) -> TakeawayPlan:
    """The plan as the take-away writes it; steps that were skipped are left out."""
    change = view.change
    steps = tuple(
        TakeawayStep(step.method, step.target_id, step.body, step.nic_name or change.tap_name, step.wave)
        for step in view.steps
        if step.state != "skipped"
    )
    version = next((step.path.partition("api-version=")[2] for step in view.steps), "")
    return TakeawayPlan(
        f"Change {change.pk}: {change.plan.get('sentence', change.action)}", change.reason, steps, version, change.ticket, change.settle_s
    )
