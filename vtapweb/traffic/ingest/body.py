"""A request's body: read within a time and a size, and unpacked within one."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from vtapweb.traffic.ingest.formats import Refused
from vtapweb.traffic.ingest.limits import BODY_WITHIN_S, HELD_OCTETS_MOST, LARGE_OCTETS, OCTETS_MOST, PACKED_OCTETS_MOST

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
GZIP = 31  # zlib's window bits for gzip and nothing else


class GoneError(Exception):
    """The sender hung up; nobody waits for an answer."""


class Held:
    """How many octets of bodies this process holds."""

    def __init__(self) -> None:
        self.octets = 0

    def take(self, octets: int) -> None:
        """Raises Refused (503) where it would be too many."""
        if self.octets + octets > HELD_OCTETS_MOST:
            raise Refused.away("This process holds as many documents as it may and", retry_after_s=1.0)
        self.octets += octets

    def give_back(self, octets: int) -> None:
        self.octets -= octets


async def read(receive: Receive, *, declared: int | None, is_packed: bool, held: Held) -> tuple[bytes, int]:
    """The body as it came, and how much of `held` it takes, which the caller gives back.

    Raises Refused: 413 for too much (before it is read, where the length is declared), 400 for one that does not come in time, 503. Raises GoneError.
    """
    most = PACKED_OCTETS_MOST if is_packed else OCTETS_MOST
    if declared is not None and declared > most:
        raise Refused.too_large(_too_large(most))
    taken = 0
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            chunks: list[bytes] = []
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise GoneError
                chunk: bytes = message.get("body", b"")
                if taken + len(chunk) > most:
                    raise Refused.too_large(_too_large(most))
                held.take(len(chunk))
                taken += len(chunk)
                if not message.get("more_body", False):
                    return (b"".join((*chunks, chunk)) if chunks else chunk), taken
                chunks.append(chunk)
    except TimeoutError:
        held.give_back(taken)
        raise Refused.malformed(f"The body did not come within {BODY_WITHIN_S:g} s.") from None
    except BaseException:
        held.give_back(taken)
        raise


async def unpacked(body: bytes) -> bytes:
    """The content of one gzip member, never more than OCTETS_MOST of it made; a large one is unpacked beside the event loop.

    Raises Refused: 413 for more, 400 for what is no gzip.
    """
    content = _unpacked(body, LARGE_OCTETS)
    if content is None:
        content = await asyncio.to_thread(_unpacked, body, OCTETS_MOST)
    if content is None:
        raise Refused.too_large(_too_large(OCTETS_MOST))
    return content


def _unpacked(body: bytes, most: int) -> bytes | None:
    """None where there is more; no more is made than that. Raises Refused."""
    unpacking = zlib.decompressobj(GZIP)
    try:
        content = unpacking.decompress(body, most + 1)
    except zlib.error:
        raise Refused.malformed("The body is said to be gzip, and is not.") from None
    if len(content) > most:
        return None
    if not unpacking.eof or unpacking.unused_data:
        raise Refused.malformed("The gzip body is cut off, or something follows it.")
    return content


def _too_large(most: int) -> str:
    return f"At most {most // 1024:,} KiB are taken at once."
