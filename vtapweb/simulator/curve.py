"""How much the NIC of an invented machine sends and receives: a day's curve with week-ends, a ripple, bursts; the same for everybody.

Pure: everything follows from the resource's id and the time. A minute is the sum of its seconds to the packet, so whoever counts a NIC's
frames second by second and whoever is told totals by the minute must agree. Packets are whole inner Ethernet frames; in one minute all frames
of one direction have one length, so octets follow from packets. Times are Unix time.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from math import cos, pi

PATTERNS = 64
LEAST_FRAME, MOST_FRAME = 70, 1_480  # octets


@dataclass(frozen=True, slots=True)
class Load:
    """Frames that a NIC received and sent in some span of time, and the octets in them."""

    received_packets: int
    received_octets: int
    sent_packets: int
    sent_octets: int


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of one NIC. `start` and `rise` are octets a second: the level at its begin, and how much more it is at its end."""

    start: float
    rise: float
    weights: tuple[float, ...]  # of its seconds, summed up to each; 61 of them
    leaning: tuple[float, ...]  # the same with each second's place in the minute
    received_share: float
    received_frame: int
    sent_frame: int

    def until(self, second: int, factor: float = 1.0) -> tuple[int, int]:
        """(packets received, packets sent) in its first `second` seconds, 0 to 60; never fewer for more of them."""
        octets = (self.start * self.weights[second] + self.rise * self.leaning[second]) * factor
        return int(octets * self.received_share / self.received_frame), int(octets * (1.0 - self.received_share) / self.sent_frame)

    def load(self, first: int = 0, last: int = 60, factor: float = 1.0) -> Load:
        """What it moves from second `first` to before second `last`."""
        before, after = self.until(first, factor), self.until(last, factor)
        received, sent = after[0] - before[0], after[1] - before[1]
        return Load(received, received * self.received_frame, sent, sent * self.sent_frame)


@dataclass(slots=True)
class Curve:
    """The traffic of one NIC. Asked for the same minute again it answers at once."""

    seed: int
    mean: float  # octets a second at the height of a working day
    peak_minute: int
    received_share: float
    frames: tuple[int, int]
    _last: tuple[int, Minute] | None = field(default=None, repr=False)

    def minute(self, number: int) -> Minute:
        """The minute of that number since 1970."""
        if self._last is None or self._last[0] != number:
            self._last = (number, self._minute(number))
        return self._last[1]

    def _minute(self, number: int) -> Minute:
        start, end = self._level(number), self._level(number + 1)
        dice = _mixed(number ^ self.seed)
        weights, leaning = _patterns()[dice % PATTERNS]
        sway = 0.92 + (dice >> 8 & 0xFF) / 0xFF * 0.16
        received, sent = (max(LEAST_FRAME, min(MOST_FRAME, round(frame * sway))) for frame in self.frames)
        return Minute(start, end - start, weights, leaning, self.received_share, received, sent)

    def _level(self, number: int) -> float:
        """Octets a second at the begin of a minute: quiet at night, most at its own hour of the day, less on week-ends."""
        day = 0.25 + 0.75 * (1 + cos((number - self.peak_minute) % 1_440 / 1_440 * 2 * pi)) / 2
        week = 0.45 if (number // 1_440 + 3) % 7 >= 5 else 1.0  # 1970 began on a Thursday
        return self.mean * day * week * (0.75 + _mixed(number * 31 + self.seed) % 1_000 / 1_000 * 0.5)


@lru_cache(maxsize=65_536)
def curve_of(arm_id_folded: str) -> Curve:
    """The curve of a resource, by its id in lower case."""
    seed = seed_of(arm_id_folded)
    mean = 10 ** (4.7 + seed % 1_000 / 1_000 * 2.6)  # 0.4 to 160 Mbit/s
    frames = (180 + (seed >> 20) % 1_100, 180 + (seed >> 30) % 1_100)
    return Curve(seed, mean, 60 * (10 + seed // 1_000 % 7), 0.35 + (seed >> 12 & 0xFF) / 0xFF * 0.4, frames)


def seed_of(text: str) -> int:
    """48 bits that follow from a text and from nothing else."""
    return int.from_bytes(blake2b(text.encode(), digest_size=6).digest(), "big")


def split(packets: int, shares: tuple[float, ...]) -> list[int]:
    """A count spread over members by their shares (which sum to 1). The parts sum to it, and none shrinks when it grows."""
    parts = []
    left_share = 1.0
    for share in shares[:-1]:
        part = int(packets * min(1.0, share / left_share))
        parts.append(part)
        packets -= part
        left_share -= share
    return [*parts, packets]


@lru_cache(maxsize=65_536)
def shares_of(source: str, members: tuple[str, ...]) -> tuple[float, ...]:
    """How a load balancer's hash of ports and addresses spreads one source over the members: unevenly, always alike. Sums to 1."""
    weights = [0.5 + seed_of(f"{source} on {member}") % 1_000 / 1_000 for member in members]
    return tuple(weight / sum(weights) for weight in weights)


def _mixed(number: int) -> int:
    """A number well shaken, 32 bits (the finalizer of splitmix, cut short)."""
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    number = (number ^ number >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
    return (number ^ number >> 31) & 0xFFFFFFFF


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]:
    """How the seconds of a minute differ: every one a little, and in every other minute a burst of some seconds."""
    made = []
    for pattern in range(PATTERNS):
        weights = [0.85 + _mixed(pattern * 60 + second) % 1_000 / 1_000 * 0.3 for second in range(60)]
        if pattern % 2:
            dice = _mixed(pattern + 7_777)
            for second in range(dice % 45, dice % 45 + 4 + dice % 9):
                weights[second] *= 1.6 + (dice >> 8) % 100 / 100 * 1.4
        places = (weight * (second + 0.5) / 60 for second, weight in enumerate(weights))
        made.append((tuple(accumulate(weights, initial=0.0)), tuple(accumulate(places, initial=0.0))))
    return tuple(made)
