"""Evidence: which lives lie in a span of days of a zone, what is said of what nobody knows, in page, CSV, JSON and API alike."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.inventory.factories import make_vnet
from tests.taps.factories import SUB, make_change
from tests.taps.lives import NOON, VNET, make_life
from tests.taps.people import bearer, person
from vtapweb.access.models import AuditEntry
from vtapweb.access.role import Role
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.scope import Scope
from vtapweb.taps.models import Mirror
from vtapweb.taps.selectors.evidence import EvidenceFilter, evidence, evidence_unknown_count

pytestmark = pytest.mark.django_db

ALL = Scope.everything()


def found(**wanted: Any) -> list[str]:
    return [life.nic_name for life in evidence(ALL, EvidenceFilter(**wanted))]


def ours(name: str, began_at: datetime, ended_at: datetime | None = None, **fields: Any) -> Mirror:
    standing = {"state": "ended" if ended_at else "live", "ended_at": ended_at}
    return make_life(name, origin="change", reason="INC-7", began_by="ada", began_at=began_at, first_seen_at=began_at, **standing, **fields)


@pytest.fixture
def signed_in(client: Client) -> Client:
    client.force_login(person(Role.VIEWER))
    return client


def test_all_mirrors_of_a_vnet_in_a_quarter_who_why_from_to() -> None:
    july = datetime(2026, 7, 1, tzinfo=UTC)
    ours("before", july - timedelta(days=9), july - timedelta(seconds=1))
    ours("into", july - timedelta(days=9), july + timedelta(hours=1))
    ours("within", NOON, NOON + timedelta(days=1))
    ours("open", NOON)
    ours("last-moment", datetime(2026, 9, 30, 23, 59, 59, tzinfo=UTC))
    ours("after", datetime(2026, 10, 1, tzinfo=UTC))
    ours("elsewhere", NOON, vnet_key="e" * 26)
    third_quarter = {"since": date(2026, 7, 1), "until": date(2026, 9, 30)}
    assert found(of=VNET, **third_quarter) == ["last-moment", "open", "within", "into"]
    assert found(of=arm_key(VNET), **third_quarter) == found(of=VNET.upper(), **third_quarter)
    assert "elsewhere" in found(**third_quarter)


def test_days_are_those_of_the_zone_whatever_their_length() -> None:
    """In London 25 October 2026 has 25 hours and 29 March 23; neither moment is lost nor counted twice."""
    autumn = datetime(2026, 10, 25, 23, 30, tzinfo=UTC)  # 23:30 GMT, the clock went back that night
    ours("autumn", autumn, autumn + timedelta(minutes=1))
    summer = datetime(2026, 6, 30, 23, 30, tzinfo=UTC)  # 00:30 on 1 July in London
    ours("summer", summer, summer + timedelta(minutes=1))
    spring = datetime(2026, 3, 28, 23, 59, tzinfo=UTC)
    ours("spring", spring, spring + timedelta(seconds=30))
    for name, day, zone in (
        ("autumn", date(2026, 10, 25), "Europe/London"),
        ("autumn", date(2026, 10, 26), "Europe/Berlin"),
        ("summer", date(2026, 7, 1), "Europe/London"),
        ("summer", date(2026, 6, 30), "UTC"),
        ("spring", date(2026, 3, 28), "Europe/London"),
        ("spring", date(2026, 3, 29), "Europe/Berlin"),
    ):
        assert found(since=day, until=day, zone=zone) == [name]
    assert found(since=date(2026, 6, 30), until=date(2026, 6, 30), zone="Europe/London") == []
    assert len(found(since=date.min, until=date.max)) == 3


def test_nobody_knows_since_when_is_said_and_counted() -> None:
    make_life("was-there", first_seen_at=NOON)
    assert found(until=date(2026, 7, 1)) == []
    assert evidence_unknown_count(ALL, EvidenceFilter(until=date(2026, 7, 1))) == 1
    assert evidence_unknown_count(ALL, EvidenceFilter(until=date(2026, 9, 1))) == 0


def test_a_name_may_be_several_things_and_a_hostile_one_is_only_text(signed_in: Client) -> None:
    other = make_vnet("spoke")
    ours("a", NOON, vnet_key=other.key)
    ours("b", NOON, vnet_key=make_vnet("spoke", subscription_id=SUB).key)
    page = signed_in.get("/evidence", {"of": "Spoke"})
    assert page.content.count(b'data-test="life"') == 2
    assert b'data-test="several"' in page.content
    for hostile in ("' OR 1=1 --", "%", "\x00", "<script>", "/subscriptions/../x", "\u202e"):
        answer = signed_in.get("/evidence", {"of": hostile})
        assert answer.status_code in {200, 400}
        assert answer.content.count(b'data-test="life"') == 0
        assert signed_in.get("/api/v1/evidence", {"of": hostile}).json()["total"] == 0
        assert signed_in.get("/unaccounted", {"q": hostile, "subscription": hostile}).status_code == 200
        assert b"<script>" not in answer.content.replace(b"<script ", b"")


def test_page_csv_json_and_api_tell_the_same_and_exports_are_on_record(signed_in: Client) -> None:
    change = make_change()
    life = ours("=cmd()", NOON, NOON + timedelta(days=1), began_change=change, ticket="INC-7")
    query = {"of": VNET, "since": "2026-07-01", "until": "2026-09-30"}
    page = signed_in.get("/evidence", query).content.decode()
    for text in ("=cmd()", "ada", "INC-7", f"/changes/{change.pk}"):
        assert text in page
    rows = list(csv.DictReader(io.StringIO(signed_in.get("/evidence.csv", query).getvalue().decode("utf-8-sig"))))
    assert [(row["nic"], row["who"], row["why"], row["from"], row["to"]) for row in rows] == [
        ("'=cmd()", "ada", "INC-7", "2026-08-20T12:00:00Z", "2026-08-21T12:00:00Z")
    ]
    (item,) = json.loads(signed_in.get("/evidence.json", query).getvalue())["items"]
    (told,) = signed_in.get("/api/v1/evidence", query).json()["items"]
    assert {**item, "from": told["from"]} == {**told, "change": change.pk}
    assert told["nic_id"] == life.nic_id
    entries = AuditEntry.objects.filter(action="access.exported", target="evidence")
    assert [one.detail["filter"] for one in entries] == [query, query]
    assert signed_in.get("/api/v1/evidence", {**query, "format": "csv"}).getvalue().count(b"INC-7") == 2
    assert entries.all().count() == 3


def test_the_api_pages_and_refuses_what_it_does_not_know(client: Client) -> None:
    for number in range(5):
        ours(f"nic-{number}", NOON + timedelta(minutes=number // 2))
    headers = bearer(Role.VIEWER)
    names: list[str] = []
    cursor = ""
    while True:
        answer = client.get(f"/api/v1/evidence?limit=2&cursor={cursor}", headers=headers).json()
        assert answer["total"] == 5
        names += [item["nic"] for item in answer["items"]]
        cursor = answer["next"] or ""
        if not cursor:
            break
    assert names == ["nic-4", "nic-3", "nic-2", "nic-1", "nic-0"]
    wrongs: list[dict[str, str | int]] = [{"zone": "Mars/Olympus"}, {"format": "xls"}, {"cursor": "x"}, {"limit": 0}]
    for wrong in wrongs:
        assert client.get("/api/v1/evidence", wrong, headers=headers).status_code == 400


def test_exports_are_read_in_portions_to_the_last_row(signed_in: Client) -> None:
    Mirror.objects.bulk_create(
        [Mirror(**{**_values(), "tap_configuration_key": f"{number:026d}", "nic_name": f"n{number}"}) for number in range(1203)]
    )
    rows = signed_in.get("/evidence.csv").getvalue().decode().splitlines()
    assert len(rows) == 1204
    assert len(json.loads(signed_in.get("/evidence.json").getvalue())["items"]) == 1203


def _values() -> dict[str, Any]:
    life = make_life("x")
    values = {field.attname: getattr(life, field.attname) for field in Mirror._meta.concrete_fields if field.name != "id"}
    life.delete()
    return values


def test_a_limited_viewer_sees_the_lives_of_his_subscriptions(client: Client) -> None:
    ours("mine", NOON)
    ours("theirs", NOON, subscription_id="99999999-9999-9999-9999-999999999999")
    answer = client.get("/api/v1/evidence", headers=bearer(Role.VIEWER, SUB)).json()
    assert [item["nic"] for item in answer["items"]] == ["mine"]


def test_the_page_costs_the_same_queries_whatever_it_holds(signed_in: Client) -> None:
    counts = []
    for number in (1, 30):
        for one in range(number):
            ours(f"nic-{number}-{one}", NOON, began_change=make_change())
        with CaptureQueriesContext(connection) as captured:
            assert signed_in.get("/evidence", {"since": "2026-01-01", "until": "2026-12-31"}).status_code == 200
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 11


def test_what_was_typed_wrong_is_told_and_kept(signed_in: Client) -> None:
    answer = signed_in.get("/evidence", {"of": "spoke", "since": "2026-09-30", "until": "2026-07-01"})
    assert answer.status_code == 400
    assert b"The last day lies before the first." in answer.content
    assert b'value="spoke"' in answer.content
    assert signed_in.get("/evidence", {"zone": "Mars/Olympus"}).status_code == 400
    assert signed_in.get("/evidence.csv", {"zone": "Mars/Olympus"}).status_code == 400
    assert signed_in.get("/evidence").status_code == 200
