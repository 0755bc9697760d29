"""API v1 of mirrors (TAP configurations): the inventory's lists, with whether packets of each arrive."""

from datetime import datetime

from ninja import Field, Router

from vtapweb.domain.scope import Scope
from vtapweb.inventory.api import Item, ItemPage, iso, routes_add
from vtapweb.taps.selectors.flowing import mirrors_flow
from vtapweb.traffic.selectors.flowing import Flow, FlowState

router = Router(tags=["inventory"])

_FLOWING = {FlowState.FLOWING: True, FlowState.NOT_YET: False, FlowState.CANNOT_BE_SEEN: None}


class TapConfigurationItem(Item):
    """A mirror: a NIC's TAP configuration."""

    nic_id: str
    tap_id: str
    flowing: bool | None = Field(description="Whether packets of it were seen since it was configured; null: nobody can see that here.")
    flowing_since: datetime | None = Field(description="true: the first packet; false: when it was configured, as far as is known; else null.")
    flowing_why: str | None = Field(description="Why it is null: nothing_reports, stale, no_sources, ambiguous, away, or gone.")


class TapConfigurationPage(ItemPage):
    items: list[TapConfigurationItem]  # type: ignore[assignment] # narrower


def flowing_add(scope: Scope, items: list[dict[str, object]]) -> None:
    """Adds `flowing`, `flowing_since` and `flowing_why` to each. Queries: those of `mirrors_flow`."""
    flows = mirrors_flow(scope, [str(one["key"]) for one in items])
    for one in items:
        one.update(_fields(flows.get(str(one["key"]))))


def _fields(flow: Flow | None) -> dict[str, object]:
    if flow is None:
        return {"flowing": None, "flowing_since": None, "flowing_why": "gone"}
    is_flowing = _FLOWING[flow.state]
    since = flow.first_at if is_flowing else None if is_flowing is None else flow.since
    return {"flowing": is_flowing, "flowing_since": iso(since), "flowing_why": flow.blind.value if flow.blind else None}


routes_add(router, "tap-configurations", item=TapConfigurationItem, page=TapConfigurationPage, adorn=flowing_add)
