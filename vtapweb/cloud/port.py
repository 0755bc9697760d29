"""What vtapweb asks of an Azure: lists, single reads and writes, in our own types. `sdk` is the implementation; nobody else knows how it is done."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, Protocol

from vtapweb.cloud.types import (
    Identity,
    Lock,
    MetricSeries,
    NetworkInterface,
    Page,
    Permission,
    PollAnswer,
    Subscription,
    VirtualMachine,
    VirtualNetworkTap,
    WriteAnswer,
)

WriteMethod = Literal["PUT", "PATCH", "DELETE"]
NIC_METRICS: Final = "Microsoft.Network/networkInterfaces"  # namespaces of Azure Monitor
LOAD_BALANCER_METRICS: Final = "Microsoft.Network/loadBalancers"

# A 429 with this code is a lock on the target, not quota (learn.microsoft.com "Understand how Azure Resource Manager throttles requests").
ANOTHER_OPERATION: Final = "RetryableErrorDueToAnotherOperation"


class ReadKind(StrEnum):
    """The lists a sync reads of each subscription, in the order in which a sync reads them."""

    RESOURCE_GROUPS = "resource_groups"
    VIRTUAL_NETWORKS = "virtual_networks"
    NETWORK_SECURITY_GROUPS = "network_security_groups"
    VIRTUAL_MACHINE_STATUSES = "virtual_machine_statuses"  # before the VMs, which it is joined to
    VIRTUAL_MACHINES = "virtual_machines"
    AVAILABILITY_SETS = "availability_sets"
    SCALE_SETS = "scale_sets"
    LOAD_BALANCERS = "load_balancers"
    NETWORK_INTERFACES = "network_interfaces"
    VIRTUAL_NETWORK_TAPS = "virtual_network_taps"


class Failure(StrEnum):
    """Why a request failed, in the classes that lead to different advice."""

    THROTTLED = "throttled"  # 429 and the budget of retries is used up
    SERVER = "server"  # 5xx
    CONNECTION = "connection"  # refused, reset, timed out, TLS
    BROKEN_BODY = "broken_body"  # truncated or no JSON
    UNAUTHENTICATED = "unauthenticated"  # 401, no token to be had, expired
    FORBIDDEN = "forbidden"  # 403
    MISSING = "missing"  # 404 of the whole list: an API that this server lacks
    FOREIGN_LINK = "foreign_link"  # a nextLink to a host that must not get our token
    REFUSED = "refused"  # any other 4xx


class CloudError(Exception):
    """A request that did not complete. `code` and `message` are ARM's own where it sent an error envelope; no secret is ever inside.

    `is_outcome_unknown` is for writes: the server may have taken this one, so only a re-read tells. Where it is false nothing was changed.
    """

    def __init__(
        self,
        failure: Failure,
        *,
        code: str = "",
        message: str = "",
        status: int | None = None,
        correlation_id: str = "",
        retry_after_s: float | None = None,
        attempts: int = 1,
        is_outcome_unknown: bool = False,
    ) -> None:
        super().__init__(f"{failure}: {code or status or ''} {message}".strip())
        self.failure = failure
        self.code = code
        self.message = message
        self.status = status
        self.correlation_id = correlation_id
        self.retry_after_s = retry_after_s
        self.attempts = attempts
        self.is_outcome_unknown = is_outcome_unknown

    @property
    def words(self) -> str:
        """Azure's refusal in its own words, with its code, for people."""
        return f"{self.message or 'Azure did not say why.'}{f' ({self.code})' if self.code else ''}"

    @property
    def is_held_by_another_operation(self) -> bool:
        """Whether another operation holds the target, which says nothing about our quota."""
        return self.code.lower() == ANOTHER_OPERATION.lower()


class Cloud(Protocol):
    """One Azure, seen with one credential: the lists that a sync reads. Safe to use from one thread at a time."""

    def identity(self) -> Identity:
        """Who we are. Raises CloudError when no token can be had."""

    def subscriptions(self) -> Iterator[Page[Subscription]]:
        """Every subscription the credential lists. Raises CloudError, also in the middle."""

    def pages(self, kind: ReadKind, subscription_id: str) -> Iterator[Page[Any]]:
        """The pages of one list, of the type that belongs to `kind`; complete when the iterator ends, not complete when it raises CloudError."""

    def scale_set_network_interfaces(self, scale_set_id: str) -> Iterator[Page[NetworkInterface]]:
        """The NICs of a uniform scale set's members, which no subscription-wide list holds. Raises CloudError."""

    def close(self) -> None:
        """Gives the connections back."""


class MetricsCloud(Protocol):
    """What Azure Monitor counted, seen with one credential. Safe to use from one thread at a time."""

    def metric_totals(
        self, subscription_id: str, region: str, resource_ids: Sequence[str], names: Sequence[str], start: datetime, end: datetime, interval: str,
        *, namespace: str = NIC_METRICS, split_by: str = "",
    ) -> tuple[MetricSeries, ...]:  # fmt: skip
        """Azure Monitor's totals of at most 50 resources of one type, subscription and region, a bucket an `interval` ("PT1M").

        A resource or metric that Azure Monitor has nothing of is absent. `split_by` names a dimension: then a series for each of its values.
        Raises CloudError: MISSING where this cloud has no metrics.
        """

    def close(self) -> None:
        """Gives the connections back."""


class WritableCloud(Cloud, Protocol):
    """The same asked about single things, and written to. Safe to use from one thread at a time."""

    def network_interface(self, arm_id: str) -> NetworkInterface | None:
        """One NIC with its TAP configurations, as it is now; None where the server says that there is none. Raises CloudError."""

    def tap(self, arm_id: str) -> VirtualNetworkTap | None:
        """One TAP as it is now; None where the server says that there is none. Raises CloudError."""

    def virtual_machine(self, arm_id: str) -> VirtualMachine | None:
        """One VM as it is now, without its power state; None where the server says that there is none. Raises CloudError."""

    def permissions(self, scope_id: str) -> tuple[Permission, ...]:
        """What this credential may do at a subscription, resource group or resource, inherited rights included. Raises CloudError."""

    def locks(self, subscription_id: str) -> tuple[Lock, ...]:
        """Every management lock at and below the subscription. Raises CloudError."""

    def feature(self, subscription_id: str) -> str:
        """The state of the feature Microsoft.Network/AllowVirtualNetworkTap ("Registered", "NotRegistered", …). Raises CloudError."""

    def write(self, method: WriteMethod, path: str, body: dict[str, Any] | None, *, request_id: str, if_match: str = "") -> WriteAnswer:
        """Sends one write of a TAP or a TAP configuration, once. `path` is its ARM id; `request_id` is told to Azure as x-ms-client-request-id.

        Raises CloudError (`is_outcome_unknown` says whether it may have happened), ValueError for any other path: nothing else is ever written.
        """

    def poll(self, operation: str) -> PollAnswer:
        """Asks once how far a write is. `operation` is what `write` or the last poll gave. Raises CloudError where it could not be asked."""
