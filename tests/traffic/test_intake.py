"""The stream that samples wait in holds so many, and so many octets: the oldest go first."""

import asyncio
import os
from typing import cast

import pytest
from prometheus_client import REGISTRY

from tests.valkey import Valkey
from vtapweb.traffic.ingest import intake as intake_module
from vtapweb.traffic.ingest.intake import Intake, bound_stream
from vtapweb.traffic.keys import BOOTS, FIELD, SAMPLES
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


async def test_requests_of_a_moment_go_in_one_command_each_with_its_own_boot(valkey: Valkey) -> None:
    store().hset(BOOTS, mapping={"c/m-0": "boot-0", "c/m-2": "boot-2"})
    commands = int(store().info("commandstats").get("cmdstat_eval", {}).get("calls", 0))
    intake = Intake()
    fields = ["c/m-0", "c/m-1", "c/m-2", ""]
    boots = await asyncio.gather(*(intake.put([field.encode(), b"more"], field) for field in fields))
    assert boots == [b"boot-0", None, b"boot-2", None]
    assert int(store().info("commandstats")["cmdstat_eval"]["calls"]) == commands + 1
    entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", store().xrange(SAMPLES))
    assert [sample[FIELD.encode()] for _, sample in entries] == [one for field in fields for one in (field.encode(), b"more")]
    await intake.close()


async def test_a_batch_is_bounded_by_its_octets(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "BATCH_OCTETS", 2 * LARGE)
    intake = Intake()
    samples = [os.urandom(LARGE) for _ in range(5)]
    await asyncio.gather(*(intake.put([sample]) for sample in samples))
    assert int(store().info("commandstats")["cmdstat_eval"]["calls"]) == 3
    assert store().xlen(SAMPLES) == 5
    await intake.close()
