"""Mirrored NICs of which nothing arrives: the one answer behind the marks of the map and the counts of coverage and of TAPs."""

from dataclasses import dataclass, field

from vtapweb.domain.causes import SILENT_RULES
from vtapweb.domain.scope import Scope
from vtapweb.traffic.models import Alarm


@dataclass(slots=True)
class Silence:
    """Of one NIC: `words` are a sentence that ends with the number of its alarm; `collector_keys` where nothing of it arrives."""

    words: str
    collector_keys: set[str] = field(default_factory=set)


def silent_nics(scope: Scope) -> dict[str, Silence]:
    """{NIC's key: its silence} of NICs in scope that an open alarm is about, by itself or as one of many. One query."""
    found: dict[str, Silence] = {}

    def add(nic_key: str, words: str, collector_key: str) -> None:
        found.setdefault(nic_key, Silence(words)).collector_keys.add(collector_key)

    for alarm in Alarm.objects.filter(state=Alarm.State.OPEN).only(
        "number", "nic_key", "collector_key", "rule_ids", "sentence", "children", "subject_subscription_ids"
    ).order_by("number"):  # fmt: skip
        if alarm.nic_key and SILENT_RULES.intersection(alarm.rule_ids) and scope.covers(alarm.subject_subscription_ids):
            add(alarm.nic_key, f"{alarm.sentence} {alarm.spoken}", alarm.collector_key)
        for child in alarm.children:
            if child.get("rule_id") in SILENT_RULES and not child.get("ended") and scope.allows(child.get("subscription_id", "")):
                add(child["key"], f"One of {alarm.spoken}.", child.get("collector_key", ""))
    return found
