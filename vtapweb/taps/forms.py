"""Forms of the taps room's settings: what a browser sent, as plain values. The rules are the actions' business."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from vtapweb.domain.window import WEEKDAYS, UnknownZoneError, zone_of
from vtapweb.inventory.partners import partners
from vtapweb.taps.models import ProtectedScope


def errors_take(form: forms.Form, error: ValidationError) -> None:
    """Puts what an action refused beside the field that it is about: its code names the field; else on top of the form."""
    found = [one for one in error.error_list if one.code in form.fields]
    for one in found:
        form.add_error(one.code, one)
    rest = [one for one in error.error_list if one not in found]
    if rest:
        form.add_error(None, ValidationError(rest))


class SwitchForm(forms.Form):
    """The subscriptions that are ticked, why, and whether the notice is accepted."""

    subscriptions = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    reason = forms.CharField(required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))
    notice = forms.BooleanField(required=False)

    def __init__(self, data: Mapping[str, Any] | None = None, *, choices: list[tuple[str, str]]) -> None:
        super().__init__(data)
        self.fields["subscriptions"].choices = choices  # type: ignore[attr-defined] # MultipleChoiceField


class ProtectForm(forms.Form):
    kind = forms.ChoiceField(choices=ProtectedScope.Kind.choices, label="What")
    value = forms.CharField(
        required=False,
        max_length=2000,
        label="Which",
        help_text="A subscription id; the ARM id of a VNet, subnet or TAP destination; a tag as name=value, or its name for every value.",
    )
    for_collector_id = forms.CharField(
        required=False, max_length=2000, label="Only for this collector", help_text="The ARM id of a TAP's destination. Empty: for all of them."
    )
    owner = forms.CharField(required=False, max_length=200, help_text="Who decides about it.")
    contact = forms.CharField(required=False, max_length=200, help_text="How to reach them: whoever is refused reads this.")
    note = forms.CharField(required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))


class WindowForm(forms.Form):
    name = forms.CharField(required=False, max_length=100)
    weekdays = forms.TypedMultipleChoiceField(
        required=False, coerce=int, choices=list(enumerate(WEEKDAYS)), widget=forms.CheckboxSelectMultiple, label="Opens on"
    )
    opens = forms.TimeField(widget=forms.TimeInput(attrs={"type": "time", "class": "input"}), label="From")
    closes = forms.TimeField(
        widget=forms.TimeInput(attrs={"type": "time", "class": "input"}), label="To", help_text="At or before the start: on the next day."
    )
    zone = forms.CharField(required=False, max_length=64, label="Time zone", help_text="Like Europe/London.", initial="UTC")


class AssignmentForm(forms.Form):
    destination_id = forms.CharField(
        required=False, max_length=2000, label="Destination", help_text="The ARM id of a NIC's ipConfiguration, or of a load balancer's frontend."
    )
    name = forms.CharField(required=False, max_length=200, help_text="What you call it.")
    partner = forms.ChoiceField(required=False, label="Product")
    capacity = forms.DecimalField(
        required=False, min_value=0, max_digits=9, decimal_places=3, label="Takes at most, Gb/s", help_text="Empty: not known."
    )
    owner = forms.CharField(required=False, max_length=200)
    note = forms.CharField(required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, data: Mapping[str, Any] | None = None, **given: Any) -> None:
        super().__init__(data, **given)
        self.fields["partner"].choices = [("", "as recognised"), *((one.key, one.name) for one in partners())]  # type: ignore[attr-defined]

    def capacity_bits_per_s(self) -> int | None:
        """The capacity in bits per second, None where none was given."""
        value = self.cleaned_data["capacity"]
        return None if value is None else int(value * 1_000_000_000)


class AdoptForm(forms.Form):
    """Who answers for what nobody here made, and why."""

    owner = forms.CharField(required=False, max_length=200, help_text="Who answers for it from now on.")
    reason = forms.CharField(required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2}), help_text="It stands in the audit record.")
    ticket = forms.CharField(required=False, max_length=200)
    expires_at = forms.DateField(
        required=False,
        widget=forms.DateInput(attrs={"type": "date", "class": "input"}),
        label="Expires",
        help_text="The last day (UTC) on which it may be there. Empty: no end.",
    )


class EvidenceForm(forms.Form):
    """Whose mirrors, and between which days of which zone."""

    of = forms.CharField(required=False, max_length=2000, label="Of")
    since = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date", "class": "input"}), label="From")
    until = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date", "class": "input"}), label="To")
    zone = forms.CharField(required=False, max_length=64, label="Days of")

    def clean_zone(self) -> str:
        """A zone of the IANA database; UTC for none."""
        try:
            return zone_of(self.cleaned_data["zone"] or "UTC").key
        except UnknownZoneError as problem:
            raise ValidationError(str(problem)) from problem

    def clean(self) -> dict[str, Any]:
        """A span does not end before it begins."""
        cleaned: dict[str, Any] = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            raise ValidationError("The last day lies before the first.", code="until")
        return cleaned
