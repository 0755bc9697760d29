"""How much a collector takes: what an operator said, else what its VMs' sizes are known for, else not known (rule H8 is not evaluated then)."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

from vtapweb.domain.scope import Scope
from vtapweb.inventory.browse import in_scope
from vtapweb.inventory.receiving import chunks
from vtapweb.traffic.models import CollectorAssignment
from vtapweb.traffic.selectors.collectors import CollectorFacts

NEAR_SHARE: Final = 0.75  # rule H8
OVER_SHARE: Final = 0.95
_SIZES: Final = Path(__file__).parent / "data" / "vm_sizes.json"


class CapacitySource(StrEnum):
    ASSIGNED = "assigned"
    VM_SIZE = "vm_size"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Capacity:
    """`bits_per_s` of wire bits, None where nobody knows. `words` tell where it is from."""

    bits_per_s: int | None
    source: CapacitySource
    words: str
    assignment: CollectorAssignment | None = None

    def share_of(self, wire_bits_per_s: float | None) -> float | None:
        """Which part of it so much is; None where either is not known."""
        return None if self.bits_per_s is None or wire_bits_per_s is None else wire_bits_per_s / self.bits_per_s


@cache
def _sizes() -> dict[str, int]:
    """Bits per second by lower-case VM size."""
    return {size.lower(): bits for size, bits in json.loads(_SIZES.read_text(encoding="utf-8"))["bits_per_s"].items()}


def vm_size_bits_per_s(size: str) -> int | None:
    """What Microsoft's tables expect of a VM of this size; None where data/vm_sizes.json does not list it."""
    return _sizes().get(size.lower())


def capacities_of(scope: Scope, collectors: Iterable[CollectorFacts]) -> dict[str, Capacity]:
    """{collector key: its capacity}. One query, and one more for every 900 collectors."""
    found = list(collectors)
    said = {
        one.destination_key: one
        for keys in chunks(one.key for one in found)
        for one in CollectorAssignment.objects.filter(in_scope(scope), destination_key__in=keys)
    }
    return {one.key: capacity_of(one, said.get(one.key)) for one in found}


def capacity_of(collector: CollectorFacts, assignment: CollectorAssignment | None) -> Capacity:
    """Of one collector. Members' sizes count only where all of them are known: a part of a pool says nothing of the whole."""
    if assignment is not None and assignment.capacity_bits_per_s is not None:
        return Capacity(assignment.capacity_bits_per_s, CapacitySource.ASSIGNED, f"said by {assignment.by}", assignment)
    sizes = [one.vm_size for one in collector.members]
    figures = [vm_size_bits_per_s(size) for size in sizes]
    if figures and len(figures) == collector.member_count and None not in figures:
        words = f"expected of {', '.join(sorted(set(sizes)))} by Microsoft's tables, what it sends; not measured"
        return Capacity(sum(one or 0 for one in figures), CapacitySource.VM_SIZE, words, assignment)
    return Capacity(None, CapacitySource.UNKNOWN, "not known, so not evaluated", assignment)
