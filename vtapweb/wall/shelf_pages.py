"""Pages about what displays use: views, playlists with a preview of their day, groups with their scene."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from vtapweb.access.guards import require_role
from vtapweb.access.role import Role
from vtapweb.access.viewer import ViewerRequest
from vtapweb.domain.playlist import Entry, slots
from vtapweb.domain.scope import Scope
from vtapweb.wall.actions import (
    display_change,
    group_create,
    group_delete,
    group_rename,
    playlist_delete,
    playlist_save,
    scene_switch,
    view_change,
    view_delete,
)
from vtapweb.wall.builtin import builtin_views
from vtapweb.wall.day import SLOTS_SHOWN, WEEKDAYS, Day, day_of, slot_lines
from vtapweb.wall.desk_lines import WHYS
from vtapweb.wall.desk_pages import GET_OR_POST, SCENES, found_display, names_of, number
from vtapweb.wall.forms import NameForm
from vtapweb.wall.models import (
    EVERY_DAY,
    LONGEST_ENTRY_S,
    SHORTEST_ENTRY_S,
    Display,
    DisplayGroup,
    DisplayRole,
    Playlist,
    Scene,
    ViewKind,
    WallView,
)
from vtapweb.wall.selectors import (
    displays_by_playlist,
    displays_of,
    group_find,
    groups_of,
    is_covered,
    playlist_find,
    playlists_of,
    uses_of_views,
    view_find,
    views_of,
)
from vtapweb.wall.state import zone_of
from vtapweb.web.text import plural, span

HOURS_OF_A_DAY: Final = range(24)
PREVIEW_S: Final = 24 * 3600


def _shown(request: ViewerRequest, template: str, context: Mapping[str, Any], *, is_refused: bool = False) -> HttpResponse:
    return render(request, template, {"may_act": request.viewer.may(Role.OPERATOR), **context}, status=400 if is_refused else 200)


# -- views


@dataclass(frozen=True, slots=True)
class ViewLine:
    """A view with what it shows and who uses it, in words; `href` is the page of the desk that shows the same, "" where there is none."""

    view: WallView
    words: str
    used: str
    href: str


def view_line(view: WallView, uses: Sequence[str]) -> ViewLine:
    """One view in words."""
    options, kind = view.options, ViewKind(view.kind)
    href, words = "", kind.label
    match kind:
        case ViewKind.MAP:
            at = f"{options['x']:.0f},{options['y']:.0f},{options['k']:.4g}" if "k" in options else ""
            query = {"at": at, "node": options.get("node", ""), "unit": options.get("unit", "")}
            href = "/?" + urlencode({name: value for name, value in query.items() if value})
            words = (
                "a part of the map, where it was when it was saved" if at else "where it stands on the map" if "node" in options else "the whole map"
            )
        case ViewKind.COLLECTOR:
            href, words = reverse("collector", args=[options["collector"]]), "one collector"
        case ViewKind.ALARMS:
            alarm = options.get("number")
            href = reverse("alarm", args=[alarm]) if alarm else reverse("alarms")
            words = f"alarm A-{alarm}" if alarm else "open alarms, the worst first"
        case ViewKind.SOURCES:
            words = "the sources that send most"
        case ViewKind.OVERVIEW:
            href, words = reverse("collectors"), "what is broken, the map, collectors by load, the last events"
    if options.get("unit") == "packets":
        words += ", in packets"
    return ViewLine(view, words, ", ".join(uses) or "nobody yet", href)


@never_cache
@require_GET
def views(request: ViewerRequest) -> HttpResponse:
    """What displays can show."""
    uses = uses_of_views(request.viewer.scope)
    lines = [view_line(one, uses.get(one.pk, ())) for one in views_of(request.viewer.scope)]
    return _shown(request, "wall/views.html", {"lines": lines, "has_saved": any(not line.view.is_builtin for line in lines)})


def _view(request: ViewerRequest, pk: int) -> WallView:
    found = view_find(pk, request.viewer.scope)
    if found is None or found.is_builtin or found.is_passing:
        raise Http404
    return found


@never_cache
@require_http_methods(GET_OR_POST)
def view(request: ViewerRequest, pk: int) -> HttpResponse:
    """One saved view; its name may be another."""
    one = _view(request, pk)
    form = NameForm(request.POST) if request.method == "POST" else NameForm(initial={"name": one.name})
    if request.method == "POST" and form.is_valid():
        view_change(view=one, name=form.cleaned_data["name"], options=one.options, acting_user=request.viewer, request=request)
        messages.success(request, "Kept.")
        return redirect("wall_views")
    line = view_line(one, uses_of_views(request.viewer.scope).get(one.pk, ()))
    return _shown(request, "wall/view.html", {"line": line, "form": form}, is_refused=bool(form.errors))


@require_POST
@require_role(Role.OPERATOR)
def view_remove(request: ViewerRequest, pk: int) -> HttpResponse:
    one = _view(request, pk)
    try:
        view_delete(view=one, acting_user=request.viewer, request=request)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("wall_view", pk)
    messages.success(request, f"{one.name} is removed.")
    return redirect("wall_views")


# -- playlists


@dataclass(frozen=True, slots=True)
class PlaylistLine:
    playlist: Playlist
    words: str
    round: str
    used: str


@never_cache
@require_GET
def playlists(request: ViewerRequest) -> HttpResponse:
    """Views in turn."""
    scope = request.viewer.scope
    users = displays_by_playlist(scope)
    lines = []
    for one in playlists_of(scope):
        entries = list(one.entries.all())
        names = names_of([entry.view for entry in entries], scope)
        words = ", ".join(f"{names.get(entry.view_id, 'a view of others')} {span(entry.seconds)}" for entry in entries[:6])
        more = f" and {len(entries) - 6} more" if len(entries) > 6 else ""
        used = ", ".join(display.name for display in users.get(one.pk, ())) or "nobody yet"
        lines.append(PlaylistLine(one, words + more, span(sum(entry.seconds for entry in entries)), used))
    return _shown(request, "wall/playlists.html", {"lines": lines})


@dataclass(frozen=True, slots=True)
class EntryDraft:
    """One entry as it stands in the form, kept or not; `problem` says why it cannot be, "" where it can."""

    view: int
    seconds: str = "30"
    weekdays: int = EVERY_DAY
    from_hour: int = 0
    until_hour: int = 24
    name: str = ""

    @property
    def problem(self) -> str:
        seconds = number(self.seconds)
        if not SHORTEST_ENTRY_S <= seconds <= LONGEST_ENTRY_S:
            return f"From {SHORTEST_ENTRY_S} seconds to a day ({LONGEST_ENTRY_S:,} seconds)."
        if not self.weekdays:
            return "Tick one day at least."
        return "From one hour until another; 00–24 is the whole day." if self.from_hour == self.until_hour else ""

    @property
    def days(self) -> list[dict[str, Any]]:
        return [{"words": name[:2], "long": name, "is_on": bool(self.weekdays >> day & 1)} for day, name in enumerate(WEEKDAYS)]

    @property
    def words(self) -> str:
        days = "every day" if self.weekdays == EVERY_DAY else ", ".join(name[:3] for day, name in enumerate(WEEKDAYS) if self.weekdays >> day & 1)
        hours = "" if (self.from_hour, self.until_hour) == (0, 24) else f", {self.from_hour:02d}–{self.until_hour:02d}"
        return f"{self.name} for {span(number(self.seconds))}, {days}{hours}"

    def entry(self) -> Entry:
        """As the domain knows it; of one without a problem."""
        return Entry(self.view, number(self.seconds), frozenset(day for day in range(7) if self.weekdays >> day & 1), self.from_hour, self.until_hour)


def drafts_of(form: QueryDict) -> list[EntryDraft]:
    """The entries as a form sends them, in its order; what cannot be a value counts as none."""
    columns = [form.getlist(name) for name in ("view", "seconds", "from_hour", "until_hour")]
    found = []
    for at, (view_id, seconds, begin, end) in enumerate(zip(*columns, strict=False)):
        weekdays = sum(1 << int(day) for day in set(form.getlist(f"day-{at}")) if day in set("0123456"))
        found.append(EntryDraft(number(view_id), seconds.strip()[:7], weekdays, min(number(begin), 23), min(number(end), 24)))
    return found


def _moved(drafts: list[EntryDraft], deed: str, first_view: int) -> list[EntryDraft]:
    """The drafts after one of the form's buttons: add, up-2, down-2, drop-2."""
    verb, _, text = deed.partition("-")
    at = number(text)
    if verb == "add":
        return [*drafts, EntryDraft(first_view)]
    if not at < len(drafts):
        return drafts
    if verb == "drop":
        return drafts[:at] + drafts[at + 1 :]
    other = at - 1 if verb == "up" else at + 1 if verb == "down" else at
    if 0 <= other < len(drafts):
        drafts[at], drafts[other] = drafts[other], drafts[at]
    return drafts


@never_cache
@require_http_methods(GET_OR_POST)
def playlist(request: ViewerRequest, pk: int = 0) -> HttpResponse:
    """One playlist (0: a new one) in an editor, with what it shows today. Only "Keep it" keeps; every other button and every change just looks."""
    scope = request.viewer.scope
    one = _playlist(request, pk) if pk else None
    may_act = request.viewer.may(Role.OPERATOR)
    usable = views_of(scope)
    if request.method == "POST" and may_act:
        deed = request.POST.get("deed", "")
        drafts, name = drafts_of(request.POST), request.POST.get("name", "")
        problems: dict[str, str] = {}
        if deed == "save":
            try:
                saved = _save(request, one, name, drafts, usable)
                messages.success(request, "Kept; displays that play it follow at once.")
                return redirect("wall_playlist", saved.pk)
            except ValidationError as error:
                problems["name" if not name.strip() else "all"] = " ".join(error.messages)
        else:
            drafts = _moved(drafts, deed, usable[0].pk)
        return _playlist_page(request, one, name, drafts, usable, problems, is_unsaved=True)
    rows = list(one.entries.select_related("view")) if one is not None else []
    drafts = [EntryDraft(row.view_id, str(row.seconds), row.weekdays, row.from_hour, row.until_hour) for row in rows]
    if one is None:
        drafts = [EntryDraft(view.pk, "60" if view.kind == ViewKind.OVERVIEW else "30") for view in usable if view.kind in ("overview", "map")][:2]
    return _playlist_page(request, one, one.name if one is not None else "", drafts, usable, {}, is_unsaved=one is None)


def _playlist(request: ViewerRequest, pk: int) -> Playlist:
    found = playlist_find(pk, request.viewer.scope)
    if found is None:
        raise Http404
    return found


def _save(request: ViewerRequest, one: Playlist | None, name: str, drafts: Sequence[EntryDraft], usable: Sequence[WallView]) -> Playlist:
    """Raises ValidationError for what cannot be kept."""
    by_pk = {view.pk: view for view in usable}
    if any(draft.problem for draft in drafts):
        raise ValidationError("Not kept yet: look at the entries.")
    if any(draft.view not in by_pk for draft in drafts):
        raise ValidationError("An entry shows a view that you may not see, or that is gone. Choose another.")
    entries = [
        {
            "view": by_pk[draft.view], "seconds": number(draft.seconds), "weekdays": draft.weekdays, "from_hour": draft.from_hour,
            "until_hour": draft.until_hour,
        }
        for draft in drafts
    ]  # fmt: skip
    return playlist_save(playlist=one, name=name, entries=entries, acting_user=request.viewer, request=request)


def _playlist_page(
    request: ViewerRequest,
    one: Playlist | None,
    name: str,
    drafts: Sequence[EntryDraft],
    usable: Sequence[WallView],
    problems: Mapping[str, str],
    *,
    is_unsaved: bool,
) -> HttpResponse:
    scope = request.viewer.scope
    users = displays_by_playlist(scope).get(one.pk, []) if one is not None else []
    chosen = next((user for user in users if str(user.pk) == request.GET.get("display")), users[0] if users else None)
    names = names_of(usable, scope)
    told = [EntryDraft(d.view, d.seconds, d.weekdays, d.from_hour, d.until_hour, names.get(d.view, "a view of others")) for d in drafts]
    page_url = reverse("wall_playlist", args=[one.pk]) if one is not None else reverse("wall_playlist_new")
    context = {
        "playlist": one,
        "name": name,
        "entries": told,
        "views": usable,
        "problems": problems,
        "from_hours": [{"value": hour, "words": f"{hour:02d}"} for hour in range(24)],
        "until_hours": [{"value": hour, "words": f"{hour:02d}"} for hour in range(1, 25)],
        "displays": users,
        "chosen": chosen,
        "used": ", ".join(user.name for user in users),
        "day": _playlist_day([draft for draft in drafts if not draft.problem], names, chosen, scope),
        "page_url": page_url,
        "here": f"{page_url}?display={chosen.pk}" if chosen is not None else page_url,
        "is_unsaved": is_unsaved,
    }
    is_part = bool(request.htmx) and not request.htmx.history_restore_request
    template = "wall/playlist_part.html" if is_part else "wall/playlist.html"
    return _shown(request, template, context, is_refused=bool(problems))


def _playlist_day(drafts: Sequence[EntryDraft], names: Mapping[int, str], display: Display | None, scope: Scope) -> Day:
    """What these entries would show today in the zone of the display, of UTC without one."""
    now = timezone.now()
    zone = zone_of(display) if display is not None else ZoneInfo("UTC")
    own = display.view if display is not None and display.view is not None else builtin_views()["overview"]
    otherwise = own.name if is_covered(own, scope) else "its own view"
    entries = [draft.entry() for draft in drafts]
    start = int(now.timestamp())
    due = slots(entries, now=start, until=start + PREVIEW_S, zone=zone)[:SLOTS_SHOWN] if entries else []
    told = [
        {
            "from_ms": one.from_s * 1000, "until_ms": one.until_s * 1000, "view": own.pk if one.view is None else one.view, "by": "",
            "why": "fixed" if one.view is None else "playlist",
        }
        for one in due
    ]  # fmt: skip
    lines = slot_lines(told, {**names, own.pk: otherwise}, WHYS, zone=zone, now=now)
    return day_of(entries, names, otherwise=otherwise, zone=zone, now=now, slots=lines)


@require_POST
@require_role(Role.OPERATOR)
def playlist_remove(request: ViewerRequest, pk: int) -> HttpResponse:
    one = _playlist(request, pk)
    try:
        playlist_delete(playlist=one, acting_user=request.viewer, request=request)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("wall_playlist", pk)
    messages.success(request, f"{one.name} is removed.")
    return redirect("wall_playlists")


# -- groups


@dataclass(frozen=True, slots=True)
class GroupLine:
    group: DisplayGroup
    words: str
    stage: Display | None


@never_cache
@require_http_methods(GET_OR_POST)
def groups(request: ViewerRequest) -> HttpResponse:
    """The rooms, and a form for one more."""
    scope = request.viewer.scope
    form = NameForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = group_create(name=form.cleaned_data["name"], acting_user=request.viewer, request=request)
        except ValidationError as refused:
            form.add_error("name", refused)
        else:
            messages.success(request, f"{made.name} is there; choose it on the page of each display.")
            return redirect("wall_group", made.pk)
    members: dict[int, list[Display]] = {}
    for one in displays_of(scope):
        members.setdefault(one.group_id or 0, []).append(one)
    lines = []
    for group in groups_of(scope):
        mine = members.get(group.pk, [])
        stage = next((one for one in mine if one.role == DisplayRole.STAGE), None)
        lines.append(GroupLine(group, ", ".join(one.name for one in mine) or "no display that you may see", stage))
    return _shown(request, "wall/groups.html", {"lines": lines, "form": form, "scenes": SCENES}, is_refused=bool(form.errors))


def _group(request: ViewerRequest, pk: int) -> DisplayGroup:
    found = group_find(pk, request.viewer.scope)
    if found is None:
        raise Http404
    return found


@never_cache
@require_http_methods(GET_OR_POST)
def group(request: ViewerRequest, pk: int) -> HttpResponse:
    """One room: its scene, its displays, its stage."""
    one = _group(request, pk)
    form = NameForm(request.POST) if request.method == "POST" else NameForm(initial={"name": one.name})
    if request.method == "POST" and form.is_valid():
        try:
            group_rename(group=one, name=form.cleaned_data["name"], acting_user=request.viewer, request=request)
        except ValidationError as refused:
            form.add_error("name", refused)
        else:
            messages.success(request, "Kept.")
            return redirect("wall_group", pk)
    mine = [display for display in displays_of(request.viewer.scope) if display.group_id == one.pk]
    hidden_count = one.displays.filter(revoked_at=None).count() - len(mine)
    context = {"group": one, "form": form, "displays": mine, "hidden_count": hidden_count, "scenes": SCENES}
    return _shown(request, "wall/group.html", context, is_refused=bool(form.errors))


@require_POST
@require_role(Role.OPERATOR)
def group_scene(request: ViewerRequest, pk: int) -> HttpResponse:
    """Switches all displays of a room."""
    one, scene = _group(request, pk), request.POST.get("scene", "")
    if scene not in Scene.values:
        messages.error(request, "A scene is normal, incident or visitors.")
    else:
        scene_switch(group=one, scene=Scene(scene), acting_user=request.viewer, request=request)
        messages.success(request, f"{one.name}: {Scene(scene).label.lower()}.")
    back = request.POST.get("back", "list")
    return redirect("wall_group", pk) if back == "group" else redirect("wall_groups") if back == "groups" else redirect("displays")


@require_POST
@require_role(Role.OPERATOR)
def group_stage(request: ViewerRequest, pk: int) -> HttpResponse:
    """Makes one display of a room the one that takes new alarms."""
    one = _group(request, pk)
    chosen = found_display(request, number(request.POST.get("display", "")))
    if chosen.group_id != one.pk:
        messages.error(request, f"{chosen.name} is not in {one.name}.")
    else:
        try:
            display_change(display=chosen, fields={"role": DisplayRole.STAGE}, acting_user=request.viewer, request=request)
            messages.success(request, f"{chosen.name} takes new alarms now.")
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
    return redirect("wall_group", pk)


@require_POST
@require_role(Role.OPERATOR)
def group_remove(request: ViewerRequest, pk: int) -> HttpResponse:
    one = _group(request, pk)
    count = one.displays.filter(revoked_at=None).count()
    group_delete(group=one, acting_user=request.viewer, request=request)
    messages.success(request, f"{one.name} is removed; {plural(count, 'display')} stay{'s' if count == 1 else ''}, in no group.")
    return redirect("wall_groups")
