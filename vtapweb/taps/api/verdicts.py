"""API v1 of verdicts: may these NICs be mirrored to those TAPs, and why (not)?"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final, Literal

from annotated_types import Len
from django.http import HttpRequest, HttpResponse
from ninja import Field, Router, Schema

from vtapweb.access.selectors import scope_of_request
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.tap_rules.judge import Verdict
from vtapweb.domain.tap_rules.rule import Finding
from vtapweb.inventory.api import answer
from vtapweb.taps.actions.conditions import conditions_ask
from vtapweb.taps.selectors.verdicts import JudgedSelection, judge_selection
from vtapweb.web.problem import ProblemError
from vtapweb.web.text import plural, visible

router = Router(tags=["verdicts"])

MOST_PAIRS: Final = 50_000
MOST_FULL_PAIRS: Final = 1_000
NAMED_IN_A_PROBLEM: Final = 20

ArmIdText = Annotated[str, Len(1, 2000)]


class VerdictsIn(Schema):
    nics: Annotated[list[ArmIdText], Len(1, 10_000)] = Field(description="ARM ids of NICs, in any case.")
    taps: Annotated[list[ArmIdText], Len(0, 5_000)] | None = Field(None, description="ARM ids of TAPs; left out: every TAP you may see.")
    detail: Literal["", "full"] = Field("", description="full: every rule, for 1,000 pairs at most. Also as a query parameter.")


class RuleOut(Schema):
    id: str
    outcome: Literal["ok", "warn", "block", "unknown"]
    message: str
    remedy: str = Field(description="What to do about it; empty where nothing is to be done.")
    source: str = Field(description="Where the rule stands written; “not verified” where nowhere.")


class VerdictOut(Schema):
    nic: str
    tap: str
    allowed: bool | None = Field(description="null: nobody can tell, and until somebody can the answer is no.")
    rules: list[RuleOut] = Field(description="What decides, worst first: empty where it is allowed. With detail=full all of them.")


class VerdictsOut(Schema):
    items: list[VerdictOut]


@router.post("/verdicts", response=VerdictsOut, summary="May these NICs be mirrored to those TAPs, and why not?")
def verdicts(request: HttpRequest, body: VerdictsIn, detail: Literal["", "full"] = "") -> HttpResponse:
    """Every NIC against every TAP, in the order given. NICs and TAPs outside your subscriptions are as if they did not exist: 404, naming them."""
    is_full = "full" in (detail, body.detail)
    nics, taps = by_key(body.nics), None if body.taps is None else by_key(body.taps)
    if taps is not None:
        check_size(len(nics) * len(taps), is_full=is_full)
    found = judge_selection(scope_of_request(request), list(nics), None if taps is None else list(taps))
    check_there(nics, [one.key for one in found.sources], "NIC")
    check_there(taps or {}, [one.key for one in found.taps], "TAP")
    check_size(len(found.sources) * len(found.taps), is_full=is_full)
    ask_what_lacks(found)
    pairs = [item(nic.arm_id, tap.arm_id, found.verdict(nic, tap), is_full=is_full) for nic in found.sources for tap in found.taps]
    return answer({"items": pairs})


def by_key(arm_ids: Sequence[str]) -> dict[str, str]:
    """{key: id as given}, each once."""
    found: dict[str, str] = {}
    for one in arm_ids:
        found.setdefault(arm_key(one), one)
    return found


def check_size(pairs: int, *, is_full: bool) -> None:
    """Raises ProblemError 422 for more pairs than one answer holds."""
    most = MOST_FULL_PAIRS if is_full else MOST_PAIRS
    if pairs > most:
        told = "with detail=full " if is_full else ""
        raise ProblemError(
            422, "Too many pairs", f"These are {plural(pairs, 'pair')} of a NIC and a TAP; one answer {told}holds {most:,}. Ask in parts."
        )


def check_there(wanted: dict[str, str], found: Iterable[str], kind: str) -> None:
    """Raises ProblemError 404 that names what there is not."""
    there = set(found)
    missing = [visible(arm_id) for key, arm_id in wanted.items() if key not in there]
    if missing:
        more = f" and {len(missing) - NAMED_IN_A_PROBLEM:,} more" if len(missing) > NAMED_IN_A_PROBLEM else ""
        named = ", ".join(missing[:NAMED_IN_A_PROBLEM])
        raise ProblemError(404, f"No such {kind}", f"Not there, or outside what you may see: {named}{more}.", missing=missing[:MOST_FULL_PAIRS])


def item(nic_id: str, tap_id: str, verdict: Verdict, *, is_full: bool) -> dict[str, Any]:
    findings = verdict.findings if is_full else verdict.deciding
    return {"nic": nic_id, "tap": tap_id, "allowed": verdict.allowed, "rules": [rule(one) for one in findings]}


def rule(finding: Finding) -> dict[str, str]:
    return {
        "id": finding.rule_id,
        "outcome": finding.outcome.value,
        "message": finding.message,
        "remedy": finding.remedy,
        "source": finding.source,
    }


def ask_what_lacks(found: JudgedSelection) -> None:
    """Has read what nobody asked Azure yet: the next verdict knows it."""
    conditions_ask(subscription_ids=found.unread_subscriptions, scope_ids=found.unread_scopes)
