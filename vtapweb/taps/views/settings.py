"""Pages under /settings: writes, protected scopes, change windows, collectors. Everybody may look; admins set, and the rest reads why not."""

from typing import Any
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from vtapweb.access.guards import require_role
from vtapweb.access.role import Role
from vtapweb.access.viewer import ViewerRequest
from vtapweb.cloud.advice import role_assignment_command
from vtapweb.domain.arm_id import arm_key, parse
from vtapweb.domain.window import WEEKDAYS
from vtapweb.inventory.whoami import identity_known
from vtapweb.taps.actions.settings import assignment_remove, assignment_set, protect_add, protect_remove, window_add, window_remove
from vtapweb.taps.actions.writes import PREVIEW_NOTICE, writes_disable, writes_enable, writes_require_window, writes_resume, writes_stop
from vtapweb.taps.forms import AssignmentForm, ProtectForm, SwitchForm, WindowForm, errors_take
from vtapweb.taps.models import ChangeWindow, ProtectedScope
from vtapweb.taps.selectors.conditions import UNREAD, allowances
from vtapweb.taps.selectors.writes import (
    change_windows,
    collector_assignments,
    known_destinations,
    protected_scopes,
    subscriptions_with_writes,
    write_stop,
)
from vtapweb.web.text import plural, visible

ROLE_FOR_WRITES = "Network Contributor"
GET_OR_POST = ["GET", "HEAD", "POST"]


def page(request: ViewerRequest, template: str, context: dict[str, Any], *, is_refused: bool = False) -> HttpResponse:
    """A settings page; `may_set` and `is_limited` say what its reader may do here."""
    viewer = request.viewer
    shown = {"may_set": viewer.may(Role.ADMIN), "is_limited": not viewer.scope.is_everything, **context}
    return render(request, template, shown, status=400 if is_refused else 200)


@require_http_methods(GET_OR_POST)
def writes(request: ViewerRequest) -> HttpResponse:
    """The switch of each subscription, and the stop over all of them."""
    rows = subscriptions_with_writes(request.viewer.scope)
    form = SwitchForm(request.POST if request.method == "POST" else None, choices=[(row.subscription_id, row.name) for row, _ in rows])
    if request.method == "POST" and form.is_valid():
        try:
            messages.success(request, switch(request, request.POST.get("deed", ""), form.cleaned_data))
            return redirect("taps_writes")
        except ValidationError as error:
            errors_take(form, error)
    allowed = allowances(request.viewer.scope)
    identity = None if settings.WRITE_TOKEN or settings.WRITE_CLIENT_ID else identity_known()
    context = {
        "rows": [
            (row, state, allowed.get(row.subscription_id, UNREAD), role_assignment_command(row.subscription_id, identity, role=ROLE_FOR_WRITES))
            for row, state in rows
        ],
        "ticked": set(request.POST.getlist("subscriptions")),
        "form": form,
        "stop": write_stop(request.viewer.scope),
        "notice": PREVIEW_NOTICE,
        "is_simulator": settings.CLOUD == "simulator",
    }
    return page(request, "taps/settings_writes.html", context, is_refused=bool(form.errors))


def switch(request: ViewerRequest, deed: str, data: dict[str, Any]) -> str:
    """Does what the pressed button says to the ticked subscriptions; returns the sentence for it. Raises ValidationError."""
    ids, reason, who = data["subscriptions"], data["reason"], request.viewer
    match deed:
        case "enable":
            done = writes_enable(subscription_ids=ids, reason=reason, is_notice_accepted=data["notice"], acting_user=who, request=request)
            return f"vtapweb may write to {plural(len(done), 'subscription')} now."
        case "disable":
            done = writes_disable(subscription_ids=ids, reason=reason, acting_user=who, request=request)
            return f"{plural(len(done), 'subscription')} read-only now. Steps that were sent already run to their end."
        case "window" | "any_time":
            writes_require_window(subscription_ids=ids, is_required=deed == "window", acting_user=who, request=request)
            return "Changes there must name a change window now." if deed == "window" else "Changes there may run at any time now."
        case _:
            raise ValidationError("Press one of the buttons.")


@require_POST
def stop(request: ViewerRequest) -> HttpResponse:
    """Stops all writes. A missing reason does not hold up the brake."""
    writes_stop(reason=request.POST.get("reason", ""), acting_user=request.viewer, request=request)
    messages.warning(request, "All writes are stopped. What was sent already cannot be called back.")
    return redirect("taps_writes")


@require_POST
def resume(request: ViewerRequest) -> HttpResponse:
    """Lifts the stop."""
    try:
        writes_resume(reason=request.POST.get("reason", ""), acting_user=request.viewer, request=request)
        messages.success(request, "The stop is lifted. Changes that were under way go on.")
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect("taps_writes")


@require_http_methods(GET_OR_POST)
def protected(request: ViewerRequest) -> HttpResponse:
    """What must not be mirrored."""
    form = ProtectForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            row = protect_add(**form.cleaned_data, acting_user=request.viewer, request=request)
            messages.success(request, f"{row.get_kind_display()} {visible(row.value)} is protected.")
            return redirect("taps_protected")
        except ValidationError as error:
            errors_take(form, error)
    context = {"form": form, "rows": protected_scopes(request.viewer.scope)}
    return page(request, "taps/settings_protected.html", context, is_refused=bool(form.errors))


@require_POST
@require_role(Role.ADMIN)
def protected_end(request: ViewerRequest, pk: int) -> HttpResponse:
    protect_remove(protected=get_object_or_404(ProtectedScope, pk=pk), acting_user=request.viewer, request=request)
    messages.success(request, "No longer protected.")
    return redirect("taps_protected")


@require_http_methods(GET_OR_POST)
def windows(request: ViewerRequest) -> HttpResponse:
    """When changes may run."""
    form = WindowForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            row = window_add(**form.cleaned_data, acting_user=request.viewer, request=request)
            messages.success(request, f"The window {visible(row.name)} can be chosen now.")
            return redirect("taps_windows")
        except ValidationError as error:
            errors_take(form, error)
    rows = [(row, ", ".join(WEEKDAYS[day] for day in row.weekdays), row.closes <= row.opens) for row in change_windows(request.viewer.scope)]
    context = {"form": form, "rows": rows, "zones": sorted(available_timezones())}
    return page(request, "taps/settings_windows.html", context, is_refused=bool(form.errors))


@require_POST
@require_role(Role.ADMIN)
def window_end(request: ViewerRequest, pk: int) -> HttpResponse:
    window_remove(window=get_object_or_404(ChangeWindow, pk=pk), acting_user=request.viewer, request=request)
    messages.success(request, "The window is gone; changes that were planned with it keep their times.")
    return redirect("taps_windows")


@require_http_methods(GET_OR_POST)
def collectors(request: ViewerRequest) -> HttpResponse:
    """What operators say about collectors. `?destination=ARM_ID` fills the form in."""
    form = AssignmentForm(request.POST) if request.method == "POST" else AssignmentForm(initial=assignment_initial(request))
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            row = assignment_set(
                destination_id=data["destination_id"],
                name=data["name"],
                partner=data["partner"],
                capacity_bits_per_s=form.capacity_bits_per_s(),
                owner=data["owner"],
                note=data["note"],
                acting_user=request.viewer,
                request=request,
            )
            messages.success(request, f"Kept what you said about {visible(parse(row.destination_id).names[0])}.")
            is_from_page = request.POST.get("back") == "collector"
            return redirect("collector", key=row.destination_key) if is_from_page else redirect("taps_collectors")
        except ValidationError as error:
            errors_take(form, error)
    context = {"form": form, "rows": known_destinations(request.viewer.scope)}
    return page(request, "taps/settings_collectors.html", context, is_refused=bool(form.errors))


def assignment_initial(request: ViewerRequest) -> dict[str, Any]:
    """What is known of the destination that the address names, for the form."""
    wanted = request.GET.get("destination", "")
    row = collector_assignments(request.viewer.scope).filter(destination_key=arm_key(wanted)).first() if wanted else None
    if row is None:
        return {"destination_id": wanted}
    capacity = None if row.capacity_bits_per_s is None else row.capacity_bits_per_s / 1_000_000_000
    return {
        "destination_id": row.destination_id, "name": row.name, "partner": row.partner, "capacity": capacity, "owner": row.owner, "note": row.note,
    }  # fmt: skip


@require_POST
@require_role(Role.ADMIN)
def collector_end(request: ViewerRequest, key: str) -> HttpResponse:
    assignment = get_object_or_404(collector_assignments(request.viewer.scope), pk=key)
    assignment_remove(assignment=assignment, acting_user=request.viewer, request=request)
    messages.success(request, "Forgotten; the collector is named as it is recognised.")
    return redirect("taps_collectors")
