"""What each viewer gets of one event, encoded once however many look: all of it, a call to read again, or only its number."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson

from vtapweb.domain.scope import Scope
from vtapweb.wall.door import Seat


def text_of(message: Mapping[str, Any]) -> str:
    return orjson.dumps(message).decode()


def tick(seq: int) -> str:
    """Nothing for you, but this is how far we are."""
    return text_of({"kind": "tick", "seq": seq})


def refetch(seq: int) -> str:
    """Read the snapshot again; it holds everything up to at least `seq`."""
    return text_of({"kind": "refetch", "seq": seq})


def rates_stopped(since: datetime | None) -> str:
    """Nobody measures now; `since` is when the last rates were of."""
    return text_of({"kind": "rates", "state": "stopped", "since": None if since is None else since.isoformat(timespec="milliseconds")})


def is_for(scope: Scope, kind: str, subscription_ids: Iterable[str] | None) -> bool:
    """Whether an event about these subscriptions (None: about none) is for who reads `scope`. A change is one thing, and so is a display: who is told
    of it sees all of it."""
    if subscription_ids is None:
        return True
    return scope.covers(subscription_ids) if kind in {"change", "change_state", "wall"} else scope.meets(subscription_ids)


class Numbered:
    """An event of the outbox on its way to clients. `subscription_ids` None means everybody."""

    def __init__(self, seq: int, event: Mapping[str, Any], subscription_ids: Iterable[str] | None) -> None:
        self.seq = seq
        self.event = event
        self.subscription_ids = None if subscription_ids is None else tuple(subscription_ids)

    def text_for(self, scope: Scope) -> str:
        """A delta of the topology is made from everything, so who may not read everything is told to read his own picture again."""
        if not is_for(scope, self.event["kind"], self.subscription_ids):
            return self._tick
        if self.event["kind"] == "topology" and not scope.is_everything:
            return self._refetch
        return self._whole

    def text_for_display(self, seat: Seat) -> str:
        """A display hears what is said to itself or its group, and that its picture of the estate is another one; of all else only the number."""
        if self.concerns(seat):
            return self._whole
        if self.event["kind"] == "topology" and is_for(seat.scope, "topology", self.subscription_ids):
            return refetch(self.seq)
        return self._tick

    def concerns(self, seat: Seat) -> bool:
        """Whether it is about this display or its group."""
        event = self.event
        if event["kind"] != "wall":
            return False
        return event["display"] == seat.display_id or (event["group"] is not None and event["group"] == seat.group_id)

    @cached_property
    def _whole(self) -> str:
        return text_of({**self.event, "seq": self.seq})

    @cached_property
    def _refetch(self) -> str:
        return text_of({"kind": "topology", "seq": self.seq, "revision": self.event["revision"], "delta": None, "is_refetch": True})

    @cached_property
    def _tick(self) -> str:
        return tick(self.seq)
