"""Pages about displays: which there are and how they are, one of them, a new one, pairing. One reads what his scope covers; operators act."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import available_timezones

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from vtapweb.access.guards import require_role
from vtapweb.access.role import Role
from vtapweb.access.viewer import ViewerRequest
from vtapweb.domain.scope import Scope
from vtapweb.wall.actions import (
    display_address,
    display_change,
    display_create,
    display_identify,
    display_reload,
    display_revoke,
    pairing_accept,
)
from vtapweb.wall.actions.pairing import pairing_check
from vtapweb.wall.actions.showing import displays_push, displays_push_end
from vtapweb.wall.builtin import builtin_views
from vtapweb.wall.day import Day, day_of, slot_lines
from vtapweb.wall.desk_lines import STATES, WHYS, DisplayLine, GroupLines, line_of, on_words
from vtapweb.wall.forms import HOW_LONG, DisplayForm, PairForm, reads_words
from vtapweb.wall.keys import URL_GOOD_FOR
from vtapweb.wall.models import Display, DisplayKey, PlaylistEntry, WallView
from vtapweb.wall.reports import reports_of
from vtapweb.wall.selectors import (
    display_find,
    displays_of,
    entries_by_playlist,
    groups_of,
    is_covered,
    keys_by_display,
    playlists_of,
    view_find,
    views_of,
)
from vtapweb.wall.state import asset_version, entry_of, slots_of, zone_of
from vtapweb.web.tables import TableQuery
from vtapweb.web.text import plural

GET_OR_POST: Final = ["GET", "HEAD", "POST"]
LOOPBACK: Final = ("localhost", "127.", "[::1]")
SCENES: Final = (
    ("normal", "Normal", "Each display shows its own: a view, or its playlist."),
    ("incident", "Incident", "The stage shows the alarms, every other display its incident view or the overview."),
    ("visitors", "Visitors", "Names, addresses and owners do not leave the server; the pictures stay."),
)


def names_of(views: Sequence[WallView | None], scope: Scope) -> dict[int, str]:
    """Names of those views that may be told to this scope, by number."""
    return {one.pk: one.name for one in views if one is not None and is_covered(one, scope)}


def lines_of(displays: Sequence[Display], scope: Scope, *, at: datetime) -> tuple[list[DisplayLine], bool]:
    """Displays that were found for `scope` as lines, and whether reports could be read. Three queries and one trip to Redis, however many."""
    builtin = builtin_views()
    entries = entries_by_playlist(scope, displays)
    keys = keys_by_display(scope, now=at)
    reports = reports_of([one.pk for one in displays])
    views: list[WallView | None] = [*builtin.values(), *(entry.view for some in entries.values() for entry in some)]
    for one in displays:
        views += [one.view, one.incident_view, one.pushed_view]
    names, ours = names_of(views, scope), asset_version()
    found = []
    for one in displays:
        due = [entry_of(entry) for entry in entries.get(one.playlist_id or 0, ())]
        found.append(
            line_of(one, at=at, entries=due, builtin=builtin, names=names, reports=reports, keys=keys.get(one.pk, ()), ours=ours)
        )  # fmt: skip
    return found, reports is not None


@never_cache
@require_GET
def displays(request: ViewerRequest) -> HttpResponse:
    """All of them, by group; an htmx request gets the table alone, which asks for itself every few seconds."""
    at, scope = timezone.now(), request.viewer.scope
    query = TableQuery.parse(request.GET, filters=("q", "state"), sorts=())
    found = displays_of(scope)
    lines, is_known = lines_of(found, scope, at=at)
    wanted, state = query.filters.get("q", "").lower(), query.filters.get("state", "")
    kept = [line for line in lines if wanted in _words(line.display, scope) and state in ("", line.state_name)]
    groups = _grouped(kept, scope)
    words = f"{plural(len(found), 'display')}: {on_words(lines)}" if len(kept) == len(found) else f"{len(kept):,} of {plural(len(found), 'display')}"
    context = {
        "groups": groups,
        "has_groups": any(group.row for group in groups),
        "total": len(found),
        "words": words if found else "no display",
        "is_known": is_known or not found,
        "query": query,
        "here": query.address(),
        "states": STATES,
        "scenes": SCENES,
        "version": asset_version(),
        "may_act": request.viewer.may(Role.OPERATOR),
    }
    return render(request, "wall/displays_part.html" if _wants_part(request) else "wall/displays.html", context)


def _words(display: Display, scope: Scope) -> str:
    group = display.group.name if display.group is not None and is_covered(display.group, scope) else ""
    return f"{display.name}\n{display.place}\n{group}".lower()


def _grouped(lines: Sequence[DisplayLine], scope: Scope) -> list[GroupLines]:
    """By group, those of none (or of one that may not be seen) last."""
    groups = {line.display.group for line in lines if line.display.group is not None and is_covered(line.display.group, scope)}
    found = [
        GroupLines(group, [line for line in lines if line.display.group_id == group.pk])
        for group in sorted(groups, key=lambda one: (one.name, one.pk))
    ]
    rest = [line for line in lines if line.display.group not in groups]
    return [*found, GroupLines(None, rest)] if rest else found


def _wants_part(request: ViewerRequest) -> bool:
    return bool(request.htmx) and not request.htmx.history_restore_request


def found_display(request: ViewerRequest, pk: int) -> Display:
    """The display, as far as this request may know of it. Raises Http404."""
    found = display_find(pk, request.viewer.scope)
    if found is None:
        raise Http404
    return found


@never_cache
@require_http_methods(GET_OR_POST)
def display(request: ViewerRequest, pk: int) -> HttpResponse:
    """One display: how it is, what it shows today, what it is; `?part` is what moves by itself."""
    one = found_display(request, pk)
    form = _display_form(request, one) if request.viewer.may(Role.OPERATOR) and "part" not in request.GET else None
    if request.method == "POST":
        if form is None:
            raise Http404
        if form.is_valid() and _kept(form, lambda: display_change(display=one, acting_user=request.viewer, request=request, **_values(form))):
            messages.success(request, "Kept; it follows at once.")
            return redirect("display", pk)
    return _display_page(request, one, form)


def _values(form: DisplayForm) -> dict[str, Any]:
    fields = form.values()
    return {"name": fields.pop("name"), "fields": fields}


def _kept(form: DisplayForm, deed: Callable[[], object]) -> bool:
    """Whether the action did it; what it refused stands in the form."""
    try:
        deed()
    except ValidationError as error:
        told = error.error_dict.items() if hasattr(error, "error_dict") else [(None, error.error_list)]
        for name, problems in told:
            form.add_error(name if name in form.fields else None, ValidationError(list(problems)))
        return False
    return True


def _display_form(request: ViewerRequest, one: Display | None, **parts: Any) -> DisplayForm:
    scope = request.viewer.scope
    kind = parts.pop("kind", DisplayForm)
    made: DisplayForm = kind(
        request.POST if request.method == "POST" else None,
        groups=groups_of(scope),
        views=views_of(scope),
        playlists=playlists_of(scope),
        display=one,
        **parts,
    )
    return made


def _display_page(request: ViewerRequest, one: Display, form: DisplayForm | None, *, token: str = "", status: int = 0) -> HttpResponse:
    at, scope = timezone.now(), request.viewer.scope
    [line], _ = lines_of([one], scope, at=at)
    context: dict[str, Any] = {
        "display": one,
        "line": line,
        "is_group_seen": one.group is not None and is_covered(one.group, scope),
        "reads": reads_words(one.scope),
        "version": asset_version(),
        "may_act": request.viewer.may(Role.OPERATOR),
    }
    if "part" in request.GET:
        return render(request, "wall/display_part.html", context)
    if form is not None and form.errors:
        one = found_display(request, one.pk)  # as it is, not as the form would have it
    context |= {
        "display": one,
        "form": form,
        "day": _day(one, scope, at=at),
        "views": views_of(scope),
        "zones": sorted(available_timezones()),
        "how_long": HOW_LONG,
        "key_words": _key_words(line.keys),
        "address": {"url": request.build_absolute_uri(f"/wall/{token}"), "ended_at": at + URL_GOOD_FOR} if token else None,
        "is_loopback": request.get_host().startswith(LOOPBACK),
    }
    return render(request, "wall/display.html", context, status=status or (400 if form is not None and form.errors else 200))


def _day(one: Display, scope: Scope, *, at: datetime) -> Day:
    zone, builtin = zone_of(one), builtin_views()
    rows: list[PlaylistEntry] = entries_by_playlist(scope, [one]).get(one.playlist_id or 0, [])
    names = names_of([*builtin.values(), *(row.view for row in rows), one.view, one.incident_view, one.pushed_view], scope)
    entries = [entry_of(row) for row in rows]
    slots = slot_lines(slots_of(one, entries, builtin, now=at, zone=zone), names, WHYS, zone=zone, now=at)
    own = one.view if one.view is not None else builtin["overview"]
    return day_of(entries, names, otherwise=names.get(own.pk, "its own view"), zone=zone, now=at, slots=slots)


def _key_words(keys: Sequence[DisplayKey]) -> str:
    """What lets it in, in a sentence; the secrets themselves are nowhere."""
    cookie = next((key for key in keys if key.kind == DisplayKey.Kind.COOKIE), None)
    address = next((key for key in keys if key.kind == DisplayKey.Kind.URL and key.first_used_at is None), None)
    words = []
    if cookie is not None:
        words.append(f"Its browser holds a key of {cookie.issued_at:%Y-%m-%d %H:%M} UTC; the wall replaces it once a day.")
    if address is not None:
        words.append(f"An address waits to be opened, until {address.ended_at:%Y-%m-%d %H:%M} UTC. A new one ends it.")
    return " ".join(words) or "Nobody has let it in yet: make an address and open it on the screen, or open /wall there and type its code here."


@never_cache
@require_http_methods(GET_OR_POST)
def display_new(request: ViewerRequest) -> HttpResponse:
    """A display for a screen on which nobody can type: its address is in this answer and nowhere else."""
    may_act = request.viewer.may(Role.OPERATOR)
    form = _display_form(request, None, initial=_suggested(request)) if may_act else None
    if request.method == "POST" and form is not None and form.is_valid():
        made: list[tuple[Display, str]] = []

        @transaction.atomic
        def make() -> None:
            one = display_create(acting_user=request.viewer, request=request, **_values(form))
            made.append((one, display_address(display=one, acting_user=request.viewer, request=request)))

        if _kept(form, make):
            [(one, token)] = made
            request.method = "GET"  # the form of the page that follows is the display's
            one = found_display(request, one.pk)
            return _display_page(request, one, _display_form(request, one), token=token)
    return _new_page(request, form, is_pairing=False)


@never_cache
@require_http_methods(GET_OR_POST)
def display_pair(request: ViewerRequest) -> HttpResponse:
    """Says which display a screen is, by the code that it shows."""
    may_act = request.viewer.may(Role.OPERATOR)
    known = displays_of(request.viewer.scope) if may_act else []
    initial = _suggested(request) | {"code": request.GET.get("code", "")[:20], "display": request.GET.get("display", "")}
    form = _display_form(request, None, kind=PairForm, known=known, initial=initial) if may_act else None
    if request.method == "POST" and isinstance(form, PairForm) and form.is_valid():
        code, found = form.cleaned_data["code"], form.known.get(form.cleaned_data["display"])
        paired: list[tuple[Display, str]] = []

        def pair() -> None:
            pairing_check(code=code, acting_user=request.viewer, request=request)
            with transaction.atomic():
                one = found or display_create(acting_user=request.viewer, request=request, **_values(form))
                address = pairing_accept(code=code, display=one, acting_user=request.viewer, request=request)
            paired.append((one, address))

        if _kept(form, pair):
            [(one, address)] = paired
            messages.success(request, f"Paired: the screen at {address} becomes {one.name} within two seconds. Is it another one? Revoke it.")
            return redirect("display", one.pk)
    return _new_page(request, form, is_pairing=True)


def _suggested(request: ViewerRequest) -> dict[str, Any]:
    """What the address or the last display that was made suggests."""
    return {"group": request.GET.get("group", "")}


def _new_page(request: ViewerRequest, form: DisplayForm | None, *, is_pairing: bool) -> HttpResponse:
    context = {
        "form": form,
        "is_pairing": is_pairing,
        "zones": sorted(available_timezones()),
        "reads": reads_words(request.viewer.scope),
        "may_act": form is not None,
    }
    return render(request, "wall/display_new.html", context, status=400 if form is not None and form.errors else 200)


@require_POST
@require_role(Role.OPERATOR)
def act(request: ViewerRequest, pk: str, deed: str) -> HttpResponse:
    """One button of a display; back to where it was pressed."""
    one = found_display(request, int(pk))
    try:
        if deed == "address":
            token = display_address(display=one, acting_user=request.viewer, request=request)
            request.method = "GET"
            return _display_page(request, one, _display_form(request, one), token=token)
        messages.success(request, _did(request, one, deed))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect("displays") if request.POST.get("back") == "list" else redirect("display", one.pk)


def _did(request: ViewerRequest, one: Display, deed: str) -> str:
    """Does it and says so. Raises ValidationError."""
    who: Mapping[str, Any] = {"acting_user": request.viewer, "request": request}
    match deed:
        case "identify":
            display_identify(display=one, **who)
            return f"{one.name} shows its name for 15 seconds."
        case "reload":
            display_reload(display=one, **who)
            return f"{one.name} loads itself anew."
        case "revoke":
            display_revoke(display=one, **who)
            return f"{one.name} is revoked; its screen says so within five seconds."
        case "push":
            view = view_find(number(request.POST.get("view", "")), request.viewer.scope)
            if view is None:
                raise ValidationError("There is no such view.")
            displays_push(view=view, displays=[one], seconds=seconds_asked(request.POST.get("minutes", "")), **who)
            return f"{one.name} shows {view.name} now."
        case _:
            displays_push_end(displays=[one], **who)
            return f"{one.name} goes back to what it showed."


def seconds_asked(minutes: str) -> int | None:
    """How long something is pushed, in seconds; None: until it is taken back. Raises ValidationError for what is no choice of the form."""
    if minutes not in dict(HOW_LONG):
        raise ValidationError("Choose for how long.")
    return int(minutes) * 60 if minutes else None


def number(text: str) -> int:
    """A row's number; 0, which no row has, for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
