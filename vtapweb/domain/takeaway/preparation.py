"""The commands that prepare VMs for mirroring: stop (deallocate) and start once after the TAP exists. vtapweb never runs them."""

from collections.abc import Iterable

from vtapweb.domain.takeaway.plan import SYNTAX_ONLY, one_line, word


def preparation_text(vms: Iterable[tuple[str, str]], *, owner: str = "") -> str:
    """A bash script for (name, ARM id) of each VM, one VM after the other: deallocate, then start. Each VM is down in between."""
    lines = ["#!/usr/bin/env bash", f"# Prepare VMs for mirroring{f' (owner: {one_line(owner)})' if owner else ''}.", f"# {SYNTAX_ONLY}"]
    lines += ["# Each VM is down from its deallocate until its start. vtapweb sees by itself that it was done.", "set -euo pipefail", ""]
    for name, arm_id in vms:
        lines += [f"# {one_line(name)}", f"az vm deallocate --ids={word(arm_id)}", f"az vm start --ids={word(arm_id)}", ""]
    return "\n".join(lines)
