"""What vtapweb asks of an Azure: ten reads, in our own types. `sdk` is the implementation; nobody else knows how it is done."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Protocol

from vtapweb.cloud.types import Identity, NetworkInterface, Page, Subscription


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
    """Why a read failed, in the classes that lead to different advice."""

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
    """A read that did not complete. `code` and `message` are ARM's own where it sent an error envelope; no secret is ever inside."""

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
    ) -> None:
        super().__init__(f"{failure}: {code or status or ''} {message}".strip())
        self.failure = failure
        self.code = code
        self.message = message
        self.status = status
        self.correlation_id = correlation_id
        self.retry_after_s = retry_after_s
        self.attempts = attempts


class Cloud(Protocol):
    """One Azure, seen with one credential. Safe to use from one thread at a time."""

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
