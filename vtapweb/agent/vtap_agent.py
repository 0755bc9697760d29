#!/usr/bin/env python3
"""The vtapweb agent: tells once a second how much mirrored traffic reaches this collector, and from whom.

It counts headers; it never reads, keeps or sends payload. The kernel counts (an nftables table of the agent's own), the agent reads the
counters and posts them. Rule 1: one file, Python 3.8 or newer, standard library only; it imports nothing of vtapweb. Rule 2: all counters are
cumulative since the agent started, so that a lost document costs resolution, never a number. The document: docs/agent.md.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Mapping, Tuple

VERSION = "1.0"
EVERY_S = 1
FULL_EVERY = 10  # documents

Count = Tuple[int, int]  # packets, octets from the outer IPv4 header on


@dataclass(frozen=True)
class Reading:
    """All counters at one moment. None: cannot be counted here.

    `sources` by source address and VNI as the kernel keeps them (4 + 3 octets, filled up to 8), `directions` with the inner source MAC behind
    (6 octets, filled up to 8).
    """

    mono_ms: int
    wall_ms: int
    host: Mapping[str, int]
    total: Count | None = None
    unattributed: Count | None = None
    sources: Mapping[bytes, Count] | None = None
    directions: Mapping[bytes, Count] | None = None


@dataclass(frozen=True)
class Machine:
    """What a document says of the machine beside counters. `lacks`: why sources cannot be counted here, "" where they are."""

    member: str
    boot: str
    interface: str
    is_gro: bool = False
    has_vxlan_device: bool = False
    lacks: str = ""


class Documents:
    """Numbers the documents and knows what the last one said, so that the next may list only what changed."""

    def __init__(self) -> None:
        self.seq = 0
        self._said: dict[bytes, Count] = {}
        self._names: dict[bytes, list[object]] = {}

    def is_full_due(self) -> bool:
        """Whether the next document lists all sources by its number: the first one, then every tenth."""
        return self.seq % FULL_EVERY == 0

    def make(self, machine: Machine, reading: Reading, is_full: bool) -> dict[str, object]:
        """The next document. Without `is_full` it lists the sources that changed since the one before, which must have been taken."""
        self.seq += 1
        is_full = is_full or reading.sources is None
        document: dict[str, object] = {
            "v": 1, "agent": VERSION, "every_s": EVERY_S, "member": machine.member, "boot": machine.boot, "seq": self.seq,
            "t": reading.wall_ms, "mono": reading.mono_ms, "if": machine.interface, "gro": machine.is_gro,
            "vxlan_device": machine.has_vxlan_device, "host": dict(reading.host), "full": is_full,
        }  # fmt: skip
        if machine.lacks:
            document["lacks"] = machine.lacks
        if reading.total is not None:
            document["total"] = list(reading.total)
        if reading.unattributed is not None:
            document["unattributed"] = list(reading.unattributed)
        if reading.sources is not None:
            said = {} if is_full else self._said
            document["src"] = [[*self._name(key), *count] for key, count in reading.sources.items() if said.get(key) != count]
            self._said = dict(reading.sources)
        if is_full and reading.directions is not None:
            document["dir"] = [[*_name_of(key), key[8:14].hex(), *count] for key, count in reading.directions.items()]
        return document

    def _name(self, key: bytes) -> list[object]:
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = _name_of(key)
        return name


def _name_of(key: bytes) -> list[object]:
    """Source address and VNI of a key."""
    return [socket.inet_ntoa(key[:4]), int.from_bytes(key[4:7], "big")]
