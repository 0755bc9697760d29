"""Faults that are played on purpose: what goes wrong, how often, for how long.

Rule 1: deterministic. A fault counts the requests that match it, from 1, and strikes every Nth of them, or the share of them that its seed
chooses; the same seed chooses the same ones. Of faults on the wire the first that was started strikes where several would, and all of them
have counted; faults of operations strike together. Rule 2: no clock and no randomness in here; the time comes in as an argument.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b


class FaultKind(StrEnum):
    THROTTLE = "throttle"  # 429 with Retry-After
    SERVER_ERROR = "server_error"  # 500, 502, 503 or 504
    DROP = "drop"  # the connection is closed without an answer
    TRUNCATE = "truncate"  # half of the JSON body, as if it were all of it
    SLOW = "slow"  # the right answer, late
    EXPIRED_TOKEN = "expired_token"  # noqa: S105 (the name of a fault, no secret): 401 with a challenge
    LOST_ANSWER = "lost_answer"  # a write is done, and the connection closed without an answer
    LOST_REQUEST = "lost_request"  # the connection is closed before the write is done
    SLOW_OPERATION = "slow_operation"  # an operation takes longer
    FAILED_OPERATION = "failed_operation"  # an operation ends Failed
    LOST_OPERATION = "lost_operation"  # an operation ends as it should, but its address answers 404
    NOT_ON_FASTPATH = "not_on_fastpath"  # Failed for VMs that were not started since the TAP was made
    QUOTA = "quota"  # 400 for one resource too many


OPERATION_FAULTS = frozenset({FaultKind.SLOW_OPERATION, FaultKind.FAILED_OPERATION, FaultKind.LOST_OPERATION, FaultKind.NOT_ON_FASTPATH})
WRITE_FAULTS = frozenset({FaultKind.LOST_ANSWER, FaultKind.LOST_REQUEST})
METHODS = ("all", "reads", "writes")


@dataclass(slots=True)
class Fault:
    """`every` 1 strikes each request, of them `percent` by `seed`. None for `until_s` and `times` means without end.

    `path_part` narrows it to URLs that contain the text, `only` to reads or writes. `limit` is how many resources a quota allows.
    """

    kind: FaultKind
    every: int = 1
    until_s: float | None = None
    times: int | None = None
    path_part: str = ""
    retry_after_s: int = 1
    status: int = 503
    delay_ms: int = 2_000
    only: str = "all"
    percent: int = 100
    seed: int = 1
    code: str = "InternalServerError"
    message: str = "An error occurred. (simulator)"
    leaves_failed: bool = False
    limit: int = 0
    seen_count: int = 0
    struck_count: int = 0

    def matches(self, url: str, *, is_write: bool) -> bool:
        is_meant = is_write if self.only == "writes" or self.kind in WRITE_FAULTS else not (is_write and self.only == "reads")
        return is_meant and self.path_part.lower() in url.lower()

    def counts_and_strikes(self) -> bool:
        """Count one request, and say whether it is struck."""
        self.seen_count += 1
        if self.seen_count % self.every:
            return False
        dice = blake2b(f"{self.seed} {self.seen_count}".encode(), digest_size=4).digest()
        return int.from_bytes(dice, "big") % 100 < self.percent

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
            FaultKind.LOST_ANSWER: "done, and no answer",
            FaultKind.LOST_REQUEST: "connection closed before it was done",
            FaultKind.SLOW_OPERATION: f"operation longer by {self.delay_ms} ms",
            FaultKind.FAILED_OPERATION: f"operation ends Failed with {self.code}",
            FaultKind.LOST_OPERATION: "done, and the operation's address answers 404",
            FaultKind.NOT_ON_FASTPATH: "NIC is not on fastpath, until its VM was deallocated and started",
            FaultKind.QUOTA: f"no more than {self.limit}",
        }[self.kind]
        thing = "write" if self.only == "writes" or self.kind in WRITE_FAULTS | OPERATION_FAULTS | {FaultKind.QUOTA} else "request"
        thing = "read" if self.only == "reads" and thing == "request" else thing
        often = f"every {thing}" if self.every == 1 else f"every {thing} no. {self.every}"
        if self.percent < 100:
            often = f"{self.percent} % of {f'{thing}s' if self.every == 1 else often}"
        where = f" with “{self.path_part}” in its address" if self.path_part else ""
        return f"{what}: {often}{where}; struck {self.struck_count} of {self.seen_count}"


@dataclass(slots=True)
class Faults:
    active: list[Fault] = field(default_factory=list)

    def strike(self, url: str, *, now_s: float, is_write: bool = False) -> Fault | None:
        """Count one request and return the fault on the wire that hits it, if one does."""
        hit: Fault | None = None
        for fault in self._live(now_s):
            if fault.kind in OPERATION_FAULTS or fault.kind is FaultKind.QUOTA or not fault.matches(url, is_write=is_write):
                continue
            if fault.counts_and_strikes() and hit is None:
                fault.struck_count += 1
                hit = fault
        return hit

    def strike_operation(self, url: str, *, now_s: float) -> list[Fault]:
        """Count one operation that begins and return the faults that hit it, the first started first."""
        hit: list[Fault] = []
        for fault in self._live(now_s):
            if fault.kind in OPERATION_FAULTS and fault.matches(url, is_write=True) and fault.counts_and_strikes():
                fault.struck_count += 1
                hit.append(fault)
        return hit

    def quotas(self, url: str, *, now_s: float) -> list[Fault]:
        """The quotas that a write has to keep; whoever refuses counts the stroke."""
        found = [fault for fault in self._live(now_s) if fault.kind is FaultKind.QUOTA and fault.matches(url, is_write=True)]
        for fault in found:
            fault.seen_count += 1
        return found

    def _live(self, now_s: float) -> list[Fault]:
        self.active = [fault for fault in self.active if not fault.is_over(now_s)]
        return self.active
