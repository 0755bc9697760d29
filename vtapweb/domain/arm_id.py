"""ARM resource ids: taken apart, compared and keyed.

Rule 1: ids are compared case-insensitively (Azure documents them so, and real ones come in mixed case); the spelling Azure sent is kept
beside the key for display. Rule 2: nothing here raises on foreign text except `parse`, whose callers decide what a bad id means to them.
Source of the grammar: learn.microsoft.com "Resource ID", /subscriptions/{id}[/resourceGroups/{rg}][/providers/{ns}/{type}/{name}…].
"""

import re
from dataclasses import dataclass
from hashlib import blake2b
from struct import Struct

# A resource's id in one look, for tens of thousands of them: exactly the texts that `parse` accepts with at least one type and name.
_RESOURCE = re.compile(r"/subscriptions/[^/]+(?:/resourcegroups/[^/]+)?/providers/[^/]+(?:/[^/]+/[^/]+)+/*", re.IGNORECASE | re.ASCII)


KEY_PATTERN = re.compile(r"[a-z2-7]{26}")  # what `arm_key` makes

_SIGNS = "abcdefghijklmnopqrstuvwxyz234567"
_THREE = tuple(one + two + three for one in _SIGNS for two in _SIGNS for three in _SIGNS)
_HALVES = Struct(">QQ").unpack


class ArmIdError(ValueError):
    """The text is no ARM resource id."""


@dataclass(frozen=True, slots=True)
class ArmId:
    """One ARM id. `names` and `types` run from the outermost resource to the innermost; texts are spelled as they came."""

    text: str
    subscription_id: str
    resource_group: str
    provider: str
    types: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def key(self) -> str:
        return arm_key(self.text)

    @property
    def name(self) -> str:
        """The innermost name; the group's or subscription's where the id names no resource."""
        return self.names[-1] if self.names else (self.resource_group or self.subscription_id)

    @property
    def resource_type(self) -> str:
        """For example `microsoft.network/networkinterfaces/tapconfigurations`, lower-case; "" for groups and subscriptions."""
        return "/".join((self.provider, *self.types)).lower() if self.types else ""

    @property
    def parent(self) -> str:
        """The id one level up, as spelled: a subnet's VNet, an ipConfiguration's NIC."""
        return self.text.rstrip("/").rsplit("/", 2)[0] if len(self.names) > 1 else ""


def fold(text: str) -> str:
    """The form in which two spellings of one ARM id are equal."""
    return text.strip().rstrip("/").lower()


def arm_key(text: str) -> str:
    """26 lower-case base32 characters (128 bits of BLAKE2b) that name the case-folded id: page URLs and database keys use it."""
    # A sync makes 100,000 of them: groups of 15 bits by table take half the time of base64.b32encode and give the same.
    high: int
    low: int
    high, low = _HALVES(blake2b(fold(text).encode("utf-8", "surrogatepass"), digest_size=16).digest())
    three = _THREE
    middle = (high & 0xF) << 11 | low >> 53
    tail = (low & 0xFF) << 2
    return (
        three[high >> 49]
        + three[high >> 34 & 0x7FFF]
        + three[high >> 19 & 0x7FFF]
        + three[high >> 4 & 0x7FFF]
        + three[middle]
        + three[low >> 38 & 0x7FFF]
        + three[low >> 23 & 0x7FFF]
        + three[low >> 8 & 0x7FFF]
        + _SIGNS[tail >> 5]
        + _SIGNS[tail & 0x1F]
    )


def parse(text: str) -> ArmId:
    """Take an ARM id apart. Raises ArmIdError when it is not /subscriptions/… or its segments do not pair up."""
    parts = text.strip().rstrip("/").split("/")
    if len(parts) < 3 or parts[0] or parts[1].lower() != "subscriptions" or not all(parts[2:]):
        raise ArmIdError(f"not an ARM resource id: {text[:200]!r}")
    subscription_id, rest = parts[2], parts[3:]
    group = ""
    if len(rest) >= 2 and rest[0].lower() == "resourcegroups":
        group, rest = rest[1], rest[2:]
    if not rest:
        return ArmId(text.strip(), subscription_id, group, "", (), ())
    if rest[0].lower() != "providers" or len(rest) < 4 or len(rest) % 2:
        raise ArmIdError(f"not an ARM resource id: {text[:200]!r}")
    return ArmId(text.strip(), subscription_id, group, rest[1], tuple(rest[2::2]), tuple(rest[3::2]))


def name_in(arm_id: str) -> str:
    """The last name in an ARM id; never raises, whatever stands there."""
    return arm_id.rstrip("/").rpartition("/")[2]


def subscription_in(arm_id: str) -> str:
    """The lower-case subscription an ARM id names, "" where it names none."""
    parts = arm_id.split("/", 3)
    return parts[2].lower() if len(parts) > 2 and parts[1].lower() == "subscriptions" else ""


def is_resource_id(text: str) -> bool:
    """Whether the text names a resource (not merely a subscription or a group), as `parse` would find."""
    return _RESOURCE.fullmatch(text.strip()) is not None
