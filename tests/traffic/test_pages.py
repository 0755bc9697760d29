"""The pages of collectors: state in glyph and words, rates with unit and age, what is not known said as such; nothing of another scope."""

import html
import re
import time
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from tests.inventory.factories import SUBSCRIPTION, make_nic, make_subnet, make_tap, make_vnet
from tests.taps.people import person
from tests.traffic.estate import OTHER, Pool, make_pool
from tests.traffic.played_ring import member_now, source_now, tell_collector
from tests.valkey import Valkey
from vtapweb.access.role import Role
from vtapweb.inventory.models import Subnet, TapConfiguration
from vtapweb.traffic import pages
from vtapweb.traffic.models import Alarm, CollectorAssignment
from vtapweb.traffic.samples import Origin
from vtapweb.traffic.store import store
from vtapweb.traffic.words import beyond_words, rate_words, share_words

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

SLOW_S = 60.0  # an interval with which what was played is not stale before a busy machine has drawn the page


def signed_in(client: Client, role: Role = Role.VIEWER, *subscription_ids: str) -> Client:
    client.force_login(person(role, name=f"{role.value}-{len(subscription_ids)}-{'-'.join(subscription_ids)[:2]}", subscription_ids=subscription_ids))
    return client


def page(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status
    return answer.content.decode()


def play(pool: Pool, *, is_slow: bool = False) -> None:
    now_ms = int(time.time() * 1000)
    members = [
        member_now(member=f"m-{nic.name}", nic_key=nic.key, interval_s=SLOW_S, arrived_ms=now_ms, measured_ms=now_ms, inner_bits_per_s=4e6)
        for nic in pool.members
    ]
    if is_slow:
        members = [member_now(origin=Origin.AZURE_MONITOR, interval_s=60.0, lag_s=95.0, arrived_ms=now_ms, measured_ms=now_ms - 95_000)]
    sources = [
        source_now(pool.source.key, tap_configuration_key=pool.mirror, first_ms=now_ms - 60_000, last_ms=now_ms, address="10.0.1.80"),
        source_now("", first_ms=now_ms, last_ms=now_ms, address="10.9.9.9"),
    ]
    rates = {"inner_bits_per_s": 8.74e9, "wire_bits_per_s": 9e9, "wire_bits_per_s_5s": 9e9, "packets_per_s": 12_400.0, "drops_per_s": 2.0}
    tell_collector(store(), pool.key, *members, at_ms=now_ms, sources=None if is_slow else sources, **rates, is_estimate=is_slow)


def test_rates_have_three_figures_and_a_unit() -> None:
    assert [rate_words(value) for value in (8.74e9, 999.4, 999.6, 12.3, 0, None, float("nan"))] == [
        "8.74 Gb/s", "999 b/s", "1.00 kb/s", "12 b/s", "0 b/s", "—", "—",
    ]  # fmt: skip
    assert rate_words(12_400, "packets") == "12.4 k pkt/s"
    assert (share_words(0.874), share_words(None)) == ("87 %", "not evaluated")
    assert (share_words(0.0003), share_words(0.0)) == ("<1 %", "0 %")


@pytest.mark.both_databases
def test_the_list_says_what_each_is_and_since_when(client: Client, valkey: Valkey) -> None:
    signed_in(client)
    assert "No collector yet" in page(client, "/collectors")
    pool = make_pool()
    silent = page(client, "/collectors")
    assert "no live numbers yet" in silent
    assert "nothing has reported" in silent
    play(pool)
    shown = page(client, "/collectors")
    for words in ("ilb-collector", "8.74 Gb/s", "12.4 k pkt/s", "2 pkt/s", "s old", "2 of 2 members report", "36 %", "agent on the collector"):
        assert words in shown, words
    assert "1–1 of 1 collectors" in page(client, "/collectors?part")
    assert "Nothing fits" in page(client, "/collectors?q=nothing")
    assert 'aria-current="page" data-test="nav-collector"' in shown


@pytest.mark.both_databases
def test_a_collector_with_its_members_sources_and_alarms(client: Client, valkey: Valkey) -> None:
    pool = make_pool()
    play(pool)
    Alarm.objects.create(
        number=117, cause_key="x", severity="alarm", subject_kind="collector", collector_key=pool.key, title="drops packets", sentence="It drops.",
        subject_subscription_ids=[SUBSCRIPTION], opened_at="2026-11-20T12:00:00Z", changed_at="2026-11-20T12:00:00Z",
    )  # fmt: skip
    shown = page(signed_in(client), f"/collectors/{pool.key}")
    for words in (
        "8.74 Gb/s",
        "tool-0-nic",
        "tool-1-nic",
        "web-01-nic",
        "10.9.9.9",
        "no NIC has this address",
        "A-117",
        "drops packets",
        "lost by the collector",
    ):
        assert words in shown, words
    assert f'data-chart="/api/v1/collectors/{pool.key}/series"' in shown
    assert "an admin says what a collector takes" in shown
    part = page(client, f"/collectors/{pool.key}?part")
    assert "tool-0-nic" in part
    assert "<html" not in part
    assert 'id="collector-below" hx-swap-oob="true"' in part


def test_sources_that_are_not_told_apart_are_counted(client: Client, valkey: Valkey) -> None:
    signed_in(client)
    pool = make_pool()
    play(pool)
    path = f"/collectors/{pool.key}"
    assert 'data-test="beyond"' not in page(client, path)
    now_ms = int(time.time() * 1000)
    members = [
        member_now(member=f"m-{number}", interval_s=SLOW_S, arrived_ms=now_ms, measured_ms=now_ms, sources_beyond=600, sources_kept=10_000)
        for number in range(2)
    ]
    tell_collector(store(), pool.key, *members, at_ms=now_ms, sources=[source_now("", first_ms=now_ms, last_ms=now_ms, address="10.9.9.9")])
    words = "1,200 sources beyond 20,000 are not told apart; totals include them."
    assert words in page(client, path)
    assert words in page(client, f"{path}?part")
    assert client.get(f"/api/v1/collectors/{pool.key}").json()["sources_note"] == words
    assert beyond_words(1, 3) == "1 source beyond 3 is not told apart; totals include it."


def test_what_cannot_be_seen_is_said(client: Client, valkey: Valkey) -> None:
    pool = make_pool()
    signed_in(client)
    assert "No numbers yet" in page(client, f"/collectors/{pool.key}")
    play(pool, is_slow=True)
    slow = page(client, f"/collectors/{pool.key}")
    assert "Rates of single sources are not available here" in slow
    assert "Azure Monitor, every 1 min, 1 min 35 s late, an estimate" in slow
    old = int(time.time() * 1000) - 60_000
    tell_collector(store(), pool.key, member_now(arrived_ms=old, measured_ms=old), inner_bits_per_s=5e6)
    stale = page(client, f"/collectors/{pool.key}")
    assert "No report since" in stale
    assert "5.00 Mb/s" not in stale.split('data-test="members"')[0]
    page(client, f"/collectors/{'a' * 26}", 404)


def test_what_is_lost_is_told_only_where_something_counts_it(client: Client, valkey: Valkey) -> None:
    pool = make_pool()
    now_ms = int(time.time() * 1000)
    first, second = pool.members
    members = [
        member_now(member="a", nic_key=first.key, arrived_ms=now_ms, measured_ms=now_ms, drops_per_s={"rx_dropped": 2.0, "udp_no_ports": 7000.0}),
        member_now(member="b", nic_key=second.key, arrived_ms=now_ms, measured_ms=now_ms, drops_per_s={"udp_no_ports": 7000.0}),
    ]
    tell_collector(store(), pool.key, *members, packets_per_s=1.0)
    rows = page(signed_in(client), f"/collectors/{pool.key}").split('data-test="member"')[1:]
    assert ["2 pkt/s" in row for row in rows] == [True, False]
    assert "7.00 k" not in "".join(rows)
    assert "0 pkt/s" not in rows[1]


def test_what_an_ended_meter_left_behind_is_no_rate(client: Client, valkey: Valkey) -> None:
    """Of two members one fell silent, then the meter ended: nothing of it is told as if it were so now."""
    pool = make_pool()
    now_ms = int(time.time() * 1000)
    first, second = pool.members
    silent = member_now(member="a", nic_key=first.key, arrived_ms=now_ms - 60_000)
    one = member_now(member="b", nic_key=second.key, arrived_ms=now_ms, measured_ms=now_ms, inner_bits_per_s=7e6, packets_per_s=10.0)
    source = source_now(pool.source.key, tap_configuration_key=pool.mirror, first_ms=1, last_ms=now_ms, inner_bits_per_s=6e6, packets_per_s=9.0)
    rates: dict[str, Any] = {"inner_bits_per_s": 7e6, "packets_per_s": 10.0, "members_missing": 1}
    tell_collector(store(), pool.key, silent, one, sources=[source], **rates)
    shown = page(signed_in(client), f"/collectors/{pool.key}")
    for words in ("7.00 Mb/s", "6.00 Mb/s", "1 of 2 members reports", "without 1 member that does not report"):
        assert words in shown, words
    assert client.get(f"/api/v1/collectors/{pool.key}").json()["rates"]["members_missing"] == 1
    left = member_now(member="b", nic_key=second.key, arrived_ms=now_ms - 60_000, measured_ms=now_ms, inner_bits_per_s=7e6, packets_per_s=10.0)
    tell_collector(store(), pool.key, silent, left, sources=[source], **rates)
    shown = page(client, f"/collectors/{pool.key}")
    assert "0 of 2 members" in shown
    assert "7.00 Mb/s" not in shown
    assert "6.00 Mb/s" not in shown
    told = client.get(f"/api/v1/collectors/{pool.key}").json()
    assert {told["rates"]["bits_per_s"], *(one["bits_per_s"] for one in told["members"] + told["sources"])} == {None}


def test_sources_that_may_not_be_read_are_counted(client: Client, valkey: Valkey) -> None:
    pool = make_pool()
    theirs = make_nic("theirs", subnet=make_subnet("b", vnet=make_vnet("b", subscription_id=OTHER)), address="10.8.8.8")
    now_ms = int(time.time() * 1000)
    tell_collector(
        store(), pool.key, member_now(arrived_ms=now_ms), sources=[source_now(theirs.key, first_ms=now_ms, last_ms=now_ms, address="10.8.8.8")]
    )
    shown = page(signed_in(client, Role.VIEWER, SUBSCRIPTION), f"/collectors/{pool.key}")
    assert "1 source that you may not read" in shown
    assert "10.8.8.8" not in shown
    told = client.get(f"/api/v1/collectors/{pool.key}").json()
    assert (told["sources"], told["sources_hidden"]) == ([], 1)


@pytest.mark.both_databases
def test_an_admin_says_what_it_takes_and_comes_back(client: Client, settings: Settings, valkey: Valkey) -> None:
    settings.CLOUD = "simulator"
    pool = make_pool()
    play(pool)
    shown = page(signed_in(client, Role.ADMIN), f"/collectors/{pool.key}")
    assert 'data-test="capacity-form"' in shown
    answer = client.post("/settings/collectors", {"destination_id": pool.frontend_id, "capacity": "10", "back": "collector"})
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/collectors/{pool.key}")
    assert CollectorAssignment.objects.get().capacity_bits_per_s == 10_000_000_000
    assert "90 %" in page(client, f"/collectors/{pool.key}")


@pytest.mark.both_databases
def test_a_scope_sees_that_it_is_there_and_nothing_of_what_it_measures(client: Client, valkey: Valkey) -> None:
    theirs = make_pool(OTHER)
    make_tap("tap-mine", destination_id=theirs.frontend_id, subscription_id=SUBSCRIPTION)
    play(theirs)
    signed_in(client, Role.VIEWER, SUBSCRIPTION)
    listed = page(client, "/collectors")
    assert "outside what you may see" in listed
    one = page(client, f"/collectors/{theirs.key}")
    for words in ("8.74", "tool-0-nic", "web-01-nic", "data-chart="):
        assert words not in listed + one, words
    assert "you may not read the subscription" in one


def words_of(text: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)))


def rows_of(text: str) -> list[str]:
    return re.findall(r'<tr data-test="collector" data-key="(\w+)"', text)


@pytest.mark.both_databases
def test_a_long_list_has_pages_and_its_counts_are_of_all(client: Client, valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = make_pool()
    others = [make_nic(f"tool-{number:03}-nic", subnet=Subnet.objects.first(), mac="", address=f"10.0.9.{number}") for number in range(4)]
    taps = [make_tap(f"tap-{one.name}", destination_id=f"{one.arm_id}/ipConfigurations/ipconfig1") for one in others]
    play(pool)
    signed_in(client)
    monkeypatch.setattr(pages, "ROWS_A_PAGE", 2)
    first = page(client, "/collectors")
    assert "1–2 of 5 collectors" in first
    assert re.search(r"all 5 .*no live numbers yet 4", words_of(first))
    assert 'hx-get="/collectors?part"' in first
    second = page(client, "/collectors?page=2")
    assert "3–4 of 5 collectors" in second
    assert 'hx-get="/collectors?page=2&amp;part"' in second
    third = page(client, "/collectors?page=9")  # that page is no more: the last one
    assert "5–5 of 5 collectors" in third
    assert 'data-test="next"' not in third
    keys = [*rows_of(first), *rows_of(second), *rows_of(third)]
    assert sorted(keys) == sorted([pool.key, *(one.destination_key for one in taps)])


@pytest.mark.both_databases
def test_search_and_state_stand_in_the_address_and_outlive_a_refresh(client: Client, valkey: Valkey) -> None:
    pool = make_pool()
    nic = make_nic("tool-nic", subnet=Subnet.objects.first(), mac="", address="10.0.9.9")
    tap = make_tap("tap-tool", destination_id=f"{nic.arm_id}/ipConfigurations/ipconfig1")
    play(pool)
    signed_in(client)
    none = page(client, "/collectors?state=none")
    assert rows_of(none) == [tap.destination_key]
    assert "1–1 of 1 collectors, of 2 in all" in none
    part = html.unescape(re.search(r'hx-get="(/collectors[^"]*)"', none)[1])  # type: ignore[index] # the part asks for itself
    assert part == "/collectors?state=none&part"
    assert rows_of(page(client, part)) == [tap.destination_key]
    both = page(client, "/collectors?q=ILB&state=unknown")
    assert rows_of(both) == [pool.key]
    assert "q=ILB" in both
    assert "none of that name is in that state now" in words_of(page(client, "/collectors?q=ilb&state=dropping"))
    assert rows_of(page(client, "/collectors?page=x&size=500")) == rows_of(page(client, "/collectors"))


def test_without_redis_the_list_says_that_it_cannot_read_not_that_nothing_came(client: Client, valkey: Valkey, settings: Settings) -> None:
    pool = make_pool()
    play(pool)
    signed_in(client)
    settings.REDIS_URL = ""
    listed = words_of(page(client, "/collectors"))
    assert "live numbers can’t be read" in listed
    assert "no live numbers yet" not in listed
    assert "nothing has reported" not in listed
    assert rows_of(page(client, "/collectors?state=away")) == [pool.key]


@pytest.mark.parametrize("members", [1, 12])
def test_the_number_of_queries_does_not_grow(client: Client, valkey: Valkey, django_assert_num_queries: DjangoAssertNumQueries, members: int) -> None:
    pool = make_pool(members=members)
    play(pool)
    signed_in(client)
    page(client, "/collectors")
    with django_assert_num_queries(18):
        page(client, "/collectors")
    with django_assert_num_queries(22):
        page(client, f"/collectors/{pool.key}")


@pytest.mark.both_databases
def test_a_nic_shows_where_its_traffic_goes(client: Client, valkey: Valkey) -> None:
    pool = make_pool()
    signed_in(client)
    silent = page(client, f"/nics/{pool.source.key}")
    assert "Nothing reports from that collector" in silent
    assert "Cannot be seen here: nothing reports from its collector." in silent
    play(pool, is_slow=True)
    assert "What it sends is not available here" in page(client, f"/nics/{pool.source.key}")
    play(pool)
    shown = page(client, f"/nics/{pool.source.key}")
    assert f'href="/collectors/{pool.key}"' in shown
    for configured_at, words in (
        ("2199-01-01", "has arrived. Usually the NIC is idle"),
        ("2001-01-01", "Its packets were seen at the collector. First packet"),
    ):
        TapConfiguration.objects.update(first_seen_at=f"{configured_at}T00:00:00Z")
        assert words in page(client, f"/nics/{pool.source.key}")
    assert f'data-mirror="{pool.mirror}"' in shown
    plain = make_nic("db-01-nic", subnet=Subnet.objects.first(), address="10.0.1.99")
    assert "data-chart=" not in page(client, f"/nics/{plain.key}")
