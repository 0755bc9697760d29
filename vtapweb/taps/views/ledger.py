"""Pages of the ledger: what nobody here answers for, drift, the preparation list, evidence."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.encoding import iri_to_uri
from django.views.decorators.http import require_GET, require_http_methods

from vtapweb.access.actions import export_record
from vtapweb.access.role import Role
from vtapweb.access.viewer import ViewerRequest
from vtapweb.domain.plain_text import storable
from vtapweb.domain.takeaway import preparation_text
from vtapweb.inventory.selectors import subscriptions
from vtapweb.taps.actions.adopt import Adoption, drift_accept, unaccounted_adopt
from vtapweb.taps.actions.mend import drift_plan, removal_plan
from vtapweb.taps.endings import endings
from vtapweb.taps.evidence_rows import COLUMNS, carried_of, columns_of
from vtapweb.taps.forms import AdoptForm, EvidenceForm, errors_take
from vtapweb.taps.models import Change, Mirror, TapLife
from vtapweb.taps.selectors.evidence import EvidenceFilter, evidence, evidence_portions, evidence_unknown_count, place_of
from vtapweb.taps.selectors.expiry import SOON, expiring, expiry_changes
from vtapweb.taps.selectors.ledger import drifted_mirrors, drifted_taps, first_review_count, ledger_counts, unaccounted_mirrors, unaccounted_taps
from vtapweb.taps.selectors.preparation import preparation_list
from vtapweb.web.csv import csv_response, json_response
from vtapweb.web.paging import number_of
from vtapweb.web.problem import ProblemError
from vtapweb.web.text import plural

GET_OR_POST = ["GET", "HEAD", "POST"]
PAGE_ROWS = 200
ALL_ROWS = 5000  # so many at most in one adoption; the rest is the next one


def page(request: ViewerRequest, template: str, tab: str, context: dict[str, Any], *, is_refused: bool = False) -> HttpResponse:
    """A page of the ledger under its tabs, with their counts."""
    shared = {"tab": tab, "counts": ledger_counts(request.viewer.scope), "may_act": request.viewer.may(Role.OPERATOR)}
    return render(request, template, {**shared, **context}, status=400 if is_refused else 200)


@require_GET
def counts(request: ViewerRequest) -> HttpResponse:
    """The badge of the menu: how much waits for somebody; empty where nothing does."""
    return render(request, "taps/ledger_badge.html", {"counts": ledger_counts(request.viewer.scope)})


@require_http_methods(GET_OR_POST)
def unaccounted(request: ViewerRequest) -> HttpResponse:
    """What is mirrored and nobody here made: adopt it, or plan its removal."""
    given = request.POST if request.method == "POST" else request.GET
    mirrors, taps = _filtered(request, given)
    form = AdoptForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            if request.POST.get("deed") == "remove":
                return redirect("change", _removal(request, form.cleaned_data).pk)
            messages.success(request, _adopt(request, form.cleaned_data, mirrors, taps))
            return redirect("taps_unaccounted")
        except ValidationError as error:
            errors_take(form, error)
    number = mirrors.count()
    context = {
        "mirrors": list(mirrors[:PAGE_ROWS]),
        "taps": list(taps[:PAGE_ROWS]),
        "matching": number,
        "tap_count": taps.count(),
        "shown": min(number, PAGE_ROWS),
        "given": {name: given.get(name, "") for name in ("q", "subscription")},
        "is_filtered": any(given.get(name) for name in ("q", "subscription")),
        "subscriptions": [(one.subscription_id, str(one)) for one in subscriptions(request.viewer.scope)],
        "form": form,
        "ticked": set(_numbers(request, "mirror")),
        "ticked_taps": set(_numbers(request, "tap")),
        "all_rows": ALL_ROWS,
        "first_review": first_review_count(request.viewer.scope),
    }
    return page(request, "taps/unaccounted.html", "unaccounted", context, is_refused=bool(form.errors))


def _filtered(request: ViewerRequest, given: QueryDict) -> tuple[QuerySet[Mirror], QuerySet[TapLife]]:
    mirrors, taps = unaccounted_mirrors(request.viewer.scope), unaccounted_taps(request.viewer.scope)
    if q := storable(given.get("q", "")).strip():
        mirrors, taps = mirrors.filter(nic_name__icontains=q) | mirrors.filter(tap_name__icontains=q), taps.filter(tap_name__icontains=q)
    if subscription := storable(given.get("subscription", "")).lower():
        mirrors, taps = mirrors.filter(subscription_id=subscription), taps.filter(subscription_id=subscription)
    return mirrors, taps


def _adopt(request: ViewerRequest, data: dict[str, Any], mirrors: QuerySet[Mirror], taps: QuerySet[TapLife]) -> str:
    """Adopts what is ticked, or all that fits the filter. Raises ValidationError."""
    mirror_ids, tap_ids = _numbers(request, "mirror"), _numbers(request, "tap")
    if request.POST.get("all"):
        mirror_ids, tap_ids = [list(rows.values_list("pk", flat=True)[: ALL_ROWS + 1]) for rows in (mirrors, taps)]
        seen = number_of(request.POST.get("matching", "")) or 0
        if len(mirror_ids) != seen and len(mirror_ids) <= ALL_ROWS:
            raise ValidationError(f"There are {len(mirror_ids)} now, you saw {seen}. Look at them, then adopt them.", code="rows")
        mirror_ids = mirror_ids[:ALL_ROWS]
    last_day = data["expires_at"]
    expires_at = None if last_day is None else datetime.combine(last_day, time.min, UTC) + timedelta(days=1)
    adoption = Adoption(owner=data["owner"], reason=data["reason"], ticket=data["ticket"], expires_at=expires_at)
    done = unaccounted_adopt(mirror_ids=mirror_ids, tap_ids=tap_ids, adoption=adoption, acting_user=request.viewer, request=request)
    return f"{plural(done, 'mirror or TAP', 'mirrors and TAPs')} adopted by {request.viewer.name} for {adoption.owner}."


def _removal(request: ViewerRequest, data: dict[str, Any]) -> Change:
    """Plans the removal of what is ticked. Raises ValidationError."""
    return removal_plan(
        mirror_ids=_numbers(request, "mirror"),
        tap_ids=_numbers(request, "tap"),
        reason=data["reason"],
        ticket=data["ticket"],
        acting_user=request.viewer,
        request=request,
    )


def _numbers(request: ViewerRequest, name: str) -> list[int]:
    return [number for one in request.POST.getlist(name) if (number := number_of(one)) is not None]


@require_http_methods(GET_OR_POST)
def drift(request: ViewerRequest) -> HttpResponse:
    """What somebody answered for and Azure no longer holds as it was: accept it, or make it anew."""
    problem, reason = "", request.POST.get("reason", "")
    if request.method == "POST":
        ticked = {"mirror_ids": _numbers(request, "mirror"), "tap_ids": _numbers(request, "tap")}
        try:
            if request.POST.get("deed") == "re_create":
                return redirect("change", drift_plan(**ticked, reason=reason, acting_user=request.viewer, request=request).pk)
            done = drift_accept(**ticked, reason=reason, acting_user=request.viewer, request=request)
            messages.success(request, f"Accepted: {plural(done, 'change', 'changes')} in Azure.")
            return redirect("taps_drift")
        except ValidationError as error:
            problem = " ".join(error.messages)
    scope = request.viewer.scope
    mirrors, taps = drifted_mirrors(scope), drifted_taps(scope)
    shown = list(mirrors[:PAGE_ROWS]), list(taps[:PAGE_ROWS])
    context = {
        "mirrors": shown[0],
        "taps": shown[1],
        "shown": len(shown[0]) + len(shown[1]),
        "matching": ledger_counts(scope).drift if PAGE_ROWS in {len(one) for one in shown} else len(shown[0]) + len(shown[1]),
        "problem": problem,
        "reason": reason,
        "ticked": set(_numbers(request, "mirror")),
        "ticked_taps": set(_numbers(request, "tap")),
    }
    return page(request, "taps/drift.html", "drift", context, is_refused=bool(problem))


@require_GET
def expiring_mirrors(request: ViewerRequest) -> HttpResponse:
    """Mirrors whose time is up, or will be within a day, and what becomes of each."""
    scope, now = request.viewer.scope, timezone.now()
    found = expiring(scope, before=now + SOON)
    lives = list(found[:PAGE_ROWS])
    rows = endings(lives, expiry_changes(scope, [one.tap_configuration_key for one in lives]), now)
    return page(request, "taps/expiring.html", "expiring", {"rows": rows, "matching": found.count()})


@require_GET
def preparation(request: ViewerRequest) -> HttpResponse:
    """The VMs that planned mirrors wait for, by owner, with the commands for each."""
    change_id = _change_of(request)
    groups = preparation_list(request.viewer.scope, change_id=change_id)
    shown = [(group, preparation_text([(row.vm_name, row.vm_id) for row in group.waiting], owner=group.owner)) for group in groups]
    waiting = sum(len(group.waiting) for group in groups)
    total = sum(len(group.rows) for group in groups)
    context = {"groups": shown, "waiting": waiting, "total": total, "change_id": change_id, "owner_tag": settings.OWNER_TAG}
    return page(request, "taps/preparation.html", "preparation", context)


@require_GET
def preparation_script(request: ViewerRequest) -> HttpResponse:
    """The same commands as a file: of one owner (`owner`, "" = without one), or of all."""
    groups = preparation_list(request.viewer.scope, change_id=_change_of(request))
    owner = request.GET.get("owner")
    chosen = [group for group in groups if owner is None or group.owner.casefold() == owner.casefold()]
    text = preparation_text([(row.vm_name, row.vm_id) for group in chosen for row in group.waiting], owner=owner or "")
    export_record(request=request, what="preparation", detail={"owner": owner, "change": _change_of(request)})
    headers = {"Content-Disposition": 'attachment; filename="vtapweb-preparation.sh"'}
    return HttpResponse(text, content_type="text/x-shellscript; charset=utf-8", headers=headers)


def _change_of(request: ViewerRequest) -> int | None:
    text = request.GET.get("change", "")
    number = number_of(text)
    if text and number is None:
        raise ProblemError(400, "Filter not understood", "`change` is a change's number.")
    return number


# -- evidence


@require_GET
def evidence_page(request: ViewerRequest) -> HttpResponse:
    """All mirrors of a place between two days: who, why, from when to when."""
    form = EvidenceForm(request.GET if request.GET else None)
    if form.is_bound and not form.is_valid():
        return page(request, "taps/evidence.html", "evidence", {"form": form, "zones": sorted(available_timezones())}, is_refused=True)
    scope, wanted = request.viewer.scope, wanted_of(form)
    rows = evidence(scope, wanted)
    number = (number_of(request.GET.get("page", "")) or 1) - 1
    first = max(0, number) * PAGE_ROWS
    shown = list(rows.select_related("began_change", "ended_change")[first : first + PAGE_ROWS])
    carried = carried_of(scope, wanted, shown)
    total = rows.count()
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "form": form,
        "rows": [(one, carried[one.pk]) for one in shown],
        "total": total,
        "now": timezone.now(),
        "first": first + 1,
        "last": first + len(shown),
        "older": f"{query.urlencode()}&page={number + 2}" if first + len(shown) < total else "",
        "newer": f"{query.urlencode()}&page={number}" if number > 0 else "",
        "unknown_count": evidence_unknown_count(scope, wanted),
        "place": place_of(scope, wanted.of),
        "export": iri_to_uri(query.urlencode()),
        "zones": sorted(available_timezones()),
        "is_asked": bool(request.GET),
    }
    return page(request, "taps/evidence.html", "evidence", context)


@require_GET
def evidence_csv(request: ViewerRequest) -> HttpResponseBase:
    """The same as CSV; that it was taken out is on record."""
    chunks = _exported(request, lambda row: list(row.values()))
    return csv_response(request, filename="vtapweb-evidence.csv", header=COLUMNS, chunks=chunks)


@require_GET
def evidence_json(request: ViewerRequest) -> HttpResponseBase:
    """The same as JSON; that it was taken out is on record."""
    return json_response(request, filename="vtapweb-evidence.json", chunks=_exported(request, lambda row: row))


def _exported(request: ViewerRequest, shape: Callable[[dict[str, Any]], Any]) -> Iterator[list[Any]]:
    form = EvidenceForm(request.GET)
    if not form.is_valid():
        raise ProblemError(400, "Filter not understood", " ".join(str(one) for errors in form.errors.values() for one in errors))
    export_record(request=request, what="evidence", detail={"filter": request.GET.dict()})
    scope, wanted = request.viewer.scope, wanted_of(form)
    return ([shape(row) for row in columns_of(scope, wanted, portion)] for portion in evidence_portions(scope, wanted))


def wanted_of(form: EvidenceForm) -> EvidenceFilter:
    """The filter of a checked form, or of none: everything."""
    data = form.cleaned_data if form.is_bound else {}
    return EvidenceFilter(of=data.get("of", ""), since=data.get("since"), until=data.get("until"), zone=data.get("zone") or "UTC")
