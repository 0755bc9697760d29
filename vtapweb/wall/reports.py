"""What displays tell about themselves, kept in Redis for a day: the only copy, and of no worth once it is old.

Rule: a report is what a screen says. It is shown as such and decides nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from redis.exceptions import RedisError

from vtapweb.domain.plain_text import storable
from vtapweb.traffic.store import NoStoreError, store

REPORT: Final = "vtapweb:wall:report:"  # + the display's number
KEPT_S = 24 * 3600
ON_WITHIN = timedelta(seconds=15)
MOST_MS = 2**53
MOST_AGO_MS = 10 * 366 * 24 * 3600 * 1000


class Report(BaseModel):
    """What a display says every five seconds, and when it was heard (`at_ms`). `frames_per_s` that it draws, `drawn_ms` how long the last drawing
    took, `drawn_ago_ms` when that was, `errors` since the page was loaded, `clock_off_s` how far the screen's own clock is wrong."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at_ms: int = 0
    version: Annotated[str, Field(max_length=64)] = ""
    frames_per_s: Annotated[float, Field(ge=0, le=1000)] | None = None
    drawn_ms: Annotated[float, Field(ge=0, le=MOST_MS)] | None = None
    drawn_ago_ms: Annotated[float, Field(ge=0, le=MOST_AGO_MS)] | None = None
    heap_octets: Annotated[int, Field(ge=0, le=MOST_MS)] | None = None
    errors: Annotated[int, Field(ge=0, le=10**9)] = 0
    last_error: Annotated[str, Field(max_length=300)] = ""
    view: int | None = None
    size: tuple[Annotated[int, Field(ge=0, le=100_000)], Annotated[int, Field(ge=0, le=100_000)]] | None = None
    clock_off_s: Annotated[float, Field(ge=-1e10, le=1e10)] | None = None

    @property
    def at(self) -> datetime:
        """When the server heard it."""
        return datetime.fromtimestamp(self.at_ms / 1000, UTC)

    def is_on(self, now: datetime) -> bool:
        """Whether the display counts as switched on: heard within 15 s."""
        return now - self.at <= ON_WITHIN


def report_of(said: Mapping[str, Any], *, now: datetime) -> Report | None:
    """A message `report` as a value; None for what is none."""
    try:
        report = Report.model_validate({**said, "at_ms": int(now.timestamp() * 1000)})
    except ValidationError:
        return None
    return report.model_copy(update={"last_error": storable(report.last_error), "version": storable(report.version)})


def reports_keep(reports: Mapping[int, Report]) -> None:
    """Store these by the display's number, in one trip. Raises RedisError, NoStoreError."""
    pipe = store().pipeline(transaction=False)
    for pk, report in reports.items():
        pipe.set(f"{REPORT}{pk}", msgspec.msgpack.encode(report.model_dump(mode="json")), ex=KEPT_S)
    pipe.execute()


def reports_of(display_ids: Iterable[int]) -> dict[int, Report] | None:
    """The newest report of each display that told one within a day, in one trip; None where nobody can tell, for Redis is away. What another release
    wrote and cannot be read is left out."""
    wanted = list(display_ids)
    if not wanted:
        return {}
    try:
        found: list[bytes | None] = store().mget([f"{REPORT}{pk}" for pk in wanted])  # type: ignore[assignment]  # nothing is decoded for us
    except (RedisError, NoStoreError, OSError):
        return None
    reports = {pk: _read(octets) for pk, octets in zip(wanted, found, strict=True) if octets is not None}
    return {pk: report for pk, report in reports.items() if report is not None}


def _read(octets: bytes) -> Report | None:
    try:
        return Report.model_validate(msgspec.msgpack.decode(octets))
    except (msgspec.DecodeError, ValidationError):
        return None
