"""Partner products, and by what one knows them: the operator's word, a marketplace plan, an image's id, a tag, a name.

Rule 1: a VM is a collector only because a TAP leads to it; what is here merely names it. Rule 2: whoever shows a name shows what it was known by and
how far that can be trusted. Rule 3: a product's management appliance is known too, and said to be no collector.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

CATEGORIES = {"packet_broker": "Network packet broker", "analytics": "Security analytics and network detection"}
# The order in which one is believed: the operator before the marketplace, names last.
ORDER = ("marketplace", "image_id_regex", "tag", "name_regex")


@dataclass(frozen=True, slots=True)
class Health:
    protocol: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Recognition:
    """One way to know the product: `by` "marketplace" (publisher, offer, plan_regex), "image_id_regex", "tag" (name, value) or "name_regex"."""

    by: str
    role: str  # collector | management
    confidence: str  # high | medium | low
    publisher: str = ""
    offer: str = ""
    plan_regex: str | None = None
    value: str = ""
    name: str = ""
    resource: str = ""


@dataclass(frozen=True, slots=True)
class Partner:
    """One product. None is "nothing reliable found"; `is_listed`: in Azure's own list of 2025."""

    key: str
    name: str
    vendor: str
    former_name: str | None
    category: str
    is_listed: bool
    documentation_url: str | None
    recognition: tuple[Recognition, ...]
    vxlan_port: int | None
    is_behind_internal_load_balancer: bool | None
    capture_nic: str | None
    health: Health | None
    confidence: str

    @property
    def category_words(self) -> str:
        return CATEGORIES[self.category]


@dataclass(frozen=True, slots=True)
class Machine:
    """A VM behind a TAP's destination, as far as it could be read. `names`: by kind of resource (virtual_machine, scale_set), as spelled."""

    image_publisher: str = ""
    image_offer: str = ""
    image_sku: str = ""
    image_id: str = ""
    plan_publisher: str = ""
    plan_product: str = ""
    plan_name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recognised:
    """`partner_key` "" is an unknown collector. `by`: assignment or one of ORDER; `matched`: the text that matched; `role`: collector, management."""

    partner_key: str = ""
    name: str = "unknown collector"
    by: str = ""
    matched: str = ""
    confidence: str = ""
    role: str = "collector"


UNKNOWN = Recognised()


def recognise(
    partners: Sequence[Partner], machines: Sequence[Machine], *, assigned: str = "", names: Mapping[str, str] | None = None, vouched_by: str = ""
) -> Recognised:
    """Which product receives at a destination.

    `assigned` is the partner's key that the operator chose, believed before all else; `vouched_by` who did. `names` are those of the destination's
    own resources (load_balancer, frontend). Collectors go before management appliances. Never raises.
    """
    chosen = next((one for one in partners if assigned and one.key == assigned), None)
    if chosen is not None:
        return Recognised(chosen.key, chosen.name, "assignment", vouched_by, "high")
    own = Machine(names=names or {})
    found = [
        Recognised(partner.key, partner.name, way.by, matched, way.confidence, way.role)
        for by in ORDER
        for partner in partners
        for way in partner.recognition
        if way.by == by
        for machine in (*machines, own)
        for matched in _matches(way, machine)
    ]
    return next((one for one in found if one.role == "collector"), found[0] if found else UNKNOWN)


def _matches(way: Recognition, machine: Machine) -> Iterator[str]:
    match way.by:
        case "marketplace":
            for publisher, offer, plan in (
                (machine.plan_publisher, machine.plan_product, machine.plan_name),
                (machine.image_publisher, machine.image_offer, machine.image_sku),
            ):
                is_offer = bool(publisher) and publisher.lower() == way.publisher.lower() and offer.lower() == way.offer.lower()
                if is_offer and (way.plan_regex is None or _pattern(way.plan_regex).search(plan)):
                    yield f"{publisher}:{offer}:{plan}"
        case "image_id_regex":
            if machine.image_id and _pattern(way.value).search(machine.image_id):
                yield machine.image_id
        case "tag":
            for name, value in machine.tags.items():
                if name.lower() == way.name.lower() and value.lower() == way.value.lower():
                    yield f"{name}={value}"
        case "name_regex":
            name = machine.names.get(way.resource or "virtual_machine", "")
            if name and _pattern(way.value).search(name):
                yield name


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)
