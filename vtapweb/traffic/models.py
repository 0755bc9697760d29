"""The tables of the room `traffic`: who may send samples, history, and what was wrong when.

Rule: live numbers are in Redis and may be lost; what people did, what was wrong and the history are rows.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone

from vtapweb.access.models import User
from vtapweb.domain.arm_id import name_in
from vtapweb.domain.health import CollectorState

SUBSCRIPTION_ID_LENGTH = 64
KEY_LENGTH = 26


# -- ingest: who may send samples


class CollectorToken(models.Model):
    """What one collector, or one member of it, shows when it sends samples; known by the SHA-256 of its secret, which is shown once.

    `member_…` is "" for a token of the whole collector. `expires_at` ends it by itself: a rotated token's overlap, or a date that was asked for.
    """

    destination_key = models.CharField(max_length=KEY_LENGTH)
    destination_id = models.TextField()
    subscription_id = models.CharField(max_length=SUBSCRIPTION_ID_LENGTH)  # of the destination: who may see and end the token
    member_key = models.CharField(max_length=KEY_LENGTH, default="", blank=True)
    member_id = models.TextField(default="", blank=True)
    name = models.CharField(max_length=150)
    digest = models.CharField(max_length=64, unique=True)
    prefix = models.CharField(max_length=16)
    created_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    replaces = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT, related_name="replaced_by")

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(name="traffic_token_has_key", condition=~Q(destination_key="")),
            models.CheckConstraint(name="traffic_token_sub_lower", condition=Q(subscription_id=Lower("subscription_id"))),
        ]
        indexes = [models.Index(fields=["destination_key"], name="traffic_token_dk_ix")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def member_name(self) -> str:
        """The member's NIC, "" for a token of the whole collector."""
        return name_in(self.member_id)

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


class PrometheusSource(models.Model):
    """A Prometheus that is asked for the numbers of one collector, or of one member. What signs in is in the environment, as `credential`."""

    destination_key = models.CharField(max_length=KEY_LENGTH)
    destination_id = models.TextField()
    subscription_id = models.CharField(max_length=SUBSCRIPTION_ID_LENGTH)  # of the destination: who may see and change it
    member_key = models.CharField(max_length=KEY_LENGTH, default="", blank=True)  # the NIC of one machine, "" for all of them
    member_id = models.TextField(default="", blank=True)
    base_url = models.TextField()
    credential = models.CharField(max_length=100, default="", blank=True)  # "" for none
    selector = models.TextField(default="", blank=True)  # label matchers, as they stand between braces
    octets_query = models.TextField(default="", blank=True)  # octets per second by an expression of its own, instead of the selector
    packets_query = models.TextField(default="", blank=True)
    interval_s = models.PositiveIntegerField()
    by = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(name="traffic_prometheus_whole", condition=~Q(destination_key="") & ~Q(base_url="")),
            models.CheckConstraint(name="traffic_prometheus_asks", condition=~Q(selector="") | ~Q(octets_query="")),
            models.CheckConstraint(name="traffic_prometheus_every", condition=Q(interval_s__gte=1, interval_s__lte=3600)),
            models.CheckConstraint(name="traffic_prometheus_sub_lower", condition=Q(subscription_id=Lower("subscription_id"))),
        ]
        indexes = [models.Index(fields=["destination_key"], name="traffic_prometheus_dk_ix")]

    def __str__(self) -> str:
        return f"{self.base_url} for {name_in(self.member_id or self.destination_id)}"

    @property
    def member_name(self) -> str:
        """The member's NIC, "" for all."""
        return name_in(self.member_id)


# -- health: what is wrong, who has it, when it ended


class CollectorAssignment(models.Model):
    """What the operator says about a collector (a TAP's destination): which product it is and how much it takes. Goes before any recognition."""

    destination_key = models.CharField(max_length=KEY_LENGTH, primary_key=True)
    destination_id = models.TextField()
    subscription_id = models.CharField(max_length=SUBSCRIPTION_ID_LENGTH)
    name = models.CharField(max_length=200, default="", blank=True)
    partner = models.CharField(max_length=100, default="", blank=True)  # a partner's slug, "" = not said
    capacity_bits_per_s = models.PositiveBigIntegerField(null=True, blank=True)
    owner = models.CharField(max_length=200, default="", blank=True)
    note = models.TextField(default="", blank=True)
    by = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        ordering = ["destination_id"]
        constraints = [
            models.CheckConstraint(condition=~Q(destination_key=""), name="traffic_assignment_has_key"),
            models.CheckConstraint(condition=Q(subscription_id=Lower("subscription_id")), name="traffic_assignment_sub_lower"),
            models.CheckConstraint(condition=Q(capacity_bits_per_s=None) | Q(capacity_bits_per_s__gt=0), name="traffic_assignment_capacity"),
        ]

    def __str__(self) -> str:
        return self.name or self.destination_id

    @property
    def capacity_gigabits_per_s(self) -> str:
        """The capacity for people, "" where it is not known."""
        return "" if self.capacity_bits_per_s is None else f"{self.capacity_bits_per_s / 1_000_000_000:g}"


class HealthLease(models.Model):
    """One row, id 1: which process judges the health, what it was able to see, and the number of the last alarm."""

    HELD_FOR: Final = timedelta(seconds=20)  # from one renewal to the end, should the process die; it is renewed every turn

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    owner = models.CharField(max_length=120, default="", blank=True)
    until = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveBigIntegerField(default=0)  # grows with every claim; a process with an older number writes nothing
    evaluated_at = models.DateTimeField(null=True, blank=True)  # the last time that everything was judged
    settled_at = models.DateTimeField(null=True, blank=True)  # until then rules wait, we have only just begun; null: nothing is measured
    blind_since = models.DateTimeField(null=True, blank=True)  # nothing can be judged since then; null: we see
    blind_reason = models.TextField(default="", blank=True)
    last_number = models.PositiveIntegerField(default=100)  # of an alarm; the first one is A-101: three digits are read out as one number
    memory = models.BinaryField(default=b"")  # what a leader hands to its successor: standings of findings, see watch/memory.py

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="traffic_healthlease_one_row")]

    def __str__(self) -> str:
        return f"held by {self.owner}" if self.owner else "held by nobody"


class CollectorHealth(models.Model):
    """The state of one collector as it was judged last; written when it changes. Rule ids are those of docs/health.md."""

    collector_key = models.CharField(max_length=KEY_LENGTH, primary_key=True)
    subscription_id = models.CharField(max_length=SUBSCRIPTION_ID_LENGTH)
    name = models.CharField(max_length=200, default="", blank=True)
    state = models.CharField(max_length=12, choices=[(one.value, one.value) for one in CollectorState])
    rule_ids = models.JSONField(default=list)
    sentence = models.TextField(default="", blank=True)
    since = models.DateTimeField()
    heard_at = models.DateTimeField(null=True, blank=True)  # of its last sample; written at most once a minute while nothing changes

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(collector_key=""), name="traffic_health_has_key"),
            models.CheckConstraint(condition=Q(subscription_id=Lower("subscription_id")), name="traffic_health_sub_lower"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"


class Alarm(models.Model):
    """One cause of trouble, from when it was seen until it was over. What follows from it are its children, not alarms of their own.

    `subscription_ids` are those of its subject and of its children: who may read one of them sees the alarm, with the children he may see;
    who may not read all `subject_subscription_ids` sees neither the subject nor the sentences.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CLEARED = "cleared", "Cleared"

    class Severity(models.TextChoices):
        NOTICE = "notice", "Notice"
        WARNING = "warning", "Warning"
        ALARM = "alarm", "Alarm"

    number = models.PositiveIntegerField(unique=True)
    cause_key = models.CharField(max_length=200)  # what tells this cause from others, see domain/causes.py
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    severity = models.CharField(max_length=8, choices=Severity.choices)
    rule_ids = models.JSONField(default=list)
    subject_kind = models.CharField(max_length=20)  # a domain.causes.Subject
    collector_key = models.CharField(max_length=KEY_LENGTH, default="", blank=True)  # "" where it is about several
    collector_name = models.CharField(max_length=200, default="", blank=True)
    nic_key = models.CharField(max_length=KEY_LENGTH, default="", blank=True)  # of the one source that it is about
    title = models.TextField()  # what it is about, in a few words
    sentence = models.TextField()  # as it was at changed_at
    facts = models.JSONField(default=dict)  # what words.sentence() makes the sentence of now from
    broken_hop = models.JSONField(null=True, blank=True)  # the first broken one: {kind, key, name, state, since, words}
    path = models.JSONField(default=list)  # hops of one affected source (or of the collector) as they stood last, in their order
    children = models.JSONField(default=list)  # [{rule_id, kind, key, name, subscription_id, collector_key, since, ended}]
    child_count = models.PositiveIntegerField(default=0)  # those that have not ended
    finding_keys = models.JSONField(default=list)  # of the findings that stand behind it now
    related_keys = models.JSONField(default=list)  # of the resources on its paths, for "happened before"
    happened_before = models.JSONField(default=list)  # [{at, kind, key, name, action, words, subscription_id}] of 15 min before to 15 min after
    subscription_ids = models.JSONField(default=list)
    subject_subscription_ids = models.JSONField(default=list)
    opened_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True, blank=True)
    owner = models.CharField(max_length=200, default="", blank=True)  # who has taken it
    taken_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=200, default="", blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    note = models.TextField(default="", blank=True)  # the newest one; all are in its events
    muted_until = models.DateTimeField(null=True, blank=True)
    muted_by = models.CharField(max_length=200, default="", blank=True)
    mute_reason = models.TextField(default="", blank=True)
    is_demo = models.BooleanField(default=False)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["open", "cleared"]), name="traffic_alarm_state"),
            models.CheckConstraint(condition=Q(severity__in=["notice", "warning", "alarm"]), name="traffic_alarm_severity"),
            models.CheckConstraint(condition=~Q(cause_key=""), name="traffic_alarm_has_cause"),
            models.CheckConstraint(
                condition=Q(state="open", cleared_at=None) | Q(state="cleared", cleared_at__isnull=False), name="traffic_alarm_cleared"
            ),
            models.UniqueConstraint(fields=["cause_key"], condition=Q(state="open"), name="traffic_alarm_one_open_a_cause"),
        ]
        indexes = [
            models.Index(fields=["state", "-number"], name="traffic_alarm_open"),
            models.Index(fields=["cleared_at"], name="traffic_alarm_cleared_ix"),
            models.Index(fields=["collector_key", "-number"], name="traffic_alarm_of_collector"),
            models.Index(fields=["cause_key", "-number"], name="traffic_alarm_of_cause"),
        ]

    def __str__(self) -> str:
        return self.spoken

    @property
    def spoken(self) -> str:
        """The number as people say it: A-117."""
        return f"A-{self.number}"

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN


class AlarmEvent(models.Model):
    """One thing that happened to an alarm; never changed, never deleted. `by` "" is vtapweb itself."""

    class Kind(models.TextChoices):
        RAISED = "raised", "Raised"
        RAISED_AGAIN = "raised_again", "Raised again"
        WORSE = "worse", "Worse"
        BETTER = "better", "Better"
        CAUSE_FOUND = "cause_found", "Cause found"
        CHILDREN = "children", "Children changed"
        CLEARED = "cleared", "Cleared"
        TAKEN = "taken", "Taken"
        RELEASED = "released", "Given back"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        NOTED = "noted", "Noted"
        MUTED = "muted", "Muted"
        UNMUTED = "unmuted", "No longer muted"

    alarm = models.ForeignKey(Alarm, on_delete=models.PROTECT, related_name="events")
    at = models.DateTimeField()
    kind = models.CharField(max_length=12, choices=Kind.choices)
    by = models.CharField(max_length=200, default="", blank=True)
    text = models.TextField(default="", blank=True)
    detail = models.JSONField(default=dict)  # of children: {joined: [names], left: [names]}

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["at"], name="traffic_alarmevent_at")]

    def __str__(self) -> str:
        return f"{self.alarm}: {self.kind}"


class CollectorMaintenance(models.Model):
    """Planned work on one collector: its own health is not alarmed from `starts_at` to `ends_at` (or `ended_at`, where somebody ended it before)."""

    collector_key = models.CharField(max_length=KEY_LENGTH)
    destination_id = models.TextField()
    subscription_id = models.CharField(max_length=SUBSCRIPTION_ID_LENGTH)
    name = models.CharField(max_length=200, default="", blank=True)  # of the collector, when it was planned
    member_key = models.CharField(max_length=KEY_LENGTH, default="", blank=True)  # the NIC of the one member it is about, "" for all
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    owner = models.CharField(max_length=200)
    reason = models.TextField()
    ticket = models.TextField(default="", blank=True)
    by = models.CharField(max_length=200)
    at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=200, default="", blank=True)

    class Meta:
        ordering = ["-starts_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(collector_key=""), name="traffic_maintenance_has_key"),
            models.CheckConstraint(condition=Q(subscription_id=Lower("subscription_id")), name="traffic_maintenance_sub_lower"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="traffic_maintenance_span"),
            models.CheckConstraint(condition=~Q(owner="") & ~Q(reason=""), name="traffic_maintenance_named"),
        ]
        indexes = [
            models.Index(fields=["collector_key", "ends_at"], name="traffic_maintenance_of"),
            models.Index(fields=["ends_at"], name="traffic_maintenance_end"),
        ]

    def __str__(self) -> str:
        return f"maintenance of {self.name}"


class Webhook(models.Model):
    """Where alarms are sent to. Its secret is nowhere in the database: it is made from VTAPWEB_SECRET_KEY and this `salt` (actions/webhooks.py)."""

    name = models.CharField(max_length=100, unique=True)
    url = models.TextField()
    least_severity = models.CharField(max_length=8, choices=Alarm.Severity.choices, default=Alarm.Severity.ALARM)
    salt = models.CharField(max_length=40)
    is_enabled = models.BooleanField(default=True)
    by = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=~Q(name="") & ~Q(url="") & ~Q(salt=""), name="traffic_webhook_whole"),
            models.CheckConstraint(condition=Q(least_severity__in=["notice", "warning", "alarm"]), name="traffic_webhook_severity"),
        ]

    def __str__(self) -> str:
        return self.name


class AlarmDelivery(models.Model):
    """One message about an alarm on its way out, to a webhook or (without one) by e-mail. The row is the truth, a task's message only a nudge."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENT = "sent", "Sent"
        FAILED = "failed", "Given up"

    alarm = models.ForeignKey(Alarm, on_delete=models.PROTECT, related_name="deliveries")
    webhook = models.ForeignKey(Webhook, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries")  # null: e-mail
    body = models.JSONField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField()
    last_problem = models.TextField(default="", blank=True)
    at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["waiting", "sent", "failed"]), name="traffic_delivery_state"),
            models.CheckConstraint(
                condition=Q(state="waiting", ended_at=None) | (~Q(state="waiting") & Q(ended_at__isnull=False)), name="traffic_delivery_ended"
            ),
        ]
        indexes = [models.Index(fields=["state", "next_at"], name="traffic_delivery_due")]

    def __str__(self) -> str:
        return f"{self.alarm} to {self.webhook or 'e-mail'}: {self.state}"


# -- history


class HistoryChunk(models.Model):
    """What a group of series of one collector measured in an hour (`step_s` 60) or a day (300), packed; see history/chunks.py.

    `tag` 0 is the collector's total; others tell of how many groups of sources it is which. An hour that is merged into its day may go.
    """

    collector_key = models.CharField(max_length=KEY_LENGTH)
    step_s = models.PositiveIntegerField()
    tag = models.PositiveIntegerField()
    start_s = models.BigIntegerField()  # unix seconds, UTC
    is_merged = models.BooleanField(default=False)
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["collector_key", "step_s", "tag", "start_s"], name="traffic_chunk_once"),
            models.CheckConstraint(condition=Q(step_s__in=[60, 300]), name="traffic_chunk_step"),
            models.CheckConstraint(condition=~Q(collector_key=""), name="traffic_chunk_has_key"),
        ]
        indexes = [models.Index(fields=["step_s", "start_s"], name="traffic_chunk_age")]

    def __str__(self) -> str:
        return f"{self.collector_key} at {self.start_s}, {self.step_s} s"


class SourceFlow(models.Model):
    """When the first and the newest packet of a mirror was seen at a collector: what makes it *flowing*."""

    tap_configuration_key = models.CharField(max_length=KEY_LENGTH)
    collector_key = models.CharField(max_length=KEY_LENGTH)
    nic_key = models.CharField(max_length=KEY_LENGTH)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tap_configuration_key", "collector_key"], name="traffic_flow_once"),
            models.CheckConstraint(condition=~Q(tap_configuration_key="") & ~Q(collector_key=""), name="traffic_flow_has_keys"),
            models.CheckConstraint(condition=Q(last_at__gte=F("first_at")), name="traffic_flow_in_order"),
        ]
        indexes = [models.Index(fields=["nic_key"], name="traffic_flow_of_nic")]

    def __str__(self) -> str:
        return f"{self.tap_configuration_key} to {self.collector_key}"
