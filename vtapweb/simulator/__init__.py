"""An ARM-compatible Azure to run vtapweb against: invented estates, ARM's shapes, faults on demand.

Rule 1: it is written from Azure's documentation by itself and imports nothing of vtapweb, so that an agreement between the two means
something. Rule 2: nobody imports it; it is its own process (`python -m vtapweb.simulator`), or runs in process inside tests.
"""
