"""What could go where: groups of NICs (VNets, subnets, values of a tag) against TAPs, counted by what the rules say.

Rule 1: every NIC of a group is counted once for each TAP: it is mirrored there, may go there, may not (under the first rule that decides), or nobody
can tell. Rule 2: groups are counted from rows, only those on a page are judged. Rule 3: one verdict is looked at for each class of NICs that no rule
can tell apart, so the work grows with what differs and not with NICs.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final

from vtapweb.domain.scope import Scope
from vtapweb.domain.tap_rules.facts import SourceFacts, TapFacts
from vtapweb.domain.tap_rules.rule import Finding
from vtapweb.inventory.models import ResourceKind
from vtapweb.inventory.selectors import resources
from vtapweb.taps.counting import By, Coverage, Tally, coverage_count, group_named, kind_of
from vtapweb.taps.selectors.coverage import tag_values
from vtapweb.taps.selectors.verdicts import judge_selection

_GROUP_COLUMNS: Final = {"vnet": ("virtual_network_key", "virtual_network_id"), "subnet": ("subnet_key", "subnet_id")}
_PLAIN: Final = ("key", "virtual_machine_key", "is_mirrored")


@dataclass(slots=True)
class Place:
    """One group with the keys of its NICs, from rows alone. `attached`: to a VM; `mirrored`: of all."""

    key: str
    name: str
    arm_id: str
    subscription_id: str
    nic_keys: list[str] = field(default_factory=list)
    attached: int = 0
    mirrored: int = 0

    @property
    def is_blind(self) -> bool:
        """VMs stand there and nothing of them is mirrored."""
        return self.attached > 0 and not self.mirrored


def places(scope: Scope, *, by: By, tag: str = "", subscription_id: str = "") -> list[Place]:
    """All groups that hold a NIC, by name. `tag` names the tag where `by` is "tag". One query, for a tag two; nothing is judged."""
    nics = resources(scope, ResourceKind.NETWORK_INTERFACE)
    if subscription_id:
        nics = nics.filter(subscription_id=subscription_id.lower())
    found: dict[str, Place] = {}
    if by == "tag":
        value_of = tag_values(scope, tag)
        rows = ((key, vm_key, is_mirrored, value_of(tags, vm_key), "") for key, vm_key, is_mirrored, tags in nics.values_list(*_PLAIN, "tags"))
    else:
        rows = nics.values_list(*_PLAIN, *_GROUP_COLUMNS[by])  # type: ignore[assignment] # the same five values
    for key, vm_key, is_mirrored, group, arm_id in rows:
        place = found.get(group)
        if place is None:
            named = group_named(group, arm_id, by)
            place = found[group] = Place(group, named.name, named.arm_id, named.subscription_id)
        place.nic_keys.append(key)
        place.attached += bool(vm_key)
        place.mirrored += is_mirrored
    return sorted(found.values(), key=lambda one: (not one.name, one.name.casefold(), one.key))


@dataclass(frozen=True, slots=True)
class Row:
    """One group: what of it is and could be mirrored, and its tallies by TAP key."""

    place: Place
    coverage: Coverage
    tallies: dict[str, Tally]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The groups in the order asked for against the TAPs chosen. `closed`: the finding by which a TAP takes no NIC at all, by its key."""

    every_tap: tuple[TapFacts, ...]
    taps: tuple[TapFacts, ...]
    closed: dict[str, Finding]
    rows: list[Row]


def matrix(scope: Scope, shown: Sequence[Place], *, by: By, choose: Callable[[Sequence[TapFacts]], Sequence[TapFacts]] = tuple) -> Matrix:
    """These groups against every TAP in scope; tallies only of those that `choose` picks. Queries as `world_of`, whatever is shown.

    What could be mirrored at all is asked of every TAP, also where only some of them are shown.
    """
    group_of = {key: place.key for place in shown for key in place.nic_keys}
    found = judge_selection(scope, list(group_of))
    covered = {place.key: group_named(place.key, place.arm_id, by) for place in shown}
    coverage_count(covered, group_of, found)
    classes: dict[str, dict[Hashable, list[SourceFacts]]] = defaultdict(lambda: defaultdict(list))
    for source in found.sources:
        taps_now = tuple(sorted(one.tap_key for one in source.configurations or ()))
        classes[group_of[source.key]][found.judgement.class_of(source.key), taps_now].append(source)
    taps = tuple(choose(found.taps))
    rows = []
    for place in shown:
        tallies = {tap.key: Tally() for tap in taps}
        for alike in classes[place.key].values():
            for tap in taps:
                tallies[tap.key].count(*kind_of(found, alike[0], tap), len(alike))
        rows.append(Row(place, covered[place.key], tallies))
    verdicts = ((tap.key, found.judgement.tap_verdict(tap.key)) for tap in taps)
    closed = {key: verdict.deciding[0] for key, verdict in verdicts if not verdict.allowed}
    return Matrix(found.taps, taps, closed, rows)


COULD_MAX: Final = 5_000  # NICs that one question judges


def could_be_mirrored(scope: Scope) -> tuple[Coverage, list[str] | None]:
    """All NICs in scope counted as one group, and the keys of those that could be mirrored now.

    None for the keys, and only NICs counted, where there are more than COULD_MAX. Queries: one and those of `world_of`.
    """
    keys = list(resources(scope, ResourceKind.NETWORK_INTERFACE).values_list("key", flat=True))
    whole = group_named("", "", "tag")
    if len(keys) > COULD_MAX:
        whole.nics = len(keys)
        return whole, None
    return whole, coverage_count({"": whole}, dict.fromkeys(keys, ""), judge_selection(scope, keys))
