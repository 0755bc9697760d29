#!/usr/bin/env python3
"""The vtapweb agent: tells once a second how much mirrored traffic reaches this collector, and from whom.

It counts headers; it never reads, keeps or sends payload. The kernel counts (an nftables table of the agent's own), the agent reads the
counters and posts them. Rule 1: one file, Python 3.8 or newer, standard library only; it imports nothing of vtapweb. Rule 2: all counters are
cumulative since the agent started, so that a lost document costs resolution, never a number. Rule 3: it touches nothing but its own table,
and takes that away when it ends. The document, and what it needs: docs/agent.md.

From top to bottom: netlink, the table that counts, the machine, the document, the way to the server, the loop, the doctor, the command line.
"""

from __future__ import annotations

import argparse
import array
import contextlib
import errno
import fcntl
import gzip
import hashlib
import http.client
import ipaddress
import json
import os
import platform
import random
import shutil
import signal
import socket
import ssl
import stat
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from operator import itemgetter
from typing import Callable, Iterator, Mapping, Tuple
from urllib.parse import urlsplit

VERSION = "1.0"
EVERY_S = 1
FULL_EVERY = 10  # documents
PROMISE = "It counts headers; it never reads, keeps or sends payload."
VXLAN_PORT = 4789

Count = Tuple[int, int]  # packets, octets from the outer IPv4 header on


class CannotError(Exception):
    """Something that only a person can mend; the text is the sentence for that person."""


# --- netlink: how the kernel is asked, see linux/netlink.h

NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_DUMP, NLM_F_DUMP_INTR = 0x1, 0x300, 0x10
NETLINK_NETFILTER = 12
ANSWER_WITHIN_S = 2.0
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # length with this header, type
_U64 = struct.Struct(">Q")


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, filled up to a multiple of four octets."""
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def attributes(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(type, start, end) of the value of each attribute between two places."""
    while start + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, start)
        if length < 4 or start + length > end:
            return
        yield kind & 0x3FFF, start + 4, start + length
        start += (length + 3) & ~3


def values(data: bytes, start: int, end: int) -> dict[int, tuple[int, int]]:
    """The places of the attributes' values by type."""
    return {kind: (first, last) for kind, first, last in attributes(data, start, end)}


class Netlink:
    """A socket to one family of netlink."""

    def __init__(self, family: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        self._socket.settimeout(ANSWER_WITHIN_S)
        self._socket.bind((0, 0))
        self._sequence = 0

    def dump(self, kind: int, body: bytes) -> tuple[list[tuple[bytes, int, int]], bool]:
        """All answers as (datagram, start, end) of what follows the netlink header, and whether the kernel's list changed meanwhile.

        Raises OSError with the kernel's errno, ENOENT for a table that is not there; TimeoutError (socket.timeout) for no answer.
        """
        self._sequence += 1
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, NLM_F_REQUEST | NLM_F_DUMP, self._sequence, 0) + body)
        answers: list[tuple[bytes, int, int]] = []
        is_torn = False
        while True:
            data = self._socket.recv(1 << 16)
            place = 0
            while place + _HEADER.size <= len(data):
                length, answer, flags, sequence, _ = _HEADER.unpack_from(data, place)
                if length < _HEADER.size:
                    raise OSError(errno.EBADMSG, "netlink answered with a broken length")
                if sequence == self._sequence:  # else the rest of an answer that was given up
                    is_torn |= bool(flags & NLM_F_DUMP_INTR)
                    if answer in (NLMSG_DONE, NLMSG_ERROR):
                        code = -struct.unpack_from("=i", data, place + _HEADER.size)[0] if length >= _HEADER.size + 4 else 0
                        if code:
                            raise OSError(code, os.strerror(code))
                        return answers, is_torn
                    answers.append((data, place + _HEADER.size, place + length))
                place += (length + 3) & ~3

    def close(self) -> None:
        self._socket.close()


# --- the table that counts: the kernel adds up per source, nothing of a packet but these header fields is looked at

TABLE = "vtapweb_agent"
SET_SIZE = 65535
KEPT_S = 15 * 60  # how long the kernel keeps a source that is silent
# Keys: outer source address and VNI (24 bits, 12 octets into the UDP header); for the direction also the inner source MAC (22 octets into it).
# An `update` that finds no room ends its rule, so `attributed` counts exactly what has a place in @src.
RULES = """
add table ip {table}
delete table ip {table}
table ip {table} {{
  counter total {{ }}
  counter attributed {{ }}
  set src {{
    typeof ip saddr . @th,96,24
    size {size}
    flags dynamic,timeout
    timeout {kept_s}s
    counter
  }}
  set dir {{
    typeof ip saddr . @th,96,24 . @th,176,48
    size {size}
    flags dynamic,timeout
    timeout {kept_s}s
    counter
  }}
  chain count {{
    counter name total
    update @src {{ ip saddr . @th,96,24 }} counter name attributed
    update @dir {{ ip saddr . @th,96,24 . @th,176,48 }}
  }}
  chain prerouting {{
    type filter hook prerouting priority -450; policy accept;
    ip protocol udp udp dport {port} jump count
  }}
}}
"""
REMOVAL = "add table ip {table}\ndelete table ip {table}\n"

# linux/netfilter/nf_tables.h
GET_ELEMENTS, GET_OBJECTS = 0x0A0D, 0x0A13
_FAMILY_IPV4 = struct.pack("=BBH", socket.AF_INET, 0, 0)
LIST_TABLE, LIST_SET, LIST_ELEMENTS = 1, 2, 3
ELEMENT_KEY, ELEMENT_EXPIRATION, ELEMENT_EXPRESSION = 1, 5, 7
OBJECT_TABLE, OBJECT_NAME, OBJECT_DATA = 1, 2, 4
COUNTER_OCTETS, COUNTER_PACKETS = 1, 2


def nft_path() -> str:
    """Raises CannotError where there is no nft."""
    path = shutil.which("nft", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
    if path is None:
        raise CannotError("nft is not installed (Debian, Ubuntu: apt install nftables; RHEL: dnf install nftables)")
    return path


def nft(rules: str, *options: str) -> None:
    """Has nft carry out rules, all or none. Raises CannotError with what it said."""
    command = [nft_path(), *options, "-f", "-"]
    try:
        done = subprocess.run(  # noqa: S603 (our own rules, nothing of anybody else)
            command, input=rules, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotError(f"nft cannot be run: {error}") from error
    if done.returncode:
        said = " ".join(done.stderr.split())[:200]
        if "not permitted" in said or "must be root" in said:
            raise CannotError("the capability CAP_NET_ADMIN is missing, so the kernel does not let this user count")
        raise CannotError(f"nft refused the table: {said}")


def _element(data: bytes, start: int, end: int) -> dict[str, tuple[int, int]]:
    """Where in one element of a set its key, counters and rest of life are. What it lacks, lacks here."""
    places: dict[str, tuple[int, int]] = {}
    for kind, first, last in attributes(data, start, end):
        if kind == ELEMENT_KEY:
            places["key"] = (first + 4, last)
        elif kind == ELEMENT_EXPIRATION:
            places["expiration"] = (first, last)
        elif kind == ELEMENT_EXPRESSION:
            data_of = values(data, first, last).get(2)
            counter = values(data, *data_of) if data_of else {}
            if COUNTER_OCTETS in counter and COUNTER_PACKETS in counter:
                places["octets"], places["packets"] = counter[COUNTER_OCTETS], counter[COUNTER_PACKETS]
    return places


class Layout:
    """Reads the elements of one kernel's answers many at a time: all have the form of the first one, which is checked octet by octet."""

    def __init__(self, data: bytes, start: int, end: int, places: Mapping[str, tuple[int, int]]) -> None:
        self.length = end - start
        pattern, place, constants, of = "=", start, [], {}
        fields = 0
        for name, (first, last) in sorted(places.items(), key=itemgetter(1)):
            constants.append((fields, data[place:first]))
            pattern += f"{first - place}s{last - first}{'x' if name == 'expiration' else 's'}"
            fields += 1
            if name != "expiration":
                of[name] = fields
                fields += 1
            place = last
        constants.append((fields, data[place:end]))
        self._pattern = struct.Struct(f"{pattern}{end - place}s")
        self._fixed = itemgetter(*(place for place, _ in constants))
        self._fixed_as = tuple(octets for _, octets in constants)
        self._varying = itemgetter(of["key"], of["packets"], of["octets"])

    def read(self, data: bytes, start: int, end: int, into: dict[bytes, Count]) -> bool:
        """Adds all elements of a list to `into`. False, with nothing promised of `into`, when one of them has another form."""
        if (end - start) % self.length:
            return False
        fixed, fixed_as, varying, number = self._fixed, self._fixed_as, self._varying, int.from_bytes
        for fields in self._pattern.iter_unpack(memoryview(data)[start:end]):
            if fixed(fields) != fixed_as:
                return False
            key, packets, octets = varying(fields)
            into[key] = (number(packets, "big"), number(octets, "big"))
        return True


class Steady:
    """Keeps a source that one dump lacks. The kernel's hash table may move while it is read, and a source that is gone for one document and back
    in the next would be counted from zero. One that moved less than KEPT_S ago cannot have expired.
    """

    def __init__(self) -> None:
        self._last: dict[bytes, Count] = {}
        self._moved_s: dict[bytes, float] = {}

    def steady(self, seen: dict[bytes, Count], now_s: float) -> dict[bytes, Count]:
        """`seen` with what it can only have missed; `now_s` by the monotonic clock."""
        last, moved_s = self._last, self._moved_s
        if len(last) > len(seen) or last.keys() - seen.keys():
            for key in last.keys() - seen.keys():
                if now_s - moved_s[key] < KEPT_S - 60:
                    seen[key] = last[key]
                else:
                    del moved_s[key]
        for key, count in seen.items():
            if last.get(key) != count:
                moved_s[key] = now_s
        self._last = seen
        return seen


class Counting:
    """The agent's own table: made, read, removed. Everybody else's tables are left alone."""

    def __init__(self, set_size: int = SET_SIZE) -> None:
        self._set_size = set_size
        self._netlink = Netlink(NETLINK_NETFILTER)
        self._layouts: dict[bytes, Layout] = {}
        self._sources, self._directions = Steady(), Steady()

    def set_up(self) -> None:
        """Makes the table anew, with all counters at 0. Raises CannotError."""
        nft(RULES.format(table=TABLE, size=self._set_size, kept_s=KEPT_S, port=VXLAN_PORT))
        self._sources, self._directions = Steady(), Steady()

    def totals(self) -> tuple[Count, Count]:
        """All mirrored packets, and those that have a place in the set of sources. Raises OSError, ENOENT when the table is gone."""
        counters: dict[bytes, Count] = {}
        answers, _ = self._netlink.dump(GET_OBJECTS, _FAMILY_IPV4 + attribute(OBJECT_TABLE, TABLE.encode() + b"\0"))
        for data, start, end in answers:
            fields = values(data, start + 4, end)
            if OBJECT_NAME in fields and OBJECT_DATA in fields:
                counter = values(data, *fields[OBJECT_DATA])
                first, last = fields[OBJECT_NAME]
                packets, octets = (_U64.unpack_from(data, counter[kind][0])[0] for kind in (COUNTER_PACKETS, COUNTER_OCTETS))
                counters[data[first : last - 1]] = (packets, octets)
        if not {b"total", b"attributed"} <= counters.keys():
            raise OSError(errno.ENOENT, "the table is gone")
        return counters[b"total"], counters[b"attributed"]

    def sources(self) -> dict[bytes, Count]:
        """Counts by the keys of Reading.sources. Raises OSError."""
        return self._sources.steady(self._elements(b"src"), time.monotonic())

    def directions(self) -> dict[bytes, Count]:
        """Counts by the keys of Reading.directions. Raises OSError."""
        return self._directions.steady(self._elements(b"dir"), time.monotonic())

    def _elements(self, name: bytes) -> dict[bytes, Count]:
        body = _FAMILY_IPV4 + attribute(LIST_TABLE, TABLE.encode() + b"\0") + attribute(LIST_SET, name + b"\0")
        for _ in range(3):
            found: dict[bytes, Count] = {}
            answers, is_torn = self._netlink.dump(GET_ELEMENTS, body)
            for data, start, end in answers:
                place = values(data, start + 4, end).get(LIST_ELEMENTS)
                if place is not None:
                    self._read_list(name, data, *place, found)
            if not is_torn:
                break
        return found

    def _read_list(self, name: bytes, data: bytes, start: int, end: int, into: dict[bytes, Count]) -> None:
        layout = self._layouts.get(name)
        if layout is not None and layout.read(data, start, end, into):
            return
        for _, first, last in attributes(data, start, end):
            places = _element(data, first, last)
            if {"key", "octets", "packets"} <= places.keys():
                key, packets, octets = (data[slice(*places[field])] for field in ("key", "packets", "octets"))
                into[key] = (int.from_bytes(packets, "big"), int.from_bytes(octets, "big"))
                if (last - first) % 4 == 0:
                    self._layouts[name] = Layout(data, first - 4, last, places)

    def close(self) -> None:
        self._netlink.close()


def remove_table() -> None:
    """Takes the table away, whether it is there or not. Raises CannotError."""
    nft(REMOVAL.format(table=TABLE))


@contextlib.contextmanager
def only_agent_here() -> Iterator[bool]:
    """Whether this is the only agent of this network namespace; held until the end. A name without a file: it ends with the process."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        try:
            door.bind(f"\0{TABLE}")
        except OSError:
            yield False
        else:
            yield True


# --- the machine: its interface, its drop counters, what could bend the numbers

GET_LINK = 18
LINK_ADDRESS, LINK_NAME, LINK_MTU, LINK_INFO, LINK_STATS64 = 1, 3, 4, 18, 23
INFO_KIND, INFO_DATA, INFO_VXLAN_PORT = 1, 2, 15
# Places in rtnl_link_stats64. The `drop` column of /proc/net/dev would not do: it holds rx_dropped and rx_missed in one.
STATS64 = {"rx_packets": 0, "rx_bytes": 2, "rx_dropped": 6, "rx_fifo": 14, "rx_missed": 15}
SIOCETHTOOL, ETHTOOL_GGRO = 0x8946, 0x2B


@dataclass(frozen=True)
class Link:
    """One network interface."""

    name: str
    mac: str  # hex digits
    mtu: int
    counters: Mapping[str, int]
    is_vxlan: bool  # a kernel vxlan device on our port


def links() -> dict[str, Link]:
    """All interfaces of this network namespace by name. Needs no privilege. Raises OSError."""
    netlink = Netlink(socket.NETLINK_ROUTE if hasattr(socket, "NETLINK_ROUTE") else 0)
    try:
        answers, _ = netlink.dump(GET_LINK, struct.pack("=BBHiII", socket.AF_UNSPEC, 0, 0, 0, 0, 0))
    finally:
        netlink.close()
    found = [_link(data, values(data, start + 16, end)) for data, start, end in answers]
    return {link.name: link for link in found}


def _link(data: bytes, fields: Mapping[int, tuple[int, int]]) -> Link:
    def octets(kind: int) -> bytes:
        return data[slice(*fields[kind])] if kind in fields else b""

    stats = octets(LINK_STATS64)
    info = values(data, *fields[LINK_INFO]) if LINK_INFO in fields else {}
    kind = data[slice(*info[INFO_KIND])].rstrip(b"\0") if INFO_KIND in info else b""
    port = VXLAN_PORT
    if kind == b"vxlan" and INFO_DATA in info:
        place = values(data, *info[INFO_DATA]).get(INFO_VXLAN_PORT)
        port = int.from_bytes(data[slice(*place)], "big") if place else port
    return Link(
        name=octets(LINK_NAME).rstrip(b"\0").decode(errors="replace"),
        mac=octets(LINK_ADDRESS).hex(),
        mtu=int.from_bytes(octets(LINK_MTU), sys.byteorder),
        counters={name: struct.unpack_from("=Q", stats, 8 * place)[0] for name, place in STATS64.items() if len(stats) >= 8 * place + 8},
        is_vxlan=kind == b"vxlan" and port == VXLAN_PORT,
    )


def is_gro(interface: str) -> bool:
    """Whether generic receive offload is on there; False where the driver does not say."""
    value = array.array("I", [ETHTOOL_GGRO, 0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            fcntl.ioctl(any_socket, SIOCETHTOOL, struct.pack("16sP", interface.encode(), value.buffer_info()[0]))
        except OSError:
            return False
    return bool(value[1])


def _lines(path: str) -> list[list[str]]:
    """The words of each line; nothing for a file that cannot be read."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:  # noqa: PTH123 (read once a second)
            return [line.split() for line in file]
    except OSError:
        return []


def host_counters(interface: str) -> dict[str, int]:
    """What this machine received and lost, cumulative since it started. A counter that cannot be read is absent. Raises OSError."""
    link = links().get(interface)
    counters = dict(link.counters) if link else {}
    softnet = [[int(word, 16) for word in words] for words in _lines("/proc/net/softnet_stat") if len(words) > 2]
    if softnet:
        counters.update(softnet_dropped=sum(row[1] for row in softnet), softnet_squeezed=sum(row[2] for row in softnet))
    udp = [words[1:] for words in _lines("/proc/net/snmp") if words[:1] == ["Udp:"]]
    if len(udp) == 2:
        of = dict(zip(*udp))
        names = {"udp_in": "InDatagrams", "udp_no_ports": "NoPorts", "udp_rcvbuf_errors": "RcvbufErrors"}
        counters.update({ours: int(of[theirs]) for ours, theirs in names.items() if theirs in of})
    sockets = vxlan_sockets()
    if sockets is not None:
        counters["sock_drops"] = sum(sockets)
    return counters


def vxlan_sockets() -> list[int] | None:
    """Of each socket on UDP 4789, how many datagrams it dropped; None where that cannot be read."""
    tables = [_lines(f"/proc/net/{name}") for name in ("udp", "udp6")]
    if not any(tables):
        return None
    suffix = f":{VXLAN_PORT:04X}"
    return [int(words[-1]) for table in tables for words in table[1:] if len(words) > 11 and words[1].endswith(suffix)]


def default_interface() -> str:
    """The interface of the default route. Raises CannotError."""
    routes = [(int(words[6]), words[0]) for words in _lines("/proc/net/route")[1:] if len(words) > 7 and words[1] == words[7] == "00000000"]
    if not routes:
        raise CannotError("this machine has no default route; name the interface that receives the mirrored traffic with --interface")
    return min(routes)[1]


def _word_of(*paths: str) -> str:
    return next((lines[0][0] for lines in map(_lines, paths) if lines and lines[0]), "")


def member_id(interface: str) -> str:
    """Tells this machine from all others, also from clones of its disk. Raises CannotError when it has no such interface, OSError."""
    link = links().get(interface)
    if link is None:
        raise CannotError(f"this machine has no interface {interface}; it has {', '.join(sorted(links()))}")
    machine = _word_of("/etc/machine-id", "/var/lib/dbus/machine-id")
    return hashlib.sha256(f"vtapweb agent\0{machine}\0{link.mac}".encode()).hexdigest()[:32]


def new_boot() -> str:
    """Names a stretch of time in which counters only grow."""
    return f"{_word_of('/proc/sys/kernel/random/boot_id') or 'unknown'}-{os.urandom(6).hex()}"


# --- the document


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
            if len(self._names) > 2 * SET_SIZE:
                self._names.clear()
            name = self._names[key] = _name_of(key)
        return name


def _name_of(key: bytes) -> list[object]:
    """Source address and VNI of a key."""
    return [socket.inet_ntoa(key[:4]), int.from_bytes(key[4:7], "big")]


# --- the way to the server

PATH = "/api/ingest/v1/samples"
GZIP_FROM = 4096  # octets
GIVE_UP_AFTER_S = 5.0
LONGEST_PAUSE_S, LONGEST_PAUSE_REFUSED_S, LONGEST_ASKED_PAUSE_S = 30.0, 60.0, 300.0


@dataclass(frozen=True)
class Answer:
    """What became of a document. `trouble`: what went wrong, in words; "" when it was taken."""

    trouble: str = ""
    pause_s: float = 0.0
    is_full_wanted: bool = False
    is_too_large: bool = False


class Token:
    """The collector's token, read anew when its file changes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._mark: object = None
        self._token = ""

    def get(self) -> str:
        """Raises CannotError when the file cannot be read or holds no token."""
        try:
            found = os.stat(self.path)  # noqa: PTH116 (asked once a second)
            mark = (found.st_mtime_ns, found.st_ino, found.st_size)
            if mark != self._mark:
                with open(self.path, encoding="ascii") as file:  # noqa: PTH123 (as above)
                    self._token = file.read(4096).strip()
                self._mark = mark
        except (OSError, UnicodeDecodeError) as error:
            raise CannotError(f"the token file {self.path} cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}") from error
        if not self._token or not self._token.isprintable() or " " in self._token:
            raise CannotError(f"the token file {self.path} does not hold one token")
        return self._token


class Backoff:
    """How long to wait after each failure in a row: twice as long each time, a random half of it, so that many agents do not come at once."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._failures = 0

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, at_most_s: float) -> float:
        """Seconds to wait, between a half and the whole of 1, 2, 4 … `at_most_s`."""
        self._failures += 1
        longest = min(at_most_s, 2.0 ** min(self._failures - 1, 16))
        return longest * (0.5 + self._chance() / 2)


def asked_pause_s(value: str | None, now_s: float) -> float | None:
    """What a Retry-After header asks for, in seconds (at most 300); None without one that can be understood."""
    if value is None:
        return None
    try:
        seconds = float(value) if value.strip().isdigit() else parsedate_to_datetime(value).timestamp() - now_s
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_ASKED_PAUSE_S)


class Server:
    """The one server that gets the documents, on a connection that is kept. It follows no redirection: the token goes nowhere else."""

    def __init__(self, url: str, token: Token, ca_file: str | None = None, is_http_allowed: bool = False, backoff: Backoff | None = None) -> None:
        """Raises CannotError for an address or a CA file that cannot be used."""
        parts = urlsplit(url if "//" in url else f"https://{url}")
        try:
            port = parts.port
        except ValueError as error:
            raise CannotError(f"{url} is no address of a server: {error}") from error
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise CannotError(f"{url} is no address of a server; it should read like https://vtapweb.example")
        if parts.scheme == "http" and not is_http_allowed and not _is_loopback(parts.hostname):
            raise CannotError(f"{url} would send the token unencrypted; use https, or say --insecure-http if that is meant")
        self.url = url
        self._host, self._port, self._path = parts.hostname, port, parts.path.rstrip("/") + PATH
        self._context: ssl.SSLContext | None = None
        if parts.scheme == "https":
            try:
                self._context = ssl.create_default_context(cafile=ca_file)
            except (OSError, ssl.SSLError) as error:
                raise CannotError(f"the CA file {ca_file} cannot be used: {error}") from error
        self._token = token
        self._backoff = backoff or Backoff()
        self._connection: http.client.HTTPConnection | None = None

    def send(self, document: Mapping[str, object]) -> Answer:
        """Posts one document; tells what to do next, raises nothing that a network or a server can cause."""
        try:
            status, headers, body = self.post(json.dumps(document, separators=(",", ":")).encode())
        except CannotError as error:
            return Answer(trouble=str(error), pause_s=self._backoff.failed(LONGEST_PAUSE_S), is_full_wanted=True)
        except (OSError, http.client.HTTPException) as error:
            return Answer(trouble=f"cannot reach {self.url}: {_said(error)}", pause_s=self._backoff.failed(LONGEST_PAUSE_S), is_full_wanted=True)
        if 200 <= status < 300:
            self._backoff.succeeded()
            return Answer()
        if status == 409:
            self._backoff.succeeded()
            return Answer(trouble="the server asked for a full document", is_full_wanted=True)
        trouble = f"{self.url} answered {status}: {problem(body)}"
        asked_s = asked_pause_s(headers.get("Retry-After"), time.time()) if status in (429, 503) else None
        pause_s = self._backoff.failed(LONGEST_PAUSE_REFUSED_S if status in (401, 403) else LONGEST_PAUSE_S)
        return Answer(trouble=trouble, pause_s=pause_s if asked_s is None else asked_s, is_full_wanted=True, is_too_large=status == 413)

    def post(self, body: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Status, headers and the beginning of the body. Raises CannotError (token), OSError, http.client.HTTPException."""
        headers = {"Authorization": f"Bearer {self._token.get()}", "Content-Type": "application/json", "User-Agent": f"vtap-agent/{VERSION}"}
        if len(body) >= GZIP_FROM:
            body = gzip.compress(body, compresslevel=1)
            headers["Content-Encoding"] = "gzip"
        is_kept = self._connection is not None
        try:
            return self._exchange(body, headers)
        except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError):
            if not is_kept:
                raise
            return self._exchange(body, headers)  # the server had closed the kept connection; a document that came twice is dropped by its seq

    def _exchange(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, http.client.HTTPMessage, bytes]:
        if self._connection is None:
            if self._context is not None:
                self._connection = http.client.HTTPSConnection(self._host, self._port, timeout=GIVE_UP_AFTER_S, context=self._context)
            else:
                self._connection = http.client.HTTPConnection(self._host, self._port, timeout=GIVE_UP_AFTER_S)
        is_over = True
        try:
            self._connection.request("POST", self._path, body, dict(headers))
            response = self._connection.getresponse()
            answer = response.read(1 << 16)
            is_over = response.will_close or bool(response.read(1))
            return response.status, response.headers, answer
        finally:
            if is_over:
                self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _said(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); a CA of your own is named with --ca-file"
    if isinstance(error, socket.timeout):
        return f"no answer within {GIVE_UP_AFTER_S:g} s"
    return str(error) or type(error).__name__


def problem(body: bytes) -> str:
    """The sentence of a problem body (RFC 9457), else the beginning of the text, printable and short."""
    text = body.decode("utf-8", "replace")
    with contextlib.suppress(ValueError):
        said = json.loads(text)
        if isinstance(said, dict):
            text = str(said.get("detail") or said.get("title") or "")
    return "".join(sign if sign.isprintable() else " " for sign in text)[:200].strip() or "no reason given"


# --- the loop

RETRY_COUNTING_S = 60.0
MOST_JITTER_MS = 150


class Stopped(BaseException):
    """The agent was asked to end."""


def say(text: str) -> None:
    """One line for the journal. Never a token."""
    sys.stderr.write(f"vtap-agent: {text}\n")
    sys.stderr.flush()


def until_next_s(wall_s: float, jitter_s: float) -> float:
    """How long to wait for the next whole second and this machine's jitter; never less than 0.2 s, whatever becomes of the wall clock."""
    wait_s = EVERY_S - (wall_s - jitter_s) % EVERY_S
    return wait_s if wait_s >= 0.2 else wait_s + EVERY_S


class Agent:
    """Reads all counters when asked, and makes them a document."""

    def __init__(self, interface: str) -> None:
        """Raises CannotError when there is no such interface."""
        self.interface = interface
        self.member = member_id(interface)
        self.jitter_s = int(self.member[:8], 16) % (MOST_JITTER_MS + 1) / 1000
        self._counting: Counting | None = None
        self._counting_again_at_s = 0.0
        self._is_table_ours = False
        self._lacks = ""
        self._begin()

    def _begin(self) -> None:
        """A new stretch of counting: all numbers from the beginning."""
        self.documents = Documents()
        self._boot = new_boot()
        self._machine: Machine | None = None

    def count(self) -> None:
        """Makes the table. Where that cannot be, says why and goes on with totals."""
        self._is_table_ours = True  # from here on there may be one
        try:
            self._counting = self._counting or Counting()
            self._counting.set_up()
            self._lacks = ""
        except (CannotError, OSError) as error:
            self.count_nothing(str(error))
        self._counting_again_at_s = time.monotonic() + RETRY_COUNTING_S
        self._begin()

    def count_nothing(self, why: str) -> None:
        if why != self._lacks:
            say(f"cannot count per source: {why}. Sending the totals of {self.interface} only, which are everything it receives.")
        self._lacks = why
        if self._counting is not None:
            self._counting.close()
        self._counting = None

    def read_along(self) -> None:
        """Reads the table that another agent made, and leaves it there."""
        try:
            self._counting = Counting()
            self._counting.totals()
        except OSError as error:
            self.count_nothing(f"the table of the agent that runs here cannot be read ({error.strerror or error})")

    def document(self, is_full: bool = False, is_small: bool = False) -> dict[str, object]:
        """The next document. `is_small`: without directions."""
        if self._counting is None and self._is_table_ours and time.monotonic() >= self._counting_again_at_s:
            self.count()
        is_full = is_full or self.documents.is_full_due()
        try:
            return self._read(is_full, is_small)
        except (FileNotFoundError, PermissionError) as error:
            if self._counting is None or not self._is_table_ours:
                raise
            say(f"the table {TABLE} cannot be read ({error.strerror or error}); making it anew. All counters begin at 0.")
            self.count()
            return self._read(is_full=True, is_small=is_small)

    def _read(self, is_full: bool, is_small: bool) -> dict[str, object]:
        if is_full or self._machine is None:
            is_vxlan = any(link.is_vxlan for link in links().values())
            self._machine = Machine(self.member, self._boot, self.interface, is_gro(self.interface), is_vxlan, self._lacks)
        mono_ms, wall_ms = time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000
        host = host_counters(self.interface)
        counting = self._counting
        if counting is None:
            return self.documents.make(self._machine, Reading(mono_ms, wall_ms, host), is_full=True)
        total, attributed = counting.totals()
        unattributed = (total[0] - attributed[0], total[1] - attributed[1])
        directions = counting.directions() if is_full and not is_small else None
        reading = Reading(mono_ms, wall_ms, host, total, unattributed, counting.sources(), directions)
        return self.documents.make(self._machine, reading, is_full)

    def end(self) -> None:
        """Takes away what this agent made."""
        if self._counting is not None:
            self._counting.close()
        if self._is_table_ours:
            with contextlib.suppress(CannotError):  # it could not be made either
                remove_table()


def run(agent: Agent, server: Server) -> None:
    """Sends a document a second until Stopped. After an outage only the newest."""
    trouble: str | None = None
    is_full_wanted = is_small = False
    pause_until_s = 0.0
    pause = threading.Event()
    while True:
        pause.wait(max(0.0, pause_until_s - time.monotonic()))
        pause.wait(until_next_s(time.time(), agent.jitter_s))
        try:
            document = agent.document(is_full=is_full_wanted, is_small=is_small)
        except OSError as error:
            answer = Answer(trouble=f"the counters cannot be read: {error}", pause_s=1.0, is_full_wanted=True)
        else:
            answer = server.send(document)
        if answer.trouble != trouble:
            say(answer.trouble or f"sending to {server.url}")
        trouble = answer.trouble
        is_full_wanted = answer.is_full_wanted
        is_small = is_small or answer.is_too_large
        pause_until_s = time.monotonic() + answer.pause_s


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM, SIGINT and SIGHUP end the block, silently. What follows it is not disturbed by another one."""

    def stop(*_: object) -> None:
        raise Stopped

    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    try:
        for one in signals:
            signal.signal(one, stop)
        yield
    except Stopped:
        pass
    finally:
        for one in signals:
            signal.signal(one, signal.SIG_IGN)


# --- the doctor

ONCE_COUNTS_S = 1.0
DOCTOR_COUNTS_S = 3.0


def once(agent: Agent, is_alone: bool, counts_s: float) -> dict[str, object]:
    """A full document of now: of the agent that runs here, else of `counts_s` seconds of counting. Raises CannotError, OSError."""
    if is_alone:
        agent.count()
        threading.Event().wait(counts_s)
    else:
        agent.read_along()
    return agent.document(is_full=True)


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: good (True), bad (False) or worth knowing (None)."""

    is_good: bool | None
    text: str

    def __str__(self) -> str:
        return f"{ {True: 'ok  ', False: 'BAD ', None: 'note'}[self.is_good] } {self.text}"


def examine(interface: str, server: Server | None, token: Token | None) -> Iterator[Finding]:
    """Looks at everything that the agent needs, one finding at a time."""
    yield Finding(True, f"Python {platform.python_version()}, Linux {platform.release()}.")
    with only_agent_here() as is_alone:
        yield Finding(None, "no agent runs here now." if is_alone else "an agent runs here; its table is read and left alone.")
        agent = Agent(interface)
        try:
            document = once(agent, is_alone, DOCTOR_COUNTS_S)
        finally:
            agent.end()
    yield from _examine_counting(document, is_alone)
    yield from _examine_machine(interface, document)
    has_token = True
    if token is not None:
        finding, has_token = _examine_token(token)
        yield finding
    if server is not None:
        yield _examine_server(server) if has_token else Finding(None, f"{server.url} was not asked: it answers nobody without a token.")


def _examine_counting(document: Mapping[str, object], is_alone: bool) -> Iterator[Finding]:
    if "lacks" in document:
        yield Finding(False, f"cannot count per source: {document['lacks']}. Only the interface's totals could be sent.")
        return
    total, unattributed, sources = document["total"], document["unattributed"], document["src"]
    assert isinstance(total, list) and isinstance(unattributed, list) and isinstance(sources, list)  # noqa: S101, PT018 (for the type checker)
    since = f"in {DOCTOR_COUNTS_S:g} s" if is_alone else "since the agent started"
    yield Finding(True, f"the kernel counts: a table of the agent's own, {TABLE}.")
    if total[0]:
        yield Finding(True, f"{total[0]} mirrored packets from {len(sources)} sources {since}.")
    else:
        yield Finding(None, f"no mirrored packet (UDP {VXLAN_PORT}) {since}. Is a TAP pointing here, and does a security group let it in?")
    if unattributed[0]:
        yield Finding(False, f"{unattributed[0]} packets found no room in the set of {SET_SIZE} sources; they count in the total only.")


def _examine_machine(interface: str, document: Mapping[str, object]) -> Iterator[Finding]:
    link = links()[interface]
    yield Finding(True, f"interface {interface}, MTU {link.mtu}; this machine is member {document['member']}.")
    if document["gro"] and document["vxlan_device"]:
        text = f"GRO is on at {interface} and there is a kernel vxlan device: the kernel merges packets before they are counted, so per-source"
        yield Finding(False, f"{text} numbers are too low. Mend it with: ethtool -K {interface} gro off")
    sockets = vxlan_sockets()
    if sockets == [] and not document["vxlan_device"]:
        text = f"no tool listens on UDP {VXLAN_PORT}. One that captures from the interface is fine; the kernel then answers each packet with ICMP"
        yield Finding(None, f"{text} 'port unreachable', which costs the sources nothing but is traffic.")


def _examine_token(token: Token) -> tuple[Finding, bool]:
    """And whether there is one to ask the server with."""
    try:
        token.get()
    except CannotError as error:
        return Finding(False, f"{error}."), False
    is_open = bool(os.stat(token.path).st_mode & stat.S_IROTH)  # noqa: PTH116 (as elsewhere in this file)
    return Finding(not is_open, f"token file {token.path}{': everybody on this machine can read it (chmod 640)' if is_open else ''}."), True


def _examine_server(server: Server) -> Finding:
    """Posts what is no document: the server looks at the token first, and takes nothing in."""
    try:
        status, headers, body = server.post(b'{"v":1}')
    except CannotError as error:
        return Finding(False, f"{error}.")
    except (OSError, http.client.HTTPException) as error:
        return Finding(False, f"cannot reach {server.url}: {_said(error)}.")
    finally:
        server.close()
    if status == 400:
        ahead_s = 0.0
        with contextlib.suppress(TypeError, ValueError):
            ahead_s = time.time() - parsedate_to_datetime(headers.get("Date", "")).timestamp()
        if abs(ahead_s) > 300:
            return Finding(None, f"{server.url} takes the token. This machine's clock is {ahead_s:+.0f} s off the server's; rates do not suffer.")
        return Finding(True, f"{server.url} takes the token.")
    return Finding(False, f"{server.url} answered {status}: {problem(body)}")


# --- the command line


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vtap_agent.py", description=f"Tells vtapweb how much mirrored traffic reaches this collector. {PROMISE}")
    parser.add_argument("--server", metavar="URL", help="vtapweb's address, https://…")
    parser.add_argument("--token-file", metavar="F", help="file with the collector's token and nothing else")
    parser.add_argument("--interface", metavar="IF", help="interface that receives the mirrored traffic (else that of the default route)")
    parser.add_argument("--ca-file", metavar="F", help="certificates (PEM) of the CA that signed the server's, instead of the system's")
    parser.add_argument("--insecure-http", action="store_true", help="send the token without encryption to an http:// address beyond this machine")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--once", action="store_true", help="print one document and send nothing")
    what.add_argument("--doctor", action="store_true", help="look at everything that the agent needs, and say what lacks")
    what.add_argument("--remove-table", action="store_true", help="take away the table of an agent that was killed")
    parser.add_argument("--version", action="version", version=VERSION)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """0 when all is well, 1 when something lacks (said on standard error), 2 for a command line that cannot be meant."""
    options = parser().parse_args(arguments)
    try:
        return _main(options)
    except (CannotError, OSError) as error:
        say(f"{error}.")
        return 1
    except Stopped:  # a second signal, at the very end
        return 0


def _main(options: argparse.Namespace) -> int:
    if not sys.platform.startswith("linux"):
        raise CannotError("the agent runs on Linux")
    if options.remove_table:
        with only_agent_here() as is_alone:
            if not is_alone:
                raise CannotError("an agent runs here; its table goes when it ends")
            remove_table()
        return 0
    token = Token(options.token_file) if options.token_file else None
    server = Server(options.server, token or Token(""), options.ca_file, options.insecure_http) if options.server else None
    interface = options.interface or default_interface()
    if options.doctor:
        return doctor(interface, server, token)
    if options.once:
        return print_once(interface)
    if server is None or token is None:
        raise CannotError("say where to send to: --server URL and --token-file F; or --once, or --doctor")
    with only_agent_here() as is_alone:
        if not is_alone:
            raise CannotError("another agent runs here already, and one counts for all")
        agent = Agent(interface)
        try:
            with stoppable():
                say(f"version {VERSION}, member {agent.member}, interface {interface}. {PROMISE}")
                agent.count()
                run(agent, server)
        finally:
            agent.end()
            server.close()
    return 0


def print_once(interface: str) -> int:
    """Prints one document."""
    with only_agent_here() as is_alone:
        agent = Agent(interface)
        try:
            with stoppable():
                sys.stdout.write(json.dumps(once(agent, is_alone, ONCE_COUNTS_S)) + "\n")
        finally:
            agent.end()
    return 0


def doctor(interface: str, server: Server | None, token: Token | None) -> int:
    """Prints what is well and what lacks; 1 when something lacks."""
    sys.stdout.write(f"The vtapweb agent {VERSION}. {PROMISE}\n")
    is_well = True
    with stoppable():
        for finding in examine(interface, server, token):
            is_well &= finding.is_good is not False
            sys.stdout.write(f"{finding}\n")
            sys.stdout.flush()
        sys.stdout.write("All is well.\n" if is_well else "Something lacks, see BAD above.\n")
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
