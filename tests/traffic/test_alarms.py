"""What people see of alarms and do about them: scope, roles, deeds, mutes, handover, maintenance, webhooks."""

import json
import re
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from tests.inventory.factories import SUBSCRIPTION, make_estate, make_nic, make_subnet, make_vnet
from tests.taps.people import bearer, person, viewer
from tests.traffic.alarms import OTHER, make_alarm
from vtapweb.access.models import AuditEntry
from vtapweb.access.role import Role
from vtapweb.domain.causes import Finding, Subject, fold
from vtapweb.domain.health import Level
from vtapweb.domain.scope import Scope
from vtapweb.events.models import OutboxEvent
from vtapweb.traffic.actions.alarms import alarm_acknowledge, alarm_mute, alarm_note, alarm_release, alarm_take, alarm_unmute, alarms_reconcile
from vtapweb.traffic.actions.deliveries import deliveries_add, deliveries_send, deliveries_trim
from vtapweb.traffic.actions.maintenance import maintenance_end, maintenance_plan
from vtapweb.traffic.actions.webhooks import webhook_add, webhook_remove
from vtapweb.traffic.delivery import ATTEMPTS, gate, secret_of, signature, wait_s
from vtapweb.traffic.models import Alarm, AlarmDelivery, CollectorHealth, CollectorMaintenance, HealthLease, SourceFlow, Webhook
from vtapweb.traffic.outward import RefusedError
from vtapweb.traffic.selectors.alarms import AlarmFilter, alarm_counts, alarm_events, alarm_view, alarms, handover
from vtapweb.traffic.selectors.collectors import CollectorFacts, collector_of
from vtapweb.traffic.selectors.receivers import receivers_shown
from vtapweb.web.problem import ProblemError

pytestmark = pytest.mark.django_db


def signed_in(client: Client, role: Role, *subscription_ids: str) -> Client:
    client.force_login(person(role, subscription_ids=subscription_ids))
    return client


# -- scope


def test_who_reads_only_a_child_learns_that_it_is_touched_and_no_more() -> None:
    alarm = make_alarm()
    view = alarm_view(Scope.of([OTHER]), alarm, now=timezone.now())
    assert view.is_hidden
    assert [one["name"] for one in view.children] == ["nic-b"]
    assert (view.more_children, view.happened_before) == (1, [])
    told = json.dumps([view.title, view.sentence, view.path, [one.text for one in alarm_events(Scope.of([OTHER]), alarm)]])
    assert "spoke" not in told
    whole = alarm_view(Scope.of([SUBSCRIPTION, OTHER]), alarm, now=timezone.now())
    assert whole.sentence == "The peering spoke ↔ hub is Disconnected. 2 sources affected."


def test_alarms_of_other_subscriptions_are_not_there() -> None:
    make_alarm()
    assert list(alarms(Scope.of(["another"]))) == []
    assert list(alarms(Scope.of([]))) == []
    assert len(alarms(Scope.of([OTHER]))) == 1
    assert list(alarms(Scope.of([OTHER]), AlarmFilter(q="spoke"))) == []  # nor can it be guessed by searching


def test_a_name_that_may_not_be_read_is_not_found_out_by_searching() -> None:
    make_alarm()
    CollectorHealth.objects.create(collector_key="c" * 26, subscription_id=SUBSCRIPTION, name="ilb", state="ok", since=timezone.now())
    assert len(alarms(Scope.of([SUBSCRIPTION]), AlarmFilter(q="IL"))) == 1
    assert list(alarms(Scope.of([OTHER]), AlarmFilter(q="ilb"))) == []
    assert len(alarms(Scope.of([OTHER]), AlarmFilter(q="A-117"))) == 1


def test_what_people_wrote_is_for_those_who_may_read_what_it_is_about(client: Client) -> None:
    alarm, kim = make_alarm(), viewer(Role.OPERATOR, name="kim")
    alarm_note(alarm=alarm, text="spoke-fw restarted", acting_user=kim)
    alarm_mute(alarm=alarm, until=timezone.now() + timedelta(hours=1), reason="spoke-fw is known", acting_user=kim)
    signed_in(client, Role.OPERATOR, OTHER)
    for path in ("/alarms/A-117", "/handover", "/alarms"):
        page = client.get(path).content.decode()
        assert "kim" in page or path == "/alarms"
        assert "spoke-fw" not in page
    assert "spoke-fw restarted" in json.dumps([one.text for one in handover(Scope.everything(), hours=8, now=timezone.now()).deeds])


def test_nobody_mutes_what_is_about_others() -> None:
    alarm, limited = make_alarm(), viewer(Role.OPERATOR, name="kim", subscription_ids=(OTHER,))
    with pytest.raises(ProblemError) as refused:
        alarm_mute(alarm=alarm, until=timezone.now() + timedelta(hours=1), reason="mine is fine", acting_user=limited)
    assert refused.value.status == 403
    alarm_take(alarm=alarm, acting_user=limited)
    assert Alarm.objects.get().muted_until is None


def test_a_collector_is_named_to_those_who_may_read_it(client: Client) -> None:
    """A source that one may read can be mirrored to a collector that one may not."""
    collector = "c" * 26
    CollectorHealth.objects.create(collector_key=collector, subscription_id=OTHER, name="ilb", state="ok", since=timezone.now())
    alarm = make_alarm()
    scopes: list[tuple[str, ...]] = [(SUBSCRIPTION,), (SUBSCRIPTION, OTHER)]
    for one in scopes:
        client.force_login(person(Role.VIEWER, name=f"viewer-{len(one)}", subscription_ids=one))
        pages = [client.get(path).content.decode() for path in ("/api/v1/alarms", f"/api/v1/alarms/{alarm.number}", f"/alarms/{alarm.spoken}")]
        assert [collector in page for page in pages] == [OTHER in one] * 3


def test_an_address_of_a_nic_is_for_those_who_may_read_that_nic(client: Client) -> None:
    """An unknown source (H5) whose address is known later to be that of a NIC in another subscription."""
    now = timezone.now()
    HealthLease.objects.create(fence=7)
    scopes: list[tuple[str, ...]] = [(SUBSCRIPTION,), (OTHER,), (SUBSCRIPTION, OTHER)]
    people = {one: person(Role.VIEWER, name=f"viewer-{len(one)}-{one[0][-1]}", subscription_ids=one) for one in scopes}
    theirs = make_nic("secret-nic", subnet=make_subnet(vnet=make_vnet("theirs", subscription_id=OTHER)), address="10.9.9.9")

    def judged(*owners: tuple[str, str]) -> Alarm:
        found = [
            Finding(
                f"H5:{'c' * 26}:{address}", "H5", Level.WARNING, Subject.ADDRESS, "c" * 26, "ilb", SUBSCRIPTION, address, address, SUBSCRIPTION, now,
                facts={"nic_key": nic_key, "vnis": [27]},
            )
            for address, nic_key in owners
        ]  # fmt: skip
        alarms_reconcile(fence=7, causes=fold(found), rows=[], all_subscription_ids=[], memory=None, now=now)
        return Alarm.objects.get()

    def told(*subscription_ids: str) -> str:
        client.force_login(people[subscription_ids])
        pages = [client.get(path) for path in ("/api/v1/alarms", f"/api/v1/alarms/{alarm.number}", "/alarms", f"/alarms/{alarm.spoken}", "/handover")]
        assert [one.status_code for one in pages] == [200] * len(pages)
        return "".join(one.content.decode() for one in pages)

    alarm = judged(("10.9.9.9", ""), ("203.0.113.7", ""))
    assert "10.9.9.9" in told(SUBSCRIPTION), "nobody's, so it is what the collector's people must look into"
    for owners in ((("10.9.9.9", theirs.key), ("203.0.113.7", "")), (("10.9.9.9", ""), ("203.0.113.7", ""))):  # at last the NIC is gone
        alarm = judged(*owners)
        assert "10.9.9.9" not in told(SUBSCRIPTION)
        assert "203.0.113.7" in told(SUBSCRIPTION)
        assert "10.9.9.9" in told(SUBSCRIPTION, OTHER)
        view = alarm_view(Scope.of([SUBSCRIPTION]), alarm, now=now)
        assert (len(view.children), view.more_children, view.is_hidden) == (1, 1, False)
    assert "203.0.113.7" not in told(OTHER)
    assert "ilb" not in told(OTHER)
    alarm = judged(("10.9.9.9", theirs.key))
    assert "10.9.9.9" not in told(SUBSCRIPTION)
    assert "one that you may not see" in alarm_view(Scope.of([SUBSCRIPTION]), alarm, now=now).sentence


def test_a_sentence_that_names_a_source_is_for_those_who_may_read_it() -> None:
    """One direction only (H7): folded by collector, and its sentence names the first of the sources."""
    now = timezone.now()
    HealthLease.objects.create(fence=7)
    found = Finding(
        f"H7:{'c' * 26}:{'n' * 26}", "H7", Level.NOTICE, Subject.SOURCE, "c" * 26, "ilb", SUBSCRIPTION, "nic-b", "n" * 26, OTHER, now,
        facts={"missing": "sent"},
    )  # fmt: skip
    (alarm,) = alarms_reconcile(fence=7, causes=fold([found]), rows=[], all_subscription_ids=[], memory=None, now=now)
    assert "nic-b" in alarm.sentence
    view = alarm_view(Scope.of([SUBSCRIPTION]), alarm, now=now)
    assert "nic-b" not in json.dumps([view.title, view.sentence, view.children])


def test_filters_and_counts() -> None:
    now = timezone.now()
    make_alarm(101, muted_until=now + timedelta(hours=1))
    make_alarm(102, severity="notice")
    make_alarm(103, owner="kim")
    make_alarm(104, state="cleared", cleared_at=now)
    everything = Scope.everything()
    assert [one.number for one in alarms(everything)] == [103, 102, 101, 104]
    assert [one.number for one in alarms(everything, AlarmFilter(is_muted=True), now=now)] == [101]
    assert [one.number for one in alarms(everything, AlarmFilter(q="A-103"))] == [103]
    assert [one.number for one in alarms(everything, AlarmFilter(owner="kim"))] == [103]
    counts = alarm_counts(everything, now=now)
    assert (counts.open, counts.untaken, counts.notices, counts.muted) == (1, 0, 1, 1)
    assert counts.next_ends_at == now + timedelta(hours=1)


# -- deeds


def test_take_note_mute_and_back() -> None:
    alarm, kim = make_alarm(), viewer(Role.OPERATOR, name="kim")
    alarm = alarm_take(alarm=alarm, acting_user=kim)
    assert (alarm.owner, alarm.acknowledged_by) == ("kim", "kim")
    alarm_note(alarm=alarm, text="called the network team", acting_user=kim)
    until = timezone.now() + timedelta(hours=4)
    alarm_mute(alarm=alarm, until=until, reason="known", acting_user=kim)
    alarm_unmute(alarm=alarm, acting_user=kim)
    alarm = alarm_release(alarm=alarm, acting_user=kim)
    assert (alarm.owner, alarm.note, alarm.muted_until) == ("", "called the network team", None)
    kinds = [one.kind for one in alarm.events.all()]
    assert kinds == ["raised", "taken", "noted", "muted", "unmuted", "released"]
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == [f"traffic.alarm_{one}" for one in kinds[1:]]
    assert OutboxEvent.objects.filter(kind="health", payload__deed="deed").count() == 5


def test_doing_it_again_changes_and_records_nothing() -> None:
    alarm, kim = make_alarm(), viewer(Role.OPERATOR, name="kim")
    for _ in range(2):
        alarm_take(alarm=alarm, acting_user=kim)
        alarm_acknowledge(alarm=alarm, acting_user=kim)
        alarm_unmute(alarm=alarm, acting_user=kim)
    assert [one.kind for one in alarm.events.all()] == ["raised", "taken"]


def test_a_mute_has_a_reason_and_an_end() -> None:
    alarm, kim, now = make_alarm(), viewer(Role.OPERATOR), timezone.now()
    for until, reason in ((now + timedelta(hours=1), " "), (now - timedelta(hours=1), "x"), (now + timedelta(days=31), "x")):
        with pytest.raises(ValidationError):
            alarm_mute(alarm=alarm, until=until, reason=reason, acting_user=kim)
    with pytest.raises(ValidationError):
        alarm_note(alarm=alarm, text=" ", acting_user=kim)


def test_a_viewer_only_reads(client: Client) -> None:
    make_alarm()
    with pytest.raises(ProblemError, match="operator"):
        alarm_take(alarm=Alarm.objects.get(), acting_user=viewer(Role.VIEWER, name="v"))
    signed_in(client, Role.VIEWER)
    assert client.post("/alarms/A-117/take").status_code == 403
    assert "an operator takes" in client.get("/alarms/A-117").content.decode()


# -- pages


def test_the_list_shows_open_ones_and_always_how_many_are_muted(client: Client) -> None:
    make_alarm(118, muted_until=timezone.now() + timedelta(hours=1))
    make_alarm()
    signed_in(client, Role.OPERATOR)
    page = client.get("/alarms").content.decode()
    assert page.index("/alarms/A-118") < page.index("/alarms/A-117")
    assert "Muted: 1, next ends" in page
    assert "2 sources affected." in page
    part = client.get("/alarms", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "1 open" in part
    assert "rail__count" in client.get("/alarms/counts").content.decode()
    assert "No such alarm" in client.get("/alarms?q=nothing").content.decode()


def test_one_alarm_has_its_way_children_and_history(client: Client) -> None:
    make_alarm()
    signed_in(client, Role.OPERATOR)
    page = client.get("/alarms/A-117").content.decode()
    for words in ("Peering, collector’s side", "⬢", "nic-a", "Happened before", "became Disconnected", "udp port 4789", "Raised"):
        assert words in page, words
    assert client.get("/alarms/A-117", headers={"HX-Request": "true"}).content.decode().startswith('<div id="alarm-part"')
    assert client.get("/alarms/A-999").status_code == 404


def test_whom_it_touches_is_told_with_what_is_known(client: Client) -> None:
    """Instants are the viewer's, with UTC at hand; those that are over stand last."""
    alarm = make_alarm()
    now = timezone.now()
    SourceFlow.objects.create(tap_configuration_key="t" * 26, collector_key="c" * 26, nic_key="b" * 26, first_at=now, last_at=now)
    alarm.children[0]["ended"] = now.isoformat()
    alarm.children[1]["rule_id"] = "H1"
    alarm.save()
    signed_in(client, Role.OPERATOR)
    page = client.get("/alarms/A-117").content.decode()
    rows = page[page.index('data-test="children"') :]
    assert rows.index("nic-b") < rows.index("nic-a")
    for words in ("can&#x27;t be seen since <time", "last packet seen <time", "over since <time", "no packet was ever seen"):
        assert words in rows, words
    assert not re.search(r">[^<]*\d{4}-\d\d-\d\dT", page)


def test_the_page_of_a_nic_shows_the_way_that_the_alarm_shows(client: Client) -> None:
    estate = make_estate()
    mirrored = next(nic for nic in estate.nics if nic.is_mirrored)
    signed_in(client, Role.VIEWER)
    assert f'hx-get="/nics/{mirrored.key}/way"' in client.get(f"/nics/{mirrored.key}").content.decode()
    part = client.get(f"/nics/{mirrored.key}/way").content.decode()
    for words in ("Peering, collector’s side", 'data-test="way"', f"udp port 4789 and src host {mirrored.private_ips[0]}"):
        assert words in part, words
    assert client.get(f"/nics/{'x' * 26}/way").status_code == 404
    signed_in(client, Role.OPERATOR, OTHER)
    assert client.get(f"/nics/{mirrored.key}/way").status_code == 404


def test_buttons_do_what_they_say(client: Client) -> None:
    make_alarm()
    signed_in(client, Role.OPERATOR)
    assert client.post("/alarms/A-117/take", {"back": "list"})["Location"] == "/alarms"
    assert client.post("/alarms/A-117/note", {"text": "called"})["Location"] == "/alarms/A-117"
    client.post("/alarms/A-117/mute", {"hours": "4", "reason": "known"})
    alarm = Alarm.objects.get()
    assert (alarm.note, alarm.mute_reason) == ("called", "known")
    assert "muted until" in client.get("/alarms/A-117").content.decode()
    client.post("/alarms/A-117/mute", {"hours": "4", "reason": ""})
    assert "Say why" in client.get("/alarms/A-117").content.decode()


def test_the_handover_tells_what_happened_who_took_it_and_what_is_open(client: Client) -> None:
    now = timezone.now()
    alarm_take(alarm=make_alarm(), acting_user=viewer(Role.OPERATOR, name="kim"))
    make_alarm(118, state="cleared", cleared_at=now, opened_at=now - timedelta(hours=1))
    make_alarm(119, state="cleared", opened_at=now - timedelta(days=2), cleared_at=now - timedelta(days=1))
    make_alarm(120, muted_until=now + timedelta(hours=1), mute_reason="known", muted_by="kim", owner="ada", note="ask Jo")
    told = handover(Scope.everything(), hours=8, now=now)
    assert [one.alarm.number for one in told.open] == [117]
    assert sorted(one.alarm.number for one in told.raised) == [117, 118, 120]
    assert [one.alarm.number for one in told.cleared] == [118]
    assert [one.kind for one in told.deeds] == ["taken"]
    signed_in(client, Role.VIEWER)
    page = client.get("/handover?hours=12").content.decode()
    assert "kim has it" in page
    for words in ("by kim: known", "ada has it", "ask Jo"):
        assert words in page, "a muted one is somebody's work, too"
    assert "the last 12 hours" in page
    assert "A-119" not in page


# -- API


def test_the_api_lists_and_acts(client: Client) -> None:
    make_alarm()
    make_alarm(118)
    body = client.get("/api/v1/alarms?limit=1", headers=bearer(Role.VIEWER)).json()
    assert (body["total"], body["open"], body["items"][0]["name"]) == (2, 2, "A-118")
    rest = client.get(f"/api/v1/alarms?limit=1&cursor={body['next']}", headers=bearer(Role.VIEWER)).json()
    assert ([one["number"] for one in rest["items"]], rest["next"]) == ([117], None)

    def post(path: str, role: Role, **given: Any) -> Any:
        return client.post(f"/api/v1/alarms/{path}", given, content_type="application/json", headers=bearer(role))

    assert post("117/take", Role.VIEWER).status_code == 403
    assert post("117/take", Role.OPERATOR).json()["owner"].startswith("token ")
    assert post("117/acknowledge", Role.OPERATOR).status_code == 200
    assert post("117/note", Role.OPERATOR, text="called").json()["note"] == "called"
    assert post("117/mute", Role.OPERATOR, reason="known").status_code == 422
    assert post("117/mute", Role.OPERATOR, reason="known", until="2099-01-01T00:00:00").status_code == 422
    assert post("117/mute", Role.OPERATOR, reason="known", hours=2).json()["muted_until"] is not None
    assert post("117/unmute", Role.OPERATOR).json()["muted_until"] is None
    assert post("117/release", Role.OPERATOR).json()["owner"] == ""
    assert post("999/take", Role.OPERATOR).status_code == 404
    hidden = client.get("/api/v1/alarms/117", headers=bearer(Role.VIEWER, OTHER)).json()
    assert (hidden["is_hidden"], hidden["note"], len(hidden["children"])) == (True, "", 1)


# -- maintenance


@pytest.fixture
def collector() -> CollectorFacts:
    found = collector_of(Scope.everything(), make_estate().tap.destination_key)
    assert found is not None
    return found


def test_maintenance_is_planned_and_ended(collector: CollectorFacts, client: Client) -> None:
    signed_in(client, Role.OPERATOR)
    address = f"/collectors/{collector.key}/maintenance"
    ends = (datetime.now(UTC) + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M")
    assert client.post(address, {"owner": "", "reason": "x", "ends_at": ends}).status_code == 400
    assert client.post(address, {"owner": "kim", "reason": "new kernel", "ends_at": ends}).status_code == 302
    row = CollectorMaintenance.objects.get()
    assert "new kernel" in client.get(address).content.decode()
    client.post(f"{address}/{row.pk}/end")
    row.refresh_from_db()
    assert row.ended_by == "operator-ann"
    assert "Nothing is planned" in client.get(address).content.decode()
    assert client.post(f"{address}/999/end").status_code == 404


def test_maintenance_needs_an_owner_a_reason_and_a_sensible_end(collector: CollectorFacts) -> None:
    kim, now = viewer(Role.OPERATOR), timezone.now()
    whole: dict[str, Any] = {"collector": collector, "owner": "kim", "reason": "x", "ends_at": now + timedelta(hours=1), "acting_user": kim}
    for wrong in ({"owner": " "}, {"reason": ""}, {"ends_at": now}, {"ends_at": now + timedelta(days=15)}, {"member_key": "m" * 26}):
        with pytest.raises(ValidationError):
            maintenance_plan(**{**whole, **wrong})
    with pytest.raises(ProblemError):
        maintenance_plan(**{**whole, "acting_user": viewer(Role.VIEWER)})
    row = maintenance_plan(**whole)
    assert maintenance_end(maintenance=maintenance_end(maintenance=row, acting_user=kim), acting_user=kim).ended_by == "operator-ann"


def test_maintenance_by_the_api(collector: CollectorFacts, client: Client) -> None:
    path = f"/api/v1/collectors/{collector.key}/maintenance"
    body = {"owner": "kim", "reason": "x", "ends_at": (timezone.now() + timedelta(hours=1)).isoformat()}

    def post(address: str, role: Role, given: Any) -> Any:
        return client.post(address, given, content_type="application/json", headers=bearer(role))

    assert post(path, Role.VIEWER, body).status_code == 403
    assert post(path, Role.OPERATOR, {**body, "ends_at": "2099-01-01T00:00:00"}).status_code == 422
    made = post(path, Role.OPERATOR, body)
    assert made.status_code == 201
    assert [one["id"] for one in client.get(path, headers=bearer(Role.VIEWER)).json()] == [made.json()["id"]]
    assert client.get(path, headers=bearer(Role.VIEWER, OTHER)).json() == []
    assert post(f"{path}/{made.json()['id']}/end", Role.OPERATOR, {}).json()["ended_at"] is not None
    assert post(f"{path}/999/end", Role.OPERATOR, {}).status_code == 404


# -- out of the house


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example/x", "http://hooks.example/x", "https://u:p@hooks.example/", "ftp://hooks.example/", "https://127.0.0.1/", "https://[::1]/",
        "https://10.9.9.9/", "not an address", "https://hooks.example.evil.example/",
    ],
)  # fmt: skip
def test_only_named_hosts_may_be_sent_to(url: str, settings: Settings) -> None:
    settings.TRAFFIC_WEBHOOK_HOSTS = ["hooks.example", "10.1.2.0/24"]
    with pytest.raises(RefusedError):
        gate().checked_url(url)
    assert gate().checked_url("https://hooks.example/x").hostname == "hooks.example"
    assert gate().checked_url("https://10.1.2.3/x").hostname == "10.1.2.3"
    settings.TRAFFIC_WEBHOOK_HOSTS = []
    with pytest.raises(RefusedError, match="is empty"):
        gate().checked_url("https://hooks.example/x")


def test_a_named_host_that_leads_inside_is_refused(settings: Settings) -> None:
    settings.TRAFFIC_WEBHOOK_HOSTS = ["localhost"]
    with pytest.raises(RefusedError, match="not public"):
        gate().reachable_address("localhost", 443)
    settings.TRAFFIC_WEBHOOK_HOSTS = ["localhost", "127.0.0.0/8", "::1/128"]
    assert gate().reachable_address("localhost", 443) in {"127.0.0.1", "::1"}


class Receiver:
    """A web server on loopback that keeps what it gets and answers `status`."""

    def __init__(self, status: int = 204) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(outer.status)
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                pass

        self.status = status
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook?x=1"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def test_a_message_is_signed_sent_and_tried_again(settings: Settings) -> None:
    settings.TRAFFIC_WEBHOOK_HOSTS = ["127.0.0.0/8"]
    receiver = Receiver(status=302)
    try:
        hook, secret = webhook_add(name="chat", url=receiver.url, acting_user=viewer(Role.ADMIN))
        alarm, now = make_alarm(), timezone.now()
        assert deliveries_add(alarm=alarm, what="raised", now=now) == 1
        assert deliveries_send(now=now) == 0
        row = AlarmDelivery.objects.get()
        assert (row.state, row.attempts) == ("waiting", 1)
        assert "redirects are not followed" in row.last_problem
        assert deliveries_send(now=now) == 0  # not due yet
        receiver.status = 204
        assert deliveries_send(now=now + timedelta(seconds=11)) == 1
    finally:
        receiver.close()
    headers, body = receiver.got[-1]
    assert headers["X-Vtapweb-Signature"] == signature(secret, headers["X-Vtapweb-Timestamp"], body)
    assert json.loads(body)["alarm"] == "A-117"
    assert secret == secret_of(hook.salt)
    assert secret not in json.dumps(list(Webhook.objects.values()), default=str)
    assert AlarmDelivery.objects.get().state == "sent"


def test_a_receiver_that_fails_holds_up_nobody_else(settings: Settings) -> None:
    settings.TRAFFIC_WEBHOOK_HOSTS = ["127.0.0.0/8"]
    failing, working = Receiver(status=500), Receiver(status=204)
    try:
        admin = viewer(Role.ADMIN)
        away, _ = webhook_add(name="away", url=failing.url, acting_user=admin)
        webhook_add(name="chat", url=working.url, acting_user=admin)
        alarm, now = make_alarm(), timezone.now()
        for _ in range(3):
            deliveries_add(alarm=alarm, what="raised", now=now)
        assert deliveries_send(now=now) == 3
        assert (len(failing.got), len(working.got)) == (1, 3)
        waiting = AlarmDelivery.objects.filter(webhook=away)
        assert sorted(waiting.values_list("attempts", flat=True)) == [0, 0, 1]
        assert not waiting.filter(next_at__lte=now).exists()
        failing.status = 204
        assert deliveries_send(now=now + timedelta(seconds=11)) == 3
    finally:
        failing.close()
        working.close()
    assert deliveries_trim(now=timezone.now() + timedelta(days=29)) == 0
    assert deliveries_trim(now=timezone.now() + timedelta(days=31)) == 6


def test_cleared_never_overtakes_raised_at_one_receiver(settings: Settings) -> None:
    settings.TRAFFIC_WEBHOOK_HOSTS = ["127.0.0.0/8"]
    settings.TRAFFIC_ALARM_EMAIL_TO = ["noc@example.org"]
    receiver = Receiver(status=500)
    try:
        webhook_add(name="chat", url=receiver.url, acting_user=viewer(Role.ADMIN))
        alarm, other, now = make_alarm(1), make_alarm(2), timezone.now()
        deliveries_add(alarm=alarm, what="raised", now=now)
        assert deliveries_send(now=now) == 1, "by e-mail"
        now += timedelta(seconds=11)
        assert deliveries_send(now=now) == 0, "the second attempt; the third is due in 30 s"
        for one, what in ((alarm, "cleared"), (other, "raised")):
            deliveries_add(alarm=one, what=what, now=now)
        receiver.status, before = 204, len(receiver.got)
        assert deliveries_send(now=now) == 3, "both by e-mail, and what the receiver is told of the other alarm"
        told = [json.loads(body) for _, body in receiver.got[before:]]
        assert [(one["alarm"], one["what"]) for one in told] == [("A-2", "raised")]
        assert deliveries_send(now=now + timedelta(seconds=29)) == 0
        assert deliveries_send(now=now + timedelta(seconds=31)) == 2
    finally:
        receiver.close()
    assert [json.loads(body)["what"] for _, body in receiver.got[before + 1 :]] == ["raised", "cleared"]
    assert [one.subject.split()[1:3] for one in mail.outbox] == [["A-1", "raised:"], ["A-1", "cleared:"], ["A-2", "raised:"]]


def test_a_run_ends_in_time(settings: Settings) -> None:
    settings.TRAFFIC_WEBHOOK_HOSTS = ["127.0.0.0/8"]
    receiver = Receiver(status=204)
    try:
        webhook_add(name="chat", url=receiver.url, acting_user=viewer(Role.ADMIN))
        alarm, now = make_alarm(), timezone.now()
        for _ in range(3):
            deliveries_add(alarm=alarm, what="raised", now=now)
        seconds = iter((0.0, 1.0, 26.0))
        assert deliveries_send(now=now, clock=lambda: next(seconds)) == 1
        assert deliveries_send(now=now) == 2
    finally:
        receiver.close()


def test_it_gives_up_after_some_attempts() -> None:
    waits = [wait_s(attempt) for attempt in range(1, ATTEMPTS + 1)]
    assert waits[-1] is None
    assert all(one is not None for one in waits[:-1])
    assert waits[:-1] == sorted(waits[:-1])  # type: ignore[type-var] # none of them is None


def test_nothing_is_sent_of_what_is_muted_or_too_small(settings: Settings) -> None:
    settings.TRAFFIC_WEBHOOK_HOSTS = ["127.0.0.0/8"]
    hook, _ = webhook_add(name="chat", url="http://127.0.0.1:1/", acting_user=viewer(Role.ADMIN))
    now = timezone.now()
    assert deliveries_add(alarm=make_alarm(1, severity="warning"), what="raised", now=now) == 0
    assert deliveries_add(alarm=make_alarm(2, muted_until=now + timedelta(hours=1)), what="raised", now=now) == 0
    assert deliveries_add(alarm=make_alarm(3), what="raised", now=now) == 1
    webhook_remove(webhook=hook, acting_user=viewer(Role.ADMIN, name="a2"))
    assert not AlarmDelivery.objects.exists()


def test_mail_is_off_unless_it_is_set(settings: Settings) -> None:
    now = timezone.now()
    assert deliveries_add(alarm=make_alarm(1), what="raised", now=now) == 0
    settings.TRAFFIC_ALARM_EMAIL_TO = ["noc@example.org"]
    assert deliveries_add(alarm=make_alarm(), what="raised", now=now) == 1
    assert deliveries_send(now=now) == 1
    assert mail.outbox[0].subject == "[vtapweb] A-117 raised: spoke ↔ hub"
    assert str(mail.outbox[0].body).endswith("\n/alarms/A-117")


def test_whoever_is_told_of_an_alarm_gets_a_link_to_it(settings: Settings) -> None:
    settings.TRAFFIC_ALARM_EMAIL_TO, settings.PUBLIC_URL = ["noc@example.org"], "https://vtap.example.com"
    deliveries_add(alarm=make_alarm(), what="raised", now=(now := timezone.now()))
    assert AlarmDelivery.objects.get().body["url"] == "https://vtap.example.com/alarms/A-117"
    assert deliveries_send(now=now) == 1
    assert str(mail.outbox[0].body).endswith("\nhttps://vtap.example.com/alarms/A-117")


def test_the_page_of_webhooks_is_an_admin_s(client: Client, settings: Settings) -> None:
    settings.TRAFFIC_WEBHOOK_HOSTS = ["127.0.0.0/8"]
    signed_in(client, Role.ADMIN)
    assert client.post("/settings/webhooks", {"name": "chat", "url": "https://evil.example/", "least_severity": "alarm"}).status_code == 400
    page = client.post("/settings/webhooks", {"name": "chat", "url": "https://127.0.0.1/", "least_severity": "alarm"}).content.decode()
    assert secret_of(Webhook.objects.get().salt) in page
    assert secret_of(Webhook.objects.get().salt) not in client.get("/settings/webhooks").content.decode()
    assert client.post(f"/settings/webhooks/{Webhook.objects.get().pk}/remove").status_code == 302
    client.force_login(person(Role.OPERATOR))
    assert "an admin of all subscriptions" in client.get("/settings/webhooks").content.decode()
    assert client.post("/settings/webhooks", {"name": "chat", "url": "https://127.0.0.1/", "least_severity": "alarm"}).status_code == 403


def test_the_page_of_webhooks_says_which_of_them_fails(client: Client, settings: Settings, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    settings.TRAFFIC_WEBHOOK_HOSTS = ["127.0.0.0/8"]
    settings.TRAFFIC_ALARM_EMAIL_TO = ["noc@example.org"]
    everything = Scope.everything()
    failing, working = Receiver(status=500), Receiver(status=204)
    try:
        admin = viewer(Role.ADMIN, name="a2")
        webhook_add(name="away", url=failing.url, acting_user=admin)
        webhook_add(name="chat", url=working.url, acting_user=admin)
        assert [(one.name, one.problem, one.sent_at) for one in receivers_shown(everything)] == [
            ("away", "", None), ("chat", "", None), ("E-mail", "", None),
        ]  # fmt: skip
        now = timezone.now()
        for number in range(3):
            deliveries_add(alarm=make_alarm(number), what="raised", now=now)
        deliveries_send(now=now)
        with django_assert_num_queries(4):
            away, chat, email = receivers_shown(everything)
        assert (away.waiting_count, away.attempts, away.next_at, away.sent_at) == (3, 1, now + timedelta(seconds=10), None)
        assert "500" in away.problem
        assert (chat.waiting_count, chat.problem, email.problem) == (0, "", "")
        assert None not in {chat.sent_at, email.sent_at}
        signed_in(client, Role.ADMIN)
        page = client.get("/settings/webhooks").content.decode()
        assert "tried 1 of 8 times, again" in page
        assert "noc@example.org" in page
        for attempt in range(1, ATTEMPTS):
            now += timedelta(seconds=wait_s(attempt) or 0)
            deliveries_send(now=now)
        AlarmDelivery.objects.filter(webhook=away.webhook, state="waiting").delete()
        given_up = receivers_shown(everything)[0]
        assert (given_up.next_at, given_up.attempts, given_up.waiting_count) == (None, ATTEMPTS, 0)
        assert "500" in given_up.problem
        failing.status = 204
        deliveries_add(alarm=make_alarm(9), what="raised", now=now)
        deliveries_send(now=now)
        assert receivers_shown(everything)[0].problem == "", "what came after it arrived"
    finally:
        failing.close()
        working.close()
    assert receivers_shown(Scope.of([SUBSCRIPTION])) == []
