"""The messages, one frozen class each, told apart by `kind`. Their JSON is what the browser gets; `extra="forbid"` keeps both sides honest.

Rule 1: an event says that something changed and where to read it, or carries the change itself; it is never the only place where a fact
stands. Rule 2: a message about progress has no number and may be lost.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class Message(BaseModel):
    """What every message shares."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class TopologyEvent(Message):
    """The graph has a new revision. `delta` as docs/topology.md describes it; None with `is_refetch` when it is cheaper to read it all again."""

    kind: Literal["topology"] = "topology"
    revision: str
    delta: dict[str, Any] | None = None
    is_refetch: bool = False


class SyncEvent(Message):
    """A run came into another state; `run_id` is what `GET /api/v1/syncs/{id}` takes."""

    kind: Literal["sync"] = "sync"
    run_id: int
    state: Literal["queued", "running", "complete", "partial", "failed", "cancelled"]


class KindProgress(Message):
    """How far one list of one subscription has been read: items sent by the server and rows written, so far."""

    state: Literal["reading", "complete", "partial", "failed", "not_available", "held"]
    sent_count: int = 0
    written_count: int = 0
    failure: str = ""  # a cloud.port.Failure, "" for none


class SyncProgress(Message):
    """Where one subscription's sync stands; at most two a second for a subscription, latest wins, nothing is replayed."""

    kind: Literal["sync_progress"] = "sync_progress"
    run_id: int
    subscription_id: str
    state: Literal["queued", "running", "complete", "partial", "failed", "cancelled"]
    kinds: dict[str, KindProgress] = {}
    at: datetime


ChangeStateName = Literal["planned", "applying", "paused", "applied", "partly_applied", "failed", "cancelled", "handed_over"]
StepStateName = Literal["pending", "sent", "polling", "verified", "failed", "skipped"]


class ChangeEvent(Message):
    """A change to Azure came into another state; `change_id` is what `GET /api/v1/changes/{id}` takes."""

    kind: Literal["change_state"] = "change_state"
    change_id: int
    state: ChangeStateName
    stop_code: str = ""  # why it paused or ended early, "" for no special reason


class StepProgress(Message):
    """Where one step of a change stands. `wait_code`: why it waits, "" when it does not."""

    step_id: int
    ordinal: int
    wave: int
    nic_key: str  # "" for a step about a TAP itself
    target_key: str
    state: StepStateName
    wait_code: str = ""
    error_code: str = ""
    error_message: str = ""


class ChangeProgress(Message):
    """One step of a change moved (`step`), or the change as a whole did (None). The latest one of a step wins, nothing is replayed."""

    kind: Literal["change"] = "change"
    change_id: int
    state: ChangeStateName
    counts: dict[StepStateName, int] = {}  # steps by state, absent ones are 0
    step: StepProgress | None = None
    at: datetime


class HealthEvent(Message):
    """An alarm or the health of a collector moved. It names no resource: `GET /api/v1/alarms` tells what its reader may see.

    `alarm` is the alarm's number (the 117 of A-117), None where a collector's state moved without one; `collector_key` "" where several are meant.
    """

    kind: Literal["health"] = "health"
    alarm: int | None = None
    deed: Literal["raised", "changed", "cleared", "deed", "state"]  # "deed": somebody took, muted, noted…; "state": of the collector
    collector_key: str = ""
    state: str = ""  # a domain.health.CollectorState for "state", else ""


class WallEvent(Message):
    """A display, or the displays of a group, are to look again, to show their name, to load themselves anew, or are no longer displays.

    Exactly one of `display` and `group` is set. It says nothing about resources: a display reads `GET /wall/state`, people the list of displays.
    """

    kind: Literal["wall"] = "wall"
    deed: Literal["state", "identify", "reload", "revoked"]
    display: int | None = None
    group: int | None = None


Event = Annotated[TopologyEvent | SyncEvent | ChangeEvent | HealthEvent | WallEvent, Field(discriminator="kind")]
ProgressEvent = SyncProgress | ChangeProgress

event_adapter: TypeAdapter[TopologyEvent | SyncEvent | ChangeEvent | HealthEvent | WallEvent] = TypeAdapter(Event)
