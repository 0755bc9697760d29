"""ARM's reads: from a path and a query to the bytes of an answer. Knows the estate, nothing of faults, budgets or sockets.

Paths are compared case-insensitively, as ARM does. Every refusal is an ArmError.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

import orjson

from vtapweb.simulator import authorization, documents, errors
from vtapweb.simulator.documents import CHILDREN, NAMESPACES, Json, Kind
from vtapweb.simulator.estate import Document, Estate, Listing, fold
from vtapweb.simulator.paging import Pages

GUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
KIND_OF_TYPE = {f"{namespace}/{kind}".lower(): kind for kind, namespace in NAMESPACES.items()}
# What the control can deny or take away, by the word of the path; `virtualMachineStatuses` is the list with statusOnly=true.
STATUSES, PERMISSIONS, FEATURES, LOCKS = "virtualMachineStatuses", "permissions", "features", "locks"
API_NAMES = (
    *(kind.value for kind in Kind if kind is not Kind.SCALE_SET_INTERFACES),
    STATUSES,
    Kind.SCALE_SET_INTERFACES.value,
    PERMISSIONS,
    FEATURES,
    LOCKS,
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a read goes: `base_url` is scheme and host as the caller named them, without a slash at the end."""

    base_url: str
    path: str
    query: Mapping[str, str]

    @property
    def words(self) -> list[str]:
        return [unquote(word) for word in self.path.strip("/").split("/")]

    @property
    def subscription_id(self) -> str:
        """Lower-case, "" for the tenant's own reads."""
        words = self.words
        return words[1].lower() if len(words) > 1 and words[0].lower() == "subscriptions" else ""

    @property
    def api_version(self) -> str:
        return self.query.get("api-version", "")


@dataclass(slots=True)
class Reads:
    """Answers GETs out of one estate."""

    estate: Estate
    pages: Pages = field(default_factory=Pages)

    def answer(self, address: Address) -> bytes:
        """The body of a GET. Raises ArmError."""
        if not address.api_version:
            raise errors.missing_api_version()
        match [word.lower() for word in address.words]:
            case ["subscriptions"]:
                return self.pages.of_values(list(self.estate.subscriptions.values()), address.base_url, address.path, address.query)
            case ["tenants"]:
                return self.pages.of_values(self._tenants(), address.base_url, address.path, address.query)
            case ["subscriptions", subscription_id, *_]:
                return self._in_subscription(address, subscription_id)
        raise errors.invalid_path(address.path)

    def _tenants(self) -> list[Json]:
        return [
            {"id": f"/tenants/{tenant_id}", "tenantId": tenant_id, "displayName": name, "tenantCategory": "Home"}
            for tenant_id, name in self.estate.tenants.items()
        ]

    def _in_subscription(self, address: Address, subscription_id: str) -> bytes:
        if not GUID.fullmatch(subscription_id):
            raise errors.invalid_subscription(subscription_id)
        if subscription_id not in self.estate.subscriptions:
            raise errors.subscription_not_found(subscription_id)
        words = address.words[2:]
        match [word.lower() for word in words]:
            case []:
                self._check(address, "", "Microsoft.Resources/subscriptions/read")
                return orjson.dumps(self.estate.subscriptions[subscription_id])
            case ["resourcegroups"]:
                return self._listing(address, Kind.RESOURCE_GROUPS, "")
            case [*_, "providers", "microsoft.authorization", "permissions"]:
                return self._permissions(address)
            case [*_, "providers", "microsoft.authorization", "locks"]:
                return self._locks(address)
            case ["providers", "microsoft.features", "providers", namespace, "features", name]:
                return self._feature(address, namespace, name)
            case ["resourcegroups", group]:
                self._check(address, Kind.RESOURCE_GROUPS, "Microsoft.Resources/subscriptions/resourceGroups/read")
                return self._group(subscription_id, group).body
            case ["providers", namespace, type_name]:
                return self._listing(address, self._kind(address, namespace, type_name), "")
            case ["resourcegroups", group, "providers", namespace, type_name]:
                self._group(subscription_id, group)
                return self._listing(address, self._kind(address, namespace, type_name), group)
            case ["resourcegroups", group, "providers", namespace, type_name, _, *_]:
                return self._resource(address, self._kind(address, namespace, type_name), words)
        raise errors.invalid_path(address.path)

    def _kind(self, address: Address, namespace: str, type_name: str) -> Kind:
        kind = KIND_OF_TYPE.get(f"{namespace}/{type_name}")
        if kind is None:
            raise errors.type_not_found(type_name, namespace, address.api_version)
        return kind

    def _check(self, address: Address, name: str, action: str) -> None:
        """Raises ArmError where this interface lacks (404) or its subscription is denied (403)."""
        if name in self.estate.lacking:
            raise errors.type_not_found(name, action.split("/")[0], address.api_version)
        subscription_id = address.subscription_id
        if {(subscription_id, "*"), (subscription_id, name)} & self.estate.denied:
            raise errors.forbidden(action, f"/subscriptions/{subscription_id}")

    def _group(self, subscription_id: str, group: str) -> Document:
        held = self.estate.get(documents.resource_group_id(subscription_id, group))
        if held is None:
            raise errors.group_not_found(group)
        return held

    def _listing(self, address: Address, kind: Kind, group: str) -> bytes:
        is_status = kind is Kind.VIRTUAL_MACHINES and address.query.get("statusOnly", "").lower() == "true"
        namespace = NAMESPACES.get(kind, "Microsoft.Resources/subscriptions")
        self._check(address, STATUSES if is_status else kind.value, f"{namespace}/{kind}/read")
        listing = self.estate.listing(address.subscription_id, kind)
        place: tuple[str, Kind, str] | None = (address.subscription_id, kind, "status" if is_status else "")
        if group:
            listing, place = _part(listing, documents.resource_group_id(address.subscription_id, group)), None
        return self.pages.of_listing(
            listing, address.base_url, address.path, address.query, place=place, body_of=_status_body if is_status else _body
        )

    def _resource(self, address: Address, kind: Kind, words: list[str]) -> bytes:
        """One resource, or something inside it. `words` start at resourceGroups."""
        resource_type, name = f"{NAMESPACES[kind]}/{kind}", words[5]
        self._check(address, kind.value, f"{resource_type}/read")
        held = self.estate.get(f"/subscriptions/{address.subscription_id}/{'/'.join(words[:6])}")
        if held is None:
            raise errors.resource_not_found(resource_type, name, words[1])
        rest = [word.lower() for word in words[6:]]
        if not rest:
            return self._with_view(held, address)
        if kind is Kind.VIRTUAL_MACHINES and rest == ["instanceview"]:
            return orjson.dumps(documents.instance_view(held.power_state))
        if kind is Kind.SCALE_SETS:
            return self._of_scale_set(address, held, rest)
        return self._child(address, held, rest)

    def _with_view(self, held: Document, address: Address) -> bytes:
        if held.kind is Kind.VIRTUAL_MACHINES and address.query.get("$expand", "").lower() == "instanceview":
            document = held.json()
            document["properties"]["instanceView"] = documents.instance_view(held.power_state)
            return orjson.dumps(document)
        return held.body

    def _of_scale_set(self, address: Address, held: Document, rest: list[str]) -> bytes:
        self._check(address, Kind.SCALE_SET_INTERFACES.value, "Microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read")
        listing = self.estate.listing(held.subscription_id, Kind.SCALE_SET_INTERFACES)
        match rest:
            case ["networkinterfaces"]:
                part = _part(listing, held.arm_id)
            case ["virtualmachines", instance, "networkinterfaces"]:
                part = _part(listing, f"{held.arm_id}/virtualMachines/{instance}")
            case ["virtualmachines", _, "networkinterfaces", _, *child]:
                nic = self.estate.get(f"{held.arm_id}/{'/'.join(rest[:4])}")
                if nic is None:
                    raise errors.child_not_found(address.path)
                return self._child(address, nic, child) if child else nic.body
            case _:
                raise errors.invalid_path(address.path)
        return self.pages.of_listing(part, address.base_url, address.path, address.query, place=None, body_of=_body)

    def _child(self, address: Address, held: Document, rest: list[str]) -> bytes:
        """A collection inside a document, or one member of it."""
        names = {"peerings": "virtualNetworkPeerings", "virtualNetworkPeerings": "virtualNetworkPeerings"}
        collection = {name.lower(): name for name in CHILDREN.get(held.kind, ())}.get(rest[0]) or names.get(rest[0])
        if collection is None or len(rest) > 2:
            raise errors.type_not_found(f"{held.kind}/{rest[0]}", NAMESPACES.get(held.kind, ""), address.api_version)
        children: list[Json] = held.json()["properties"].get(collection) or []
        if len(rest) == 1:
            return self.pages.of_values(children, address.base_url, address.path, address.query)
        for child in children:
            if child["name"].lower() == rest[1]:
                return orjson.dumps(child)
        raise errors.child_not_found(address.path)

    def _permissions(self, address: Address) -> bytes:
        """What the caller may do at a scope, one entry a role assignment that reaches it."""
        self._check(address, PERMISSIONS, "Microsoft.Authorization/permissions/read")
        scope = fold("/" + "/".join(address.words[:-3]))
        return self.pages.of_values(authorization.permissions_at(self.estate, scope), address.base_url, address.path, address.query)

    def _locks(self, address: Address) -> bytes:
        """The management locks at a scope and below it."""
        self._check(address, LOCKS, "Microsoft.Authorization/locks/read")
        scope = "/" + "/".join(address.words[:-3])
        return self.pages.of_values(authorization.locks_within(self.estate, scope), address.base_url, address.path, address.query)

    def _feature(self, address: Address, namespace: str, name: str) -> bytes:
        self._check(address, FEATURES, "Microsoft.Features/features/read")
        if namespace != "microsoft.network" or name != documents.FEATURE.lower():
            raise errors.ArmError(404, "FeatureNotFound", f"The feature '{name}' could not be found.")
        subscription_id = address.subscription_id
        return orjson.dumps(
            {
                "id": f"/subscriptions/{subscription_id}/providers/Microsoft.Features/providers/Microsoft.Network/features/{documents.FEATURE}",
                "name": f"Microsoft.Network/{documents.FEATURE}",
                "type": "Microsoft.Features/providers/features",
                "properties": {"state": self.estate.features.get(subscription_id, "NotRegistered")},
            }
        )


def _part(listing: Listing, parent_id: str) -> Listing:
    """The documents of a list that stand below an id."""
    prefix = f"{fold(parent_id)}/"
    held = tuple(document for document in listing.documents if document.key.startswith(prefix))
    return Listing(held, tuple(document.ordinal for document in held))


def _body(held: Document) -> bytes:
    return held.body


def _status_body(held: Document) -> bytes:
    return orjson.dumps(documents.virtual_machine_status(held.json(), held.power_state))


def split_url(url: str) -> tuple[str, str, str]:
    """Scheme and host ("" for a bare path), path and query of whatever a caller sends; unlike urlsplit it never raises."""
    scheme, separator, rest = url.partition("://")
    origin = ""
    if separator and not url.startswith("/"):
        host, slash, rest = rest.partition("/")
        origin, url = f"{scheme}://{host}", f"{slash}{rest}"
    path, _, query = url.partition("#")[0].partition("?")
    return origin, path, query


def segments_of(url_query: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Query parameters by name; the names ARM compares loosely are brought to its own spelling."""
    spelled = {name.lower(): name for name in ("api-version", "$top", "$skiptoken", "$expand", "statusOnly")}
    return {spelled.get(name.lower(), name): value for name, value in url_query}
