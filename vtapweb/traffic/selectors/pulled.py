"""The Prometheus servers that are asked for a collector's numbers, for those who may see the collector."""

from django.db.models import QuerySet

from vtapweb.domain.scope import Scope
from vtapweb.inventory.browse import in_scope
from vtapweb.traffic.models import PrometheusSource


def prometheus_sources(scope: Scope, collector_key: str) -> "QuerySet[PrometheusSource]":
    """Those of one collector, the oldest first."""
    return PrometheusSource.objects.filter(in_scope(scope), destination_key=collector_key)
