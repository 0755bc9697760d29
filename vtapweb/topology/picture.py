"""The answer of `GET /api/v1/topology`, made once per revision and scope and then kept in the cache.

Rule 1: who may read everything gets the stored picture; everybody else's is built from the documents of his scope alone, never by taking things away
from a larger one. Rule 2: of many who ask for the same at once, one builds.
"""

import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import orjson
from django.conf import settings
from django.core.cache import cache

from vtapweb.domain.graph import Documents, Stamp, graph_of, snapshot_of
from vtapweb.domain.layout import GEOMETRY, Layout
from vtapweb.domain.scope import Scope
from vtapweb.domain.topology import COLUMNS, Snapshot, decode, encode, series_digest
from vtapweb.topology.body import Body, body_of
from vtapweb.topology.models import TopologyState
from vtapweb.topology.placements import stored_places
from vtapweb.topology.selectors import documents_of

KEEP_S = 3600
BUILD_AT_MOST_S = 20
LOOK_AGAIN_S = 0.05

_building = threading.Lock()


@dataclass(frozen=True, slots=True)
class Revision:
    """Which picture is the current one. `built_at` in ISO 8601, "" before the first."""

    number: int
    series: int
    built_at: str

    @property
    def name(self) -> str:
        return f"r{self.number}"


def current_revision() -> Revision:
    """One query."""
    row = TopologyState.objects.filter(pk=1).values_list("revision", "series_revision", "built_at").first()
    if row is None:
        return Revision(0, 0, "")
    number, series, built_at = row
    return Revision(number, series, built_at.isoformat(timespec="seconds") if built_at else "")


def etag_of(revision: Revision, scope: Scope) -> str:
    return f'"{revision.name}-{scope.digest}"'


def picture_of(revision: Revision, scope: Scope) -> Body:
    """The picture for a scope, from the cache or made now. Built from one state of the inventory that may be newer than `revision`, never older."""
    return once(_cache_key(revision, scope), lambda: _build(revision, scope))


def picture_kept(revision: Revision, scope: Scope) -> Body | None:
    """The same if somebody has asked for it already."""
    found: Body | None = cache.get(_cache_key(revision, scope))
    return found


def _cache_key(revision: Revision, scope: Scope) -> str:
    return f"topology:{revision.name}:{revision.built_at}:{scope.digest}"


def once(key: str, build: Callable[[], Body]) -> Body:
    """What the cache holds under `key`, else what `build` makes: in one process of many, while the others wait for it (20 s at most)."""
    found: Body | None = cache.get(key)
    if found is not None:
        return found
    with _building:  # one at a time in this process
        give_up_at = time.monotonic() + BUILD_AT_MOST_S
        while (found := cache.get(key)) is None:
            if cache.add(f"{key}:building", 1, BUILD_AT_MOST_S) or time.monotonic() > give_up_at:
                try:
                    body = build()
                    cache.set(key, body, KEEP_S)
                finally:
                    cache.delete(f"{key}:building")
                return body
            time.sleep(LOOK_AGAIN_S)
    return cast(Body, found)


def _build(revision: Revision, scope: Scope) -> Body:
    if scope.is_everything and revision.number:
        state = TopologyState.objects.get(pk=1)
        return Body(bytes(state.picture), state.picture_crc, state.picture_octets)
    stamp = Stamp(revision.name, revision.series, settings.CLOUD == "simulator", revision.built_at)
    if not revision.number:
        return body_of(encode(snapshot_of(graph_of(Documents()), Layout(), {}, stamp), GEOMETRY))
    return body_of(encode(scoped_snapshot(scope, stamp), GEOMETRY))


def scoped_snapshot(scope: Scope, stamp: Stamp) -> Snapshot:
    """The picture built from the documents of `scope`, with the places of the whole estate.

    Its series_revision is a digest: what a part of the estate lists may change while the whole list stays, and nobody counts each part's changes.
    """
    stored = stored_places()
    snapshot = snapshot_of(graph_of(documents_of(scope)), stored.layout, stored.ids, stamp)
    return replace(snapshot, series_revision=series_digest(snapshot.series))


def last_snapshot(state: TopologyState) -> Snapshot:
    """The last picture of the whole estate as a value; an empty one before the first, and where an earlier release stored it with other columns."""
    if state.picture:
        wire = orjson.loads(zlib.decompressobj(-zlib.MAX_WBITS).decompress(bytes(state.picture)) + b"0}")
        if all(set(names) <= wire["columns"][table].keys() for table, names in COLUMNS.items()):
            return decode(wire)
    return snapshot_of(graph_of(Documents()), Layout(), {}, Stamp("r0", 0, settings.CLOUD == "simulator", ""))
