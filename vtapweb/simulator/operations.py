"""Long-running operations as Azure reports them: a signed URL of about 4 kB to ask at, and what it says.

Owns the operations and their addresses; what becomes of a resource when one ends is `writes`' business. Ends are points in time, not timers:
an operation has ended when its moment has passed, so a restart in its middle changes nothing. Knows no clock.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from urllib.parse import quote

import orjson

from vtapweb.simulator import errors
from vtapweb.simulator.documents import guid

KEPT = 20_000  # operations that are remembered; the oldest that have ended are forgotten first
CERTIFICATE_OCTETS = 2_700  # 3,600 characters of base64, as long as the certificate that Azure puts in
IN_PROGRESS, SUCCEEDED, FAILED = "InProgress", "Succeeded", "Failed"


@dataclass(slots=True)
class Operation:
    """One write that is under way or has ended. `busy_key` is the folded id of the resource that takes no other write meanwhile.

    `fails_with` is decided when it begins: code and message, or None. `leaves_failed` keeps a resource that could not be made, in the state
    Failed. `was` is the properties' text that a failure brings back (JSON), "" where there was nothing.
    """

    operation_id: str
    subscription_id: str
    location: str
    method: str
    target_id: str
    busy_key: str
    write_number: int
    begun_unix_s: float
    ends_unix_s: float
    state: str = IN_PROGRESS
    fails_with: tuple[str, str] | None = None
    is_lost: bool = False
    leaves_failed: bool = False
    was: str = ""


@dataclass(slots=True)
class Operations:
    """`retry_after_s` is what a running operation asks callers to wait."""

    retry_after_s: int = 2
    held: dict[str, Operation] = field(default_factory=dict)
    _running: dict[str, Operation] = field(default_factory=dict)
    _changed: set[str] = field(default_factory=set)

    def begin(self, operation: Operation) -> None:
        self.held[operation.operation_id] = self._running[operation.operation_id] = operation
        self._changed.add(operation.operation_id)

    def due(self, now_unix_s: float) -> list[Operation]:
        """Those whose end has come, in the order in which they end."""
        due = [one for one in self.running() if one.ends_unix_s <= now_unix_s]
        return sorted(due, key=lambda one: (one.ends_unix_s, one.write_number))

    def running(self) -> list[Operation]:
        return list(self._running.values())

    def on(self, busy_key: str) -> Operation | None:
        """The operation that is under way on a resource."""
        return next((one for one in self.running() if one.busy_key == busy_key), None)

    def end(self, operation: Operation, *, failure: tuple[str, str] | None) -> None:
        operation.state, operation.fails_with = (FAILED, failure) if failure else (SUCCEEDED, None)
        self._running.pop(operation.operation_id, None)
        self._changed.add(operation.operation_id)
        if len(self.held) > KEPT:
            oldest = next(key for key, one in self.held.items() if one.state != IN_PROGRESS)
            del self.held[oldest]

    def clear(self) -> None:
        self.held.clear()
        self._running.clear()
        self._changed.clear()

    def restore(self, operations: Iterable[Operation]) -> None:
        self.held = {one.operation_id: one for one in operations}
        self._running = {key: one for key, one in self.held.items() if one.state == IN_PROGRESS}

    def take_changes(self) -> list[Operation]:
        """What has begun or ended since the last call."""
        changed, self._changed = self._changed, set()
        return [self.held[key] for key in changed if key in self.held]

    def headers_of(self, operation: Operation, base_url: str, api_version: str, *, with_location: bool) -> dict[str, str]:
        """What a write is answered with: PUT without a Location, DELETE with it."""
        headers = {"azure-asyncnotification": "Enabled", "retry-after": str(self.retry_after_s)}
        headers["azure-asyncoperation"] = url_of(operation, base_url, api_version, "operations")
        if with_location:
            headers["location"] = url_of(operation, base_url, api_version, "operationResults")
        return headers

    def find(self, subscription_id: str, operation_id: str, query: Mapping[str, str]) -> Operation:
        """Raises ArmError 404 for what is unknown or was lost on purpose, 403 where the URL's signature is not its own."""
        operation = self.held.get(operation_id.lower())
        if operation is None or operation.subscription_id != subscription_id:
            raise errors.operation_not_found(operation_id)
        if query.get("s") != _signature(operation.operation_id):
            raise errors.operation_unsigned(operation_id)
        if operation.is_lost:
            raise errors.operation_not_found(operation_id)
        return operation

    def status_of(self, operation: Operation) -> tuple[dict[str, str], bytes]:
        """Headers and body of the Azure-AsyncOperation URL."""
        if operation.state == IN_PROGRESS:
            return {"retry-after": str(self.retry_after_s)}, orjson.dumps({"status": IN_PROGRESS})
        if operation.fails_with is None:
            return {}, orjson.dumps({"status": SUCCEEDED})
        code, message = operation.fails_with
        return {}, orjson.dumps({"status": FAILED, "error": {"code": code, "message": message, "details": []}})


def operation_id_of(write_number: int, begun_unix_s: float) -> str:
    return guid(f"operation {write_number} at {begun_unix_s}")


def url_of(operation: Operation, base_url: str, api_version: str, word: str) -> str:
    """`word` is operations or operationResults. `t`, `c`, `s` and `h` are time, certificate, signature and hash, as in Azure's."""
    place = f"/subscriptions/{operation.subscription_id}/providers/Microsoft.Network/locations/{operation.location}"
    certificate = _text(f"certificate {operation.operation_id}", CERTIFICATE_OCTETS)
    signed = f"t={int(operation.begun_unix_s)}&c={certificate}&s={_signature(operation.operation_id)}&h={_text(operation.operation_id, 33)}"
    return f"{base_url}{place}/{word}/{operation.operation_id}?api-version={quote(api_version, safe='')}&{signed}"


def _signature(operation_id: str) -> str:
    """Long as Azure's, and of no worth: whoever reads this file can make one."""
    return _text(f"signature {operation_id}", 258)


def _text(seed: str, octets: int) -> str:
    """Deterministic base64 of that many octets."""
    blocks = (blake2b(f"{seed} {number}".encode(), digest_size=64).digest() for number in range(octets // 64 + 1))
    return urlsafe_b64encode(b"".join(blocks)[:octets]).decode().rstrip("=")
