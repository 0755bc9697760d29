"""All writes of the inventory: `runs` (start, cancel, reap), `work` (what a worker does), `removals`, `single`, `installation`."""

from vtapweb.inventory.actions.installation import BoundElsewhereError, installation_bind
from vtapweb.inventory.actions.removals import RemovalHoldError, removal_confirm, removal_dismiss
from vtapweb.inventory.actions.runs import sync_cancel, sync_reap, sync_schedule, sync_start
from vtapweb.inventory.actions.single import resource_store_read
from vtapweb.inventory.actions.work import subscription_sync_perform, sync_run_in_foreground, sync_run_perform

__all__ = [
    "BoundElsewhereError",
    "RemovalHoldError",
    "installation_bind",
    "removal_confirm",
    "removal_dismiss",
    "resource_store_read",
    "subscription_sync_perform",
    "sync_cancel",
    "sync_reap",
    "sync_run_in_foreground",
    "sync_run_perform",
    "sync_schedule",
    "sync_start",
]
