"""What was written, by whom and when: one entry a write, refused or not, so that a test can prove what was sent and what overlapped.

A write is in flight from the moment it is taken until its operation has ended; `overlaps` names the pairs of one availability set that were
in flight together.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

KEPT = 20_000  # writes that are remembered, the newest


@dataclass(slots=True)
class Write:
    """`status` 0 means that nobody was answered. `state` is refused, lost (before it was done), done, InProgress, Succeeded or Failed.

    `ended_unix_s` is None while its operation runs. `in_flight` are the numbers of the writes under way when this one was taken.
    """

    number: int
    method: str
    path: str
    body: Any
    begun_unix_s: float
    client_request_id: str = ""
    correlation_id: str = ""
    status: int = 0
    code: str = ""
    state: str = "refused"
    ended_unix_s: float | None = None
    operation_id: str = ""
    nic: str = ""
    vm: str = ""
    availability_set: str = ""
    pools: list[str] = field(default_factory=list)
    in_flight: list[int] = field(default_factory=list)
    fault: str = ""

    @property
    def was_taken(self) -> bool:
        return self.state not in {"refused", "lost"}

    @property
    def took_s(self) -> str:
        """How long it was under way, for people."""
        return "" if self.ended_unix_s is None else f"{self.ended_unix_s - self.begun_unix_s:.1f}"

    def overlapped(self, other: "Write") -> bool:
        """Whether both were under way at one moment."""
        one_end = float("inf") if self.ended_unix_s is None else self.ended_unix_s
        other_end = float("inf") if other.ended_unix_s is None else other.ended_unix_s
        return self.begun_unix_s < other_end and other.begun_unix_s < one_end


@dataclass(slots=True)
class WriteLog:
    """Entries by number, from 1, in the order in which the writes came."""

    entries: dict[int, Write] = field(default_factory=dict)
    _running: dict[int, Write] = field(default_factory=dict)
    _next: int = 1
    _changed: set[int] = field(default_factory=set)

    def open(self, **values: Any) -> Write:
        """A new entry; the caller fills it and closes it."""
        write = Write(number=self._next, **values)
        self._next += 1
        self.entries[write.number] = write
        if len(self.entries) > KEPT:
            del self.entries[next(iter(self.entries))]
        return write

    def close(self, write: Write) -> None:
        """The answer is known. A write whose operation runs stays in flight until `ended`."""
        if write.was_taken:
            write.in_flight = sorted(self._running)
        if write.state == "InProgress":
            self._running[write.number] = write
        else:
            write.ended_unix_s = write.begun_unix_s
        self._changed.add(write.number)

    def ended(self, number: int, state: str, at_unix_s: float) -> None:
        """The operation of a write has ended."""
        self._running.pop(number, None)
        write = self.entries.get(number)
        if write is not None:
            write.state, write.ended_unix_s = state, at_unix_s
            self._changed.add(number)

    def overlaps(self) -> list[dict[str, Any]]:
        """The pairs of different VMs of one availability set whose writes were in flight together."""
        groups: dict[str, list[Write]] = {}
        for write in self.entries.values():
            if write.availability_set and write.was_taken:
                groups.setdefault(write.availability_set.lower(), []).append(write)
        return [
            {"availability_set": one.availability_set, "writes": [one.number, other.number]}
            for writes in groups.values()
            for place, one in enumerate(writes)
            for other in writes[place + 1 :]
            if one.vm.lower() != other.vm.lower() and one.overlapped(other)
        ]

    def shown(self) -> dict[str, Any]:
        """What `GET /_control/writes` answers."""
        return {"value": [asdict(write) for write in self.entries.values()], "overlaps": self.overlaps()}

    def clear(self) -> None:
        """Forget what has ended; what is in flight stays, so that its end is seen. Numbers go on."""
        self.entries = dict(self._running)
        self._changed = set(self._running)

    def restore(self, writes: Iterable[Write]) -> None:
        self.entries = {write.number: write for write in writes}
        self._running = {number: write for number, write in self.entries.items() if write.state == "InProgress"}
        self._next = max(self.entries, default=0) + 1

    def take_changes(self) -> list[Write]:
        """Entries that are new or have ended since the last call."""
        changed, self._changed = self._changed, set()
        return [self.entries[number] for number in sorted(changed) if number in self.entries]
