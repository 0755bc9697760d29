"""Random histories of an Azure and of its failures: the inventory is what a model of the rules says, and nothing is wrongly removed."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TransactionTestCase

from tests.inventory.azure import SUBSCRIPTION, Fails, SmallAzure, nic
from tests.inventory.syncing import sync
from vtapweb.cloud.port import Failure, ReadKind
from vtapweb.domain.absence import Verdict, removal_verdict
from vtapweb.inventory.models import IpConfiguration, NetworkInterface, RemovalHold, ResourceChange

NICS = ReadKind.NETWORK_INTERFACES
NAMES = [f"n{number:02}" for number in range(34)]

estates = st.dictionaries(st.sampled_from(NAMES), st.integers(4, 6), max_size=len(NAMES)) | st.integers(0, len(NAMES)).map(
    lambda count: dict.fromkeys(NAMES[:count], 4)
)
failures = st.none() | st.builds(Fails, st.sampled_from([Failure.SERVER, Failure.THROTTLED, Failure.FORBIDDEN]), st.integers(0, 4))
steps = st.lists(st.tuples(estates, failures, st.integers(1, 12)), min_size=1, max_size=5)


class SyncFollowsItsModel(TransactionTestCase):
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(steps)
    def test_history(self, history: list[tuple[dict[str, int], Fails | None, int]]) -> None:
        """The model: what came is stored; what a complete list lacks goes, unless it is too much to be believed."""
        model: dict[str, int] = {}
        with self.settings(REDIS_URL=""):
            for estate, fails, page_size in history:
                items = list(estate.items())
                pages = max(-(-len(items) // page_size), 1)
                read = items if fails is None else items[: min(fails.after_pages, pages) * page_size]
                azure = SmallAzure(page_size=page_size)
                azure.put(NICS, *(nic(name, address=f"10.0.1.{last}") for name, last in items))
                if fails is not None:
                    azure.fails[NICS, SUBSCRIPTION] = fails
                run = sync(azure)
                missing = model.keys() - estate.keys()
                verdict = removal_verdict(is_complete=fails is None, present_count=len(model), missing_count=len(missing))
                assert run.state == ("partial" if fails is not None or verdict is Verdict.HOLD else "complete")
                if verdict is Verdict.REMOVE:
                    model = {name: last for name, last in model.items() if name in estate}
                model |= dict(read)
                self._check(model, is_held=verdict is Verdict.HOLD)

    def _check(self, model: dict[str, int], *, is_held: bool) -> None:
        present = NetworkInterface.objects.filter(removed_at=None)
        assert dict(present.values_list("name", "private_ips")) == {name: [f"10.0.1.{last}"] for name, last in model.items()}
        children = IpConfiguration.objects.filter(removed_at=None)
        assert dict(children.values_list("network_interface__name", "private_ip_address")) == {name: f"10.0.1.{last}" for name, last in model.items()}
        if is_held:
            assert RemovalHold.objects.filter(state="open").count() == 1
        told: dict[str, str] = {}
        for change in ResourceChange.objects.filter(kind="nics").order_by("pk"):
            assert (change.action == "added") == (told.get(change.name, "removed") == "removed"), "added once, then changed or removed"
            told[change.name] = change.action
        assert {name for name, action in told.items() if action != "removed"} == model.keys()
