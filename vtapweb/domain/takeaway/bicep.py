"""A plan as Bicep.

A Bicep file writes into one resource group, so a plan over several becomes several files in one text, in the plan's order, each under a line
that says where it belongs and the command that deploys it. What Bicep has no words for stays in as a comment: it deletes nothing, and it
cannot rest between waves (their order it keeps by dependsOn).
Grammar of strings: learn.microsoft.com "Data types in Bicep", single-quoted strings and their escapes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby

from vtapweb.domain.arm_id import ArmId, ArmIdError, parse
from vtapweb.domain.plain_text import storable
from vtapweb.domain.takeaway.plan import TakeawayPlan, TakeawayStep, heading, one_line, word

_TAP = "microsoft.network/virtualnetworktaps"
_CONFIGURATION = "microsoft.network/networkinterfaces/tapconfigurations"
_TAGS_VERSION = "2021-04-01"  # Microsoft.Resources/tags: azure-rest-api-specs, Microsoft.Resources/stable/2021-04-01
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = {"true", "false", "null", "if", "for", "in"}
_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "$": "\\$"}


@dataclass
class _File:
    """One file while it is written: the symbols of the wave before and of this one, to chain the waves."""

    lines: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)
    wave: int = 0


def bicep_text(plan: TakeawayPlan) -> str:
    """The file or files. Every resource's symbol is unique in the whole text."""
    lines = heading(plan, "//")
    waves = sum(1 for _ in plan.waves())
    if waves > 1:
        lines.append(f"// Bicep cannot rest between waves; the plan rests {int(plan.settle_s)} s after each. Deploy file by file if that matters.")
    scopes = _by_scope(plan)
    number = 0
    for position, (scope, steps) in enumerate(scopes, start=1):
        lines += ["", *_file_heading(scope, position, len(scopes))]
        file = _File()
        for step in steps:
            number += 1
            _write(file, step, number, plan.api_version)
        lines += file.lines
    return "\n".join(lines) + "\n"


def _by_scope(plan: TakeawayPlan) -> list[tuple[tuple[str, str], list[TakeawayStep]]]:
    """Runs of steps of one resource group; within a wave, where order is free, the steps of a group come together."""
    ordered = [step for _, steps in plan.waves() for step in _gathered(steps)]
    return [(scope, list(steps)) for scope, steps in groupby(ordered, key=_scope)]


def _gathered(steps: tuple[TakeawayStep, ...]) -> list[TakeawayStep]:
    first: dict[tuple[str, str], list[TakeawayStep]] = {}
    for step in steps:
        first.setdefault(_scope(step), []).append(step)
    return [step for group in first.values() for step in group]


def _scope(step: TakeawayStep) -> tuple[str, str]:
    try:
        arm_id = parse(step.path)
    except ArmIdError:
        return ("", "")
    return (arm_id.subscription_id.lower(), arm_id.resource_group.lower())


def _file_heading(scope: tuple[str, str], position: int, count: int) -> list[str]:
    subscription, group = (one_line(part) for part in scope)
    file = "plan.bicep" if count == 1 else f"plan-{position}.bicep"
    command = f"az deployment group create --subscription={word(subscription)} --resource-group={word(group)} --template-file={file}"
    return [f"// ---- File {position} of {count}: {file}", f"// {command}"]


def _write(file: _File, step: TakeawayStep, number: int, api_version: str) -> None:
    if step.wave != file.wave:
        file.before, file.current, file.wave = (file.current or file.before), [], step.wave
    try:
        arm_id = parse(step.path)
    except ArmIdError:
        arm_id = None
    file.lines += ["", f"// {number}. {one_line(step.about)}, wave {step.wave}"]
    kind = arm_id.resource_type if arm_id is not None else ""
    if arm_id is not None and step.method == "PUT" and kind == _CONFIGURATION:
        _write_configuration(file, step, arm_id, number, api_version)
    elif arm_id is not None and step.method == "PUT" and kind == _TAP:
        file.lines += [f"resource tap{number} 'Microsoft.Network/virtualNetworkTaps@{api_version}' = {{", f"  name: {string(arm_id.names[0])}"]
        file.lines += _members(step.body, indent=1) + _after(file) + ["}"]
        file.current.append(f"tap{number}")
    elif arm_id is not None and step.method == "PATCH" and kind == _TAP and set(step.body or {}) == {"tags"}:
        _write_tags(file, step, arm_id, number, api_version)
    else:
        file.lines.append(f"// Not possible in Bicep, do it by hand at this place: {step.method} {one_line(step.path)}")


def _write_configuration(file: _File, step: TakeawayStep, arm_id: ArmId, number: int, api_version: str) -> None:
    file.lines += [
        *_existing(f"nic{number}", f"networkInterfaces@{api_version}", arm_id.names[0]),
        f"resource mirror{number} 'Microsoft.Network/networkInterfaces/tapConfigurations@{api_version}' = {{",
        f"  parent: nic{number}",
        f"  name: {string(arm_id.names[1])}",
        *_members(step.body, indent=1),
        *_after(file),
        "}",
    ]
    file.current.append(f"mirror{number}")


def _write_tags(file: _File, step: TakeawayStep, arm_id: ArmId, number: int, api_version: str) -> None:
    file.lines += [
        *_existing(f"tap{number}", f"virtualNetworkTaps@{api_version}", arm_id.names[0]),
        f"resource tags{number} 'Microsoft.Resources/tags@{_TAGS_VERSION}' = {{",
        "  name: 'default'",
        f"  scope: tap{number}",
        "  properties: {",
        *_members(step.body, indent=2),
        "  }",
        *_after(file),
        "}",
    ]
    file.current.append(f"tags{number}")


def _existing(symbol: str, kind: str, name: str) -> list[str]:
    return [f"resource {symbol} 'Microsoft.Network/{kind}' existing = {{", f"  name: {string(name)}", "}"]


def _after(file: _File) -> list[str]:
    return ["  dependsOn: [", *(f"    {symbol}" for symbol in file.before), "  ]"] if file.before else []


def _members(body: Mapping[str, object] | None, *, indent: int) -> list[str]:
    pad = "  " * indent
    return [line for name, one in (body or {}).items() for line in _member(f"{pad}{_name(name)}: ", one, indent)]


def _member(start: str, one: object, indent: int) -> list[str]:
    pad = "  " * indent
    if isinstance(one, Mapping):
        return [f"{start}{{", *_members({str(name): each for name, each in one.items()}, indent=indent + 1), f"{pad}}}"] if one else [f"{start}{{}}"]
    if isinstance(one, list | tuple):
        inner = [line for each in one for line in _member("  " * (indent + 1), each, indent + 1)]
        return [f"{start}[", *inner, f"{pad}]"] if one else [f"{start}[]"]
    return [start + _scalar(one)]


def _scalar(one: object) -> str:
    if one is None:
        return "null"
    if isinstance(one, bool):
        return "true" if one else "false"
    if isinstance(one, int):
        return str(one)
    return string(str(one)) if not isinstance(one, float) else f"json({string(repr(one))})"


def _name(name: str) -> str:
    return name if _IDENTIFIER.fullmatch(name) and name not in _RESERVED else string(name)


def string(text: str) -> str:
    """A single-quoted Bicep string that reads back as the text: quotes, backslashes, `$` and whatever does not print are escaped."""
    return "'" + "".join(_ESCAPES.get(sign) or (sign if sign.isprintable() else f"\\u{{{ord(sign):x}}}") for sign in storable(text)) + "'"
