"""`wall`: what the pictures of walls cost at 50,000 NICs, 45,000 mirrors, 1,000 collectors: a minute's worth, one every 2 s, by processor time.

In that minute every part is read at its own pace: names and capacities once, what is judged twelve times, curves four times; 200 alarms are open, one
of them came in the middle. The reference is the encoding of one picture, which every way of sending it would need.
"""

import math
import os
import statistics
import struct
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks import Result

COLLECTOR_HUBS, MIRRORS, ALARMS = 500, 45_000, 200
PICTURES, EVERY_S = 30, 2
SHARE_LIMIT = 5.0  # percent of a core


def run() -> Iterator[Result]:
    with tempfile.TemporaryDirectory(prefix="vtapweb-bench-") as folder:
        os.environ.update(
            {"VTAPWEB_DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3"}
        )
        import django

        django.setup()
        from django.conf import settings
        from django.core.management import call_command

        from tests.valkey import Valkey

        server = Valkey(Path(folder))
        server.start()
        settings.REDIS_URL = server.url
        try:
            call_command("migrate", verbosity=0)
            yield from _measured()
        finally:
            server.kill()


def _measured() -> Iterator[Result]:
    import orjson
    from django.db import connection, reset_queries, transaction
    from django.utils import timezone

    from tests.domain.estates import numbered
    from tests.topology.estate_rows import fill
    from tests.traffic.alarms import make_alarm
    from tests.traffic.played_ring import member_now, tell_collector, write_ring
    from vtapweb.domain.scope import Scope
    from vtapweb.events.bus import record_event
    from vtapweb.events.types import HealthEvent
    from vtapweb.topology.actions import topology_refresh
    from vtapweb.topology.picture import current_revision
    from vtapweb.topology.series import series_of
    from vtapweb.traffic.models import CollectorHealth, HealthLease
    from vtapweb.traffic.selectors.collectors import collectors_of
    from vtapweb.traffic.store import store
    from vtapweb.wall.masking import masked_picture
    from vtapweb.wall.picture import Heard, Pictures, told

    fill(numbered(1_000, 50_000, MIRRORS, COLLECTOR_HUBS, 8))
    topology_refresh()
    everything, now = Scope.everything(), timezone.now()
    collectors = collectors_of(everything)
    now_ms, now_s = round(now.timestamp() * 1000), int(now.timestamp())
    for number, one in enumerate(collectors):
        rates: dict[str, Any] = {"inner_bits_per_s": 1e7 * number, "wire_bits_per_s": 1.1e7 * number, "packets_per_s": 1e4 * number}
        tell_collector(store(), one.key, member_now(arrived_ms=now_ms, measured_ms=now_ms, interval_s=60.0, **rates), **rates)
        write_ring(store(), one.key, now_s - 900, {"total:inner_bits": [1e7 * number] * 900, "other": [0.0]})
    rows = [CollectorHealth(collector_key=one.key, subscription_id=one.subscription_id, name=one.name, state="ok", since=now) for one in collectors]
    CollectorHealth.objects.bulk_create(rows, batch_size=500)
    HealthLease.objects.update_or_create(pk=1, defaults={"evaluated_at": now})
    for number in range(ALARMS):
        make_alarm(1_000 + number, collector_key=collectors[number].key)
    series = series_of(current_revision(), everything)
    rates_of = [1e6 * (place % 997) if place % 7 else math.nan for place in range(len(series.keys))]
    frame = struct.pack(f"<IId{2 * len(rates_of)}f", 1, series.series_revision & 0xFFFFFFFF, now.timestamp(), *rates_of, *rates_of)

    connection.force_debug_cursor = True
    pictures, costs, queries = Pictures(everything), [], []
    wanted = [one.key for one in collectors[-3:]]
    begun = time.process_time()
    pictures.make(now=now, heard=Heard.of(frame), wanted=wanted)
    first_s = time.process_time() - begun
    for turn in range(1, PICTURES + 1):
        if turn == PICTURES // 2:
            with transaction.atomic():
                make_alarm(2_000, collector_key=collectors[0].key)
                record_event(HealthEvent(alarm=2_000, deed="raised"), subscription_ids=None)
        reset_queries()
        begun = time.process_time()
        picture = pictures.make(now=now + timedelta(seconds=EVERY_S * turn), heard=Heard.of(frame), wanted=wanted)
        text = orjson.dumps(told(picture))
        costs.append(time.process_time() - begun)
        queries.append(len(connection.queries))
    begun = time.process_time()
    for _ in range(PICTURES):
        orjson.dumps(told(picture))
    encoding_ms = (time.process_time() - begun) / PICTURES * 1000
    begun = time.process_time()
    for _ in range(PICTURES):
        orjson.dumps(masked_picture(picture, pictures.node_of))
    masking_ms = (time.process_time() - begun) / PICTURES * 1000
    share = 100 * sum(costs) / (PICTURES * EVERY_S)
    reference = "encoding the same picture"
    yield Result(name="wall pictures at L, of one core", value=share, unit="%", limit=SHARE_LIMIT)
    yield Result(
        name="wall picture at L", value=statistics.median(costs) * 1000, unit="ms", limit=100, reference=reference, reference_value=encoding_ms
    )
    yield Result(name="wall picture at L, the dearest of a minute", value=max(costs) * 1000, unit="ms", limit=2_000)
    yield Result(name="wall picture at L, the first", value=first_s * 1000, unit="ms", limit=5_000)
    yield Result(name="wall picture at L, masking", value=masking_ms, unit="ms", limit=10, reference=reference, reference_value=encoding_ms)
    yield Result(name="wall picture at L, octets", value=len(text) / 1000, unit="kB", limit=200)
    yield Result(name="wall picture at L, queries of most", value=statistics.median(queries), unit="queries", limit=3)
    yield Result(name="wall picture at L, queries of the dearest", value=max(queries), unit="queries", limit=40)
