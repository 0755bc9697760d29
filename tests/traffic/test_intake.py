"""The stream that samples wait in holds so many, and so many octets: the oldest go first."""

import os
from typing import cast

from prometheus_client import REGISTRY

from tests.valkey import Valkey
from vtapweb.traffic.ingest.intake import Intake, bound_stream
from vtapweb.traffic.keys import FIELD, SAMPLES
from vtapweb.traffic.store import store, store_async

LARGE = 20_000  # octets


def thrown_away() -> float:
    return REGISTRY.get_sample_value("vtapweb_ingest_samples_thrown_away_total") or 0.0


async def test_a_stream_that_holds_too_many_octets_loses_its_oldest_samples(valkey: Valkey) -> None:
    intake = Intake()
    samples = [os.urandom(LARGE) for _ in range(60)] + [b"small"] * 40
    await intake.put(samples)
    before = thrown_away()
    most = 20 * LARGE
    await bound_stream(octets_most=most)
    entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", store().xrange(SAMPLES))
    kept = [fields[FIELD.encode()] for _, fields in entries]
    assert 41 < len(kept) < 60, "no more than had to go"
    assert kept == samples[-len(kept) :]
    assert thrown_away() - before == len(samples) - len(kept)
    held = int(await store_async().memory_usage(SAMPLES, samples=0) or 0)
    assert held <= most
    assert REGISTRY.get_sample_value("vtapweb_ingest_stream_octets") == held
    await bound_stream(octets_most=most)
    assert store().xlen(SAMPLES) == len(kept)
    await intake.close()


async def test_the_ingest_looks_at_the_stream_by_itself(valkey: Valkey) -> None:
    intake = Intake()
    await intake.put([b"a sample"])
    await intake.put([b"another one"])
    assert 0 < (REGISTRY.get_sample_value("vtapweb_ingest_stream_octets") or 0) < 1_000_000
    await intake.close()
