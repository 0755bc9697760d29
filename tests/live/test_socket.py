"""The socket's promises: every number in order, to each viewer his own part, and honest words where something was lost."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
import redis
import websockets
from django.db import transaction
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.live.sockets import Socket, in_thread, opened, publish_large, served, subscribed, until
from tests.topology.people import bearer
from tests.valkey import Valkey
from vtapweb.access.models import ApiToken
from vtapweb.events.bus import EVENTS_CHANNEL, announce, record_event
from vtapweb.events.models import OutboxEvent
from vtapweb.events.types import ChangeEvent, ChangeProgress, StepProgress, SyncEvent, SyncProgress, TopologyEvent
from vtapweb.live import consumers, door, hub

pytestmark = pytest.mark.django_db(transaction=True)

MINE, THEIRS = "5a000000-0000-0000-0000-000000000001", "5a000000-0000-0000-0000-000000000002"


def record(*subscription_ids: str, revision: str = "r1") -> int:
    with transaction.atomic():
        return record_event(TopologyEvent(revision=revision, delta={"tables": {}}), subscription_ids=subscription_ids or None)


def progress(subscription_id: str) -> None:
    message = SyncProgress(run_id=1, subscription_id=subscription_id, state="running", at=datetime(2026, 1, 1, tzinfo=UTC))
    announce(message, subscription_ids=[subscription_id])


async def test_each_viewer_gets_his_part_of_every_number(valkey: Valkey) -> None:
    everything, mine, theirs = [await in_thread(bearer)(*ids) for ids in ((), (MINE,), (THEIRS,))]
    async with opened(everything) as a, opened(mine) as b, opened(theirs) as c:
        for socket in (a, b, c):
            hello = await socket.hears_event()
            assert (hello["kind"], hello["seq"], hello["revision"]) == ("hello", 0, "r0")
            assert datetime.fromisoformat(hello["server_time"]).tzinfo is not None
        await in_thread(record)(MINE)
        assert await a.hears_event() == {"kind": "topology", "seq": 1, "revision": "r1", "delta": {"tables": {}}, "is_refetch": False}
        assert await b.hears_event() == {"kind": "topology", "seq": 1, "revision": "r1", "delta": None, "is_refetch": True}
        assert await c.hears_event() == {"kind": "tick", "seq": 1}
        await in_thread(progress)(THEIRS)
        assert (await c.hears_event())["kind"] == "sync_progress"
        await in_thread(record)()
        assert [(await socket.hears_event())["kind"] for socket in (a, b, c)] == ["sync_progress", "topology", "topology"]


async def test_gaps_are_filled_and_doubles_dropped(valkey: Valkey, settings: Settings) -> None:
    headers = await in_thread(bearer)()
    async with opened(headers) as socket:
        await socket.hears_event()
        settings.REDIS_URL = ""  # these two are stored but nobody is told
        await in_thread(record)(revision="r1")
        await in_thread(record)(revision="r2")
        settings.REDIS_URL = valkey.url
        await in_thread(record)(revision="r3")
        assert [(await socket.hears_event())["seq"] for _ in range(3)] == [1, 2, 3]
        with redis.Redis.from_url(valkey.url) as client:
            for body in (b"no json", b'{"seq": 2, "event": {"kind": "topology"}, "subscription_ids": null}', b"{}"):
                client.publish(EVENTS_CHANNEL, body)
        await in_thread(record)(revision="r4")
        assert (await socket.hears_event())["seq"] == 4


async def test_a_message_that_never_came_is_noticed_by_the_counter(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REDIS_URL = ""
    monkeypatch.setattr(hub, "TICK_S", 0.02)
    async with opened(await in_thread(bearer)()) as socket:
        await socket.hears_event()
        await in_thread(record)(revision="r9")
        heard = await socket.hears_event()
        assert (heard["kind"], heard["seq"], heard["revision"]) == ("topology", 1, "r9")
        assert await socket.hears() == {"kind": "tick", "seq": 1}


async def test_resume_replays_what_is_kept_and_says_refetch_where_it_is_not(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 5):
        await in_thread(record)(MINE if number % 2 else THEIRS, revision=f"r{number}")
    async with opened(await in_thread(bearer)(MINE)) as socket:
        assert (await socket.hears_event())["seq"] == 4
        await socket.says(kind="resume", seq=1)
        assert [(heard["kind"], heard["seq"]) for heard in [await socket.hears() for _ in range(4)]] == [
            ("tick", 2), ("topology", 3), ("tick", 4), ("tick", 4),
        ]  # fmt: skip
        for seq in (9, -1):
            await socket.says(kind="resume", seq=seq)
            assert await socket.hears() == {"kind": "refetch", "seq": 4}
        await in_thread(OutboxEvent.objects.filter(seq=2).delete)()
        await socket.says(kind="resume", seq=1)
        assert await socket.hears() == {"kind": "refetch", "seq": 4}
        monkeypatch.setattr(hub, "MOST_REPLAYED", 1)
        await socket.says(kind="resume", seq=2)
        assert await socket.hears() == {"kind": "refetch", "seq": 4}
        for nonsense in ("[]", "{", '{"kind": "resume", "seq": "1"}', '{"kind": "resume", "seq": true}', "x" * 10_000):
            await socket.says_text(nonsense)
        await socket.says(kind="resume", seq=4)
        assert await socket.hears() == {"kind": "tick", "seq": 4}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Cookie": "sessionid=wrong"}])
async def test_strangers_are_closed_with_4401_and_hear_nothing(headers: dict[str, str]) -> None:
    socket = Socket(headers, "/ws/live?token=secret")
    assert await socket.connects()
    assert await socket.closes() == consumers.SIGNED_OUT
    await socket.goes()


@pytest.mark.parametrize(
    ("host", "origin", "is_open"),
    [
        ("testserver", "http://testserver", True),
        ("LOCALHOST:8000", "http://localhost:8000", True),
        ("[::1]:8000", "http://[::1]:8000", True),
        ("inside:8000", "https://vtap.example.com", True),  # a proxy with a name of its own, which the settings trust
        ("inside:8000", "http://vtap.example.com", False),
        ("localhost:8000", "http://localhost:3000", False),  # another program's page: cookies know no port
        ("localhost:8000", "http://127.0.0.1:8000", False),
        ("evil.example", "http://evil.example", False),  # a name that was made to lead here (DNS rebinding)
        ("localhost:8000", "https://evil.example", False),
        ("localhost:8000", "null", False),
    ],
)
async def test_only_our_own_pages_may_open_it(valkey: Valkey, settings: Settings, host: str, origin: str, is_open: bool) -> None:
    settings.ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1", "[::1]"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://vtap.example.com"]
    socket = Socket({**await in_thread(bearer)(), "Host": host, "Origin": origin})
    assert await socket.connects() is is_open
    await socket.goes()


async def test_another_address_is_refused() -> None:
    socket = Socket({}, "/ws/other")
    assert not await socket.connects()
    await socket.goes()


async def test_a_revoked_token_closes_the_socket_and_other_grants_mean_another_picture(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "LOOK_AGAIN_S", 0.02)
    async with opened(await in_thread(bearer)(MINE)) as socket:
        await socket.hears_event()
        await in_thread(ApiToken.objects.update)(subscription_ids=[THEIRS])
        assert (await socket.hears_event())["kind"] == "refetch"
        await in_thread(ApiToken.objects.update)(revoked_at=timezone.now())
        assert await socket.closes() == consumers.SIGNED_OUT


async def test_a_valkey_that_was_killed_is_found_again(valkey: Valkey) -> None:
    async with opened(await in_thread(bearer)()) as socket:
        await socket.hears_event()
        await in_thread(valkey.kill)()
        await in_thread(record)(revision="r1")  # stored, told to nobody
        await in_thread(valkey.start)()
        assert (await socket.hears_event())["revision"] == "r1"
        await subscribed(valkey)
        await in_thread(record)(revision="r2")
        assert (await socket.hears_event())["revision"] == "r2"


async def test_over_a_real_server_a_client_that_does_not_read_costs_no_memory_and_holds_up_nobody(
    valkey: Valkey,
) -> None:
    """uvicorn and Valkey, [reader] and [sleeper] on one process: the reader hears every number, the sleeper later one call to read again."""
    headers = await in_thread(bearer)()
    count = 400
    async with served() as url:
        async with (
            websockets.connect(url, additional_headers=headers, compression=None) as reader,
            websockets.connect(url, additional_headers=headers, compression=None, max_queue=1) as sleeper,
        ):
            assert json.loads(await reader.recv())["kind"] == "hello"
            assert json.loads(await sleeper.recv())["kind"] == "hello"
            await subscribed(valkey)
            async with asyncio.timeout(60):
                for seq in range(1, count + 1):
                    publish_large(valkey, seq)
                    while (message := json.loads(await reader.recv()))["kind"] in {"tick", "rates"}:
                        pass
                    assert (message["kind"], message["seq"]) == ("topology", seq)
            waiting = [client.mailbox.waiting for client in hub.hub_here().clients]
            assert max(waiting) <= 258
            assert max(waiting) > 0
            async with asyncio.timeout(60):
                while (message := json.loads(await sleeper.recv()))["kind"] != "refetch":
                    pass
        await until(lambda: asyncio.sleep(0, not hub.hub_here().clients))


async def test_a_sync_event_reaches_those_it_concerns(valkey: Valkey) -> None:
    def run_state() -> None:
        with transaction.atomic():
            record_event(SyncEvent(run_id=7, state="running"), subscription_ids=[MINE])

    async with opened(await in_thread(bearer)(MINE)) as mine, opened(await in_thread(bearer)(THEIRS)) as theirs:
        await mine.hears_event()
        await theirs.hears_event()
        await in_thread(run_state)()
        assert await mine.hears_event() == {"kind": "sync", "seq": 1, "run_id": 7, "state": "running"}
        assert await theirs.hears_event() == {"kind": "tick", "seq": 1}


async def test_a_change_is_told_to_those_alone_who_may_read_all_it_touches(valkey: Valkey) -> None:
    def moves() -> None:
        with transaction.atomic():
            record_event(ChangeEvent(change_id=4, state="applying"), subscription_ids=[MINE, THEIRS])
        for step_id in (1, 2):
            step = StepProgress(step_id=step_id, ordinal=step_id, wave=1, nic_key="n", target_key="t", state="sent")
            message = ChangeProgress(change_id=4, state="applying", counts={"sent": step_id}, step=step, at=datetime(2026, 1, 1, tzinfo=UTC))
            announce(message, subscription_ids=[MINE, THEIRS])
        with transaction.atomic():
            record_event(SyncEvent(run_id=7, state="running"), subscription_ids=[MINE])

    async with opened(await in_thread(bearer)()) as everything, opened(await in_thread(bearer)(MINE)) as mine:
        await everything.hears_event()
        await mine.hears_event()
        await in_thread(moves)()
        assert await everything.hears_event() == {"kind": "change_state", "seq": 1, "change_id": 4, "state": "applying", "stop_code": ""}
        heard = [await everything.hears_event() for _ in range(3)]  # each step has a place of its own among the latest; the numbered may overtake
        assert sorted(one["step"]["step_id"] for one in heard if one["kind"] == "change") == [1, 2]
        assert await mine.hears_event() == {"kind": "tick", "seq": 1}
        assert (await mine.hears_event())["kind"] == "sync"
