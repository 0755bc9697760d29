"""The promises of frames: each reader his own series in his picture's order, the newest and nothing else, and nothing where nothing is measured."""

import asyncio
import json
import math
import struct
from collections.abc import Mapping
from typing import NamedTuple

import pytest
import redis
import websockets
from django.test import Client as HttpClient
from websockets import ClientConnection

from tests.inventory.factories import SUBSCRIPTION, Estate, make_estate, make_tap, make_tap_configuration
from tests.live.meters import UNIX_S, Meter
from tests.live.sockets import Socket, in_thread, opened, publish_large, served, subscribed, until
from tests.topology.people import bearer
from tests.valkey import Valkey
from vtapweb.access.models import ApiToken
from vtapweb.domain.topology import Snapshot, decode
from vtapweb.inventory.models import TapConfiguration, VirtualNetworkTap
from vtapweb.live import door, hub, rates
from vtapweb.live.mailbox import Frame as MailboxFrame
from vtapweb.topology.actions import topology_refresh
from vtapweb.traffic.keys import RATES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]

OTHER = "5a000000-0000-0000-0000-000000000002"


class Frame(NamedTuple):
    seq: int
    series_revision: int
    unix_s: float
    bits: tuple[float, ...]
    packets: tuple[float, ...]


def read(octets: bytes) -> Frame:
    """As docs/live.md describes it."""
    count = (len(octets) - 16) // 8
    seq, series_revision, unix_s, *values = struct.unpack(f"<IId{2 * count}f", octets)
    return Frame(seq, series_revision, unix_s, tuple(values[:count]), tuple(values[count:]))


def picture(headers: dict[str, str]) -> Snapshot:
    answer = HttpClient().get("/api/v1/topology", headers=headers)
    assert answer.status_code == 200, answer.content
    return decode(json.loads(answer.content))


def by_key(frame: Frame, snapshot: Snapshot) -> dict[str, float | None]:
    """Bits by key, None for unknown. The frame must be of this picture."""
    assert frame.series_revision == snapshot.series_revision
    return {key: None if math.isnan(value) else value for key, value in zip(snapshot.series, frame.bits, strict=True)}


class Two(NamedTuple):
    mine: Estate
    theirs: Estate
    rates: dict[str, float]
    mirrors: list[str]
    collectors: list[str]


def two_estates() -> Two:
    """Each with NICs mirrored to a collector of its own, and in the first a TAP that leads to the collector of the second:

    mine:   app-01 --> nic-packetlog     app-02 --> [tap-abroad] --+
    theirs: app-01 --> nic-packetlog  <----------------------------+
    """
    mine, theirs = make_estate(mirrored=0), make_estate(subscription_id=OTHER, mirrored=0)
    abroad = make_tap("tap-abroad", destination_id=f"{theirs.collector.arm_id}/ipConfigurations/ipconfig1")
    for nic, tap in ((mine.nics[0], mine.tap), (mine.nics[1], abroad), (theirs.nics[0], theirs.tap)):
        make_tap_configuration(nic=nic, tap_id=tap.arm_id)
    topology_refresh()
    mirrors = list(TapConfiguration.objects.order_by("-key").values_list("key", flat=True))  # the meter's order is its own
    collectors = [theirs.tap.destination_ip_configuration_key, mine.tap.destination_ip_configuration_key]
    return Two(mine, theirs, {key: 1_000.0 * (place + 1) for place, key in enumerate([*mirrors, *collectors])}, mirrors, collectors)


async def begins(valkey: Valkey, two: Two) -> Meter:
    meter = Meter(valkey)
    await in_thread(meter.lists)(two.mirrors, two.collectors)
    await subscribed(valkey, RATES)
    return meter


async def frame_after(meter: Meter, socket: Socket, told: Mapping[str, float], *, of: int | None = None) -> Frame:
    """Ticks until a frame comes (the first is made once its table and picture were looked up), of this series_revision if one is named."""
    async with asyncio.timeout(30):
        while True:
            await in_thread(meter.ticks)(told)
            sent = asyncio.ensure_future(socket.hears_frame())
            done, _ = await asyncio.wait([sent], timeout=0.2)
            if done and (of is None or read(sent.result()).series_revision == of):
                return read(sent.result())
            if not done:
                sent.cancel()
                await asyncio.wait([sent])


async def test_neither_of_two_scopes_receives_the_others_series(valkey: Valkey) -> None:
    two = await in_thread(two_estates)()
    people = [await in_thread(bearer)(*ids) for ids in ((), (SUBSCRIPTION,), (OTHER,))]
    async with opened(people[0]) as everybody, opened(people[1]) as mine, opened(people[2]) as theirs:
        meter = await begins(valkey, two)
        pictures = [await in_thread(picture)(headers) for headers in people]
        heard = [await frame_after(meter, socket, two.rates) for socket in (everybody, mine, theirs)]
        whole, my_part, their_part = (by_key(frame, snapshot) for frame, snapshot in zip(heard, pictures, strict=True))
    assert whole == two.rates
    my_mirrors, their_mirrors = await in_thread(own_mirrors)(SUBSCRIPTION), await in_thread(own_mirrors)(OTHER)
    their_collector, my_collector = two.collectors
    # The collector abroad is on my map, for my TAP names it, but what it receives in all is not mine to know.
    assert my_part == {key: two.rates[key] for key in (*my_mirrors, my_collector)} | {their_collector: None}
    assert their_part == {key: two.rates[key] for key in (*their_mirrors, their_collector)}
    foreign = {struct.pack("<f", two.rates[key]) for key in (*their_mirrors, their_collector)}
    assert not {struct.pack("<f", value) for value in (*heard[1].bits, *heard[1].packets)} & foreign


def own_mirrors(subscription_id: str) -> set[str]:
    return set(TapConfiguration.objects.filter(subscription_id=subscription_id).values_list("key", flat=True))


async def test_a_frame_is_made_once_for_all_who_see_the_same(valkey: Valkey) -> None:
    two = await in_thread(two_estates)()
    people = [await in_thread(bearer)(SUBSCRIPTION, name=name) for name in ("ann", "ben")]
    async with opened(people[0]) as ann, opened(people[1]) as ben:
        meter = await begins(valkey, two)
        await frame_after(meter, ann, two.rates)
        await in_thread(meter.ticks)(two.rates)
        of_ann, of_ben = await ann.hears_frame(), await ben.hears_frame()
        while read(of_ann).seq < meter.seq:
            of_ann = await ann.hears_frame()
        while read(of_ben).seq < meter.seq:
            of_ben = await ben.hears_frame()
        assert of_ann is of_ben


async def test_whoever_comes_gets_the_newest_frame_at_once_and_hello_before_it(valkey: Valkey) -> None:
    two = await in_thread(two_estates)()
    headers = await in_thread(bearer)()
    async with opened(headers) as first:
        meter = await begins(valkey, two)
        frame = await frame_after(meter, first, two.rates)
        async with opened(headers) as second:
            sent = [await second.communicator.receive_output(timeout=10) for _ in range(2)]
        assert json.loads(sent[0]["text"])["kind"] == "hello"
        assert read(sent[1]["bytes"]).seq >= frame.seq


async def test_a_new_series_and_a_new_table_are_followed(valkey: Valkey) -> None:
    """A mirror is made: the picture lists it at once, the meter's table a little later; until then it is unknown."""
    two = await in_thread(two_estates)()
    people = [await in_thread(bearer)(*ids) for ids in ((), (SUBSCRIPTION,))]

    def mirror_make() -> str:
        made = make_tap_configuration(nic=two.mine.nics[2], tap_id=two.mine.tap.arm_id)
        topology_refresh()
        return made.key

    async with opened(people[0]) as everybody, opened(people[1]) as mine:
        meter = await begins(valkey, two)
        before = [await in_thread(picture)(headers) for headers in people]
        for socket, snapshot in ((everybody, before[0]), (mine, before[1])):
            by_key(await frame_after(meter, socket, two.rates), snapshot)
        key = await in_thread(mirror_make)()
        told = two.rates | {key: 77.0}
        after = [await in_thread(picture)(headers) for headers in people]
        for socket, snapshot in ((everybody, after[0]), (mine, after[1])):
            frame = await frame_after(meter, socket, told, of=snapshot.series_revision)
            assert by_key(frame, snapshot)[key] is None
        assert all(old.series_revision != new.series_revision for old, new in zip(before, after, strict=True))
        await in_thread(meter.lists)([key, *two.mirrors], two.collectors)
        for socket, snapshot in ((everybody, after[0]), (mine, after[1])):
            frame = await frame_after(meter, socket, told, of=snapshot.series_revision)
            while by_key(frame, snapshot)[key] is None:
                frame = await frame_after(meter, socket, told, of=snapshot.series_revision)
            assert by_key(frame, snapshot)[key] == 77.0
            assert by_key(frame, snapshot)[two.collectors[1]] == two.rates[two.collectors[1]]


async def test_a_part_of_the_estate_that_changes_alone_has_another_series_revision(valkey: Valkey) -> None:
    """[tap] and [tap-abroad] lead to one collector from two subscriptions: when the second goes, the whole list stays and one reader's does not."""
    two = await in_thread(two_estates)()
    headers = await in_thread(bearer)(SUBSCRIPTION)

    def abroad_delete() -> None:
        gone = VirtualNetworkTap.objects.get(name="tap-abroad")
        other = two.theirs.tap
        TapConfiguration.objects.filter(virtual_network_tap_key=gone.key).update(
            virtual_network_tap_id=other.arm_id, virtual_network_tap_key=other.key
        )
        gone.delete()
        topology_refresh()

    before = await in_thread(picture)(headers)
    whole = await in_thread(picture)(await in_thread(bearer)())
    await in_thread(abroad_delete)()
    after = await in_thread(picture)(headers)
    assert (await in_thread(picture)(await in_thread(bearer)())).series_revision == whole.series_revision
    assert before.series != after.series
    assert before.series_revision != after.series_revision


async def test_when_ticks_end_that_is_told_once_and_nothing_is_sent(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "LOOK_S", 0.02)
    two = await in_thread(two_estates)()
    headers = await in_thread(bearer)()
    async with opened(headers) as socket:
        meter = await begins(valkey, two)
        frame = await frame_after(meter, socket, two.rates)
        monkeypatch.setattr(rates, "STOPPED_AFTER_S", 0.05)
        while isinstance(told := await socket.hears_rates(), bytes):
            frame = read(told)
        since = "2026-01-01T00:00:"
        assert (told["kind"], told["state"]) == ("rates", "stopped")
        assert told["since"].startswith(since)
        assert float(told["since"].removeprefix(since).removesuffix("+00:00")) == pytest.approx(frame.unix_s - UNIX_S + 0.3)
        monkeypatch.setattr(rates, "STOPPED_AFTER_S", 3600)
        async with opened(headers) as late:
            assert await late.hears_rates() == told
        await frame_after(meter, socket, two.rates)


async def test_without_a_meter_one_hears_that_nothing_is_measured(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "LOOK_S", 0.02)
    monkeypatch.setattr(rates, "STOPPED_AFTER_S", 0.05)
    async with opened(await in_thread(bearer)()) as socket:
        assert await socket.hears_rates() == {"kind": "rates", "state": "stopped", "since": None}


async def test_a_redis_that_was_emptied_gives_no_wrong_number(valkey: Valkey) -> None:
    """It comes back with another table under the number of the old one: same length, other order."""
    two = await in_thread(two_estates)()
    headers = await in_thread(bearer)()
    async with opened(headers) as socket:
        meter = await begins(valkey, two)
        snapshot = await in_thread(picture)(headers)
        assert by_key(await frame_after(meter, socket, two.rates), snapshot) == two.rates
        await in_thread(valkey.kill)()
        await in_thread(valkey.start)()
        await in_thread(meter.lists)(two.mirrors[::-1], two.collectors[::-1], number=meter.number)
        await subscribed(valkey, RATES)
        for _ in range(3):
            assert by_key(await frame_after(meter, socket, two.rates), snapshot) == two.rates


async def test_what_is_no_tick_or_of_an_unknown_table_is_passed_over(valkey: Valkey) -> None:
    two = await in_thread(two_estates)()
    async with opened(await in_thread(bearer)()) as socket:
        meter = await begins(valkey, two)
        await frame_after(meter, socket, two.rates)
        known = meter.table, meter.number

        def nonsense() -> None:
            with redis.Redis.from_url(valkey.url) as client:
                for octets in (b"", b"x" * 15, struct.pack("<IId", 9, meter.number, 1.0) + b"\0" * 12, struct.pack("<IId", 9, 12345, 1.0)):
                    client.publish(RATES, octets)

        await in_thread(nonsense)()
        meter.table, meter.number = known
        meter.seq = 1000
        assert (await frame_after(meter, socket, two.rates)).seq > 1000


async def test_other_grants_mean_other_frames(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "LOOK_AGAIN_S", 0.02)
    two = await in_thread(two_estates)()
    mine, theirs = [await in_thread(bearer)(one) for one in (SUBSCRIPTION, OTHER)]
    before, after = [await in_thread(picture)(headers) for headers in (mine, theirs)]
    async with opened(mine) as socket:
        meter = await begins(valkey, two)
        by_key(await frame_after(meter, socket, two.rates), before)
        await in_thread(ApiToken.objects.filter(subscription_ids=[SUBSCRIPTION]).update)(subscription_ids=[OTHER])
        await frame_after(meter, socket, two.rates, of=after.series_revision)
        for _ in range(3):
            by_key(await frame_after(meter, socket, two.rates), after)


async def test_over_a_real_server_a_client_that_does_not_read_gets_the_newest_frame_later(valkey: Valkey) -> None:
    """uvicorn and Valkey, [reader] and [sleeper] on one process: large events clog the sleeper, then frames come."""
    two = await in_thread(two_estates)()
    headers = await in_thread(bearer)()
    async with served() as url:
        async with (
            websockets.connect(url, additional_headers=headers, compression=None) as reader,
            websockets.connect(url, additional_headers=headers, compression=None, max_queue=1) as sleeper,
        ):
            meter = await begins(valkey, two)
            for socket in (reader, sleeper):
                while not await next_frame(socket, within_s=0.2):
                    await in_thread(meter.ticks)(two.rates)
            async with asyncio.timeout(60):
                before = hub.hub_here().seq
                for seq in range(before + 1, before + 401):
                    publish_large(valkey, seq)
                    while isinstance(heard := await reader.recv(), bytes) or json.loads(heard)["kind"] != "topology":
                        pass
            last = meter.seq + 50
            while meter.seq < last:
                await in_thread(meter.ticks)(two.rates)
                while (frame := await next_frame(reader, within_s=30)) and frame.seq < meter.seq:
                    pass
            late: list[Frame] = []
            while not late or late[-1].seq < last:
                frame = await next_frame(sleeper, within_s=30)
                assert frame is not None
                late.append(frame)
            assert len(late) < 10
        await until(lambda: asyncio.sleep(0, not hub.hub_here().clients))


@pytest.mark.parametrize("is_compressing", [False, True])
async def test_the_short_way_and_the_usual_one_bring_the_same(valkey: Valkey, is_compressing: bool) -> None:
    """A connection that compresses has no short way; a frame of more than 125 octets has a longer head."""
    two = await in_thread(two_estates)()
    headers = await in_thread(bearer)()
    snapshot = await in_thread(picture)(headers)
    async with served(is_compressing=is_compressing) as url, websockets.connect(url, additional_headers=headers) as socket:
        meter = await begins(valkey, two)
        frames: list[Frame] = []
        while len(frames) < 3:
            await in_thread(meter.ticks)(two.rates)
            if frame := await next_frame(socket, within_s=0.2):
                frames.append(frame)
        (client,) = hub.hub_here().clients
        assert client.write_framed is not None
        assert [by_key(frame, snapshot) for frame in frames] == [two.rates] * 3
        assert client.write_framed(MailboxFrame.of(b"x" * 200).framed) is not is_compressing
        assert client.write_framed(MailboxFrame.of(b"x" * 70_000).framed) is not is_compressing
        if not is_compressing:
            async with asyncio.timeout(10):
                while (sent := await socket.recv()) != b"x" * 200:
                    assert isinstance(sent, str) or len(sent) == len(frames[0].bits) * 8 + 16
                assert await socket.recv() == b"x" * 70_000


async def next_frame(socket: ClientConnection, *, within_s: float) -> Frame | None:
    try:
        async with asyncio.timeout(within_s):
            while not isinstance(sent := await socket.recv(), bytes):
                pass
    except TimeoutError:
        return None
    return read(sent)
