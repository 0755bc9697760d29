"""The tables of what is written to Azure: changes and their steps, who may write where, what is mirrored and why.

Rule 1: resources are referred to softly, as the inventory does (`…_id` as spelled, `…_key` to join by, "" for none): a change outlives what it
changed. Rule 2: nothing here is deleted. Rule 3: what must never happen twice is a constraint, not a hope: of one target, and of one NIC, there
is at most one request under way, whichever change it belongs to.
"""

import uuid

from django.db import models
from django.db.models import F, Q

from vtapweb.access.models import User
from vtapweb.domain.change import FINAL_CHANGE_STATES, IN_FLIGHT_STEP_STATES, ChangeAction, ChangeState, StepAction, StepState

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
    state = models.CharField(max_length=20, choices=_choices(ChangeState), default=ChangeState.PLANNED)
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
    checked_at = models.DateTimeField(null=True, blank=True)  # targets were re-read and judged again after apply or continue; null: still to do
    is_cancel_requested = models.BooleanField(default=False)  # no further step is sent; the change ends when the last one in flight has
    stop_code = models.CharField(max_length=40, default="", blank=True)  # why it is paused or ended early, for programs
    stop_reason = _text()  # the same, one sentence for people
    differences = models.JSONField(default=list)  # [{nic, name, was, now, message}]: how the world moved since the plan
    lease_owner = models.CharField(max_length=120, default="", blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveBigIntegerField(default=0)  # grows with every claim; a worker with an older number writes nothing
    next_due_at = models.DateTimeField(null=True, blank=True)  # when the engine should look again; null: nothing to do
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
                condition=Q(state__in=sorted(FINAL_CHANGE_STATES), finished_at__isnull=False)
                | (~Q(state__in=sorted(FINAL_CHANGE_STATES)) & Q(finished_at=None)),
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
    state = models.CharField(max_length=10, choices=_choices(StepState), default=StepState.PENDING)
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
    before = models.JSONField(default=dict)  # what was there when it was sent, for the undo
    skip_reason = _text()

    class Meta:
        ordering = ["change", "ordinal"]
        constraints = [
            models.UniqueConstraint(fields=["change", "ordinal"], name="changestep_ordinal_once"),
            models.CheckConstraint(condition=Q(state__in=[one.value for one in StepState]), name="changestep_state"),
            models.CheckConstraint(condition=Q(action__in=[one.value for one in StepAction]), name="changestep_action"),
            models.CheckConstraint(condition=~Q(target_key=""), name="changestep_has_target"),
            models.CheckConstraint(condition=~Q(state__in=sorted(IN_FLIGHT_STEP_STATES)) | Q(sent_at__isnull=False), name="changestep_sent_at"),
            models.CheckConstraint(condition=Q(state="verified", verified_at__isnull=False) | ~Q(state="verified"), name="changestep_verified_at"),
            models.CheckConstraint(condition=~Q(state="skipped") | ~Q(skip_reason=""), name="changestep_skip_reason"),
            models.UniqueConstraint(
                fields=["target_key"], condition=Q(state__in=sorted(IN_FLIGHT_STEP_STATES)), name="changestep_one_in_flight_a_target"
            ),
            models.UniqueConstraint(
                fields=["nic_key"], condition=Q(state__in=sorted(IN_FLIGHT_STEP_STATES)) & ~Q(nic_key=""), name="changestep_one_in_flight_a_nic"
            ),
        ]
        indexes = [
            models.Index(fields=["nic_key", "state"], name="changestep_of_nic"),
            models.Index(fields=["target_key"], name="changestep_of_target"),
            models.Index(fields=["change", "state"], name="changestep_states"),
        ]

    def __str__(self) -> str:
        return f"step {self.ordinal} of change {self.change_id}: {self.state}"


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
