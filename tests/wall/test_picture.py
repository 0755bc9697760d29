"""The picture of a wall: what it tells, in which order, and what it says of what it does not know."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from tests.inventory.factories import SUBSCRIPTION, make_estate
from tests.traffic.alarms import OTHER, make_alarm
from tests.traffic.played_ring import write_ring
from tests.valkey import Valkey
from tests.wall.playing import NOW, NOW_MS, frame, judged, meter_runs, node_of, on_the_map, reports
from vtapweb.domain.health import CollectorState
from vtapweb.domain.scope import Scope
from vtapweb.events.bus import record_event
from vtapweb.events.patience import patience
from vtapweb.events.types import HealthEvent
from vtapweb.inventory.models import SubscriptionSync, SyncRun, TapConfiguration, VirtualNetworkTap
from vtapweb.taps.models import Change, ChangeStep
from vtapweb.topology.actions import topology_refresh
from vtapweb.traffic import keys
from vtapweb.traffic.models import Alarm, AlarmEvent, HealthLease
from vtapweb.traffic.store import store
from vtapweb.wall.picture import Heard, Pictures, told

pytestmark = pytest.mark.django_db
EVERYTHING = Scope.everything()


def made(scope: Scope = EVERYTHING, **given: Any) -> dict[str, Any]:
    return told(Pictures(scope).make(now=NOW, **given))


def test_a_collector_is_told_with_its_age_its_limits_and_what_it_receives(valkey: Valkey) -> None:
    estate = on_the_map()
    key = estate.tap.destination_key
    reports(key, 2e9, capacity_bits_per_s=10**10)
    judged(key, CollectorState.OK, sentence="nic-packetlog reports.")
    meter_runs()
    picture = made()
    (one,) = picture["collectors"]
    assert one == {
        "id": node_of("collector", key), "key": key, "name": "nic-packetlog", "state": "ok", "words": "nic-packetlog reports.", "rules": (),
        "alarm": "", "is_muted": False, "since_ms": one["since_ms"], "capacity_bits_per_s": 10**10, "drops_per_s": 0.0, "drops_share": 0.0,
        "origin": "vtapweb's agent on the collector", "interval_s": 1.0, "stale_after_s": 5.0, "lag_s": None, "measured_ms": NOW_MS,
        "heard_ms": NOW_MS, "bits_per_s": 2e9, "wire_bits_per_s": 2.2e9, "packets_per_s": 2e6, "share": pytest.approx(0.22), "is_estimate": False,
        "has_sources": True, "members": 1, "members_missing": 0, "mirrors": 1, "spark": [None] * 60, "spark_step_s": 15,
    }  # fmt: skip
    assert picture["totals"] == {"bits_per_s": 2e9, "packets_per_s": 2e6, "known": 1, "of": 1, "mirrors": 1, "nics": 5, "silent": 0}
    assert picture["collector_counts"] | {"total": 1, "ok": 1, "none": 0, "silent": 0} == picture["collector_counts"]
    assert picture["meter"] == {"state": "live", "since_ms": None, "at_ms": NOW_MS}
    assert picture["judging"] == {"evaluated_ms": NOW_MS, "settled_ms": None, "blind_since_ms": None, "blind_reason": ""}
    assert picture["at_ms"] == NOW_MS
    assert picture["inventory"]["state"] == "live"


def test_what_is_not_known_is_none_and_told_as_such(valkey: Valkey, settings: Settings) -> None:
    estate = on_the_map()
    picture = made()
    (one,) = picture["collectors"]
    assert one["state"] == "none"
    assert {one[name] for name in ("bits_per_s", "share", "heard_ms", "stale_after_s", "drops_per_s", "drops_share", "members_missing")} == {None}
    assert picture["totals"] | {"bits_per_s": None, "packets_per_s": None, "known": 0, "of": 1} == picture["totals"]
    assert picture["meter"] == {"state": "stopped", "since_ms": None, "at_ms": None}
    assert picture["sources"] is None
    assert picture["unread"] == {"sources": {"why": "No live numbers have come yet.", "since_ms": None}}
    reports(estate.tap.destination_key, 2e9, at_ms=NOW_MS - 60_000)  # a meter that has ended leaves its last words behind
    assert made()["collectors"][0] | {"bits_per_s": None, "state": "stale"} == made()["collectors"][0]
    settings.REDIS_URL = ""
    away = made()
    assert away["meter"]["state"] == "unknown"
    assert away["unread"]["live"] == {"why": "Redis does not answer.", "since_ms": None}


def test_it_is_told_when_it_was_judged_and_until_when_rules_wait(valkey: Valkey) -> None:
    estate = on_the_map()
    assert made()["judging"] == {"evaluated_ms": None, "settled_ms": None, "blind_since_ms": None, "blind_reason": ""}
    judged(estate.tap.destination_key, CollectorState.OK)
    HealthLease.objects.update(settled_at=NOW + timedelta(seconds=200))
    assert made()["judging"] == {"evaluated_ms": NOW_MS, "settled_ms": NOW_MS + 200_000, "blind_since_ms": None, "blind_reason": ""}
    HealthLease.objects.update(evaluated_at=NOW - timedelta(seconds=21))
    late = made()["judging"]
    assert (late["blind_since_ms"], late["blind_reason"]) == (NOW_MS - 21_000, "Is `manage.py watch` running?")


def test_the_first_number_is_not_contradicted_by_what_was_judged_before_it(valkey: Valkey) -> None:
    estate = on_the_map()
    key = estate.tap.destination_key
    judged(key, CollectorState.UNKNOWN, sentence="nic-packetlog: no source of numbers is set up for it.")
    assert [made()["collectors"][0][name] for name in ("state", "words")] == ["none", "nic-packetlog: no source of numbers is set up for it."]
    reports(key, 2e9)
    assert [made()["collectors"][0][name] for name in ("state", "words", "bits_per_s")] == ["unknown", "", 2e9]


def test_a_redis_that_never_answers_is_asked_once_and_then_let_alone(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vtapweb.traffic.store.GIVE_UP_AFTER_S", 0.2)
    estate = on_the_map()
    reports(estate.tap.destination_key, 2e9)
    pictures = Pictures(EVERYTHING)
    valkey.suspend()
    away = pictures.make(now=NOW)
    valkey.resume()
    assert away["unread"].keys() >= {"live", "sparks"}
    assert away["meter"]["state"] == "unknown"
    still = pictures.make(now=NOW + timedelta(seconds=2))
    assert still["unread"]["live"]["why"] == "Redis does not answer.", "a picture must not wait for each question again"
    patience.forget()
    assert pictures.make(now=NOW + timedelta(seconds=4))["unread"].keys().isdisjoint({"live", "sparks"})


def test_what_was_known_before_redis_went_away_stays_and_grows_old(valkey: Valkey, settings: Settings) -> None:
    estate = on_the_map()
    reports(estate.tap.destination_key, 2e9)
    meter_runs()
    pictures = Pictures(EVERYTHING)
    pictures.make(now=NOW)
    settings.REDIS_URL = ""
    soon = pictures.make(now=NOW + timedelta(seconds=2))
    assert soon["collectors"][0]["bits_per_s"] == 2e9
    assert soon["unread"]["live"] == {"why": "Redis does not answer.", "since_ms": NOW_MS}
    assert soon["meter"] == {"state": "unknown", "since_ms": NOW_MS, "at_ms": NOW_MS}
    later = pictures.make(now=NOW + timedelta(seconds=20))
    assert later["collectors"][0] | {"bits_per_s": None, "heard_ms": NOW_MS, "state": "stale"} == later["collectors"][0]


def test_what_another_release_wrote_is_not_known_and_hides_nothing_else(valkey: Valkey) -> None:
    theirs = make_estate(subscription_id=OTHER).tap.destination_key
    key = on_the_map().tap.destination_key
    reports(key, 2e9)
    meter_runs()
    store().hset(keys.NOW, theirs, b"what is this")
    picture = made()
    assert {one["key"]: one["bits_per_s"] for one in picture["collectors"]} == {key: 2e9, theirs: None}
    assert "live" not in picture["unread"]
    store().set(keys.METER, b"and this")
    picture = made()
    assert picture["meter"]["state"] == "unknown"
    assert picture["unread"]["live"] == {"why": "Another release wrote what Redis holds.", "since_ms": None}


def test_a_database_that_is_away_is_named_and_takes_nothing_away(valkey: Valkey) -> None:
    judged(on_the_map().tap.destination_key, CollectorState.OK)
    make_alarm(117)
    pictures = Pictures(EVERYTHING)
    before = pictures.make(now=NOW)

    def refused(*_args: Any) -> Any:
        raise OperationalError("server closed the connection")

    with connection.execute_wrapper(refused):
        assert Pictures(EVERYTHING).make(now=NOW) | {"alarms": None, "collectors": None, "events": None} == Pictures(EVERYTHING).make(now=NOW)
        during = pictures.make(now=NOW + timedelta(seconds=30))
    assert [one["number"] for one in during["alarms"]] == [one["number"] for one in before["alarms"]]
    assert during["unread"]["judging"] == {"why": "The database does not answer.", "since_ms": NOW_MS}
    assert during["judging"]["blind_since_ms"] is None, "that we cannot read is not that nobody judges"
    assert "judging" not in pictures.make(now=NOW + timedelta(seconds=31))["unread"]


def test_the_broken_one_stands_first_then_the_fullest(valkey: Valkey) -> None:
    estates = [make_estate(subscription_id=f"5a000000-0000-0000-0000-00000000010{number}") for number in range(4)]
    topology_refresh()
    keys = [one.tap.destination_key for one in estates]
    for key, bits in zip(keys, (1e9, 9e9, 3e9, 0.0), strict=True):
        reports(key, bits)
    for key, state in zip(keys, (CollectorState.OK, CollectorState.OK, CollectorState.NEAR, CollectorState.SILENT), strict=True):
        judged(key, state)
    assert [one["key"] for one in made()["collectors"]] == [keys[3], keys[2], keys[1], keys[0]]


@pytest.mark.one_database
def test_more_than_forty_collectors_are_counted_and_the_wanted_one_is_told(valkey: Valkey) -> None:
    for number in range(45):
        make_estate(subscription_id=f"5a000000-0000-0000-0000-0000000001{number:02d}", nics=1)
    topology_refresh()
    picture = made()
    assert (len(picture["collectors"]), picture["collector_counts"]["total"], picture["totals"]["of"]) == (40, 45, 45)
    assert [one["spark"] is not None for one in picture["collectors"][:12]] == [True] * 4 + [False] * 8  # some are read in each turn
    told_keys = {one["key"] for one in picture["collectors"]}
    left = next(one.destination_key for one in VirtualNetworkTap.objects.all() if one.destination_key not in told_keys)
    with_it = made(wanted=[left])["collectors"]
    assert [one["key"] for one in with_it[40:]] == [left]


def test_alarms_stand_in_the_order_in_which_somebody_must_look(valkey: Valkey) -> None:
    on_the_map()
    minutes = timedelta(minutes=1)
    make_alarm(101, severity="alarm", opened_at=NOW - 9 * minutes)
    make_alarm(102, severity="warning", opened_at=NOW - 1 * minutes)
    make_alarm(103, severity="alarm", opened_at=NOW - 2 * minutes, owner="m.ortiz")
    make_alarm(104, severity="alarm", opened_at=NOW, acknowledged_by="m.ortiz", acknowledged_at=NOW)
    make_alarm(105, severity="alarm", opened_at=NOW, muted_until=NOW + 60 * minutes)
    make_alarm(106, severity="alarm", state="cleared", cleared_at=timezone.now())
    picture = made()
    assert [one["number"] for one in picture["alarms"]] == [103, 101, 102, 105, 104]
    assert picture["counts"] == {
        "alarms": 4, "untaken": 3, "notices": 0, "muted": 1, "muted_next_ends_ms": NOW_MS + 3_600_000,
    }  # fmt: skip
    first = picture["alarms"][0]
    assert (first["spoken"], first["owner"], first["is_taken"], first["qr"], first["child_count"]) == ("A-103", "m.ortiz", True, "/wall/qr/103", 2)
    assert first["happened_before"][0]["words"] == "Peering to-hub became Disconnected"


def test_more_alarms_than_a_wall_holds_are_counted(valkey: Valkey) -> None:
    on_the_map()
    for number in range(200, 225):
        make_alarm(number)
    picture = made()
    assert (len(picture["alarms"]), picture["more_alarms"]) == (20, 5)


def test_what_a_scope_may_not_read_is_not_on_its_wall(valkey: Valkey) -> None:
    estate = on_the_map()
    foreign = make_estate(subscription_id=OTHER)
    topology_refresh()
    reports(estate.tap.destination_key, 2e9)
    reports(foreign.tap.destination_key, 3e9)
    make_alarm(117)
    picture = made(Scope.of([OTHER]))
    assert [one["key"] for one in picture["collectors"]] == [foreign.tap.destination_key]
    assert picture["totals"]["bits_per_s"] == 3e9
    (alarm,) = picture["alarms"]
    assert (alarm["title"], alarm["broken_hop"], alarm["collector"], alarm["child_count"]) == ("Something that you may not see", None, "", 1)
    assert alarm["happened_before"] == []
    assert [one["words"] for one in picture["events"]] == ["A-117: Something that you may not see"]
    nobody = made(Scope.of([]))
    assert (nobody["alarms"], nobody["collectors"], nobody["events"]) == ([], [], [])


def test_the_busiest_sources_are_those_of_the_frame(valkey: Valkey) -> None:
    estate = on_the_map(nics=40, mirrored=35)
    mirrors = list(TapConfiguration.objects.order_by("name", "key"))
    bits = {one.key: 1e6 * (place + 1) for place, one in enumerate(mirrors) if place}  # of the first nothing is known
    heard = Heard.of(frame(EVERYTHING, bits))
    key = estate.tap.destination_key
    picture = made(heard=heard, wanted=[key])
    rates = [one["bits_per_s"] for one in picture["sources"]]
    assert len(rates) == 30
    assert rates == sorted(bits.values(), reverse=True)[:30]
    first, busiest = picture["sources"][0], mirrors[-1].network_interface
    assert first == {
        "nic": busiest.name, "nic_id": node_of("nic", busiest.key), "vnet": "spoke", "vnet_id": node_of("vnet", estate.spoke.key),
        "collector": "nic-packetlog", "collector_id": node_of("collector", key), "collector_key": key, "bits_per_s": 35e6, "packets_per_s": 35e3,
        "measured_ms": NOW_MS,
    }  # fmt: skip
    assert picture["sources_of"] == {key: picture["sources"]}
    assert "sources" not in picture["unread"]
    other = made(heard=Heard(heard.series_revision + 1, heard.unix_s, heard.bits, heard.packets))
    assert other["sources"] is None
    assert other["unread"]["sources"]["why"].startswith("The live numbers are of another list")


def test_a_curve_has_sixty_steps_of_the_ring_and_no_step_is_made_up(valkey: Valkey) -> None:
    estate = on_the_map()
    key = estate.tap.destination_key
    now_s = NOW_MS // 1000
    write_ring(store(), key, now_s - 60, {"total:inner_bits": [1e9] * 30 + [float("nan")] * 15 + [3e9] * 15})
    pictures = Pictures(EVERYTHING)
    spark = pictures.make(now=NOW)["collectors"][0]["spark"]
    assert spark[-5:] == [None, 1e9, 1e9, None, 3e9]
    assert len(spark) == 60
    write_ring(store(), key, now_s - 30, {"total:inner_bits": [5e9] * 45})  # half a minute was told late
    later = pictures.make(now=NOW + timedelta(seconds=15))["collectors"][0]["spark"]
    assert later[-5:] == [1e9, 1e9, None, 5e9, 5e9]


def test_what_happened_of_late_is_told_in_one_line_each(valkey: Valkey) -> None:
    estate = on_the_map()
    alarm = make_alarm(117, opened_at=NOW - timedelta(minutes=9), title="ilb-weu-01")
    AlarmEvent.objects.create(alarm=alarm, at=NOW - timedelta(minutes=8), kind="taken", by="m.ortiz")
    AlarmEvent.objects.create(alarm=alarm, at=NOW - timedelta(minutes=7), kind="cleared")
    AlarmEvent.objects.create(alarm=alarm, at=NOW - timedelta(hours=9), kind="noted", by="long ago")
    change = Change.objects.create(
        action="tap", state="applied", reason="r", tap_key=estate.tap.key, tap_name="tap-1", created_at=NOW, created_by_name="m.ortiz",
        finished_at=NOW - timedelta(minutes=6), subscription_ids=[SUBSCRIPTION],
    )  # fmt: skip
    for ordinal, state in enumerate(("verified", "verified", "failed"), 1):
        ended = {"ended_at": NOW, "verified_at": NOW if state == "verified" else None, "nic_key": f"nic{ordinal}"}
        ChangeStep.objects.create(
            change=change, ordinal=ordinal, target_id="t", target_key=f"t{ordinal}", subscription_id=SUBSCRIPTION, action="put", state=state,
            method="PUT", path="p", **ended,
        )  # fmt: skip
    run = SyncRun.objects.create(trigger="schedule", state="partial", enqueued_at=NOW, created_at=NOW)
    SubscriptionSync.objects.create(
        run=run, subscription=estate.subscription, state="partial", enqueued_at=NOW, finished_at=NOW - timedelta(minutes=5), added_count=1200
    )
    events = made()["events"]
    assert [(one["kind"], one["severity"], one["words"]) for one in events] == [
        ("sync", "warning", "Sync: 1,200 added, 1 of 1 subscription not read to the end"),
        ("change", "notice", "2 mirrors added by m.ortiz → nic-packetlog"),
        ("cleared", "notice", "A-117 is over: ilb-weu-01"),
        ("deed", "notice", "m.ortiz has taken A-117 ilb-weu-01"),
        ("alarm", "alarm", "A-117: ilb-weu-01"),
    ]
    assert events[0]["at_ms"] == NOW_MS - 300_000
    assert "plain" not in events[0]


def test_hostile_names_are_shown_for_what_they_are_and_cut(valkey: Valkey) -> None:
    on_the_map()
    make_alarm(117, title="a\u202eb\x07" + "x" * 5000, owner="\u200b", sentence="s", facts={})
    (alarm,) = made()["alarms"]
    assert alarm["title"].startswith("a⟨U+202E⟩b⟨U+0007⟩xxx")
    assert len(alarm["title"]) == 160
    assert alarm["owner"] == "⟨U+200B⟩"


def estate_of(nics: int, alarms: int) -> str:
    estate = on_the_map(nics=nics, mirrored=nics)
    for number in range(alarms):
        make_alarm(300 + number)
    reports(estate.tap.destination_key, 1e9)
    return estate.tap.destination_key


@pytest.mark.parametrize(("nics", "alarms"), [(2, 1), (12, 15)])
def test_queries_and_calls_do_not_grow_with_the_estate(
    valkey: Valkey, django_assert_num_queries: DjangoAssertNumQueries, nics: int, alarms: int
) -> None:
    key = estate_of(nics, alarms)
    pictures = Pictures(EVERYTHING)
    heard = Heard.of(frame(EVERYTHING, {}))
    pictures.make(now=NOW, heard=heard, wanted=[key])
    calls = count_calls(valkey)
    with django_assert_num_queries(2):  # what is the newest event, what is the newest map
        pictures.make(now=NOW + timedelta(seconds=2), heard=heard, wanted=[key])
    assert count_calls(valkey) - calls - 1 == 2
    with django_assert_num_queries(11):  # what is judged, every 5 s
        pictures.make(now=NOW + timedelta(seconds=6), heard=heard, wanted=[key])
    record_event(HealthEvent(alarm=300, deed="raised"), subscription_ids=None)
    with django_assert_num_queries(14):  # something happened
        pictures.make(now=NOW + timedelta(seconds=7), heard=heard, wanted=[key])


def count_calls(valkey: Valkey) -> int:
    return int(store().info("stats")["total_commands_processed"])


def test_an_alarm_is_on_the_next_picture_after_its_event(valkey: Valkey) -> None:
    on_the_map()
    pictures = Pictures(EVERYTHING)
    assert pictures.make(now=NOW)["alarms"] == []
    make_alarm(117)
    record_event(HealthEvent(alarm=117, deed="raised"), subscription_ids=None)
    assert [one["number"] for one in pictures.make(now=NOW + timedelta(seconds=0.2))["alarms"]] == [117]
    Alarm.objects.update(state="cleared", cleared_at=NOW)
    record_event(HealthEvent(alarm=117, deed="cleared"), subscription_ids=None)
    assert pictures.make(now=NOW + timedelta(seconds=0.4))["alarms"] == []
