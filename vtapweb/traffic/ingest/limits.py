"""How much is taken from whom: sizes, and how often. Everything here is bounded: who sends rubbish cannot make it grow.

Each web process counts for itself: with several, a token may send that many times as often.
"""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

from vtapweb.traffic.ingest.formats import Refused

PACKED_OCTETS_MOST: Final = 2 * 1024 * 1024  # of a body that is compressed
OCTETS_MOST: Final = 12 * 1024 * 1024  # of a body, once unpacked: 65,535 sources with both directions
LARGE_OCTETS: Final = 256 * 1024  # from here on a document is worked on in a thread, and counts as several: so much is what one may cost
HELD_OCTETS_MOST: Final = 96 * 1024 * 1024  # of all bodies that a process holds at a time
BODY_WITHIN_S: Final = 10.0
RECENT_S: Final = 900.0  # a member that was silent for so long makes room for another

Key = TypeVar("Key", bound=Hashable)


class Bucket:
    """So many at once, then so many a second. Times are of any clock that never goes back."""

    __slots__ = ("at_s", "left")

    def __init__(self, burst: float, now_s: float) -> None:
        self.left = burst
        self.at_s = now_s

    def wait_s(self, *, per_s: float, burst: float, now_s: float) -> float:
        """Takes one and returns 0, or takes nothing and returns the seconds until there will be one."""
        self.left = min(burst, self.left + (now_s - self.at_s) * per_s)
        self.at_s = now_s
        if self.left < 1.0:
            return (1.0 - self.left) / per_s
        self.left -= 1.0
        return 0.0

    def charge(self, count: float) -> None:
        """Takes more, also what will only be there later."""
        self.left -= count

    def is_full(self, *, per_s: float, burst: float, now_s: float) -> bool:
        return self.left + (now_s - self.at_s) * per_s >= burst


class Buckets(Generic[Key]):
    """A bucket a key, for at most `most` keys. When there would be more, full ones are forgotten, which changes nothing, then the oldest."""

    def __init__(self, *, per_s: float, burst: float, most: int) -> None:
        self.per_s = per_s
        self.burst = burst
        self._most = most
        self._buckets: dict[Key, Bucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def wait_s(self, key: Key, now_s: float) -> float:
        """Takes one for this key and returns 0, or returns the seconds to wait."""
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= self._most:
                self._make_room(now_s)
            bucket = self._buckets[key] = Bucket(self.burst, now_s)
        return bucket.wait_s(per_s=self.per_s, burst=self.burst, now_s=now_s)

    def charge(self, key: Key, count: float) -> None:
        """Takes more for a key that has just taken one."""
        bucket = self._buckets.get(key)
        if bucket is not None:
            bucket.charge(count)

    def _make_room(self, now_s: float) -> None:
        kept = {key: one for key, one in self._buckets.items() if not one.is_full(per_s=self.per_s, burst=self.burst, now_s=now_s)}
        if len(kept) >= self._most:
            kept = dict(sorted(kept.items(), key=lambda item: item[1].at_s)[len(kept) // 2 :])
        self._buckets = kept


class Members:
    """The machines that use one token. Their number is bounded, as each is a stream of its own from here to the screen."""

    def __init__(self, *, per_s: float, burst: float, most: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._most = most
        self._buckets: dict[str, Bucket] = {}

    def check(self, member: str, now_s: float) -> None:
        """Raises Refused (429) where this machine sends too often, or is one too many."""
        bucket = self._buckets.get(member)
        if bucket is None:
            if len(self._buckets) >= self._most:
                self._buckets = {name: one for name, one in self._buckets.items() if now_s - one.at_s < RECENT_S}
            if len(self._buckets) >= self._most:
                raise Refused.too_many(f"This token is used by {self._most} machines already. Make a token for each member.", retry_after_s=60)
            bucket = self._buckets[member] = Bucket(self._burst, now_s)
        wait_s = bucket.wait_s(per_s=self._per_s, burst=self._burst, now_s=now_s)
        if wait_s:
            raise Refused.too_many("This machine sends more often than once a second. Send only the newest document.", retry_after_s=wait_s)
