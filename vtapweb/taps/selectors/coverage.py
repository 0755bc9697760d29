"""How much of an estate is mirrored, how much could be, and what stands in the way of the rest: by VNet, subnet or the value of a tag.

Of the present NICs of a group, each is counted once: *mirrored* (it carries a TAP configuration), *mirrorable* (some TAP may have it now), *unknown*
(for no TAP yes, for some nobody can tell), or *refused*. A NIC that is not mirrored and not mirrorable is counted under one rule: what forbids it
whatever the TAP; else what decides at the TAP that is nearest to yes; `no-tap` where there is no TAP at all.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from django.db.models import Max, QuerySet

from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import ResourceKind
from vtapweb.inventory.selectors import resources
from vtapweb.taps.counting import By, Coverage, coverage_count, group_named
from vtapweb.taps.selectors.verdicts import judge_selection

_COLUMNS: Final = {"vnet": ("virtual_network_key", "virtual_network_id"), "subnet": ("subnet_key", "subnet_id")}


def coverage_page(scope: Scope, *, by: By, tag: str = "", after: str | None = None, limit: int = 100) -> tuple[list[Coverage], int]:
    """At most `limit` groups behind the one with the key `after` (None: from the first), in the order of their keys, and how many groups there are.

    Only the NICs of these groups are judged. Groups without a NIC are none. Queries: those of `world_of` and four.
    """
    if by == "tag":
        return _by_tag(scope, tag, after, limit)
    key_column, id_column = _COLUMNS[by]
    groups = resources(scope, ResourceKind.NETWORK_INTERFACE).order_by(key_column).values_list(key_column).annotate(arm_id=Max(id_column))
    total = groups.count()
    page = {key: group_named(key, arm_id, by) for key, arm_id in _behind(groups, key_column, after)[:limit]}
    members = resources(scope, ResourceKind.NETWORK_INTERFACE).filter(**{f"{key_column}__in": list(page)}).values_list("key", key_column)
    group_of = dict(members)
    coverage_count(page, group_of, judge_selection(scope, list(group_of)))
    return list(page.values()), total


def _behind(groups: QuerySet[Any, Any], key_column: str, after: str | None) -> QuerySet[Any, Any]:
    return groups if after is None else groups.filter(**{f"{key_column}__gt": after})


def _by_tag(scope: Scope, tag: str, after: str | None, limit: int) -> tuple[list[Coverage], int]:
    """By the value of a tag of the NIC, else of its VM; key and name are the value, "" for NICs without it. Names of tags in any case."""
    values: dict[str, list[str]] = defaultdict(list)
    value_of = tag_values(scope, tag)
    for key, vm_key, tags in resources(scope, ResourceKind.NETWORK_INTERFACE).values_list("key", "virtual_machine_key", "tags"):
        values[value_of(tags, vm_key)].append(key)
    shown = [one for one in sorted(values) if after is None or one > after][:limit]
    page = {value: group_named(value, "", "tag") for value in shown}
    group_of = {key: value for value in shown for key in values[value]}
    coverage_count(page, group_of, judge_selection(scope, list(group_of)))
    return list(page.values()), len(values)


def tag_values(scope: Scope, tag: str) -> Callable[[dict[str, str], str], str]:
    """Tells a NIC's value of a tag by (its own tags, its VM's key): its own, else its VM's, else "". One query, at once."""
    wanted = tag.strip().lower()
    machines = {
        key: value
        for key, tags in resources(scope, ResourceKind.VIRTUAL_MACHINE).values_list("key", "tags")
        if (value := _tag_value(tags, wanted)) is not None
    }

    def value_of(tags: dict[str, str], vm_key: str) -> str:
        own = _tag_value(tags, wanted)
        return own if own is not None else machines.get(vm_key, "")

    return value_of


def _tag_value(tags: dict[str, str], wanted: str) -> str | None:
    return next((str(value) for name, value in tags.items() if name.strip().lower() == wanted), None)
