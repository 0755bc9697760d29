"""Pages about alarms: `/alarms`, one of them, the handover of a shift, maintenance of a collector, where alarms are sent to.

Everybody signed in reads what lies in his scope; operators act. An htmx request gets the part that moves.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from vtapweb.access.guards import require_role
from vtapweb.access.role import Role
from vtapweb.access.viewer import ViewerRequest
from vtapweb.domain.causes import HopKind, HopState
from vtapweb.domain.health import RULES
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import NetworkInterface
from vtapweb.inventory.receiving import present
from vtapweb.traffic.actions.alarms import alarm_acknowledge, alarm_mute, alarm_note, alarm_release, alarm_take, alarm_unmute
from vtapweb.traffic.actions.maintenance import maintenance_end, maintenance_plan
from vtapweb.traffic.actions.webhooks import webhook_add, webhook_remove
from vtapweb.traffic.capacity import vm_size_bits_per_s
from vtapweb.traffic.models import Alarm, AlarmDelivery, HealthLease, SourceFlow, Webhook
from vtapweb.traffic.selectors.alarms import (
    AlarmFilter,
    AlarmView,
    alarm_counts,
    alarm_events,
    alarm_of,
    alarm_view,
    alarms,
    collectors_readable,
    handover,
    maintenance_by_id,
    maintenance_of,
)
from vtapweb.traffic.selectors.collectors import CollectorFacts, collector_of
from vtapweb.traffic.selectors.receivers import receivers_shown
from vtapweb.traffic.showing import collector_shown
from vtapweb.traffic.ways import capture_filter, steps_of
from vtapweb.traffic.words import rate_words, share_words
from vtapweb.web.tables import TableQuery

FILTERS: Final = ("q", "state", "severity", "owner", "muted")
# What is known of one of several that an alarm touches, by the rule that found it.
CHILD_WORDS: Final = {
    "H1": "can't be seen", "H2": "expected; nothing has arrived", "H3": "nothing has arrived", "H4": "stopped",
    "H5": "sends, and no TAP configuration explains it", "H6": "two NICs have its address", "H7": "one direction only", "H9": "drops",
    "H10": "meets no open port", "H11": "counts packets of no source", "H12": "merges packets", "H13": "loses samples", "H14": "restarts",
}  # fmt: skip
TONES: Final = {"alarm": ("bad", "⬢"), "warning": ("warn", "▲"), "notice": ("", "·")}
HOURS: Final = [("1", "1 hour"), ("4", "4 hours"), ("8", "8 hours"), ("24", "a day"), ("168", "a week")]
SHIFTS: Final = (8, 12)
JUDGED_EACH_TURN: Final = {HopKind.AGENT.value, HopKind.INTAKE.value}
CHILDREN_TOLD: Final = 900  # whose last packet is looked up: one query takes no more keys


def _wants_part(request: ViewerRequest) -> bool:
    return bool(request.htmx) and not request.htmx.history_restore_request


def _row(view: AlarmView) -> dict[str, Any]:
    tone, glyph = TONES[view.alarm.severity]
    touched = sum(not one["ended"] for one in view.children) if view.alarm.is_open else len(view.children)
    return {"view": view, "alarm": view.alarm, "tone": tone if view.alarm.is_open else "", "glyph": glyph, "touched": touched}


def _children(view: AlarmView) -> list[dict[str, Any]]:
    """Whom it touches, with what is known of each: since when, and its last packet where one was ever seen; those that are over last. One query."""
    nics = [one["key"] for one in view.children if one["kind"] == "source"]
    flows = SourceFlow.objects.filter(nic_key__in=nics[:CHILDREN_TOLD], collector_key__in={one["collector_key"] for one in view.children})
    last = {(nic, collector): at for nic, collector, at in flows.values_list("nic_key", "collector_key", "last_at")}
    told = [
        {
            **one,
            "words": "no report" if one["kind"] in {"member", "collector"} and one["rule_id"] == "H1" else CHILD_WORDS.get(one["rule_id"], ""),
            "since": datetime.fromisoformat(one["since"]),
            "ended": datetime.fromisoformat(one["ended"]) if one["ended"] else None,
            "last_at": last.get((one["key"], one["collector_key"])),
        }
        for one in view.children
    ]
    return sorted(told, key=lambda one: (one["ended"] is not None, one["name"]))


@never_cache
@require_GET
def alarm_list(request: ViewerRequest) -> HttpResponse:
    """Open ones first; what is muted is always told."""
    now, scope = timezone.now(), request.viewer.scope
    query = TableQuery.parse(request.GET, filters=FILTERS, sorts=())
    given = query.filters
    muted = {"yes": True, "no": False}.get(given.get("muted", ""))
    wanted = AlarmFilter(
        state=given.get("state", ""), severity=given.get("severity", ""), owner=given.get("owner", ""), q=given.get("q", ""), is_muted=muted
    )
    found = alarms(scope, wanted, now=now)
    first = (query.page - 1) * query.page_size
    total = found.count()
    rows = [_row(alarm_view(scope, one, now=now)) for one in found[first : first + query.page_size]]
    context = {
        "rows": rows,
        "query": query,
        "here": query.address(),
        "total": total,
        "first": first + 1,
        "last": first + len(rows),
        "previous": query.address(page=query.page - 1 if query.page > 2 else None) if query.page > 1 else "",
        "next": query.address(page=query.page + 1) if first + len(rows) < total else "",
        "counts": alarm_counts(scope, now=now),
        "may_act": request.viewer.may(Role.OPERATOR),
    }
    return render(request, "traffic/alarms_part.html" if _wants_part(request) else "traffic/alarms.html", context)


@require_GET
def counts(request: ViewerRequest) -> HttpResponse:
    """The badge of the menu."""
    return render(request, "traffic/alarm_badge.html", {"counts": alarm_counts(request.viewer.scope, now=timezone.now())})


def _alarm(request: ViewerRequest, number: str) -> Alarm:
    found = alarm_of(request.viewer.scope, int(number))
    if found is None:
        raise Http404
    return found


@never_cache
@require_GET
def alarm(request: ViewerRequest, number: str) -> HttpResponse:
    """One alarm: what, since when, where it breaks, whom it touches, what happened, who has it."""
    now, scope = timezone.now(), request.viewer.scope
    one = _alarm(request, number)
    view = alarm_view(scope, one, now=now)
    addresses = _addresses(scope, view)
    judged_at = HealthLease.objects.filter(pk=1).values_list("evaluated_at", flat=True).first() if one.is_open else None
    moving = {"seen_at": judged_at.isoformat()} if judged_at else {}  # agents that report are seen in every turn, and not written down each time
    path = [{**hop, **moving} if hop["state"] == HopState.OK and hop["kind"] in JUDGED_EACH_TURN else hop for hop in view.path]
    before = [{**change, "at": datetime.fromisoformat(change["at"])} for change in view.happened_before]
    context = {
        "row": _row(view),
        "view": view,
        "is_collector_told": bool(collectors_readable(request.viewer.scope, [view.alarm.collector_key])) and not view.is_hidden,
        "alarm": one,
        "steps": steps_of(path, at=now),
        "children": _children(view),
        "before": before,
        "rules": [RULES[rule] for rule in one.rule_ids],
        "events": alarm_events(scope, one),
        "capture": capture_filter(addresses) or "udp port 4789",
        "hours": HOURS,
        "may_act": request.viewer.may(Role.OPERATOR),
    }
    return render(request, "traffic/alarm_part.html" if _wants_part(request) else "traffic/alarm.html", context)


def _addresses(scope: Scope, view: AlarmView) -> list[str]:
    """Outer source addresses of the first few children, for a capture on the collector; one query."""
    told = [one["key"] for one in view.children if one["kind"] == "address"][:8]
    nics = [one["key"] for one in view.children if one["kind"] == "source"][:8]
    for ips in present(NetworkInterface, scope).filter(key__in=nics).values_list("private_ips", flat=True) if nics else ():
        told += [ip for ip in ips if ":" not in ip]
    return sorted(set(told))


class MuteForm(forms.Form):
    hours = forms.TypedChoiceField(choices=HOURS, coerce=int)
    reason = forms.CharField(max_length=1000, error_messages={"required": "Say why: whoever reads “muted” in the night wants to know."})


@require_POST
@require_role(Role.OPERATOR)
def act(request: ViewerRequest, number: str, deed: str) -> HttpResponse:
    """One button of an alarm; back to where it was pressed."""
    one = _alarm(request, number)
    simple: dict[str, Callable[..., Alarm]] = {
        "take": alarm_take, "release": alarm_release, "acknowledge": alarm_acknowledge, "unmute": alarm_unmute,
    }  # fmt: skip
    try:
        if deed in simple:
            simple[deed](alarm=one, acting_user=request.viewer, request=request)
        elif deed == "note":
            alarm_note(alarm=one, text=request.POST.get("text", ""), acting_user=request.viewer, request=request)
        else:
            form = MuteForm(request.POST)
            if not form.is_valid():
                raise ValidationError([text for texts in form.errors.values() for text in texts])
            until = timezone.now() + timedelta(hours=form.cleaned_data["hours"])
            alarm_mute(alarm=one, until=until, reason=form.cleaned_data["reason"], acting_user=request.viewer, request=request)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    if request.POST.get("back") == "list":
        return redirect("alarms")
    return redirect("alarm", one.number)


@never_cache
@require_GET
def handover_page(request: ViewerRequest) -> HttpResponse:
    """The last 8 or 12 hours, for whoever comes next; printable."""
    hours = 12 if request.GET.get("hours") == "12" else 8
    now = timezone.now()
    told = handover(request.viewer.scope, hours=hours, now=now)
    context = {"told": told, "hours": hours, "shifts": SHIFTS, "counts": alarm_counts(request.viewer.scope, now=now)}
    return render(request, "traffic/handover.html", context)


# -- maintenance


class MaintenanceForm(forms.Form):
    owner = forms.CharField(required=False, max_length=200, label="Who does it")
    reason = forms.CharField(required=False, max_length=2000, label="What is done", widget=forms.Textarea(attrs={"rows": 2}))
    member_key = forms.ChoiceField(required=False, label="Which part")
    starts_at = forms.DateTimeField(
        required=False, label="From (UTC)", help_text="Empty: now.", widget=forms.DateTimeInput(attrs={"type": "datetime-local", "class": "input"})
    )
    ends_at = forms.DateTimeField(label="To (UTC)", widget=forms.DateTimeInput(attrs={"type": "datetime-local", "class": "input"}))
    ticket = forms.CharField(required=False, max_length=200)

    def __init__(self, data: Any, collector: CollectorFacts) -> None:
        super().__init__(data)
        self.fields["member_key"].choices = [("", "the whole collector"), *((one.nic_key, one.name) for one in collector.members)]  # type: ignore[attr-defined]


def _collector(request: ViewerRequest, key: str) -> CollectorFacts:
    found = collector_of(request.viewer.scope, key)
    if found is None or not found.is_in_scope:
        raise Http404
    return found


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def maintenance(request: ViewerRequest, key: str) -> HttpResponse:
    """What is planned for a collector, a form for more, and what the other members would carry."""
    collector = _collector(request, key)
    form = MaintenanceForm(request.POST if request.method == "POST" else None, collector)
    if request.method == "POST" and form.is_valid():
        try:
            row = maintenance_plan(collector=collector, acting_user=request.viewer, request=request, **form.cleaned_data)
            messages.success(request, f"Planned. Its own health raises no alarm until {row.ends_at:%Y-%m-%d %H:%M} UTC.")
            return redirect("traffic_maintenance", key)
        except ValidationError as error:
            for one in error.error_list:
                form.add_error(one.code if one.code in form.fields else None, one)
    context = {
        "collector": collector,
        "form": form,
        "rows": maintenance_of(request.viewer.scope, key, now=timezone.now()),
        "loads": _loads(request, key),
        "may_act": request.viewer.may(Role.OPERATOR),
    }
    return render(request, "traffic/maintenance.html", context, status=400 if form.errors else 200)


def _loads(request: ViewerRequest, key: str) -> list[str]:
    """For each member a sentence about what the others carry while it is away, from the rates of now."""
    shown = collector_shown(request.viewer.scope, key, at=timezone.now())
    members = list(shown.now.members) if shown is not None and shown.now is not None else []
    total = sum(one.wire_bits_per_s for one in members if one.wire_bits_per_s is not None)
    names = {one.nic_key: one.name for one in shown.facts.members} if shown is not None else {}
    if len(members) < 2 or any(one.wire_bits_per_s is None for one in members):
        return []
    sizes = {one.nic_key: vm_size_bits_per_s(one.vm_size) for one in shown.facts.members} if shown is not None else {}
    told = []
    for one in members:
        rest = [other for other in members if other is not one]
        each = total / len(rest)
        takes = [bits for other in rest if (bits := sizes.get(other.nic_key)) is not None]
        share = f" ({share_words(each / min(takes))} of {rate_words(min(takes))})" if len(takes) == len(rest) else ""
        if len(rest) == 1:
            carry = f"{names.get(rest[0].nic_key, rest[0].member)} would carry all of it: {rate_words(total)}{share}."
        else:
            carry = f"the other {len(rest)} would carry {rate_words(total)}, each {rate_words(each)}{share} if it is spread evenly."
        told.append(f"Without {names.get(one.nic_key, one.member)} ({rate_words(one.wire_bits_per_s)} now), {carry}")
    return told


@require_POST
@require_role(Role.OPERATOR)
def maintenance_stop(request: ViewerRequest, key: str, pk: str) -> HttpResponse:
    row = maintenance_by_id(request.viewer.scope, int(pk))
    if row is None or row.collector_key != key:
        raise Http404
    maintenance_end(maintenance=row, acting_user=request.viewer, request=request)
    messages.success(request, "Ended. If nothing arrives there, that is an alarm now.")
    return redirect("traffic_maintenance", key)


# -- where alarms are sent to


class WebhookForm(forms.Form):
    name = forms.CharField(required=False, max_length=100)
    url = forms.CharField(required=False, max_length=2000, label="Address", help_text="https://, on a host of VTAPWEB_TRAFFIC_WEBHOOK_HOSTS.")
    least_severity = forms.ChoiceField(choices=Alarm.Severity.choices, initial=Alarm.Severity.ALARM, label="From this severity on")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def webhooks(request: ViewerRequest) -> HttpResponse:
    """Where alarms go. The secret of a new one is in this answer and nowhere else."""
    may_set = request.viewer.may(Role.ADMIN) and request.viewer.scope.is_everything
    form = WebhookForm(request.POST if request.method == "POST" else None)
    made = None
    if request.method == "POST" and form.is_valid():
        try:
            made = webhook_add(acting_user=request.viewer, request=request, **form.cleaned_data)
        except ValidationError as error:
            for one in error.error_list:
                form.add_error(one.code if one.code in form.fields else None, one)
    context = {
        "receivers": receivers_shown(request.viewer.scope) if may_set else [],
        "failed": AlarmDelivery.objects.filter(state="failed").select_related("webhook", "alarm").order_by("-pk")[:10] if may_set else [],
        "hosts": settings.TRAFFIC_WEBHOOK_HOSTS if may_set else [],
        "has_mail": bool(settings.TRAFFIC_ALARM_EMAIL_TO),
        "form": WebhookForm() if made else form,
        "made": made,
        "may_set": may_set,
    }
    return render(request, "traffic/webhooks.html", context, status=400 if form.errors else 200)


@require_POST
@require_role(Role.ADMIN)
def webhook_end(request: ViewerRequest, pk: int) -> HttpResponse:
    webhook_remove(webhook=get_object_or_404(Webhook, pk=pk), acting_user=request.viewer, request=request)
    messages.success(request, "Nothing is sent there any more.")
    return redirect("traffic_webhooks")
