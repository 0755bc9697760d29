"""What a display hears over the live socket, and what it does not."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from pytest_django.fixtures import Settings

from tests.live.sockets import Socket, in_thread, opened, subscribed, until
from tests.topology.people import bearer
from tests.valkey import Valkey
from tests.wall.making import let_in, make_display, make_viewer
from vtapweb.domain.scope import Scope
from vtapweb.events.bus import announce, record_event
from vtapweb.events.types import ChangeEvent, ChangeProgress, HealthEvent, Message, SyncEvent, SyncProgress, TopologyEvent
from vtapweb.live import consumers, door, hub, rates
from vtapweb.live import reports as live_reports
from vtapweb.live.messages import Numbered
from vtapweb.traffic.store import store
from vtapweb.wall.actions import display_identify, display_push, display_revoke, group_create, scene_switch
from vtapweb.wall.builtin import builtin_views
from vtapweb.wall.door import Seat
from vtapweb.wall.models import Display, DisplayKey, Scene
from vtapweb.wall.reports import REPORT as REPORT_KEY
from vtapweb.wall.reports import report_of, reports_keep, reports_of

pytestmark = pytest.mark.django_db(transaction=True)

MINE, THEIRS = "5a000000-0000-0000-0000-000000000001", "5a000000-0000-0000-0000-000000000002"


def cookie_of(display: Display) -> str:
    return let_in(display).cookies[django_settings.DISPLAY_COOKIE_NAME].value


def shown(cookie: str) -> dict[str, str]:
    return {"Cookie": f"{django_settings.DISPLAY_COOKIE_NAME}={cookie}"}


def record(event: Message, *subscription_ids: str) -> None:
    with transaction.atomic():
        record_event(event, subscription_ids=subscription_ids or None)


async def enters(name: str, **fields: Any) -> tuple[Display, str]:
    display = await in_thread(make_display)(name, **fields)
    return display, await in_thread(cookie_of)(display)


async def seqs_of(socket: Socket, count: int) -> list[tuple[str, int]]:
    heard: list[tuple[str, int]] = []
    while len(heard) < count:
        one = await socket.hears()
        if one["kind"] != "picture" and (not heard or one["seq"] != heard[-1][1]):
            heard.append((one["kind"], one["seq"]))
    return heard


AT = datetime(2026, 1, 1, tzinfo=UTC)
PROGRESS: list[Message] = [
    SyncProgress(run_id=1, subscription_id=MINE, state="running", at=AT),
    ChangeProgress(change_id=1, state="applying", at=AT),
]
ALL_EVENTS: list[tuple[Message, tuple[str, ...]]] = [
    (TopologyEvent(revision="r1", delta={"tables": {"name": ["secret"]}}), (MINE,)),
    (TopologyEvent(revision="r2", delta={"tables": {}}), (THEIRS,)),
    (SyncEvent(run_id=7, state="running"), (MINE,)),
    (ChangeEvent(change_id=9, state="applying"), (MINE,)),
    (HealthEvent(alarm=117, deed="raised", collector_key="secret"), (MINE,)),
]


async def test_a_display_hears_that_something_changed_and_never_what(valkey: Valkey) -> None:
    _, cookie = await enters("NOC-1", subscription_ids=[MINE])
    async with opened(shown(cookie)) as socket:
        hello = await socket.hears()
        assert hello["kind"] == "hello"
        at = hello["seq"]
        for event, ids in ALL_EVENTS:
            await in_thread(record)(event, *ids)
        expected = ["refetch", "tick", "tick", "tick", "tick"]
        assert await seqs_of(socket, 5) == [(kind, at + number) for number, kind in enumerate(expected, 1)]
        for message in PROGRESS:
            await in_thread(announce)(message, subscription_ids=[MINE])
        await in_thread(record)(TopologyEvent(revision="r3"), MINE)
        assert await seqs_of(socket, 1) == [("refetch", at + 6)]
        await socket.says(kind="resume", seq=at)
        assert await seqs_of(socket, 6) == [(kind, at + number) for number, kind in enumerate([*expected, "refetch"], 1)]


async def test_a_display_is_told_about_itself_and_its_group_and_no_other(valkey: Valkey) -> None:
    operator = await in_thread(make_viewer)()
    group = await in_thread(lambda: group_create(name="NOC", acting_user=operator))()
    first, first_cookie = await enters("NOC-1", group=group)
    second, second_cookie = await enters("NOC-2", group=group)
    _, third_cookie = await enters("Lobby")
    async with opened(shown(first_cookie)) as one, opened(shown(second_cookie)) as two, opened(shown(third_cookie)) as three:
        at = max([(await socket.hears())["seq"] for socket in (one, two, three)])
        await in_thread(lambda: display_identify(display=first, acting_user=operator))()
        assert await one.hears_event() == {"kind": "wall", "deed": "identify", "display": first.pk, "group": None, "seq": at + 1}
        assert await seqs_of(two, 1) == [("tick", at + 1)]
        await in_thread(lambda: scene_switch(group=group, scene=Scene.VISITORS, acting_user=operator))()
        for socket in (one, two):
            assert await socket.hears_event() == {"kind": "wall", "deed": "state", "display": None, "group": group.pk, "seq": at + 2}
        assert await seqs_of(three, 2) == [("tick", at + 1), ("tick", at + 2)]

        def are_masked() -> bool:
            return {client.seat.display_id for client in hub.hub_here().clients if client.seat is not None and client.seat.is_masked} == {
                first.pk, second.pk,
            }  # fmt: skip

        await until(lambda: asyncio.sleep(0, are_masked()))


async def test_a_revoked_display_is_closed_with_4410_at_once_by_the_event(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    display, cookie = await enters("NOC-1")
    operator = await in_thread(make_viewer)()
    async with opened(shown(cookie)) as socket:
        await socket.hears()
        monkeypatch.setattr(door, "LOOK_AGAIN_S", 3600.0)
        await in_thread(lambda: display_revoke(display=display, acting_user=operator))()
        assert await socket.closes() == consumers.REVOKED
    late = Socket(shown(cookie))
    assert await late.connects()
    assert await late.closes() == consumers.REVOKED
    await late.goes()


async def test_without_redis_the_door_closes_a_revoked_display(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REDIS_URL = ""
    monkeypatch.setattr(door, "LOOK_AGAIN_S", 0.05)
    monkeypatch.setattr(hub, "TICK_S", 3600.0)  # the counter does not help
    display, cookie = await enters("NOC-1")
    operator = await in_thread(make_viewer)()
    async with opened(shown(cookie)) as socket:
        await socket.hears()
        await in_thread(lambda: display_revoke(display=display, acting_user=operator))()
        assert await socket.closes() == consumers.REVOKED


def test_the_door_looks_at_displays_often_enough() -> None:
    """Two looks at most lie between a revocation and its end, whatever becomes of the event."""
    assert 2 * door.LOOK_AGAIN_S / door.LOOKS < 5.0


async def test_a_cookie_that_ended_is_closed_with_4401(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "LOOK_AGAIN_S", 0.05)
    _, cookie = await enters("NOC-1")
    async with opened(shown(cookie)) as socket:
        await socket.hears()
        await in_thread(DisplayKey.objects.all().delete)()
        assert await socket.closes() == consumers.SIGNED_OUT


@pytest.mark.parametrize("path", ["/ws/live", "/ws/live?as=display"])
async def test_which_cookie_counts(valkey: Valkey, path: str) -> None:
    """A browser at a desk may hold a session and a display's cookie: `?as=display` says which one is meant."""
    _, cookie = await enters("NOC-1")
    for headers, is_open in (
        ({**shown(cookie), **await in_thread(bearer)()}, True),
        (await in_thread(bearer)(), path == "/ws/live"),
        (shown("wrong"), False),
        ({}, False),
        ({**shown(cookie), "Authorization": "Bearer wrong"}, "as=" in path),
    ):
        socket = Socket(headers, path)
        assert await socket.connects()
        if is_open:
            assert (await socket.hears())["kind"] == "hello"
            (client,) = hub.hub_here().clients
            assert (client.seat is not None) is ("as=" in path)
        else:
            assert await socket.closes() == consumers.SIGNED_OUT
        await socket.goes()


REPORT = {"kind": "report", "version": "abc", "frames_per_s": 1.0, "drawn_ms": 4.5, "heap_octets": None, "errors": 0, "last_error": "",
          "view": 12, "size": [1920, 1080], "clock_off_s": -3600.5}  # fmt: skip


async def test_a_report_of_a_display_reaches_the_list(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_reports, "FLUSH_S", 0.01)
    display, cookie = await enters("NOC-1")
    async with opened(shown(cookie)) as socket, opened(await in_thread(bearer)()) as desk:
        for one in (socket, desk):
            await one.hears()
        for wrong in ({"frames_per_s": "fast"}, {"size": [1]}, {"errors": -1}, {"last_error": "x" * 2000}, {"kind": "else"}):
            await socket.says(**{**REPORT, **wrong})
        await desk.says(**REPORT)
        await socket.says(**REPORT, display=display.pk + 1)

        async def told() -> Any:
            return await in_thread(reports_of)([display.pk, display.pk + 1])

        await until(told)
        found = await told()
        assert list(found) == [display.pk]
        report = found[display.pk]
        assert (report.view, report.size, report.frames_per_s, report.clock_off_s, report.version) == (12, (1920, 1080), 1.0, -3600.5, "abc")


def test_a_report_that_another_release_wrote_hides_no_other(valkey: Valkey) -> None:
    now = datetime.now(UTC)
    report = report_of(REPORT, now=now)
    assert report is not None
    reports_keep({1: report})
    store().set(f"{REPORT_KEY}2", b"what is this")
    store().set(f"{REPORT_KEY}3", b"\x81\xa6errors\xff")
    assert reports_of([1, 2, 3, 4]) == {1: report}


def test_without_redis_nobody_knows(settings: Settings) -> None:
    settings.REDIS_URL = ""
    assert reports_of([1]) is None


async def test_a_push_reaches_the_display(valkey: Valkey) -> None:
    display, cookie = await enters("NOC-1")
    operator = await in_thread(make_viewer)()
    async with opened(shown(cookie)) as socket:
        await socket.hears()
        views = await in_thread(builtin_views)()
        await in_thread(lambda: display_push(display=display, view=views["map"], seconds=60, acting_user=operator))()
        assert (await socket.hears_event())["deed"] == "state"


def test_an_event_of_no_group_is_not_for_displays_of_none() -> None:
    event = Numbered(1, {"kind": "wall", "deed": "identify", "display": 1, "group": None}, None)
    seat = Seat(2, None, Scope.everything(), is_masked=False)
    assert not event.concerns(seat)
    assert json.loads(event.text_for_display(seat)) == {"kind": "tick", "seq": 1}


async def test_while_redis_never_answers_a_display_hears_that_we_are_here_and_nothing_is_measured(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "LOOK_S", 0.02)
    monkeypatch.setattr(rates, "BEAT_AFTER_S", 0.04)
    monkeypatch.setattr(rates, "STOPPED_AFTER_S", 0.3)
    _, cookie = await enters("NOC-1")
    async with opened(shown(cookie)) as socket:
        await subscribed(valkey)
        valkey.suspend()
        try:
            said = await socket.hears_rates()
            heard = [(await socket.hears())["kind"] for _ in range(10)]
        finally:
            valkey.resume()
        assert isinstance(said, dict)
        assert said["state"] == "stopped"
        assert heard == ["tick"] * 10, "silence would mean that we are gone"
        assert not socket.rates, "said once"
