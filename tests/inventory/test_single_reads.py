"""A resource read by itself around a write: stored at once, told in the feed, and not undone by a sync that asked before."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from tests.inventory.azure import OTHER, SUBSCRIPTION, SmallAzure, document, network_id, nic
from tests.inventory.pages import signed_in
from tests.inventory.syncing import state_of, sync
from vtapweb.access.models import User
from vtapweb.cloud import parsing
from vtapweb.cloud.port import ReadKind
from vtapweb.cloud.types import NetworkInterface as NetworkInterfaceRead
from vtapweb.cloud.types import NotUnderstood
from vtapweb.cloud.types import VirtualNetworkTap as VirtualNetworkTapRead
from vtapweb.inventory.actions import removal_confirm, resource_store_read
from vtapweb.inventory.models import NetworkInterface, RemovalHold, ResourceChange, SyncRun, TapConfiguration, VirtualNetworkTap

pytestmark = pytest.mark.django_db(transaction=True)

NICS, TAPS = ReadKind.NETWORK_INTERFACES, ReadKind.VIRTUAL_NETWORK_TAPS
NIC_A = network_id("networkInterfaces", "a")
TAP_T = network_id("virtualNetworkTaps", "t")


def tap(name: str = "t", **given: Any) -> dict[str, Any]:
    return document(network_id("virtualNetworkTaps", name), destinationPort=4789, **given)


def read_of(found: dict[str, Any] | None) -> NetworkInterfaceRead | VirtualNetworkTapRead | None:
    """What the port makes of a single document."""
    if found is None:
        return None
    reader: Any = parsing.NETWORK_INTERFACES if "networkInterfaces" in found["id"] else parsing.VIRTUAL_NETWORK_TAPS
    item = reader.read(json.dumps(found, indent=1).encode())  # other bytes than a list's
    assert not isinstance(item, NotUnderstood)
    return item  # type: ignore[no-any-return] # one of the two


def store(found: dict[str, Any] | None, *, arm_id: str = NIC_A, at: datetime | None = None, subscription_id: str = SUBSCRIPTION) -> bool:
    return resource_store_read(document=read_of(found), arm_id=arm_id, subscription_id=subscription_id, read_at=at or timezone.now())


def azure_of(*nics: dict[str, Any], taps: tuple[dict[str, Any], ...] = ()) -> SmallAzure:
    azure = SmallAzure()
    azure.put(NICS, *nics)
    azure.put(TAPS, *taps)
    return azure


def mirrors() -> list[tuple[str, str]]:
    """(NIC, TAP) of every TAP configuration that is there."""
    found = TapConfiguration.objects.filter(removed_at=None).order_by("key")
    return [(one.network_interface.name, one.virtual_network_tap_id.rsplit("/", 1)[-1]) for one in found.select_related("network_interface")]


def changes() -> list[tuple[str, str, str, bool]]:
    found = ResourceChange.objects.order_by("pk").values_list("kind", "name", "action", "run_id")
    return [(kind, name, action, run_id is None) for kind, name, action, run_id in found]


def test_a_read_is_stored_with_its_children_and_told() -> None:
    sync(azure_of(nic("a"), nic("b")))
    ResourceChange.objects.all().delete()
    assert store(nic("a", tap="t"))
    assert mirrors() == [("a", "t")]
    assert NetworkInterface.objects.get(name="a").is_mirrored
    assert ("tap-configurations", "mirror", "added", True) in changes()
    assert set(ResourceChange.objects.values_list("origin", flat=True)) == {"verify"}
    assert store(nic("a"))
    assert mirrors() == []
    assert changes()[-1] == ("tap-configurations", "mirror", "removed", True)
    before = len(changes())
    assert store(nic("a"))
    assert len(changes()) == before


def test_a_tap_comes_and_goes_by_single_reads() -> None:
    sync(azure_of(nic("a")))
    assert store(tap(), arm_id=TAP_T.upper().replace("/SUBSCRIPTIONS", "/subscriptions"))
    assert VirtualNetworkTap.objects.get().removed_at is None
    assert store(None, arm_id=TAP_T)
    assert VirtualNetworkTap.objects.get().removed_at is not None
    assert store(None, arm_id=TAP_T)
    assert [action for kind, _, action, _ in changes() if kind == "taps"] == ["added", "removed"]


def test_an_older_answer_does_not_replace_a_newer_one() -> None:
    sync(azure_of(nic("a")))
    now = timezone.now()
    assert store(nic("a", tap="t"), at=now)
    assert not store(nic("a"), at=now - timedelta(seconds=1))
    assert mirrors() == [("a", "t")]


@pytest.mark.parametrize(
    ("arm_id", "subscription_id", "found"),
    [
        (network_id("virtualNetworks", "hub"), SUBSCRIPTION, None),
        (NIC_A, OTHER, None),
        (NIC_A, SUBSCRIPTION, nic("b")),
        (f"{NIC_A}/tapConfigurations/mirror", SUBSCRIPTION, None),
        ("", SUBSCRIPTION, None),
    ],
)
def test_what_is_not_what_was_asked_for_is_refused(arm_id: str, subscription_id: str, found: dict[str, Any] | None) -> None:
    sync(azure_of(nic("a")))
    with pytest.raises(ValueError, match=r"neither a NIC nor|is not what was read"):
        store(found, arm_id=arm_id, subscription_id=subscription_id)


def test_a_subscription_that_nobody_listed_is_not_stored() -> None:
    sync(azure_of(nic("a")))
    there = network_id("networkInterfaces", "x", OTHER)
    assert not store(nic("x", subscription_id=OTHER), arm_id=there, subscription_id=OTHER)
    assert not NetworkInterface.objects.filter(name="x").exists()


def during_the_page(azure: SmallAzure, kind: ReadKind, act: Callable[[], object], number: int = 0) -> SyncRun:
    """A sync in which `act` happens after a page was asked for and before it comes."""

    def on_page(read: ReadKind, page: int) -> None:
        if (read, page) == (kind, number):
            act()

    azure.on_page = on_page
    run = sync(azure)
    azure.on_page = None
    return run


def test_a_page_asked_for_before_does_not_undo_a_new_mirror() -> None:
    azure = azure_of(nic("a"), nic("b"))
    sync(azure)
    azure.put(NICS, nic("a", tags={"news": "1"}), nic("b", tags={"news": "1"}))  # documents that differ: both would be written
    during_the_page(azure, NICS, lambda: store(nic("a", tap="t")))
    assert mirrors() == [("a", "t")]
    assert NetworkInterface.objects.get(name="b").tags == {"news": "1"}
    assert (state_of(NICS).status, state_of(NICS).sent_count) == ("complete", 2)
    azure.put(NICS, nic("a"), nic("b"))
    sync(azure)  # asked for afterwards, so it counts
    assert mirrors() == []


def test_a_page_asked_for_before_does_not_undo_an_untap() -> None:
    azure = azure_of(nic("a", tap="t"), nic("b"))
    sync(azure)
    azure.put(NICS, nic("a", tap="t", tags={"news": "1"}), nic("b"))
    during_the_page(azure, NICS, lambda: store(nic("a")))
    assert mirrors() == []


def test_a_tap_that_was_made_or_deleted_meanwhile_stays_so() -> None:
    azure = azure_of(nic("a"), taps=(tap("old"),))
    sync(azure)
    azure.put(TAPS, tap("old", tags={"news": "1"}))
    old = network_id("virtualNetworkTaps", "old")

    def made_and_deleted() -> None:
        store(tap(), arm_id=TAP_T)
        store(None, arm_id=old)

    during_the_page(azure, TAPS, made_and_deleted)
    assert {one.name: one.removed_at is None for one in VirtualNetworkTap.objects.all()} == {"t": True, "old": False}
    told = [(name, action) for kind, name, action, _ in changes() if kind == "taps"]
    assert told == [("old", "added"), ("t", "added"), ("old", "removed")]


def test_what_a_list_lacks_is_not_gone_when_it_was_read_since() -> None:
    azure = azure_of(nic("a", tap="t"), nic("b"), taps=(tap(),))
    sync(azure)
    azure.put(NICS, nic("b"))
    azure.put(TAPS)

    def read_again() -> None:
        store(nic("a", tap="t"))
        store(tap(), arm_id=TAP_T)

    azure.on_page = lambda kind, _page: read_again() if kind in {NICS, TAPS} else None
    sync(azure)
    assert mirrors() == [("a", "t")]
    assert VirtualNetworkTap.objects.get().removed_at is None
    azure.on_page = None
    sync(azure)
    assert NetworkInterface.objects.get(name="a").removed_at is not None
    assert VirtualNetworkTap.objects.get().removed_at is not None


@pytest.mark.parametrize("batch_rows", [1, 1_000])
def test_a_mirror_that_a_page_lacked_and_a_later_read_saw_is_there(monkeypatch: pytest.MonkeyPatch, batch_rows: int) -> None:
    """Also where what the page lacked was written down before the read."""
    monkeypatch.setattr("vtapweb.inventory.sync.BATCH_ROWS", batch_rows)
    azure = azure_of(nic("a", tap="t"), *(nic(name) for name in "bcde"))
    sync(azure)
    azure.put(NICS, nic("a"), *(nic(name, tags={"news": "1"}) for name in "bcde"))
    during_the_page(azure, NICS, lambda: store(nic("a", tap="t")), number=1)  # after the page that says otherwise
    assert mirrors() == [("a", "t")]


def test_a_resource_seen_first_by_itself_is_added_once() -> None:
    azure = azure_of(nic("b"))
    sync(azure)
    azure.put(NICS, *(nic(name) for name in "bcde"), nic("a"))
    during_the_page(azure, NICS, lambda: store(nic("a", address="10.0.1.9")))  # "a" is on the next page, asked for afterwards
    assert [action for kind, name, action, _ in changes() if (kind, name) == ("nics", "a")] == ["added", "changed"]
    assert NetworkInterface.objects.get(name="a").private_ips == ["10.0.1.4"]


def test_a_confirmed_removal_spares_what_was_read_since() -> None:
    names = [f"n{number:02}" for number in range(25)]
    azure = azure_of(*(nic(name) for name in names))
    sync(azure)
    azure.put(NICS)
    sync(azure)
    hold = RemovalHold.objects.get()
    assert hold.missing_count == 25
    assert store(nic("n03"), arm_id=network_id("networkInterfaces", "n03"))
    removal_confirm(hold=hold, acting_user=User.objects.create(username="ada", role="admin"))
    assert list(NetworkInterface.objects.filter(removed_at=None).values_list("name", flat=True)) == ["n03"]


def test_the_feed_says_that_a_change_was_seen_by_a_single_read() -> None:
    sync(azure_of(nic("a")))
    store(nic("a", tap="t"))
    client = signed_in()
    assert "Read again around a change" in client.get("/feed").content.decode()
    key = TapConfiguration.objects.get().key
    assert "read again around a change" in client.get(f"/tap-configurations/{key}").content.decode()


@pytest.mark.parametrize("number", range(6))
def test_whoever_comes_first_the_newer_read_stays(number: int) -> None:
    """On PostgreSQL the single read's transaction runs beside the sync's; on SQLite, where writers take turns, before or after it."""
    azure = azure_of(nic("a"), nic("b"))
    sync(azure)
    azure.put(NICS, nic("a", tags={"news": "1"}), nic("b"))
    threads: list[Thread] = []

    def beside() -> None:
        read_at = timezone.now()

        def work() -> None:
            try:
                store(nic("a", tap="t"), at=read_at)
            finally:
                connection.close()

        threads.append(Thread(target=work))
        if connection.vendor == "postgresql":
            threads[0].start()
        elif number % 2:
            store(nic("a", tap="t"), at=read_at)

    during_the_page(azure, NICS, beside)
    if connection.vendor == "postgresql":
        threads[0].join()
    elif not number % 2:
        store(nic("a", tap="t"))
    assert mirrors() == [("a", "t")]
    sync(azure)
    assert mirrors() == []
