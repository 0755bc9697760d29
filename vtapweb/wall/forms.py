"""Forms of the desk's pages. They parse; whether something may be is said by the actions."""

from collections.abc import Sequence
from typing import Any, Final

from django import forms

from vtapweb.domain.scope import Scope
from vtapweb.wall.models import NAME_LENGTH, Display, DisplayGroup, DisplayRole, Playlist, Theme, ViewKind, WallView
from vtapweb.web.text import plural

SCALES: Final = (("0.75", "small (75 %)"), ("1.0", "as designed"), ("1.25", "large (125 %)"), ("1.5", "larger (150 %)"), ("2.0", "twice"))
HOURS: Final = tuple((str(hour), f"{hour:02d}:00") for hour in range(25))
CODE_FIELD: Final = {
    "class": "code-field", "autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false", "autofocus": True,
}  # fmt: skip
HOW_LONG: Final = (("5", "5 minutes"), ("15", "15 minutes"), ("60", "1 hour"), ("480", "8 hours"), ("", "until it is taken back"))


class NameForm(forms.Form):
    name = forms.CharField(max_length=NAME_LENGTH, error_messages={"required": "Give it a name."})


class DisplayForm(forms.Form):
    """What a display is. Choices are those that its reader may see; what the display has already and he may not see stays as it is."""

    name = forms.CharField(max_length=NAME_LENGTH, error_messages={"required": "Give it a name: it is how people speak of it, NOC-2."})
    place = forms.CharField(required=False, max_length=NAME_LENGTH, help_text="Where it hangs: Leeds, room 4.")
    group = forms.ChoiceField(required=False, help_text="The displays of one room; scenes switch all of them.")
    role = forms.ChoiceField(choices=DisplayRole.choices, label="Job in its group", help_text="One display of a group takes new alarms.")
    what = forms.ChoiceField(label="Shows", help_text="One view, or a playlist of several.")
    incident_view = forms.ChoiceField(required=False, label="In an incident")
    theme = forms.ChoiceField(choices=Theme.choices)
    scale = forms.ChoiceField(choices=SCALES, label="Size of everything", help_text="For eyes farther away than four metres.")
    time_zone = forms.CharField(max_length=64, label="Time zone", help_text="An IANA name like Europe/London.")
    dim_from_hour = forms.ChoiceField(required=False, label="Dimmed from", choices=(("", "never"), *HOURS[:24]))
    dim_until_hour = forms.ChoiceField(required=False, label="Dimmed until", choices=(("", "never"), *HOURS[1:]))
    dim_percent = forms.IntegerField(min_value=5, max_value=100, label="Light left, %", help_text="While it is dimmed.")

    def __init__(
        self,
        data: Any,
        *,
        groups: Sequence[DisplayGroup],
        views: Sequence[WallView],
        playlists: Sequence[Playlist],
        display: Display | None = None,
        initial: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=(_initial(display) if display is not None else NEW) | (initial or {}))
        self.of = display
        self._groups = {str(one.pk): one for one in groups}
        self._views = {str(one.pk): one for one in views}
        self._playlists = {str(one.pk): one for one in playlists}
        if self.initial.get("what") in (None, "view-None"):  # what stands where nobody chose: the overview
            self.initial["what"] = next((f"view-{one.pk}" for one in views if one.kind == ViewKind.OVERVIEW), "")
        group = [(pk, one.name) for pk, one in self._groups.items()]
        if display is not None and display.group is not None and str(display.group_id) not in self._groups:
            group.append(("keep", "a group of others: leave it there"))
        what = [("Views", [(f"view-{pk}", one.name) for pk, one in self._views.items()])]
        if self._playlists:
            what.append(("Playlists", [(f"playlist-{pk}", one.name) for pk, one in self._playlists.items()]))
        self._choose("group", [("", "no group"), *group])
        self._choose("what", [*what, *self._kept("what")])
        incident = [("", "its job's: alarms on the stage, else the overview"), *((pk, one.name) for pk, one in self._views.items())]
        self._choose("incident_view", [*incident, *self._kept("incident_view")])
        if display is not None and (scale := f"{display.scale}") not in dict(SCALES):
            self._choose("scale", [*SCALES, (scale, f"{display.scale:g}")])
        self.fields["time_zone"].widget.attrs |= {"list": "zones"}

    @property
    def beside(self) -> list[Any]:
        """The fields that a page shows in its grid."""
        return [self[name] for name in self.fields if name not in {"code", "display"}]

    def values(self) -> dict[str, Any]:
        """The model's fields as they were chosen; what stays as it is is left out. Of a valid form."""
        data = self.cleaned_data
        found: dict[str, Any] = {name: data[name] for name in ("name", "place", "role", "theme", "time_zone", "dim_percent")}
        found["scale"] = float(data["scale"])
        if data["group"] != "keep":
            found["group"] = self._groups.get(data["group"])
        if data["what"] != "keep":
            kind, _, pk = data["what"].partition("-")
            found |= {"view": self._views[pk] if kind == "view" else None, "playlist": self._playlists[pk] if kind == "playlist" else None}
            if kind == "playlist" and self.of is not None:  # its own view stands where no entry is due
                found.pop("view")
        if data["incident_view"] != "keep":
            found["incident_view"] = self._views.get(data["incident_view"])
        dims = [data["dim_from_hour"], data["dim_until_hour"]]
        found |= dict(zip(("dim_from_hour", "dim_until_hour"), (int(one) for one in dims) if all(dims) else (None, None), strict=True))
        return found

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        begin, end = data.get("dim_from_hour"), data.get("dim_until_hour")
        if bool(begin) != bool(end):
            self.add_error("dim_until_hour", "Both hours, or never.")
        elif begin and begin == end:
            self.add_error("dim_until_hour", "Another hour than the one it begins at.")
        return data

    def _choose(self, name: str, choices: Sequence[Any]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined] # ChoiceField's

    def _kept(self, name: str) -> list[tuple[str, str]]:
        """What the display shows already and its reader may not see."""
        if self.of is None:
            return []
        if name == "incident_view":
            is_hidden = self.of.incident_view_id is not None and str(self.of.incident_view_id) not in self._views
        elif self.of.playlist_id is not None:
            is_hidden = str(self.of.playlist_id) not in self._playlists
        else:
            is_hidden = self.of.view_id is not None and str(self.of.view_id) not in self._views
        if is_hidden:
            self.initial[name] = "keep"
        return [("keep", "something of others: leave it")] if is_hidden else []


class PairForm(DisplayForm):
    """A code from a screen, and which display the screen is: one that is known, or a new one."""

    code = forms.CharField(
        max_length=20,
        error_messages={"required": "Type the six signs that the TV shows."},
        widget=forms.TextInput(attrs=CODE_FIELD),
    )
    display = forms.ChoiceField(required=False)
    field_order = ("code", "display")

    def __init__(self, data: Any, *, known: Sequence[Display], **parts: Any) -> None:
        super().__init__(data, **parts)
        self.known = {str(one.pk): one for one in known}
        self.fields["display"].choices = [("", "a new one, named below"), *((pk, one.name) for pk, one in self.known.items())]  # type: ignore[attr-defined]
        if data is not None and data.get("display"):
            for name in self.fields:
                if name not in {"code", "display"}:
                    self.fields[name].required = False


NEW: Final[dict[str, Any]] = {"role": DisplayRole.PICTURE, "theme": Theme.DARK, "scale": "1.0", "time_zone": "UTC", "dim_percent": 40}


def _initial(display: Display) -> dict[str, Any]:
    what = f"playlist-{display.playlist_id}" if display.playlist_id is not None else f"view-{display.view_id}"
    return {
        "name": display.name, "place": display.place, "group": display.group_id or "", "role": display.role, "what": what,
        "incident_view": display.incident_view_id or "", "theme": display.theme, "scale": f"{display.scale}", "time_zone": display.time_zone,
        "dim_from_hour": "" if display.dim_from_hour is None else display.dim_from_hour,
        "dim_until_hour": "" if display.dim_until_hour is None else display.dim_until_hour, "dim_percent": display.dim_percent,
    }  # fmt: skip


def reads_words(scope: Scope) -> str:
    """What a display of this scope reads, in words."""
    if scope.subscription_ids is None:
        return "all subscriptions"
    return plural(len(scope.subscription_ids), "subscription")
