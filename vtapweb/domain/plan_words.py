"""A plan in sentences: what will be done, what was left out and why, how long it takes, whose network it may cut. Pure: facts in, text out.

Rule 1: names of resources are foreign text and stay what they are; whoever shows a sentence escapes it. Rule 2: what is not known is said so.
Source of the 60 seconds: Azure's documentation of virtual network TAP (2025): adding or removing a source may cut that VM's network so long.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

NAMED = 3  # more than so many are counted instead of named
NOTHING_SENT = "Nothing has been sent to Azure."
# Why a NIC is left out, in a few words, by the rule that decided. A rule that is not here is called by its id.
_SHORT = {
    "one-config-per-nic": "already mirrored",
    "source-attached": "belongs to no VM",
    "not-vm-nic": "no VM's NIC",
    "reachable": "no way from there to the collector",
    "same-region": "in another region",
    "same-tenant": "in another tenant",
    "ipv4": "has an IPv6 address",
    "vnet-encryption": "its VNet is encrypted",
    "basic-lb": "behind a Basic load balancer",
    "floating-ip": "behind a load balancer's rule with floating IP",
    "protected": "protected",
    "mirror-loop": "is itself the collector",
    "permission": "vtapweb lacks a permission there",
    "lock": "locked in Azure",
}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One NIC (or TAP) that was asked for and is not in the plan. `note` says more than its rule's few words, where there is more to say."""

    name: str
    rule_id: str
    note: str = ""
    is_unknown: bool = False

    @property
    def short(self) -> str:
        if self.note:
            return self.note
        if self.is_unknown:
            return f"not known whether it may be (rule {self.rule_id})"
        return _SHORT.get(self.rule_id, f"rule {self.rule_id}")


def counted(number: int, singular: str, plural: str = "") -> str:
    """ "1 NIC", "5 NICs", "2,000 NICs"."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def listed(names: Sequence[str], *, most: int = NAMED) -> str:
    """ "a", "a and b", "a, b and c", "a, b, c and 4 more"."""
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def duration(seconds: float) -> str:
    """ "about 40 s", "about 6 min", "about 3 h": rounded up, as nobody complains of an early end."""
    if seconds < 60:
        return f"about {max(1, -(-int(seconds) // 5) * 5)} s"
    minutes = int(-(-seconds // 60))
    return f"about {minutes} min" if minutes < 100 else f"about {-(-minutes // 60)} h"


def left_out_words(left_out: Sequence[LeftOut]) -> str:
    """ "Left out: web-01, already mirrored to nic-packetlog-01." Many are counted by reason. "" for none."""
    if not left_out:
        return ""
    if len(left_out) <= NAMED:
        return f"Left out: {'; '.join(f'{one.name}, {one.short}' for one in left_out)}."
    reasons = Counter(LeftOut(one.name, one.rule_id, is_unknown=one.is_unknown).short for one in left_out)
    return f"Left out: {', '.join(f'{number} {reason}' for reason, number in reasons.most_common())}."


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """What the sentence tells. `wanted_count` NICs were asked for, `nic_count` are in the plan; `from_names` and `to_name` are TAPs; `tag_counts` are
    tags added, changed and removed."""

    action: str
    wanted_count: int
    nic_count: int
    to_name: str
    from_names: tuple[str, ...] = ()
    request_count: int = 0
    wave_count: int = 0
    duration_s: float = 0
    left_out: tuple[LeftOut, ...] = ()
    place: str = ""
    tag_counts: tuple[int, int, int] = (0, 0, 0)
    does_tap: bool = False  # a TAP is made or deleted besides
    undo_of: int | None = None


def _what(facts: PlanFacts) -> str:
    nics = counted(facts.nic_count, "NIC")
    if facts.nic_count < facts.wanted_count:
        nics = f"{facts.nic_count:,} of {counted(facts.wanted_count, 'NIC')}"
    away = listed(sorted(facts.from_names))
    match facts.action:
        case "tap":
            return f"{nics} → {facts.to_name}."
        case "untap":
            return f"{nics} no longer mirrored{f' to {away}' if away else ''}."
        case "move":
            return f"{nics}{f' from {away}' if away else ''} → {facts.to_name}. Each has no mirror between its two requests, for about a minute."
        case "create_tap":
            mirrors = f" and {nics} → it" if facts.wanted_count else ""
            return (
                f"New TAP {facts.to_name}{f' in {facts.place}' if facts.place else ''}{mirrors}." if facts.does_tap else f"{nics} → {facts.to_name}."
            )
        case "update_tap_tags":
            added, changed, removed = facts.tag_counts
            return f"Tags of {facts.to_name}: {added} added, {changed} changed, {removed} removed."
        case _:
            mirrors = f"{nics} no longer mirrored, then " if facts.wanted_count else ""
            return f"{mirrors}TAP {facts.to_name} deleted." if facts.does_tap else f"{nics} no longer mirrored to {facts.to_name}."


def sentence(facts: PlanFacts) -> str:
    """The plan in one line, as the page shows it first and the API answers it."""
    parts = [_what(facts), left_out_words(facts.left_out)]
    if facts.undo_of is not None:
        parts.insert(0, f"Undo of change {facts.undo_of}:")
    requests, waves = counted(facts.request_count, "request"), counted(facts.wave_count, "wave")
    parts.append(f"{requests} in {waves}, {duration(facts.duration_s)}." if facts.request_count else "No requests.")
    parts.append(NOTHING_SENT)
    return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Together:
    """VMs of one plan that share a group, and what kind of group: "availability set", "backend pool" or "tag"."""

    kind: str
    name: str
    vm_names: tuple[str, ...]


def downtime(vm_names: Sequence[str], together: Sequence[Together], *, is_again: bool = False) -> str:
    """Whose network may be cut, and which VMs back each other up. "" where no VM is touched."""
    if not vm_names:
        return ""
    again = " again" if is_again else ""
    who = f"VM {vm_names[0]}" if len(vm_names) == 1 else f"Each of these {len(vm_names):,} VMs"
    parts = [f"{who} may lose its network for up to 60 seconds{again}.", "Once a step is sent, it can't be called back."]
    for group in together[:NAMED]:
        names = listed(group.vm_names, most=4)
        if group.kind == "tag":
            parts.append(f"{names} share the tag {group.name}, so we change them one after the other.")
        else:
            parts.append(f"{names} back each other up ({group.kind} {group.name}), so we change them one after the other.")
    if len(together) > NAMED:
        parts.append(f"The same for {len(together) - NAMED} more groups.")
    return " ".join(parts)
