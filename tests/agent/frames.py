"""Mirrored frames as Azure sends them, made here, and the one that was captured from a real TAP."""

import socket
import struct

# Published by Microsoft's virtual-network-tap-lab: 10.0.2.4 mirrored to 10.1.1.4, VNI 27; 116 octets, both IPv4 header checksums verify.
AZURE_FRAME = bytes.fromhex(
    "7ced8d03b69c7ced8daa92dc080045000066000000004011637f0a0002040a010104ce9912b5005200000800000000001b007c1e525639cb7ced8daa92dc"
    "080045020034301140008006b2a70a0002040a000206d56900506c3f58cf0000000080c2faf0c0f10000020405500103030801010402"
)
NIC_MAC, GATEWAY_MAC = bytes.fromhex("7ced8daa92dc"), bytes.fromhex("123456789abc")
OUTER = 36  # octets of outer IPv4, UDP and VXLAN headers


def checksum(header: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(source: str, destination: str, protocol: int, payload: bytes) -> bytes:
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, socket.inet_aton(source), socket.inet_aton(destination))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def inner_frame(octets: int, source_mac: bytes = NIC_MAC) -> bytes:
    """A whole Ethernet frame of that length."""
    return GATEWAY_MAC + source_mac + b"\x08\x00" + ipv4("10.9.9.9", "10.8.8.8", 6, bytes(octets - 34))


def mirrored(collector_mac: bytes, source: str, inner: bytes, *, vni: int = 27, port: int = 4789, destination: str = "10.1.0.4") -> bytes:
    """What arrives at a collector for one inner frame: 50 octets more."""
    vxlan = struct.pack("!BxxxI", 8, vni << 8)
    udp = struct.pack("!HHHH", 52889, port, 8 + len(vxlan) + len(inner), 0)
    return collector_mac + NIC_MAC + b"\x08\x00" + ipv4(source, destination, 17, udp + vxlan + inner)


def address(number: int) -> str:
    """Source addresses of tests: 10.2.0.0 and up."""
    return socket.inet_ntoa(struct.pack("!I", (10 << 24) + (2 << 16) + number))
