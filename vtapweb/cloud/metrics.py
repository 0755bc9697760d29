"""Azure Monitor's batch of metrics: where it is, what is asked, what the answer says. Pure.

Source: learn.microsoft.com "How to migrate from the metrics API to the getBatch API". Region hosts and scopes of the sovereign clouds are those
that azure-monitor-querymetrics names; not verified there.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4

import msgspec

from vtapweb.cloud import versions
from vtapweb.cloud.port import NIC_METRICS, CloudError, Failure
from vtapweb.cloud.types import MetricSeries

MOST_RESOURCES: Final = 50  # a call, all of one subscription, region and type
MOST_SERIES: Final = 500  # of one resource that is split by a dimension; without a word Azure sends ten
NOT_AVAILABLE: Final = "MetricsNotAvailable"
_REGION = re.compile(r"[a-z0-9]{1,40}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cloud's metrics are: `endpoint` may hold {region}; `scope` is what its token is for."""

    endpoint: str
    scope: str

    def endpoint_of(self, region: str) -> str:
        """The endpoint of one region. Raises CloudError for what is no region's name: it becomes part of a host name that gets a token."""
        if "{region}" not in self.endpoint:
            return self.endpoint
        if not _REGION.fullmatch(region):
            raise CloudError(Failure.REFUSED, code="NoRegion", message="Azure Monitor is asked by region, and this resource names none.")
        return self.endpoint.replace("{region}", region)


PLACES: dict[str, Place] = {
    "public": Place("https://{region}.metrics.monitor.azure.com", "https://metrics.monitor.azure.com/.default"),
    "usgov": Place("https://{region}.metrics.monitor.azure.us", "https://metrics.monitor.azure.us/.default"),
    "china": Place("https://{region}.metrics.monitor.azure.cn", "https://metrics.monitor.azure.cn/.default"),
}


def path(
    subscription_id: str, names: Sequence[str], start: datetime, end: datetime, interval: str, *, namespace: str = NIC_METRICS, split_by: str = ""
) -> str:
    """Path and query of a call for totals. `start` and `end` are aware; `interval` is an ISO duration such as PT1M; `split_by` names a dimension."""
    query = {
        "api-version": versions.METRICS.api_version,
        "metricnamespace": namespace,
        "metricnames": ",".join(names),
        "starttime": _utc(start),
        "endtime": _utc(end),
        "interval": interval,
        "aggregation": "total",
    }
    if split_by:
        query |= {"filter": f"{split_by} eq '*'", "top": str(MOST_SERIES)}
    return f"/subscriptions/{subscription_id}{versions.METRICS.path}?{urlencode(query)}"


def body(resource_ids: Sequence[str]) -> bytes:
    """The body of a call; the key is lower-case. Raises ValueError for more ids than a call takes."""
    if not 0 < len(resource_ids) <= MOST_RESOURCES:
        raise ValueError(f"A call takes 1 to {MOST_RESOURCES} resources, not {len(resource_ids)}")
    return msgspec.json.encode({"resourceids": list(resource_ids)})


def request_id() -> str:
    """A name for one request."""
    return str(uuid4())


def series(answer: bytes) -> tuple[MetricSeries, ...]:
    """Every series of the answer. Raises CloudError BROKEN_BODY for what is none.

    A metric whose errorCode is not "Success" and a resource without its id give nothing; buckets without a total have None.
    """
    try:
        document = msgspec.json.decode(answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CloudError(Failure.BROKEN_BODY, message="The metrics' answer is no JSON.") from error
    values = document.get("values") if isinstance(document, dict) else None
    if not isinstance(values, list):
        raise CloudError(Failure.BROKEN_BODY, message="The metrics' answer holds no values.")
    found: list[MetricSeries] = []
    for value in filter(_is_object, values):
        resource_id = value.get("resourceid") or value.get("resourceId")
        if isinstance(resource_id, str):
            for metric in filter(_is_object, _list(value.get("value"))):
                found += _of_metric(resource_id, metric)
    return tuple(found)


def _of_metric(resource_id: str, metric: dict[str, Any]) -> list[MetricSeries]:
    """One series for each value of the dimension that the call was split by; one where it was not."""
    name = metric.get("name")
    text = name.get("value") if isinstance(name, dict) else name
    if not isinstance(text, str) or str(metric.get("errorCode") or "Success").lower() != "success":
        return []
    by_value: dict[str, dict[float, float | None]] = {}
    for timeseries in filter(_is_object, _list(metric.get("timeseries"))):
        totals = by_value.setdefault(_dimension(timeseries), {})
        for bucket in filter(_is_object, _list(timeseries.get("data"))):
            at = _unix_s(bucket.get("timeStamp"))
            if at is not None:
                totals[at] = _sum(totals.get(at), bucket.get("total"))
    return [
        MetricSeries(resource_id=resource_id, name=text, totals=tuple(sorted(totals.items())), dimension=value)
        for value, totals in (by_value or {"": {}}).items()
    ]


def _dimension(timeseries: dict[str, Any]) -> str:
    """The value of the first dimension, "" without one."""
    for one in filter(_is_object, _list(timeseries.get("metadatavalues"))):
        value = one.get("value")
        if isinstance(value, str):
            return value
    return ""


def _sum(before: float | None, total: object) -> float | None:
    """Series that are split by a dimension add up; a bucket in none of which is a total stays None."""
    if isinstance(total, bool) or not isinstance(total, int | float):
        return before
    return (before or 0.0) + total


def _unix_s(text: object) -> float | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() if moment else None


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
