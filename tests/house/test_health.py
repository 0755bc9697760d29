"""Probes: alive is not ready, reasons are for loopback and full tokens, strangers get a bare status."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client

from tests.taps.factories import make_change, make_step
from vtapweb.config.health import lacks, metrics, sync_lack, watch_lack
from vtapweb.inventory.models import SyncRun
from vtapweb.traffic.models import HealthLease

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
FAR = "203.0.113.9"


def run_ended(minutes_ago: float, state: str = "complete") -> None:
    at = NOW - timedelta(minutes=minutes_ago)
    SyncRun.objects.create(trigger="schedule", state=state, created_at=at, enqueued_at=at, started_at=at, finished_at=at)


def token(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    call_command("token_create", "--name", "probe", "--role", "viewer", *options)
    return next(word for word in capsys.readouterr().out.split() if len(word) > 30)


def test_alive_needs_no_database_host_or_login() -> None:
    answer = Client().get("/healthz", headers={"host": "10.1.2.3"})
    assert (answer.status_code, answer.json(), answer.headers["Cache-Control"]) == (200, {"status": "alive"}, "no-store")
    assert Client().post("/healthz").status_code == 405


@pytest.mark.django_db
def test_what_lacks_is_named_with_its_fix() -> None:
    """The tests' queue listens nowhere, and nothing was synced: both are told, and the database is not."""
    assert {lack.part for lack in lacks()} == {"redis", "watch", "sync"}
    assert [lack.text for lack in lacks() if lack.part == "sync"] == ["No sync has read anything yet. Run: bin/manage sync"]


@pytest.mark.django_db
def test_a_sync_that_read_something_is_enough_for_a_while() -> None:
    run_ended(1, "partial")
    assert sync_lack(now=NOW) is None
    lack = sync_lack(now=NOW + timedelta(minutes=30))
    assert lack is not None
    assert "ended 31 min ago" in lack.text


@pytest.mark.django_db
def test_a_watch_that_takes_its_turns_is_enough_and_one_that_died_is_told() -> None:
    assert watch_lack(now=NOW) is not None
    lease = HealthLease.objects.create(until=NOW + HealthLease.HELD_FOR)
    assert watch_lack(now=NOW + timedelta(seconds=25)) is None  # another one may be about to take over
    lack = watch_lack(now=NOW + timedelta(seconds=31))
    assert lack is not None
    assert lack.text == "No watch works (silent for 31 s), so no alarm is raised or cleared. Run: bin/manage watch"
    lease.until = None
    lease.save()
    assert watch_lack(now=NOW) is not None


@pytest.mark.django_db
def test_reasons_are_for_loopback_only_and_a_proxy_is_no_loopback(client: Client) -> None:
    near = client.get("/readyz")
    assert near.status_code == 503
    assert {reason["part"] for reason in near.json()["reasons"]} == {"redis", "watch", "sync"}
    for stranger in (
        client.get("/readyz", REMOTE_ADDR=FAR),
        client.get("/readyz", headers={"x-forwarded-for": FAR}),
        client.get("/readyz", headers={"cf-connecting-ip": FAR}),
        client.get("/readyz", headers={"authorization": "Bearer wrong"}, REMOTE_ADDR=FAR),
    ):
        assert (stranger.status_code, stranger.json()) == (503, {"status": "not ready"})


@pytest.mark.django_db
def test_metrics_are_for_loopback_or_a_token_for_everything(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert client.get("/metrics").status_code == 200
    refused = client.get("/metrics", REMOTE_ADDR=FAR)
    assert (refused.status_code, refused.headers["Content-Type"]) == (401, "application/problem+json")
    everything = token(capsys)
    limited = token(capsys, "--subscription", "11111111-2222-3333-4444-555555555555")
    assert client.get("/metrics", headers={"authorization": f"Bearer {everything}"}, REMOTE_ADDR=FAR).status_code == 200
    assert client.get("/metrics", headers={"authorization": f"Bearer {limited}"}, REMOTE_ADDR=FAR).status_code == 401


@pytest.mark.django_db
@time_machine.travel(NOW, tick=False)
def test_figures_say_unknown_where_nothing_is_known() -> None:
    text = metrics(now=NOW).decode()
    assert 'vtapweb_part_up{part="database"} 1.0' in text
    assert 'vtapweb_part_up{part="redis"} 0.0' in text
    assert 'vtapweb_part_up{part="worker"} NaN' in text
    assert "vtapweb_sync_age_seconds NaN" in text
    run_ended(2)
    assert "vtapweb_sync_age_seconds 120.0" in metrics(now=NOW).decode()
    assert 'vtapweb_sync_runs{state="complete"} 1.0' in metrics(now=NOW).decode()


@pytest.mark.django_db
@time_machine.travel(NOW, tick=False)
def test_changes_and_their_steps_are_counted_and_a_late_one_is_seen() -> None:
    assert "vtapweb_change_late_seconds 0.0" in metrics(now=NOW).decode()
    change = make_change(state="applying", next_due_at=NOW - timedelta(seconds=42))
    make_step(change, "nic-1", state="verified", sent_at=NOW, verified_at=NOW)
    make_step(change, "nic-2")
    text = metrics(now=NOW).decode()
    assert 'vtapweb_changes{state="applying"} 1.0' in text
    assert 'vtapweb_change_steps_total{action="put",state="verified"} 1.0' in text
    assert "vtapweb_change_late_seconds 42.0" in text
