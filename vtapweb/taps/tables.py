"""What Azure announces of the preview, kept as data beside the code: change data/preview.json when the announcement changes."""

import json
import re
from functools import cache
from pathlib import Path

from vtapweb.domain.tap_rules.facts import Tables

DATA = Path(__file__).parent / "data" / "preview.json"


@cache
def preview_tables() -> Tables:
    """Regions of the preview and VM sizes that cannot be a source. Read once a process."""
    told = json.loads(DATA.read_text(encoding="utf-8"))
    return Tables(frozenset(told["regions"]), frozenset(told["coming_regions"]), re.compile(told["unsupported_size"], re.IGNORECASE))
