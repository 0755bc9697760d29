"""Faults that are played on purpose: what goes wrong, how often, for how long.

Rule 1: deterministic. A fault counts the requests that match it, from 1, and strikes every Nth; where several would strike, the first that
was started does, and all of them have counted. Rule 2: no clock and no randomness in here; the time comes in as an argument.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class FaultKind(StrEnum):
    THROTTLE = "throttle"  # 429 with Retry-After
    SERVER_ERROR = "server_error"  # 500, 502, 503 or 504
    DROP = "drop"  # the connection is closed without an answer
    TRUNCATE = "truncate"  # half of the JSON body, as if it were all of it
    SLOW = "slow"  # the right answer, late
    EXPIRED_TOKEN = "expired_token"  # noqa: S105 (the name of a fault, no secret): 401 with a challenge


@dataclass(slots=True)
class Fault:
    """`every` 1 strikes each request. None for `until_s` and `times` means without end. `path_part` narrows it to URLs that contain the text."""

    kind: FaultKind
    every: int = 1
    until_s: float | None = None
    times: int | None = None
    path_part: str = ""
    retry_after_s: int = 1
    status: int = 503
    delay_ms: int = 2_000
    seen_count: int = 0
    struck_count: int = 0

    def is_over(self, now_s: float) -> bool:
        return (self.until_s is not None and now_s >= self.until_s) or (self.times is not None and self.struck_count >= self.times)

    def remaining_s(self, now_s: float) -> float | None:
        """Seconds until it ends by itself, None when time does not end it."""
        return None if self.until_s is None else max(0.0, self.until_s - now_s)

    def sentence_at(self, now_s: float) -> str:
        """What it does and for how long still."""
        left_s = self.remaining_s(now_s)
        return self.sentence if left_s is None else f"{self.sentence}; ends in {left_s:.0f} s"

    @property
    def sentence(self) -> str:
        """What it does, for people."""
        what = {
            FaultKind.THROTTLE: f"429 with Retry-After {self.retry_after_s} s",
            FaultKind.SERVER_ERROR: f"{self.status} server error",
            FaultKind.DROP: "dropped connection",
            FaultKind.TRUNCATE: "truncated JSON",
            FaultKind.SLOW: f"answer late by {self.delay_ms} ms",
            FaultKind.EXPIRED_TOKEN: "401 expired token",
        }[self.kind]
        often = "every request" if self.every == 1 else f"every request no. {self.every}"
        where = f" with “{self.path_part}” in its address" if self.path_part else ""
        return f"{what}: {often}{where}; struck {self.struck_count} of {self.seen_count}"


@dataclass(slots=True)
class Faults:
    active: list[Fault] = field(default_factory=list)

    def strike(self, url: str, *, now_s: float) -> Fault | None:
        """Count one request and return the fault that hits it, if one does."""
        self.active = [fault for fault in self.active if not fault.is_over(now_s)]
        hit: Fault | None = None
        for fault in self.active:
            if fault.path_part.lower() not in url.lower():
                continue
            fault.seen_count += 1
            if hit is None and fault.seen_count % fault.every == 0:
                fault.struck_count += 1
                hit = fault
        return hit
