"""The control: faults and changes played on purpose, as a JSON API under /_control/ and as the page at /.

Rule 1: it answers loopback peers that name a loopback host only, and POSTs only from its own page or from no page at all, so that a web
page elsewhere can neither read nor play. Rule 2: every POST is one entry of ACTIONS; the page's forms and the API use the same.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import orjson
from django.template import Context, Engine

from vtapweb.simulator import changes
from vtapweb.simulator.authorization import LOCK_LEVELS, scope_of_lock
from vtapweb.simulator.changes import ChangeError
from vtapweb.simulator.documents import Kind
from vtapweb.simulator.estate import Estate
from vtapweb.simulator.faults import METHODS, Fault, FaultKind, Faults
from vtapweb.simulator.journal import Journal
from vtapweb.simulator.reads import API_NAMES, split_url
from vtapweb.simulator.traffic import Player
from vtapweb.simulator.traffic_faults import TrafficFault, TrafficFaultKind, free_address, keys_of, overload_factor
from vtapweb.simulator.writes import Writes

HERE = Path(__file__).parent
# With the policy `no-referrer` browsers send `Origin: null` from our own forms.
SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
HOST_NAME = re.compile(r"^(.*?)(:\d+)?$")  # without the port
SUGGESTIONS = 400  # the most entries of a form's list of suggestions
LOG_ROWS = 60  # requests shown on the page; the API lists all that are kept


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One ARM request that was answered, or deliberately not (`status` 0)."""

    number: int
    at_unix_s: float
    method: str
    path: str
    status: int
    client_request_id: str
    fault: str


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content_type: str
    body: bytes
    location: str = ""

    @property
    def headers(self) -> dict[str, str]:
        location = {"location": self.location} if self.location else {}
        return SECURITY_HEADERS | {"content-type": self.content_type} | location


@dataclass(frozen=True, slots=True)
class Fields:
    """What a form or a JSON object said, as text."""

    values: Mapping[str, str]

    def text(self, name: str, default: str | None = None) -> str:
        """The field's text. Raises ChangeError when it is empty and has no default."""
        value = self.values.get(name, "").strip()
        if not value and default is None:
            raise ChangeError(f"The field “{name}” is missing.")
        return value or default or ""

    def number(self, name: str, default: int, *, least: int = 0, most: int = 86_400) -> int:
        text = self.values.get(name, "").strip()
        if not text:
            return default
        if not text.isdecimal() or len(text) > 9 or not least <= int(text) <= most:
            raise ChangeError(f"“{name}” is a whole number from {least} to {most}.")
        return int(text)

    def optional_number(self, name: str) -> int | None:
        return self.number(name, 0, least=1) or None

    def flag(self, name: str, *, default: bool) -> bool:
        return self.values.get(name, str(default)).strip().lower() in {"true", "1", "on", "yes"}


@dataclass(frozen=True, slots=True)
class Wrong:
    """A line of the page: what is wrong, and the action with its fields that mends it ("" where only the end of all faults does)."""

    sentence: str
    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def items(self) -> list[tuple[str, str]]:
        return list(self.fields.items())


@dataclass(slots=True)
class Control:
    """`rebuild` makes the estate's first state anew. The journal is cleared here; what has changed is kept by whoever asks."""

    estate: Estate
    faults: Faults
    log: deque[LogEntry]
    writes: Writes
    player: Player
    monotonic_s: Callable[[], float]
    unix_s: Callable[[], float]
    rebuild: Callable[[], Estate]
    journal: Journal | None = None
    last_said: str = ""
    _engine: Engine = field(default_factory=lambda: Engine(dirs=[str(HERE)], autoescape=True))

    def owns(self, path: str) -> bool:
        return path in {"", "/"} or path == "/_control" or path.startswith("/_control/")

    def answer(self, method: str, url: str, headers: Mapping[str, str], body: bytes, peer: str) -> Answer:
        """One request to the control; `headers` have lower-case names."""
        path = split_url(url)[1].rstrip("/")
        refusal = _why_not(method, headers, peer)
        if refusal:
            return _json(403, {"error": {"code": "ControlForbidden", "message": refusal}})
        if method in {"GET", "HEAD"}:
            return self._get(path)
        if method != "POST":
            return _json(405, {"error": {"code": "MethodNotAllowed", "message": "The control answers GET and POST."}})
        action = ACTIONS.get(path.removeprefix("/_control/"))
        if action is None:
            return _json(404, {"error": {"code": "NotFound", "message": f"The control has no {path}."}})
        is_form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded") and not body.lstrip().startswith(b"{")
        try:
            said = action(self, Fields(_fields(body, is_form=is_form)))
        except ChangeError as error:
            self.last_said = f"Not done: {error}"
            if is_form:
                return Answer(303, "text/plain", b"", location="/")
            return _json(400, {"error": {"code": "ControlRefused", "message": str(error)}})
        self.last_said = said
        return Answer(303, "text/plain", b"", location="/") if is_form else _json(200, {"said": said, "state": self.state()})

    def _get(self, path: str) -> Answer:
        match path:
            case "":
                page = self._engine.get_template("control.html").render(Context(self._page(), use_l10n=False, use_tz=False))
                return Answer(200, "text/html; charset=utf-8", page.encode())
            case "/_control/style.css":
                return Answer(200, "text/css; charset=utf-8", (HERE / "control.css").read_bytes())
            case "/_control/state":
                return _json(200, self.state())
            case "/_control/traffic":
                return _json(200, self.player.state())
            case "/_control/agents":
                return _json(200, {"value": self.player.agents_state()})
            case "/_control/writes":
                return _json(200, self.writes.log.shown())
            case "/_control/log":
                return _json(200, {"value": [asdict(entry) for entry in self.log]})
        return _json(404, {"error": {"code": "NotFound", "message": f"The control has no {path}."}})

    def state(self) -> dict[str, Any]:
        """What the estate holds and what is wrong with it at the moment."""
        now_s = self.monotonic_s()
        return {
            "size": self.estate.size,
            "counts": {"subscriptions": len(self.estate.subscriptions), **{kind.value: self.estate.count(kind) for kind in Kind}},
            "denied": [{"subscription": subscription_id, "kind": kind} for subscription_id, kind in sorted(self.estate.denied)],
            "lacking": sorted(self.estate.lacking),
            "locks": [
                {"scope": scope_of_lock(lock), "name": lock["name"], "level": lock["properties"]["level"]} for lock in self.estate.locks.values()
            ],
            "readers": sorted(self.estate.readers),
            "features": self.estate.features,
            "pace": {"operation_ms": round(self.writes.operation_s * 1_000), "retry_after_s": self.writes.operations.retry_after_s},
            "in_flight": len(self.writes.operations.running()),
            "faults": [asdict(fault) | {"remaining_s": fault.remaining_s(now_s)} for fault in self.faults.active if not fault.is_over(now_s)],
        }

    def _wrong(self) -> list[Wrong]:
        now_s = self.monotonic_s()
        names = {subscription_id: document["displayName"] for subscription_id, document in self.estate.subscriptions.items()}
        return [
            *(Wrong(f"⬢ {fault.sentence_at(now_s)}") for fault in self.faults.active if not fault.is_over(now_s)),
            *(Wrong(f"⬢ {fault.sentence}", "traffic/end", {"number": str(fault.number)}) for fault in self.player.faults.active),
            *(
                Wrong(f"▲ {nic} has the address {address} of another NIC", "addresses/unshare", {"nic": nic})
                for nic, address in changes.shared_addresses(self.estate)
            ),
            *(
                Wrong(
                    f"⬢ {names[held]}: {'everything' if kind == '*' else kind} answers 403",
                    "access",
                    {"subscription": held, "kind": kind, "access": "allow"},
                )
                for held, kind in sorted(self.estate.denied)
            ),
            *(
                Wrong(
                    f"▲ {lock['properties']['level']} lock “{lock['name']}” on {scope_of_lock(lock).rsplit('/', 1)[1]}",
                    "locks/remove",
                    {"scope": scope_of_lock(lock), "name": lock["name"]},
                )
                for lock in self.estate.locks.values()
            ),
            *(
                Wrong(f"▲ Only reading in {group.rsplit('/', 1)[1]}", "roles", {"group": group, "role": "contributor"})
                for group in sorted(self.estate.readers)
            ),
            *(Wrong(f"⬢ {name} answers 404", "apis", {"name": name, "is_available": "true"}) for name in sorted(self.estate.lacking)),
            *(Wrong(f"▲ {name} is {state}", "peerings", {"peering": name, "state": "Connected"}) for name, state in self._peerings(is_broken=True)),
        ]

    def _page(self) -> dict[str, Any]:
        return {
            "said": self.last_said,
            "size": self.estate.size,
            "counts": self.state()["counts"].items(),
            "wrong": self._wrong(),
            "subscriptions": [
                (document["displayName"], subscription_id, sorted(kind for held, kind in self.estate.denied if held == subscription_id))
                for subscription_id, document in self.estate.subscriptions.items()
            ],
            "apis": [(name, name in self.estate.lacking) for name in API_NAMES],
            "peerings": self._peerings(),
            "subnets": self._subnets(),
            "nics": self._names(Kind.NETWORK_INTERFACES),
            "machines": self._names(Kind.VIRTUAL_MACHINES),
            "taps": self._names(Kind.VIRTUAL_NETWORK_TAPS),
            "scopes": [*self._names(Kind.NETWORK_INTERFACES), *self._names(Kind.VIRTUAL_NETWORK_TAPS), *self._names(Kind.RESOURCE_GROUPS)],
            "groups": self._names(Kind.RESOURCE_GROUPS),
            "lock_levels": LOCK_LEVELS,
            "roles": changes.ROLES,
            "feature_states": changes.FEATURE_STATES,
            "operation_ms": round(self.writes.operation_s * 1_000),
            "retry_after_s": self.writes.operations.retry_after_s,
            "writes": list(self.writes.log.entries.values())[: -LOG_ROWS - 1 : -1],
            "write_count": len(self.writes.log.entries),
            "agents": self.player.agents_state()[:LOG_ROWS],
            "agent_count": len(self.player.agents),
            "collectors": self._collectors(),
            "mirrored": self._mirrored(),
            "hub_peering": next((name for name, state in self._peerings() if state == "Connected"), ""),
            "peering_states": changes.PEERING_STATES,
            "power_states": changes.POWER_STATES,
            "log": list(self.log)[: -LOG_ROWS - 1 : -1],
            "log_count": len(self.log),
        }

    def _peerings(self, *, is_broken: bool = False) -> list[tuple[str, str]]:
        """(vnet/peering, state) of the first few, or of those that are not Connected."""
        found: list[tuple[str, str]] = []
        for held in self.estate.all_of(Kind.VIRTUAL_NETWORKS):
            if len(found) >= SUGGESTIONS:
                break
            if is_broken and b'"peeringState":"Disconnected"' not in held.body and b'"peeringState":"Initiated"' not in held.body:
                continue
            document = held.json()
            for side in document["properties"]["virtualNetworkPeerings"]:
                state = side["properties"]["peeringState"]
                if not is_broken or state != "Connected":
                    found.append((f"{document['name']}/{side['name']}", state))
        return found

    def _collectors(self) -> list[str]:
        """What a collector can be called by: its load balancer's name or its NIC's, and its members'."""
        agents = list(self.player.agents.values())[:SUGGESTIONS]
        return list(dict.fromkeys(name for agent in agents for name in (agent.destination.owner_key.rsplit("/", 1)[1], agent.name)))

    def _mirrored(self) -> list[str]:
        return [flow.mirror.nic_key.rsplit("/", 1)[1] for flow in list(self.player.flows.flows.values())[:SUGGESTIONS]]

    def _subnets(self) -> list[str]:
        found: list[str] = []
        for held in self.estate.all_of(Kind.VIRTUAL_NETWORKS):
            if len(found) >= SUGGESTIONS:
                break
            document = held.json()
            found += [f"{document['name']}/{child['name']}" for child in document["properties"]["subnets"]]
        return found

    def _names(self, kind: Kind) -> list[str]:
        names = []
        for held in self.estate.all_of(kind):
            names.append(held.arm_id.rsplit("/", 1)[1])
            if len(names) >= SUGGESTIONS:
                break
        return names


def _why_not(method: str, headers: Mapping[str, str], peer: str) -> str:
    """Why this caller may not use the control; "" when he may."""
    if not _is_loopback(peer):
        return "The control answers this machine only."
    host = HOST_NAME.sub(r"\1", headers.get("host", "localhost")).strip("[]")
    if host != "localhost" and not _is_loopback(host):
        return "The control answers under a loopback name only."
    if method == "POST":
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{headers.get('host', '')}":
            return "The control takes orders from its own page only."
        if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            return "The control takes orders from its own page only."
    return ""


def _is_loopback(text: str) -> bool:
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return False


def _fields(body: bytes, *, is_form: bool) -> dict[str, str]:
    if is_form:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        values = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise ChangeError("The body is no JSON.") from error
    if not isinstance(values, dict):
        raise ChangeError("The body is no JSON object.")
    return {str(name): "" if value is None else str(value) for name, value in values.items()}


def _json(status: int, value: object) -> Answer:
    return Answer(status, "application/json; charset=utf-8", orjson.dumps(value))


def _fault_start(control: Control, fields: Fields) -> str:
    kind = fields.text("kind")
    if kind not in list(FaultKind):
        raise ChangeError(f"A fault is {', '.join(FaultKind)}; not “{kind}”.")
    only = fields.text("only", "all")
    if only not in METHODS:
        raise ChangeError(f"A fault strikes {', '.join(METHODS)}; not “{only}”.")
    status = fields.number("status", 503)
    if status not in {500, 502, 503, 504}:
        raise ChangeError("A server error is 500, 502, 503 or 504.")
    for_s = fields.optional_number("for_s")
    fault = Fault(
        FaultKind(kind),
        every=fields.number("every", 1, least=1),
        until_s=None if for_s is None else control.monotonic_s() + for_s,
        times=fields.optional_number("times"),
        path_part=fields.text("path_part", ""),
        retry_after_s=fields.number("retry_after_s", 1),
        status=status,
        delay_ms=fields.number("delay_ms", 2_000, most=600_000),
        only=only,
        percent=fields.number("percent", 100, least=1, most=100),
        seed=fields.number("seed", 1, most=999_999_999),
        code=fields.text("code", "InternalServerError"),
        message=fields.text("message", "An error occurred. (simulator)"),
        leaves_failed=fields.flag("leaves_failed", default=False),
        limit=fields.number("limit", 0, most=100_000),
    )
    control.faults.active.append(fault)
    return f"Started: {fault.sentence}."


def _faults_clear(control: Control, _: Fields) -> str:
    control.faults.active.clear()
    control.player.end_faults()
    return "All faults have ended."


def _traffic_start(control: Control, fields: Fields) -> str:
    kind = fields.text("kind")
    if kind not in list(TrafficFaultKind):
        raise ChangeError(f"A fault of traffic is {', '.join(TrafficFaultKind)}; not “{kind}”.")
    player, target = control.player, fields.text("target", "")
    player.flows.refresh(round(control.unix_s()))
    for_s = fields.optional_number("for_s")
    keys = keys_of(control.estate, player.flows, TrafficFaultKind(kind), target)
    enough = overload_factor(player.flows, keys, round(control.unix_s())) if kind == TrafficFaultKind.OVERLOAD else 1
    fault = TrafficFault(
        0,
        TrafficFaultKind(kind),
        target,
        keys,
        percent=fields.number("percent", 5, least=1, most=100),
        factor=fields.number("factor", enough, least=2, most=100_000),
        address=free_address(control.estate, fields.text("address", "10.0.250.250")) if kind == TrafficFaultKind.UNKNOWN else "",
        skew_s=fields.number("skew_s", 600),
        every_s=fields.optional_number("every_s"),
        until_s=None if for_s is None else control.monotonic_s() + for_s,
    )
    return player.start_fault(fault)


def _traffic_end(control: Control, fields: Fields) -> str:
    number = fields.optional_number("number")
    return control.player.end_faults(None if number is None else [number])


def _pair(text: str) -> tuple[str, str]:
    """`vnet/child` taken apart, and the ARM id of a child too."""
    if text.startswith("/"):
        parent, _, name = text.rpartition("/")
        return parent.rpartition("/")[0], name
    parent, _, name = text.partition("/")
    return parent, name


def _peering(control: Control, fields: Fields) -> str:
    vnet, peering = _pair(fields.text("peering"))
    return changes.peering_set_state(control.estate, vnet, peering, fields.text("state"))


def _access(control: Control, fields: Fields) -> str:
    subscription_id = changes.subscription_named(control.estate, fields.text("subscription"))
    kind, verb = fields.text("kind", "*"), fields.text("access")
    name = control.estate.subscriptions[subscription_id]["displayName"]
    if kind != "*" and kind not in API_NAMES:
        raise ChangeError(f"A kind is *, {', '.join(API_NAMES)}; not “{kind}”.")
    if verb not in {"deny", "allow"}:
        raise ChangeError("Access is deny or allow.")
    if verb == "deny":
        control.estate.denied.add((subscription_id, kind))
    elif kind == "*":
        control.estate.denied = {denied for denied in control.estate.denied if denied[0] != subscription_id}
    else:
        control.estate.denied.discard((subscription_id, kind))
    return f"{name}: {'everything' if kind == '*' else kind} {'answers 403' if verb == 'deny' else 'may be read'}."


def _api(control: Control, fields: Fields) -> str:
    name = fields.text("name")
    if name not in API_NAMES:
        raise ChangeError(f"An API is {', '.join(API_NAMES)}; not “{name}”.")
    is_there = fields.flag("is_available", default=False)
    (control.estate.lacking.discard if is_there else control.estate.lacking.add)(name)
    return f"{name} {'is there' if is_there else 'answers 404'}."


def _nics_add(control: Control, fields: Fields) -> str:
    vnet, subnet = _pair(fields.text("subnet"))
    ids = changes.nics_add(
        control.estate,
        vnet,
        subnet,
        fields.number("count", 1, least=1),
        stem=fields.text("stem", ""),
        is_attached=fields.flag("is_attached", default=True),
    )
    return f"Added {', '.join(arm_id.rsplit('/', 1)[1] for arm_id in ids[:5])}{' …' if len(ids) > 5 else ''} to {subnet} ({len(ids)})."


def _nics_remove(control: Control, fields: Fields) -> str:
    if fields.text("nic", ""):
        return changes.nic_remove(control.estate, fields.text("nic"))
    vnet, subnet = _pair(fields.text("subnet"))
    return changes.nics_remove_from(control.estate, vnet, subnet, fields.number("count", 1, least=1))


def _reset(control: Control, _: Fields) -> str:
    control.faults.active.clear()
    control.player.end_faults()
    control.estate.become(control.rebuild())
    control.writes.clear()
    if control.journal is not None:
        control.journal.clear()
    return "Everything is as it was in the beginning."


def _writes_clear(control: Control, _: Fields) -> str:
    control.writes.log.clear()
    if control.journal is not None:
        control.journal.clear_log()
    return "The log of writes begins anew."


def _pace(control: Control, fields: Fields) -> str:
    control.writes.operation_s = fields.number("operation_ms", round(control.writes.operation_s * 1_000), most=3_600_000) / 1_000
    operations = control.writes.operations
    operations.retry_after_s = fields.number("retry_after_s", operations.retry_after_s, most=3_600)
    return f"An operation takes {control.writes.operation_s:g} s and asks to wait {operations.retry_after_s} s between two looks."


ACTIONS: dict[str, Callable[[Control, Fields], str]] = {
    "faults": _fault_start,
    "faults/clear": _faults_clear,
    "traffic/start": _traffic_start,
    "traffic/end": _traffic_end,
    "addresses/share": lambda control, fields: changes.address_share(control.estate, fields.text("nic"), fields.text("other")),
    "addresses/unshare": lambda control, fields: changes.address_unshare(control.estate, fields.text("nic")),
    "peerings": _peering,
    "access": _access,
    "apis": _api,
    "nics/add": _nics_add,
    "nics/remove": _nics_remove,
    "tags/rename": lambda control, fields: changes.tag_rename(
        control.estate, fields.text("old"), fields.text("new", ""), resource=fields.text("resource", "")
    ),
    "tags/set": lambda control, fields: changes.tag_set(control.estate, fields.text("resource"), fields.text("name"), fields.text("value", "")),
    "virtual-machines": lambda control, fields: changes.power_set(
        control.estate, fields.text("vm"), fields.text("state"), at_unix_s=control.unix_s()
    ),
    "tap-configurations/create": lambda control, fields: changes.tap_configuration_create(
        control.estate, fields.text("nic"), fields.text("tap"), fields.text("name", "")
    ),
    "tap-configurations/delete": lambda control, fields: changes.tap_configuration_delete(
        control.estate, fields.text("nic"), fields.text("name", "")
    ),
    "locks/set": lambda control, fields: changes.lock_set(
        control.estate, fields.text("scope"), fields.text("name", "lock"), fields.text("level"), fields.text("notes", "")
    ),
    "locks/remove": lambda control, fields: changes.lock_remove(control.estate, fields.text("scope"), fields.text("name", "")),
    "roles": lambda control, fields: changes.role_set(control.estate, fields.text("group"), fields.text("role")),
    "features": lambda control, fields: changes.feature_set(control.estate, fields.text("subscription"), fields.text("state")),
    "writes/clear": _writes_clear,
    "pace": _pace,
    "reset": _reset,
}
