"""What the take-away needs to know of a plan, and how foreign text gets into a comment, a shell word or an address."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import quote

from vtapweb.domain.plain_text import storable

SYNTAX_ONLY = "Syntax checked only: vtapweb has not run this text against Azure. Read it before you do."


@dataclass(frozen=True, slots=True)
class TakeawayStep:
    """One ARM request: `method` PUT, PATCH or DELETE, `path` the ARM id that is written, `body` its JSON, None for a DELETE.

    `about` says whom it is for in words (a NIC's or TAP's name); `wave` counts from 1.
    """

    method: str
    path: str
    body: Mapping[str, object] | None
    about: str
    wave: int = 1


@dataclass(frozen=True, slots=True)
class TakeawayPlan:
    """Steps in the order in which they are to be sent. `settle_s` is the rest between two waves, in seconds."""

    title: str
    reason: str
    steps: tuple[TakeawayStep, ...]
    api_version: str
    ticket: str = ""
    settle_s: int = 60

    def waves(self) -> Iterator[tuple[int, tuple[TakeawayStep, ...]]]:
        """The steps by wave, in order."""
        for wave, steps in groupby(self.steps, key=lambda step: step.wave):
            yield wave, tuple(steps)


def one_line(text: str) -> str:
    """The text fit for a comment: whatever could end the line or turn the reading around is written as its number."""
    return "".join(sign if sign.isprintable() else f"\\u{{{ord(sign):x}}}" for sign in storable(text))


def word(text: str) -> str:
    """The text as exactly one word of a POSIX shell."""
    return shlex.quote(storable(text))


def address(path: str, api_version: str) -> str:
    """The path below ARM's endpoint with everything but its slashes percent-encoded, and the api-version."""
    return f"{quote(storable(path), safe='/')}?api-version={quote(api_version, safe='')}"


def json_text(body: Mapping[str, object]) -> str:
    """The body in ASCII, on one line."""
    return json.dumps(body, ensure_ascii=True, separators=(", ", ": "))


def heading(plan: TakeawayPlan, mark: str) -> list[str]:
    """The comment lines that open every text; `mark` begins a comment in its language."""
    count = len(plan.steps)
    lines = [
        one_line(plan.title),
        SYNTAX_ONLY,
        f"{count} {'request' if count == 1 else 'requests'} in {_waves(plan)}.",
        f"Reason: {one_line(plan.reason)}",
    ]
    if plan.ticket:
        lines.append(f"Ticket: {one_line(plan.ticket)}")
    lines.append("Adding or removing a source may cut that VM's network for up to 60 seconds.")
    return [f"{mark} {line}" for line in lines]


def _waves(plan: TakeawayPlan) -> str:
    count = sum(1 for _ in plan.waves())
    return "1 wave" if count == 1 else f"{count} waves"
