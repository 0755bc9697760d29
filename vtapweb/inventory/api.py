"""API v1 of the inventory: lists and single resources of every kind, syncs, find. docs/api.md has examples.

The lists write their own JSON: the same schemas that describe them to OpenAPI would cost several times the query for each of up to 1,000 rows.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from ninja import Field, Query, Router, Schema

from vtapweb.access.authentication import api_auth
from vtapweb.access.role import Role
from vtapweb.access.selectors import viewer_of
from vtapweb.domain.plain_text import storable_json
from vtapweb.domain.scope import Scope
from vtapweb.inventory import actions, browse, selectors
from vtapweb.inventory.cells import vnet_id_of
from vtapweb.inventory.kinds import KINDS, TABS, Kind
from vtapweb.inventory.models import Subscription, SyncRun
from vtapweb.inventory.run_pages import run_of, took_s
from vtapweb.inventory.search import find
from vtapweb.inventory.selection import selection_keep, selection_keys
from vtapweb.web.paging import LIMIT_DEFAULT, cursor_of, key_of, limit_of, number_in
from vtapweb.web.problem import ProblemError

router = Router(tags=["inventory"])
JSON = "application/json"
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")


class ListQuery(Schema):
    """What narrows a list. Filters combine with "and"."""

    q: str = Field("", description="A part of the name, or an IP address, prefix, MAC or ARM id.")
    subscription: str = Field("", description="A subscription's id or name.")
    region: str = Field("", description="For example uksouth.")
    vnet: str = Field("", description="A VNet's key, ARM id or name.")
    tag: str = Field("", description="name:value, or name alone for any value.")
    mirrored: str = Field("", description="true or false (NICs).")
    state: str = Field("", description="Provisioning state; of peerings the peering state, of VMs the power state.")
    removed: str = Field("false", description="true: resources that are gone, instead of those present.")
    limit: int = Field(LIMIT_DEFAULT, description="1 to 1,000.")
    cursor: str = Field("", description="`next` of the page before.")


class Item(Schema):
    """What every item has; each kind adds its own fields."""

    id: str = Field(description="The ARM id as Azure spells it.")
    key: str = Field(description="26 characters that name the id whatever its case.")
    name: str
    subscription_id: str
    resource_group: str
    location: str
    provisioning_state: str
    stale_since: datetime | None = Field(description="The last complete read, where the list could not be read completely since; null: up to date.")


class ItemPage(Schema):
    items: list[Item]
    next: str | None = Field(description="The cursor of the next page; null: this is the last one.")
    total: int = Field(description="How many match in all.")


def _flag(name: str, text: str) -> bool | None:
    if not text:
        return None
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ProblemError(400, "Filter not understood", f"`{name}` is {text[:40]!r}; it must be true or false.")


def wanted_of(query: ListQuery, slug: str) -> browse.RowFilter:
    """The checked filters. Raises ProblemError 400 for one that this kind does not have: a filter that filters nothing would mislead."""
    kind = KINDS.get(slug)
    has = {
        "vnet": kind is not None and kind.has_vnet,
        "mirrored": bool(kind and kind.mirrored_field),
        "region": kind is not None,
        "tag": kind is not None,
    }
    for name, is_there in has.items():
        if getattr(query, name) and not is_there:
            raise ProblemError(400, "No such filter", f"{slug} cannot be filtered by `{name}`.")
    return browse.RowFilter(
        q=query.q,
        subscription=query.subscription,
        region=query.region,
        vnet=query.vnet,
        tag=query.tag,
        state=query.state,
        mirrored=_flag("mirrored", query.mirrored),
        is_removed=_flag("removed", query.removed) is True,
    )


def iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


Extra = Callable[[Any], dict[str, object]]
_EXTRAS: dict[str, Extra] = {
    "vnets": lambda row: {"address_prefixes": row.address_prefixes, "is_encryption_enabled": row.is_encryption_enabled},
    "subnets": lambda row: {
        "vnet_id": vnet_id_of(row.arm_id),
        "vnet_key": row.virtual_network_id,
        "address_prefixes": row.address_prefixes,
        "network_security_group_id": row.network_security_group_id,
        "delegations": row.delegations,
    },
    "nics": lambda row: {
        "private_ips": row.private_ips,
        "mac_address": row.mac_address,
        "vm_id": row.virtual_machine_id,
        "vnet_id": row.virtual_network_id,
        "subnet_id": row.subnet_id,
        "tap_ids": row.tap_ids,
        "is_mirrored": row.is_mirrored,
        "network_security_group_id": row.network_security_group_id,
        "private_endpoint_id": row.private_endpoint_id,
        "is_accelerated_networking_enabled": row.is_accelerated_networking_enabled,
        "is_ip_forwarding_enabled": row.is_ip_forwarding_enabled,
    },
    "peerings": lambda row: {
        "vnet_id": vnet_id_of(row.arm_id),
        "remote_vnet_id": row.remote_virtual_network_id,
        "state": row.peering_state,
        "sync_level": row.peering_sync_level,
        "remote_address_prefixes": row.remote_address_prefixes,
        "allow_virtual_network_access": row.allow_virtual_network_access,
        "allow_forwarded_traffic": row.allow_forwarded_traffic,
        "allow_gateway_transit": row.allow_gateway_transit,
        "use_remote_gateways": row.use_remote_gateways,
    },
    "virtual-machines": lambda row: {
        "vm_size": row.vm_size,
        "power_state": row.power_state,
        "os_type": row.os_type,
        "zones": row.zones,
        "availability_set_id": row.availability_set_id,
        "scale_set_id": row.scale_set_id,
        "image": {"publisher": row.image_publisher, "offer": row.image_offer, "sku": row.image_sku, "id": row.image_id},
        "plan": {"publisher": row.plan_publisher, "product": row.plan_product, "name": row.plan_name},
        "nic_ids": row.network_interface_ids,
    },
    "load-balancers": lambda row: {"sku": row.sku},
    "taps": lambda row: {
        "destination_id": row.destination_id,
        "destination_kind": row.destination_kind,
        "port": row.destination_port,
        "resource_guid": row.resource_guid,
    },
    "tap-configurations": lambda row: {"nic_id": vnet_id_of(row.arm_id), "tap_id": row.virtual_network_tap_id},
}


def items_of(kind: Kind, scope: Scope, rows: Sequence[Any]) -> list[dict[str, object]]:
    """The rows as the API shows them. One query for staleness, one more for TAPs."""
    stale = browse.stale_since(scope, kind.slug)
    extra = _EXTRAS[kind.slug]
    sources: Mapping[str, int] = browse.source_counts(scope, [row.key for row in rows]) if kind.slug == "taps" else {}
    items = [
        {
            "id": row.arm_id,
            "key": row.key,
            "name": row.name,
            "subscription_id": row.subscription_id,
            "resource_group": row.resource_group,
            "location": row.location,
            "provisioning_state": row.provisioning_state,
            "stale_since": iso(stale.get(row.subscription_id)),
            "tags": row.tags,
            "first_seen_at": iso(row.first_seen_at),
            "removed_at": iso(row.removed_at),
            **extra(row),
        }
        for row in rows
    ]
    if kind.slug == "taps":
        for item in items:
            item["source_count"] = sources.get(str(item["key"]), 0)
    return items


def subscription_item(row: Subscription) -> dict[str, object]:
    return {
        "id": row.arm_id,
        "key": row.key,
        "name": str(row),
        "subscription_id": row.subscription_id,
        "resource_group": "",
        "location": "",
        "provisioning_state": "",
        "stale_since": iso(row.not_listed_since),
        "tags": row.tags,
        "first_seen_at": iso(row.first_seen_at),
        "removed_at": iso(row.not_listed_since),
        "state": row.state,
        "tenant_id": row.tenant_id or "",
    }


def document_of(raw: bytes) -> object:
    """The JSON that Azure sent, as near as JSON that every client reads can be; None where none was kept."""
    try:
        return storable_json(json.loads(raw.decode("utf-8", "replace"))) if raw else None
    except (ValueError, RecursionError):
        return None


def dumps(body: object) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)  # kinds are StrEnums


def answer(body: object) -> HttpResponse:
    return HttpResponse(dumps(body), content_type=JSON)


def _page(items: list[dict[str, object]], limit: int, total: int) -> HttpResponse:
    is_more = len(items) > limit
    shown = items[:limit]
    return answer({"items": shown, "next": cursor_of(str(shown[-1]["key"])) if is_more else None, "total": total})


Adorn = Callable[[Scope, list[dict[str, object]]], None]  # adds fields to items of one kind


def _plain(scope: Scope, items: list[dict[str, object]]) -> None:
    """What the inventory knows is all."""


def _list_of(slug: str, adorn: Adorn) -> Callable[[HttpRequest, ListQuery], HttpResponse]:
    def operation(request: HttpRequest, query: ListQuery) -> HttpResponse:
        scope = viewer_of(request).scope
        limit = limit_of(query.limit)
        wanted, last = wanted_of(query, slug), key_of(query.cursor)
        if slug == "subscriptions":
            subs = browse.subscriptions(scope, wanted)
            return _page([subscription_item(row) for row in subs.filter(key__gt=last).order_by("key")[: limit + 1]], limit, subs.count())
        kind = KINDS[slug]
        found = browse.rows(kind, scope, wanted)
        rows = list(found.filter(key__gt=last).order_by("key")[: limit + 1])
        items = items_of(kind, scope, rows)
        adorn(scope, items)
        return _page(items, limit, found.count())

    operation.__annotations__["query"] = Query[ListQuery]
    return operation


def _one_of(slug: str, adorn: Adorn) -> Callable[[HttpRequest, str], HttpResponse]:
    def operation(request: HttpRequest, key: str) -> HttpResponse:
        scope = viewer_of(request).scope
        model: type[Any] = Subscription if slug == "subscriptions" else KINDS[slug].model
        row = model._default_manager.filter(browse.in_scope(scope), key=key).first()
        if row is None:
            raise ProblemError(404, "No such resource", f"No {slug} has this key, or it lies outside what you may see.")
        item = subscription_item(row) if slug == "subscriptions" else items_of(KINDS[slug], scope, [row])[0]
        adorn(scope, [item])
        item["raw"] = document_of(bytes(getattr(row, "raw", b"")))
        return answer(item)

    return operation


def routes_add(to: Router, slug: str, *, item: type[Schema] = Item, page: type[Schema] = ItemPage, adorn: Adorn = _plain) -> None:
    """The list and the single resource of one kind. `adorn` adds what rooms above know of the items; `item` and `page` describe it."""
    words = slug.replace("-", "_")
    to.get(f"/{slug}", response=page, operation_id=f"{words}_list", summary=f"List {slug}")(_list_of(slug, adorn))
    to.get(f"/{slug}/{{key}}", response=item, operation_id=f"{words}_get", summary=f"One of {slug}, with the JSON Azure sent")(_one_of(slug, adorn))


TOLD_ABOVE = frozenset({"tap-configurations"})  # rooms above add to these, and bring their routes
for _slug in TABS:
    if _slug not in TOLD_ABOVE:
        routes_add(router, _slug)


class FindBody(Schema):
    terms: str | list[str] = Field(description="What was pasted, or a list of terms: names, IP addresses, prefixes, MACs, ARM ids.")


@router.post("/find", auth=api_auth(Role.VIEWER), summary="Find resources by a pasted list; nothing is dropped")
def find_terms(request: HttpRequest, body: FindBody) -> HttpResponse:
    pasted = body.terms if isinstance(body.terms, str) else "\n".join(body.terms)
    result = find(viewer_of(request).scope, pasted)
    return answer({
        "items": [
            {
                "term": one.term.text,
                "term_kind": one.term.kind.value,
                "state": one.state,
                "hits": [
                    {"kind": hit.slug, "key": hit.key, "name": hit.name, "id": hit.arm_id, "place": hit.place, "detail": hit.detail,
                     "removed_at": iso(hit.removed_at)}
                    for hit in one.hits
                ],
            }
            for one in result.outcomes
        ],
        "counts": {state: len(result.of(state)) for state in ("matched", "ambiguous", "removed", "not_found")},
        "select": selection_keep(result.selection),
    })  # fmt: skip


class SyncBody(Schema):
    subscription_ids: list[str] | None = Field(None, description="Only these; left out: all that you may read.")


def report(run: SyncRun, scope: Scope) -> dict[str, object]:
    """A run as the API tells it, with what lies in scope."""
    return {"id": run.pk, "actor": run.actor, "created_at": iso(run.created_at), "started_at": iso(run.started_at),
            "finished_at": iso(run.finished_at), **selectors.run_report(run, scope)}  # fmt: skip


@router.post("/syncs", auth=api_auth(Role.OPERATOR), response={202: dict[str, Any]}, summary="Start a sync, or join the one under way")
def sync_post(request: HttpRequest, body: SyncBody | None = None) -> HttpResponse:
    viewer = viewer_of(request)
    try:
        run = actions.sync_start(trigger="demand", acting_user=viewer, subscription_ids=body.subscription_ids if body else None)
    except PermissionError as error:
        raise ProblemError(404, "No such subscription", str(error)) from error
    except ValueError as error:
        raise ProblemError(400, "No subscription's id", str(error)) from error
    return HttpResponse(dumps(report(run, viewer.scope)), content_type=JSON, status=202, headers={"Location": f"/api/v1/syncs/{run.pk}"})


@router.get("/syncs", response=dict[str, Any], summary="Runs, newest first")
def sync_list(request: HttpRequest, limit: int = 50, cursor: str = "") -> HttpResponse:
    runs = selectors.sync_runs(viewer_of(request).scope)
    last = number_in(cursor)
    wanted = list((runs if last is None else runs.filter(pk__lt=last))[: limit_of(limit) + 1])
    items = [
        {"id": run.pk, "state": run.state, "trigger": run.trigger, "actor": run.actor, "created_at": iso(run.created_at),
         "finished_at": iso(run.finished_at), "seconds": took_s(run.started_at, run.finished_at)}
        for run in wanted[:limit]
    ]  # fmt: skip
    return answer({"items": items, "next": cursor_of(str(wanted[limit - 1].pk)) if len(wanted) > limit else None, "total": runs.count()})


@router.get("/syncs/{run_id}", response=dict[str, Any], summary="One run: state, counts, and per subscription and list what came of it")
def sync_get(request: HttpRequest, run_id: int) -> HttpResponse:
    scope = viewer_of(request).scope
    run = run_of(scope, run_id)
    if run is None:
        raise ProblemError(404, "No such run", "There is no such run, or none of its subscriptions may be seen by you.")
    return answer(report(run, scope))


@router.get("/selections/{name}", summary="The keys of a kept selection")
def selection(request: HttpRequest, name: str) -> HttpResponse:  # noqa: ARG001 - ninja gives it
    keys = selection_keys(f"@{name}")
    if keys is None:
        raise ProblemError(404, "This selection is gone", "Selections are kept for a week. Find the list again.")
    return answer({"keys": keys})
