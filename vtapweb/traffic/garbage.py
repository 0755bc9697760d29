"""How often Python looks for cycles of garbage, in the processes through which every sample passes.

A thousand requests that are under way at once, or fifty thousand sources, look like garbage that grows: with Python's own thresholds all objects of
the process are walked over again and again, and nothing else is done meanwhile. What the process began with is never garbage, and what passes through
goes by reference counts; cycles come of exceptions and of Django's pages, and may lie for a while.
"""

import gc
from typing import Final

# Of a thousand requests at once: eighty objects each, measured beside `bin/bench ingest`. Garbage of Django's pages comes to some 10 MB until then.
THRESHOLDS: Final = (100_000, 20, 20)  # objects more than before; looks at the young ones for one at the older; those for one at all


def settle() -> None:
    """Call once when a process has imported and built what it keeps."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
