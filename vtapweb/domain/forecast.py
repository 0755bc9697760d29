"""What load a mirror will bring, from what Azure Monitor counted: octets and packets of minutes that are over, as bits a second on the wire.

A mirror carries both directions of a NIC and wraps each packet once more, so a packet costs ENVELOPE_OCTETS beside its own. The past is no
promise: `median` and `peak` are those of the time that was looked at, and a NIC without figures is counted, never taken for silent. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

ENVELOPE_OCTETS: Final = 50  # VXLAN over IPv4: Ethernet 14, IPv4 20, UDP 8, VXLAN 8 (RFC 7348)
HOURS_A_MONTH: Final = 730  # what cloud price lists count

Totals = Mapping[float, float | None]  # begin of a bucket in seconds since 1970 → its total, None where there is none


@dataclass(frozen=True, slots=True)
class NicLoad:
    """One NIC's load by bucket, in bits a second with the envelope. `is_envelope_known` is false where packets were not told of some bucket."""

    bits_per_s: Mapping[float, float]
    is_envelope_known: bool


@dataclass(frozen=True, slots=True)
class Forecast:
    """The load of several NICs together. `median_bits_per_s`, `peak_bits_per_s` and `peak_at_unix_s` are None when no NIC has figures."""

    nic_count: int
    measured_count: int
    bucket_count: int
    median_bits_per_s: float | None
    peak_bits_per_s: float | None
    peak_at_unix_s: float | None
    is_envelope_known: bool


def nic_load(received: Totals, sent: Totals, packets_received: Totals, packets_sent: Totals, *, bucket_s: float) -> NicLoad | None:
    """The load of one NIC from totals of octets and packets; None when no bucket tells the octets of both directions."""
    bits: dict[float, float] = {}
    is_envelope_known = True
    for at, octets_in in received.items():
        octets_out = sent.get(at)
        if octets_in is None or octets_out is None:
            continue
        packets_in, packets_out = packets_received.get(at), packets_sent.get(at)
        is_envelope_known &= packets_in is not None and packets_out is not None
        envelope = ENVELOPE_OCTETS * ((packets_in or 0.0) + (packets_out or 0.0))
        bits[at] = (octets_in + octets_out + envelope) * 8 / bucket_s
    return NicLoad(bits, is_envelope_known) if bits else None


def forecast(loads: Sequence[NicLoad | None]) -> Forecast:
    """The NICs together; None stands for a NIC without figures.

    Only buckets that every measured NIC has are added up, since a missing one would look like silence; where they share none (a NIC is younger than
    the others' figures), every bucket counts with the NICs it has.
    """
    measured = [one for one in loads if one is not None]
    whole = _sums(measured)
    peak_at = max(whole, key=lambda at: (whole[at], -at)) if whole else None
    return Forecast(
        nic_count=len(loads),
        measured_count=len(measured),
        bucket_count=len(whole),
        median_bits_per_s=median(whole.values()) if whole else None,
        peak_bits_per_s=whole[peak_at] if peak_at is not None else None,
        peak_at_unix_s=peak_at,
        is_envelope_known=all(one.is_envelope_known for one in measured),
    )


def _sums(measured: Sequence[NicLoad]) -> dict[float, float]:
    sums: dict[float, float] = {}
    counts: dict[float, int] = {}
    for load in measured:
        for at, bits in load.bits_per_s.items():
            sums[at] = sums.get(at, 0.0) + bits
            counts[at] = counts.get(at, 0) + 1
    return {at: bits for at, bits in sums.items() if counts[at] == len(measured)} or sums


@dataclass(frozen=True, slots=True)
class PeakLoad:
    """A collector's load at the moment when it would have been the highest: `before` without the NICs, `after` with them, in wire bits a second.

    `at_unix_s` None: the two were never known of the same moment, so these are the highest of each, and `after` is the most that it can be.
    """

    before_bits_per_s: float
    after_bits_per_s: float
    at_unix_s: float | None


def peak_load(base: Mapping[float, float], loads: Sequence[NicLoad | None]) -> PeakLoad | None:
    """What the collector received (`base`, by bucket) and these NICs together; None where nothing is known of either side.

    NICs without figures (None) add nothing: who tells of them says so. No NICs at all: the collector's own peak.
    """
    measured = [one for one in loads if one is not None]
    if not base or (loads and not measured):
        return None
    added = _sums(measured) if measured else dict.fromkeys(base, 0.0)
    both = {at: base[at] + bits for at, bits in added.items() if at in base}
    if not both:
        before = max(base.values())
        return PeakLoad(before, before + max(added.values()), None)
    peak_at = max(both, key=lambda at: (both[at], -at))
    return PeakLoad(base[peak_at], both[peak_at], peak_at)


def load_text(before: float | None, after: float, capacity: float | None) -> str:
    """ "6.2 → 8.1 of 10 Gb/s"; without `capacity` "6.2 → 8.1 Gb/s", without `before` "8.1 of 10 Gb/s". One unit, that of the largest."""
    scale, unit = 1.0, "b/s"
    for larger in ("kb/s", "Mb/s", "Gb/s", "Tb/s"):
        if max(before or 0.0, after, capacity or 0.0) / scale < 999.5:
            break
        scale, unit = scale * 1000, larger
    way = " → ".join(_figure(one / scale) for one in (before, after) if one is not None)
    return f"{way} of {_figure(capacity / scale)} {unit}" if capacity is not None else f"{way} {unit}"


def _figure(value: float) -> str:
    """Two figures at least, no more than it takes: 0.04, 6.2, 10, 812. What is not nothing is never 0."""
    if 0 < value < 0.005:
        return "<0.01"
    digits = 0 if value >= 99.5 else 1 if value >= 0.95 else 2
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def nic_hours_a_month(nic_count: int) -> int:
    """What TAPs are billed by."""
    return nic_count * HOURS_A_MONTH


def rate_text(bits_per_s: float) -> str:
    """ "1.2 Gbit/s": three figures at most, decimal prefixes."""
    value, unit = bits_per_s, "bit/s"
    for larger in ("kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}" if value < 9.95 and unit != "bit/s" else f"{value:.0f} {unit}"
