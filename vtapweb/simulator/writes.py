"""ARM's writes of TAPs and TAP configurations: from a method, a path and a body to an answer, and what becomes of it when its operation ends.

PUT and DELETE are long-running operations as recordings show them: 201 with the resource in `Updating`, 202 without a body. PATCH writes a
TAP's tags. A PUT that would change nothing on a resource that has succeeded is a 200 at once. Gates in Azure's order: authorization, locks,
then the network service. Knows the estate and its operations, nothing of tokens, budgets or sockets; the time comes in as an argument.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from vtapweb.simulator import authorization, documents, errors, validation
from vtapweb.simulator.documents import NETWORK, VXLAN_PORT, Json, Kind
from vtapweb.simulator.estate import Document, Estate, fold
from vtapweb.simulator.faults import FaultKind, Faults
from vtapweb.simulator.operations import IN_PROGRESS, Operation, Operations, operation_id_of
from vtapweb.simulator.reads import GUID, Address
from vtapweb.simulator.write_log import Write, WriteLog

METHODS = ("PUT", "PATCH", "DELETE")
TAPS_OF_NIC, SOURCES_OF_TAP = "tapConfigurations", "networkInterfaceTapConfigurations"
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?")  # Microsoft.Network's names: 1-80, no dot or hyphen at the end
TAGS_AT_MOST, TAG_NAME_LENGTH, TAG_VALUE_LENGTH = 50, 512, 256
TAP_TYPE, CONFIGURATION_TYPE = f"{NETWORK}/virtualNetworkTaps", f"{NETWORK}/networkInterfaces/tapConfigurations"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """One write as it is being judged. `now_unix_s` is when it came, `now_s` the same on the clock that faults go by."""

    address: Address
    method: str
    headers: dict[str, str]
    body: bytes
    now_unix_s: float
    now_s: float
    write: Write


@dataclass(slots=True)
class Writes:
    """`operation_s` is how long an operation takes when nothing is played."""

    estate: Estate
    faults: Faults
    operation_s: float = 1.5
    operations: Operations = field(default_factory=Operations)
    log: WriteLog = field(default_factory=WriteLog)

    def answer(self, asked: Asked) -> Answer:
        """The answer to a PUT, PATCH or DELETE. Raises ArmError."""
        address = asked.address
        if not address.api_version:
            raise errors.missing_api_version()
        match [word.lower() for word in address.words]:
            case ["subscriptions", subscription_id, "resourcegroups", _, "providers", "microsoft.network", "virtualnetworktaps", _]:
                self._check_subscription(subscription_id)
                self._check_there(address, Kind.VIRTUAL_NETWORK_TAPS)
                return self._tap(asked)
            case ["subscriptions", subscription_id, "resourcegroups", _, "providers", "microsoft.network", "networkinterfaces", _, child, _] if (
                child == TAPS_OF_NIC.lower() and asked.method != "PATCH"
            ):
                self._check_subscription(subscription_id)
                self._check_there(address, Kind.NETWORK_INTERFACES)
                return self._configuration(asked)
        raise errors.method_not_allowed(asked.method)

    def operation(self, address: Address, word: str, operation_id: str) -> Answer:
        """The answer at an operation's own addresses. Raises ArmError."""
        operation = self.operations.find(address.subscription_id, operation_id, address.query)
        if word == "operations":
            headers, body = self.operations.status_of(operation)
            return Answer(200, headers, body)
        headers = self.operations.headers_of(operation, address.base_url, address.api_version, with_location=True)
        if operation.state == IN_PROGRESS:
            return Answer(202, headers, b"")
        if operation.fails_with is not None:
            raise errors.refused(*operation.fails_with)
        return Answer(204, headers, b"")

    def settle(self, now_unix_s: float) -> None:
        """Let the operations end whose moment has come."""
        for operation in self.operations.due(now_unix_s):
            failure = self._land(operation)
            self.operations.end(operation, failure=failure)
            self.log.ended(operation.write_number, operation.state, operation.ends_unix_s)

    def clear(self) -> None:
        """Forget every operation and write."""
        self.operations.clear()
        self.log.restore(())

    def _check_subscription(self, subscription_id: str) -> None:
        if not GUID.fullmatch(subscription_id):
            raise errors.invalid_subscription(subscription_id)
        if subscription_id not in self.estate.subscriptions:
            raise errors.subscription_not_found(subscription_id)

    def _check_there(self, address: Address, kind: Kind) -> None:
        if kind.value in self.estate.lacking:
            raise errors.type_not_found(kind.value, NETWORK, address.api_version)

    # TAP configurations

    def _configuration(self, asked: Asked) -> Answer:
        words = asked.address.words
        group, nic_name, name = words[3], words[7], words[9]
        nic_id = documents.resource_id(words[1], group, Kind.NETWORK_INTERFACES, nic_name)
        child_id = f"{nic_id}/{TAPS_OF_NIC}/{name}"
        is_delete = asked.method == "DELETE"
        authorization.check_allowed(self.estate, f"{CONFIGURATION_TYPE}/{'delete' if is_delete else 'write'}", child_id)
        self._check_group(words[1], group)
        authorization.check_locks(self.estate, child_id, is_delete=is_delete)
        nic = self.estate.get(nic_id)
        if nic is None:
            if is_delete:
                return Answer(204, {}, b"")
            raise errors.resource_not_found(f"{NETWORK}/networkInterfaces", nic_name, group)
        _note_machine(self.estate, asked.write, nic)
        child = _child_of(nic.json(), name)
        _check_etag(asked.headers, child)
        return self._configuration_delete(asked, nic, child) if is_delete else self._configuration_put(asked, nic, child, name)

    def _configuration_put(self, asked: Asked, nic: Document, child: Json | None, name: str) -> Answer:
        tap_id = _tap_id_in(_object(asked.body))
        if not NAME.fullmatch(name):
            raise errors.invalid_name(name)
        child_id = f"{nic.arm_id}/{TAPS_OF_NIC}/{name}"
        tap = self.estate.get(tap_id)
        if tap is None or tap.kind is not Kind.VIRTUAL_NETWORK_TAPS:
            raise errors.invalid_reference(tap_id, child_id)
        authorization.check_linked(self.estate, f"{CONFIGURATION_TYPE}/write", child_id, f"{TAP_TYPE}/join/action", tap.arm_id)
        self._check_idle(nic)
        properties = child["properties"] if child else None
        if properties and properties["provisioningState"] == "Succeeded" and fold(properties["virtualNetworkTap"]["id"]) == tap.key:
            return Answer(200, {}, orjson.dumps(child))
        if tap.json()["properties"]["provisioningState"] not in {"Succeeded", "Failed"}:
            raise errors.reference_not_ready(tap.arm_id, child_id)
        refusals = validation.refusals_of_configuration(self.estate, nic.arm_id, tap.arm_id, name=name)
        if refusals:
            raise errors.refused(refusals[0].code, refusals[0].message)
        self._check_quota(asked, child_id, count=len(tap.json()["properties"].get(SOURCES_OF_TAP) or ()), is_new=child is None)
        operation = self._begin(asked, child_id, nic, was=child, tap=tap)
        document = nic.json()
        new = documents.tap_configuration(nic.arm_id, child["name"] if child else name, tap.arm_id)
        new["properties"]["provisioningState"] = "Updating"
        _put_child(document, new)
        document["properties"]["provisioningState"] = "Updating"
        self.estate.replace(nic, document)
        shown = _child_of(nic.json(), name)
        return Answer(200 if child else 201, self._headers(asked, operation), orjson.dumps(shown))

    def _configuration_delete(self, asked: Asked, nic: Document, child: Json | None) -> Answer:
        self._check_idle(nic)
        if child is None:
            return Answer(204, {}, b"")
        operation = self._begin(asked, child["id"], nic, was=child)
        document = nic.json()
        gone = _child_of(document, child["name"]) or {}
        gone["properties"]["provisioningState"] = "Deleting"
        document["properties"]["provisioningState"] = "Updating"
        self.estate.replace(nic, document)
        return Answer(202, self._headers(asked, operation), b"")

    # TAPs

    def _tap(self, asked: Asked) -> Answer:
        words = asked.address.words
        group, name = words[3], words[7]
        tap_id = documents.resource_id(words[1], group, Kind.VIRTUAL_NETWORK_TAPS, name)
        is_delete = asked.method == "DELETE"
        authorization.check_allowed(self.estate, f"{TAP_TYPE}/{'delete' if is_delete else 'write'}", tap_id)
        held_group = self._check_group(words[1], group)
        authorization.check_locks(self.estate, tap_id, is_delete=is_delete)
        held = self.estate.get(tap_id)
        _check_etag(asked.headers, held.json() if held else None)
        if held is not None:
            self._check_idle(held)
        match asked.method:
            case "DELETE":
                return self._tap_delete(asked, held) if held else Answer(204, {}, b"")
            case "PATCH":
                if held is None:
                    raise errors.resource_not_found(TAP_TYPE, name, group)
                return self._tap_patch(asked, held)
        if not NAME.fullmatch(name):
            raise errors.invalid_name(name)
        arm_id = documents.resource_id(words[1], held_group.arm_id.rsplit("/", 1)[1], Kind.VIRTUAL_NETWORK_TAPS, name)
        return self._tap_put(asked, held, held.arm_id if held else arm_id)

    def _tap_put(self, asked: Asked, held: Document | None, arm_id: str) -> Answer:
        wanted = _tap_in(_object(asked.body), arm_id)
        before = held.json() if held else None
        if before and _region_of(before) != _region_of(wanted):
            raise errors.invalid_location(arm_id, str(before["location"]), str(wanted["location"]))
        destination_id = validation.destination_id_of(wanted)
        if destination_id:
            is_frontend = bool(wanted["properties"].get(validation.DESTINATION_FIELDS[1]))
            action = f"{NETWORK}/{'loadBalancers' if is_frontend else 'networkInterfaces'}/read"
            authorization.check_linked(self.estate, f"{TAP_TYPE}/write", arm_id, action, destination_id)
        if before and before["properties"]["provisioningState"] == "Succeeded" and _is_same_tap(before, wanted):
            return Answer(200, {}, orjson.dumps(before))
        refusals = validation.refusals_of_tap(self.estate, wanted)
        if refusals:
            raise errors.refused(refusals[0].code, refusals[0].message)
        sources = (before or wanted)["properties"].get(SOURCES_OF_TAP) or []
        if before and sources and fold(validation.destination_id_of(before)) != fold(destination_id):
            raise errors.refused("TapInUse", f"{arm_id} has {len(sources)} sources, its destination cannot be changed. (simulator)")
        region = [one for one in self.estate.listing(asked.address.subscription_id, Kind.VIRTUAL_NETWORK_TAPS).documents if _shares(one, wanted)]
        self._check_quota(asked, arm_id, count=len(region), is_new=held is None)
        wanted["properties"]["provisioningState"] = "Updating"
        if before:
            wanted["properties"] |= _sources_in(before["properties"])
        if held is None:
            held = self.estate.add(Kind.VIRTUAL_NETWORK_TAPS, wanted)
            self.estate.made_at[held.key] = asked.now_unix_s
        else:
            self.estate.replace(held, wanted)
        operation = self._begin(asked, held.arm_id, held, was=before)
        return Answer(200 if before else 201, self._headers(asked, operation), held.body)

    def _tap_patch(self, asked: Asked, held: Document) -> Answer:
        body = _object(asked.body)
        if "tags" not in body:
            raise errors.invalid_content("The body of a PATCH holds the object tags")
        document = held.json()
        tags = _tags(body)
        document.pop("tags", None)
        if tags:
            document["tags"] = tags
        self.estate.replace(held, document)
        return Answer(200, {}, held.body)

    def _tap_delete(self, asked: Asked, held: Document) -> Answer:
        document = held.json()
        sources = document["properties"].get(SOURCES_OF_TAP) or []
        arriving = [one for one in self.operations.running() if one.method == "PUT" and _target_tap(self.estate, one) == held.key]
        if sources or arriving:
            count = len(sources) + len(arriving)
            raise errors.refused("TapInUse", f"{held.arm_id} is used by {count} TAP configurations and cannot be deleted. (simulator)")
        operation = self._begin(asked, held.arm_id, held, was=document)
        document["properties"]["provisioningState"] = "Deleting"
        self.estate.replace(held, document)
        return Answer(202, self._headers(asked, operation), b"")

    # operations

    def _begin(self, asked: Asked, target_id: str, busy: Document, *, was: Json | None, tap: Document | None = None) -> Operation:
        """The operation of a write that is taken, with what is played on it."""
        struck = {fault.kind: fault for fault in self.faults.strike_operation(asked.address.path, now_s=asked.now_s)}
        slow, failing = struck.get(FaultKind.SLOW_OPERATION), struck.get(FaultKind.FAILED_OPERATION)
        operation = Operation(
            operation_id=operation_id_of(asked.write.number, asked.now_unix_s),
            subscription_id=asked.address.subscription_id,
            location=str(busy.json()["location"]),
            method=asked.method,
            target_id=target_id,
            busy_key=busy.key,
            write_number=asked.write.number,
            begun_unix_s=asked.now_unix_s,
            ends_unix_s=asked.now_unix_s + self.operation_s + (slow.delay_ms / 1_000 if slow else 0.0),
            is_lost=FaultKind.LOST_OPERATION in struck,
            was=orjson.dumps(was).decode() if was else "",
        )
        if failing:
            operation.fails_with = (failing.code, failing.message)
            operation.leaves_failed = failing.leaves_failed
        elif FaultKind.NOT_ON_FASTPATH in struck and tap is not None and not self._is_prepared(busy, tap):
            operation.fails_with = ("NicNotOnFastPath", f"{busy.arm_id.rsplit('/', 1)[1]}: NIC is not on fastpath. (simulator: the code is invented)")
        felt = [kind for kind in sorted(struck) if kind is not FaultKind.NOT_ON_FASTPATH or operation.fails_with]
        asked.write.fault = " ".join([asked.write.fault, *felt]).strip()
        asked.write.state, asked.write.operation_id = operation.state, operation.operation_id
        self.operations.begin(operation)
        return operation

    def _headers(self, asked: Asked, operation: Operation) -> dict[str, str]:
        return self.operations.headers_of(operation, asked.address.base_url, asked.address.api_version, with_location=operation.method == "DELETE")

    def _is_prepared(self, nic: Document, tap: Document) -> bool:
        """Whether the NIC's VM was deallocated and started since the TAP was made."""
        machine = (nic.json()["properties"].get("virtualMachine") or {}).get("id") or ""
        started = self.estate.started_at.get(fold(machine))
        return started is not None and started >= self.estate.made_at.get(tap.key, 0.0)

    def _land(self, operation: Operation) -> tuple[str, str] | None:
        """What an operation that ends makes of its resource; the failure it ends with, None when it succeeded."""
        busy = self.estate.get(operation.busy_key)
        if busy is None:
            return "ResourceNotFound", f"{operation.target_id} went away meanwhile. (simulator)"
        if busy.kind is Kind.VIRTUAL_NETWORK_TAPS:
            return self._land_tap(operation, busy)
        return self._land_configuration(operation, busy)

    def _land_tap(self, operation: Operation, held: Document) -> tuple[str, str] | None:
        document = held.json()
        failure = operation.fails_with
        if failure and operation.was:
            now = document["properties"]
            document = orjson.loads(operation.was)
            document["properties"] = _without_sources(document["properties"]) | _sources_in(now)
        elif failure and not operation.leaves_failed:
            self.estate.remove(held)
            return failure
        elif failure:
            document["properties"]["provisioningState"] = "Failed"
        elif operation.method == "DELETE":
            self.estate.remove(held)
            return None
        else:
            document["properties"]["provisioningState"] = "Succeeded"
        self.estate.replace(held, document)
        return failure

    def _land_configuration(self, operation: Operation, nic: Document) -> tuple[str, str] | None:
        document = nic.json()
        properties = document["properties"]
        name = operation.target_id.rsplit("/", 1)[1]
        child = _child_of(document, name)
        was: Json | None = orjson.loads(operation.was) if operation.was else None
        failure = operation.fails_with
        if child is None and operation.method == "PUT":
            failure = failure or ("OperationPreempted", f"{operation.target_id} was removed meanwhile. (simulator)")
        properties["provisioningState"] = "Succeeded"
        if failure is None and child is not None and operation.method == "PUT":
            child["properties"]["provisioningState"] = "Succeeded"
        elif failure is None:
            _remove_child(document, name)
        elif operation.leaves_failed and child is not None:
            child["properties"]["provisioningState"] = properties["provisioningState"] = "Failed"
        elif was is not None:
            _put_child(document, was)
        else:
            _remove_child(document, name)
        self.estate.replace(nic, document)
        self._tell_taps(_tap_key(was), _tap_key(_child_of(document, name)), operation.target_id)
        return failure

    def _tell_taps(self, left: str, joined: str, configuration_id: str) -> None:
        """What the TAPs say of their sources after a TAP configuration came, went or changed."""
        if left and left != joined:
            self._tap_sources(left, configuration_id, is_source=False)
        if joined:
            self._tap_sources(joined, configuration_id, is_source=True)

    def _tap_sources(self, tap_key: str, configuration_id: str, *, is_source: bool) -> None:
        tap = self.estate.get(tap_key)
        if tap is None:
            return
        document = tap.json()
        sources = document["properties"].get(SOURCES_OF_TAP) or []
        others = [source for source in sources if fold(source["id"]) != fold(configuration_id)]
        if is_source and len(others) < len(sources):
            return
        document["properties"].pop(SOURCES_OF_TAP, None)
        if is_source or others:
            document["properties"].setdefault("resourceGuid", documents.guid(tap.arm_id))
            document["properties"][SOURCES_OF_TAP] = [*others, {"id": configuration_id}] if is_source else others
        self.estate.replace(tap, document)

    def _check_idle(self, held: Document) -> None:
        if self.operations.on(held.key) is not None:
            raise errors.another_operation(held.arm_id, self.operations.retry_after_s)

    def _check_group(self, subscription_id: str, group: str) -> Document:
        held = self.estate.get(documents.resource_group_id(subscription_id, group))
        if held is None:
            raise errors.group_not_found(group)
        return held

    def _check_quota(self, asked: Asked, scope: str, *, count: int, is_new: bool) -> None:
        for fault in self.faults.quotas(asked.address.path, now_s=asked.now_s) if is_new else ():
            if count >= fault.limit:
                fault.struck_count += 1
                asked.write.fault = fault.kind.value
                raise errors.quota_exceeded(scope, fault.limit)


def operation_asked(address: Address) -> tuple[str, str] | None:
    """("operations" or "operationResults", id) where a read asks for an operation."""
    match [word.lower() for word in address.words]:
        case ["subscriptions", _, "providers", "microsoft.network", "locations", _, "operations", operation_id]:
            return "operations", operation_id
        case ["subscriptions", _, "providers", "microsoft.network", "locations", _, "operationresults", operation_id]:
            return "operationResults", operation_id
    return None


def _note_machine(estate: Estate, write: Write, nic: Document) -> None:
    """Whose VM a write touches, for the log."""
    properties = nic.json()["properties"]
    write.nic = nic.arm_id.rsplit("/", 1)[1]
    write.pools = sorted(
        {pool["id"] for one in properties.get("ipConfigurations") or () for pool in one["properties"].get("loadBalancerBackendAddressPools") or ()}
    )
    machine = estate.get((properties.get("virtualMachine") or {}).get("id") or "")
    if machine is not None:
        write.vm = machine.arm_id
        write.availability_set = (machine.json()["properties"].get("availabilitySet") or {}).get("id") or ""


def _object(body: bytes) -> Json:
    """The body's JSON object. Raises ArmError 400."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise errors.invalid_content("The body is no JSON") from error
    if not isinstance(value, dict):
        raise errors.invalid_content("The body is no JSON object")
    return value


def _inner(value: Json, name: str) -> Json:
    """An object inside a body, {} where it is absent. Raises ArmError 400 for anything else."""
    inner = value.get(name)
    if inner is None:
        return {}
    if not isinstance(inner, dict):
        raise errors.invalid_content(f"{name} is no object")
    return inner


def _reference(value: Json, name: str) -> str:
    """The id of a reference inside a body, "" where it is absent."""
    inner = _inner(value, name)
    arm_id = inner.get("id")
    if inner and (not isinstance(arm_id, str) or not arm_id.startswith("/subscriptions/") or len(arm_id) > 2_000):
        raise errors.invalid_content(f"{name}.id is no resource id")
    return str(arm_id) if inner else ""


def _tags(body: Json) -> dict[str, str]:
    tags = _inner(body, "tags")
    fits = all(isinstance(value, str) and len(name) <= TAG_NAME_LENGTH and len(value) <= TAG_VALUE_LENGTH for name, value in tags.items())
    if not fits or len(tags) > TAGS_AT_MOST:
        raise errors.invalid_content(f"tags are at most {TAGS_AT_MOST} names with texts")
    return tags


def _tap_id_in(body: Json) -> str:
    tap_id = _reference(_inner(body, "properties"), "virtualNetworkTap")
    if not tap_id:
        raise errors.invalid_content("properties.virtualNetworkTap.id is missing")
    return tap_id


def _tap_in(body: Json, arm_id: str) -> Json:
    """The TAP that a body asks for; what Azure sets itself is not taken from it."""
    location, properties = body.get("location"), _inner(body, "properties")
    if not isinstance(location, str) or not location.strip():
        raise errors.location_required()
    port = properties.get("destinationPort", VXLAN_PORT)
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65_535:
        raise errors.invalid_content("properties.destinationPort is no port")
    nic, frontend = (_reference(properties, name) for name in validation.DESTINATION_FIELDS)
    tap = documents.virtual_network_tap(
        arm_id, location.replace(" ", "").lower(), ip_configuration_id=nic, frontend_id=frontend, tags=_tags(body) or None
    )
    tap["properties"]["destinationPort"] = port
    return tap


def _is_same_tap(one: Json, other: Json) -> bool:
    return (
        (one.get("tags") or {}) == (other.get("tags") or {})
        and fold(validation.destination_id_of(one)) == fold(validation.destination_id_of(other))
        and one["properties"].get("destinationPort") == other["properties"].get("destinationPort")
    )


def _sources_in(properties: Json) -> Json:
    """What a TAP's properties say of its sources."""
    return {name: properties[name] for name in ("resourceGuid", SOURCES_OF_TAP) if name in properties}


def _without_sources(properties: Json) -> Json:
    return {name: value for name, value in properties.items() if name not in ("resourceGuid", SOURCES_OF_TAP)}


def _region_of(document: Json) -> str:
    return str(document["location"]).replace(" ", "").lower()


def _shares(held: Document, wanted: Json) -> bool:
    return _region_of(held.json()) == _region_of(wanted)


def _check_etag(headers: dict[str, str], held: Json | None) -> None:
    """If-Match and If-None-Match of a write. Raises ArmError 412."""
    etag = str(held["etag"]) if held else ""
    match, none_match = headers.get("if-match", "").strip(), headers.get("if-none-match", "").strip()
    is_met = not match or (bool(held) and match in {"*", etag})
    if not is_met or (held and none_match in {"*", etag}):
        raise errors.precondition_failed()


def _child_of(nic: Json, name: str) -> Json | None:
    children: list[Any] = nic["properties"].get(TAPS_OF_NIC) or []
    return next((child for child in children if child["name"].lower() == name.lower()), None)


def _put_child(nic: Json, child: Json) -> None:
    _remove_child(nic, child["name"])
    nic["properties"][TAPS_OF_NIC].append(child)


def _remove_child(nic: Json, name: str) -> None:
    children = nic["properties"].get(TAPS_OF_NIC) or []
    nic["properties"][TAPS_OF_NIC] = [child for child in children if child["name"].lower() != name.lower()]


def _tap_key(child: Json | None) -> str:
    return fold(child["properties"]["virtualNetworkTap"]["id"]) if child else ""


def _target_tap(estate: Estate, operation: Operation) -> str:
    """The folded id of the TAP that a PUT of a TAP configuration under way leads to."""
    nic = estate.get(operation.busy_key)
    if nic is None or nic.kind is not Kind.NETWORK_INTERFACES:
        return ""
    return _tap_key(_child_of(nic.json(), operation.target_id.rsplit("/", 1)[1]))
