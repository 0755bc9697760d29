"""A whole plan as text that somebody else can run: az CLI, Bicep, plain REST requests.

Rule 1: every text says that only its syntax was checked; nobody ran it. Rule 2: names are foreign text, whatever they hold stays one word
of the shell or one string of Bicep. Rule 3: what a format cannot say is said in it as a comment, never left out.
"""

from collections.abc import Callable
from enum import StrEnum

from vtapweb.domain.takeaway.az import az_text
from vtapweb.domain.takeaway.bicep import bicep_text
from vtapweb.domain.takeaway.plan import SYNTAX_ONLY, TakeawayPlan, TakeawayStep
from vtapweb.domain.takeaway.preparation import preparation_text
from vtapweb.domain.takeaway.rest import rest_text

__all__ = ["MEDIA_SUFFIX", "SYNTAX_ONLY", "TakeawayFormat", "TakeawayPlan", "TakeawayStep", "preparation_text", "takeaway"]


class TakeawayFormat(StrEnum):
    AZ = "az"
    BICEP = "bicep"
    REST = "rest"


MEDIA_SUFFIX = {TakeawayFormat.AZ: "sh", TakeawayFormat.BICEP: "bicep", TakeawayFormat.REST: "sh"}

_WRITERS: dict[TakeawayFormat, Callable[[TakeawayPlan], str]] = {
    TakeawayFormat.AZ: az_text,
    TakeawayFormat.BICEP: bicep_text,
    TakeawayFormat.REST: rest_text,
}


def takeaway(plan: TakeawayPlan, wanted: TakeawayFormat | str) -> str:
    """The plan's steps in that format, newline-terminated. Raises ValueError for a format that there is not."""
    return _WRITERS[TakeawayFormat(wanted)](plan)
