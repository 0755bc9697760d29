"""API v1 of changes, carrying them out: apply, pause, continue, cancel. Each needs the role operator."""

from django.http import HttpRequest, HttpResponse
from ninja import Router

from vtapweb.access.authentication import api_auth
from vtapweb.access.role import Role
from vtapweb.access.selectors import viewer_of
from vtapweb.taps.actions.apply import change_apply, change_cancel, change_continue, change_pause
from vtapweb.taps.api.acts import ActBody, told
from vtapweb.taps.api.changes import ChangeItem, view_of

router = Router(tags=["changes"], auth=api_auth(Role.OPERATOR))


@router.post("/changes/{change_id}/apply", response={202: ChangeItem}, summary="Carry out a planned change, now or in its window")
def apply(request: HttpRequest, change_id: int, body: ActBody | None = None) -> HttpResponse:
    """409 with `differences` and `digest` where the world moved since the plan: look, then send the digest back as `accepted_digest`."""
    viewer, change = viewer_of(request), view_of(viewer_of(request).scope, change_id).change
    digest = (body.accepted_digest if body else "") or ""
    return told(request, change_apply(change=change, acting_user=viewer, accepted_digest=digest, request=request), 202)


@router.post("/changes/{change_id}/pause", response=ChangeItem, summary="Send no further step for now; what was sent ends as it does")
def pause(request: HttpRequest, change_id: int) -> HttpResponse:
    viewer, change = viewer_of(request), view_of(viewer_of(request).scope, change_id).change
    return told(request, change_pause(change=change, acting_user=viewer, request=request))


@router.post("/changes/{change_id}/continue", response={202: ChangeItem}, summary="Go on with a paused change; as with apply, what moved is told")
def continue_(request: HttpRequest, change_id: int, body: ActBody | None = None) -> HttpResponse:
    viewer, change = viewer_of(request), view_of(viewer_of(request).scope, change_id).change
    digest = (body.accepted_digest if body else "") or ""
    return told(request, change_continue(change=change, acting_user=viewer, accepted_digest=digest, request=request), 202)


@router.post("/changes/{change_id}/cancel", response=ChangeItem, summary="End it: what was not sent is skipped, what was done stays")
def cancel(request: HttpRequest, change_id: int, body: ActBody | None = None) -> HttpResponse:
    viewer, change = viewer_of(request), view_of(viewer_of(request).scope, change_id).change
    return told(request, change_cancel(change=change, acting_user=viewer, reason=(body.reason if body else "") or "", request=request))
