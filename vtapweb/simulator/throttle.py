"""ARM's read budgets: token buckets that refuse with 429 and Retry-After.

Source of the figures: "Understand how Azure Resource Manager throttles requests" (reads: 250 at once, refilled by 25 a second, per principal
and subscription) and Microsoft.Network's 10,000 reads in 5 minutes. Knows no clock: the time comes in as an argument.
"""

from dataclasses import dataclass, field
from hashlib import blake2b
from math import ceil

from vtapweb.simulator import errors


@dataclass(frozen=True, slots=True)
class Budgets:
    """Limits of a principal in one subscription. `network_reads` is a fixed budget per `network_window_s`."""

    reads_burst: int = 250
    reads_per_s: float = 25.0
    network_reads: int = 10_000
    network_window_s: float = 300.0


UNLIMITED = Budgets(reads_burst=10**9, reads_per_s=10.0**9, network_reads=10**9)


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float
    window_start_s: float
    window_count: int = 0


@dataclass(slots=True)
class Throttle:
    budgets: Budgets = field(default_factory=Budgets)
    _buckets: dict[tuple[bytes, str], _Bucket] = field(default_factory=dict)

    def take(self, token: str, subscription_id: str, *, is_network: bool, now_s: float) -> int:
        """Spend one read and return how many are left in the bucket. Raises ArmError 429 when there is none."""
        budgets = self.budgets
        principal = blake2b(token.encode(), digest_size=16).digest()  # no token is kept
        bucket = self._buckets.setdefault((principal, subscription_id), _Bucket(budgets.reads_burst, now_s, now_s))
        bucket.tokens = min(float(budgets.reads_burst), bucket.tokens + (now_s - bucket.at_s) * budgets.reads_per_s)
        bucket.at_s = now_s
        if bucket.tokens < 1:
            raise errors.too_many_requests(max(1, ceil((1 - bucket.tokens) / budgets.reads_per_s)))
        if is_network:
            if now_s - bucket.window_start_s >= budgets.network_window_s:
                bucket.window_start_s, bucket.window_count = now_s, 0
            if bucket.window_count >= budgets.network_reads:
                raise errors.too_many_requests(ceil(bucket.window_start_s + budgets.network_window_s - now_s), is_network_quota=True)
            bucket.window_count += 1
        bucket.tokens -= 1
        return int(bucket.tokens)
