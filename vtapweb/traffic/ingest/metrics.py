"""The ingest's figures for Prometheus, of this process; /metrics tells them with the others."""

from functools import cache
from typing import NamedTuple

from prometheus_client import Counter, Gauge, Histogram

documents = Counter("vtapweb_ingest_documents", "Documents by format and what became of them (taken, or why not)", ["format", "outcome"])
samples = Counter("vtapweb_ingest_samples", "Samples handed to the meter", ["format"])
octets = Counter("vtapweb_ingest_octets", "Octets of documents as they came", ["format"])
held = Gauge("vtapweb_ingest_held_octets", "Octets of documents that are being worked on")
stream_octets = Gauge("vtapweb_ingest_stream_octets", "What the stream of samples holds of Redis' memory, as this process last saw it")
thrown_away = Counter("vtapweb_ingest_samples_thrown_away", "Oldest samples taken out of a stream that held too many octets")
store_seconds = Histogram(
    "vtapweb_ingest_store_seconds", "How long Redis took for one batch of samples", buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5)
)


class OfFormat(NamedTuple):
    """The figures of one format."""

    taken: Counter
    samples: Counter
    octets: Counter


@cache
def of_format(name: str) -> OfFormat:
    """Looking them up by their labels takes longer than counting, and there are few formats."""
    return OfFormat(documents.labels(name, "taken"), samples.labels(name), octets.labels(name))
