"""Where one mirrored NIC's traffic goes, and went: the collectors whose history may hold it. A fixed number of queries."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from vtapweb.domain.scope import Scope
from vtapweb.inventory.browse import in_scope
from vtapweb.inventory.models import NetworkInterface, TapConfiguration, VirtualNetworkTap
from vtapweb.traffic.models import SourceFlow
from vtapweb.traffic.selectors.collectors import collector_of
from vtapweb.traffic.showing import now_of


@dataclass(frozen=True, slots=True)
class Route:
    """One mirror of the NIC to one collector. `is_current` False: it was there once, and what was measured is kept.

    `collector_name` is "" where the viewer may not know the collector; `has_sources`: it counts each source now; `is_heard`: it reports at all.
    """

    collector_key: str
    collector_name: str
    tap_configuration_key: str
    is_current: bool
    is_heard: bool
    has_sources: bool
    interval_s: float | None
    first_at: datetime | None
    last_at: datetime | None

    @property
    def told_key(self) -> str:
        """The collector's key as this viewer may have it: "" where he may not know the collector."""
        return self.collector_key if self.collector_name else ""


def nic_routes(scope: Scope, nic_key: str) -> list[Route] | None:
    """The mirrors of this NIC, those that are there first; None where the NIC is not there for this viewer.

    Four queries and those of `collector_of` for each collector: of a NIC that are one or two.
    """
    if not NetworkInterface.objects.filter(in_scope(scope), key=nic_key).exists():
        return None
    mirrors = dict(
        TapConfiguration.objects.filter(in_scope(scope), network_interface_id=nic_key, removed_at=None).values_list("key", "virtual_network_tap_key")
    )
    destinations = {
        tap.key: tap.destination_key or tap.key
        for tap in VirtualNetworkTap.objects.filter(key__in=sorted(set(mirrors.values()))).only(
            "key", "destination_ip_configuration_key", "destination_frontend_key"
        )
    }
    found = {(destinations.get(tap, tap), key): True for key, tap in mirrors.items()}
    flows = {(one.collector_key, one.tap_configuration_key): one for one in SourceFlow.objects.filter(Q(nic_key=nic_key)).order_by("-last_at")}
    for place in flows:
        found.setdefault(place, False)
    collectors = sorted({collector for collector, _ in found})
    now = now_of(collectors)
    facts = {key: collector_of(scope, key) for key in collectors}
    routes = []
    for (collector, mirror), is_current in found.items():
        of, flow, one = now.get(collector), flows.get((collector, mirror)), facts[collector]
        routes.append(
            Route(
                collector_key=collector,
                collector_name=one.name if one else "",
                tap_configuration_key=mirror,
                is_current=is_current,
                is_heard=of is not None,
                has_sources=bool(of and of.has_sources),
                interval_s=max((member.interval_s for member in of.members), default=None) if of else None,
                first_at=flow.first_at if flow else None,
                last_at=flow.last_at if flow else None,
            )
        )
    return sorted(routes, key=lambda one: (not one.is_current, one.collector_name.lower(), one.tap_configuration_key))
