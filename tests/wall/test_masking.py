"""Visitors: no octet of any answer names a thing of the estate, and what may be told is told as it is."""

import gzip
import json
from typing import Any

import orjson
import pytest
from django.core.cache import cache
from django.test import Client

from tests.inventory.factories import SUBSCRIPTION
from tests.traffic.alarms import make_alarm
from tests.valkey import Valkey
from tests.wall.making import let_in, make_display
from tests.wall.playing import NOW, frame, node_of, on_the_map
from tests.wall.secrets import names_nothing, played, secrets_of
from vtapweb.domain.scope import Scope
from vtapweb.domain.topology import COLUMNS, decode
from vtapweb.inventory.models import TapConfiguration
from vtapweb.topology.picture import current_revision, picture_of
from vtapweb.wall.masking import masked_picture, masked_topology
from vtapweb.wall.models import Display, DisplayGroup
from vtapweb.wall.picture import Heard, Pictures, told

pytestmark = pytest.mark.django_db
EVERYTHING = Scope.everything()


def visitors(display: Display) -> None:
    display.group = DisplayGroup.objects.create(name="Lobby", scene="visitors", has_all_subscriptions=True)
    display.save()


def test_no_answer_names_anything_of_the_estate(valkey: Valkey) -> None:
    estate = played()
    secrets = secrets_of(estate)
    display = make_display()
    browser = let_in(display)
    for path in ("/wall/topology", "/wall/traffic"):
        told_openly = browser.get(path)
        assert told_openly["Wall-Masked"] == "no"
        with pytest.raises(AssertionError):  # the same search finds names where they are told
            names_nothing(told_openly.content, secrets)
    visitors(display)
    for path in ("/wall", "/wall/state", "/wall/topology", "/wall/traffic", "/wall/qr/118"):
        answer = browser.get(path)
        names_nothing(answer.content, secrets)
        for name, value in answer.headers.items():
            names_nothing(f"{name}: {value}".encode(), secrets)
        assert answer.status_code == (404 if path == "/wall/qr/118" else 200)
        assert answer.get("Wall-Masked") == (None if path in {"/wall", "/wall/state"} else "yes")
    squeezed = browser.get("/wall/topology", headers={"Accept-Encoding": "gzip"})
    names_nothing(gzip.decompress(squeezed.content), secrets)


def test_no_picture_names_anything_of_the_estate(valkey: Valkey) -> None:
    estate = played()
    key = estate.tap.destination_key
    bits = dict.fromkeys(TapConfiguration.objects.values_list("key", flat=True), 1e6)
    pictures = Pictures(EVERYTHING)
    picture = pictures.make(now=NOW, heard=Heard.of(frame(EVERYTHING, bits)), wanted=[key])
    secrets = secrets_of(estate)
    with pytest.raises(AssertionError):
        names_nothing(orjson.dumps(told(picture)), secrets)
    masked = masked_picture(picture, pictures.node_of)
    names_nothing(orjson.dumps(masked), secrets)
    number = node_of("collector", key)
    assert masked["collectors"][0] | {"name": f"Collector {number}", "key": f"c{number}", "words": "dropping"} == masked["collectors"][0]
    by_number = {one["number"]: one for one in masked["alarms"]}
    assert by_number[117]["sentence"] == "A collector is dropping packets."
    assert by_number[117] | {"title": f"Collector {number}", "collector": f"c{number}", "owner": "", "is_taken": True, "qr": ""} == by_number[117]
    assert by_number[118]["broken_hop"] | {"name": "", "words": "A peering is broken."} == by_number[118]["broken_hop"]
    assert {one["words"] for one in masked["events"]} >= {"Somebody has muted A-118", "0 mirrors added"}
    source = masked["sources"][0]
    assert (source["nic"], source["collector"]) == (f"NIC {source['nic_id']}", f"Collector {number}")
    assert masked["sources_of"] == {f"c{number}": masked["sources"]}
    for name in ("bits_per_s", "measured_ms", "drops_share", "spark", "mirrors"):
        assert masked["collectors"][0][name] == picture["collectors"][0][name]
    assert masked["totals"] == picture["totals"]
    assert set(masked) == set(told(picture))  # the page finds every part in both
    assert (masked["is_masked"], told(picture)["is_masked"]) == (True, False)
    for part in ("collectors", "alarms", "events", "sources"):
        assert set(masked[part][0]) == set(told(picture)[part][0])


def test_what_cannot_be_read_is_not_read_for_visitors_either(valkey: Valkey) -> None:
    on_the_map()
    picture = Pictures(EVERYTHING).make(now=NOW) | {"alarms": None, "collectors": None, "events": None, "inventory": None, "judging": None}
    masked = masked_picture(picture, {})
    assert [masked[name] for name in ("alarms", "collectors", "events", "inventory", "judging", "sources")] == [None] * 6


def test_the_masked_map_is_the_map_with_aliases(valkey: Valkey) -> None:
    played()
    wire = orjson.loads(picture_of(current_revision(), EVERYTHING).plain(0))
    before, after = decode(wire), decode(masked_topology(wire))
    assert after.counts == before.counts
    assert len(after.series) == len(before.series)
    assert len(set(after.series)) == len(after.series)
    for table, names in COLUMNS.items():
        assert after.tables[table].keys() == before.tables[table].keys()
        for row_id, row in after.tables[table].items():
            told_row = dict(zip(names, row, strict=True))
            for name, value in zip(names, before.tables[table][row_id], strict=True):
                if not isinstance(value, str) or name in {"role", "state", "kind"}:
                    assert told_row[name] == value, (table, name)
    vnet = next(iter(after.tables["vnets"].values()))
    assert vnet[1:4] == (f"v{vnet[0]}", f"VNet {vnet[0]}", "")


def test_azures_own_words_and_columns_of_tomorrow_are_not_told() -> None:
    columns: dict[str, dict[str, Any]] = {table: {name: [] for name in names} for table, names in COLUMNS.items()}
    columns["peerings"] = {"id": [7], "a": [1], "b": [2], "state": ["Contoso!"], "detail": ["hub-secretly"], "is_global": [False]}
    columns["subnets"] = {name: [3] for name in COLUMNS["subnets"]} | {"owner": ["Contoso!"]}
    wire = {
        "v": 1, "revision": "r1", "series_revision": 1, "is_demo": False, "built_at": "", "counts": {}, "world": {}, "geometry": {},
        "encoding": {"delta": []}, "subscriptions": [{"id": SUBSCRIPTION, "name": "Contoso!", "stale_since": 0}], "series": [], "columns": columns,
        "note": "Contoso!",
    }  # fmt: skip
    names_nothing(json.dumps(masked_topology(wire)).encode(), {"contoso", "secretly", SUBSCRIPTION})


def test_the_two_maps_have_tags_of_their_own(valkey: Valkey) -> None:
    on_the_map()
    display = make_display()
    browser = let_in(display)
    plain = browser.get("/wall/topology")
    assert browser.get("/wall/topology", headers={"If-None-Match": plain["ETag"]}).status_code == 304
    visitors(display)
    masked = browser.get("/wall/topology", headers={"If-None-Match": plain["ETag"]})
    assert masked.status_code == 200
    assert b"packetlog" not in masked.content
    assert browser.get("/wall/topology", headers={"If-None-Match": masked["ETag"]}).status_code == 304
    assert int(masked["Vtapweb-Seq"]) >= 0


def test_a_display_reads_with_its_own_scope_and_only_while_it_is_one(valkey: Valkey) -> None:
    on_the_map()
    make_alarm(117)
    other = let_in(make_display("elsewhere", subscription_ids=["5a000000-0000-0000-0000-000000000077"]))
    assert other.get("/wall/topology").json()["counts"]["nics"] == 0
    assert other.get("/wall/traffic").json() == {"collectors": [], "silent": []}
    assert other.get("/wall/qr/117").status_code == 404
    display = make_display()
    mine = let_in(display)
    qr = mine.get("/wall/qr/117")
    assert (qr.status_code, qr["Content-Type"]) == (200, "image/svg+xml")
    assert qr.content.startswith(b"<svg")
    assert mine.get("/wall/qr/118").status_code == 404
    cache.clear()
    Display.objects.filter(pk=display.pk).update(revoked_at=NOW)
    for path in ("/wall/topology", "/wall/traffic", "/wall/qr/117"):
        assert mine.get(path).status_code == 410
        assert Client().get(path).status_code == 401
        assert mine.post(path).status_code in {403, 405}
