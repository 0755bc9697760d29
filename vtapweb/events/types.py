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


Event = Annotated[TopologyEvent | SyncEvent, Field(discriminator="kind")]
ProgressEvent = SyncProgress

event_adapter: TypeAdapter[TopologyEvent | SyncEvent] = TypeAdapter(Event)
