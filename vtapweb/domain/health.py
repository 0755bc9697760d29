"""What is wrong with a collector and with what it should receive: the rules H1 to H14, each a small function over what was seen.

Rule 1: not seeing is not zero. What cannot be judged is None, never fine: `settle` keeps what was known, for a while. Rule 2: each rule takes
the level it gave before (`was`) and leaves it only below a lower threshold. Rule 3: a rate of a source that measures every I seconds is judged
over windows of several I. Rule 4: the clock is an argument. Where the thresholds come from: measurements of real collectors; docs/health.md
prints this table, and a test holds it against the code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Final


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


class Level(IntEnum):
    """How bad it is. A NOTICE asks for nobody; an ALARM is for whoever is on shift, now."""

    FINE = 0
    NOTICE = 1
    WARNING = 2
    ALARM = 3


Verdict = Level | None  # None: cannot be told now

GRACE_S: Final = 30.0  # after our own start, silence is "starting"
STALE_S, STALE_INTERVALS = 5.0, 3
SILENT_S, SILENT_INTERVALS = 30.0, 10
STILL_S: Final = 60.0
SOURCE_SILENT_S: Final = 300.0
STOPPED_AFTER_PACKETS_PER_S: Final = 100.0
UNKNOWN_SOURCE_PACKETS: Final = 10
NEAR_SHARE, NEAR_UNTIL, OVER_SHARE, OVER_UNTIL = 0.75, 0.70, 0.95, 0.90
SATURATED_OF_5: Final = 3
DROP_SHARE, DROP_UNTIL = 0.01, 0.005
NO_PORTS_SHARE, NO_PORTS_UNTIL = 0.90, 0.80
UNATTRIBUTED_SHARE, UNATTRIBUTED_UNTIL = 0.01, 0.005
MERGED_RATIO, MERGED_UNTIL = 1.5, 1.3
GAP_SHARE, GAP_UNTIL = 0.05, 0.02
BOOTS, BOOTS_UNTIL = 3, 1
KEPT_UNSEEN_S: Final = 600.0  # what was raised and can no longer be seen is kept that long


@dataclass(frozen=True, slots=True)
class Rule:
    """What is written about a rule; `clear_after_s`: how long it must be better before it is believed."""

    id: str
    name: str
    raised: str
    cleared: str
    clear_after_s: float
    opens_from: Level = Level.NOTICE  # from which level on there is an alarm with a number


# What is written as code so that it is written once: docs/health.md has the same lines.
_WRITTEN: Final = (
    Rule(
        "H1",
        "no report",
        f"no sample for more than max({STALE_S:g} s, {STALE_INTERVALS}·I): stale; max({SILENT_S:g} s, {SILENT_INTERVALS}·I): alarm",
        "a sample is there",
        10.0,
        Level.WARNING,
    ),
    Rule(
        "H2",
        "no mirrored traffic",
        f"samples arrive, no packet in max({STILL_S:g} s, 3·I), and a running VM has a TAP configuration Succeeded: alarm",
        "a packet was counted",
        10.0,
    ),
    Rule(
        "H3",
        "silent source",
        f"mirrored for more than {SOURCE_SILENT_S:g} s, its VM running, no packet from any of its addresses for as long: alarm",
        "a packet was counted",
        10.0,
    ),
    Rule(
        "H4",
        "source stopped",
        f"no packet in {STILL_S:g} s after more than {STOPPED_AFTER_PACKETS_PER_S:g} packets/s over 15 min: warning",
        "a packet was counted",
        10.0,
    ),
    Rule(
        "H5",
        "unknown source",
        f"more than {UNKNOWN_SOURCE_PACKETS} packets in 60 s from an address that no TAP configuration explains: warning",
        f"{UNKNOWN_SOURCE_PACKETS} packets or fewer",
        60.0,
    ),
    Rule("H6", "ambiguous source", "two NICs have the outer address: warning, and a rate on neither", "one has it", 15.0),
    Rule("H7", "one direction", f"only sent or only received packets in {STILL_S:g} s: notice", "both directions", 15.0),
    Rule(
        "H8",
        "near capacity",
        f"wire bits/s (mean of 5 s) over {NEAR_SHARE:.0%} of the capacity: warning; over {OVER_SHARE:.0%}: alarm",
        f"{NEAR_UNTIL:.0%}; {OVER_UNTIL:.0%}",
        15.0,
    ),
    Rule(
        "H9",
        "dropping",
        f"a saturation counter rose in {SATURATED_OF_5} of 5 samples: warning; over {DROP_SHARE:.0%} of packets in 10 s: alarm",
        f"no counter rose in 5 samples; {DROP_UNTIL:.1%}",
        30.0,
    ),
    Rule("H10", "nobody listens", f"over {NO_PORTS_SHARE:.0%} of packets in 30 s met no open UDP port: notice", f"{NO_PORTS_UNTIL:.0%}", 15.0),
    Rule("H11", "unattributed", f"over {UNATTRIBUTED_SHARE:.0%} of packets have no source in the set: warning", f"{UNATTRIBUTED_UNTIL:.1%}", 30.0),
    Rule("H12", "merged", f"the NIC counts over {MERGED_RATIO:g} times the set's packets, with a VXLAN device: notice", f"{MERGED_UNTIL:g}", 30.0),
    Rule("H13", "samples lost", f"over {GAP_SHARE:.0%} of samples missing in 60 s: notice", f"{GAP_UNTIL:.0%}", 30.0),
    Rule("H14", "restart loop", f"more than {BOOTS} boots in 10 min: warning", f"{BOOTS_UNTIL} boot or none", 60.0),
)
RULES: Final[Mapping[str, Rule]] = {rule.id: rule for rule in _WRITTEN}


# -- the rules


def stale_after_s(interval_s: float, lag_s: float = 0.0) -> float:
    """From which age on a sample is old, in seconds. `lag_s`: how late such a source always is (Azure Monitor's measured lag)."""
    return max(STALE_S, STALE_INTERVALS * interval_s) + lag_s


def silent_after_s(interval_s: float, lag_s: float = 0.0) -> float:
    """From which age on the silence is an alarm, in seconds."""
    return max(SILENT_S, SILENT_INTERVALS * interval_s) + lag_s


def h01_no_report(age_s: float, interval_s: float, lag_s: float = 0.0) -> Level:
    """NOTICE: stale; ALARM: silent. `age_s` of the newest sample by our own clock."""
    if age_s > silent_after_s(interval_s, lag_s):
        return Level.ALARM
    return Level.NOTICE if age_s > stale_after_s(interval_s, lag_s) else Level.FINE


def h01_of_pool(members: Sequence[Level]) -> tuple[Level, int]:
    """The level of a collector by those of its members, and how many members are missing while others report. No members: FINE, 0."""
    if not members:
        return Level.FINE, 0
    missing = sum(one is Level.ALARM for one in members)
    return min(members), missing if missing < len(members) else 0


def h02_no_mirrored_traffic(packets_per_s: float | None, still_s: float, expected_count: int, interval_s: float = 1.0) -> Verdict:
    """`packets_per_s` the mean of 60 s, None: not known; `still_s` for how long it has been 0; `expected_count`: sources that should send."""
    if packets_per_s is None:
        return None
    if packets_per_s > 0 or expected_count == 0:
        return Level.FINE
    return Level.ALARM if still_s >= max(0.0, 3 * interval_s - STILL_S) else Level.FINE


def settled_s(*, meter_since_s: float, looking_since_s: float) -> float:
    """From when on no rule waits any more because we ourselves have only just begun: unix seconds, like both of what is given.

    Before that, no alarm is no sign that all is well. Sources that report more rarely than every 100 s take longer still.
    """
    return max(meter_since_s + SOURCE_SILENT_S, looking_since_s + GRACE_S)


def h03_silent_source(*, mirrored_s: float, is_running: bool | None, silent_s: float | None, seeing_s: float, interval_s: float = 1.0) -> Verdict:
    """`silent_s` since the last packet from any of its addresses, None: never one; `seeing_s` since when we would have seen it.

    None where nobody knows whether the VM runs, or we have not looked for long enough.
    """
    window = max(SOURCE_SILENT_S, 3 * interval_s)
    if silent_s is not None and silent_s <= window:
        return Level.FINE
    if is_running is False or mirrored_s <= window:
        return Level.FINE
    if is_running is None or seeing_s <= window:
        return None
    return Level.ALARM


def h04_source_stopped(mean_60s: float | None, mean_900s: float | None, *, is_running: bool | None, was: Level) -> Verdict:
    """Means in packets per second; the 15 minutes hold the last one. While it was raised, the old mean may fade."""
    if mean_60s is None:
        return None
    if mean_60s > 0 or is_running is False:
        return Level.FINE
    if was >= Level.WARNING:
        return Level.WARNING
    before = None if mean_900s is None else mean_900s * 900 / (900 - STILL_S)
    return Level.WARNING if before is not None and before > STOPPED_AFTER_PACKETS_PER_S else Level.FINE


def h05_unknown_source(packets_60s: float | None, *, is_explained: bool) -> Verdict:
    """`packets_60s` that came from the address in the last 60 s; `is_explained`: some TAP configuration mirrors a NIC of that address."""
    if is_explained:
        return Level.FINE
    if packets_60s is None:
        return None
    return Level.WARNING if packets_60s > UNKNOWN_SOURCE_PACKETS else Level.FINE


def h06_ambiguous_source(*, is_ambiguous: bool) -> Level:
    """Whether two NICs claim one outer source address."""
    return Level.WARNING if is_ambiguous else Level.FINE


def h07_one_direction(sent_60s: float | None, received_60s: float | None) -> Verdict:
    """Packets of 60 s by direction; None where the NIC's MAC is not known or nobody counts by it: not evaluated."""
    if sent_60s is None or received_60s is None:
        return None
    return Level.NOTICE if (sent_60s > 0) != (received_60s > 0) else Level.FINE


def h08_near_capacity(wire_bits_per_s: float | None, capacity_bits_per_s: float | None, *, was: Level) -> Verdict:
    """None while the rate or the capacity is not known: not evaluated."""
    if wire_bits_per_s is None or not capacity_bits_per_s:
        return None
    share = wire_bits_per_s / capacity_bits_per_s
    if share > OVER_SHARE or (was is Level.ALARM and share > OVER_UNTIL):
        return Level.ALARM
    return Level.WARNING if share > NEAR_SHARE or (was >= Level.WARNING and share > NEAR_UNTIL) else Level.FINE


def h09_dropping(saturated_in_last_5: int, drop_share_10s: float | None, *, was: Level) -> Level:
    """`saturated_in_last_5`: of the last five samples, those in which a saturation counter rose."""
    share = drop_share_10s or 0.0
    if share > DROP_SHARE or (was is Level.ALARM and share > DROP_UNTIL):
        return Level.ALARM
    return Level.WARNING if saturated_in_last_5 >= SATURATED_OF_5 or (was >= Level.WARNING and saturated_in_last_5 > 0) else Level.FINE


def h10_nobody_listens(no_ports_share_30s: float | None, *, was: Level) -> Verdict:
    """The share of packets in 30 s that met no open UDP port; None: not known."""
    return _above(no_ports_share_30s, NO_PORTS_SHARE, NO_PORTS_UNTIL, Level.NOTICE, was)


def h11_unattributed(unattributed_share_60s: float | None, *, was: Level) -> Verdict:
    """The share of packets in 60 s that the total counts and no source has; None: not known."""
    return _above(unattributed_share_60s, UNATTRIBUTED_SHARE, UNATTRIBUTED_UNTIL, Level.WARNING, was)


def h12_merged(nic_packets_per_s: float | None, set_packets_per_s: float | None, *, has_vxlan_device: bool, was: Level) -> Verdict:
    """Receive offload made one packet of several before they were counted. None while either rate is not known or nothing is counted."""
    if not has_vxlan_device:
        return Level.FINE
    if nic_packets_per_s is None or not set_packets_per_s:
        return None
    return _above(nic_packets_per_s / set_packets_per_s, MERGED_RATIO, MERGED_UNTIL, Level.NOTICE, was)


def h13_samples_lost(seq_gap_share_60s: float | None, *, was: Level) -> Verdict:
    """The share of samples in 60 s whose numbers are missing; None: not known."""
    return _above(seq_gap_share_60s, GAP_SHARE, GAP_UNTIL, Level.NOTICE, was)


def h14_restart_loop(boots_10min: int, *, was: Level) -> Level:
    """Boots of one member: two members of a pool are two streams."""
    return Level.WARNING if boots_10min > BOOTS or (was >= Level.WARNING and boots_10min > BOOTS_UNTIL) else Level.FINE


def _above(value: float | None, raise_above: float, keep_above: float, level: Level, was: Level) -> Verdict:
    if value is None:
        return None
    return level if value > (keep_above if was >= level else raise_above) else Level.FINE


# -- what stands, with hysteresis in time


@dataclass(frozen=True, slots=True)
class Standing:
    """What is held to be true of one finding. Times in seconds of one clock; `lower` is what was seen since `lower_since`, if it is better."""

    level: Level = Level.FINE
    since_s: float = 0.0
    lower: Level | None = None
    lower_since_s: float = 0.0
    unseen_since_s: float | None = None


NOTHING = Standing()


def settle(was: Standing, verdict: Verdict, *, now_s: float, clear_after_s: float) -> Standing:
    """What stands after this verdict: worse at once, better after `clear_after_s` without interruption, unseen for KEPT_UNSEEN_S."""
    if verdict is None:
        if was.level is Level.FINE:
            return NOTHING
        since = now_s if was.unseen_since_s is None else was.unseen_since_s
        return NOTHING if now_s - since > KEPT_UNSEEN_S else replace(was, unseen_since_s=since, lower=None)
    if verdict > was.level:
        return Standing(verdict, now_s)
    if verdict == was.level:
        return NOTHING if verdict is Level.FINE else Standing(was.level, was.since_s)
    if was.lower is None:
        was = replace(was, lower=verdict, lower_since_s=now_s, unseen_since_s=None)
    elif verdict > was.lower:
        was = replace(was, lower=verdict)  # better, but less so than a moment ago
    if now_s - was.lower_since_s < clear_after_s:
        return was
    reached = was.lower if was.lower is not None else verdict
    if reached is Level.FINE:
        return NOTHING
    return Standing(reached, now_s, verdict, now_s) if verdict < reached else Standing(reached, now_s)


def is_settling(standing: Standing) -> bool:
    """Whether it stands only because it has not been better for long enough, or because nobody can see it any more: its figures are not why."""
    return standing.lower is not None or standing.unseen_since_s is not None
