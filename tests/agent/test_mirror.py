"""A mirror as a TAP makes it: both directions of a NIC wrapped by a kernel vxlan device and sent to a collector, where the agent counts."""

import socket
from collections.abc import Callable

import pytest

from tests.agent.frames import OUTER
from tests.agent.namespaces import Lab, Namespace, inside, mac_of
from tests.waiting import eventually
from vtapweb.agent.vtap_agent import Counting

pytestmark = pytest.mark.namespaces

DUP = """
table netdev mirror {
  chain received { type filter hook ingress device "eth0" priority 0; dup to "vx0"; }
  chain sent { type filter hook egress device "eth0" priority 0; dup to "vx0"; }
}
"""


def by_nft(machine: Namespace) -> None:
    machine.run("nft", "-f", "-", stdin=DUP)


def by_tc(machine: Namespace) -> None:
    machine.run("tc", "qdisc", "add", "dev", "eth0", "clsact")
    for direction in ("ingress", "egress"):
        mirror = ["u32", "match", "u32", "0", "0", "action", "mirred", "egress", "mirror", "dev", "vx0"]
        machine.run("tc", "filter", "add", "dev", "eth0", direction, "protocol", "all", *mirror)


@pytest.mark.parametrize("mirror", [by_nft, by_tc])
def test_a_mirrored_nic_is_counted_in_both_directions_by_its_mac(lab: Lab, mirror: Callable[[Namespace], None]) -> None:
    """[peer eth0 10.3.0.1] --- [vm eth0 10.3.0.4, vx0; up0 10.1.0.5] --- [collector eth0 10.1.0.4]"""
    peer, vm, collector = lab.namespace(), lab.namespace(), lab.namespace()
    lab.cable((peer, "eth0", "10.3.0.1/24"), (vm, "eth0", "10.3.0.4/24"))
    lab.cable((vm, "up0", "10.1.0.5/24"), (collector, "eth0", "10.1.0.4/24"))
    vxlan = ["type", "vxlan", "id", "27", "local", "10.1.0.5", "remote", "10.1.0.4", "dstport", "4789", "dev", "up0", "nolearning", "noudpcsum"]
    vm.run("ip", "link", "add", "vx0", *vxlan)
    vm.run("ip", "link", "set", "vx0", "mtu", "2900", "up")
    mirror(vm)
    with inside(collector.name):
        counting = Counting()
        counting.set_up()
    received, sent = [100] * 300 + [1400] * 50, [800] * 120  # octets of UDP payload
    with peer.udp_socket("10.3.0.1", 5000) as there, vm.udp_socket("10.3.0.4", 5000) as here:
        for octets in received:
            there.sendto(bytes(octets), ("10.3.0.4", 5000))
            assert len(here.recv(2000)) == octets
        for octets in sent:
            here.sendto(bytes(octets), ("10.3.0.1", 5000))
            assert len(there.recv(2000)) == octets
    eventually(lambda: counting.totals()[0][0] >= len(received) + len(sent), within_s=20, why="all mirrored packets")
    sources, directions = counting.sources(), counting.directions()
    counting.close()
    source = socket.inet_aton("10.1.0.5") + (27).to_bytes(3, "big") + b"\0"

    def inner(payloads: list[int]) -> tuple[int, int]:
        return len(payloads), sum(octets + 14 + 20 + 8 for octets in payloads)

    def counted(count: tuple[int, int]) -> tuple[int, int]:
        return count[0], count[1] - OUTER * count[0]

    macs = {name: source + bytes.fromhex(mac_of(machine).replace(":", "")) + b"\0\0" for name, machine in (("vm", vm), ("peer", peer))}
    assert {key: counted(count) for key, count in sources.items()} == {source: inner([*received, *sent])}
    assert {key: counted(count) for key, count in directions.items()} == {macs["vm"]: inner(sent), macs["peer"]: inner(received)}
