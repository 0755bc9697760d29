"""What is wrong with a collector and with what it should receive: the rules H1 to H14, each a small function over what was seen.

Rule 1: not seeing is not zero; what cannot be judged says so. Rule 2: numbers come in, levels go out; the clock is an argument.
"""

from enum import StrEnum


class CollectorState(StrEnum):
    """One word for a collector, the worst that is true of it. The order here is from best to worst."""

    OK = "ok"
    STARTING = "starting"  # we have only just begun to listen
    UNKNOWN = "unknown"  # nothing tells about it, or we cannot see
    MAINTENANCE = "maintenance"
    NEAR = "near"  # H8, more than 75 % of its capacity
    DEGRADED = "degraded"  # H1 for some members, not for all
    STALE = "stale"  # H1, not yet long enough for an alarm
    OVER = "over"  # H8, more than 95 %
    DROPPING = "dropping"  # H9
    EMPTY = "empty"  # H2: it reports, but nothing mirrored arrives
    SILENT = "silent"  # H1: an alarm
