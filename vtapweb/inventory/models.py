"""The inventory's tables: resources as Azure told them, runs of the sync, what each list answered, what changed.

Rule 1: the primary key of a resource is `arm_key(arm_id)`; `arm_id` keeps Azure's spelling. Rule 2: what stands in another document is
referred to softly (`…_id` as spelled, `…_key` to join by, "" for none) and may dangle; what stands inside a document has a real foreign key.
Rule 3: a resource that is gone keeps its row with `removed_at`; nothing is ever deleted. Rule 4: None is "Azure did not say".
"""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

SUBSCRIPTION_ID_LENGTH = 64  # GUIDs have 36; other ARM servers may spell theirs longer
KEY_LENGTH = 26

_SYNC_STATES = [
    ("queued", "Queued"),
    ("running", "Running"),
    ("complete", "Complete"),
    ("partial", "Partial"),
    ("failed", "Failed"),
    ("cancelled", "Cancelled"),
]


def _key() -> "models.CharField[str, str]":
    return models.CharField(max_length=KEY_LENGTH, default="", blank=True)


def _text() -> "models.TextField[str, str]":
    return models.TextField(default="", blank=True)


def _by(field: str) -> models.Index:
    """An index on one field, named by the initials of its words: an index name may have 30 characters."""
    initials = "".join(word[0] for word in field.removesuffix("_key").split("_"))
    return models.Index(fields=[field], name=f"%(class)s_{initials}_ix")


class ResourceKind(models.TextChoices):
    """Every kind of row, by the slug that URLs, tables and the API use."""

    RESOURCE_GROUP = "resource-groups", "Resource group"
    VIRTUAL_NETWORK = "vnets", "VNet"
    SUBNET = "subnets", "Subnet"
    PEERING = "peerings", "Peering"
    NETWORK_SECURITY_GROUP = "network-security-groups", "Network security group"
    VIRTUAL_MACHINE = "virtual-machines", "Virtual machine"
    AVAILABILITY_SET = "availability-sets", "Availability set"
    SCALE_SET = "scale-sets", "Scale set"
    LOAD_BALANCER = "load-balancers", "Load balancer"
    FRONTEND = "frontends", "Frontend"
    BACKEND_POOL = "backend-pools", "Backend pool"
    LOAD_BALANCING_RULE = "load-balancing-rules", "Load balancing rule"
    NETWORK_INTERFACE = "nics", "NIC"
    IP_CONFIGURATION = "ip-configurations", "IP configuration"
    TAP_CONFIGURATION = "tap-configurations", "TAP configuration"
    TAP = "taps", "TAP"


class Tenant(models.Model):
    """An Entra tenant that some listed subscription belongs to."""

    tenant_id = models.CharField(max_length=SUBSCRIPTION_ID_LENGTH, primary_key=True)
    first_seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(tenant_id=Lower("tenant_id")), name="tenant_lower_case")]

    def __str__(self) -> str:
        return self.tenant_id


class Subscription(models.Model):
    """A subscription that the credential lists or once listed. One that a complete list no longer holds keeps its resources, marked stale."""

    subscription_id = models.CharField(max_length=SUBSCRIPTION_ID_LENGTH, primary_key=True)
    key = models.CharField(max_length=KEY_LENGTH, unique=True)
    arm_id = models.TextField()
    name = _text()
    tenant = models.ForeignKey(Tenant, null=True, blank=True, on_delete=models.PROTECT, related_name="subscriptions")
    state = _text()  # Enabled, Warned, PastDue, Disabled, Deleted, or what came
    managed_by_tenants = models.JSONField(default=list)
    tags = models.JSONField(default=dict)
    first_seen_at = models.DateTimeField()
    last_listed_at = models.DateTimeField(null=True, blank=True)
    not_listed_since = models.DateTimeField(null=True, blank=True)  # a complete list did not hold it
    fence = models.PositiveBigIntegerField(default=0)  # grows with every claim; a worker with an older number writes nothing
    raw = models.BinaryField(default=b"")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(subscription_id=Lower("subscription_id")), name="subscription_lower_case")]
        indexes = [models.Index(fields=["name"], name="subscription_name")]

    def __str__(self) -> str:
        return self.name or self.subscription_id


class Resource(models.Model):
    """What every resource row has."""

    key = models.CharField(max_length=KEY_LENGTH, primary_key=True)
    arm_id = models.TextField()
    name = models.TextField()
    subscription_id = models.CharField(max_length=SUBSCRIPTION_ID_LENGTH)
    resource_group = _text()
    location = _text()  # normalised: lower-case, no spaces
    provisioning_state = _text()
    etag = _text()
    tags = models.JSONField(default=dict)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(null=True, blank=True)  # set when it goes: the last complete read that still held it
    removed_at = models.DateTimeField(null=True, blank=True)  # null = present

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(condition=~Q(key=""), name="%(class)s_has_key"),
            models.CheckConstraint(condition=Q(subscription_id=Lower("subscription_id")), name="%(class)s_sub_lower"),
            models.CheckConstraint(condition=Q(removed_at=None) | Q(removed_at__gte=F("first_seen_at")), name="%(class)s_removed_later"),
        ]
        indexes = [
            models.Index(fields=["subscription_id", "removed_at"], name="%(class)s_pres"),
            models.Index(Lower("name"), name="%(class)s_name"),
            models.Index(fields=["location"], name="%(class)s_loc"),
            models.Index(fields=["provisioning_state"], name="%(class)s_prov"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_present(self) -> bool:
        return self.removed_at is None


class Document(Resource):
    """A resource that stands in a list of its own: has the JSON as it came, and the digest that tells whether it changed."""

    digest = models.BinaryField(
        max_length=16, default=b""
    )  # BLAKE2b-128 over raw and what was joined to it; "" = read again: removed, or not settled

    class Meta(Resource.Meta):
        abstract = True
        # A sync compares from this index alone, without touching the rows.
        indexes = [
            models.Index(fields=["subscription_id", "removed_at", "key", "digest"], name="%(class)s_pres"),
            *Resource.Meta.indexes[1:],
        ]


class ResourceGroup(Document):
    managed_by = _text()
    raw = models.BinaryField(default=b"")

    class Meta(Document.Meta):
        pass


class VirtualNetwork(Document):
    address_prefixes = models.JSONField(default=list)
    is_encryption_enabled = models.BooleanField(null=True, blank=True)
    raw = models.BinaryField(default=b"")

    class Meta(Document.Meta):
        pass


class Subnet(Resource):
    virtual_network = models.ForeignKey(VirtualNetwork, on_delete=models.PROTECT, related_name="subnets")
    address_prefixes = models.JSONField(default=list)
    network_security_group_id = _text()
    network_security_group_key = _key()
    delegations = models.JSONField(default=list)

    class Meta(Resource.Meta):
        indexes = [*Resource.Meta.indexes, _by("network_security_group_key")]


class VirtualNetworkPeering(Resource):
    """One side of a peering, as the VNet that holds it tells it."""

    virtual_network = models.ForeignKey(VirtualNetwork, on_delete=models.PROTECT, related_name="peerings")
    remote_virtual_network_id = _text()
    remote_virtual_network_key = _key()
    peering_state = _text()
    peering_sync_level = _text()
    remote_address_prefixes = models.JSONField(default=list)
    allow_virtual_network_access = models.BooleanField(null=True, blank=True)
    allow_forwarded_traffic = models.BooleanField(null=True, blank=True)
    allow_gateway_transit = models.BooleanField(null=True, blank=True)
    use_remote_gateways = models.BooleanField(null=True, blank=True)

    class Meta(Resource.Meta):
        indexes = [*Resource.Meta.indexes, _by("remote_virtual_network_key"), _by("peering_state")]


class NetworkSecurityGroup(Document):
    security_rules = models.JSONField(default=list)
    raw = models.BinaryField(default=b"")

    class Meta(Document.Meta):
        pass


class AvailabilitySet(Document):
    virtual_machine_ids = models.JSONField(default=list)
    raw = models.BinaryField(default=b"")

    class Meta(Document.Meta):
        pass


class ScaleSet(Document):
    vm_size = _text()
    orchestration_mode = _text()
    capacity = models.BigIntegerField(null=True, blank=True)
    raw = models.BinaryField(default=b"")

    class Meta(Document.Meta):
        pass


class VirtualMachine(Document):
    vm_size = _text()
    zones = models.JSONField(default=list)
    power_state = _text()  # running, deallocated, …; "" = not known
    availability_set_id = _text()
    availability_set_key = _key()
    scale_set_id = _text()
    scale_set_key = _key()
    image_publisher = _text()
    image_offer = _text()
    image_sku = _text()
    image_id = _text()
    plan_publisher = _text()
    plan_product = _text()
    plan_name = _text()
    os_type = _text()
    network_interface_ids = models.JSONField(default=list)
    raw = models.BinaryField(default=b"")

    class Meta(Document.Meta):
        indexes = [*Document.Meta.indexes, _by("availability_set_key"), _by("scale_set_key"), _by("power_state")]


class LoadBalancer(Document):
    sku = _text()
    raw = models.BinaryField(default=b"")

    class Meta(Document.Meta):
        pass


class FrontendIpConfiguration(Resource):
    load_balancer = models.ForeignKey(LoadBalancer, on_delete=models.PROTECT, related_name="frontends")
    private_ip_address = _text()
    private_ip_address_version = _text()
    private_ip_hex = models.CharField(max_length=33, default="", blank=True)
    subnet_id = _text()
    subnet_key = _key()
    public_ip_address_id = _text()

    class Meta(Resource.Meta):
        indexes = [*Resource.Meta.indexes, _by("subnet_key"), _by("private_ip_hex")]


class BackendAddressPool(Resource):
    load_balancer = models.ForeignKey(LoadBalancer, on_delete=models.PROTECT, related_name="backend_pools")
    ip_configuration_ids = models.JSONField(default=list)
    backend_addresses = models.JSONField(default=list)

    class Meta(Resource.Meta):
        pass


class LoadBalancingRule(Resource):
    load_balancer = models.ForeignKey(LoadBalancer, on_delete=models.PROTECT, related_name="rules")
    protocol = _text()
    frontend_port = models.IntegerField(null=True, blank=True)
    backend_port = models.IntegerField(null=True, blank=True)
    is_floating_ip_enabled = models.BooleanField(null=True, blank=True)
    frontend_id = _text()
    frontend_key = _key()
    backend_pool_ids = models.JSONField(default=list)

    class Meta(Resource.Meta):
        indexes = [*Resource.Meta.indexes, _by("frontend_key")]


class NetworkInterface(Document):
    """`subnet_…`, `virtual_network_…`, `private_ips`, `tap_ids` and `is_mirrored` repeat what the children say, for the tables' filters."""

    mac_address = _text()  # as sent, 00-0D-3A-…
    mac_hex = models.CharField(max_length=12, default="", blank=True)  # lower-case digits alone, "" when it is no MAC
    is_primary = models.BooleanField(null=True, blank=True)
    virtual_machine_id = _text()
    virtual_machine_key = _key()
    private_endpoint_id = _text()
    private_link_service_id = _text()
    network_security_group_id = _text()
    network_security_group_key = _key()
    is_accelerated_networking_enabled = models.BooleanField(null=True, blank=True)
    is_ip_forwarding_enabled = models.BooleanField(null=True, blank=True)
    nic_type = _text()
    auxiliary_mode = _text()
    auxiliary_sku = _text()
    scale_set_id = _text()  # where a uniform scale set's own list told it; "" in the subscription's list
    scale_set_key = _key()
    subnet_id = _text()  # of the primary ipConfiguration
    subnet_key = _key()
    virtual_network_id = _text()
    virtual_network_key = _key()
    private_ips = models.JSONField(default=list)
    tap_ids = models.JSONField(default=list)
    is_mirrored = models.BooleanField(default=False)
    raw = models.BinaryField(default=b"")

    class Meta(Document.Meta):
        indexes = [
            models.Index(fields=["subscription_id", "removed_at", "scale_set_key", "key", "digest"], name="%(class)s_pres"),
            *Document.Meta.indexes[1:],
            _by("virtual_machine_key"),
            _by("network_security_group_key"),
            _by("scale_set_key"),
            _by("subnet_key"),
            _by("virtual_network_key"),
            _by("mac_hex"),
        ]


class IpConfiguration(Resource):
    network_interface = models.ForeignKey(NetworkInterface, on_delete=models.PROTECT, related_name="ip_configurations")
    private_ip_address = _text()
    private_ip_address_version = _text()
    private_ip_hex = models.CharField(max_length=33, default="", blank=True)  # "4" + 8 or "6" + 32 hex digits: a prefix is a range of it
    private_ip_allocation_method = _text()
    is_primary = models.BooleanField(null=True, blank=True)
    subnet_id = _text()
    subnet_key = _key()
    public_ip_address_id = _text()
    backend_address_pool_ids = models.JSONField(default=list)

    class Meta(Resource.Meta):
        indexes = [*Resource.Meta.indexes, _by("subnet_key"), _by("private_ip_hex")]


class TapConfiguration(Resource):
    """A NIC's order to send its traffic to a TAP: a mirror."""

    network_interface = models.ForeignKey(NetworkInterface, on_delete=models.PROTECT, related_name="tap_configurations")
    virtual_network_tap_id = _text()
    virtual_network_tap_key = _key()

    class Meta(Resource.Meta):
        indexes = [*Resource.Meta.indexes, _by("virtual_network_tap_key")]


class VirtualNetworkTap(Document):
    destination_ip_configuration_id = _text()
    destination_ip_configuration_key = _key()
    destination_frontend_id = _text()
    destination_frontend_key = _key()
    destination_port = models.IntegerField(null=True, blank=True)
    resource_guid = _text()
    tap_configuration_ids = models.JSONField(default=list)
    raw = models.BinaryField(default=b"")

    class Meta(Document.Meta):
        indexes = [*Document.Meta.indexes, _by("destination_ip_configuration_key"), _by("destination_frontend_key")]

    @property
    def destination_id(self) -> str:
        return self.destination_ip_configuration_id or self.destination_frontend_id

    @property
    def destination_key(self) -> str:
        return self.destination_ip_configuration_key or self.destination_frontend_key

    @property
    def destination_kind(self) -> str:
        """nic | load_balancer | "" when the TAP names no destination."""
        if self.destination_ip_configuration_id:
            return "nic"
        return "load_balancer" if self.destination_frontend_id else ""


class Installation(models.Model):
    """One row, id 1: the Azure this data belongs to. Another one is refused."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    cloud = models.CharField(max_length=40)
    endpoint = models.TextField(default="", blank=True)
    tenant_ids = models.JSONField(default=list)
    bound_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="installation_one_row")]

    def __str__(self) -> str:
        return f"{self.cloud} {self.endpoint}".strip()


class Leased(models.Model):
    """Work that one process at a time may do: whoever holds `fence` while `lease_until` lies ahead. The row is the job; a message is a nudge."""

    state = models.CharField(max_length=12, choices=_SYNC_STATES, default="queued")
    attempts = models.PositiveSmallIntegerField(default=0)
    enqueued_at = models.DateTimeField()
    lease_owner = models.CharField(max_length=120, default="", blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveBigIntegerField(default=0)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    failure = models.CharField(
        max_length=20, default="", blank=True
    )  # cloud.port.Failure, "worker" for a lost one, "internal" for one that failed itself
    code = _text()
    message = _text()

    class Meta:
        abstract = True

    @property
    def is_finished(self) -> bool:
        return self.finished_at is not None


class SyncRun(Leased):
    """One reading of all subscriptions, or of those named. Its own lease covers the reading of the list of subscriptions."""

    class Trigger(models.TextChoices):
        START = "start", "On start"
        DEMAND = "demand", "On demand"
        SCHEDULE = "schedule", "On schedule"
        COMMAND = "command", "By command"

    trigger = models.CharField(max_length=10, choices=Trigger.choices)
    actor = _text()  # who asked, as the audit names them; "" for the schedule
    requested_subscription_ids = models.JSONField(null=True, blank=True)  # null = all
    is_cancel_requested = models.BooleanField(default=False)
    is_list_complete = models.BooleanField(default=False)  # whether the list of subscriptions was read to its end
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(state__in=[name for name, _ in _SYNC_STATES]), name="syncrun_state")]
        indexes = [models.Index(fields=["state"], name="syncrun_state_ix"), models.Index(fields=["-created_at"], name="syncrun_newest")]

    def __str__(self) -> str:
        return f"run {self.pk} {self.state}"


class SubscriptionSync(Leased):
    """One subscription's part of a run. `progress` is {read kind: {state, sent_count, written_count}}, stored at the pace it is announced."""

    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="subscription_syncs")
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="syncs")
    progress = models.JSONField(default=dict)
    added_count = models.PositiveIntegerField(default=0)
    changed_count = models.PositiveIntegerField(default=0)
    removed_count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=[name for name, _ in _SYNC_STATES]), name="subscriptionsync_state"),
            models.UniqueConstraint(fields=["run", "subscription"], name="subscriptionsync_once_a_run"),
            models.UniqueConstraint(fields=["subscription"], condition=Q(state="running"), name="subscriptionsync_one_running"),
        ]
        indexes = [models.Index(fields=["state", "enqueued_at"], name="subscriptionsync_waiting")]

    def __str__(self) -> str:
        return f"{self.subscription_id} in run {self.run_id}: {self.state}"


class KindState(models.Model):
    """What the last attempt at one list of one subscription came to, and when it was last read to its end."""

    class Status(models.TextChoices):
        NEVER = "never", "Never read"
        COMPLETE = "complete", "Complete"
        PARTIAL = "partial", "Partial"
        FAILED = "failed", "Failed"
        NOT_AVAILABLE = "not_available", "Not available"  # the server lacks this list and always did: unknown, not a failure
        HELD = "held", "Removal held"  # read to its end, but so much would go that an admin must confirm

    # The list was read to its end.
    READ_STATUSES = (Status.COMPLETE, Status.HELD)
    # The one rule of "incomplete", for pill, tables, map and API: what is shown of such a list may be untrue now, and is stale. Of one that is
    # not available there are no rows: it is unknown instead.
    INCOMPLETE_STATUSES = (Status.PARTIAL, Status.FAILED, Status.HELD)

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="kind_states")
    kind = models.CharField(max_length=40)  # cloud.port.ReadKind, or scale_set_network_interfaces
    status = models.CharField(max_length=15, choices=Status.choices, default=Status.NEVER)
    last_attempt_at = models.DateTimeField(null=True, blank=True)
    last_complete_at = models.DateTimeField(null=True, blank=True)
    sent_count = models.PositiveIntegerField(default=0)
    stored_count = models.PositiveIntegerField(default=0)
    duplicate_count = models.PositiveIntegerField(default=0)
    not_understood_count = models.PositiveIntegerField(default=0)
    failure = models.CharField(max_length=20, default="", blank=True)
    code = _text()
    message = _text()
    correlation_id = _text()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subscription", "kind"], name="kindstate_once")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.subscription_id}: {self.status}"


class NotUnderstoodItem(models.Model):
    """An item of the last read that could not be made a row: kept as it came, counted and shown."""

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="not_understood_items")
    kind = models.CharField(max_length=40)
    arm_id = _text()
    reason = models.TextField()
    raw = models.BinaryField()
    seen_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["subscription", "kind"], name="notunderstood_list")]

    def __str__(self) -> str:
        return f"{self.arm_id or 'an item'}: {self.reason}"


class ResourceChange(models.Model):
    """One change that a sync or a single read saw. `fields` is {name: [before, after]} for "changed", {} else."""

    class Action(models.TextChoices):
        ADDED = "added", "Added"
        CHANGED = "changed", "Changed"
        REMOVED = "removed", "Removed"

    class Origin(models.TextChoices):
        SYNC = "", "A sync, or an admin who confirmed a held removal"
        VERIFY = "verify", "A single resource read around a write"

    run = models.ForeignKey(SyncRun, null=True, on_delete=models.PROTECT, related_name="changes")  # null: confirmed by an admin, or a single read
    subscription_id = models.CharField(max_length=SUBSCRIPTION_ID_LENGTH)
    kind = models.CharField(max_length=30, choices=ResourceKind.choices)
    key = models.CharField(max_length=KEY_LENGTH)
    arm_id = models.TextField()
    name = models.TextField()
    action = models.CharField(max_length=8, choices=Action.choices)
    fields = models.JSONField(default=dict)
    origin = models.CharField(max_length=6, choices=Origin.choices, default="", db_default="", blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(action__in=["added", "changed", "removed"]), name="resourcechange_action")]
        indexes = [
            models.Index(fields=["key", "-id"], name="resourcechange_of_resource"),
            models.Index(fields=["subscription_id", "-id"], name="resourcechange_of_sub"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.action}"


class SingleRead(models.Model):
    """When a resource was last read by itself: pages that a sync asked for before that moment say nothing of it any more."""

    key = models.CharField(max_length=KEY_LENGTH, primary_key=True)
    subscription_id = models.CharField(max_length=SUBSCRIPTION_ID_LENGTH)
    read_at = models.DateTimeField()  # when the answer had come

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(key=""), name="singleread_has_key"),
            models.CheckConstraint(condition=Q(subscription_id=Lower("subscription_id")), name="singleread_sub_lower"),
        ]

    def __str__(self) -> str:
        return f"{self.key} read at {self.read_at.isoformat()}"


class RemovalHold(models.Model):
    """A removal too large to be believed: waits for an admin. `keys` are the rows that the complete list no longer held."""

    class State(models.TextChoices):
        OPEN = "open", "Waiting for an admin"
        CONFIRMED = "confirmed", "Confirmed"
        APPLIED = "applied", "Applied"
        DISMISSED = "dismissed", "Dismissed"
        LAPSED = "lapsed", "Lapsed"  # the resources came back

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="removal_holds")
    run = models.ForeignKey(SyncRun, on_delete=models.PROTECT, related_name="removal_holds")
    read_kind = models.CharField(max_length=40)
    kind = models.CharField(max_length=30, choices=ResourceKind.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    keys = models.JSONField(default=list)
    missing_count = models.PositiveIntegerField()
    present_count = models.PositiveIntegerField()
    created_at = models.DateTimeField()
    seen_at = models.DateTimeField()  # the last complete list that lacked them
    decided_by = _text()
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["open", "confirmed", "applied", "dismissed", "lapsed"]), name="removalhold_state"),
            models.UniqueConstraint(
                fields=["subscription", "read_kind", "kind"],
                condition=Q(state__in=["open", "confirmed", "dismissed"]),
                name="removalhold_one_alive",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.missing_count} of {self.present_count} {self.kind} in {self.subscription_id}: {self.state}"
