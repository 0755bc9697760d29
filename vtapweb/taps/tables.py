"""What Azure announces of the preview, kept as data beside the code (change data/preview.json when it changes), and the limits as set."""

import json
import re
from functools import cache
from pathlib import Path

from django.conf import settings

from vtapweb.domain.tap_rules.facts import LimitFacts, Tables

DATA = Path(__file__).parent / "data" / "preview.json"


@cache
def preview_tables() -> Tables:
    """Regions of the preview and VM sizes that cannot be a source. Read once a process."""
    told = json.loads(DATA.read_text(encoding="utf-8"))
    return Tables(frozenset(told["regions"]), frozenset(told["coming_regions"]), re.compile(told["unsupported_size"], re.IGNORECASE))


def limits(adding: int = 1) -> LimitFacts:
    """The limits of the settings (docs/settings.md), none verified at Azure; a limit of 0 for a subscription is none."""
    return LimitFacts(
        taps_per_region=settings.LIMIT_TAPS_PER_REGION,
        configurations_per_tap=settings.LIMIT_CONFIGURATIONS_PER_TAP,
        configurations_per_subscription=settings.LIMIT_CONFIGURATIONS_PER_SUBSCRIPTION or None,
        adding=adding,
    )
