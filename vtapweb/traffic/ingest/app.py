"""The ASGI function for `/api/ingest/v1/…`, in front of Django's handler: a document costs some tens of microseconds here, and a millisecond there.

The order of looks is by what they cost and whom they trust: address, token, pace, size, format, and only then the content. A body is not read
for somebody without a token.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

from vtapweb.traffic.ingest import metrics, native, otlp, remote_write
from vtapweb.traffic.ingest.auth import Known, Tokens, secret_of
from vtapweb.traffic.ingest.body import GoneError, Held, Receive, read, unpacked
from vtapweb.traffic.ingest.formats import DEFAULT_INTERVAL_S, INTERVAL_LEAST_S, INTERVAL_MOST_S, Format, Refused, Sender
from vtapweb.traffic.ingest.intake import Intake
from vtapweb.traffic.ingest.limits import LARGE_OCTETS, OCTETS_MOST, Buckets, Members
from vtapweb.traffic.ingest.problems import Send, answer, answer_refused
from vtapweb.traffic.keys import member_field
from vtapweb.traffic.samples import Counters, encode

logger = logging.getLogger(__name__)

PREFIX: Final = "/api/ingest/"
FORMATS: Final[dict[str, Format]] = {
    "/api/ingest/v1/samples": Format("native", frozenset({"application/json"}), native.decode),
    "/api/ingest/v1/prometheus": remote_write.FORMAT,
    "/api/ingest/v1/otlp/v1/metrics": otlp.FORMAT,
}
DOCUMENTS_PER_S, DOCUMENTS_BURST = 50.0, 200.0  # of one token
MEMBER_PER_S, MEMBER_BURST = 5.0, 30.0  # of one machine that uses it
MEMBERS_MOST = 64
TOLD_EVERY_S = 60.0


@dataclass
class State:
    """What one event loop needs to take documents. `clock` gives seconds and never goes back."""

    clock: Callable[[], float]
    tokens: Tokens
    intake: Intake = field(default_factory=Intake)
    held: Held = field(default_factory=Held)
    pace: Buckets[int] = field(default_factory=lambda: Buckets(per_s=DOCUMENTS_PER_S, burst=DOCUMENTS_BURST, most=20_000))
    members: dict[int, Members] = field(default_factory=dict)  # by token; there are as many as tokens
    told_at_s: dict[tuple[int, str], float] = field(default_factory=dict)


class Ingest:
    """The application. Its state belongs to the event loop that calls it; a server has one."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._state: tuple[asyncio.AbstractEventLoop, State] | None = None

    def state(self) -> State:
        loop = asyncio.get_running_loop()
        if self._state is None or self._state[0] is not loop:
            self._state = (loop, State(self._clock, Tokens(self._clock)))
        return self._state[1]

    async def close(self) -> None:
        """Waits for what is under way beside requests. A server need not call it: nothing is lost but a note of a token's last use."""
        if self._state is not None:
            await self._state[1].tokens.close()
            await self._state[1].intake.close()
            self._state = None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        format = FORMATS.get(scope["path"])
        name = format.name if format else "unknown"
        state, token = self.state(), None
        try:
            if format is None:
                raise Refused(HTTPStatus.NOT_FOUND, "address", f"Samples are sent to {', '.join(FORMATS)}.")
            if scope["method"] != "POST":
                raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "method", "Samples are sent by POST.")
            headers = dict(scope["headers"])
            token = await state.tokens.find(secret_of(headers.get(b"authorization")), (scope.get("client") or ("",))[0])
            media_type = await _take(state, format, token, headers, _interval_s(scope["query_string"]), receive)
        except Refused as refused:
            metrics.documents.labels(name, refused.reason).inc()
            _tell(state, token, refused)
            await answer_refused(send, refused)
        except GoneError:
            metrics.documents.labels(name, "gone").inc()
        else:
            metrics.of_format(name).taken.inc()
            content_type, body = (format.answers or {}).get(media_type, ("", b""))
            await answer(send, HTTPStatus.ACCEPTED, body, [(b"content-type", content_type.encode())] if content_type else ())


async def _take(state: State, format: Format, token: Known, headers: dict[bytes, bytes], interval_s: float, receive: Receive) -> str:
    """Reads, decodes and hands on one document. Returns its media type. Raises Refused and GoneError."""
    now_s = state.clock()
    wait_s = state.pace.wait_s(token.pk, now_s)
    if wait_s:
        raise Refused.too_many("More documents come with this token than are taken. Send only the newest one.", retry_after_s=wait_s)
    media_type = _media_type(headers, format)
    encoding = _encoding(headers, format)
    body, octets = await read(receive, declared=_declared(headers), is_packed=encoding != "", held=state.held)
    try:
        metrics.of_format(format.name).octets.inc(octets)
        metrics.held.set(state.held.octets)
        sender = Sender(token.collector, token.nic_key, token.name, time.time_ns() // 1_000_000, interval_s)
        ready = await _ready(state, format, token, body, media_type, sender, is_packed=encoding == "gzip")
        del body  # it may wait for Redis now, and a thousand others beside it
        if ready.samples:
            await _hand_on(state, token, ready, now_s)
        metrics.of_format(format.name).samples.inc(len(ready.samples))
    finally:
        state.held.give_back(octets)
    return media_type


class Ready(NamedTuple):
    """What is left of a document while it waits for Redis: not the decoded one, whose objects are more than a hundred. Of each sample `samples` is
    what the meter reads; `asked` is the field of BOOTS that must hold `boot`, "" where no document was short.
    """

    samples: list[bytes]
    members: frozenset[str]
    asked: str
    boot: bytes


async def _ready(state: State, format: Format, token: Known, body: bytes, media_type: str, sender: Sender, *, is_packed: bool) -> Ready:
    """Unpacks and decodes. Raises Refused."""
    try:
        content = await unpacked(body) if is_packed else body
    except Refused:
        state.pace.charge(token.pk, OCTETS_MOST // LARGE_OCTETS)  # finding that out may have cost as much as the largest
        raise
    size = format.octets(content)
    state.pace.charge(token.pk, size // LARGE_OCTETS)
    if size < LARGE_OCTETS:
        return _decoded(format, content, media_type, sender)
    return await asyncio.to_thread(_decoded, format, content, media_type, sender)


def _interval_s(query: bytes) -> float:
    """Of `?every_s=…`. Raises Refused for one that is no number of seconds from 0.2 to 3600."""
    told = parse_qs(query.decode("latin-1")).get("every_s") if query else None
    if told is None:
        return DEFAULT_INTERVAL_S
    try:
        interval_s = float(told[-1])
    except ValueError:
        interval_s = math.nan
    if not INTERVAL_LEAST_S <= interval_s <= INTERVAL_MOST_S:
        raise Refused.malformed(f"`every_s` is the seconds between two documents, from {INTERVAL_LEAST_S:g} to {INTERVAL_MOST_S:g}.")
    return interval_s


def _media_type(headers: dict[bytes, bytes], format: Format) -> str:
    """In lower case, without parameters. Raises Refused (415) for one that is not the format's; none at all is taken."""
    media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
    if media_type and media_type not in format.media_types:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "media_type", f"This address takes {' or '.join(sorted(format.media_types))}.")
    return media_type


def _encoding(headers: dict[bytes, bytes], format: Format) -> str:
    """ "" for a body as it is, "gzip", or one of the format's own. Raises Refused (415) for any other."""
    encoding = headers.get(b"content-encoding", b"").strip().lower().decode("latin-1")
    if encoding in {"", "identity"}:
        return ""
    if encoding != "gzip" and encoding not in format.own_encodings:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "encoding", "This content encoding is not understood here.")
    return encoding


def _declared(headers: dict[bytes, bytes]) -> int | None:
    length = headers.get(b"content-length", b"")
    return int(length) if length.isdigit() and len(length) < 20 else None


def _decoded(format: Format, body: bytes, media_type: str, sender: Sender) -> Ready:
    """Raises Refused, also where decoding failed in a way that nobody foresaw: the document made it."""
    try:
        samples = format.decode(body, media_type, sender)
        encoded = [encode(one) for one in samples]
    except Refused:
        raise
    except Exception:
        logger.exception("a document of format %s from %s made its decoder fail", format.name, sender.token_name)
        raise Refused.malformed("This document can't be read.") from None
    members = frozenset([one.member for one in samples])
    for one in samples:
        if isinstance(one, Counters) and not one.is_full:
            return Ready(encoded, members, member_field(one.collector, one.member), one.boot.encode())
    return Ready(encoded, members, "", b"")


async def _hand_on(state: State, token: Known, ready: Ready, now_s: float) -> None:
    """Raises Refused: 429 for a machine that sends too often, 503 without Redis, 409 where the meter lacks what a short document leaves out."""
    members = state.members.get(token.pk)
    if members is None:
        if len(state.members) >= 20_000:
            state.members.clear()
        members = state.members[token.pk] = Members(per_s=MEMBER_PER_S, burst=MEMBER_BURST, most=MEMBERS_MOST)
    for member in ready.members:
        members.check(member, now_s)
    boot = await state.intake.put(ready.samples, ready.asked)
    if ready.asked and boot != ready.boot:
        raise Refused(HTTPStatus.CONFLICT, "unknown_boot", "This boot is not known here, or no longer: send a full document next.")


def _tell(state: State, token: Known | None, refused: Refused) -> None:
    """A line in the log about a refusal, for each token and reason at most once a minute: what comes every second would fill a disk."""
    if token is None or refused.status == HTTPStatus.CONFLICT:
        return
    now_s, key = state.clock(), (token.pk, refused.reason)
    if now_s - state.told_at_s.get(key, float("-inf")) < TOLD_EVERY_S:
        return
    if len(state.told_at_s) >= 1_000:
        state.told_at_s.clear()
    state.told_at_s[key] = now_s
    logger.warning("a document of collector token %r was answered with %d: %s", token.name, refused.status, refused.detail)
