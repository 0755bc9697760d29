"""Alarms for tests: a broken peering in one subscription with a source there and one in another."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from tests.inventory.factories import SUBSCRIPTION
from vtapweb.traffic.models import Alarm, AlarmEvent

OTHER = "5a000000-0000-0000-0000-000000000009"
PEERING = {
    "kind": "peering_of_collector", "key": "a b", "name": "spoke ↔ hub", "state": "broken", "words": "the peering spoke ↔ hub is Disconnected",
    "subscription_id": SUBSCRIPTION, "since": None, "seen_at": None,
}  # fmt: skip


def make_alarm(number: int = 117, **given: Any) -> Alarm:
    """A broken peering in SUBSCRIPTION with a source there and one in OTHER."""
    now = timezone.now()

    def child(key: str, subscription_id: str) -> dict[str, Any]:
        return {
            "rule_id": "H3", "kind": "source", "key": key * 26, "name": f"nic-{key}", "subscription_id": subscription_id, "collector_key": "c" * 26,
            "since": now.isoformat(), "ended": None,
        }  # fmt: skip

    values = {
        "cause_key": f"hop:peering:{number}", "severity": "alarm", "rule_ids": ["H2", "H3"], "subject_kind": "hop", "collector_key": "c" * 26,
        "collector_name": "ilb", "title": "spoke ↔ hub", "sentence": "The peering spoke ↔ hub is Disconnected.", "path": [PEERING],
        "children": [child("a", SUBSCRIPTION), child("b", OTHER)], "child_count": 2, "subscription_ids": [SUBSCRIPTION, OTHER],
        "subject_subscription_ids": [SUBSCRIPTION], "opened_at": now - timedelta(minutes=5), "changed_at": now,
        "happened_before": [{"at": now.isoformat(), "words": "Peering to-hub became Disconnected", "subscription_id": SUBSCRIPTION}],
        "facts": {
            "rule": "H3", "since": (now - timedelta(minutes=6)).isoformat(), "name": "nic-a", "collector": "ilb", "way": "spoke", "sources": 2,
            "collectors": ["ilb"],
            "hop": {"words": "the peering spoke ↔ hub is Disconnected", "since": None, "name": "spoke ↔ hub", "kind": "peering"},
        },
        **given,
    }  # fmt: skip
    alarm = Alarm.objects.create(number=number, **values)
    AlarmEvent.objects.create(alarm=alarm, at=alarm.opened_at, kind="raised", text=alarm.sentence)
    return alarm
