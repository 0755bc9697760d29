"""The answer's bytes: JSON compressed once, to which each sender adds the `seq` of its moment without compressing again.

The JSON object's last member is `seq`. What is kept is the raw deflate stream of everything before its value, flushed but not ended, with the
checksum so far; the rest goes behind it as one stored block (RFC 1951, 3.2.4), and the whole is an ordinary gzip member (RFC 1952).
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

GZIP_HEAD = bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255))
LEVEL = 6


@dataclass(frozen=True, slots=True)
class Body:
    """`deflated` is the flushed stream, `crc` and `octets` those of the JSON it holds, which ends in `"seq":`."""

    deflated: bytes
    crc: int
    octets: int

    def gzipped(self, seq: int) -> bytes:
        """The whole answer, gzip."""
        tail = b"%d}" % seq
        stored = b"\x01" + struct.pack("<HH", len(tail), len(tail) ^ 0xFFFF) + tail
        return b"".join((GZIP_HEAD, self.deflated, stored, struct.pack("<II", zlib.crc32(tail, self.crc), (self.octets + len(tail)) & 0xFFFFFFFF)))

    def plain(self, seq: int) -> bytes:
        """The whole answer, not compressed."""
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(self.deflated) + b"%d}" % seq


def body_of(wire: Mapping[str, Any]) -> Body:
    """Compress what `vtapweb.domain.topology.encode` made."""
    text = orjson.dumps(wire)[:-1] + b',"seq":'
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return Body(deflated, zlib.crc32(text), len(text))
