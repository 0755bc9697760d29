"""The access room's part of the API: the audit record, and who the caller is."""

from datetime import date, datetime
from typing import Any

from django.http import StreamingHttpResponse
from ninja import Router, Schema

from vtapweb.access.authentication import api_auth
from vtapweb.access.exports import audit_export
from vtapweb.access.models import Role
from vtapweb.access.selectors import AuditFilter, audit_entries
from vtapweb.access.viewer import ViewerRequest
from vtapweb.web.paging import LIMIT_DEFAULT, cursor_of, limit_of, number_in
from vtapweb.web.problem import ProblemError

router = Router(tags=["access"])


class AuditEntryOut(Schema):
    id: int
    at: datetime
    actor: str
    action: str
    target: str
    reason: str
    detail: dict[str, Any]
    source_ip: str | None
    is_demo: bool


class AuditPage(Schema):
    items: list[AuditEntryOut]
    next: str | None
    total: int


class WhoAmI(Schema):
    name: str
    role: Role
    subscription_ids: list[str] | None


@router.get("/audit", response=AuditPage, auth=api_auth(Role.ADMIN), summary="What was done, newest first")
def audit_list(
    request: ViewerRequest,
    actor: str = "",
    action: str = "",
    target: str = "",
    reason: str = "",
    since: date | None = None,
    until: date | None = None,
    format: str = "json",
    limit: int = LIMIT_DEFAULT,
    cursor: str = "",
) -> dict[str, Any] | StreamingHttpResponse:
    """For admins who see all subscriptions. `actor`, `action`, `target` and `reason` are parts of the text, `since` and `until` days in UTC.
    `format=csv` answers all that fits at once.
    """
    if not request.viewer.scope.is_everything:
        raise ProblemError(403, "Not allowed", "The audit record is of the whole installation; this token sees only some subscriptions.")
    if format not in {"json", "csv"}:
        raise ProblemError(400, "No such format", "`format` is json or csv.")
    wanted = AuditFilter(actor=actor, action=action, target=target, reason=reason, since=since, until=until)
    if format == "csv":
        return audit_export(request, wanted, "csv")
    entries = audit_entries(scope=request.viewer.scope, wanted=wanted)
    total = entries.count()
    if (last := number_in(cursor)) is not None:
        entries = entries.filter(pk__lt=last)
    rows = list(entries[: limit_of(limit) + 1])
    return {"items": rows[:limit], "next": cursor_of(str(rows[limit - 1].pk)) if len(rows) > limit else None, "total": total}


@router.get("/whoami", response=WhoAmI, summary="Who you are here")
def whoami(request: ViewerRequest) -> dict[str, Any]:
    """`subscription_ids` is null for everybody who sees all."""
    viewer = request.viewer
    ids = viewer.scope.subscription_ids
    return {"name": viewer.name, "role": viewer.role, "subscription_ids": None if ids is None else sorted(ids)}
