"""`/collectors/<key>/prometheus`: who may say that a Prometheus is asked, what is refused, what is tried before it is kept, what is recorded."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qs

import pytest
import redis
from django.test import Client
from pytest_django.fixtures import Settings

from tests.inventory.factories import SUBSCRIPTION, Estate, make_estate
from tests.traffic.watching import collector_now, member_now
from tests.valkey import Valkey
from vtapweb.access.models import AuditEntry, Role, SubscriptionGrant, User
from vtapweb.traffic import keys
from vtapweb.traffic.actions.prometheus import prometheus_read
from vtapweb.traffic.models import PrometheusSource
from vtapweb.traffic.pulling.prometheus import REACH_MOST_S, AnswerError, Question, ask, expression, is_selector, points_of, window
from vtapweb.traffic.samples import Origin, Point, Points, decode_sample, encode

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

NOW_S = 1_800_000_000.0
SELECTOR = 'instance="10.0.1.5:9100"'


class Server:
    """A web server on loopback that keeps what it is asked and answers what it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], dict[str, list[str]]]] = []
        self.status = 200
        self.body: bytes = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}}).encode()
        self.location = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.asked.append((self.path, dict(self.headers), parse_qs(body)))
                self.send_response(outer.status)
                if outer.location:
                    self.send_header("Location", outer.location)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_said: object) -> None:
                """Says nothing: output is a failure."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/prom"

    def tells(self, *series: tuple[dict[str, str], list[tuple[float, str]]]) -> None:
        result = [{"metric": labels, "values": [list(pair) for pair in values]} for labels, values in series]
        self.body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    settings.TRAFFIC_PROMETHEUS_HOSTS = ["127.0.0.0/8"]
    settings.TRAFFIC_PROMETHEUS_CREDENTIALS = {"main": "bearer s3cret", "old": "basic vtap:hush"}
    with serving() as one:
        yield one


@pytest.fixture
def estate() -> Estate:
    return make_estate()


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_user("ada", role=Role.ADMIN, has_all_subscriptions=True))
    return client


def page_of(estate: Estate) -> str:
    return f"/collectors/{estate.tap.destination_key}/prometheus"


def form(server: Server, **given: str) -> dict[str, str]:
    return {"base_url": server.url, "selector": SELECTOR, "interval_s": "60", **given}


def two(octets: str = "105000", packets: str = "100", at_s: float = NOW_S) -> Any:
    return (
        ({"counter": "rx_bytes", "instance": "a"}, [(at_s - 60, octets), (at_s, octets)]),
        ({"counter": "rx_packets", "instance": "a"}, [(at_s - 60, packets), (at_s, packets)]),
    )


@pytest.mark.both_databases
def test_it_is_tried_kept_changed_and_removed(admin: Client, estate: Estate, server: Server, valkey: Valkey) -> None:
    assert "None. A Prometheus" in admin.get(page_of(estate)).content.decode()
    server.tells(*two())
    tried = admin.post(page_of(estate), form(server, test="1", credential="main")).content.decode()
    assert "prometheus:a" in tried
    assert "840" in tried
    assert not PrometheusSource.objects.exists(), "nothing is kept of a try"
    path, headers, query = server.asked[-1]
    assert (path, headers["Authorization"]) == ("/prom/api/v1/query_range", "Bearer s3cret")
    assert SELECTOR in query["query"][0]

    member_id = estate.collector.arm_id
    assert admin.post(page_of(estate), form(server, credential="old", member_id=member_id)).status_code == 302
    source = PrometheusSource.objects.get()
    assert (source.credential, source.member_key, source.subscription_id) == ("old", estate.collector.key, SUBSCRIPTION)
    assert admin.post(f"{page_of(estate)}/{source.pk}", form(server, interval_s="30")).status_code == 302
    source.refresh_from_db()
    assert (source.interval_s, source.credential, source.member_key) == (30, "", "")
    assert admin.post(f"{page_of(estate)}/{source.pk}/remove").status_code == 302
    assert not PrometheusSource.objects.exists()
    audited = list(AuditEntry.objects.filter(action__startswith="traffic.prometheus").order_by("pk").values_list("action", flat=True))
    assert audited == ["traffic.prometheus_added", "traffic.prometheus_changed", "traffic.prometheus_removed"]
    kept = json.dumps([*AuditEntry.objects.values("detail", "target")], default=str)
    assert "s3cret" not in kept
    assert "hush" not in kept


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"selector": ""}, "all machines would be summed"),
        ({"selector": 'instance="a"} or vector(1) #'}, "Name the machine by labels"),
        ({"interval_s": "5"}, "greater than or equal to 10"),
        ({"base_url": "https://10.9.9.9"}, "lies in none of the networks"),
        ({"base_url": "https://prometheus.example.com"}, "is not in VTAPWEB_TRAFFIC_PROMETHEUS_HOSTS"),
        ({"base_url": "https://ada:pass@127.0.0.1"}, "without user and password"),
        ({"base_url": "file:///etc/passwd"}, "Give an https"),
        ({"credential": "nobody"}, "not one of the available choices"),
        ({"member_id": "/subscriptions/x"}, "not one of the available choices"),
    ],
)
def test_what_cannot_be_asked_is_refused(admin: Client, estate: Estate, server: Server, given: dict[str, str], told: str) -> None:
    for more in ({}, {"test": "1"}):
        answer = admin.post(page_of(estate), form(server, **given, **more))
        assert answer.status_code == 400
        assert told in answer.content.decode()
    assert not PrometheusSource.objects.exists()
    assert server.asked == []


def test_a_credential_goes_out_over_tls_or_to_loopback_only(admin: Client, estate: Estate, server: Server, settings: Settings) -> None:
    settings.TRAFFIC_PROMETHEUS_HOSTS = ["10.0.0.0/8"]
    given = form(server, base_url="http://10.0.0.1:9090")
    assert admin.post(page_of(estate), {**given, "credential": "main"}).status_code == 400
    assert admin.post(page_of(estate), given).status_code == 302


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_others_look_and_change_nothing(client: Client, estate: Estate, server: Server, role: Role) -> None:
    client.force_login(User.objects.create_user("vi", role=role, has_all_subscriptions=True))
    assert 'data-test="why-not"' in client.get(page_of(estate)).content.decode()
    for more in ({}, {"test": "1"}):
        assert client.post(page_of(estate), form(server, **more)).status_code == 403
    assert server.asked == []
    assert not PrometheusSource.objects.exists()


@pytest.mark.both_databases
def test_out_of_scope_it_is_not_there(client: Client, estate: Estate, server: Server) -> None:
    stranger = User.objects.create_user("sam", role=Role.OPERATOR)
    SubscriptionGrant.objects.create(user=stranger, subscription_id="5b000000-0000-0000-0000-000000000002")
    source = kept(estate, server)
    client.force_login(stranger)
    for path in (page_of(estate), f"{page_of(estate)}/{source.pk}"):
        assert client.get(path).status_code == 404
        assert client.post(path, form(server)).status_code == 404
    assert client.post(f"{page_of(estate)}/{source.pk}/remove").status_code == 403
    assert PrometheusSource.objects.exists()


def kept(estate: Estate, server: Server, **given: Any) -> PrometheusSource:
    return PrometheusSource.objects.create(**{
        "destination_key": estate.tap.destination_key, "destination_id": estate.tap.destination_id, "subscription_id": SUBSCRIPTION,
        "base_url": server.url, "selector": SELECTOR, "interval_s": 60, "by": "ada", "at": "2026-11-22T00:00:00Z", **given,
    })  # fmt: skip


# -- asking


def stream(client: "redis.Redis") -> list[Points]:
    found = cast("list[tuple[bytes, dict[bytes, bytes]]]", client.xrange(keys.SAMPLES))
    client.delete(keys.SAMPLES)
    return [cast("Points", decode_sample(fields[b"b"])) for _, fields in found]


@pytest.mark.both_databases
def test_refusals_are_said_on_the_collectors_page_and_asked_again(admin: Client, estate: Estate, server: Server, valkey: Valkey) -> None:
    client = redis.Redis.from_url(valkey.url)
    kept(estate, server)
    server.status, server.body = 422, b'{"status": "error", "error": "too many samples"}'
    assert prometheus_read(client, now_s=NOW_S) == 0
    key = estate.tap.destination_key
    page = admin.get(f"/collectors/{key}").content.decode()
    assert "Prometheus was asked about " in page
    assert "It answered 422: too many samples" in page
    (asked,) = admin.get(f"/api/v1/collectors/{key}").json()["asked"]
    assert (asked["origin"], asked["problem"], asked["told_at"]) == ("prometheus", "It answered 422: too many samples", None)
    assert "It answered 422" in admin.get(page_of(estate)).content.decode()
    server.status = 200
    server.tells(*two())
    assert prometheus_read(client, now_s=NOW_S + 30) == 0
    assert prometheus_read(client, now_s=NOW_S + 60) == 1
    (sample,) = stream(client)
    assert (sample.member, sample.lag_s, sample.points[-1]) == ("prometheus:a", 60.0, Point(int(NOW_S * 1000), 100.0, 105_000.0))
    (asked,) = admin.get(f"/api/v1/collectors/{key}").json()["asked"]
    assert (asked["problem"], asked["lag_s"]) == ("", 60.0)
    client.set(f"{keys.PULLING}prometheus", "1")
    assert prometheus_read(client, now_s=NOW_S + 600) is None


@pytest.mark.both_databases
def test_what_a_removed_one_told_counts_no_longer(
    admin: Client, estate: Estate, server: Server, valkey: Valkey, django_capture_on_commit_callbacks: Any
) -> None:
    client = redis.Redis.from_url(valkey.url)
    source = kept(estate, server)
    client.hset(keys.NOW, source.destination_key, encode(collector_now(source.destination_key, member_now(NOW_S, origin=Origin.PROMETHEUS))))
    with django_capture_on_commit_callbacks(execute=True):
        admin.post(f"{page_of(estate)}/{source.pk}/remove")
    (sample,) = stream(client)
    assert (sample.member, sample.origin, sample.points) == ("m-1", Origin.PROMETHEUS, [])


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (302, b"", "redirects are not followed"),
        (401, b"", "another credential"),
        (200, b"<html>", "not as a Prometheus does"),
        (200, b'{"status": "success"}', "not Prometheus' own"),
        (200, b"[" * 100_000, "not as a Prometheus does"),
        (503, b'{"error": 7}', "It answered 503: 7"),
    ],
)
def test_what_is_no_answer_is_said(server: Server, status: int, body: bytes, told: str) -> None:
    server.status, server.body, server.location = status, body, "http://127.0.0.1:1/" if status == 302 else ""
    with pytest.raises(AnswerError, match=told):
        ask(Question("c" * 26, server.url, 60, SELECTOR), now_s=NOW_S)


def test_a_credential_that_the_environment_lacks_is_said(server: Server) -> None:
    with pytest.raises(AnswerError, match="VTAPWEB_TRAFFIC_PROMETHEUS_CREDENTIAL_GONE"):
        ask(Question("c" * 26, server.url, 60, SELECTOR, credential="gone"), now_s=NOW_S)
    ask(Question("c" * 26, server.url, 60, SELECTOR, credential="old"), now_s=NOW_S)
    assert server.asked[-1][1]["Authorization"] == "Basic dnRhcDpodXNo"


def test_values_that_are_none_are_no_points() -> None:
    asked = Question("c" * 26, "", 60, SELECTOR, member="m")
    result = [
        {"metric": {"counter": "rx_bytes"}, "values": [[60, "NaN"], [120, "-1"], [180, "+Inf"], [240, "8"], [1e300, "1"], "x", [1]]},
        {"metric": {"counter": "rx_dropped"}, "values": [[240, "1"], [300, "1"]]},
        {"metric": {"counter": "udp_rcvbuf_errors"}, "values": [[240, "2"]]},
        {"metric": 7}, None,
    ]  # fmt: skip
    (sample,) = points_of(asked, {"status": "success", "data": {"result": result}}, now_s=300)
    assert sample.points == [Point(240_000, None, 8.0, 3.0)]


@pytest.mark.parametrize("text", ['a="b"', 'a =~ "b.*", c!="d\\"e",', " job!~'x'", "a=b", 'a="b"}', "", 'a="b" or up'])
def test_a_selector_is_label_matchers_and_nothing_else(text: str) -> None:
    assert is_selector(text) == (text in {'a="b"', 'a =~ "b.*", c!="d\\"e",'})


def test_the_window_is_of_whole_settled_steps() -> None:
    assert window(Question("c", "", 60), 1_000.0) == (360, 960)
    assert window(Question("c", "", 3600), 10_000.0) == (3600, 7200)
    first, last = window(Question("c", "", 300), 100_000.0)
    assert last - first <= REACH_MOST_S
    assert "[60s]" in expression(Question("c", "", 60, SELECTOR))
