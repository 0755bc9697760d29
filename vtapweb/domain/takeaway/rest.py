"""A plan as the bare ARM requests, sent by `az rest` (which signs in by itself and waits for nothing, so the script re-reads)."""

from vtapweb.domain.takeaway.plan import TakeawayPlan, TakeawayStep, address, heading, json_text, one_line, word

# Azure answers a PUT at once with a resource that is "Updating", and a DELETE before the resource is gone (recorded ARM traffic).
WAIT_FUNCTIONS = (
    "wait_until_there() {  # URL: until Azure says Succeeded; fails on any other end",
    "  local state",
    "  while :; do",
    '    state=$(az rest --method=get --url="$1" --query=properties.provisioningState --output=tsv)',
    '    case "$state" in',
    "      Succeeded) return 0 ;;",
    "      Updating | Creating | Accepted) sleep 5 ;;",
    '      *) printf \'%s ended as %s\\n\' "$1" "$state" >&2; return 1 ;;',
    "    esac",
    "  done",
    "}",
    "wait_until_gone() {  # URL: until Azure no longer finds it",
    "  local answer",
    '  while answer=$(az rest --method=get --url="$1" --output=none 2>&1); do sleep 5; done',
    '  case "$answer" in',
    "    *NotFound*) return 0 ;;",
    "    *) printf '%s\\n' \"$answer\" >&2; return 1 ;;",
    "  esac",
    "}",
)


def rest_text(plan: TakeawayPlan) -> str:
    """The script: one request after the other, each re-read until Azure has done it; it stops at the first failure."""
    lines = ["#!/usr/bin/env bash", *heading(plan, "#"), "set -euo pipefail", f"settle_s={int(plan.settle_s)}", "", *WAIT_FUNCTIONS, ""]
    for number, (wave, steps) in enumerate(plan.waves()):
        if number:
            lines += ['sleep "$settle_s"', ""]
        lines.append(f"# Wave {wave}")
        for step in steps:
            lines += [f"# {one_line(step.about)}", *request_lines(step, plan.api_version)]
        lines.append("")
    return "\n".join(lines)


def request_lines(step: TakeawayStep, api_version: str) -> list[str]:
    """The step's request and the wait for its end, as lines of the shell."""
    url = word(address(step.path, api_version))
    body = "" if step.body is None else f" --body={word(json_text(step.body))}"
    wait = "wait_until_gone" if step.method == "DELETE" else "wait_until_there"
    return [f"az rest --method={step.method.lower()} --url={url}{body}", f"{wait} {url}"]
