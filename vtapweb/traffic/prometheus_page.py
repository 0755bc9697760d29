"""`/collectors/<key>/prometheus`: the Prometheus servers that are asked for a collector's numbers, and what would come of one before it is kept."""

import time
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from vtapweb.access.guards import require_role
from vtapweb.access.role import Role
from vtapweb.access.viewer import ViewerRequest
from vtapweb.traffic.actions.prometheus import (
    FIELDS,
    INTERVAL_LEAST_S,
    INTERVAL_MOST_S,
    name_of,
    source_keep,
    source_remove,
    source_test,
)
from vtapweb.traffic.models import PrometheusSource
from vtapweb.traffic.pulling.notes import Note, notes_of
from vtapweb.traffic.pulling.prometheus import AnswerError, credentials
from vtapweb.traffic.pulling.shown import NoteLine
from vtapweb.traffic.samples import Points
from vtapweb.traffic.selectors.collectors import CollectorFacts, collector_of
from vtapweb.traffic.selectors.pulled import prometheus_sources
from vtapweb.traffic.words import rate_words


class SourceForm(forms.Form):
    base_url = forms.CharField(label="Address", max_length=500, help_text="Of the Prometheus, without /api: https://prometheus.example.com")
    credential = forms.ChoiceField(required=False, help_text="Named in this installation's environment; never kept in the database.")
    member_id = forms.ChoiceField(required=False, label="Machine", help_text="Whose numbers these are. All: a member for each label “instance”.")
    selector = forms.CharField(
        required=False,
        max_length=2000,
        label="Labels",
        help_text="Which series are this machine's, as between braces: instance=&quot;10.1.1.4:9100&quot;",
    )
    interval_s = forms.IntegerField(
        min_value=INTERVAL_LEAST_S, max_value=INTERVAL_MOST_S, initial=60, label="Every, in seconds", help_text="Twice its scrape interval or more."
    )
    octets_query = forms.CharField(
        required=False, max_length=2000, label="Octets a second by an expression of your own", help_text="Instead of labels: PromQL that gives rates."
    )
    packets_query = forms.CharField(required=False, max_length=2000, label="Packets a second by one")

    def __init__(self, data: Any, collector: CollectorFacts, source: PrometheusSource | None = None) -> None:
        super().__init__(data, initial={name: getattr(source, name) for name in FIELDS} if source else None)
        choices = {
            "credential": [("", "none"), *((one, one) for one in credentials())],
            "member_id": [("", "all of them"), *((one.nic_id, one.name) for one in collector.members)],
        }
        for name, values in choices.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker: it stands above
            field.choices = values


@dataclass(frozen=True, slots=True)
class Found:
    """What would come from one machine."""

    sample: Points

    @property
    def bits(self) -> str:
        """On the wire, newest."""
        octets = self.sample.points[-1].bytes_per_s
        return rate_words(None if octets is None else octets * 8)

    @property
    def packets(self) -> str:
        return rate_words(self.sample.points[-1].packets_per_s, "packets")

    @property
    def drops(self) -> str:
        return rate_words(self.sample.points[-1].drops_per_s, "packets")


@dataclass(frozen=True, slots=True)
class Row:
    source: PrometheusSource
    note: Note | None

    @property
    def line(self) -> NoteLine | None:
        return NoteLine(self.note) if self.note else None


@require_http_methods(["GET", "HEAD", "POST"])
def sources(request: ViewerRequest, key: str) -> HttpResponse:
    """Those of a collector, and a form for one more: `test` asks it, else it is kept."""
    collector = _collector(request, key)
    form = SourceForm(request.POST if request.method == "POST" else None, collector)
    return _page(request, collector, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
def source(request: ViewerRequest, key: str, pk: int) -> HttpResponse:
    """One of them, to be changed."""
    collector = _collector(request, key)
    row = get_object_or_404(prometheus_sources(request.viewer.scope, key), pk=pk)
    form = SourceForm(request.POST if request.method == "POST" else None, collector, row)
    return _page(request, collector, form, row)


@require_POST
@require_role(Role.ADMIN)
def remove(request: ViewerRequest, key: str, pk: int) -> HttpResponse:
    row = get_object_or_404(prometheus_sources(request.viewer.scope, key), pk=pk)
    source_remove(source=row, acting_user=request.viewer, request=request)
    messages.success(request, "It is not asked any more.")
    return redirect("traffic_prometheus", key)


def _page(request: ViewerRequest, collector: CollectorFacts, form: SourceForm, row: PrometheusSource | None) -> HttpResponse:
    found: list[Found] | None = None
    problem = ""
    if request.method == "POST" and form.is_valid():
        given: dict[str, Any] = {"collector": collector, "acting_user": request.viewer, "given": form.cleaned_data}
        try:
            if "test" in request.POST:
                found = [Found(one) for one in source_test(**given, now_s=time.time())]
            else:
                source_keep(**given, source=row, request=request)
                messages.success(request, "Kept. It is asked from now on.")
                return redirect("traffic_prometheus", collector.key)
        except AnswerError as error:
            problem = str(error)
        except ValidationError as error:
            for one in error.error_list:
                form.add_error(one.code if one.code in form.fields else None, one)
    rows = list(prometheus_sources(request.viewer.scope, collector.key))
    notes = notes_of(name_of(one) for one in rows)
    context = {
        "collector": collector, "form": form, "row": row, "rows": [Row(one, notes.get(name_of(one))) for one in rows], "found": found,
        "problem": problem, "may_set": request.viewer.may(Role.ADMIN),
    }  # fmt: skip
    return render(request, "traffic/prometheus.html", context, status=400 if form.errors else 200)


def _collector(request: ViewerRequest, key: str) -> CollectorFacts:
    collector = collector_of(request.viewer.scope, key)
    if collector is None or not collector.is_in_scope or not collector.is_resolved:
        raise Http404("No collector has this key, or it lies outside what you may see.")
    return collector
