""" "Show on a wall", from the top bar of every page: what of this page a wall can show, where, and for how long."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from vtapweb.access.guards import require_role
from vtapweb.access.role import Role
from vtapweb.access.viewer import ViewerRequest
from vtapweb.domain.scope import Scope
from vtapweb.wall.actions.showing import displays_push_end, page_keep, page_push
from vtapweb.wall.desk_pages import GET_OR_POST, number, seconds_asked
from vtapweb.wall.forms import HOW_LONG
from vtapweb.wall.models import Display, ViewKind
from vtapweb.wall.pages_shown import NotShown, PageView, view_of_page
from vtapweb.wall.selectors import displays_of, is_covered
from vtapweb.web.text import plural

LONGEST_ADDRESS: Final = 4000


@dataclass(frozen=True, slots=True)
class Target:
    """A display, or a group for all of its displays; `why_not` says why this page cannot be shown there, "" where it can."""

    pk: int
    name: str
    words: str
    why_not: str
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class Targets:
    groups: Sequence[Target]
    displays: Sequence[Target]


def targets_of(displays: Sequence[Display], scope: Scope, page: PageView, chosen: str) -> Targets:
    """Where a page can be shown, of the displays that were found for `scope`."""
    grouped: dict[int, list[Display]] = {}
    for one in displays:
        if one.group is not None and is_covered(one.group, scope):
            grouped.setdefault(one.group.pk, []).append(one)
    groups = []
    for pk, mine in grouped.items():
        why_not = next((f"{one.name} {why}" for one in mine if (why := _why_not(one, page))), "")
        name = mine[0].group.name if mine[0].group is not None else ""
        groups.append(Target(pk, name, f"all {plural(len(mine), 'display')} of it", why_not, chosen == f"group-{pk}"))
    singles = [
        Target(one.pk, one.name, " · ".join(part for part in (one.place, _pushed(one)) if part), _why_not(one, page), chosen == f"display-{one.pk}")
        for one in displays
    ]
    return Targets(sorted(groups, key=lambda one: (one.name, one.pk)), singles)


def _why_not(display: Display, page: PageView) -> str:
    return "" if display.scope.covers(page.subscription_ids) else "may not read what this page shows"


def _pushed(display: Display) -> str:
    is_pushed = display.pushed_until is not None and display.pushed_until > timezone.now()
    return f"something of {display.pushed_by or 'somebody'} is shown there now" if is_pushed else ""


@never_cache
@require_http_methods(GET_OR_POST)
def show(request: ViewerRequest) -> HttpResponse:
    """The menu's inside: asked for when it opens, and sent. htmx names the page that it stands on; without it `?page=` does."""
    if request.method == "POST":
        return _do(request)
    page = request.headers.get("HX-Current-URL") or request.GET.get("page", "/")
    return _menu(request, page[:LONGEST_ADDRESS])


def _menu(request: ViewerRequest, page: str, *, problem: str = "", chosen: str = "") -> HttpResponse:
    scope = request.viewer.scope
    may_act = request.viewer.may(Role.OPERATOR)
    shown = view_of_page(page, scope) if may_act else NotShown("")
    context: dict[str, Any] = {"page": page, "may_act": may_act, "problem": problem, "how_long": HOW_LONG}
    if isinstance(shown, NotShown):
        context["why_not"] = shown.why
    else:
        context |= {"shown": shown, "kind_words": _kind_words(shown), "targets": targets_of(displays_of(scope), scope, shown, chosen)}
    return _answer(request, "wall/show.html", context)


def _kind_words(shown: PageView) -> str:
    label = ViewKind(shown.kind).label
    return "" if label == shown.name else f"as the view “{label}”"


def _answer(request: ViewerRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """The part for the menu, or a page of its own for a browser without script."""
    context["is_part"] = bool(request.htmx) and "/displays/show" not in (request.htmx.current_url or "")
    if request.htmx:
        return render(request, template, context)
    return render(request, "wall/show_page.html", {**context, "template": template})


@require_role(Role.OPERATOR)
def _do(request: ViewerRequest) -> HttpResponse:
    page, chosen = request.POST.get("page", "")[:LONGEST_ADDRESS], request.POST.get("target", "")
    shown = view_of_page(page, request.viewer.scope)
    try:
        if request.POST.get("deed") == "take-back":
            found, where = _targets(request, chosen)
            displays_push_end(displays=found, acting_user=request.viewer, request=request)
            return _said(request, page, f"Taken back: {where} {_goes(found)} back.")
        if isinstance(shown, NotShown):
            return _menu(request, page)
        if request.POST.get("deed") == "save":
            view = page_keep(page=shown, acting_user=request.viewer, request=request)
            to = reverse("wall_views") if view.is_builtin else reverse("wall_view", args=[view.pk])
            return _said(request, page, f"“{view.name}” is a view now.", to=to, to_words="Look at it, name it")
        found, where = _targets(request, chosen)
        seconds = seconds_asked(request.POST.get("minutes", ""))
        page_push(page=shown, displays=found, seconds=seconds, acting_user=request.viewer, request=request)
    except ValidationError as error:
        return _menu(request, page, problem=" ".join(error.messages), chosen=chosen)
    until = timezone.now() + timedelta(seconds=seconds) if seconds is not None else None
    return _said(request, page, f"{shown.name} is shown on {where} now.", until=until, take_back=chosen)


def _targets(request: ViewerRequest, chosen: str) -> tuple[list[Display], str]:
    """The displays that a choice names, and it in words. Raises ValidationError for none."""
    kind, _, pk = chosen.partition("-")
    displays = displays_of(request.viewer.scope)
    if kind == "group":
        found = [one for one in displays if one.group_id == number(pk) and one.group is not None and is_covered(one.group, request.viewer.scope)]
        where = found[0].group.name if found and found[0].group is not None else ""
    else:
        found = [one for one in displays if kind == "display" and one.pk == number(pk)]
        where = found[0].name if found else ""
    if not found:
        raise ValidationError("Choose a display or a group.")
    return found, where


def _goes(found: Sequence[Display]) -> str:
    return "goes" if len(found) == 1 else "go"


def _said(request: ViewerRequest, page: str, words: str, *, until: Any = None, take_back: str = "", to: str = "", to_words: str = "") -> HttpResponse:
    context = {
        "words": words, "until": until, "take_back": take_back, "page": page, "to": to or reverse("displays"), "to_words": to_words or "All walls",
    }  # fmt: skip
    if request.htmx:
        return _answer(request, "wall/shown.html", context)
    messages.success(request, words)
    is_ours = url_has_allowed_host_and_scheme(page, allowed_hosts={request.get_host()})
    return redirect(page if is_ours else "displays")
