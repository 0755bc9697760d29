"""Which series a reader's picture lists, in which order, and which of them he may see numbers of: what frames of rates are made after."""

from dataclasses import dataclass

import orjson
from django.core.cache import cache

from vtapweb.domain.scope import Scope
from vtapweb.topology.body import Body
from vtapweb.topology.picture import KEEP_S, Revision, picture_kept, picture_of
from vtapweb.traffic.selectors.collectors import collectors_of


@dataclass(frozen=True, slots=True)
class Series:
    """The `series` of a picture. `hidden` are collectors that it names though their subscription may not be read: there, and unknown."""

    revision: str
    series_revision: int
    keys: tuple[str, ...]
    hidden: frozenset[str]


def series_of(revision: Revision, scope: Scope) -> Series:
    """Of the very picture that a reader of `scope` gets at `revision`, made now if nobody has it yet. Ten queries, and the picture's own."""
    return _series(revision, scope, picture_of(revision, scope))


def series_kept(revision: Revision, scope: Scope) -> Series | None:
    """The same, None where no reader has that picture yet."""
    body = picture_kept(revision, scope)
    return None if body is None else _series(revision, scope, body)


@dataclass(frozen=True, slots=True)
class Listed:
    """The order of a picture's series alone."""

    revision: str
    series_revision: int
    keys: tuple[str, ...]


def series_listed(revision: Revision, scope: Scope) -> Listed:
    """Of the picture that a reader of `scope` gets at `revision`; read out of it once, then kept. No query but the picture's own."""
    key = f"topology:series:{revision.name}:{revision.built_at}:{scope.digest}"
    found: Listed | None = cache.get(key)
    if found is None:
        wire = orjson.loads(picture_of(revision, scope).plain(0))
        found = Listed(revision.name, wire["series_revision"], tuple(wire["series"]))
        cache.set(key, found, KEEP_S)
    return found


def _series(revision: Revision, scope: Scope, body: Body) -> Series:
    wire = orjson.loads(body.plain(0))
    hidden = () if scope.is_everything else (one.key for one in collectors_of(scope) if not one.is_in_scope)
    return Series(revision.name, wire["series_revision"], tuple(wire["series"]), frozenset(hidden))
