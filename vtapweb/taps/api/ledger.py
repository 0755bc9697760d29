"""API v1 of the ledger: evidence, and what is unaccounted or drifted."""

from datetime import date, datetime
from typing import Any

from django.http.response import HttpResponseBase
from ninja import Field, Query, Router, Schema

from vtapweb.access.actions import export_record
from vtapweb.access.viewer import ViewerRequest
from vtapweb.domain.window import UnknownZoneError
from vtapweb.taps.evidence_rows import COLUMNS, columns_of
from vtapweb.taps.models import Mirror
from vtapweb.taps.selectors.evidence import EvidenceFilter, evidence, evidence_portions, evidence_unknown_count
from vtapweb.web.csv import csv_response
from vtapweb.web.paging import LIMIT_DEFAULT, cursor_of, limit_of, number_in
from vtapweb.web.problem import ProblemError

router = Router(tags=["taps"])


class EvidenceQuery(Schema):
    """Whose mirrors, and between which days."""

    of: str = Field("", description="The key, ARM id or name of a VNet, subnet, NIC or TAP, or a subscription's id or name.")
    since: date | None = Field(None, description="The first day, included.")
    until: date | None = Field(None, description="The last day, included.")
    zone: str = Field("UTC", description="The IANA zone whose days are meant.")
    format: str = Field("json", description="json, or csv for all rows at once (the export is on record).")
    limit: int = Field(LIMIT_DEFAULT, description="1 to 1,000.")
    cursor: str = Field("", description="`next` of the page before.")


class EvidenceOut(Schema):
    """One mirror's life."""

    nic: str
    nic_id: str
    vnet_id: str
    subnet_id: str
    subscription_id: str
    tap: str
    tap_id: str
    from_: datetime = Field(alias="from", description="When it began; where `from_is_known` is false, when it was first seen.")
    from_is_known: bool
    first_seen: datetime
    to: datetime | None = Field(description="null: it is there.")
    state: str = Field(description="live, ended, vanished or changed (the last two: in Azure, without us).")
    origin: str = Field(description="change, adopted or outside.")
    who: str | None
    why: str | None
    ticket: str | None
    owner: str | None
    expires: datetime | None
    adopted_by: str | None
    adopted: datetime | None
    change: int | None
    ended_by: str | None
    ended_why: str | None
    ended_change: int | None
    drift_decision: str | None
    drift_decided_by: str | None
    drift_reason: str | None
    bytes: int | None = Field(description="Mirrored in the span, without the tunnel's headers, as far as it was measured; null: not known.")
    bytes_measured_s: int = Field(description="So many seconds of the mirror in the span were measured,")
    bytes_wanted_s: int = Field(description="of so many.")


class EvidencePage(Schema):
    items: list[EvidenceOut]
    next: str | None
    total: int
    unknown: int = Field(description="Mirrors first seen after the span that may have been there in it: nobody knows since when.")


@router.get("/evidence", response=EvidencePage, by_alias=True, summary="Mirrors of a place between two days: who, why, from, to")
def evidence_list(request: ViewerRequest, query: Query[EvidenceQuery]) -> dict[str, Any] | HttpResponseBase:
    """Newest first. A mirror counts when any moment of it lies in the span."""
    wanted = EvidenceFilter(query.of, query.since, query.until, query.zone)
    if query.format not in {"json", "csv"}:
        raise ProblemError(400, "No such format", "`format` is json or csv.")
    try:
        rows = evidence(request.viewer.scope, wanted)
    except UnknownZoneError as problem:
        raise ProblemError(400, "No such zone", str(problem)) from problem
    if query.format == "csv":
        return _csv(request, wanted)
    total = rows.count()
    found = _page(rows, number_in(query.cursor), limit_of(query.limit))
    return {
        "items": columns_of(request.viewer.scope, wanted, found[: query.limit]),
        "next": cursor_of(str(found[query.limit - 1].pk)) if len(found) > query.limit else None,
        "total": total,
        "unknown": evidence_unknown_count(request.viewer.scope, wanted),
    }


def _page(rows: Any, after: int | None, limit: int) -> list[Mirror]:
    """The rows behind the one with that number, one more than a page holds."""
    if after is None:
        return list(rows[: limit + 1])
    last = rows.filter(pk=after).first()
    if last is None:
        raise ProblemError(400, "Cursor of another list", "Take `next` from the answer before of this list.")
    behind = rows.filter(from_at__lt=last.from_at) | rows.filter(from_at=last.from_at, pk__lt=last.pk)
    return list(behind[: limit + 1])


def _csv(request: ViewerRequest, wanted: EvidenceFilter) -> HttpResponseBase:
    export_record(request=request, what="evidence", detail={"filter": request.GET.dict()})
    scope = request.viewer.scope
    chunks = ([list(row.values()) for row in columns_of(scope, wanted, portion)] for portion in evidence_portions(scope, wanted))
    return csv_response(request, filename="vtapweb-evidence.csv", header=COLUMNS, chunks=chunks)
