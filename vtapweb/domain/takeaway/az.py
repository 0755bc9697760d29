"""A plan as a bash script of the Azure CLI and its extension `virtual-network-tap`.

The extension's own commands where they say exactly what the plan's request says; else the plain request by `az rest`: for tags (whether the
extension's update merges or replaces is not verified), for names that the CLI would read as an option or a file (a leading `-` or `@`), and
for a body with members the extension has no argument for.
"""

import re

from vtapweb.domain.arm_id import ArmId, ArmIdError, parse
from vtapweb.domain.takeaway.arguments import EXTENSION_NAME, EXTENSION_VERSION
from vtapweb.domain.takeaway.plan import TakeawayPlan, TakeawayStep, heading, one_line, word
from vtapweb.domain.takeaway.rest import WAIT_FUNCTIONS, request_lines

_TAP = "microsoft.network/virtualnetworktaps"
_CONFIGURATION = "microsoft.network/networkinterfaces/tapconfigurations"
_DESTINATIONS = ("destinationLoadBalancerFrontEndIPConfiguration", "destinationNetworkInterfaceIPConfiguration")
_PLAIN_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # what the CLI's shorthand reads as the text that it is


def az_text(plan: TakeawayPlan) -> str:
    """The script. It stops at the first failure (`set -e`); between waves it rests as long as the plan does."""
    written = [(wave, [(step, extension_command(step)) for step in steps]) for wave, steps in plan.waves()]
    lines = ["#!/usr/bin/env bash", *heading(plan, "#"), "set -euo pipefail", f"settle_s={int(plan.settle_s)}", ""]
    if any(command for _, steps in written for _, command in steps):
        lines += [f"az extension add --name={EXTENSION_NAME} --version={EXTENSION_VERSION} --upgrade", ""]
    if any(command is None for _, steps in written for _, command in steps):
        lines += [*WAIT_FUNCTIONS, ""]
    for number, (wave, steps) in enumerate(written):
        if number:
            lines += ['sleep "$settle_s"', ""]
        lines.append(f"# Wave {wave}")
        for step, command in steps:
            lines.append(f"# {one_line(step.about)}")
            lines += request_lines(step, plan.api_version) if command is None else [" ".join(command)]
        lines.append("")
    return "\n".join(lines)


def extension_command(step: TakeawayStep) -> list[str] | None:
    """The step as shell words of the extension's command, None where the extension cannot say it exactly."""
    try:
        arm_id = parse(step.path)
    except ArmIdError:
        return None
    named = [arm_id.subscription_id, arm_id.resource_group, *arm_id.names]
    if not all(_is_plain(name) for name in named):
        return None
    if arm_id.resource_type == _CONFIGURATION:
        return _configuration(step, arm_id)
    if arm_id.resource_type == _TAP:
        return _tap(step, arm_id)
    return None


def _configuration(step: TakeawayStep, arm_id: ArmId) -> list[str] | None:
    where = [*_scope(arm_id), _option("--nic-name", arm_id.names[0]), _option("--name", arm_id.names[1])]
    if step.method == "DELETE":
        return ["az", "network", "nic", "vtap-config", "delete", *where, "--yes"]
    tap = _only_id(_members(step.body, {"properties"}).get("properties"), "virtualNetworkTap")
    if step.method != "PUT" or tap is None:
        return None
    return ["az", "network", "nic", "vtap-config", "create", *where, _option("--vnet-tap", tap)]


def _tap(step: TakeawayStep, arm_id: ArmId) -> list[str] | None:
    where = [*_scope(arm_id), _option("--name", arm_id.names[0])]
    if step.method == "DELETE":
        return ["az", "network", "vnet", "tap", "delete", *where, "--yes"]
    body = _members(step.body, {"location", "tags", "properties"})
    location, tags, properties = body.get("location"), body.get("tags") or {}, body.get("properties")
    found = [one for name in _DESTINATIONS if (one := _only_id(properties, name)) is not None]
    if step.method != "PUT" or len(found) != 1 or not isinstance(location, str) or not _is_plain(location) or not isinstance(tags, dict):
        return None
    if not all(_PLAIN_TAG.fullmatch(str(part)) and str(part) != "null" for tag in tags.items() for part in tag):
        return None
    command = ["az", "network", "vnet", "tap", "create", *where, _option("--destination", found[0]), _option("--location", location)]
    return command + (["--tags", *(word(f"{name}={value}") for name, value in tags.items())] if tags else [])


def _scope(arm_id: ArmId) -> list[str]:
    return [_option("--subscription", arm_id.subscription_id), _option("--resource-group", arm_id.resource_group)]


def _option(name: str, value: str) -> str:
    return f"{name}={word(value)}"


def _is_plain(text: str) -> bool:
    """Whether the CLI takes the text for what it is: not as an option, a file to read, or nothing."""
    return bool(text) and text.isprintable() and not text.startswith(("-", "@")) and "=@" not in text


def _members(value: object, known: set[str]) -> dict[str, object]:
    """The object's members, or none at all where there are others than the known ones."""
    return dict(value) if isinstance(value, dict) and set(value) <= known else {}


def _only_id(properties: object, name: str) -> str | None:
    """The ARM id where the properties hold nothing but one reference of that name."""
    reference = _members(properties, {name}).get(name)
    found = _members(reference, {"id"}).get("id")
    return found if isinstance(found, str) and _is_plain(found) else None
