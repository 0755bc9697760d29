"""API v1 of changes, planning: a new one, an undo, a retry, handing one over. Each needs the role operator; `steering` carries them out."""

from collections.abc import Callable
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Router, Schema
from pydantic import ConfigDict

from vtapweb.access.authentication import api_auth
from vtapweb.access.role import Role
from vtapweb.access.selectors import viewer_of
from vtapweb.domain.change import WrongMoveError
from vtapweb.domain.change_input import Draft
from vtapweb.inventory.api import JSON, dumps
from vtapweb.taps.actions.drawing import InvalidPlanError, NothingToPlanError
from vtapweb.taps.actions.hand_over import change_hand_over
from vtapweb.taps.actions.plan import change_plan
from vtapweb.taps.actions.undo import Again, NotEndedError, change_retry, change_undo
from vtapweb.taps.api.changes import ChangeItem, change_item, refused, view_of
from vtapweb.taps.api.changes import router as changes_router
from vtapweb.taps.models import Change
from vtapweb.web.problem import ProblemError

router = Router(tags=["changes"], auth=api_auth(Role.OPERATOR))
KEY_LENGTH = 200


class Strict(Schema):
    """A body whose unknown members are refused: a word that nobody reads would mislead."""

    model_config = ConfigDict(extra="forbid")


class Window(Strict):
    """When requests may be sent. Times without an offset are told in `zone`."""

    opens_at: str = Field(description="ISO 8601.")
    closes_at: str
    zone: str = Field("UTC", description="IANA name, for example Europe/London.")


class Pace(Strict):
    first: int | None = Field(None, description="NICs in the first wave; 1 unless given.")
    wave: int | None = Field(None, description="NICs in every later wave, at most; 5 unless given.")
    settle_s: int | None = Field(None, description="Seconds between two waves; 60 unless given, 2 on the simulator.")
    keep_apart: str | None = Field(None, description="A tag's name: VMs with one value are never in flight together.")


NO_PACE = Pace.model_validate({})


class PlanBody(Strict):
    """What is wanted. NICs, TAPs and destinations are ARM ids."""

    action: Literal["tap", "untap", "move", "create_tap", "update_tap_tags", "delete_tap"]
    nics: list[str] = Field(default_factory=list)
    tap: str | None = Field(None, description="The TAP that NICs come to, lose, or that is changed or deleted. untap without nics: all its mirrors.")
    name: str | None = Field(None, description="create_tap: its name.")
    resource_group: str | None = Field(None, description="create_tap: a group of the destination's subscription by name, another one by id.")
    destination: str | None = Field(None, description="create_tap: a NIC's ipConfiguration or an internal load balancer's frontend.")
    tags: dict[str, str] | None = None
    reason: str = ""
    ticket: str | None = None
    expires_at: str | None = Field(None, description="ISO 8601: when the mirrors are taken off again by a change of its own.")
    window: Window | str | None = Field(None, description="null: now; else a time, or the name of a change window.")
    pace: Pace | None = None


class AgainBody(Strict):
    """For an undo or a retry: what is left out is as in the change it is made from; the window is not."""

    reason: str | None = None
    ticket: str | None = None
    expires_at: str | None = Field(None, description="When the mirrors that it makes end; a retry keeps the change's own.")
    window: Window | str | None = None
    pace: Pace | None = None


class ActBody(Strict):
    """`accepted_digest`: the `digest` of the answer that told what moved since the plan; sending it back says that one has seen it."""

    accepted_digest: str | None = None
    reason: str | None = None


def draft_of(body: PlanBody) -> Draft:
    """The body as the planner takes it."""
    pace = body.pace or NO_PACE
    return Draft(
        action=body.action,
        nics=tuple(body.nics),
        tap=body.tap or "",
        name=body.name or "",
        resource_group=body.resource_group or "",
        destination=body.destination or "",
        tags=body.tags,
        reason=body.reason,
        ticket=body.ticket or "",
        expires_at=body.expires_at or "",
        window=window_of(body.window),
        first=pace.first,
        wave=pace.wave,
        settle_s=pace.settle_s,
        keep_apart=pace.keep_apart or "",
    )


def window_of(window: Window | str | None) -> str | dict[str, Any]:
    """The window as a `Draft` takes it."""
    return window.model_dump() if isinstance(window, Window) else window or ""


def planned(plan: Callable[[], Change]) -> Change:
    """What `plan` gives. Raises ProblemError for a plan that cannot be: 422 for what was typed, 409 for what the rules or the state refuse."""
    try:
        return plan()
    except InvalidPlanError as error:
        errors = [{"at": name, "message": one} for name, sentences in error.by_field.items() for one in sentences]
        raise ProblemError(422, "Not understood", "; ".join(f"{one['at']}: {one['message']}" for one in errors), errors=errors) from error
    except NothingToPlanError as error:
        left_out = [refused({name: str(getattr(one, name)) for name in one.__slots__}) for one in error.left_out]
        rules = list({str(rule): rule for one in left_out for rule in one["rules"]}.values())
        extra: dict[str, Any] = {"rules": rules, "left_out": left_out, **({"offer": error.offer} if error.offer else {})}
        detail = f"{error} {rules[0]['message']} {rules[0]['remedy']}".strip() if rules else str(error)
        raise ProblemError(409, "Nothing can be planned", detail, **extra) from error
    except (NotEndedError, WrongMoveError) as error:
        raise ProblemError(409, "Not in this state", str(error)) from error


def told(request: HttpRequest, change: Change, status: int = 200) -> HttpResponse:
    """The change as it stands, with its address."""
    scope = viewer_of(request).scope
    item = change_item(view_of(scope, change.pk), scope, now=timezone.now())
    return HttpResponse(dumps(item), content_type=JSON, status=status, headers={"Location": f"/api/v1/changes/{change.pk}"})


# Beside the GET of the same path: of two routers with one path, the second is never reached.
@changes_router.post("/changes", auth=api_auth(Role.OPERATOR), response={201: ChangeItem}, summary="Plan a change; nothing is sent to Azure")
def change_post(request: HttpRequest, body: PlanBody) -> HttpResponse:
    """With the header `Idempotency-Key` the same request, however often it is sent, makes one change."""
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > KEY_LENGTH:
        raise ProblemError(400, "Key too long", f"`Idempotency-Key` has {len(key)} characters; at most {KEY_LENGTH}.")
    viewer = viewer_of(request)
    change = planned(lambda: change_plan(draft=draft_of(body), acting_user=viewer, request=request, idempotency_key=key))
    return told(request, change, 201)


@router.post("/changes/{change_id}/hand-over", response=ChangeItem, summary="Somebody else carries it out; a sync that sees the result closes it")
def hand_over(request: HttpRequest, change_id: int, body: ActBody | None = None) -> HttpResponse:
    viewer, change = viewer_of(request), view_of(viewer_of(request).scope, change_id).change
    reason = (body.reason if body else "") or ""
    return told(request, planned(lambda: change_hand_over(change=change, acting_user=viewer, reason=reason, request=request)))


def again_of(body: AgainBody | None) -> Again:
    """The body of an undo or a retry as the planner takes it."""
    if body is None:
        return Again()
    pace = body.pace or NO_PACE
    return Again(body.reason or "", body.ticket or "", body.expires_at or "", window_of(body.window), pace.first, pace.wave, pace.settle_s)


@router.post("/changes/{change_id}/undo", response={201: ChangeItem}, summary="Plan the inverse of what a change did; the new planned change")
def undo(request: HttpRequest, change_id: int, body: AgainBody | None = None) -> HttpResponse:
    """Only what is still as the change left it; the rest stands in `left_out`."""
    viewer, change = viewer_of(request), view_of(viewer_of(request).scope, change_id).change
    return told(request, planned(lambda: change_undo(change=change, acting_user=viewer, again=again_of(body), request=request)), 201)


@router.post("/changes/{change_id}/retry", response={201: ChangeItem}, summary="Plan anew what failed in a change; the new planned change")
def retry(request: HttpRequest, change_id: int, body: AgainBody | None = None) -> HttpResponse:
    viewer, change = viewer_of(request), view_of(viewer_of(request).scope, change_id).change
    return told(request, planned(lambda: change_retry(change=change, acting_user=viewer, again=again_of(body), request=request)), 201)
