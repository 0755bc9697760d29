"""An estate that is full of names, and the search for them in what is sent."""

import re
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db.models import CharField, JSONField, TextField

from tests.inventory.factories import SUBSCRIPTION, Estate
from tests.traffic.alarms import make_alarm
from tests.wall.playing import NOW, judged, meter_runs, on_the_map, reports
from vtapweb.domain.health import CollectorState
from vtapweb.taps.models import Change
from vtapweb.traffic.models import AlarmEvent

PERSON, SECRET = "m.ortiz@contoso.example", "secret-of-the-house"
# Words that our own sentences use, and Azure's that every estate shares.
NO_SECRETS = {
    "tap1", "hub", "spoke", "apps", "tap", "running", "nic", "ilb", "uksouth", "default", "app", "name", "id", "collectors", "vnets", "subnets",
    "nics", "mirrors", "alarms", "sources", "events", "collector", "source", "peering", "notice", "warning", "alarm", "live", "sync", "change",
    "raised",
}  # fmt: skip


def played() -> Estate:
    """Everything that a wall can tell of an estate, with names that stand in no sentence of ours."""
    estate = on_the_map(nics=6, mirrored=4)
    key = estate.tap.destination_key
    reports(key, 2e9)
    meter_runs()
    judged(key, CollectorState.DROPPING, rule_ids=["H9"], sentence=f"nic-packetlog: dropping. Ask {SECRET}.")
    make_alarm(117, owner=PERSON, collector_key=key, rule_ids=["H9"], subject_kind="collector", opened_at=NOW - timedelta(minutes=5))
    hop = {
        "kind": "peering", "key": estate.hub.key, "name": "spoke ↔ hub-secretly", "state": "broken", "words": f"{SECRET} is broken",
        "subscription_id": SUBSCRIPTION, "since": NOW.isoformat(),
    }  # fmt: skip
    children = [
        {"rule_id": "H3", "kind": "source", "key": nic.key, "name": nic.name, "subscription_id": SUBSCRIPTION, "ended": None} for nic in estate.nics
    ]
    alarm = make_alarm(118, broken_hop=hop, children=children, nic_key=estate.nics[0].key, title="app-01-nic", owner=PERSON, note=SECRET)
    AlarmEvent.objects.create(alarm=alarm, at=NOW, kind="muted", by=PERSON, text=SECRET)
    Change.objects.create(
        action="tap", state="applied", reason=SECRET, tap_key=estate.tap.key, tap_name=estate.tap.name, created_at=NOW, created_by_name=PERSON,
        finished_at=NOW, subscription_ids=[SUBSCRIPTION],
    )  # fmt: skip
    return estate


def texts_of_the_estate() -> set[str]:
    """Every text of every row of the inventory, of alarms and of changes: names, ids, keys, addresses, persons; and the parts of ARM ids."""
    found: set[str] = set()
    for label in ("inventory", "taps", "traffic", "topology"):
        for model in apps.get_app_config(label).get_models():
            fields = [one.attname for one in model._meta.concrete_fields if isinstance(one, (CharField, TextField, JSONField)) or one.is_relation]
            for row in model._default_manager.values_list(*fields):
                for value in row:
                    found |= texts_in(value)
    return found


def texts_in(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value, *re.split(r"[/|\s,]+", value)} if "/" in value or " " in value or "|" in value else {value}
    if isinstance(value, dict):
        return {one for part in value.values() for one in texts_in(part)}
    if isinstance(value, (list, tuple)):
        return {one for part in value for one in texts_in(part)}
    return set()


def names_nothing(answer: bytes, secrets: set[str]) -> None:
    text = answer.decode().lower()
    leaked = {one for one in secrets if one.lower() in text}
    assert not leaked


def secrets_of(estate: Estate) -> set[str]:
    """What must not leave. Words of one letter or two and numbers cannot be told from our own."""
    names = {estate.collector.name, estate.tap.name, "spoke", "app-01-nic", "ilb", PERSON, SECRET, SUBSCRIPTION, "10.1.1", "10.0.1.5", "000d3a"}
    rows = texts_of_the_estate()
    wanted = {
        one for one in rows
        if len(one) > 5 and not re.fullmatch(r"[a-z_A-Z]{1,14}|[0-9.:+TZ-]+|[A-Z][a-z]+(\.)?|The|H[0-9]+", one) and one.lower() not in NO_SECRETS
    }  # fmt: skip
    keys = {one for one in rows if re.fullmatch(r"[a-z2-7]{26}", one)}
    assert estate.nics[0].key in keys
    assert {estate.nics[0].arm_id, estate.tap.destination_id, "app-01-nic"} <= wanted
    return {one for one in names - {"spoke", "ilb"} | wanted | keys if one}
