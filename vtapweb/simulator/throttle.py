"""ARM's budgets: token buckets that refuse with 429 and Retry-After.

Source of the figures: "Understand how Azure Resource Manager throttles requests" (reads: 250 at once, refilled by 25 a second, per principal
and subscription; writes and deletes: 200 and 10, apart from each other) and Microsoft.Network's 10,000 reads and 1,000 writes in 5
minutes. Knows no clock: the time comes in as an argument.
"""

from dataclasses import dataclass, field
from hashlib import blake2b
from math import ceil

from vtapweb.simulator import errors


@dataclass(frozen=True, slots=True)
class Budgets:
    """Limits of a principal in one subscription. `network_reads` and `network_writes` are fixed budgets per `network_window_s`.

    Writes and deletes have a bucket each, of the same size; of the network service's writes both take.
    """

    reads_burst: int = 250
    reads_per_s: float = 25.0
    network_reads: int = 10_000
    writes_burst: int = 200
    writes_per_s: float = 10.0
    network_writes: int = 1_000
    network_window_s: float = 300.0


UNLIMITED = Budgets(10**9, 10.0**9, network_reads=10**9, writes_burst=10**9, writes_per_s=10.0**9, network_writes=10**9)


WINDOWS = {"reads": "reads", "writes": "writes", "deletes": "writes"}


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float


@dataclass(slots=True)
class _Window:
    start_s: float
    count: int = 0


@dataclass(slots=True)
class Throttle:
    budgets: Budgets = field(default_factory=Budgets)
    _buckets: dict[tuple[bytes, str, str], _Bucket] = field(default_factory=dict)
    _windows: dict[tuple[bytes, str, str], _Window] = field(default_factory=dict)

    def take(self, token: str, subscription_id: str, *, what: str = "reads", is_network: bool, now_s: float) -> int:
        """Spend one of `what` (reads, writes, deletes) and return how many are left in its bucket. Raises ArmError 429 when there is none."""
        budgets = self.budgets
        burst, per_s = (budgets.reads_burst, budgets.reads_per_s) if what == "reads" else (budgets.writes_burst, budgets.writes_per_s)
        principal = blake2b(token.encode(), digest_size=16).digest()  # no token is kept
        bucket = self._buckets.setdefault((principal, subscription_id, what), _Bucket(burst, now_s))
        bucket.tokens = min(float(burst), bucket.tokens + (now_s - bucket.at_s) * per_s)
        bucket.at_s = now_s
        if bucket.tokens < 1:
            raise errors.too_many_requests(max(1, ceil((1 - bucket.tokens) / per_s)))
        if is_network:
            self._take_of_window((principal, subscription_id, WINDOWS[what]), now_s)
        bucket.tokens -= 1
        return int(bucket.tokens)

    def _take_of_window(self, place: tuple[bytes, str, str], now_s: float) -> None:
        budgets = self.budgets
        most = budgets.network_reads if place[2] == "reads" else budgets.network_writes
        window = self._windows.setdefault(place, _Window(now_s))
        if now_s - window.start_s >= budgets.network_window_s:
            window.start_s, window.count = now_s, 0
        if window.count >= most:
            raise errors.too_many_requests(ceil(window.start_s + budgets.network_window_s - now_s), is_network_quota=True)
        window.count += 1
