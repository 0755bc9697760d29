"""What a format of samples is to the ingest: who sent it, what it is decoded to, how it says no. Each format is a module beside this one.

Rule: whatever comes in, decoding ends in samples or in `Refused`; every other exception is our own mistake.
"""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from vtapweb.traffic.samples import Counters, Points
from vtapweb.web.text import visible

DETAIL_LENGTH_MOST = 300

DEFAULT_INTERVAL_S: Final = 60.0  # what exporters of OpenTelemetry do unless told otherwise; Prometheus' own default, too
INTERVAL_LEAST_S: Final = 0.2
INTERVAL_MOST_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose token came with the document, and when (server's wall clock, ms). `nic_key` "" where the token names no member.

    `interval_s` is what the address declares between two documents (`?every_s=15`), for formats that do not say it themselves.
    """

    collector: str
    nic_key: str
    token_name: str
    arrival_ms: int
    interval_s: float = DEFAULT_INTERVAL_S


class Refused(Exception):  # noqa: N818 - an answer, not a mistake of ours
    """The document is not taken. `reason` is one word for the metrics, `detail` a sentence for whoever sent it, without anything of the token.

    Parts of a document may stand in `detail`, so it is cut, and what is no plain sign is made visible.
    """

    def __init__(self, status: HTTPStatus, reason: str, detail: str, *, retry_after_s: float | None = None) -> None:
        self.detail = visible(detail[:DETAIL_LENGTH_MOST])
        super().__init__(self.detail)
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s

    @classmethod
    def malformed(cls, detail: str) -> "Refused":
        return cls(HTTPStatus.BAD_REQUEST, "malformed", detail)

    @classmethod
    def too_large(cls, detail: str) -> "Refused":
        return cls(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", detail)

    @classmethod
    def too_many(cls, detail: str, *, retry_after_s: float) -> "Refused":
        return cls(HTTPStatus.TOO_MANY_REQUESTS, "too_many", detail, retry_after_s=retry_after_s)

    @classmethod
    def away(cls, part: str, *, retry_after_s: float = 2.0) -> "Refused":
        """We cannot say yes or no now: `part` (Redis, the database) does not answer."""
        detail = f"{part} does not answer, so nothing can be taken now. Send your newest document again later."
        return cls(HTTPStatus.SERVICE_UNAVAILABLE, "away", detail, retry_after_s=retry_after_s)


Sample = Counters | Points


@dataclass(frozen=True, slots=True)
class Format:
    """One way to send samples, at one address.

    `decode` gets the body (already unpacked where it came as gzip, still packed in an encoding of `own_encodings`), the media type in lower case, and
    who sent it. `octets` is how many it will work on, before it does. `answers` are the content type and body of a 202, by the request's media type,
    where senders want more than an empty one.
    """

    name: str
    media_types: frozenset[str]
    decode: Callable[[bytes, str, Sender], list[Sample]]
    own_encodings: frozenset[str] = frozenset()
    octets: Callable[[bytes], int] = len
    answers: "dict[str, tuple[str, bytes]] | None" = None
