"""How far a write is: our continuation token, and what each answer of the server's says. Pure: no network, no clock.

The rules:
- A write that is accepted may name up to two URLs: Azure-AsyncOperation (asked first: it tells code and message of a failure) and Location. One
  that names neither but whose body says a provisioningState that is not final, and a 202 without a word, are asked at the resource itself.
- A status we do not know is "running": the caller bounds how long that may go on.
- A URL that answers 404 or 410, or says nothing, is "lost": the caller re-reads the resource, which decides in any case.
- The token is plain JSON (docs/adr/0005): it holds URLs, of which the caller checks the host again whenever one comes out of a database.

Sources: azure-resource-manager-rpc "async-api-reference"; recordings of azure-cli-extensions (2024) and azure-powershell (2019).
"""

from dataclasses import dataclass
from typing import Literal

import msgspec

from vtapweb.cloud import lenient, wire
from vtapweb.cloud.types import Operation

PollState = Literal["running", "succeeded", "failed", "cancelled", "lost"]

_FINAL: dict[str, PollState] = {"succeeded": "succeeded", "failed": "failed", "canceled": "cancelled", "cancelled": "cancelled"}


class Pending(msgspec.Struct, frozen=True, kw_only=True, tag_field="token", tag="vtapweb-1"):
    """What a token holds. All URLs absolute, as the server sent them."""

    method: str
    resource_url: str
    operation_url: str = ""
    location_url: str = ""

    @property
    def url(self) -> str:
        """What to ask next."""
        return self.operation_url or self.location_url or self.resource_url

    def to_text(self) -> Operation:
        """The token as text; `of_text` reads it back."""
        return Operation(msgspec.json.encode(self).decode())


def of_text(text: str) -> Pending | None:
    """The token that `to_text` wrote; None for any other text."""
    try:
        return msgspec.json.decode(text, type=Pending)
    except (msgspec.MsgspecError, UnicodeError):
        return None


@dataclass(frozen=True, slots=True)
class Progress:
    """What one answer says of a write."""

    state: PollState
    code: str = ""
    message: str = ""


def pending_of(method: str, url: str, status: int, headers: dict[str, str], body: bytes) -> Pending | None:
    """What to poll after a write of `url` that was answered with 2xx; None when it is done. Header names in lower case; URLs as sent."""
    operation_url = headers.get("azure-asyncoperation", "").strip()
    location_url = headers.get("location", "").strip() if status == 202 else ""
    pending = Pending(method=method, resource_url=url, operation_url=operation_url, location_url=location_url)
    if operation_url or status == 202:
        return pending
    state = _provisioning_state(_read(body))
    # A body that says "Failed" is no success either: the first poll of the resource says so with its words.
    return pending if state and _FINAL.get(state.lower()) != "succeeded" and method != "DELETE" else None


def progress_of(pending: Pending, status: int, body: bytes) -> Progress | None:
    """What the answer to a GET of `pending.url` says; None for a status that says nothing of the write (the caller makes an error of it)."""
    said = _read(body)
    code, message = _error(said)
    if status in {404, 410}:
        gone = not (pending.operation_url or pending.location_url) and pending.method == "DELETE" and status == 404
        return Progress("succeeded") if gone else Progress("lost", code, message)
    if pending.operation_url:
        return _of_operation(said, status, code, message)
    if pending.location_url:
        return _of_location(said, status, code, message)
    return _of_resource(pending, said, status, code, message)


def _of_operation(said: wire.StatusWire | None, status: int, code: str, message: str) -> Progress | None:
    if status == 204:
        return Progress("succeeded")
    if status not in {200, 201, 202}:
        return None
    text = (said.status if said else None) or _provisioning_state(said)
    if not text:
        return Progress("running") if status == 202 else Progress("lost", code, message)
    return Progress(_FINAL.get(text.lower(), "running"), code, message)


def _of_location(said: wire.StatusWire | None, status: int, code: str, message: str) -> Progress | None:
    if status == 202:
        return Progress("running")
    if status in {200, 201, 204}:
        text = (said.status if said else None) or ""
        return Progress(_FINAL.get(text.lower(), "running") if text else "succeeded", code, message)
    if status in {400, 409, 412, 422} and code:
        return Progress("failed", code, message)
    return None


def _of_resource(pending: Pending, said: wire.StatusWire | None, status: int, code: str, message: str) -> Progress | None:
    if status == 204 and pending.method == "DELETE":
        return Progress("succeeded")
    if status != 200:
        return None
    state = _FINAL.get(_provisioning_state(said).lower(), "running")
    if pending.method == "DELETE" and state == "succeeded":
        return Progress("running")  # it is still there
    # A resource without a state is one whose server knows no long-running writes.
    if pending.method != "DELETE" and said is not None and not _provisioning_state(said):
        return Progress("succeeded")
    return Progress(state, code, message)


def _read(body: bytes) -> wire.StatusWire | None:
    try:
        return lenient.read(wire.StatusWire, body)
    except lenient.NotAnObjectError:
        return None


def _provisioning_state(said: wire.StatusWire | None) -> str:
    return (said.properties.provisioning_state if said and said.properties else None) or ""


def _error(said: wire.StatusWire | None) -> tuple[str, str]:
    error = said.error if said else None
    return ((error.code or ""), (error.message or "")) if error else ("", "")
