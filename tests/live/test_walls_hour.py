"""One hour of ticks before fifty displays: what the process holds ends where it began."""

import asyncio
import gc
import json
import sys
from collections.abc import Callable

import pytest

from tests.live.meters import Meter
from tests.live.sockets import Socket, in_thread, subscribed
from tests.live.test_displays import enters, shown
from tests.live.test_walls import counted, picture_with, raise_alarm, ticked
from tests.valkey import Valkey
from tests.wall.playing import reports
from tests.wall.secrets import played
from vtapweb.inventory.models import TapConfiguration
from vtapweb.traffic.keys import RATES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]

DISPLAYS = 50
WARM_S, HOUR_S = 600, 3600
TOGETHER_S = 60  # so many ticks are played at once
COMES_BACK_EVERY_S, ALARM_EVERY_S = 300, 600
MOST_GROWTH = 3000  # blocks; one for each tick would be 3,600, one for each frame that is given 180,000
REPORT = {
    "version": "v1",
    "frames_per_s": 1.0,
    "drawn_ms": 4.0,
    "drawn_ago_ms": 300,
    "heap_octets": 7_000_000,
    "errors": 0,
    "last_error": "",
    "view": 1,
}


def read_all(socket: Socket) -> int:
    """Takes everything that has come; the number of the newest frame in it, 0 without one."""
    queue: asyncio.Queue[dict[str, object]] = socket.communicator.output_queue
    newest = 0
    while not queue.empty():
        octets = queue.get_nowait().get("bytes")
        if isinstance(octets, bytes):
            newest = int.from_bytes(octets[:4], "little")
    return newest


def blocks_held() -> int:
    """Of Python's memory, by number: counting them costs nothing, and whatever is kept of each tick is one at least."""
    gc.collect()
    return sys.getallocatedblocks()


async def test_an_hour_of_ticks_before_fifty_displays_leaves_the_hub_as_it_was(
    valkey: Valkey, record_property: Callable[[str, object], None]
) -> None:
    estate = await in_thread(played)()
    key = estate.tap.destination_key
    mirrors = await in_thread(lambda: list(TapConfiguration.objects.values_list("key", flat=True)))()
    cookies = [(await enters(f"NOC-{number}"))[1] for number in range(DISPLAYS)]
    sockets = [Socket(shown(cookie)) for cookie in cookies]
    assert all([await socket.connects() for socket in sockets])
    try:
        meter = Meter(valkey)
        await in_thread(meter.lists)(mirrors, [key])
        await subscribed(valkey, RATES)
        await ticked(meter, sockets)
        second = alarms = 0

        async def plays(seconds: int) -> None:
            nonlocal second, alarms
            for _ in range(seconds // TOGETHER_S):
                second += TOGETHER_S
                await in_thread(meter.ticks)({key: 1e9 + second}, seconds=TOGETHER_S)
                waiting = set(sockets)
                async with asyncio.timeout(60):
                    while waiting := {socket for socket in waiting if read_all(socket) < meter.seq}:
                        await asyncio.sleep(0)
                for socket in sockets[:: DISPLAYS // 5]:
                    await socket.says(kind="report", size=[1920, 1080], clock_off_s=second, **REPORT)
                await in_thread(reports)(key, 1e9 + second)
                if second % COMES_BACK_EVERY_S == 0:
                    place = second // COMES_BACK_EVERY_S % DISPLAYS
                    await sockets[place].goes()
                    sockets[place] = Socket(shown(cookies[place]))
                    assert await sockets[place].connects()
                if second % ALARM_EVERY_S == 0:
                    alarms += 1
                    await in_thread(raise_alarm)(200 + alarms)
                    await picture_with(sockets[0], 200 + alarms)

        await plays(WARM_S)
        made, before = counted("vtapweb_live_frames_made_total"), blocks_held()
        await plays(HOUR_S)
        after = blocks_held()
        assert counted("vtapweb_live_frames_made_total") - made <= HOUR_S
        record_property("held", json.dumps({"before": before, "after": after}))
        assert after - before < MOST_GROWTH
    finally:
        for socket in sockets:
            await socket.goes()
