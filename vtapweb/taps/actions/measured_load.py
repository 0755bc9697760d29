"""What collectors measured, as the forecast of a plan adds it up: bits a second on the wire, by bucket. Asks the history; decides nothing.

Rule: what was not measured is absent, never 0; how much of the time is known stands beside the figures.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from vtapweb.domain.forecast import ENVELOPE_OCTETS, NicLoad
from vtapweb.inventory.models import TapConfiguration, VirtualNetworkTap
from vtapweb.inventory.receiving import chunks
from vtapweb.traffic.history.reading import read_history
from vtapweb.traffic.history.series import FIVE_MINUTES, MINUTE, TOTAL, Grid
from vtapweb.traffic.models import SourceFlow

KNOWN_ENOUGH = 0.9  # of a time; what is less is told as such
NICS_A_TIME = 100  # series that are held at once


@dataclass(frozen=True, slots=True)
class Window:
    """The time that is looked at. `peak_words` go before the load: "Load at yesterday's peak"."""

    grid: Grid
    words: str
    bucket_words: str
    peak_words: str
    is_yesterday: bool


def yesterday_of(now: datetime) -> Window:
    """The last day that is over, of UTC, in steps of five minutes: it is kept so for 30 days."""
    end = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = end - timedelta(days=1)
    grid = Grid.covering(start.timestamp(), end.timestamp(), FIVE_MINUTES)
    return Window(grid, f"yesterday ({start:%d %b}, UTC)", "five minutes", "Load at yesterday's peak", is_yesterday=True)


def last_hours(end: datetime, look_back: timedelta) -> Window:
    """The time before `end`, minute by minute, as Azure Monitor tells it."""
    grid = Grid.covering((end - look_back).timestamp(), end.timestamp(), MINUTE)
    hours = round(look_back / timedelta(hours=1))
    return Window(grid, f"the last {hours} hours", "minute", f"Load at the peak of the last {hours} hours", is_yesterday=False)


@dataclass(slots=True)
class Measured:
    """`base`: all that the collector received, by the bucket's begin; `nics`: what each NIC sent to any collector, with the envelope.

    `…_share`: which part of the time is known, 0 to 1. `inside`: NICs whose traffic is in `base` already.
    """

    base: dict[float, float] = field(default_factory=dict)
    base_share: float = 0.0
    nics: dict[str, NicLoad] = field(default_factory=dict)
    nic_shares: dict[str, float] = field(default_factory=dict)
    inside: frozenset[str] = frozenset()

    def is_whole(self, nic_keys: Collection[str]) -> bool:
        """The collector and every one of these NICs are known for nearly all of the time."""
        return self.base_share >= KNOWN_ENOUGH and all(one in self.inside or self.nic_shares.get(one, 0.0) >= KNOWN_ENOUGH for one in nic_keys)


def measured_load(collector_key: str, nic_keys: Collection[str], grid: Grid, *, now_s: float) -> Measured:
    """What is known of one collector ("" for none) and of these NICs. Two queries and one more, with one of history, for every NICS_A_TIME NICs."""
    found = Measured(inside=_inside(collector_key, nic_keys))
    if collector_key:
        wire = read_history([collector_key], [TOTAL], grid, now_s=now_s).column(collector_key, TOTAL, "wire_bits")
        found.base = {float(at): value for at, value in zip(grid.times(), wire, strict=True) if value == value}
        found.base_share = len(found.base) / grid.count
    asked = sorted(set(nic_keys) - found.inside)
    for keys in (asked[first : first + NICS_A_TIME] for first in range(0, len(asked), NICS_A_TIME)):
        places: dict[str, set[str]] = {}
        for nic_key, at in SourceFlow.objects.filter(nic_key__in=keys).values_list("nic_key", "collector_key"):
            places.setdefault(nic_key, set()).add(at)
        if not places:
            continue
        history = read_history(sorted(set().union(*places.values())), sorted(places), grid, now_s=now_s)
        for nic_key, collectors in places.items():
            bits: dict[float, float] = {}
            for one in sorted(collectors):
                columns = history.series.get((one, nic_key))
                if columns:
                    _take(bits, grid, columns)
            if bits:
                found.nics[nic_key] = NicLoad(bits, is_envelope_known=True)
                found.nic_shares[nic_key] = len(bits) / grid.count
    return found


def _take(bits: dict[float, float], grid: Grid, columns: Mapping[str, Collection[float]]) -> None:
    """Of what several collectors saw of one NIC the largest: it is the same traffic."""
    for at, octets, packets in zip(grid.times(), columns["bits"], columns["packets"], strict=True):
        if octets == octets and packets == packets:
            bits[float(at)] = max(bits.get(float(at), 0.0), octets + 8 * ENVELOPE_OCTETS * packets)


def _inside(collector_key: str, nic_keys: Collection[str]) -> frozenset[str]:
    """Those that mirror to this collector now, by whatever TAP."""
    if not collector_key:
        return frozenset()
    present = VirtualNetworkTap.objects.filter(removed_at=None).only("key", "destination_ip_configuration_key", "destination_frontend_key")
    leading = {tap.key for tap in present if (tap.destination_key or tap.key) == collector_key}
    return frozenset(
        nic_key
        for keys in chunks(nic_keys)
        for nic_key, tap_key in TapConfiguration.objects.filter(removed_at=None, network_interface_id__in=keys).values_list(
            "network_interface_id", "virtual_network_tap_key"
        )
        if tap_key in leading
    )
