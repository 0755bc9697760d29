"""Partner products that can receive mirrored traffic: gathered from public documentation, nothing of it checked against a live marketplace.

Only names them and tells where to read on. Whether a VM *is* a collector follows from a TAP's destination, never from this table.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data" / "partners.json"
CATEGORIES = {"packet_broker": "Network packet broker", "analytics": "Security analytics and network detection"}


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


@cache
def partners() -> tuple[Partner, ...]:
    """All partner products, those in Azure's list first, by name. Read once a process."""
    rows = json.loads(DATA.read_text(encoding="utf-8"))
    found = [
        Partner(
            **{
                **row,
                "recognition": tuple(Recognition(**one) for one in row["recognition"]),
                "health": Health(**row["health"]) if row["health"] else None,
            }
        )
        for row in rows
    ]
    return tuple(sorted(found, key=lambda one: (not one.is_listed, one.name.lower())))
