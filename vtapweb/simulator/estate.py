"""An estate: Azure's resources as JSON bytes, found by id and listed by subscription and kind.

Owns identity (ids compare case-insensitively), order (a list shows resources as they were made) and etags (one a document, shared by the
children inside it, new at every change). Knows no HTTP, no clock and no disk: `take_changes` hands over what a journal has to keep.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from vtapweb.simulator.documents import CHILDREN, Json, Kind, guid

EVERYTHING = "*"  # among what has moved: the estate is another one


@dataclass(slots=True)
class Document:
    """One resource. `power_state` is a VM's, "" for everything else; `ordinal` is its place in every list."""

    arm_id: str
    kind: Kind
    subscription_id: str
    group: str
    ordinal: int
    revision: int
    body: bytes
    power_state: str = ""

    @property
    def key(self) -> str:
        return fold(self.arm_id)

    def json(self) -> Json:
        document: Json = orjson.loads(self.body)
        return document


@dataclass(frozen=True, slots=True)
class Listing:
    """A list at one moment: documents in order, and their ordinals for finding the place behind a page."""

    documents: tuple[Document, ...]
    ordinals: tuple[int, ...]

    def after(self, ordinal: int, count: int) -> tuple[Document, ...]:
        start = bisect_right(self.ordinals, ordinal)
        return self.documents[start : start + count]


@dataclass(slots=True)
class Estate:
    """`denied` holds (subscription id, kind or "*"): what answers 403. `lacking` names the APIs that answer 404.

    `readers` are the ids (folded) of groups in which the caller may only read; `features` the preview's state by subscription id. `locks`
    are the management locks by folded id. `made_at` says when a TAP was made since the estate was built, `started_at` when a VM was last
    started, both in seconds of Unix time by folded id.
    """

    size: str
    tenants: dict[str, str] = field(default_factory=dict)
    subscriptions: dict[str, Json] = field(default_factory=dict)
    denied: set[tuple[str, str]] = field(default_factory=set)
    lacking: set[str] = field(default_factory=set)
    readers: set[str] = field(default_factory=set)
    features: dict[str, str] = field(default_factory=dict)
    locks: dict[str, Json] = field(default_factory=dict)
    made_at: dict[str, float] = field(default_factory=dict)
    started_at: dict[str, float] = field(default_factory=dict)
    _documents: dict[str, Document] = field(default_factory=dict)
    _lists: dict[tuple[str, Kind], dict[str, Document]] = field(default_factory=dict)
    _listings: dict[tuple[str, Kind], Listing] = field(default_factory=dict)
    _next_ordinal: int = 1
    _changed: dict[str, Document | None] = field(default_factory=dict)
    _moved: set[str] = field(default_factory=lambda: {EVERYTHING})

    def get(self, arm_id: str) -> Document | None:
        return self._documents.get(fold(arm_id))

    def listing(self, subscription_id: str, kind: Kind) -> Listing:
        """All documents of a kind in a subscription, in the order in which they were made."""
        place = (subscription_id.lower(), kind)
        if place not in self._listings:
            documents = tuple(sorted(self._lists.get(place, {}).values(), key=lambda document: document.ordinal))
            self._listings[place] = Listing(documents, tuple(document.ordinal for document in documents))
        return self._listings[place]

    def all_of(self, kind: Kind) -> Iterable[Document]:
        for subscription_id in self.subscriptions:
            yield from self.listing(subscription_id, kind).documents

    def count(self, kind: Kind) -> int:
        return sum(len(documents) for (_, held), documents in self._lists.items() if held is kind)

    def add(self, kind: Kind, document: Json, *, power_state: str = "") -> Document:
        """A new resource at the end of its lists. Raises ValueError when the id is taken."""
        arm_id: str = document["id"]
        if fold(arm_id) in self._documents:
            raise ValueError(f"{arm_id} exists already")
        parts = arm_id.split("/", 5)
        held = Document(arm_id, kind, parts[2].lower(), parts[4] if len(parts) > 4 else "", self._next_ordinal, 0, b"", power_state)
        self._next_ordinal += 1
        self._write(held, document)
        return held

    def replace(self, held: Document, document: Json) -> None:
        """The resource in a new version, with a new etag."""
        held.revision += 1
        self._write(held, document)

    def power_set(self, held: Document, power_state: str) -> None:
        """A VM's power state; its model and so its etag stay."""
        held.power_state = power_state
        self._place(held)
        self._changed[held.key] = held

    def take_moved(self) -> set[str]:
        """Folded ids of what was made, changed or removed since the last call; EVERYTHING stands for all, at first and after `become`."""
        moved, self._moved = self._moved, set()
        return moved

    def remove(self, held: Document) -> None:
        del self._documents[held.key]
        del self._lists[held.subscription_id, held.kind][held.key]
        self._listings.pop((held.subscription_id, held.kind), None)
        self._changed[held.key] = None
        self._note(held.key)

    def restore(self, held: Document) -> None:
        """Put back a document as a journal kept it, with its place and etag."""
        self._next_ordinal = max(self._next_ordinal, held.ordinal + 1)
        self._place(held)

    def become(self, other: "Estate") -> None:
        """Be what `other` is; `other` is not to be used afterwards."""
        for name in self.__slots__:
            setattr(self, name, getattr(other, name))
        self._moved = {EVERYTHING}

    def take_changes(self) -> dict[str, Document | None]:
        """Changed documents by key since the last call, None where one was removed."""
        changed, self._changed = self._changed, {}
        return changed

    def _write(self, held: Document, document: Json) -> None:
        _stamp(held, document)
        held.body = memoryview(orjson.dumps(document)).tobytes()  # a copy: orjson's own bytes keep four times their length in memory
        self._place(held)
        self._changed[held.key] = held

    def _place(self, held: Document) -> None:
        place = (held.subscription_id, held.kind)
        self._documents[held.key] = held
        self._lists.setdefault(place, {})[held.key] = held
        self._listings.pop(place, None)
        self._note(held.key)

    def _note(self, key: str) -> None:
        if EVERYTHING not in self._moved:  # an estate whose moves nobody takes keeps no list of them
            self._moved.add(key)


def fold(arm_id: str) -> str:
    return arm_id.rstrip("/").lower()


def _stamp(held: Document, document: Json) -> None:
    """A new etag for the document and every child inside it."""
    if "etag" not in document:
        return
    etag = f'W/"{guid(f"{held.arm_id}#{held.ordinal}#{held.revision}")}"'
    document["etag"] = etag
    properties: dict[str, Any] = document["properties"]
    for collection in CHILDREN.get(held.kind, ()):
        for child in properties.get(collection) or ():
            child["etag"] = etag
