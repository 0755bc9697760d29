"""What the rules judge by: frozen facts, gathered by somebody else.

Rule 1: joins go by `arm_key` keys, subscriptions by lower-case ids, so no spelling of an id changes a verdict. Rule 2: None, "" of a state and
`Presence.UNREADABLE` mean "not known" and are never read as fine. Rule 3: names are for sentences alone, no rule decides by one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from vtapweb.domain.partners import UNKNOWN, Recognised
from vtapweb.domain.permissions import PermissionList


class Presence(StrEnum):
    """Whether a document that something names could be read."""

    READ = "read"
    GONE = "gone"  # its subscription was read to the end and does not hold it
    UNREADABLE = "unreadable"  # nobody knows


class Readability(StrEnum):
    """What became of asking for permissions, locks or a feature."""

    READ = "read"
    UNREADABLE = "unreadable"  # refused, failed, or not asked yet
    NOT_OFFERED = "not_offered"  # this ARM server has no such thing; Azure itself always has


# --- subscriptions and their conditions ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LockFacts:
    """One management lock. It holds for `scope_id` and everything below; `level` is CanNotDelete, ReadOnly or what came."""

    scope_id: str
    level: str
    name: str
    notes: str = ""


@dataclass(frozen=True, slots=True)
class FeatureFacts:
    """`Microsoft.Network/AllowVirtualNetworkTap`: `state` is Registered, NotRegistered, Pending, … as it came."""

    readability: Readability = Readability.UNREADABLE
    state: str = ""


@dataclass(frozen=True, slots=True)
class PermissionFacts:
    """What the caller may do at one scope (a subscription, a group or a resource), with what it inherits from above."""

    readability: Readability = Readability.UNREADABLE
    lists: tuple[PermissionList, ...] = ()


@dataclass(frozen=True, slots=True)
class SubscriptionFacts:
    """`tenant_id` "" is not known. `configuration_count`: TAP configurations on its NICs; `tap_counts`: TAPs by region; None = not known."""

    subscription_id: str
    name: str = ""
    tenant_id: str = ""
    feature: FeatureFacts = FeatureFacts()
    locks: tuple[LockFacts, ...] = ()
    locks_readability: Readability = Readability.UNREADABLE
    configuration_count: int | None = None
    tap_counts: Mapping[str, int] | None = None


# --- networks -----------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PeeringFacts:
    """One side of a peering, as the VNet that holds it tells it. `since` is when a sync first saw this state."""

    remote_key: str
    remote_name: str
    state: str  # Connected, Initiated, Disconnected, or what came; "" = not said
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class VnetFacts:
    """A VNet that could be read, with all its peerings by remote key; one that could not is simply not in the world.

    `is_encryption_enabled` None: the document names no encryption, which is Azure's default, off.
    """

    key: str
    name: str
    subscription_id: str
    region: str
    is_encryption_enabled: bool | None = None
    peerings: Mapping[str, PeeringFacts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SecurityRuleFacts:
    """One rule of a network security group. No `source_prefixes` at all means application security groups, which the inventory does not hold."""

    name: str
    priority: int | None
    direction: str  # Inbound | Outbound
    access: str  # Allow | Deny
    protocol: str  # Udp, Tcp, *, …
    source_prefixes: tuple[str, ...] = ()
    destination_prefixes: tuple[str, ...] = ()
    destination_port_ranges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SecurityGroupFacts:
    """A network security group that could be read, with its own rules; Azure's default rules are added by the judge."""

    key: str
    name: str
    rules: tuple[SecurityRuleFacts, ...] = ()


# --- sources ------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BehindFacts:
    """A load balancer whose backend pool holds the NIC. `floating_rules`: names of the rules with floating IP that lead to such a pool."""

    name: str
    presence: Presence
    sku: str = ""  # Basic, Standard, Gateway; "" = not said
    floating_rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigurationFacts:
    """A TAP configuration that the NIC carries now."""

    name: str
    tap_key: str
    tap_name: str
    arm_id: str = ""


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """A NIC that somebody wants to mirror, with all that decides about it.

    `vm_presence` None: the NIC names no VM. `vm_restarted_at`: when syncs last saw its VM go from deallocated to running. `ip_versions` are as
    the ipConfigurations say ("" = not said, which is IPv4). `tags` are the NIC's and its VM's together.
    """

    key: str
    arm_id: str
    name: str
    subscription_id: str
    region: str
    vnet_key: str = ""
    vnet_id: str = ""
    subnet_key: str = ""
    subnet_id: str = ""
    vm_presence: Presence | None = None
    vm_key: str = ""
    vm_name: str = ""
    vm_size: str = ""
    vm_restarted_at: datetime | None = None
    has_private_endpoint: bool = False
    has_private_link_service: bool = False
    ip_versions: tuple[str, ...] = ()
    private_ips: tuple[str, ...] = ()
    behind: tuple[BehindFacts, ...] = ()
    configurations: tuple[ConfigurationFacts, ...] | None = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    def without_configurations(self) -> "SourceFacts":
        """The NIC as it will be when its mirror has been removed: a move judges by this."""
        return replace(self, configurations=())


# --- TAPs and what they lead to -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LoadBalancingRuleFacts:
    """A rule of the destination's frontend. `protocol` Udp, Tcp or All; with All, port 0 is "HA ports": everything."""

    name: str
    protocol: str
    frontend_port: int | None
    backend_port: int | None


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """A NIC that traffic ends at: the destination's own, or one behind its frontend.

    `security_group_keys`: of the NIC and of its subnet, those that are set; None = not known. `power_state` "" = not known.
    """

    nic_key: str
    nic_name: str
    address: str = ""
    presence: Presence = Presence.READ
    vm_name: str = ""
    power_state: str = ""
    security_group_keys: tuple[str, ...] | None = ()


@dataclass(frozen=True, slots=True)
class DestinationFacts:
    """What a TAP points to. Where `presence` is not READ, only the id, the name and the subscription in the id are known.

    `kind` is "nic", "load_balancer" or "" (cannot be told). `address_version` "" is not said, which is IPv4. `rules` and `members`: None = not known.
    """

    key: str
    arm_id: str
    name: str
    kind: str
    presence: Presence
    subscription_id: str
    region: str = ""
    vnet_key: str = ""
    vnet_id: str = ""
    address: str = ""
    address_version: str = ""
    has_public_ip: bool = False
    rules: tuple[LoadBalancingRuleFacts, ...] | None = ()
    members: tuple[MemberFacts, ...] | None = ()
    partner: Recognised = UNKNOWN


@dataclass(frozen=True, slots=True)
class TapFacts:
    """A TAP, or one that somebody wants to create (`is_proposed`: `arm_id` is the wanted one, nothing of it exists).

    `destinations`: every destination it names, by spec exactly one. `created_at`: when it was first seen; None = not known.
    `configuration_count`: NICs that mirror to it now, None = not known.
    """

    key: str
    arm_id: str
    name: str
    subscription_id: str
    region: str
    destinations: tuple[DestinationFacts, ...] = ()
    provisioning_state: str = "Succeeded"
    is_proposed: bool = False
    created_at: datetime | None = None
    configuration_count: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def destination(self) -> DestinationFacts | None:
        """The one it leads to; None when it names none or several."""
        return self.destinations[0] if len(self.destinations) == 1 else None


# --- settings -----------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProtectionFacts:
    """A scope that an admin protects.

    `kind`: subscription (`value` its id), vnet or subnet (`value` the arm_key), tag (`value` "name" or "name=value"), collector (any NIC; `value` the
    destination's key). `for_collector_key`: "" = from every collector, else from that destination alone.
    """

    kind: str
    value: str
    owner: str
    contact: str
    note: str = ""
    for_collector_key: str = ""


@dataclass(frozen=True, slots=True)
class LimitFacts:
    """Configurable, none fully verified. `adding`: how many NICs one change is about to add to a TAP."""

    taps_per_region: int = 100
    configurations_per_tap: int = 100
    configurations_per_subscription: int | None = None  # newer text speaks of 10
    near: float = 0.8
    adding: int = 1


@dataclass(frozen=True, slots=True)
class Tables:
    """What changes with Azure's announcements, kept as data: regions normalised, the pattern searched in a VM's size."""

    preview_regions: frozenset[str] = frozenset()
    coming_regions: frozenset[str] = frozenset()
    unsupported_size: re.Pattern[str] = re.compile(r"_v6(?:_|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class World:
    """All that more than one NIC or TAP shares, by key. `collector_nic_keys`: every NIC that some TAP leads to, whoever may read that TAP.

    `permissions` has arm_key of the scope's id as key.
    """

    subscriptions: Mapping[str, SubscriptionFacts] = field(default_factory=dict)
    vnets: Mapping[str, VnetFacts] = field(default_factory=dict)
    security_groups: Mapping[str, SecurityGroupFacts] = field(default_factory=dict)
    permissions: Mapping[str, PermissionFacts] = field(default_factory=dict)
    collector_nic_keys: frozenset[str] = frozenset()
    protections: tuple[ProtectionFacts, ...] = ()
    limits: LimitFacts = LimitFacts()
    tables: Tables = Tables()
