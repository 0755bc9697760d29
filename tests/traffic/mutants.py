"""Documents that went wrong: a good one with octets or members changed, as broken senders, proxies and people who try make them."""

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import cramjam

from tests.traffic.sending import packed

HOSTILE: list[Any] = [
    None, True, -1, 0, 1.5, 2**63, 2**64, 10**40, 1e308, "", "x" * 500, "\0", "\ud800", "10.0.2.4\n", "٤", [], {}, [[]], [[[[]]]], {"a": {}},
    ["10.0.2.4"], [None] * 50, {"rx_bytes": "1"}, [["10.0.2.4", 27, 1, 1]] * 2, "NaN", "'; DROP TABLE", "../..", "<script>",
]  # fmt: skip


def of_json(seed: dict[str, Any], chance: random.Random) -> bytes:
    """The document with one to three of its values replaced, taken out, moved or doubled."""
    document = json.loads(json.dumps(seed))
    for _ in range(chance.randint(1, 3)):
        holder, place = chance.choice(list(_places(document)))
        deed = chance.random()
        if deed < 0.7:
            holder[place] = deepcopy(chance.choice(HOSTILE))
        elif deed < 0.85:
            del holder[place]
        elif isinstance(holder, dict):
            holder[str(chance.choice(["", "V", "src ", "\x00", "total.0"]))] = holder.pop(place)
        else:
            holder.insert(place, holder[place])
        if not list(_places(document)):
            break
    return json.dumps(document).encode()


def of_octets(seed: bytes, chance: random.Random) -> bytes:
    """The octets with one to eight of them changed, cut, doubled or put elsewhere."""
    octets = bytearray(seed)
    for _ in range(chance.randint(1, 8)):
        if not octets:
            break
        at, length = chance.randrange(len(octets)), chance.randint(1, 40)
        match chance.randrange(6):
            case 0:
                octets[at] = chance.randrange(256)
            case 1:
                del octets[at : at + length]
            case 2:
                octets[at:at] = octets[at : at + length]
            case 3:
                octets[at:at] = chance.randbytes(length)
            case 4:
                del octets[at:]
            case 5:
                octets[at : at + 1] = b"\xff\xff\xff\xff\x0f"  # the longest number of many formats
    return bytes(octets)


def requests(seeds: list[tuple[bytes, dict[str, str]]], chance: random.Random) -> Iterator[tuple[bytes, dict[str, str]]]:
    """Bodies with their headers, without end: mutants of the seeds, plain, packed and packed badly, some with headers that do not fit."""
    while True:
        seed, headers = chance.choice(seeds)
        is_json = headers.get("content_type") == "application/json"
        if headers.get("content_encoding") == "snappy" and chance.random() < 0.7:
            body = bytes(cramjam.snappy.compress_raw(of_octets(bytes(cramjam.snappy.decompress_raw(seed)), chance)))
        else:
            body = of_json(json.loads(seed), chance) if is_json and chance.random() < 0.5 else of_octets(seed, chance)
        headers = dict(headers)
        how = chance.random()
        if how < 0.15 and "content_encoding" not in headers:
            body, headers["content_encoding"] = packed(body), "gzip"
        elif how < 0.3 and "content_encoding" not in headers:
            body, headers["content_encoding"] = of_octets(packed(seed), chance), "gzip"
        elif how < 0.34:
            headers[chance.choice(["content_type", "content_encoding"])] = chance.choice(
                ["", "text/plain", "gzip", "snappy", "gzip, gzip", "\xff", "a" * 300]
            )
        elif how < 0.36:
            headers["content_length"] = chance.choice(["-1", "", "x", "9" * 30, "1e9", "99999999999"])
        yield body, headers


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place that holds a value: (dict, name) and (list, index)."""
    children: list[tuple[Any, Any]] = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    for place, child in children:
        yield value, place
        yield from _places(child)
