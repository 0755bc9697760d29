"""Documents as an agent sends them."""

import json
from typing import Any

HOST = {
    "rx_bytes": 9_000, "rx_packets": 70, "rx_dropped": 0, "rx_missed": 0, "rx_fifo": 0, "softnet_dropped": 0, "softnet_squeezed": 1, "udp_in": 60,
    "udp_no_ports": 0, "udp_rcvbuf_errors": 0, "sock_drops": 0,
}  # fmt: skip


def document(**given: Any) -> dict[str, Any]:
    """A full document with two sources; what is given as ... is left out."""
    values = {
        "v": 1, "agent": "1.0", "every_s": 1, "member": "9f3a", "boot": "b7d0-1a2b", "seq": 12, "t": 1_700_000_000_000, "mono": 123_456,
        "if": "eth0", "gro": False, "vxlan_device": False, "host": HOST, "total": [66, 6_600], "unattributed": [0, 0], "full": True,
        "src": [["10.0.2.4", 27, 60, 6_000], ["10.0.2.5", 27, 6, 600]], **given,
    }  # fmt: skip
    return {name: value for name, value in values.items() if value is not ...}


def octets(**given: Any) -> bytes:
    return json.dumps(document(**given)).encode()
