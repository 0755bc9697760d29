"""What time it is, twice: as the wall shows it, and as no one can set it."""

import time
from typing import NamedTuple


class Moment(NamedTuple):
    """`wall_ms` names seconds and may jump; `mono_ms` measures ages."""

    wall_ms: int
    mono_ms: int

    @property
    def wall_s(self) -> int:
        return self.wall_ms // 1000


def moment() -> Moment:
    return Moment(time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000)
