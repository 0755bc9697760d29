"""How the tests run a sync: the whole way through a run, against a small Azure."""

from tests.inventory.azure import SmallAzure
from vtapweb.inventory.actions import sync_run_in_foreground
from vtapweb.inventory.models import KindState, SyncRun


def sync(azure: SmallAzure, *subscription_ids: str) -> SyncRun:
    """One finished run."""

    def no_waiting(_seconds: float) -> None:
        raise AssertionError("nothing else works on this run, so there is nothing to wait for")

    return sync_run_in_foreground(subscription_ids=list(subscription_ids) or None, actor="the test", opener=lambda: azure, wait=no_waiting)


def state_of(kind: str, subscription_id: str = "5a000000-0000-0000-0000-000000000001") -> KindState:
    return KindState.objects.get(subscription_id=subscription_id, kind=kind)
