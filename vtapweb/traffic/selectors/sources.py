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

    `told_key` and `collector_name` are the collector as this viewer may know it, "" where he may not; `collector_key` is for finding what was
    measured. `has_sources`: it counts each source now; `is_heard`: it reports at all.
    """

    collector_key: str
    told_key: str
    collector_name: str
    tap_configuration_key: str
    is_current: bool
    is_heard: bool
    has_sources: bool
    interval_s: float | None
    first_at: datetime | None
    last_at: datetime | None


def nic_routes(scope: Scope, nic_key: str) -> list[Route] | None:
    """The mirrors of this NIC, those that are there first; None where the NIC is not there for this viewer.

    Four queries and those of `collector_of` for each collector: of a NIC that are one or two.
    """
    if not NetworkInterface.objects.filter(in_scope(scope), key=nic_key).exists():
        return None
    mirrors = dict(
        TapConfiguration.objects.filter(in_scope(scope), network_interface_id=nic_key, removed_at=None).values_list("key", "virtual_network_tap_key")
    )
    wanted = VirtualNetworkTap.objects.filter(key__in=sorted(set(mirrors.values())))
    taps = list(wanted.only("key", "subscription_id", "destination_ip_configuration_key", "destination_frontend_key"))
    destinations = {tap.key: tap.destination_key or tap.key for tap in taps}
    # Of a TAP that may not be read only the mirror's own document tells, as on the map: its collector bears the TAP's key and name.
    told = {destinations[tap.key]: tap.key for tap in taps if not scope.allows(tap.subscription_id)}
    found = {(destinations.get(tap, tap), key): True for key, tap in mirrors.items()}
    flows = {(one.collector_key, one.tap_configuration_key): one for one in SourceFlow.objects.filter(Q(nic_key=nic_key)).order_by("-last_at")}
    for place in flows:
        found.setdefault(place, False)
    collectors = sorted({collector for collector, _ in found})
    now = now_of(collectors)
    facts = {key: collector_of(scope, told.get(key, key)) for key in collectors}
    routes = []
    for (collector, mirror), is_current in found.items():
        of, flow, one = now.get(collector), flows.get((collector, mirror)), facts[collector]
        routes.append(
            Route(
                collector_key=collector,
                told_key=one.key if one else "",
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
