"""Table pages and CSV: what is shown, filtered, counted and escaped; queries do not grow with rows."""

import csv
import io
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.inventory.factories import NOW, SUBSCRIPTION, make_estate, make_kind_state, make_nic, make_subnet, make_subscription, make_vnet
from tests.inventory.pages import queries_of, signed_in
from vtapweb.access.models import AuditEntry
from vtapweb.inventory.kinds import LABELS
from vtapweb.inventory.models import KindState, NetworkInterface, VirtualNetworkPeering

pytestmark = pytest.mark.django_db
OTHER = "5a000000-0000-0000-0000-000000000002"


def text(client: Client, address: str, **headers: str) -> str:
    response = client.get(address, headers=headers)
    assert response.status_code == 200, (address, response.status_code)
    return response.content.decode()


@pytest.mark.parametrize("slug", LABELS)
def test_every_kind_has_its_table_empty_and_filled(slug: str) -> None:
    client = signed_in()
    assert 'data-test="empty"' in text(client, f"/table/{slug}")
    make_estate()
    page = text(client, f"/table/{slug}")
    if slug in ("subscriptions", "vnets", "subnets", "nics", "peerings", "virtual-machines", "taps", "tap-configurations"):
        assert 'data-test="table"' in page


@pytest.mark.parametrize("slug", LABELS)
def test_queries_do_not_grow_with_rows(slug: str) -> None:
    client = signed_in()
    make_estate(nics=2, mirrored=1)
    client.get(f"/table/{slug}")
    few = queries_of(lambda: client.get(f"/table/{slug}"))
    make_estate(subscription_id=OTHER, nics=30, mirrored=9)
    many = queries_of(lambda: client.get(f"/table/{slug}"))
    assert few == many
    assert many <= 40


def test_filters_narrow_and_the_counts_say_so() -> None:
    client = signed_in()
    estate = make_estate(nics=4, mirrored=1)
    for address, shown, hidden in [
        ("/table/nics?mirrored=yes", "app-01-nic", "app-02-nic"),
        ("/table/nics?q=APP-02", "app-02-nic", "app-01-nic"),
        ("/table/nics?q=10.1.1.5", "app-02-nic", "app-01-nic"),
        ("/table/nics?q=10.0.0.0/16", "nic-packetlog", "app-01-nic"),
        ("/table/nics?q=000d.3a00.0103", "app-03-nic", "app-01-nic"),
        (f"/table/nics?vnet={estate.hub.key}", "nic-packetlog", "app-01-nic"),
        ("/table/nics?vnet=hub", "nic-packetlog", "app-01-nic"),
        (f"/table/nics?select={estate.nics[2].key}", "app-03-nic", "app-01-nic"),
        ("/table/vnets?q=spo", "spoke", ">hub<"),
    ]:
        page = text(client, address, **{"HX-Request": "true"})
        assert shown in page, address
        assert f">{hidden}</a>" not in page, address
    assert "1–1 of 1 shown, of 5 in all" in text(client, "/table/nics?mirrored=yes")


def test_tag_region_state_and_subscription_filters() -> None:
    client = signed_in()
    make_vnet("alpha", tags={"env": "prod", "cost__centre": "7", "2026": "x"}, location="uksouth")
    make_vnet("beta", tags={"env": "test"}, location="germanywestcentral", provisioning_state="Failed")
    make_subscription()
    for query, shown, hidden in [
        ("tag=env:prod", "alpha", "beta"),
        ("tag=cost__centre:7", "alpha", "beta"),
        ("tag=cost__centre", "alpha", "beta"),
        ("tag=2026", "alpha", "beta"),
        ("tag=2026:x", "alpha", "beta"),
        ("region=Germany West Central", "beta", "alpha"),
        ("state=failed", "beta", "alpha"),
    ]:
        page = text(client, f"/table/vnets?{query}")
        assert f">{shown}</a>" in page, query
        assert f">{hidden}</a>" not in page, query
    assert 'data-test="empty"' in text(client, f"/table/vnets?subscription={OTHER}")
    assert ">alpha</a>" in text(client, "/table/vnets?subscription=corp-net")


def test_sorting_and_paging_show_every_row_once() -> None:
    client = signed_in()
    subnet = make_subnet()
    for number in range(60):
        make_nic(f"nic-{number:03d}", subnet=subnet, address=f"10.0.1.{number + 4}", vm=None)
    seen = []
    for page in (1, 2):
        body = text(client, f"/table/nics?size=50&sort=-name&page={page}", **{"HX-Request": "true"})
        seen += [name for name in (f"nic-{n:03d}" for n in range(59, -1, -1)) if f">{name}</a>" in body]
    assert seen == [f"nic-{n:03d}" for n in range(59, -1, -1)]
    assert 'aria-sort="descending"' in body
    assert "51–60 of 60 shown" in body


def test_hostile_names_are_shown_not_obeyed() -> None:
    client = signed_in()
    make_nic('<script>alert(1)</script>"\u202ecod', vm=None, tags={"<b>": "\u202ex"})
    for address in ("/table/nics", f"/nics/{NetworkInterface.objects.get().key}"):
        page = text(client, address)
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert "⟨U+202E⟩cod" in page


def test_other_subscriptions_do_not_show_not_even_in_counts() -> None:
    make_estate(subscription_id=SUBSCRIPTION)
    make_estate(subscription_id=OTHER, nics=7)
    client = signed_in(only=(SUBSCRIPTION,))
    page = text(client, "/table/nics")
    assert OTHER not in page
    assert "1–5 of 5 shown" in page


def test_what_is_not_the_whole_truth_says_so() -> None:
    client = signed_in()
    estate = make_estate()
    KindState.objects.filter(kind="network_interfaces").update(status="partial", code="TooManyRequests", last_complete_at=NOW - timedelta(hours=1))
    page = text(client, "/table/nics")
    assert "were read only in part" in page
    assert "TooManyRequests" in page
    assert "is-stale" in page
    assert "were read only in part" not in text(client, "/table/vnets")
    make_kind_state("load_balancers_x", subscription=estate.subscription, status="failed")
    KindState.objects.filter(kind="network_interfaces").update(status="complete", not_understood_count=2)
    assert "could not be understood" in text(client, "/table/nics")


def test_a_peering_is_not_shown_healthy_while_its_other_side_is_not() -> None:
    make_estate()
    client = signed_in()
    assert "Other side" not in text(client, "/table/peerings")
    VirtualNetworkPeering.objects.filter(name="to-spoke").update(peering_state="Disconnected")
    assert "Other side Disconnected" in text(client, "/table/peerings")
    VirtualNetworkPeering.objects.filter(name="to-spoke").update(removed_at=NOW + timedelta(days=1))
    assert "No peering back" in text(client, "/table/peerings")


def test_removed_rows_only_on_request() -> None:
    client = signed_in()
    nic = make_nic("gone-nic", vm=None, removed_at=NOW + timedelta(days=1), last_seen_at=NOW)
    assert "gone-nic" not in text(client, "/table/nics")
    assert "gone-nic" in text(client, "/table/nics?removed=true")
    assert "Gone since" in text(client, f"/nics/{nic.key}")


def test_htmx_gets_the_part_and_a_restored_history_the_whole_page() -> None:
    client = signed_in()
    assert "<html" not in text(client, "/table/nics", **{"HX-Request": "true"})
    assert "<html" in text(client, "/table/nics", **{"HX-Request": "true", "HX-History-Restore-Request": "true"})


def test_csv_is_streamed_whole_safe_marked_and_audited(settings: Settings) -> None:
    settings.CLOUD = "simulator"
    estate = make_estate(nics=3)
    make_nic("=cmd|' calc'!A0", subnet=make_subnet("apps2", vnet=estate.hub), address="10.0.9.9", vm=None)
    response = signed_in().get("/table/nics.csv?q=nic")
    assert response.status_code == 200
    assert "DEMO-nics" in response.headers["Content-Disposition"]
    body = response.getvalue().decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(body)))
    assert rows[0][0] == "Name"
    assert {row[0] for row in rows[1:]} == {"app-01-nic", "app-02-nic", "app-03-nic", "nic-packetlog"}
    assert {row[-1] for row in rows[1:]} == {"DEMO (simulated Azure)"}
    assert "'=cmd" in signed_in().get("/table/nics.csv").getvalue().decode()
    entry = AuditEntry.objects.filter(action="access.exported").first()
    assert entry is not None
    assert entry.target == "nics"
    assert ",4789," in signed_in().get("/table/taps.csv").getvalue().decode()  # not "4,789": numbers stay numbers


def test_unknown_kind_is_404() -> None:
    client = signed_in()
    assert client.get("/table/unicorns").status_code == 404
    assert client.get("/table/unicorns.csv").status_code == 404


def test_subscriptions_that_failed_alike_are_one_notice() -> None:
    for number in range(5):
        subscription = make_subscription(f"5c000000-0000-0000-0000-00000000000{number}", name=f"sub-{number}")
        code = "ServiceUnavailable" if number else "Other"
        make_kind_state("network_interfaces", subscription=subscription, status="failed", failure="server", code=code)
    page = text(signed_in(), "/table/nics")
    assert page.count("could not be read (") == 2
    assert "<b>sub-1, sub-2 and 2 more</b>" in page
