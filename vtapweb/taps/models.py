"""The tables of what is written to Azure: changes and their steps, who may write where, what is mirrored and why.

Rule 1: resources are referred to softly, as the inventory does (`…_id` as spelled, `…_key` to join by, "" for none): a change outlives what it
changed. Rule 2: nothing that was done is deleted; what an admin sets may be, and the audit record remembers it. Rule 3: what must never happen
twice is a constraint, not a hope: of one target, and of one NIC, there is at most one request under way, whichever change it belongs to.
"""

import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from vtapweb.access.models import User
from vtapweb.domain.arm_id import name_in
from vtapweb.domain.change import FINAL_CHANGE_STATES, FINAL_STEP_STATES, IN_FLIGHT_STEP_STATES, ChangeAction, ChangeState, StepAction, StepState
from vtapweb.domain.scope import Scope
from vtapweb.domain.tap_body import resource_name
from vtapweb.domain.window import WeeklyWindow

# As plain words: a migration keeps what stood here when it was made, and must not need this code.
_FINAL_CHANGES = sorted(one.value for one in FINAL_CHANGE_STATES)
_FINAL_STEPS = sorted(one.value for one in FINAL_STEP_STATES)
_IN_FLIGHT = sorted(one.value for one in IN_FLIGHT_STEP_STATES)

SUBSCRIPTION_ID_LENGTH = 64
KEY_LENGTH = 26


def _choices(states: type[ChangeState] | type[StepState] | type[ChangeAction] | type[StepAction]) -> list[tuple[str, str]]:
    return [(one.value, one.value.replace("_", " ").capitalize().replace("tap", "TAP")) for one in states]


def _key() -> "models.CharField[str, str]":
    return models.CharField(max_length=KEY_LENGTH, default="", blank=True)


def _text() -> "models.TextField[str, str]":
    return models.TextField(default="", blank=True)


# -- changes


class Change(models.Model):
    """One thing that somebody wanted done in Azure, with the plan they agreed to and how far it came. States: domain/change.py."""

    action = models.CharField(max_length=20, choices=_choices(ChangeAction))
    state = models.CharField(max_length=20, choices=_choices(ChangeState), default=ChangeState.PLANNED.value)
    reason = models.TextField()
    ticket = _text()
    expires_at = models.DateTimeField(null=True, blank=True)  # the mirrors are taken back by a change of its own then
    window_opens_at = models.DateTimeField(null=True, blank=True)  # null: now
    window_closes_at = models.DateTimeField(null=True, blank=True)  # nothing is sent from then on
    window_zone = _text()  # the IANA zone in which the window was named, for showing it
    pace_first = models.PositiveSmallIntegerField(default=1)  # steps in the first wave
    pace_wave = models.PositiveSmallIntegerField(default=5)  # steps in every later one, at most
    settle_s = models.PositiveIntegerField(default=60)  # between a wave's last verified step and the next wave
    keep_apart = _text()  # a tag's name: VMs with the same value are never in flight together; "" = none named
    subscription_ids = models.JSONField(default=list)  # all that the steps write to or the TAP lies in, lower-case: who may see it must see all
    planner_subscription_ids = models.JSONField(null=True, default=None)  # what the planner could see: it is judged in that scope; null: everything
    tap_id = _text()  # the TAP that NICs come to (tap, move) or that is made, changed, deleted
    tap_key = _key()
    tap_name = _text()
    undo_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="undone_by")
    retry_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="retried_by")
    expiry_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="expired_by")
    left_out = models.JSONField(default=list)  # [{nic, name, rule_id, message}]: asked for and refused when it was planned
    plan = models.JSONField(default=dict)  # warnings, forecast, digests {nic_key: digest}, parts of the sentence
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_by_name = models.CharField(max_length=200)
    source_ip = models.GenericIPAddressField(null=True, blank=True)
    applied_at = models.DateTimeField(null=True, blank=True)  # somebody pressed apply
    applied_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    applied_by_name = models.CharField(max_length=200, default="", blank=True)
    started_at = models.DateTimeField(null=True, blank=True)  # the first step was sent
    finished_at = models.DateTimeField(null=True, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True)  # the last time somebody pressed apply or continue
    checked_at = models.DateTimeField(null=True, blank=True)  # all targets were re-read and judged again since then; null: still to do
    is_cancel_requested = models.BooleanField(default=False)  # no further step is sent; the change ends when the last one in flight has
    stop_code = models.CharField(max_length=40, default="", blank=True)  # why it is paused or ended early, for programs
    stop_reason = _text()  # the same, one sentence for people
    differences = models.JSONField(default=list)  # [{nic, name, was, now, message}]: how the world moved since the plan
    lease_owner = models.CharField(max_length=120, default="", blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveBigIntegerField(default=0)  # grows with every claim; a worker with an older number writes nothing
    next_due_at = models.DateTimeField(null=True, blank=True)  # when the engine should look again; null: nothing to do
    nudged_at = models.DateTimeField(null=True, blank=True)  # a message was sent to look, and nobody has yet
    is_demo = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(action__in=[one.value for one in ChangeAction]), name="change_action"),
            models.CheckConstraint(condition=Q(state__in=[one.value for one in ChangeState]), name="change_state"),
            models.CheckConstraint(condition=~Q(reason=""), name="change_has_reason"),
            models.CheckConstraint(condition=Q(pace_first__gte=1) & Q(pace_wave__gte=1), name="change_pace"),
            models.CheckConstraint(
                condition=Q(window_closes_at=None) | Q(window_opens_at=None) | Q(window_closes_at__gt=F("window_opens_at")), name="change_window"
            ),
            models.CheckConstraint(
                condition=Q(state__in=_FINAL_CHANGES, finished_at__isnull=False) | (~Q(state__in=_FINAL_CHANGES) & Q(finished_at=None)),
                name="change_finished",
            ),
            models.CheckConstraint(condition=~Q(state__in=["applying", "paused"]) | Q(applied_at__isnull=False), name="change_applied_at"),
        ]
        indexes = [
            models.Index(fields=["state", "next_due_at"], name="change_due"),
            models.Index(fields=["-created_at"], name="change_newest"),
            models.Index(fields=["tap_key"], name="change_tap"),
        ]

    def __str__(self) -> str:
        return f"change {self.pk} {self.state}"

    @property
    def is_finished(self) -> bool:
        return self.finished_at is not None

    @property
    def planner_scope(self) -> Scope:
        """What whoever planned it could see then. It is judged in this scope ever after, whoever clicks or carries it out."""
        return Scope.everything() if self.planner_subscription_ids is None else Scope.of(self.planner_subscription_ids)


class ChangeStep(models.Model):
    """One request of a change: what is written, where it stands, what Azure said."""

    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="steps")
    ordinal = models.PositiveIntegerField()  # from 1, the order in which people read them
    wave = models.PositiveIntegerField(default=1)  # from 1; a wave is sent when the one before has ended and settled
    after = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="followers")  # must be verified before
    nic_id = _text()  # the NIC whose mirror is written; "" for steps about a TAP itself
    nic_key = _key()
    nic_name = _text()
    vm_key = _key()
    vm_name = _text()
    groups = models.JSONField(default=list)  # names of what must not be in flight together with this: availability set, backend pools, tag
    target_id = models.TextField()  # ARM id of what is written: a TAP configuration or a TAP
    target_key = models.CharField(max_length=KEY_LENGTH)
    subscription_id = models.CharField(max_length=SUBSCRIPTION_ID_LENGTH)
    action = models.CharField(max_length=8, choices=_choices(StepAction))
    method = models.CharField(max_length=8)
    path = models.TextField()  # with api-version
    body = models.JSONField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=_choices(StepState), default=StepState.PENDING.value)
    client_request_id = models.UUIDField(default=uuid.uuid4, unique=True)  # goes out as x-ms-client-request-id
    attempts = models.PositiveSmallIntegerField(default=0)  # how often it was sent
    sent_at = models.DateTimeField(null=True, blank=True)  # the last time
    operation = _text()  # how to ask Azure about it (cloud.port.Operation); its addresses are 4 kB long
    next_at = models.DateTimeField(null=True, blank=True)  # not looked at before: Retry-After, the next poll
    wait_code = models.CharField(max_length=40, default="", blank=True)  # why a pending or polling step waits: throttled, preparation, …
    wait_reason = _text()  # the same, one sentence for people
    answered_at = models.DateTimeField(null=True, blank=True)  # Azure said how it ended, or a re-read did
    verified_at = models.DateTimeField(null=True, blank=True)  # a re-read showed it as wanted
    error_code = _text()
    error_message = _text()
    correlation_id = _text()
    http_status = models.PositiveSmallIntegerField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)  # its target was last read from Azure
    ended_at = models.DateTimeField(null=True, blank=True)  # verified, failed or skipped
    before = models.JSONField(default=dict)  # what was there when it was sent, for the undo
    skip_code = models.CharField(max_length=40, default="", blank=True)  # already, cancelled, window_closed, refused, step_before, not_expired
    skip_reason = _text()
    is_return = models.BooleanField(default=False)  # puts back what a move took away before its other half failed

    class Meta:
        ordering = ["change", "ordinal"]
        constraints = [
            models.UniqueConstraint(fields=["change", "ordinal"], name="changestep_ordinal_once"),
            models.CheckConstraint(condition=Q(state__in=[one.value for one in StepState]), name="changestep_state"),
            models.CheckConstraint(condition=Q(action__in=[one.value for one in StepAction]), name="changestep_action"),
            models.CheckConstraint(condition=~Q(target_key=""), name="changestep_has_target"),
            models.CheckConstraint(condition=~Q(state__in=_IN_FLIGHT) | Q(sent_at__isnull=False), name="changestep_sent_at"),
            models.CheckConstraint(condition=Q(state="verified", verified_at__isnull=False) | ~Q(state="verified"), name="changestep_verified_at"),
            models.CheckConstraint(condition=~Q(state="skipped") | (~Q(skip_reason="") & ~Q(skip_code="")), name="changestep_skip_reason"),
            models.CheckConstraint(
                condition=Q(state__in=_FINAL_STEPS, ended_at__isnull=False) | (~Q(state__in=_FINAL_STEPS) & Q(ended_at=None)),
                name="changestep_ended",
            ),
            models.UniqueConstraint(fields=["target_key"], condition=Q(state__in=_IN_FLIGHT), name="changestep_one_in_flight_a_target"),
            models.UniqueConstraint(fields=["nic_key"], condition=Q(state__in=_IN_FLIGHT) & ~Q(nic_key=""), name="changestep_one_in_flight_a_nic"),
        ]
        indexes = [
            models.Index(fields=["nic_key", "state"], name="changestep_of_nic"),
            models.Index(fields=["target_key"], name="changestep_of_target"),
            models.Index(fields=["change", "state"], name="changestep_states"),
        ]

    def __str__(self) -> str:
        return f"step {self.ordinal} of change {self.change_id}: {self.state}"

    @property
    def has_mirror(self) -> bool:
        """Whether it has had a mirror made, or found it made."""
        is_there = self.state == StepState.VERIFIED or (self.state == StepState.SKIPPED and self.skip_code == "already")
        return is_there and bool(self.nic_key) and self.action == StepAction.PUT


class PlanKey(models.Model):
    """One `Idempotency-Key` that somebody sent with a plan: the same request again is answered with the same change."""

    owner = models.CharField(max_length=40)  # user:1 or token:1
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)  # of what was asked for: another plan under the same key is refused
    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="plankey_once")]

    def __str__(self) -> str:
        return f"{self.key} of {self.owner}"


# Steps that bring a NIC out of the middle of a move: the second half once the first was sent, or the way back. They are sent also when the rest of
# the change is halted, so that no NIC is left between two TAPs.
HALF_DONE = Q(is_return=True) | Q(change__action="move", after__action="delete", after__state__in=["sent", "polling", "verified"])


class GroupHold(models.Model):
    """One group (availability set, backend pool, tag value) that has a member in flight or settling: no other member is sent, by any change."""

    group_digest = models.CharField(max_length=32, primary_key=True)
    group = models.TextField()
    step = models.ForeignKey(ChangeStep, on_delete=models.PROTECT, related_name="holds")
    until = models.DateTimeField(null=True, blank=True)  # null: its step is in flight

    def __str__(self) -> str:
        return f"{self.group} held by step {self.step_id}"


class WriteBudget(models.Model):
    """What is left of Azure's write budget of one subscription (a token bucket), as all our workers together use it."""

    subscription_id = models.CharField(max_length=SUBSCRIPTION_ID_LENGTH, primary_key=True)
    tokens = models.FloatField()
    at = models.DateTimeField()
    not_before = models.DateTimeField(null=True, blank=True)  # Azure said 429 with Retry-After

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(tokens__gte=0), name="writebudget_not_negative")]

    def __str__(self) -> str:
        return f"{self.subscription_id}: {self.tokens:.1f}"


# -- what an admin sets: whether, when and from where vtapweb may mirror


class SubscriptionWrites(models.Model):
    """Whether vtapweb may write to one subscription. Without a row: yes on the simulator, no anywhere else (`selectors.writes`)."""

    subscription_id = models.CharField(max_length=SUBSCRIPTION_ID_LENGTH, primary_key=True)
    is_enabled = models.BooleanField(default=False)
    preview_accepted_by = models.CharField(max_length=200, default="", blank=True)  # a name: who accepted that this is a preview without SLA
    preview_accepted_at = models.DateTimeField(null=True, blank=True)
    requires_window = models.BooleanField(default=False)  # a change here must name a change window
    reason = models.TextField(default="", blank=True)
    by = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(subscription_id=Lower("subscription_id")), name="taps_writes_sub_lower"),
            models.CheckConstraint(condition=~Q(subscription_id=""), name="taps_writes_has_sub"),
            models.CheckConstraint(
                condition=Q(is_enabled=False) | (Q(preview_accepted_at__isnull=False) & ~Q(preview_accepted_by="")),
                name="taps_writes_notice_accepted",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscription_id}: {'writes enabled' if self.is_enabled else 'read-only'}"


class WriteStop(models.Model):
    """One row, id 1: the emergency stop over every write, whatever the subscriptions say."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    is_stopped = models.BooleanField(default=False)
    reason = models.TextField(default="", blank=True)
    by = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="taps_writestop_one_row")]

    def __str__(self) -> str:
        return "all writes are stopped" if self.is_stopped else "writes are not stopped"


class ChangeWindow(models.Model):
    """A span of the week in which changes may run: on `weekdays` (0 = Monday) from `opens` to `closes`, local time in `zone`.

    One that closes at or before the time it opens ends on the next day.
    """

    name = models.CharField(max_length=100, unique=True)
    weekdays = models.JSONField(default=list)
    opens = models.TimeField()
    closes = models.TimeField()
    zone = models.CharField(max_length=64)  # IANA
    by = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        constraints = [models.CheckConstraint(condition=~Q(name=""), name="taps_window_has_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def weekly(self) -> WeeklyWindow:
        """The window as domain/window.py reckons with it."""
        return WeeklyWindow(frozenset(self.weekdays), self.opens, self.closes, self.zone)


class ProtectedScope(models.Model):
    """Sources that must not be mirrored: at all, or (`for_collector_key`) not to one collector. `owner` and `contact` go into the verdict.

    `value` is what the admin wrote (an ARM id, a subscription id, `name=value` of a tag), `key` what it is compared by: the ARM key,
    the lower-case subscription id, the case-folded `name=value` or `name`. Kind `collector`: this collector receives from nobody.
    """

    class Kind(models.TextChoices):
        SUBSCRIPTION = "subscription", "Subscription"
        VNET = "vnet", "VNet"
        SUBNET = "subnet", "Subnet"
        TAG = "tag", "Tag"
        COLLECTOR = "collector", "Collector"

    kind = models.CharField(max_length=12, choices=Kind.choices)
    value = models.TextField()
    key = models.CharField(max_length=600)
    for_collector_id = models.TextField(default="", blank=True)  # ARM id of a TAP's destination, "" = no collector may
    for_collector_key = models.CharField(max_length=KEY_LENGTH, default="", blank=True)
    owner = models.CharField(max_length=200)
    contact = models.CharField(max_length=200)
    note = models.TextField(default="", blank=True)
    by = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        ordering = ["kind", "value", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["subscription", "vnet", "subnet", "tag", "collector"]), name="taps_protected_kind_known"),
            models.CheckConstraint(condition=~Q(key="") & ~Q(owner="") & ~Q(contact=""), name="taps_protected_named"),
            models.CheckConstraint(condition=~Q(kind="collector") | Q(for_collector_key=""), name="taps_protected_collector_alone"),
            models.UniqueConstraint(fields=["kind", "key", "for_collector_key"], name="taps_protected_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"

    @property
    def value_name(self) -> str:
        """The last name in an ARM id."""
        return name_in(self.value)

    @property
    def for_collector_name(self) -> str:
        """The NIC or load balancer of the one collector, "" for all."""
        return name_in(self.for_collector_id.rstrip("/").rsplit("/", 2)[0])


# -- what Azure lets us do there, read beside the inventory


class ConditionStatus(models.TextChoices):
    """What reading one condition came to. Everything but `read` means: unknown."""

    NEVER = "never", "Never read"
    READ = "read", "Read"
    NOT_AVAILABLE = "not_available", "Not available"  # this server has no such API
    FORBIDDEN = "forbidden", "Forbidden"
    FAILED = "failed", "Failed"


class SubscriptionConditions(models.Model):
    """Feature flag and management locks of one subscription, as last read; each part with its own status and Azure's own words."""

    subscription_id = models.CharField(max_length=SUBSCRIPTION_ID_LENGTH, primary_key=True)
    feature_state = models.TextField(default="", blank=True)  # Registered, NotRegistered, Registering, …
    feature_status = models.CharField(max_length=13, choices=ConditionStatus.choices, default=ConditionStatus.NEVER)
    feature_problem = models.TextField(default="", blank=True)  # why the last attempt failed, also while an older answer is still believed
    feature_read_at = models.DateTimeField(null=True, blank=True)
    locks = models.JSONField(default=list)  # [{scope_id, level, name, notes}]
    locks_status = models.CharField(max_length=13, choices=ConditionStatus.choices, default=ConditionStatus.NEVER)
    locks_problem = models.TextField(default="", blank=True)
    locks_read_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)  # the last attempt

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(subscription_id=Lower("subscription_id")), name="taps_conditions_sub_lower"),
            models.CheckConstraint(
                condition=Q(feature_status__in=ConditionStatus.values) & Q(locks_status__in=ConditionStatus.values), name="taps_conditions_status"
            ),
        ]

    def __str__(self) -> str:
        return f"conditions of {self.subscription_id}"


class ScopePermissions(models.Model):
    """What the credential may do at one ARM scope (a subscription, a resource group, or one NIC or TAP), as last read."""

    scope_key = models.CharField(max_length=KEY_LENGTH, primary_key=True)
    scope_id = models.TextField()
    subscription_id = models.CharField(max_length=SUBSCRIPTION_ID_LENGTH)
    permissions = models.JSONField(default=list)  # [{actions: […], not_actions: […]}]
    status = models.CharField(max_length=13, choices=ConditionStatus.choices, default=ConditionStatus.NEVER)
    problem = models.TextField(default="", blank=True)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(scope_key=""), name="taps_permissions_has_key"),
            models.CheckConstraint(condition=Q(subscription_id=Lower("subscription_id")), name="taps_permissions_sub_lower"),
            models.CheckConstraint(condition=Q(status__in=ConditionStatus.values), name="taps_permissions_status"),
        ]
        indexes = [models.Index(fields=["subscription_id"], name="taps_permissions_sub")]

    def __str__(self) -> str:
        return f"permissions at {self.scope_id}"


# -- the ledger: what is mirrored, since when, by whom and why


class LedgerEntry(models.Model):
    """One life of something that mirrors: from when it came (or was first seen) until it went. `ended_at` null: it is there.

    States: `live`; `ended` by a change of ours, or by others where nobody here answers for it; of those that somebody answers for, `vanished`
    and `changed` in Azure without us. The last two are drift until `drift_decision` says what became of it.
    """

    class Origin(models.TextChoices):
        CHANGE = "change", "A change of ours"
        ADOPTED = "adopted", "Adopted"
        OUTSIDE = "outside", "Made outside vtapweb"

    class State(models.TextChoices):
        LIVE = "live", "Live"
        ENDED = "ended", "Ended"
        VANISHED = "vanished", "Vanished in Azure"
        CHANGED = "changed", "Changed in Azure"

    class Decision(models.TextChoices):
        NONE = "", "Open"
        ACCEPTED = "accepted", "Accepted"
        RE_CREATED = "re_created", "Re-created"
        RETURNED = "returned", "Came back"

    subscription_id = models.CharField(max_length=SUBSCRIPTION_ID_LENGTH)
    tap_id = _text()
    tap_key = _key()
    tap_name = _text()
    origin = models.CharField(max_length=8, choices=Origin.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.LIVE)
    began_change = models.ForeignKey(Change, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    ended_change = models.ForeignKey(Change, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    began_by = models.CharField(max_length=200, default="", blank=True)  # who applied, adopted or handed over; "" = not known
    ended_by = models.CharField(max_length=200, default="", blank=True)
    end_reason = _text()
    owner = models.CharField(max_length=200, default="", blank=True)
    reason = _text()
    ticket = _text()
    expires_at = models.DateTimeField(null=True, blank=True)
    first_seen_at = models.DateTimeField()
    began_at = models.DateTimeField(null=True, blank=True)  # null: it was there when it was first seen, nobody knows since when
    ended_at = models.DateTimeField(null=True, blank=True)  # for what others ended: when a sync saw that it is gone
    adopted_at = models.DateTimeField(null=True, blank=True)
    adopted_by = models.CharField(max_length=200, default="", blank=True)
    drift_decision = models.CharField(max_length=10, choices=Decision.choices, default="", blank=True)
    drift_decided_by = models.CharField(max_length=200, default="", blank=True)
    drift_decided_at = models.DateTimeField(null=True, blank=True)
    drift_reason = _text()

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(condition=Q(origin__in=["change", "adopted", "outside"]), name="%(class)s_origin"),
            models.CheckConstraint(condition=Q(state__in=["live", "ended", "vanished", "changed"]), name="%(class)s_state"),
            models.CheckConstraint(condition=Q(state="live", ended_at=None) | (~Q(state="live") & Q(ended_at__isnull=False)), name="%(class)s_ended"),
            models.CheckConstraint(condition=Q(origin="outside") | ~Q(reason=""), name="%(class)s_has_reason"),
            models.CheckConstraint(condition=Q(subscription_id=Lower("subscription_id")), name="%(class)s_sub_lower"),
        ]
        indexes = [
            models.Index(fields=["subscription_id", "state", "origin"], name="%(class)s_standing"),
            models.Index(fields=["tap_key", "state"], name="%(class)s_of_tap"),
        ]

    @property
    def is_open(self) -> bool:
        return self.ended_at is None

    @property
    def is_drift(self) -> bool:
        """Whether somebody still has to say what becomes of it."""
        return self.state in {self.State.VANISHED, self.State.CHANGED} and not self.drift_decision


class Mirror(LedgerEntry):
    """One life of a TAP configuration: this NIC's traffic went to this TAP from then until then."""

    tap_configuration_id = models.TextField()
    tap_configuration_key = models.CharField(max_length=KEY_LENGTH)
    nic_id = models.TextField()
    nic_key = models.CharField(max_length=KEY_LENGTH)
    nic_name = models.TextField()
    vnet_id = _text()
    vnet_key = _key()
    subnet_id = _text()
    subnet_key = _key()
    replaces = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="replaced_by")  # the life that drifted into it

    class Meta(LedgerEntry.Meta):
        constraints = [
            *LedgerEntry.Meta.constraints,
            models.CheckConstraint(condition=~Q(tap_configuration_key="") & ~Q(nic_key=""), name="mirror_has_keys"),
            models.UniqueConstraint(fields=["tap_configuration_key"], condition=Q(ended_at=None), name="mirror_one_open_a_configuration"),
        ]
        indexes = [
            *LedgerEntry.Meta.indexes,
            models.Index(fields=["nic_key", "ended_at"], name="mirror_of_nic"),
            models.Index(fields=["vnet_key", "first_seen_at"], name="mirror_of_vnet"),
            models.Index(fields=["subnet_key", "first_seen_at"], name="mirror_of_subnet"),
        ]

    def __str__(self) -> str:
        return f"{self.nic_name} → {self.tap_name}: {self.state}"

    @property
    def subnet_name(self) -> str:
        return resource_name(self.subnet_id)


class TapLife(LedgerEntry):
    """One life of a TAP with one destination."""

    destination_id = _text()
    destination_key = _key()

    class Meta(LedgerEntry.Meta):
        constraints = [
            *LedgerEntry.Meta.constraints,
            models.CheckConstraint(condition=~Q(tap_key=""), name="taplife_has_key"),
            models.UniqueConstraint(fields=["tap_key"], condition=Q(ended_at=None), name="taplife_one_open_a_tap"),
        ]

    def __str__(self) -> str:
        return f"{self.tap_name}: {self.state}"
