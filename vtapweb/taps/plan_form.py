"""Forms of the taps room: why, when and how fast. What is typed is kept as typed until it can be understood."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone

from vtapweb.domain.change_input import Window
from vtapweb.domain.window import Occurrence, UnknownZoneError, moment, next_occurrence, zone_of
from vtapweb.taps.actions.drawing import InvalidPlanError, NothingToPlanError
from vtapweb.taps.models import ChangeWindow

REASON_MAX = 2000
SETTLE_MAX_S = 3600
WAVE_MAX = 50
LOCAL_FORMATS = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")
FIELD_OF = {"pace.first": "pace_first", "pace.wave": "pace_wave", "pace.settle_s": "settle_s", "pace.keep_apart": "keep_apart"}
TOLD_MAX = 5  # refusals that an error names
NOW, BETWEEN, NAMED = "now", "between", "window-"


class LocalTimeField(forms.Field):
    """A wall-clock time without a zone, as `datetime-local` sends it; the form knows whose clock. Cleans to a naive datetime or None."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "class": "input"}, format="%Y-%m-%dT%H:%M")

    def to_python(self, value: Any) -> datetime | None:
        """Raises ValidationError for what is no time."""
        text = str(value or "").strip()
        if not text:
            return None
        for form in LOCAL_FORMATS:
            try:
                return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is another field's
            except ValueError:
                continue
        raise forms.ValidationError("A time looks like 2026-11-28 22:00.", code="invalid")


class WindowForm(forms.Form):
    """When it may be sent: as soon as it is applied, between two times, or in the next occurrence of a named window.

    Clean data gains `opens_at`, `closes_at` (UTC or None) and `window_zone`.
    """

    zone = forms.CharField(required=False, widget=forms.HiddenInput)
    window = forms.ChoiceField(label="May be sent", widget=forms.RadioSelect, initial=NOW)
    window_opens_at = LocalTimeField(label="Not before", required=False)
    window_closes_at = LocalTimeField(label="Not after", required=False)

    def __init__(self, *args: Any, windows: Mapping[int, ChangeWindow], is_window_required: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = timezone.now()
        self.windows = windows
        self.nexts = {pk: next_occurrence([one.weekly], now=self.now) for pk, one in windows.items()}
        named = [(f"{NAMED}{pk}", self._words(one, self.nexts[pk])) for pk, one in windows.items() if self.nexts[pk]]
        choices = [*named, (BETWEEN, "Between two times")]
        if not is_window_required:
            choices.insert(0, (NOW, "As soon as somebody applies it"))
        choice: Any = self.fields["window"]
        choice.choices = choices
        self.initial.setdefault("window", choices[0][0])
        if is_window_required:
            choice.help_text = "An admin asks for a change window in this subscription."
        for name in self.errors:  # none where nothing was sent
            if name in self.fields:
                self.fields[name].widget.attrs |= {"aria-invalid": "true", "aria-describedby": f"id_{name}_error"}

    @property
    def draft_window(self) -> str | dict[str, str]:
        """The window as a Draft takes it; for a form without errors."""
        data = self.cleaned_data
        if str(data["window"]).startswith(NAMED):
            return self.windows[int(str(data["window"]).removeprefix(NAMED))].name
        if data["closes_at"] is None:
            return ""
        return {"opens_at": data["opens_at"].isoformat(), "closes_at": data["closes_at"].isoformat(), "zone": data["window_zone"]}

    @property
    def chosen_window(self) -> Window | None:
        """The window's times; for a form without errors."""
        data = self.cleaned_data
        return Window(data["opens_at"], data["closes_at"], data["window_zone"]) if data["closes_at"] is not None else None

    def take(self, error: InvalidPlanError | NothingToPlanError) -> None:
        """Puts what the planner refused beside the fields that it is about, else on top."""
        if isinstance(error, NothingToPlanError):
            reasons = [f"{one.name}: {one.message}" for one in error.left_out[:TOLD_MAX]]
            more = len(error.left_out) - TOLD_MAX
            self.add_error(None, [str(error), *reasons, *([f"And {more} more."] if more > 0 else [])])
            return
        for name, sentences in error.by_field.items():
            field = FIELD_OF.get(name, name)
            self.add_error(field if field in self.fields and not self.fields[field].widget.is_hidden else None, sentences)

    @staticmethod
    def _words(window: ChangeWindow, following: Occurrence | None) -> str:
        words = f"{window.name}: {window.weekly}"
        if following is None:
            return words
        opens, closes = (one.astimezone(ZoneInfo(window.zone)) for one in (following.opens_at, following.closes_at))
        return f"{words}; next {opens:%a %d %b %H:%M} to {closes:%a %H:%M}"

    def clean_zone(self) -> str:
        """The viewer's zone; UTC where the browser named none that we know."""
        name = str(self.cleaned_data.get("zone") or "UTC")
        try:
            zone_of(name)
        except UnknownZoneError:
            return "UTC"
        return name

    def instant(self, field: str) -> datetime | None:
        """That field's time in the form's zone, in UTC."""
        local = self.cleaned_data.get(field)
        zone = self.cleaned_data.get("zone", "UTC")
        return moment(local.date(), local.time(), zone_of(zone)) if local else None

    def clean(self) -> dict[str, Any]:
        """A window must close after it opens, and not lie in the past."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        way = str(data.get("window", ""))
        opens = closes = None
        zone = str(data.get("zone", "UTC"))
        if way == BETWEEN:
            opens, closes = self.instant("window_opens_at"), self.instant("window_closes_at")
            if closes is None and "window_closes_at" not in self.errors:
                self.add_error("window_closes_at", "Say until when it may be sent.")
            if opens is None and "window_opens_at" not in self.errors:
                opens = self.now
            if closes is not None and closes <= self.now:
                self.add_error("window_closes_at", "This time is over already.")
            elif opens is not None and closes is not None and closes <= opens:
                self.add_error("window_closes_at", "It must close after it opens.")
        elif way.startswith(NAMED):
            following = self.nexts.get(int(way.removeprefix(NAMED)))
            if following is not None:
                opens, closes = following.opens_at, following.closes_at
                zone = self.windows[int(way.removeprefix(NAMED))].zone
        return {**data, "opens_at": opens, "closes_at": closes, "window_zone": zone if opens or closes else ""}


class ChangeForm(WindowForm):
    """What every change needs: why, and when it may be sent."""

    reason = forms.CharField(
        label="Why (required)",
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Stands in the audit record and is what others read in half a year.",
        error_messages={"required": "Say why: it is what others will read in half a year."},
    )
    ticket = forms.CharField(label="Ticket", max_length=200, required=False, help_text="A number or an address, if there is one.")


class PlanForm(ChangeForm):
    """What a plan needs besides its NICs and its TAP. Clean data gains `ends_at` (UTC or None)."""

    action = forms.ChoiceField(choices=[(one, one) for one in ("tap", "untap", "move")], widget=forms.HiddenInput)
    select = forms.CharField(widget=forms.HiddenInput)
    tap = forms.CharField(required=False, widget=forms.HiddenInput)
    expires_at = LocalTimeField(
        label="Ends", required=False, help_text="Then the mirrors are taken back by a change of its own, in the next window. Empty: no end."
    )
    pace_first = forms.IntegerField(label="First wave", min_value=1, max_value=WAVE_MAX, initial=1, help_text="A mistake then meets one VM.")
    pace_wave = forms.IntegerField(label="Later waves", min_value=1, max_value=WAVE_MAX, initial=5, help_text="At most so many NICs at once.")
    settle_s = forms.IntegerField(
        label="Seconds to settle", min_value=0, max_value=SETTLE_MAX_S, help_text="Between a wave's last verified NIC and the next wave."
    )
    keep_apart = forms.CharField(
        label="Keep apart by tag",
        max_length=200,
        required=False,
        help_text="A tag's name: VMs with the same value are never in flight together. Availability sets and backend pools are kept apart anyway.",
    )

    def __init__(self, *args: Any, settle_s: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("settle_s", settle_s)
        self.fields["reason"].widget.attrs["autofocus"] = True
        if (self.data if self.is_bound else self.initial).get("action") == "untap":
            del self.fields["expires_at"]  # what ends a mirror has no end of its own

    @property
    def pace_names(self) -> tuple[str, ...]:
        return ("pace_first", "pace_wave", "settle_s", "keep_apart")

    @property
    def has_pace_errors(self) -> bool:
        return any(name in self.errors for name in self.pace_names)

    @property
    def is_pace_changed(self) -> bool:
        """Whether the pace is another one than that which is proposed: then it is shown unfolded."""
        return any(str(self[name].value() or "") != str(self.get_initial_for_field(self.fields[name], name) or "") for name in self.pace_names)

    @property
    def pace_words(self) -> str:
        """ "1 first, then up to 5 at once, 2 s between waves": what the fields hold now."""
        first, wave, settle, _ = (self[name].value() for name in self.pace_names)
        return f"{first} first, then up to {wave} at once, {settle} s between waves"

    def clean(self) -> dict[str, Any]:
        """An end must lie ahead, and behind the window's begin."""
        data = super().clean()
        ends = self.instant("expires_at")
        if ends is not None and ends <= self.now:
            self.add_error("expires_at", "This time is over already.")
        elif ends is not None and data.get("opens_at") and ends <= data["opens_at"]:
            self.add_error("expires_at", "It would end before its window opens.")
        return {**data, "ends_at": ends.astimezone(UTC) if ends else None}


TAG_MAX = 50  # Azure's own limit for a resource


class TagsForm(ChangeForm):
    """A TAP's tags, one a line. Clean data's `tags` is {name: value}."""

    tags = forms.CharField(
        label="Tags",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono", "spellcheck": "false", "placeholder": "owner=soc"}),
        help_text="One a line, as name=value.",
    )

    def clean_tags(self) -> dict[str, str]:
        """Raises ValidationError for a line that is no tag, a name that comes twice, or too many."""
        tags: dict[str, str] = {}
        for line in str(self.cleaned_data["tags"]).splitlines():
            name, equals, value = (part.strip() for part in line.partition("="))
            if not line.strip():
                continue
            if not name or not equals:
                raise forms.ValidationError(f"“{line.strip()[:80]}” is no tag: write name=value.", code="tags")
            if name.lower() in {one.lower() for one in tags}:
                raise forms.ValidationError(f"The tag {name[:80]} comes twice.", code="tags")
            tags[name] = value
        if len(tags) > TAG_MAX:
            raise forms.ValidationError(f"A resource holds at most {TAG_MAX} tags.", code="tags")
        return tags


class TapForm(TagsForm):
    """A TAP that is to be made."""

    destination = forms.CharField(widget=forms.HiddenInput, error_messages={"required": "Choose the collector that it sends to."})
    name = forms.CharField(
        max_length=80,
        label="Name",
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Letters, digits, “.”, “_” and “-”; Azure keeps it for good.",
    )
    resource_group = forms.CharField(
        max_length=90,
        label="Resource group",
        widget=forms.TextInput(attrs={"class": "input", "list": "groups", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Of the collector's subscription; type to search.",
    )

    def clean_name(self) -> str:
        """Raises ValidationError for a name that ARM does not take (the rule of Microsoft.Network's resources)."""
        name = str(self.cleaned_data["name"])
        if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,78}[A-Za-z0-9_])?", name):
            raise forms.ValidationError(
                "It begins with a letter or digit, ends with one or “_”, and holds only those, “.”, “_” and “-”.", code="name"
            )
        return name
