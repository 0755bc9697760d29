"""The audit record as a download. That it was taken out is an entry too, which the download itself does not hold."""

import json
from collections.abc import Iterator

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from vtapweb.access.actions import export_record
from vtapweb.access.models import AuditEntry
from vtapweb.access.selectors import AuditFilter, audit_entries
from vtapweb.access.viewer import ViewerRequest
from vtapweb.web.csv import csv_response, json_response

PORTION = 1000
COLUMNS = ("at", "actor", "action", "target", "reason", "detail", "source_ip", "is_demo")


def audit_export(request: ViewerRequest, wanted: AuditFilter, format: str) -> StreamingHttpResponse:
    """All entries that fit, newest first, streamed; `format` is csv or json (there with `id`, and `detail` as it is)."""
    entries = audit_entries(scope=request.viewer.scope, wanted=wanted)
    entries = entries.filter(pk__lte=export_record(request=request, what="audit", detail={"filter": request.GET.dict()}).pk)
    portions = _portions(entries)
    if format == "json":
        items = ([{"id": one.pk, **dict(zip(COLUMNS, _values(one), strict=True))} for one in portion] for portion in portions)
        return json_response(request, filename="vtapweb-audit.json", chunks=items)
    rows = ([_flat(_values(one)) for one in portion] for portion in portions)
    return csv_response(request, filename="vtapweb-audit.csv", header=COLUMNS, chunks=rows)


def _portions(entries: QuerySet[AuditEntry]) -> Iterator[list[AuditEntry]]:
    """A thousand at a time, each portion read by its own query when it is wanted."""
    portion = list(entries[:PORTION])
    while portion:
        yield portion
        portion = list(entries.filter(pk__lt=portion[-1].pk)[:PORTION])


def _values(one: AuditEntry) -> list[object]:
    return [one.at.isoformat(), one.actor, one.action, one.target, one.reason, one.detail, one.source_ip, one.is_demo]


def _flat(values: list[object]) -> list[object]:
    return [(json.dumps(one) if one else "") if isinstance(one, dict) else one for one in values]
