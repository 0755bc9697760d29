"""What displays are sent beside frames: one picture for all that see the same, at once when something happened, and no name in front of visitors."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import orjson
import pytest
from django.db import transaction
from prometheus_client import REGISTRY

from tests.inventory.factories import make_estate
from tests.live.meters import Meter
from tests.live.sockets import Socket, in_thread, opened, subscribed, until
from tests.live.test_displays import enters, shown
from tests.traffic.alarms import OTHER, make_alarm
from tests.valkey import Valkey
from tests.wall.making import make_viewer
from tests.wall.playing import reports
from tests.wall.secrets import names_nothing, played, secrets_of
from vtapweb.events.bus import record_event
from vtapweb.events.types import HealthEvent
from vtapweb.inventory.models import TapConfiguration
from vtapweb.live import door
from vtapweb.live.door import who_are
from vtapweb.topology.actions import topology_refresh
from vtapweb.traffic.keys import RATES
from vtapweb.wall.actions import group_create, scene_switch
from vtapweb.wall.models import Scene

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0.0


def raise_alarm(number: int) -> None:
    with transaction.atomic():
        make_alarm(number)
        record_event(HealthEvent(alarm=number, deed="raised"), subscription_ids=None)


async def picture_with(socket: Socket, number: int) -> dict[str, Any]:
    """The first picture that tells this alarm."""
    async with asyncio.timeout(20):
        while True:
            picture = await socket.hears_picture()
            if number in {one["number"] for one in picture["alarms"]}:
                return picture


async def test_a_display_gets_a_picture_at_once_and_another_when_something_happens(valkey: Valkey) -> None:
    await in_thread(played)()
    _, cookie = await enters("NOC-1")
    async with opened(shown(cookie)) as socket:
        first = await socket.hears_picture()
        assert [one["name"] for one in first["collectors"]] == ["nic-packetlog"]
        await in_thread(raise_alarm)(131)
        assert (await picture_with(socket, 131))["at_ms"] > first["at_ms"]


async def test_what_does_not_change_is_told_again_with_a_later_moment(valkey: Valkey) -> None:
    _, cookie = await enters("NOC-1")
    async with opened(shown(cookie)) as socket:
        first = await socket.hears_picture()
        again = await socket.hears_picture()
    assert again["at_ms"] > first["at_ms"]


async def test_people_get_no_pictures_and_each_scope_its_own(valkey: Valkey) -> None:
    def two() -> str:
        make_estate()
        other = make_estate(subscription_id=OTHER)
        topology_refresh()
        reports(other.tap.destination_key, 1e9)
        return other.tap.destination_key

    theirs = await in_thread(two)()
    _, everything = await enters("NOC-1")
    _, part = await enters("NOC-2", subscription_ids=[OTHER])
    async with opened(shown(everything)) as one, opened(shown(part)) as two_:
        assert len((await one.hears_picture())["collectors"]) == 2
        assert [one["key"] for one in (await two_.hears_picture())["collectors"]] == [theirs]


class Octets(Socket):
    """Keeps all that it was sent."""

    everything: list[bytes]

    async def next_picture(self) -> bytes:
        async with asyncio.timeout(30):
            while True:
                sent = await self.communicator.receive_output(timeout=10)
                if "text" in sent and json.loads(sent["text"])["kind"] == "picture":
                    return bytes(sent["text"].encode())

    async def forget(self) -> None:
        """All that was sent up to now."""
        while not self.communicator.output_queue.empty():
            await self.communicator.receive_output(timeout=10)

    async def all_until_masked(self) -> list[bytes]:
        """Everything from now to the second masked picture."""
        found: list[bytes] = []
        masked = 0
        while masked < 2:
            sent = await self.communicator.receive_output(timeout=10)
            octets = sent.get("bytes") or sent["text"].encode()
            found.append(octets)
            masked += "text" in sent and json.loads(sent["text"])["kind"] == "picture"
        return found


async def test_visitors_are_sent_no_name(valkey: Valkey) -> None:
    estate = await in_thread(played)()
    secrets = await in_thread(secrets_of)(estate)
    operator = await in_thread(make_viewer)()
    group = await in_thread(lambda: group_create(name="Lobby", acting_user=operator))()
    _, cookie = await enters("NOC-1", group=group)
    async with opened(shown(cookie)) as before:
        picture = await before.hears_picture()
        with pytest.raises(AssertionError):
            names_nothing(orjson.dumps(picture), secrets)
        await in_thread(lambda: scene_switch(group=group, scene=Scene.VISITORS, acting_user=operator))()
        async with asyncio.timeout(20):
            while (picture := await before.hears_picture())["collectors"][0]["name"] == "nic-packetlog":
                pass
        names_nothing(orjson.dumps(picture), secrets)
        await in_thread(raise_alarm)(131)
        names_nothing(orjson.dumps(await picture_with(before, 131)), secrets)
    socket = Octets(shown(cookie))
    assert await socket.connects()
    for octets in await socket.all_until_masked():
        names_nothing(octets, secrets)
    await socket.goes()


async def test_while_redis_is_away_visitors_see_no_name_after_the_door_s_next_look(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    """The word that they came is lost with Redis; a display is looked at every two seconds, and gets nothing with a name from that look on."""
    assert door.LOOK_AGAIN_S / door.LOOKS <= 2.0
    estate = await in_thread(played)()
    secrets = await in_thread(secrets_of)(estate)
    operator = await in_thread(make_viewer)()
    group = await in_thread(lambda: group_create(name="Lobby", acting_user=operator))()
    _, cookie = await enters("NOC-1", group=group)
    looks, is_let = 0, asyncio.Event()

    async def counted_look(scopes: Sequence[Mapping[str, Any]]) -> list[Any]:
        nonlocal looks
        await is_let.wait()
        found = await who_are(scopes)
        looks += 1
        return found

    socket = Octets(shown(cookie))
    assert await socket.connects()
    with pytest.raises(AssertionError):
        names_nothing(await socket.next_picture(), secrets)
    monkeypatch.setattr(door, "who_are", counted_look)
    valkey.kill()
    await in_thread(lambda: scene_switch(group=group, scene=Scene.VISITORS, acting_user=operator))()
    is_let.set()
    await until(lambda: in_thread(lambda: looks > 0)())
    await socket.forget()
    for octets in await socket.all_until_masked():
        names_nothing(octets, secrets)
    await socket.goes()


@pytest.mark.parametrize("displays", [1, 50])
async def test_one_encoding_a_second_and_one_picture_whatever_the_number_of_displays(valkey: Valkey, displays: int) -> None:
    estate = await in_thread(played)()
    key = estate.tap.destination_key
    mirrors = await in_thread(lambda: list(TapConfiguration.objects.values_list("key", flat=True)))()
    cookies = [(await enters(f"NOC-{number}"))[1] for number in range(displays)]
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(opened(shown(cookie))) for cookie in cookies]
        meter = Meter(valkey)
        await in_thread(meter.lists)(mirrors, [key])
        await subscribed(valkey, RATES)
        await ticked(meter, sockets)  # until each has had a frame: its table and its map are known
        made, given = counted("vtapweb_live_frames_made_total"), counted("vtapweb_live_frames_total")
        for _ in range(5):
            await in_thread(meter.ticks)({key: 1e9})
            frames = [await frame_of(socket, meter.seq) for socket in sockets]
            assert all(frame is frames[0] for frame in frames)
        assert counted("vtapweb_live_frames_made_total") - made == 5
        assert counted("vtapweb_live_frames_total") - given == 5 * displays
        await in_thread(raise_alarm)(131)
        texts = [await text_with(socket, "A-131") for socket in sockets]
        assert all(text is texts[0] for text in texts)


async def ticked(meter: Meter, sockets: list[Socket]) -> None:
    async with asyncio.timeout(30):
        for socket in sockets:
            while True:
                await in_thread(meter.ticks)({})
                heard = asyncio.ensure_future(socket.hears_frame())
                done, _ = await asyncio.wait([heard], timeout=0.2)
                if done:
                    break
                heard.cancel()
                await asyncio.wait([heard])


async def frame_of(socket: Socket, seq: int) -> bytes:
    """The frame of this second."""
    while int.from_bytes((frame := await socket.hears_frame())[:4], "little") < seq:
        pass
    return frame


async def text_with(socket: Socket, spoken: str) -> str:
    """The text of the first picture that tells this alarm, the very object that was sent."""
    while True:
        sent = await socket.communicator.receive_output(timeout=10)
        if "text" in sent and f'"spoken":"{spoken}"' in sent["text"]:
            return str(sent["text"])
