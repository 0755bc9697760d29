"""API v1 of coverage: how much is mirrored, how much could be, and what stands in the way of the rest."""

from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Field, Query, Router, Schema

from vtapweb.access.selectors import scope_of_request
from vtapweb.inventory.api import answer
from vtapweb.taps.api.verdicts import RuleOut, rule
from vtapweb.taps.counting import Coverage
from vtapweb.taps.selectors.arriving import Arrivals, mirrors_arriving
from vtapweb.taps.selectors.coverage import coverage_page
from vtapweb.web.paging import LIMIT_DEFAULT, cursor_of, key_of, limit_of
from vtapweb.web.problem import ProblemError

router = Router(tags=["coverage"])


class CoverageQuery(Schema):
    """What to group by."""

    by: Literal["vnet", "subnet", "tag"] = "vnet"
    tag: str = Field("", max_length=512, description="With by=tag: the tag's name, of the NIC or else of its VM.")
    limit: int = Field(LIMIT_DEFAULT, description="1 to 1,000.")
    cursor: str = ""


class ReasonOut(Schema):
    count: int = Field(description="NICs of the group that this rule keeps back; each NIC is counted under one rule.")
    rule: RuleOut = Field(description="In the words of the first of them; id no-tap where there is no TAP at all.")


class CoverageOut(Schema):
    """mirrored + mirrorable + unknown + refused = nics."""

    id: str | None = Field(description="ARM id of the VNet or subnet; null for a tag's value.")
    key: str
    name: str = Field(description="Empty: NICs in no readable VNet, or without the tag.")
    subscription_id: str | None
    nics: int
    attached: int = Field(description="Of these attached to a VM.")
    mirrored: int
    mirrorable: int = Field(description="Not mirrored, and some TAP may have it now.")
    unknown: int
    refused: int
    share_mirrored: float | None = Field(description="mirrored / attached; null where none is attached.")
    flowing: int = Field(description="Of the mirrored: packets were seen. flowing + silent + not_yet + cannot_be_seen = mirrored.")
    silent: int = Field(description="Of the mirrored: an open alarm says that nothing arrives; the map marks the same.")
    not_yet: int = Field(description="Of the mirrored: configured, the collector counts its senders, and nothing was seen yet.")
    cannot_be_seen: int = Field(description="Of the mirrored: nobody can tell here.")
    why_not: list[ReasonOut] = Field(description="What keeps the unknown and the refused back, the commonest first.")


class CoveragePage(Schema):
    items: list[CoverageOut]
    next: str | None
    total: int = Field(description="How many groups there are.")


@router.get("/coverage", response=CoveragePage, summary="How much is mirrored, by VNet, subnet or tag, and why not the rest")
def coverage(request: HttpRequest, query: Query[CoverageQuery]) -> HttpResponse:
    """Counts present NICs in your subscriptions. docs/api.md says what each number means."""
    if (query.by == "tag") != bool(query.tag.strip()):
        raise ProblemError(400, "Which tag?", "Name it: by=tag&tag=team. Without by=tag there is no tag.")
    limit = limit_of(query.limit)
    scope = scope_of_request(request)
    # The key of a group may be empty, a cursor's may not.
    after = key_of(query.cursor).removeprefix("=") if query.cursor else None
    groups, total = coverage_page(scope, by=query.by, tag=query.tag, after=after, limit=limit + 1)
    shown, arrivals = groups[:limit], mirrors_arriving(scope)
    return answer(
        {"items": [item(one, arrivals) for one in shown], "next": cursor_of(f"={shown[-1].key}") if len(groups) > limit else None, "total": total}
    )


def item(one: Coverage, arrivals: Arrivals) -> dict[str, Any]:
    flows = arrivals.counts_of(one.mirrored_keys, one.mirrored)
    return {
        "id": one.arm_id or None,
        "key": one.key,
        "name": one.name,
        "subscription_id": one.subscription_id or None,
        "nics": one.nics,
        "attached": one.attached,
        "mirrored": one.mirrored,
        "mirrorable": one.mirrorable,
        "unknown": one.unknown,
        "refused": one.refused,
        "share_mirrored": None if one.share_mirrored is None else round(one.share_mirrored, 4),
        "flowing": flows.flowing,
        "silent": flows.silent,
        "not_yet": flows.not_yet,
        "cannot_be_seen": flows.cannot_be_seen,
        "why_not": [{"count": reason.count, "rule": rule(reason.finding)} for reason in one.reasons],
    }
