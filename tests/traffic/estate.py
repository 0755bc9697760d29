"""A pool of two machines with a TAP, one mirrored NIC, and what the meter knows of them; in two subscriptions, for tests of scopes."""

from dataclasses import dataclass

from tests.inventory.factories import SUBSCRIPTION, arm_id, make_load_balancer, make_nic, make_subnet, make_subscription, make_tap, make_vnet
from vtapweb.domain.arm_id import arm_key
from vtapweb.inventory.models import NetworkInterface, TapConfiguration

OTHER = "5b000000-0000-0000-0000-000000000002"


@dataclass(frozen=True)
class Pool:
    """`key` of the collector, `mirror` of the TAP configuration."""

    subscription_id: str
    key: str
    frontend_id: str
    members: tuple[NetworkInterface, ...]
    source: NetworkInterface
    mirror: str


def make_pool(subscription_id: str = SUBSCRIPTION, *, name: str = "ilb-collector", members: int = 2) -> Pool:
    """web-01-nic is mirrored to it."""
    make_subscription(subscription_id, name=f"sub-{subscription_id[:2]}")
    subnet = make_subnet("tools", vnet=make_vnet("hub", subscription_id=subscription_id))
    nics = tuple(make_nic(f"tool-{index}-nic", subnet=subnet, address=f"10.0.1.{index + 4}") for index in range(members))
    balancer = make_load_balancer(name, subnet=subnet, members=nics)
    frontend = f"{balancer.arm_id}/frontendIPConfigurations/frontend"
    tap = make_tap(destination_id=frontend, subscription_id=subscription_id)
    source = make_nic("web-01-nic", subnet=subnet, address="10.0.1.80", tap_id=tap.arm_id)
    mirror = TapConfiguration.objects.get(network_interface=source).key
    assert arm_id("loadBalancers", name, subscription_id=subscription_id) == balancer.arm_id
    return Pool(subscription_id, arm_key(frontend), frontend, nics, source, mirror)
