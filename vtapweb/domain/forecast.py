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
    sums: dict[float, float] = {}
    counts: dict[float, int] = {}
    for load in measured:
        for at, bits in load.bits_per_s.items():
            sums[at] = sums.get(at, 0.0) + bits
            counts[at] = counts.get(at, 0) + 1
    whole = {at: bits for at, bits in sums.items() if counts[at] == len(measured)} or sums
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
