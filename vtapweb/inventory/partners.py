"""Partner products that can receive mirrored traffic: gathered from public documentation, nothing of it checked against a live marketplace.

Only names them and tells where to read on. Whether a VM *is* a collector follows from a TAP's destination, never from this table.
"""

import json
from functools import cache
from pathlib import Path

from vtapweb.domain.partners import Health, Partner, Recognition

DATA = Path(__file__).parent / "data" / "partners.json"


@cache
def partners() -> tuple[Partner, ...]:
    """All partner products, those in Azure's list first, by name. Read once a process."""
    rows = json.loads(DATA.read_text(encoding="utf-8"))
    found = [
        Partner(
            **{
                **row,
                "recognition": tuple(Recognition(**one) for one in row["recognition"]),
                "health": Health(**row["health"]) if row["health"] else None,
            }
        )
        for row in rows
    ]
    return tuple(sorted(found, key=lambda one: (not one.is_listed, one.name.lower())))
