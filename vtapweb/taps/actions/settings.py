"""What admins say about an estate: what is protected, when changes may run, which collector is what. Shape: check, write, audit."""

from datetime import time
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from vtapweb.access.actions import audit_record
from vtapweb.access.viewer import Viewer
from vtapweb.domain.arm_id import ArmId, ArmIdError, parse
from vtapweb.domain.plain_text import storable
from vtapweb.domain.window import UnknownZoneError, zone_of
from vtapweb.inventory.partners import partners
from vtapweb.taps.actions.writes import admin_name
from vtapweb.taps.models import ChangeWindow, ProtectedScope
from vtapweb.traffic.models import CollectorAssignment

DESTINATION_TYPES = ("microsoft.network/networkinterfaces/ipconfigurations", "microsoft.network/loadbalancers/frontendipconfigurations")
RESOURCE_TYPES = {"vnet": ("microsoft.network/virtualnetworks",), "subnet": ("microsoft.network/virtualnetworks/subnets",)}
MOST_VALUE_SIGNS = 500


def _text(value: str, most: int = 200) -> str:
    return storable(value).strip()[:most]


def _arm_id(text: str, types: tuple[str, ...], what: str) -> ArmId:
    """Raises ValidationError unless the text is an ARM id of one of these types."""
    try:
        found = parse(_text(text, 2000))
    except ArmIdError as error:
        raise ValidationError(f"Give the ARM id of {what}: it begins with /subscriptions/.", code="value") from error
    if found.resource_type not in types:
        raise ValidationError(f"This is no ARM id of {what}.", code="value")
    return found


def tag_key(value: str) -> str:
    """What a protected tag is compared by: `name=value` with the name folded (Azure folds names, not values), or the folded `name` alone."""
    name, equals, rest = value.partition("=")
    return f"{name.strip().lower()}={rest.strip()}" if equals else name.strip().lower()


def _value_and_key(kind: str, value: str) -> tuple[str, str]:
    """What is protected as written, and what it is compared by. Raises ValidationError."""
    text = _text(value, MOST_VALUE_SIGNS)
    if kind == "subscription":
        one = text.lower().removeprefix("/subscriptions/").rstrip("/")
        if not one or "/" in one or " " in one:
            raise ValidationError("Give a subscription id.", code="value")
        return one, one
    if kind in RESOURCE_TYPES:
        found = _arm_id(value, RESOURCE_TYPES[kind], f"a {'VNet' if kind == 'vnet' else kind}")
        return found.text, found.key
    if kind == "collector":
        found = _arm_id(value, DESTINATION_TYPES, "a TAP's destination (a NIC's ipConfiguration, or a load balancer's frontend)")
        return found.text, found.key
    if kind == "tag":
        key = tag_key(text)
        if not key.partition("=")[0]:
            raise ValidationError("Give a tag as name=value, or a name for every value of it.", code="value")
        return text, key
    raise ValidationError("Protect a subscription, VNet, subnet, tag or collector.", code="kind")


@transaction.atomic
def protect_add(
    *,
    kind: str,
    value: str,
    owner: str,
    contact: str,
    acting_user: Viewer,
    for_collector_id: str = "",
    note: str = "",
    request: HttpRequest | None = None,
) -> ProtectedScope:
    """Protects a scope: its sources are refused everywhere, or, with `for_collector_id`, for that one TAP destination.

    Raises ValidationError for a value that is none of its kind, without owner or contact, or when the same is protected already.
    """
    name = admin_name(acting_user, "", of_everything=True)
    shown, key = _value_and_key(kind, value)
    if not _text(owner) or not _text(contact):
        raise ValidationError("Name an owner and how to reach them: whoever is refused will read both.", code="owner")
    collector = _arm_id(for_collector_id, DESTINATION_TYPES, "a TAP's destination") if for_collector_id.strip() else None
    if kind == "collector" and collector is not None:
        raise ValidationError("A protected collector receives from nobody; leave the other collector out.", code="for_collector_id")
    of_collector = collector.key if collector else ""
    if ProtectedScope.objects.filter(kind=kind, key=key, for_collector_key=of_collector).exists():
        raise ValidationError("This is protected already.", code="value")
    row = ProtectedScope.objects.create(
        kind=kind,
        value=shown,
        key=key,
        for_collector_id=collector.text if collector else "",
        for_collector_key=of_collector,
        owner=_text(owner),
        contact=_text(contact),
        note=_text(note, 2000),
        by=name,
        at=timezone.now(),
    )
    _audit("taps.protected", row, acting_user, request)
    return row


@transaction.atomic
def protect_remove(*, protected: ProtectedScope, acting_user: Viewer, request: HttpRequest | None = None) -> None:
    """Ends a protection. Ending it again changes and records nothing."""
    admin_name(acting_user, "", of_everything=True)
    _remove("taps.unprotected", protected, acting_user, request)


@transaction.atomic
def window_add(
    *, name: str, weekdays: list[int], opens: time, closes: time, zone: str, acting_user: Viewer, request: HttpRequest | None = None
) -> ChangeWindow:
    """A weekly window, local times in an IANA zone; one that closes at or before it opens ends on the next day.

    Raises ValidationError for an empty or taken name, no weekday (0 = Monday … 6), or a zone that is not known.
    """
    who = admin_name(acting_user, "", of_everything=True)
    kept = _text(name, 100)
    if not kept:
        raise ValidationError("Give the window a name.", code="name")
    if ChangeWindow.objects.filter(name=kept).exists():
        raise ValidationError("There is a window of this name already.", code="name")
    days = sorted(set(weekdays))
    if not days or days[0] < 0 or days[-1] > 6:
        raise ValidationError("Choose at least one day.", code="weekdays")
    try:
        zone_of(zone)
    except UnknownZoneError as error:
        raise ValidationError(str(error), code="zone") from error
    row = ChangeWindow.objects.create(name=kept, weekdays=days, opens=opens, closes=closes, zone=zone, by=who, at=timezone.now())
    _audit("taps.window_added", row, acting_user, request)
    return row


@transaction.atomic
def window_remove(*, window: ChangeWindow, acting_user: Viewer, request: HttpRequest | None = None) -> None:
    """Removes a window from the choice; changes that were planned with it keep their times."""
    admin_name(acting_user, "", of_everything=True)
    _remove("taps.window_removed", window, acting_user, request)


@transaction.atomic
def assignment_set(
    *,
    destination_id: str,
    acting_user: Viewer,
    name: str = "",
    partner: str = "",
    capacity_bits_per_s: int | None = None,
    owner: str = "",
    note: str = "",
    request: HttpRequest | None = None,
) -> CollectorAssignment:
    """Says which product the collector at a TAP's destination is, and how much it takes; replaces what was said before.

    Raises ValidationError for an id that is no destination, a partner there is not, or a capacity that is none.
    """
    who = admin_name(acting_user, "")
    found = _arm_id(destination_id, DESTINATION_TYPES, "a TAP's destination (a NIC's ipConfiguration, or a load balancer's frontend)")
    if not acting_user.scope.allows(found.subscription_id):
        raise ValidationError("This destination is outside what you may see.", code="destination_id")
    if partner and partner not in {one.key for one in partners()}:
        raise ValidationError("There is no such partner.", code="partner")
    if capacity_bits_per_s is not None and not 0 < capacity_bits_per_s < 10**15:
        raise ValidationError("A capacity is more than 0, in bits per second.", code="capacity")
    row, _ = CollectorAssignment.objects.update_or_create(
        destination_key=found.key,
        defaults={
            "destination_id": found.text,
            "subscription_id": found.subscription_id.lower(),
            "name": _text(name),
            "partner": partner,
            "capacity_bits_per_s": capacity_bits_per_s,
            "owner": _text(owner),
            "note": _text(note, 2000),
            "by": who,
            "at": timezone.now(),
        },
    )
    _audit("taps.collector_assigned", row, acting_user, request)
    return row


@transaction.atomic
def assignment_remove(*, assignment: CollectorAssignment, acting_user: Viewer, request: HttpRequest | None = None) -> None:
    """Forgets what was said about a collector: it is recognised by the table again."""
    admin_name(acting_user, "")
    _remove("taps.collector_unassigned", assignment, acting_user, request)


Setting = ProtectedScope | ChangeWindow | CollectorAssignment


def _remove(action: str, row: Setting, acting_user: Viewer, request: HttpRequest | None) -> None:
    before = _plain(row)
    target = str(row)
    if row.delete()[0]:
        audit_record(action=action, acting_user=acting_user, target=target, detail=before, request=request)


def _audit(action: str, row: Setting, acting_user: Viewer, request: HttpRequest | None) -> None:
    audit_record(action=action, acting_user=acting_user, target=str(row), detail=_plain(row), request=request)


def _plain(row: Setting) -> dict[str, Any]:
    """The row's fields as plain JSON, without who and when, which the entry has itself."""
    left_out = {"id", "by", "at"}
    values = {field.attname: field.value_from_object(row) for field in row._meta.concrete_fields if field.attname not in left_out}
    return {name: value if isinstance(value, int | str | list) else str(value) for name, value in values.items() if value not in (None, "")}
