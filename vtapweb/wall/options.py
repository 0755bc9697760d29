"""What each kind of view may pick out of the estate. Pure."""

import math
import re
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

from vtapweb.wall.models import ViewKind

KEY = re.compile(r"[a-z2-7]{26}")
LARGEST = 2**53


def options_checked(kind: ViewKind, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as they are kept: {"x","y","k"} or {"node"} and "unit" for a map, {"collector"} for one collector (needed) and for top sources,
    {"number"} for alarms, else nothing. Raises ValidationError for any other."""
    known = {
        ViewKind.MAP: {"x", "y", "k", "node", "unit"}, ViewKind.COLLECTOR: {"collector", "unit"}, ViewKind.SOURCES: {"collector", "unit"},
        ViewKind.ALARMS: {"number"}, ViewKind.OVERVIEW: {"unit"},
    }[kind]  # fmt: skip
    if unknown := sorted(options.keys() - known):
        raise ValidationError(f"{kind.label} has no option {', '.join(unknown)}.")
    wrong = [name for name, value in options.items() if not _fits(name, value)]
    if len({"x", "y", "k"} & options.keys()) not in {0, 3}:
        wrong.append("x, y, k")
    if wrong:
        raise ValidationError(f"Not a value of {', '.join(wrong)}.")
    if kind == ViewKind.COLLECTOR and "collector" not in options:
        raise ValidationError("Name the collector.")
    return dict(options)


def _fits(name: str, value: object) -> bool:
    if name == "unit":
        return value in ("bits", "packets")
    if name == "collector":
        return isinstance(value, str) and KEY.fullmatch(value) is not None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > LARGEST:
        return False
    if name in ("node", "number"):
        return isinstance(value, int) and value > 0
    return value > 0 if name == "k" else True
