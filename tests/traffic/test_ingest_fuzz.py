"""Malformed documents of every format: each is refused and counted, none is a 5xx, and memory stays where it was."""

import gc
import json
import logging
import random
import sys
import tracemalloc
from collections import Counter
from itertools import islice

import pytest
from asgiref.sync import sync_to_async
from prometheus_client import REGISTRY

from tests.inventory.factories import make_estate
from tests.traffic import test_push_formats as push
from tests.traffic.documents import document
from tests.traffic.mutants import requests
from tests.traffic.sending import make_token, send, thread_leaves_database
from tests.valkey import Valkey
from vtapweb.traffic.ingest.app import FORMATS, Ingest

pytestmark = pytest.mark.django_db(transaction=True)

DIRECTIONS = [["10.0.2.4", 27, "7c1e525639cb", 60, 6_000]]
JSON = {"content_type": "application/json"}
PROTOBUF = {"content_type": "application/x-protobuf"}
# A good body or two of each format, with the headers it comes with: a format without is not tested, and the test below says so.
SEEDS: dict[str, list[tuple[bytes, dict[str, str]]]] = {
    "native": [
        (json.dumps(document(dir=DIRECTIONS)).encode(), JSON),
        (json.dumps(document(full=False, src=[["10.0.2.4", 27, 61, 6_100]])).encode(), JSON),
        (json.dumps(document(total=..., src=..., unattributed=..., lacks="nft is not installed")).encode(), JSON),
    ],
    "remote_write": [(push.packed(push.write_request(push.NODE)), {**PROTOBUF, "content_encoding": "snappy"})],
    "otlp": [
        (push.export_request(push.OTEL).SerializeToString(), PROTOBUF),
        (push.export_json(push.OTEL), JSON),
        (push.export_request(push.OTEL, temporality=1, started_ms=push.AT_MS - 10_000).SerializeToString(), PROTOBUF),
    ],
}
REFUSALS = {400, 401, 409, 413, 415, 429}
GROWTH_OCTETS_MOST = 1_000_000  # where each is traced, which takes two thirds of the time
GROWTH_BLOCKS_MOST = 3_000  # of Python's own memory, where nothing is traced: one small object kept of each document makes it 5,000
STEP_S = 0.25  # of the ingest's clock between two requests: slow enough for the limits of pace


def counted() -> float:
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        if metric.name == "vtapweb_ingest_documents"
        for sample in metric.samples
        if sample.name.endswith("_total")
    )


def held() -> list[int]:
    """Blocks of Python's own memory, and the octets that are traced, none where nothing is."""
    return [sys.getallocatedblocks(), tracemalloc.get_traced_memory()[0]]


def test_every_format_has_a_seed() -> None:
    assert set(SEEDS) == {one.name for one in FORMATS.values()}


@pytest.mark.one_database  # what is refused asks for its token, and no more
@pytest.mark.parametrize("path", FORMATS)
@pytest.mark.parametrize("documents", [5_000, pytest.param(100_000, marks=pytest.mark.long)])
async def test_malformed_documents_are_refused_and_counted(valkey: Valkey, documents: int, path: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="vtapweb.traffic.ingest.app")  # pytest keeps every line, which would be the growth
    now_s = 0.0
    ingest = Ingest(clock=lambda: now_s)
    chance = random.Random(documents)  # noqa: S311 - the same mutants each time
    mutants = requests(SEEDS[FORMATS[path].name], chance)
    estate = await sync_to_async(make_estate)()
    _, secret = await make_token(estate.tap.destination_id, name="fuzz")
    for body, headers in SEEDS[FORMATS[path].name]:
        assert (await send(ingest, secret, body, path=path, **headers)).status in {202, 409}, "the seed itself is good"
    statuses: Counter[int] = Counter()
    before, sent, is_traced = counted(), 0, documents > 5_000
    if is_traced:
        tracemalloc.start()
    try:
        warm: list[int] = []
        while sum(statuses[one] for one in REFUSALS) < documents:
            for body, headers in islice(mutants, documents // 5):
                now_s += STEP_S
                pieces = body if chance.random() < 0.9 else [body[: len(body) // 2], body[len(body) // 2 :]]
                answer = await send(ingest, secret, pieces, path=path, **headers)
                statuses[answer.status] += 1
                sent += 1
            gc.collect()
            warm = warm or held()
        growth = [after - first for first, after in zip(warm, held(), strict=True)]
    finally:
        tracemalloc.stop()
        await ingest.close()
        await thread_leaves_database()
    assert set(statuses) <= REFUSALS | {202}, statuses
    assert statuses[429] < sent / 10, "what is refused for its pace was not looked at"
    assert counted() - before == sent
    assert growth[0] < GROWTH_BLOCKS_MOST
    assert growth[1] < GROWTH_OCTETS_MOST
    assert ingest.state().held.octets == 0
