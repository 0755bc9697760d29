"""What a format of samples is to the ingest: who sent it, what it is decoded to, how it says no. Each format is a module beside this one.

Rule: whatever comes in, decoding ends in samples or in `Refused`; every other exception is our own mistake.
"""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from vtapweb.traffic.samples import Counters, Points


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose token came with the document, and when (server's wall clock, ms). `nic_key` "" where the token names no member."""

    collector: str
    nic_key: str
    token_name: str
    arrival_ms: int


class Refused(Exception):  # noqa: N818 - an answer, not a mistake of ours
    """The document is not taken. `reason` is one word for the metrics, `detail` a sentence for whoever sent it, without anything of the token."""

    def __init__(self, status: HTTPStatus, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail

    @classmethod
    def malformed(cls, detail: str) -> "Refused":
        return cls(HTTPStatus.BAD_REQUEST, "malformed", detail)

    @classmethod
    def too_large(cls, detail: str) -> "Refused":
        return cls(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", detail)


Sample = Counters | Points
Decode = Callable[[bytes, str, Sender], list[Sample]]  # body (still compressed where the encoding is the format's own), media type, sender
