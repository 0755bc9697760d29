"""What happens to an estate behind the product's back: NICs come and go, peerings break, mirrors appear, machines stop.

Owns the consistency Azure would keep by itself: a NIC leaves with its VM, its place in pools and TAPs. Resources are named by ARM id or by
their name where only one has it. Every refusal is a ChangeError with a sentence for people, raised before anything is changed.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, ip_network

from vtapweb.simulator import authorization, documents
from vtapweb.simulator.builder import FIRST_HOST
from vtapweb.simulator.documents import Json, Kind
from vtapweb.simulator.estate import Document, Estate, fold

TAPS_OF_NIC, SOURCES_OF_TAP = "tapConfigurations", "networkInterfaceTapConfigurations"
PEERING_STATES = ("Connected", "Disconnected", "Initiated")
POWER_STATES = ("running", "deallocated", "stopped", "starting", "deallocating")
ROLES = ("reader", "contributor")
FEATURE_STATES = ("NotSpecified", "NotRegistered", "Pending", "Registering", "Registered", "Unregistering", "Unregistered")
NICS_AT_ONCE = 500
SHARED_ADDRESS = "ipconfig-of-another"  # the name of an ipConfiguration that says somebody else's address


class ChangeError(ValueError):
    """The change cannot be made, and why."""


def find(estate: Estate, kind: Kind, text: str) -> Document:
    """The one resource of that id or name. Raises ChangeError when there is none, or more than one."""
    text = text.strip()
    if text.startswith("/"):
        held = estate.get(text)
        found = [held] if held is not None and held.kind is kind else []
    else:
        found = [held for held in estate.all_of(kind) if held.key.rsplit("/", 1)[1] == text.lower()]
    if len(found) != 1:
        raise ChangeError(f"{len(found) or 'No'} {kind} called “{text}”. Name one by its ARM id.")
    return found[0]


def subscription_named(estate: Estate, text: str) -> str:
    """The id of a listed subscription, from its id or its display name."""
    for subscription_id, document in estate.subscriptions.items():
        if text.strip().lower() in {subscription_id, document["displayName"].lower()}:
            return subscription_id
    raise ChangeError(f"No subscription called “{text}”.")


def peering_set_state(estate: Estate, vnet: str, peering: str, state: str) -> str:
    """One side of a peering shows `state` from now on; the other side keeps what it shows. `peering` is its name or the remote VNet's."""
    if state not in PEERING_STATES:
        raise ChangeError(f"A peering is {', '.join(PEERING_STATES)}; not “{state}”.")
    held = find(estate, Kind.VIRTUAL_NETWORKS, vnet)
    document = held.json()
    for side in document["properties"]["virtualNetworkPeerings"]:
        remote = side["properties"]["remoteVirtualNetwork"]["id"].rsplit("/", 1)[1]
        if peering.strip().lower() in {side["name"].lower(), remote.lower(), side["id"].lower()}:
            side["properties"]["peeringState"] = state
            side["properties"]["peeringSyncLevel"] = "FullyInSync" if state == "Connected" else "RemoteNotInSync"
            estate.replace(held, document)
            return f"{document['name']}'s side of {side['name']} is {state}."
    raise ChangeError(f"{document['name']} has no peering called “{peering}”.")


def nics_add(estate: Estate, vnet: str, subnet: str, count: int, *, stem: str = "", is_attached: bool = True) -> list[str]:
    """New NICs in a subnet, each with a running VM of its name when attached. Returns their ids."""
    if not 1 <= count <= NICS_AT_ONCE:
        raise ChangeError(f"Between 1 and {NICS_AT_ONCE} NICs at a time.")
    held = find(estate, Kind.VIRTUAL_NETWORKS, vnet)
    place = _subnet(held.json(), subnet)
    neighbours = nics_in(estate, place["id"])
    addresses = _free_addresses(place, neighbours, count)
    stem = stem.strip() or place["name"].removeprefix("snet-").lower()
    location = held.json()["location"]
    names = _free_names(estate, held, stem, count)
    return [_nic_add(estate, held, location, place["id"], name, address, is_attached) for name, address in zip(names, addresses, strict=True)]


def nics_in(estate: Estate, subnet_id: str) -> list[Document]:
    """The NICs with an ipConfiguration in a subnet, in any subscription."""
    reference = b'"' + subnet_id.lower().encode() + b'"'
    return [held for held in estate.all_of(Kind.NETWORK_INTERFACES) if reference in held.body.lower()]


def nic_remove(estate: Estate, nic: str) -> str:
    """The NIC, its VM (unless that has other NICs), and what pools and TAPs said of it."""
    held = find(estate, Kind.NETWORK_INTERFACES, nic)
    properties = held.json()["properties"]
    for child in properties.get(TAPS_OF_NIC) or []:
        _forget_source(estate, child)
    for pool_owner in list(estate.all_of(Kind.LOAD_BALANCERS)):
        if held.key.encode() in pool_owner.body.lower():
            _leave_pools(estate, pool_owner, held.key)
    machine = estate.get((properties.get("virtualMachine") or {}).get("id") or "")
    for lock in authorization.locks_within(estate, held.arm_id):
        del estate.locks[fold(lock["id"])]
    estate.remove(held)
    if machine is not None:
        _detach(estate, machine, held.key)
    return f"{held.arm_id.rsplit('/', 1)[1]} is gone."


def nics_remove_from(estate: Estate, vnet: str, subnet: str, count: int) -> str:
    """The newest NICs of a subnet go."""
    held = find(estate, Kind.VIRTUAL_NETWORKS, vnet)
    nics = nics_in(estate, _subnet(held.json(), subnet)["id"])
    if not 1 <= count <= len(nics):
        raise ChangeError(f"{subnet} has {len(nics)} NICs.")
    for nic in sorted(nics, key=lambda one: one.ordinal)[-count:]:
        nic_remove(estate, nic.arm_id)
    return f"{count} NICs of {subnet} are gone."


def power_set(estate: Estate, vm: str, state: str, *, at_unix_s: float) -> str:
    """A VM's power state from now on. One that runs again counts as started now."""
    if state not in POWER_STATES:
        raise ChangeError(f"A VM is {', '.join(POWER_STATES)}; not “{state}”.")
    held = find(estate, Kind.VIRTUAL_MACHINES, vm)
    if state == "running" and held.power_state != "running":
        estate.started_at[held.key] = at_unix_s
    estate.power_set(held, state)
    return f"{held.arm_id.rsplit('/', 1)[1]} is {state}."


def lock_set(estate: Estate, scope: str, name: str, level: str, notes: str = "") -> str:
    """A management lock on a subscription, a group or a resource; one of that name there is replaced."""
    if level not in authorization.LOCK_LEVELS:
        raise ChangeError(f"A lock is {' or '.join(authorization.LOCK_LEVELS)}; not “{level}”.")
    lock = authorization.lock_document(_scope_named(estate, scope), name.strip(), level, notes)
    estate.locks[fold(lock["id"])] = lock
    return f"{level} holds {scope.rsplit('/', 1)[-1]} ({name.strip()})."


def lock_remove(estate: Estate, scope: str, name: str = "") -> str:
    """The locks set exactly there, or the one of that name, go."""
    place = fold(_scope_named(estate, scope))
    gone = [
        key
        for key, lock in estate.locks.items()
        if fold(authorization.scope_of_lock(lock)) == place and name.strip().lower() in {"", lock["name"].lower()}
    ]
    if not gone:
        raise ChangeError(f"{scope} has no such lock.")
    for key in gone:
        del estate.locks[key]
    return f"{len(gone)} lock(s) of {scope.rsplit('/', 1)[-1]} are gone."


def role_set(estate: Estate, group: str, role: str) -> str:
    """What the caller is in a resource group: reader or contributor."""
    held = find(estate, Kind.RESOURCE_GROUPS, group)
    if role not in ROLES:
        raise ChangeError(f"A role is {' or '.join(ROLES)}; not “{role}”.")
    (estate.readers.add if role == "reader" else estate.readers.discard)(held.key)
    return f"The caller is {role} in {held.arm_id.rsplit('/', 1)[1]}."


def feature_set(estate: Estate, subscription: str, state: str) -> str:
    """The state of the preview's feature in a subscription."""
    if state not in FEATURE_STATES:
        raise ChangeError(f"A feature is {', '.join(FEATURE_STATES)}; not “{state}”.")
    subscription_id = subscription_named(estate, subscription)
    estate.features[subscription_id] = state
    return f"{estate.subscriptions[subscription_id]['displayName']}: {documents.FEATURE} is {state}."


def _scope_named(estate: Estate, text: str) -> str:
    """The id of a scope as its owner spells it: an ARM id, or the name of a NIC, a TAP, a resource group or a subscription."""
    text = text.strip().rstrip("/")
    held = estate.get(text)
    if held is not None:
        return held.arm_id
    for subscription_id, document in estate.subscriptions.items():
        if text.lower() in {document["id"].lower(), document["displayName"].lower()}:
            return f"/subscriptions/{subscription_id}"
    kinds = (Kind.NETWORK_INTERFACES, Kind.VIRTUAL_NETWORK_TAPS, Kind.RESOURCE_GROUPS)
    named = [held for kind in kinds for held in estate.all_of(kind) if held.key.rsplit("/", 1)[1] == text.lower()]
    if len(named) != 1:
        raise ChangeError(f"{len(named) or 'No'} scopes called “{text}”. Name one by its ARM id.")
    return named[0].arm_id


def tag_rename(estate: Estate, old: str, new: str, *, resource: str = "") -> str:
    """The tag called `old` is called `new` from now on, on one resource (an ARM id) or on all that carry it; an empty `new` removes it."""
    if not old.strip():
        raise ChangeError("Which tag?")
    if resource:
        one = estate.get(resource)
        if one is None:
            raise ChangeError(f"There is no {resource}.")
        candidates = [one]
    else:
        candidates = [held for kind in Kind for held in estate.all_of(kind)]
    count = 0
    for held in candidates:
        if f'"{old}"'.encode() not in held.body:
            continue
        document = held.json()
        tags = document.get("tags") or {}
        if old in tags:
            document["tags"] = {new if name == old else name: value for name, value in tags.items() if new or name != old}
            estate.replace(held, document)
            count += 1
    return f"{count} resources: tag {old} → {new or 'removed'}."


def tag_set(estate: Estate, resource: str, name: str, value: str) -> str:
    """One tag of the resource with that ARM id gets a value."""
    held = estate.get(resource)
    if held is None or not name.strip():
        raise ChangeError(f"There is no {resource}." if held is None else "Which tag?")
    document = held.json()
    document["tags"] = (document.get("tags") or {}) | {name: value}
    estate.replace(held, document)
    return f"{held.arm_id.rsplit('/', 1)[1]}: {name} = {value}."


def tap_configuration_create(estate: Estate, nic: str, tap: str, name: str = "") -> str:
    """A mirror that nobody told the product of."""
    held, target = find(estate, Kind.NETWORK_INTERFACES, nic), find(estate, Kind.VIRTUAL_NETWORK_TAPS, tap)
    document, tap_document = held.json(), target.json()
    if document["properties"].get(TAPS_OF_NIC):
        raise ChangeError(f"{document['name']} carries a TAP configuration already, and Azure allows one.")
    child = documents.tap_configuration(held.arm_id, name.strip() or "made-elsewhere", target.arm_id)
    document["properties"][TAPS_OF_NIC] = [child]
    estate.replace(held, document)
    sources = [*(tap_document["properties"].get(SOURCES_OF_TAP) or []), {"id": child["id"]}]
    tap_document["properties"] |= {"resourceGuid": documents.guid(target.arm_id), SOURCES_OF_TAP: sources}
    estate.replace(target, tap_document)
    return f"{document['name']} is mirrored to {tap_document['name']}."


def tap_configuration_delete(estate: Estate, nic: str, name: str = "") -> str:
    """A NIC's mirror goes: the one of that name, or the only one."""
    held = find(estate, Kind.NETWORK_INTERFACES, nic)
    document = held.json()
    children: list[Json] = document["properties"].get(TAPS_OF_NIC) or []
    chosen = [child for child in children if not name.strip() or child["name"].lower() == name.strip().lower()]
    if len(chosen) != 1:
        raise ChangeError(f"{document['name']} has {len(chosen) or 'no'} such TAP configuration.")
    document["properties"][TAPS_OF_NIC] = [child for child in children if child is not chosen[0]]
    estate.replace(held, document)
    _forget_source(estate, chosen[0])
    return f"{document['name']} is no longer mirrored by {chosen[0]['name']}."


def address_share(estate: Estate, nic: str, other: str) -> str:
    """`nic` gets one more ipConfiguration, with the address that `other` has: Azure would not allow it, overlapping networks do."""
    held, owner = find(estate, Kind.NETWORK_INTERFACES, nic), find(estate, Kind.NETWORK_INTERFACES, other)
    document = held.json()
    configurations = document["properties"]["ipConfigurations"]
    if held.key == owner.key or any(one["name"] == SHARED_ADDRESS for one in configurations):
        raise ChangeError(f"{document['name']} has that address already, or another one that is not its own.")
    address = owner.json()["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"]
    subnet_id = configurations[0]["properties"]["subnet"]["id"]
    configurations.append(documents.ip_configuration(held.arm_id, SHARED_ADDRESS, address, subnet_id, is_primary=False))
    estate.replace(held, document)
    return f"{document['name']} has the address {address} too."


def address_unshare(estate: Estate, nic: str) -> str:
    """`nic` has its own addresses only."""
    held = find(estate, Kind.NETWORK_INTERFACES, nic)
    document = held.json()
    own = [one for one in document["properties"]["ipConfigurations"] if one["name"] != SHARED_ADDRESS]
    if len(own) == len(document["properties"]["ipConfigurations"]):
        raise ChangeError(f"{document['name']} has nobody else's address.")
    document["properties"]["ipConfigurations"] = own
    estate.replace(held, document)
    return f"{document['name']} has its own addresses only."


def shared_addresses(estate: Estate) -> list[tuple[str, str]]:
    """(NIC's id, address) of those that have somebody else's."""
    found = []
    for held in estate.all_of(Kind.NETWORK_INTERFACES):
        if SHARED_ADDRESS.encode() in held.body:
            configurations = held.json()["properties"]["ipConfigurations"]
            found += [(held.arm_id, one["properties"]["privateIPAddress"]) for one in configurations if one["name"] == SHARED_ADDRESS]
    return found


def _subnet(vnet: Json, text: str) -> Json:
    for child in vnet["properties"]["subnets"]:
        if text.strip().lower() in {child["name"].lower(), child["id"].lower()}:
            found: Json = child
            return found
    raise ChangeError(f"{vnet['name']} has no subnet called “{text}”.")


def _free_addresses(subnet: Json, neighbours: Sequence[Document], count: int) -> list[str]:
    properties = subnet["properties"]
    prefix = properties.get("addressPrefix") or properties["addressPrefixes"][0]
    network = ip_network(prefix)
    if not isinstance(network, IPv4Network):
        raise ChangeError(f"{subnet['name']} has no IPv4 prefix.")
    taken = {
        configuration["properties"]["privateIPAddress"] for held in neighbours for configuration in held.json()["properties"]["ipConfigurations"]
    }
    free: list[str] = []
    for host in range(FIRST_HOST, network.num_addresses - 1):
        address = str(network[host])
        if address not in taken:
            free.append(address)
            if len(free) == count:
                return free
    raise ChangeError(f"{subnet['name']} has room for {len(free)} more NICs.")


def _free_names(estate: Estate, vnet: Document, stem: str, count: int) -> list[str]:
    names: list[str] = []
    number = 1
    while len(names) < count:
        name = f"{stem}-{number:02}"
        if not any(estate.get(documents.resource_id(vnet.subscription_id, vnet.group, kind, name)) for kind in MACHINE):
            names.append(name)
        number += 1
    return names


MACHINE = (Kind.NETWORK_INTERFACES, Kind.VIRTUAL_MACHINES)


def _nic_add(estate: Estate, vnet: Document, location: str, subnet_id: str, name: str, address: str, is_attached: bool) -> str:
    nic_id, vm_id = (documents.resource_id(vnet.subscription_id, vnet.group, kind, name) for kind in MACHINE)
    mac = documents.mac_address(0x80_0000 | int(documents.guid(nic_id)[:6], 16)) if is_attached else ""
    configuration = documents.ip_configuration(nic_id, "ipconfig1", address, subnet_id)
    estate.add(
        Kind.NETWORK_INTERFACES,
        documents.network_interface(nic_id, location, [configuration], vm_id=vm_id if is_attached else "", mac=mac),
    )
    if is_attached:
        estate.add(Kind.VIRTUAL_MACHINES, documents.virtual_machine(vm_id, location, [nic_id]), power_state="running")
    return nic_id


def _detach(estate: Estate, machine: Document, nic_key: str) -> None:
    document = machine.json()
    profile = document["properties"]["networkProfile"]
    left = [nic for nic in profile["networkInterfaces"] if fold(nic["id"]) != nic_key]
    if left:
        profile["networkInterfaces"] = left
        estate.replace(machine, document)
    else:
        estate.remove(machine)


def _leave_pools(estate: Estate, balancer: Document, nic_key: str) -> None:
    document = balancer.json()
    for pool in document["properties"]["backendAddressPools"]:
        members = pool["properties"].get("backendIPConfigurations") or []
        pool["properties"]["backendIPConfigurations"] = [member for member in members if not fold(member["id"]).startswith(f"{nic_key}/")]
    estate.replace(balancer, document)


def _forget_source(estate: Estate, child: Json) -> None:
    """A TAP no longer names a TAP configuration; without any left it has no list, as a new one."""
    target = estate.get(child["properties"]["virtualNetworkTap"]["id"])
    if target is None:
        return
    document = target.json()
    left = [source for source in document["properties"].get(SOURCES_OF_TAP) or [] if fold(source["id"]) != fold(child["id"])]
    document["properties"].pop(SOURCES_OF_TAP, None)
    if left:
        document["properties"][SOURCES_OF_TAP] = left
    estate.replace(target, document)
