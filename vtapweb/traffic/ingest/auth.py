"""Which collector a token stands for. All live tokens are kept in memory and read anew every few seconds, so that a document costs no query.

Rule 1: what is told of a token is never older than KEPT_S: a revoked one ends within that. Rule 2: a token that is not in memory is looked for in the
database before it is called wrong, at a bounded pace. Rule 3: when the database does not answer, the answer is "later", never "wrong".
"""

import asyncio
import hashlib
import ipaddress
import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, TypeVar

from django.db import DatabaseError, InterfaceError, connections
from django.db.models import Q
from django.utils import timezone

from vtapweb.traffic.ingest.formats import Refused
from vtapweb.traffic.ingest.limits import Buckets
from vtapweb.traffic.models import CollectorToken

logger = logging.getLogger(__name__)

FRESH_S: Final = 3.0  # then read anew, while the old ones still count
KEPT_S: Final = 5.0
DATABASE_WITHIN_S: Final = 2.0
USE_NOTED_EVERY_S: Final = 60.0
NOTED_AT_ONCE: Final = 500
LOOKED_FOR_AT_ONCE: Final = 16  # tokens that are not in memory
SECRET_LENGTH_MOST: Final = 200

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Known:
    """One live token. `ends_at_s` is of the wall clock, None for one that does not end by itself."""

    pk: int
    collector: str
    nic_key: str
    name: str
    ends_at_s: float | None


def _wrong() -> Refused:
    detail = "The Authorization header holds no collector token that works. It may be revoked or have expired; the collector's page tells."
    return Refused(HTTPStatus.UNAUTHORIZED, "token", detail)


def secret_of(header: bytes | None) -> bytes:
    """What stands after "Bearer". Raises Refused (401)."""
    scheme, _, secret = (header or b"").partition(b" ")
    secret = secret.strip()
    if scheme.lower() != b"bearer" or not secret or len(secret) > SECRET_LENGTH_MOST:
        raise _wrong()
    return secret


class Tokens:
    """The live tokens of this process. For one event loop."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[str, Known] = {}
        self._read_at_s = float("-inf")  # when the reading of what is known began
        self._reading: asyncio.Task[None] | None = None
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="ingest-tokens")
        self._finder = ThreadPoolExecutor(1, thread_name_prefix="ingest-token")
        self._noter = ThreadPoolExecutor(1, thread_name_prefix="ingest-use")
        self._looked_for = 0
        self._used: set[int] = set()
        self._noted_at_s: dict[int, float] = {}
        self._noting: asyncio.Future[None] | None = None
        self._wrong: Buckets[str] = Buckets(per_s=1.0, burst=30.0, most=10_000)
        self._wrong_of_all: Buckets[str] = Buckets(per_s=50.0, burst=200.0, most=1)

    async def find(self, secret: bytes, address: str) -> Known:
        """The token with this secret. `address` is the sender's, whose wrong tokens are counted.

        Raises Refused: 401 for a wrong one, 429 for many of them, 503 while the database does not answer.
        """
        digest = hashlib.sha256(secret).hexdigest()
        age_s = self._clock() - self._read_at_s
        if age_s >= FRESH_S:
            await self._renew(must_wait=age_s >= KEPT_S)
        known = self._known.get(digest)
        if known is None:
            known = await self._look_for(digest, address)
        if known.ends_at_s is not None and known.ends_at_s <= time.time():
            raise _wrong()
        self._used.add(known.pk)
        return known

    async def settled(self) -> None:
        """Returns when no reading and no note of a use is under way."""
        if self._reading is not None:
            await self._reading
        if self._noting is not None:
            await self._noting

    async def close(self) -> None:
        await self.settled()
        for executor in (self._reader, self._finder, self._noter):
            executor.shutdown(wait=True, cancel_futures=True)

    async def _renew(self, *, must_wait: bool) -> None:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        if must_wait:
            # The thread may hang in a dead connection; whoever waits for it does not.
            await asyncio.wait([self._reading], timeout=DATABASE_WITHIN_S)
            if self._clock() - self._read_at_s >= KEPT_S:
                raise Refused.away("The database")

    async def _read(self) -> None:
        """Reads all tokens; on a failure what is known stays as it is, with its age."""
        began_s = self._clock()
        try:
            known = await _in(self._reader, live_tokens)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("the collector tokens cannot be read: %s", type(error).__name__)
            return
        self._known = known
        self._read_at_s = began_s
        self._note_use(began_s)

    async def _look_for(self, digest: str, address: str) -> Known:
        """A token that may have been made a moment ago. Raises Refused."""
        now_s = self._clock()
        wait_s = self._wrong.wait_s(_network_of(address), now_s) or self._wrong_of_all.wait_s("", now_s)
        if wait_s:
            raise Refused.too_many("Too many requests with wrong tokens came from this address.", retry_after_s=wait_s)
        if self._looked_for >= LOOKED_FOR_AT_ONCE:
            raise Refused.away("The database")
        self._looked_for += 1
        looking = asyncio.ensure_future(_in(self._finder, live_tokens, digest))
        looking.add_done_callback(self._looked)
        try:
            async with asyncio.timeout(DATABASE_WITHIN_S):
                found = await asyncio.shield(looking)
        except (DatabaseError, InterfaceError, TimeoutError):
            raise Refused.away("The database") from None
        if digest not in found:
            raise _wrong()
        return found[digest]

    def _looked(self, looking: "asyncio.Future[dict[str, Known]]") -> None:
        self._looked_for -= 1
        if not looking.cancelled():
            looking.exception()  # whoever waited may have gone

    def _note_use(self, now_s: float) -> None:
        """Has the last use of tokens written down, of each once a minute, beside everything else: a locked database delays nothing here."""
        if self._noting is not None and not self._noting.done():
            return
        due = [pk for pk in self._used if now_s - self._noted_at_s.get(pk, float("-inf")) >= USE_NOTED_EVERY_S]
        self._used.clear()
        self._noted_at_s = {pk: at_s for pk, at_s in self._noted_at_s.items() if now_s - at_s < USE_NOTED_EVERY_S}
        if due:
            self._noted_at_s.update(dict.fromkeys(due, now_s))
            self._noting = asyncio.ensure_future(_in(self._noter, note_use, due))


def live_tokens(digest: str = "") -> dict[str, Known]:
    """The live tokens by digest, all or only the one; one query. Raises DatabaseError."""
    now = timezone.now()
    rows = CollectorToken.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)
    if digest:
        rows = rows.filter(digest=digest)
    return {
        key: Known(pk, collector, nic_key, name, ends_at.timestamp() if ends_at else None)
        for key, pk, collector, nic_key, name, ends_at in rows.values_list("digest", "pk", "destination_key", "member_key", "name", "expires_at")
    }


def note_use(pks: Iterable[int]) -> None:
    """Writes down that these tokens were used now. A failure costs a minute's precision, so it is told and borne."""
    pending = list(pks)
    now = datetime.now(UTC)
    try:
        for start in range(0, len(pending), NOTED_AT_ONCE):
            CollectorToken.objects.filter(pk__in=pending[start : start + NOTED_AT_ONCE]).update(last_used_at=now)
    except (DatabaseError, InterfaceError) as error:
        logger.warning("the last use of %d collector tokens was not written down: %s", len(pending), type(error).__name__)


async def _in(executor: ThreadPoolExecutor, work: Callable[..., T], *arguments: object) -> T:
    """Does database work in a thread of our own: those of Django's requests may all wait for a lock."""

    def done_here() -> T:
        try:
            return work(*arguments)
        finally:
            connections.close_all()

    return await asyncio.get_running_loop().run_in_executor(executor, done_here)


def _network_of(address: str) -> str:
    """What counts as one sender: an IPv4 address, or the /64 of an IPv6 one, of which anybody has as many addresses as he likes."""
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return address  # a unix socket has none
    return str(number) if number.version == 4 else f"{int(number) >> 64:x}"
