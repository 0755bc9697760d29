"""Pages that write a TAP itself: a new one, its tags, its end. Each leads to a plan; nothing is sent from here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from vtapweb.access.guards import require_role
from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer, ViewerRequest
from vtapweb.domain.arm_id import subscription_in
from vtapweb.domain.change_input import Draft
from vtapweb.inventory.browse import in_scope
from vtapweb.inventory.models import NetworkInterface, TapConfiguration, VirtualNetworkTap
from vtapweb.inventory.selection import selection_keep
from vtapweb.taps.actions.drawing import InvalidPlanError, NothingToPlanError
from vtapweb.taps.actions.plan import change_plan
from vtapweb.taps.destinations import destinations, group_names
from vtapweb.taps.plan_form import ChangeForm, TagsForm, TapForm
from vtapweb.taps.selectors.writes import change_windows, writes_states
from vtapweb.taps.tap_check import tap_said

GET_OR_POST = ["GET", "HEAD", "POST"]


@dataclass(slots=True)
class TapPage:
    """What stands around the form of templates/taps/tap_form.html."""

    title: str
    sentence: str
    back_href: str
    post_href: str
    is_new: bool = False
    q: str = ""
    groups: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    untap_href: str = ""


def _windows(viewer: Viewer, subscription_id: str) -> dict[str, Any]:
    """What a form needs to offer windows."""
    is_required = any(state.requires_window for state in writes_states(viewer.scope, [subscription_id]).values()) if subscription_id else False
    return {"windows": {one.pk: one for one in change_windows(viewer.scope)}, "is_window_required": is_required}


def _draft(form: ChangeForm, action: str, **more: object) -> Draft:
    data = form.cleaned_data
    given: Mapping[str, object] = {"reason": data["reason"], "ticket": data["ticket"], "window": form.draft_window, **more}
    return Draft(action=action, **given)  # type: ignore[arg-type] # each has its field's type


def _answer(request: ViewerRequest, form: ChangeForm, page: TapPage, action: str, **more: object) -> HttpResponse:
    """The plan that was made, or the form again with what is wrong."""
    if request.method == "POST" and form.is_valid():
        wanted = {name: form.cleaned_data[name] for name in ("name", "resource_group", "destination", "tags") if name in form.cleaned_data}
        try:
            change = change_plan(draft=_draft(form, action, **wanted, **more), acting_user=request.viewer, request=request)
            return redirect("change", change.pk)
        except (InvalidPlanError, NothingToPlanError) as error:
            form.take(error)
    context: dict[str, object] = {"page": page, "form": form}
    if page.is_new:
        context["chosen"] = chosen = str(form["destination"].value() or "")
        context["destinations"], context["q"] = destinations(request.viewer.scope, page.q, chosen), page.q
    return render(request, "taps/tap_form.html", context, status=400 if form.errors else 200)


@require_http_methods(GET_OR_POST)
@require_role(Role.OPERATOR)
def tap_new(request: ViewerRequest) -> HttpResponse:
    """A TAP that is to be made. `destination` in the address is the ARM id of the ipConfiguration that is marked at first."""
    viewer = request.viewer
    given = request.POST if request.method == "POST" else request.GET
    chosen = given.get("destination", "")
    subscription_id = subscription_in(chosen)
    form = TapForm(request.POST if request.method == "POST" else None, initial={"destination": chosen}, **_windows(viewer, subscription_id))
    page = TapPage(
        "Create a TAP",
        "Choose the collector, and say what the TAP is called and where it is kept.",
        "/table/taps",
        "/taps/new",
        is_new=True,
        q=given.get("q", "").strip()[:200],
        groups=tuple(group_names(viewer.scope, subscription_id)),
    )
    return _answer(request, form, page, "create_tap")


@require_GET
@require_role(Role.OPERATOR)
def tap_check(request: ViewerRequest) -> HttpResponse:
    """What is wrong with what is typed so far, for each field's place on the form. Making the plan judges anew."""
    said = tap_said(given=request.GET, viewer=request.viewer, now=timezone.now())
    groups = group_names(request.viewer.scope, subscription_in(request.GET.get("destination", "")))
    return render(request, "taps/tap_check.html", {"said": said, "groups": groups})


@require_GET
def tap_destinations(request: ViewerRequest) -> HttpResponse:
    """The part of the form that lists collectors for what is typed."""
    q, chosen = request.GET.get("q", "").strip()[:200], request.GET.get("destination", "")
    found = destinations(request.viewer.scope, q, chosen)
    return render(request, "taps/destinations.html", {"destinations": found, "q": q, "chosen": chosen})


def _tap(viewer: Viewer, key: str) -> VirtualNetworkTap:
    """Raises Http404 for a TAP that there is not in scope."""
    tap = VirtualNetworkTap.objects.defer("raw", "digest").filter(in_scope(viewer.scope), removed_at=None, key=key).first()
    if tap is None:
        raise Http404
    return tap


@require_http_methods(GET_OR_POST)
@require_role(Role.OPERATOR)
def tap_tags(request: ViewerRequest, key: str) -> HttpResponse:
    """A TAP's tags, as they shall be."""
    tap = _tap(request.viewer, key)
    now = "\n".join(f"{name}={value}" for name, value in sorted(tap.tags.items()))
    form = TagsForm(request.POST if request.method == "POST" else None, initial={"tags": now}, **_windows(request.viewer, tap.subscription_id))
    page = TapPage("Tags of a TAP", f"{tap.name}: its tags will be exactly these.", f"/taps/{key}", f"/taps/{key}/tags")
    return _answer(request, form, page, "update_tap_tags", tap=tap.arm_id)


@require_http_methods(GET_OR_POST)
@require_role(Role.OPERATOR)
def tap_delete(request: ViewerRequest, key: str) -> HttpResponse:
    """The end of a TAP; one that is in use is shown with its sources, whose mirrors end first."""
    viewer = request.viewer
    tap = _tap(viewer, key)
    of_tap = TapConfiguration.objects.filter(in_scope(viewer.scope), virtual_network_tap_key=tap.key, removed_at=None)
    nics = NetworkInterface.objects.filter(in_scope(viewer.scope), removed_at=None, key__in=of_tap.values("network_interface_id")).order_by("name")
    sources = list(nics.values_list("key", "name"))
    form = ChangeForm(request.POST if request.method == "POST" else None, **_windows(viewer, tap.subscription_id))
    page = TapPage(
        "Delete a TAP",
        f"Delete {tap.name}." + (" It is in use." if sources else " No NIC that you can see is mirrored to it."),
        f"/taps/{key}",
        f"/taps/{key}/delete",
        sources=tuple(name for _, name in sources),
        untap_href="/mirror/plan?" + urlencode({"action": "untap", "select": selection_keep([one for one, _ in sources])}) if sources else "",
    )
    return _answer(request, form, page, "delete_tap", tap=tap.arm_id)
